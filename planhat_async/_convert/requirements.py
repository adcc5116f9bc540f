"""What Planhat needs of a row before it is worth sending."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from planhat_async._convert.fields import camel_case
from planhat_async._convert.generating import generate
from planhat_async.models import Record


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


_known: dict[type, Requirements] = {}


def requirements_of(cls: type[Record]) -> Requirements:
    """What rows of this model need, by functions that are generated once: every row passes through them."""
    if cls not in _known:
        everything = cls.NEEDED_TO_UPSERT + cls.NEEDED_TO_CREATE
        _known[cls] = Requirements(
            check_upsert=generate(_lines_for_upsert(cls)),
            missing_to_create=generate([*_lines_for_missing(cls, everything, "return {}"), "return None"]),
        )
    return _known[cls]


def _lines_for_upsert(cls: type[Record]) -> Iterator[str]:
    yield "keys = ()"
    for name in cls.KEYABLES:
        wire = camel_case(name)
        yield f"if {wire!r} in row:"
        yield f"    value = row[{wire!r}]"
        yield "    if value is None:"
        yield f"        del row[{wire!r}]"
        yield "    elif not value or value.isspace():"
        yield f"        raise ValueError({f'{name} must not be blank'!r})"
        yield "    else:"
        yield f"        keys += ({f'{wire}='!r} + value,)"
    refusal = "raise ValueError({})"
    yield from _lines_for_missing(cls, cls.NEEDED_TO_UPSERT, refusal)
    yield "if not keys:"
    yield from (f"    {line}" for line in _lines_for_missing(cls, cls.NEEDED_TO_CREATE, refusal))
    yield "    pass"
    yield "return keys"


def _lines_for_missing(cls: type[Record], groups: tuple[tuple[str, ...], ...], refusal: str) -> Iterator[str]:
    """Lines that refuse a row in which no field of a group is there, or one that another needs."""
    for group in groups:
        said = " or ".join(group)
        yield f"if not ({' or '.join(f'row.get({camel_case(name)!r})' for name in group)}):"
        yield "    " + refusal.format(repr(f"{said} is missing"))
    for name, value, other in cls.NEEDED_WITH:
        yield f"if row.get({camel_case(name)!r}) == {value!r} and row.get({camel_case(other)!r}) is None:"
        yield "    " + refusal.format(repr(f"{other} is missing: {name} is {value!r}"))
