"""The lines of a text, remembered as long as they belong to one record."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator

MAX_RECORD = 1 << 24
"""The most bytes of a record in memory, about: twice as much as a call holds. `csv` takes four for a character."""
_LINE_BYTES = 64
"""What a line takes beside its characters."""


class RecordTooLongError(ValueError):
    """A record has more characters than are held in memory."""


class TextLines:
    """The lines of a text with their ends, of which some can be taken at once.

    A longer line than a record may be comes in parts.

    Args:
        text: The text, opened without translation of line ends.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._ahead = io.StringIO(newline="")
        """Text that was read, but not passed on."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._next_line, "")

    def _next_line(self) -> str:
        line = self._ahead.readline()
        if line.endswith("\n"):
            return line
        if not line.endswith("\r"):
            return line + self._text.readline(MAX_RECORD)
        if self._ahead.read(1):
            self._ahead.seek(self._ahead.tell() - 1)
            return line
        following = self._text.read(1)  # the two characters of one line end may have been divided
        if following == "\n":
            return line + following
        self.put_back(following)
        return line

    def take(self, n_chars: int) -> str:
        """Take this much text, as far as there is any, or what was put back if that is more.

        Lines may be divided, also between the two characters of their ends.
        """
        ahead = self._ahead.read()
        if len(ahead) < n_chars:
            ahead += self._text.read(n_chars - len(ahead))
        return ahead

    def put_back(self, text: str) -> None:
        """Put back the end of what was taken."""
        self._ahead = io.StringIO(text, newline="")


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
            if record:
                size += len(line) + _LINE_BYTES
            else:
                size = len(line)
            record.append(line)
            if size >= MAX_RECORD:
                raise RecordTooLongError(f"a row has more than {MAX_RECORD:,} bytes, perhaps by an open quote")
            yield line

    def rest(self) -> Iterator[str]:
        """The lines of the record, then all lines after it, which are not remembered."""
        yield from self.record
        yield from self._lines


def count_lines(parts: Iterable[str]) -> int:
    """The number of lines in parts of a text, none of which holds more than one; the last needs no end."""
    n_lines, is_open = 0, False
    for part in parts:
        is_open = not part.endswith(("\n", "\r"))
        n_lines += not is_open
    return n_lines + is_open
