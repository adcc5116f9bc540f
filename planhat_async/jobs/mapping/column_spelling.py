"""Names of columns as files spell them: compared exactly, or else apart from case and outer blanks. Decisions only."""

from __future__ import annotations

from collections.abc import Sequence

from planhat_async._convert import spellings_of
from planhat_async.jobs.source_error import SourceError
from planhat_async.records import Record

_CUSTOM = "custom."


def is_named(column: str) -> bool:
    """Whether a column has a name: spreadsheets write empty columns without one."""
    return bool(column.strip())


def folded(name: str) -> str:
    """A name without case and outer blanks."""
    return name.strip().casefold()


def spelling_in(columns: Sequence[str], name: str, option: str) -> str:
    """A column's name as the file spells it; the name itself if the file has no such column.

    Args:
        columns: The file's columns.
        name: The column.
        option: Where it is named, for the message.

    Raises:
        SourceError: Several columns differ from the name only in case and outer blanks.
    """
    if name in columns:
        return name
    found = [column for column in dict.fromkeys(columns) if folded(column) == folded(name)]
    if len(found) > 1:
        raise SourceError(f"{option}: the file has the columns {' and '.join(map(repr, found))}: say which")
    return found[0] if found else name


def field_spelling(record: type[Record], column: str) -> str:
    """A column's name as a field is spelled, if it is one apart from case and outer blanks.

    `ID` stays what it is: in most files it is another system's id, and not Planhat's `_id`.
    """
    name = column.strip()
    spellings = spellings_of(record)
    if name in spellings or name.startswith(_CUSTOM):
        return name
    if folded(name).startswith(_CUSTOM):
        return _CUSTOM + name[len(_CUSTOM) :]
    found = {field.name for spelling, field in spellings.items() if folded(spelling) == folded(name)} - {"id"}
    return found.pop() if len(found) == 1 else name
