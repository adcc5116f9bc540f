"""Between Planhat's JSON and the records: the one place that knows camelCase, cattrs and msgspec."""

from planhat_async._convert.fields import Field, camel_case, fields_of, spellings_of, unknown_field, wire_path
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
from planhat_async._convert.marks import IDS_ONLY, Marker, marker_of
from planhat_async._convert.pages import row_ids, split_rows
from planhat_async._convert.records import decode_record, unstructure
from planhat_async._convert.requirements import Requirements, requirements_of
from planhat_async._convert.successes import acknowledgement_in, deleted_in, record_in, record_or_sent, says_error
from planhat_async._convert.text import printable
from planhat_async._convert.values import read_time, type_in_words, write_time
from planhat_async._convert.writing import Writer, to_write, writer_of

__all__ = [
    "IDS_ONLY",
    "Field",
    "Marker",
    "Requirements",
    "Writer",
    "acknowledgement_in",
    "camel_case",
    "decode_json",
    "decode_record",
    "deleted_in",
    "encode_json",
    "encode_plain",
    "excerpt",
    "fields_of",
    "marker_of",
    "printable",
    "read_time",
    "record_in",
    "record_or_sent",
    "requirements_of",
    "row_id",
    "row_ids",
    "row_view",
    "says_error",
    "spellings_of",
    "split_object",
    "split_rows",
    "to_write",
    "type_in_words",
    "unknown_field",
    "unstructure",
    "wire_path",
    "without_fields",
    "write_time",
    "writer_of",
]
