"""Checks of rows before they are sent: keys, and fields that Planhat requires."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cache, partial
from typing import Any

import attrs

from planhat_async._convert.codegen import generated_function
from planhat_async._convert.fields import fields_of, spellings_of, wire_path
from planhat_async._convert.text import is_blank
from planhat_async.records import Model
from planhat_async.records.keys import is_record_id
from planhat_async.records.model import in_alternatives

_MAX_KNOWN_COMPANIES = 5000
_MAX_SHOWN = 60
IS_BLANK = "not '0' <= value < '\\x7f' and is_blank(value)"
"""An expression: whether the text `value` is blank. Most begin with a letter or a digit, which is quicker to see."""
NEVER_BLANK = {int, float, bool, date, datetime}
"""Types of fields that hold a value unless they are `None`."""


@attrs.frozen(kw_only=True)
class Requirements:
    """Checks of one model's rows as JSON; each raises ValueError."""

    check_upsert: Callable[[dict[str, Any]], tuple[tuple[str, ...], bool]]
    """Returns the keys by which a bulk upsert matches a row, as `name=value`, in order of priority; and whether it has
    keys but lacks fields that a creation requires.

    Removes keys that are `None` from the row: they match nothing. Raises if a key is blank, an `_id` is invalid, or a
    row without a key lacks a field that a creation requires.
    """
    known_companies: set[str]
    """Keys of companies that were found valid."""
    check_update: Callable[[Mapping[str, Any]], None]
    """Raises if the `_id` or the company's key is invalid."""
    check_creation: Callable[[Mapping[str, Any]], None]
    """Raises also if a field is missing that a single creation requires."""


@cache
def requirements_of(model: Model) -> Requirements:
    """The checks of this model's rows, generated once: every row passes through them."""
    wires = {name: field.wire for name, field in fields_of(model.record).items()}
    companies: set[str] = set()  # most rows share one, so those found valid are remembered
    names = {
        "is_record_id": is_record_id,
        "is_blank": is_blank,
        "is_given": is_given,
        "refuse_id": partial(_refuse_id, model),
        "companies": companies,
        "check_company": partial(_check_company, model, companies),
    }
    update = [
        "value = row.get('_id')",
        "if value is not None and not is_record_id(value):",
        "    refuse_id(value)",
        *_lines_for_company(model, wires),
    ]
    lines = {
        "check_upsert": _lines_for_upsert(model, wires),
        "check_update": update,
        "check_creation": [*update, *_lines_for_missing(model, model.needs)],
    }
    return Requirements(
        known_companies=companies,
        **{name: generated_function(body, names, name=f"{name} of {model.name}") for name, body in lines.items()},
    )


def _lines_for_upsert(model: Model, wires: Mapping[str, str]) -> Iterator[str]:
    yield "keys = ()"
    for name in model.match:
        wire = wires[name]
        yield f"if {wire!r} in row:"
        yield f"    value = row[{wire!r}]"
        yield "    if value is None:"
        yield f"        del row[{wire!r}]"
        yield f"    elif {IS_BLANK}:"
        yield f"        raise ValueError({f'{name} must not be blank'!r})"
        if wire == "_id":
            yield "    elif not is_record_id(value):"
            yield "        refuse_id(value)"
        yield "    else:"
        yield f"        keys += ({f'{wire}='!r} + value,)"
    yield from _lines_for_company(model, wires)
    yield "if keys:"
    yield f"    return keys, {_is_partial(model, wires)}"
    yield from _lines_for_missing(model, model.upsert_needs)
    yield "return keys, False"


def _lines_for_company(model: Model, wires: Mapping[str, str]) -> Iterator[str]:
    if model.company_field is None:
        return
    company = f"row.get({wires[model.company_field]!r})"
    if typing.get_origin(fields_of(model.record)[model.company_field].type) is list:
        yield f"for company in {company} or ():"
        yield "    if company not in companies:"
        yield "        check_company(company)"
    else:
        yield f"company = {company}"
        yield "if company and company not in companies:"
        yield "    check_company(company)"


def _is_partial(model: Model, wires: Mapping[str, str]) -> str:
    """An expression: whether a row with a key lacks a field that a creation requires."""
    # A row with a key has a field of a group that holds all keys.
    groups = [group for group in model.upsert_needs if not set(model.match) <= set(group)]
    lacks = [_lacks_all(model, group) for group in groups]
    return " or ".join([*lacks, *(f"({_lacks_other(wires, *one)})" for one in model.needs_with)]) or "False"


def _lines_for_missing(model: Model, needs: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Lines that refuse a row without any field of a group, or without one that another field requires."""
    wires = {name: field.wire for name, field in fields_of(model.record).items()}
    for group in needs:
        yield f"if {_lacks_all(model, group)}:"
        yield f"    raise ValueError({f'{in_alternatives(group)} is required'!r})"
    for name, value, other in model.needs_with:
        yield f"if {_lacks_other(wires, name, value, other)}:"
        yield f"    raise ValueError({f'{other} is required where {name} is {value!r}'!r})"


def _lacks_all(model: Model, group: Iterable[str]) -> str:
    """An expression: whether a row has no field of a group."""
    return f"not ({' or '.join(_has_value(model, name) for name in group)})"


def _has_value(model: Model, name: str) -> str:
    """An expression: whether a row has a value of a field. A blank text is not a value; 0 is one, such as a score."""
    wire = wire_path(model.record, name)
    field = spellings_of(model.record).get(wire)
    if field is not None and field.type in NEVER_BLANK:
        return f"row.get({wire!r}) is not None"
    if field is not None and field.holds_addresses:
        return f"row.get({wire!r})"  # blank ones were refused, but empty ones
    if field is not None and field.type is str:
        return f"((value := row.get({wire!r})) and not ({IS_BLANK}))"
    return f"is_given(row.get({wire!r}))"


def is_given(value: Any) -> bool:
    """Whether a value of any type is one: neither `None`, blank nor empty, and no list of only such values."""
    if isinstance(value, str):
        return not is_blank(value)
    if isinstance(value, list):
        return any(map(is_given, value))
    return value is not None and value != {}


def _lacks_other(wires: Mapping[str, str], name: str, value: str, other: str) -> str:
    """An expression: whether a field has the value that requires another field, and that one is missing."""
    wire = wires[name]
    return f"{wire!r} in row and row[{wire!r}] == {value!r} and row.get({wires[other]!r}) is None"


def _refuse_id(model: Model, value: str) -> None:
    others = [name for name in model.match if name != "id"]
    own = f"put a key of your own in {others[0]}" if others else "leave it out to create a record"
    raise ValueError(
        f'id {_shown(value)} is not an _id (24 hex digits): {own}; extid("…") and srcid("…") are for calls'
    )


def _check_company(model: Model, known: set[str], value: str) -> None:
    keys = model.company_keys
    if not is_record_id(value) and not any(value.startswith(one) and not is_blank(value[len(one) :]) for one in keys):
        instead = [f'{one.rstrip("-")}("…")' for one in keys]
        for group in model.needs if not keys else ():
            instead += [name for name in group if model.company_field in group and name != model.company_field]
        how = f": name the company by {' or '.join(instead)}" if instead else ": Planhat documents no other key here"
        raise ValueError(f"{model.company_field} {_shown(value)} is not an _id (24 hex digits){how}")
    if len(known) >= _MAX_KNOWN_COMPANIES:
        known.clear()
    known.add(value)


def _shown(value: str) -> str:
    return repr(value if len(value) <= _MAX_SHOWN else value[: _MAX_SHOWN - 1] + "…")
