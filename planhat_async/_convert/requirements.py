"""What Planhat needs of a row before it is worth sending."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import attrs

from planhat_async._convert.fields import fields_of
from planhat_async._convert.generating import generate
from planhat_async.records import Model


@attrs.frozen
class Requirements:
    """What rows of one model need."""

    check_upsert: Callable[[dict[str, Any]], tuple[str, ...]]
    """The keys that a written row of a bulk upsert can be matched on, as `name=value`, in order of priority.

    Keys that are `None` are taken out of the row: they match nothing. A ValueError says what is missing, or blank; a
    row without a key needs what a creation needs.
    """
    missing_to_create: Callable[[Mapping[str, Any]], str | None]
    """What a row still needs to be created, in words, or `None`."""


@cache
def requirements_of(model: Model) -> Requirements:
    """What rows of this model need, by functions that are generated once: every row passes through them."""
    wires = {name: field.wire for name, field in fields_of(model.record).items()}
    return Requirements(
        check_upsert=generate(_lines_for_upsert(model, wires), name=f"check_upsert of {model.name}"),
        missing_to_create=generate(
            [*_lines_for_missing(model, wires, "return {}"), "return None"], name=f"missing_to_create of {model.name}"
        ),
    )


def _lines_for_upsert(model: Model, wires: Mapping[str, str]) -> Iterator[str]:
    yield "keys = ()"
    for name in model.match:
        wire = wires[name]
        yield f"if {wire!r} in row:"
        yield f"    value = row[{wire!r}]"
        yield "    if value is None:"
        yield f"        del row[{wire!r}]"
        yield "    elif not value or value.isspace():"
        yield f"        raise ValueError({f'{name} must not be blank'!r})"
        yield "    else:"
        yield f"        keys += ({f'{wire}='!r} + value,)"
    yield "if not keys:"
    yield from (f"    {line}" for line in _lines_for_missing(model, wires, "raise ValueError({})"))
    yield "    pass"
    yield "return keys"


def _lines_for_missing(model: Model, wires: Mapping[str, str], refusal: str) -> Iterator[str]:
    """Lines that refuse a row in which no field of a group is there, or one that another needs."""
    for group in model.needs:
        yield f"if not ({' or '.join(f'row.get({wires[name]!r})' for name in group)}):"
        yield "    " + refusal.format(repr(_missing(group)))
    for name, value, other in model.needs_with:
        yield f"if row.get({wires[name]!r}) == {value!r} and row.get({wires[other]!r}) is None:"
        yield "    " + refusal.format(repr(f"{other} is required where {name} is {value!r}"))


def _missing(group: tuple[str, ...]) -> str:
    """What to say of a group of which no field is there."""
    if len(group) == 1:
        return f"{group[0]} is required"
    return f"one of {', '.join(group[:-1])} or {group[-1]} is required"
