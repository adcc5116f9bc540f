"""Conversion between Planhat's JSON and records; camelCase, cattrs and msgspec are used here only."""

from planhat_async._convert.fields import (
    Field,
    cached,
    fields_of,
    similar_fields,
    spellings_of,
    unknown_column,
    unknown_field,
    wire_path,
)
from planhat_async._convert.fingerprints import IDS_ONLY, Fingerprint, FingerprintFields, fingerprint_fields
from planhat_async._convert.json import (
    decode_json,
    encode_json,
    encode_plain,
    excerpt,
    row_id,
    row_view,
    split_object,
    without_fields,
)
from planhat_async._convert.pages import row_ids, split_rows
from planhat_async._convert.records import decode_record, decode_records
from planhat_async._convert.requirements import Requirements, requirements_of
from planhat_async._convert.row_blocks import AT_END, IS_FULL, RowBlock, block_encoder, rows_in_array
from planhat_async._convert.row_converter import RowConverter, encode_row, row_converter, to_wire
from planhat_async._convert.successes import acknowledgement_in, deleted_in, record_in, record_or_sent, says_error
from planhat_async._convert.text import is_blank, printable
from planhat_async._convert.timestamps import check_day, check_time, read_time, write_time
from planhat_async._convert.values import type_in_words

__all__ = [
    "AT_END",
    "IDS_ONLY",
    "IS_FULL",
    "Field",
    "Fingerprint",
    "FingerprintFields",
    "Requirements",
    "RowBlock",
    "RowConverter",
    "acknowledgement_in",
    "block_encoder",
    "cached",
    "check_day",
    "check_time",
    "decode_json",
    "decode_record",
    "decode_records",
    "deleted_in",
    "encode_json",
    "encode_plain",
    "encode_row",
    "excerpt",
    "fields_of",
    "fingerprint_fields",
    "is_blank",
    "printable",
    "read_time",
    "record_in",
    "record_or_sent",
    "requirements_of",
    "row_converter",
    "row_id",
    "row_ids",
    "row_view",
    "rows_in_array",
    "says_error",
    "similar_fields",
    "spellings_of",
    "split_object",
    "split_rows",
    "to_wire",
    "type_in_words",
    "unknown_column",
    "unknown_field",
    "wire_path",
    "without_fields",
    "write_time",
]
