"""What an upsert takes for its rows, and what only looks like rows: decisions only.

Iterating over a table yields the names of its columns, or its columns; over a file, lines; over text, characters. That
is noticed before anything is read. Tables are recognised by their methods, so that no library is imported for it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

_CONVERSIONS = {
    "iter_rows": "rows.iter_rows(named=True)",  # polars
    "to_dicts": "rows.to_dicts()",
    "to_pylist": "rows.to_pylist()",  # pyarrow
    "to_dict": 'rows.to_dict("records")',  # pandas
}
"""What makes mappings of a table, by the method."""
_TEXT = (str, bytes, bytearray, memoryview)


def refuse_what_is_not_rows(rows: Any, record_type: type) -> None:
    """Refuse an input that yields something else than rows.

    Args:
        rows: The input.
        record_type: What one record is an instance of.

    Raises:
        TypeError: With the way that works.
    """
    name = type(rows).__name__
    if isinstance(rows, (Mapping, record_type, *_TEXT)):
        raise TypeError(f"rows are an iterable of records or mappings, not one {name}")
    if isinstance(rows, io.IOBase):
        raise TypeError(
            f"rows are an iterable of records or mappings, not a file ({name}), which yields lines: "
            "csv.DictReader(file) makes mappings of CSV, (json.loads(line) for line in file) of JSON Lines"
        )
    if _is_table(rows):
        way = next((way for method, way in _CONVERSIONS.items() if _has_method(rows, method)), "a list of mappings")
        raise TypeError(f"rows are an iterable of records or mappings, not a table ({name}): hand in {way}")


def refusal_of_text(position: int, item: Any) -> str | None:
    """Why an input that yields this is not one of rows, where it is text: then every row would be invalid."""
    if not isinstance(item, _TEXT):
        return None
    return f"row {position} is {type(item).__name__}, not a record or a mapping: the input yields text, not rows"


def _is_table(rows: Any) -> bool:
    """Whether this is a table of columns: of pandas, polars, pyarrow, or what has the same shape."""
    if isinstance(rows, list | tuple):
        return False
    if _has_method(rows, "__dataframe__"):
        return True
    if _has_method(rows, "__arrow_c_stream__") and not (hasattr(rows, "dtype") or hasattr(rows, "type")):
        return True  # a single column, which has a type, may hold mappings
    is_columnar = hasattr(rows, "columns") or hasattr(rows, "column_names")
    return is_columnar and any(_has_method(rows, method) for method in _CONVERSIONS)


def _has_method(rows: Any, name: str) -> bool:
    # Of the class: a mapping-like row source may make attributes up.
    return callable(getattr(type(rows), name, None))
