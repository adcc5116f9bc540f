"""Blocks of plain rows of CSV, each found by one regular expression: decisions only.

A row is plain if it has as many cells as the header, and each cell is quoted as a whole or holds no quote. Nearly all
rows are, and the expression reads them in a third of the time that `csv` takes. `csv` reads every other row.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import accumulate, islice
from typing import TypeAlias

Cells: TypeAlias = tuple[str, ...]
"""The cells of a row, one a column, and an empty text after them."""
MAX_COLUMNS = 100
"""An expression for more takes long to compile."""


class CellBlock:
    """Plain rows that follow each other in a file, at least one.

    Args:
        cells: The cells of each row.
        text: The text of the rows.
        first_line: The number of the text's first line.
        pattern: Matches each row in the text.
    """

    def __init__(self, cells: Sequence[Cells], text: str, first_line: int, pattern: re.Pattern[str]) -> None:
        self.cells: Sequence[Cells] = cells
        self.n_chars: int = len(text)
        """The size of the text."""
        self.n_lines: int = _n_lines(text)
        """The number of lines in the text."""
        self._text, self._first_line, self._pattern = text, first_line, pattern

    def where(self, number: int) -> str:
        """The place of a row in the file, for messages."""
        return f"line {self._lines[number]}"

    @cached_property
    def _lines(self) -> list[int]:
        """The number of the first line of each row."""
        sizes = (_n_lines(row[0]) for row in self._pattern.finditer(self._text))
        return [*accumulate(sizes, initial=self._first_line)]


class PlainRows:
    """Finds the plain rows at the beginning of a text.

    Args:
        delimiter: What separates cells.
        n_columns: The number of columns, from 2 to `MAX_COLUMNS`.
        first_cells: The first cells of rows that may be headers.
    """

    def __init__(self, delimiter: str, n_columns: int, first_cells: Collection[str]) -> None:
        separator = re.escape(delimiter)
        # Each repetition is possessive: that a row is not plain is found in one pass.
        quoted, unquoted = r'(?<=")[^"]*+(?:""[^"]*+)*+(?=")', rf'(?<!")[^"{separator}\r\n]*+(?!")'
        cells = separator.join([f'"?({quoted}|{unquoted})"?'] * n_columns)
        self._pattern = re.compile(rf"{cells}\r?\n|(.+)", re.DOTALL)
        self._first_cells = frozenset(first_cells)

    def block(self, text: str, first_line: int) -> CellBlock | None:
        """The plain rows at the beginning of a text; `None` if it begins with another row.

        Args:
            text: The text.
            first_line: The number of its first line.
        """
        if not _is_clean(text):
            return None
        cells: list[Cells] = self._pattern.findall(text)
        if cells and (rest := cells[-1][-1]):
            cells.pop()
            text = text[: -len(rest)]
        if not self._first_cells.isdisjoint([row[0] for row in cells]):
            n_plain = next(n for n, row in enumerate(cells) if row[0] in self._first_cells)
            text = text[: next(islice(self._pattern.finditer(text), n_plain, None)).start()]
            del cells[n_plain:]
        if '""' in text:
            cells = [tuple([cell.replace('""', '"') for cell in row]) for row in cells]
        return CellBlock(cells, text, first_line, self._pattern) if cells else None


def _is_clean(text: str) -> bool:
    """Whether a text has no NUL, and no bytes of another encoding."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _n_lines(text: str) -> int:
    """The number of lines that end in a text."""
    n_lines = text.count("\n")
    return n_lines + text.count("\r") - text.count("\r\n") if "\r" in text else n_lines
