"""The lines of a text, remembered as long as they belong to one record."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator
from functools import partial

MAX_RECORD = 1 << 25
"""The most characters of a record: more than a call can hold. `csv` takes four bytes for each."""


class RecordTooLongError(ValueError):
    """A record has more characters than are held in memory."""


def lines_of_text(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text with their ends; a longer line than a record may be comes in parts."""
    return iter(partial(text.readline, MAX_RECORD), "")


class RecordLines:
    """Passes on lines, and remembers those of the current record.

    Args:
        beginning: Lines that were read ahead.
        lines: The lines after them.
    """

    def __init__(self, beginning: Iterable[str], lines: Iterator[str]) -> None:
        self._lines = itertools.chain(beginning, lines)
        self.record: list[str] = []
        """The lines since it was cleared."""

    def __iter__(self) -> Iterator[str]:
        """Each line.

        Raises:
            RecordTooLongError: Since `record` was cleared, the lines have become too long.
        """
        record, size = self.record, 0
        for line in self._lines:
            size = size + len(line) if record else len(line)
            record.append(line)
            if size >= MAX_RECORD:
                raise RecordTooLongError(f"a row is longer than {MAX_RECORD:,} characters, perhaps by an open quote")
            yield line

    def rest(self) -> Iterator[str]:
        """The lines of the record, then all lines after it, which are not remembered."""
        yield from self.record
        yield from self._lines

    def skip_rest(self) -> tuple[int, bool]:
        """Skip them; returns how many there are, and whether they could be decoded to the end of the file."""
        n_lines, is_open = 0, False
        try:
            for part in self.rest():
                is_open = not part.endswith(("\n", "\r"))
                n_lines += not is_open
        except UnicodeError:
            return n_lines + is_open, False
        return n_lines + is_open, True
