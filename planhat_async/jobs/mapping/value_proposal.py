"""What a mapping file should say about how the values of its columns are read: decisions only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, get_origin

import attrs

from planhat_async._convert import Field, fields_of
from planhat_async.jobs.mapping.cell_numbers import shown
from planhat_async.jobs.mapping.proposed_line import ProposedLine
from planhat_async.jobs.mapping.value_kinds import ValueKind
from planhat_async.records import Record

_EPOCHS = {"epoch seconds", "epoch milliseconds"}
_WORDS = {
    "address": "e-mail addresses",
    "id": "ids of 24 hex digits",
    "boolean": "true or false",
    "whole number": "whole numbers",
    "number": "numbers",
    "date": "days",
    "time": "times",
    "list": "lists",
    "epoch seconds": "perhaps times in epoch seconds",
    "epoch milliseconds": "perhaps times in epoch milliseconds",
}
_TYPES = {"boolean", "whole number", "number", "date", "time", "list", *_EPOCHS}


@attrs.frozen(kw_only=True)
class ReadColumn:
    """A column, the field that its values are read for, and what they are."""

    column: str
    field: str
    is_mapped: bool
    """Whether the field is proposed; otherwise all about it is a comment."""
    kind: ValueKind


def kind_in_words(kind: ValueKind) -> str:
    """What the values are, for a remark; empty if that says nothing."""
    return _WORDS.get(kind.name, "")


def misfit(field: Field | None, kind: ValueKind) -> str:
    """Why values of a kind cannot be those of a field; empty if they can."""
    if field is None or kind.name == "nothing":
        return ""
    expected = get_origin(field.type) or field.type
    checks: tuple[tuple[bool, set[str], str], ...] = (
        (field.name == "company_id", {"id", "key"}, "_ids (24 hex digits)"),
        (field.holds_addresses and field.type is str, {"address"}, "e-mail addresses"),
        (expected in (float, int), {"number", "whole number", *_EPOCHS}, "numbers"),
        (expected in (date, datetime), {"date", "time", *_EPOCHS}, "times"),
        (expected is bool, {"boolean", "whole number"}, "true or false"),
    )
    wrong = [what for applies, kinds, what in checks if applies and kind.name not in kinds]
    return f"its values are not {wrong[0]}" if wrong else ""


def unread_in_words(field: Field | None, kind: ValueKind) -> str:
    """How many values are not times, for a remark about a field of times or a custom one; empty if all are."""
    if not kind.n_unread or (field is not None and field.type not in (date, datetime)):
        return ""
    one, several = ("a day", "days") if kind.name == "date" else ("a time", "times")
    if kind.n_unread == 1:
        return f"1 value is not {one}: {shown(kind.first_unread)}"
    return f"{kind.n_unread:,} values are not {several}, the first {shown(kind.first_unread)}"


def option_lines(record: type[Record], columns: Sequence[ReadColumn]) -> Iterator[str]:
    """The options at the top of a mapping file, as comments."""
    naive = [one.column for one in columns if _needs_zone(record, one)]
    if naive:
        yield f'# time_zone = "Europe/Berlin"  # times have no zone, so theirs is needed: {_shown(naive)}'
    separators = {one.kind.separator for one in columns if _reads_lists(record, one)} - {"", ","}
    for separator in sorted(separators):
        names = [one.column for one in columns if one.kind.separator == separator and _reads_lists(record, one)]
        yield f'# list_separator = "{separator}"  # the items of lists seem to be separated by it: {_shown(names)}'
    if commas := [one.column for one in columns if one.kind.has_decimal_comma]:
        yield f"# decimal_comma = true  # numbers have a decimal comma: {_shown(commas)}"


def type_lines(record: type[Record], columns: Sequence[ReadColumn]) -> Iterator[ProposedLine]:
    """The fields whose values need a type."""
    for one in columns:
        kind, field = one.kind, _field(record, one.field)
        if field is None and kind.is_text and kind.name in _TYPES and not (kind.forms and kind.name == "time"):
            sent = "with a form alone they are sent as times" if kind.forms else "without a type they are sent as text"
            remark = f"they look like {kind_in_words(kind).removeprefix('perhaps ')}; {sent}"
            yield ProposedLine(field=one.field, value=kind.name, remark=remark, is_certain=False)
        elif field is not None and kind.name in _EPOCHS and field.type in (date, datetime):
            remark = "the numbers look like it; is that what they count?"
            yield ProposedLine(field=one.field, value=kind.name, remark=remark, is_certain=False)
        elif field is not None and field.type is str and kind.name == "whole number" and kind.is_float:
            yield ProposedLine(field=one.field, value="whole number", is_certain=one.is_mapped)


def date_lines(record: type[Record], columns: Sequence[ReadColumn]) -> Iterator[ProposedLine]:
    """The fields whose times have a form of their own."""
    for one in columns:
        if not one.kind.forms or not _reads_times(record, one):
            continue
        form, *others = one.kind.forms
        remarks = [f"or {' or '.join(others[:2])}: which is it?"] if others else []
        remarks += ["needs time_zone above"] if _needs_zone(record, one) else []
        is_custom, is_day = _field(record, one.field) is None, _reads_days(record, one)
        remarks += ["goes with the type below"] if is_custom and is_day else []
        is_certain = one.is_mapped and not remarks
        remarks += ["without a form they are sent as text"] if is_custom and not is_day and not is_certain else []
        yield ProposedLine(field=one.field, value=form, remark="; ".join(remarks), is_certain=is_certain)


def _reads_times(record: type[Record], one: ReadColumn) -> bool:
    field = _field(record, one.field)
    if one.kind.name not in {"date", "time"}:
        return False
    return one.field.startswith("custom.") if field is None else field.type in (date, datetime)


def _reads_days(record: type[Record], one: ReadColumn) -> bool:
    field = _field(record, one.field)
    return one.kind.name == "date" if field is None else field.type is date


def _needs_zone(record: type[Record], one: ReadColumn) -> bool:
    return one.kind.needs_zone and _reads_times(record, one) and not _reads_days(record, one)


def _reads_lists(record: type[Record], one: ReadColumn) -> bool:
    field = _field(record, one.field)
    return one.kind.name == "list" and field is not None and get_origin(field.type) is list


def _field(record: type[Record], name: str) -> Any:
    return fields_of(record).get(name)


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
