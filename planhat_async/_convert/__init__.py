"""Between Planhat's JSON and the records: the one place that knows camelCase, cattrs and msgspec."""

from planhat_async._convert.fields import Field, camel_case, fields_of, spellings_of, unknown_field, wire_path
from planhat_async._convert.json import (
    RowFlags,
    decode_json,
    encode_json,
    excerpt,
    row_flags,
    row_id,
    without_fields,
)
from planhat_async._convert.pages import row_ids, split_rows
from planhat_async._convert.records import decode_record, to_write, unstructure
from planhat_async._convert.requirements import keys_of, what_is_missing, without_empty_keys
from planhat_async._convert.values import read_time

__all__ = [
    "Field",
    "RowFlags",
    "camel_case",
    "decode_json",
    "decode_record",
    "encode_json",
    "excerpt",
    "fields_of",
    "keys_of",
    "read_time",
    "row_flags",
    "row_id",
    "row_ids",
    "spellings_of",
    "split_rows",
    "to_write",
    "unknown_field",
    "unstructure",
    "what_is_missing",
    "wire_path",
    "without_empty_keys",
    "without_fields",
]
