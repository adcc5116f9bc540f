"""The dialect of a CSV file: what separates, quotes and escapes, as its header shows it. Decisions only.

The separator is the one that the user names, or a first line such as `sep=;` declares. Otherwise the header shows it,
never a row: of `,`, `;`, tab and `|`, those count that separate columns outside of quotes. Of several, the one with the
most columns that the mapping or the model knows is chosen, then the one with the most columns, then the first of them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

SEPARATORS = (",", ";", "\t", "|")
"""The separators that are recognised without being named."""
BLANK = " \t\r\n"
_RARE_SEPARATORS = (":", "^", "~", "\x1f", "\x01")
_NAMES = {"tab": "\t", r"\t": "\t", "backslash": "\\"}
_DECLARATION = re.compile(r'"?sep=([^\w"\r\n])"?\s*', re.IGNORECASE)
_MEANINGS = {
    "unexpected end of data": "a quote in that row is never closed",
    "expected after": "a quote is closed in the middle of a cell",
}
_CANDIDATE_NAMES = {"\t": "tab"}


@attrs.frozen(kw_only=True)
class CsvDialect:
    """What separates cells, and how quotes are written within a quoted one."""

    delimiter: str = ","
    escape: str | None = None
    """The character before a quote within a quoted cell; without one, such a quote is doubled."""
    skips_blanks: bool = False
    """Whether blanks before cells are left out, so that quotes behind them are quotes."""

    def reader(self, lines: Iterable[str]) -> Any:
        """A strict reader of lines: it raises `csv.Error` on malformed input."""
        if self.escape is not None:
            lines = map(self._with_escapes, lines)
        # Without strict, a quote that is never closed would silently turn the rest of the file into one cell.
        return csv.reader(lines, strict=True, skipinitialspace=self.skips_blanks, **self._options())

    def writer(self, out: Any) -> Any:
        """A writer of rows that a reader of this dialect reads unchanged."""
        return csv.writer(out, **self._options())

    def quoted(self, text: str) -> str:
        """A text, or a part of it, as it stands between the quotes of a cell."""
        if self.escape is None:
            return text.replace('"', '""')
        return text.replace(self.escape, self.escape * 2).replace('"', f'{self.escape}"')

    def _options(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter, "escapechar": self.escape, "doublequote": self.escape is None}

    def _with_escapes(self, line: str) -> str:
        r"""A line as `csv` understands it: an escape character that escapes nothing is text.

        `csv` would drop it, and turn `C:\new` into `C:new`. Of an escaped line break it would escape only the first of
        two characters.
        """
        escape = self.escape or ""
        if escape not in line:
            return line
        special = (escape, '"', self.delimiter, "\r", "\n")

        def spelled(found: re.Match[str]) -> str:
            if found[1] == "\r\n":
                return f"{escape}\r{escape}\n"
            return found[0] if found[1] in special else escape + found[0]

        return re.sub(re.escape(escape) + r"(\r\n|.|$)", spelled, line, flags=re.DOTALL)


def named_delimiter(text: str) -> str:
    """The separator that a user names: one character, or `tab`.

    Raises:
        ValueError: The text is neither.
    """
    return _named_character("--delimiter", text, "one character, or tab")


def named_escape(text: str) -> str:
    """The escape character that a user names: one character, or `backslash`.

    Raises:
        ValueError: The text is neither.
    """
    return _named_character("--escape", text, "one character, or backslash")


def _named_character(option: str, text: str, form: str) -> str:
    character = _NAMES.get(text.lower(), text)
    if len(character) != 1 or character.isalnum() or character in '"\r\n\0':
        raise ValueError(f"{option} is {form}; it is not a letter, digit, quote or line break: {text!r}")
    return character


def shown(separator: str) -> str:
    """A separator as a user types it."""
    return _CANDIDATE_NAMES.get(separator, repr(separator))


def declared_delimiter(line: str) -> str | None:
    """The separator that a first line such as `sep=;` declares, as Excel writes and reads it."""
    found = _DECLARATION.fullmatch(line)
    return found and found[1]


def is_blank(line: str, delimiter: str | None) -> bool:
    """Whether a line before the header holds no name: nothing but blanks and separators."""
    return not line.strip(BLANK + (delimiter or "".join(SEPARATORS)))


def recognised(
    lines: Sequence[str], *, delimiter: str | None, escape: str | None, knows: Callable[[str], bool]
) -> CsvDialect:
    """The dialect of a file.

    Args:
        lines: Its header, and perhaps lines after it.
        delimiter: The separator, if it is named or declared.
        escape: The escape character, if there is one.
        knows: Whether a column has a name that the mapping or the model knows.
    """
    if delimiter is not None:
        return _dialect(lines, delimiter, escape)
    dialects = [_dialect(lines, separator, escape) for separator in SEPARATORS if separator != escape]
    headers = {one: header for one in dialects if len(header := _header(lines, one)) > (one.delimiter != ",")}

    def merit(dialect: CsvDialect) -> tuple[int, int]:
        return sum(map(knows, headers[dialect])), len(headers[dialect])

    return max(headers, key=merit, default=CsvDialect(escape=escape))


def _header(lines: Sequence[str], dialect: CsvDialect) -> list[str]:
    """The columns of a header: one if it holds no separator outside of quotes; none if it cannot be read."""
    reader = dialect.reader(lines)
    try:
        header: list[str] = next(reader, [])
    except csv.Error:
        return []
    unquoted = "".join(lines[: reader.line_num]).split('"')[::2]
    return header if any(dialect.delimiter in part for part in unquoted) else header[:1]


def _dialect(lines: Sequence[str], delimiter: str, escape: str | None) -> CsvDialect:
    # `csv` does not skip blanks that separate.
    skips_blanks = delimiter != " " and any(has_blanks_before_quotes(delimiter, line) for line in lines[:1])
    return CsvDialect(delimiter=delimiter, escape=escape, skips_blanks=skips_blanks)


def has_blanks_before_quotes(delimiter: str, record: str) -> bool:
    """Whether blanks stand between the begin of a cell and a quote, or such a text within a quoted cell."""
    if ' "' not in record:
        return False
    if f'{delimiter} "' in record or (record.startswith(" ") and record.lstrip(" ").startswith('"')):
        return True
    # Several blanks are rare, and looking for them takes ten times as long.
    return f"{delimiter}  " in record and re.search(f'{re.escape(delimiter)} +"', record) is not None


def unseparated(columns: Sequence[str], dialect: CsvDialect) -> str | None:
    """What to do about a header of one column that holds another separator; `None` about any other header."""
    if len(columns) != 1:
        return None
    found = [one for one in (*SEPARATORS, *_RARE_SEPARATORS) if one in columns[0] and one != dialect.delimiter]
    if not found:
        return None
    separator = shown(found[0])
    return f"the header is one column that holds {separator}: if that separates columns, say --delimiter {separator}"


def cause_of(error: Exception, record: Iterable[str], dialect: CsvDialect) -> str:
    r"""Why a record cannot be read, and what to do.

    Args:
        error: The error.
        record: The lines that were read of it.
        dialect: A quote after a backslash is a sign of another one.
    """
    said = str(error)
    cause = next((meaning for part, meaning in _MEANINGS.items() if part in said), said)
    if dialect.escape is None and any(r"\"" in line for line in record):
        return rf"{cause}: if a backslash stands before quotes, say --escape backslash, or else correct the line"
    return f"{cause}: correct it, and run this again"
