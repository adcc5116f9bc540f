"""What Planhat needs of a row before it is worth sending."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from planhat_async._convert.fields import camel_case
from planhat_async.models import Record


@attrs.frozen
class Requirements:
    """What rows of one model need."""

    keys_of: Callable[[dict[str, Any]], tuple[str, ...]]
    """The keys that a written row can be matched on, as `name=value`, in order of priority.

    Keys that are `None` are taken out of the row: they match nothing. A blank key is a ValueError.
    """
    missing_to_update: Callable[[Mapping[str, Any]], str | None]
    """What a row with a key still needs before it may be sent, in words, or `None`."""
    missing_to_create: Callable[[Mapping[str, Any]], str | None]
    """The same of a row that is going to be created, as one without a key is."""


_known: dict[type, Requirements] = {}


def requirements_of(cls: type[Record]) -> Requirements:
    """What rows of this model need, by functions that are generated once: every row passes through them."""
    if cls not in _known:
        _known[cls] = Requirements(
            keys_of=_generate(_lines_for_keys(cls)),
            missing_to_update=_generate(_lines_for_missing(cls, cls.NEEDED_TO_UPSERT)),
            missing_to_create=_generate(_lines_for_missing(cls, cls.NEEDED_TO_UPSERT + cls.NEEDED_TO_CREATE)),
        )
    return _known[cls]


def _lines_for_keys(cls: type[Record]) -> Iterator[str]:
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
    yield "return keys"


def _lines_for_missing(cls: type[Record], groups: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    yield "get = row.get"
    for group in groups:
        yield f"if not ({' or '.join(f'get({camel_case(name)!r})' for name in group)}):"
        said = " or ".join(group)
        yield f"    return {f'{said} is missing'!r}"
    for name, value, other in cls.NEEDED_WITH:
        yield f"if get({camel_case(name)!r}) == {value!r} and get({camel_case(other)!r}) is None:"
        yield f"    return {f'{other} is missing: {name} is {value!r}'!r}"
    yield "return None"


def _generate(lines: Iterable[str]) -> Callable[[Any], Any]:
    source = "\n".join(["def check(row):", *(f"    {line}" for line in lines)])
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102 - it holds nothing but this package's own names
    check: Callable[[Any], Any] = namespace["check"]
    return check
