"""Records of CSV, with their lines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_MAX_CELL = 2**31 - 1
_MEANINGS = {
    "unexpected end of data": "a quote is opened there and never closed",
    "',' expected after '\"'": "a quote is closed in the middle of a cell",
}


def remember(text: Iterable[str], lines: list[str]) -> Iterator[str]:
    """The lines of a text, each of which is also added to `lines` when it is read."""
    for line in text:
        lines.append(line)
        yield line


def csv_reader(text: Iterable[str]) -> Any:
    """A strict reader of CSV: it raises on malformed input."""
    csv.field_size_limit(_MAX_CELL)
    # Without strict, an unclosed quote would silently turn the rest of the file into one cell.
    return csv.reader(text, strict=True)


def csv_records(reader: Any, before: Callable[[], None] = lambda: None) -> Iterator[tuple[str, list[str] | str]]:
    """Each record after the header, with its place in the file: its cells, or why it could not be read.

    `before` is called before each record is read.
    """
    while True:
        first = reader.line_num + 1
        before()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = reader.line_num
            where = f"line {first}" if last <= first else f"lines {first} to {last}, none of which was read"
            yield where, _MEANINGS.get(str(error), str(error))
            continue
        except UnicodeError as error:
            yield f"line {first}, and all after it", str(error)
            return
        if cells:
            yield f"line {first}", cells
