"""Refuses inputs of an upsert that are not rows: decisions only.

Iterating over a table yields its columns or their names, over a file lines, over text characters. Such an input is
refused before anything is read. Tables are recognised by their methods, so no library is imported.
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
"""The expression that makes mappings of a table, by the name of its method."""
_TEXT = (str, bytes, bytearray, memoryview)


def refuse_what_is_not_rows(rows: Any, record_type: type) -> None:
    """Refuse an input that does not yield rows.

    Args:
        rows: The input.
        record_type: The class of records.

    Raises:
        TypeError: The message names the right way.
    """
    name = type(rows).__name__
    if isinstance(rows, (Mapping, record_type, *_TEXT)) or hasattr(type(rows), "model_fields"):  # pydantic's
        raise TypeError(f"rows are an iterable of records or mappings, not one {name}")
    if isinstance(rows, io.IOBase):
        raise TypeError(
            f"rows are an iterable of records or mappings, not a file ({name}), which yields lines: "
            "csv.DictReader(file) makes mappings of CSV, (json.loads(line) for line in file) of JSON Lines"
        )
    if _has_method(rows, "collect") and _has_method(rows, "collect_schema"):
        raise TypeError(f"rows are a query that has not run ({name}): hand in rows.collect()")
    if _is_table(rows):
        way = next((way for method, way in _CONVERSIONS.items() if _has_method(rows, method)), "a list of mappings")
        raise TypeError(f"rows are an iterable of records or mappings, not a table ({name}): hand in {way}")


def refusal_of_text(position: int, item: Any) -> str | None:
    """Why an input with this item is not an input of rows, or `None`: an item that is text makes every row invalid."""
    if not isinstance(item, _TEXT):
        return None
    return f"row {position} is {type(item).__name__}, not a record or a mapping: the input yields text, not rows"


def _is_table(rows: Any) -> bool:
    """Whether this is a table of pandas, polars or pyarrow, or has the same methods."""
    if isinstance(rows, list | tuple):
        return False
    if _has_method(rows, "__dataframe__"):
        return True
    if _has_method(rows, "__arrow_c_stream__") and not (hasattr(rows, "dtype") or hasattr(rows, "type")):
        return True  # a single column has a type, and may hold mappings
    is_columnar = hasattr(rows, "columns") or hasattr(rows, "column_names")
    return is_columnar and any(_has_method(rows, method) for method in _CONVERSIONS)


def _has_method(rows: Any, name: str) -> bool:
    # Of the class: a mapping-like source may make up attributes.
    return callable(getattr(type(rows), name, None))
