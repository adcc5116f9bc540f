"""Records of CSV, with the lines that each was read from."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_MAX_CELL = 2**31 - 1
_MEANINGS = {
    "unexpected end of data": "a quote is opened there and never closed",
    "',' expected after '\"'": "a quote is closed in the middle of a cell",
}


class Lines:
    """The lines of a text, with those that were read last at hand."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = iter(text)
        self._last: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self._last.append(line)
        return line

    def clear(self) -> None:
        """Forget the lines read so far."""
        self._last.clear()

    def text(self) -> str:
        """The lines read since the last `clear`."""
        return "".join(self._last).rstrip("\r\n")


def csv_reader(text: Iterable[str]) -> Any:
    """A strict reader of CSV: it raises on malformed input."""
    csv.field_size_limit(_MAX_CELL)
    # Without strict, an unclosed quote would silently turn the rest of the file into one cell.
    return csv.reader(text, strict=True)


def csv_records(reader: Any, before: Callable[[], None] = lambda: None) -> Iterator[tuple[str, list[str] | str]]:
    """Each record after the header, with its place in the file: its cells, or why it could not be read."""
    while True:
        first_line = reader.line_num + 1
        before()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _places(first_line, reader.line_num), _MEANINGS.get(str(error), str(error))
            continue
        except UnicodeError as error:
            yield f"line {first_line}, and all after it", str(error)
            return
        if cells:
            yield f"line {first_line}", cells


def _places(first: int, last: int) -> str:
    return f"line {first}" if last <= first else f"lines {first} to {last}, none of which was read"
