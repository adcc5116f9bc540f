"""What Planhat needs of a row before it is worth sending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planhat_async._convert.fields import camel_case
from planhat_async.models import Record


def what_is_missing(cls: type[Record], wire: Mapping[str, Any], *, is_upsert: bool) -> str | None:
    """What a row still needs before it may be sent, in words, or `None`.

    A row without a key to match on is going to be created, so it needs what a creation needs.
    """
    creates = not is_upsert or not any(wire.get(camel_case(name)) for name in cls.KEYABLES)
    groups = cls.NEEDED_TO_UPSERT + (cls.NEEDED_TO_CREATE if creates else ())
    for group in groups:
        if not any(wire.get(camel_case(name)) for name in group):
            return f"{' or '.join(group)} is missing"
    for name, value, other in cls.NEEDED_WITH:
        if wire.get(camel_case(name)) == value and wire.get(camel_case(other)) is None:
            return f"{other} is missing: {name} is {value!r}"
    return None


def without_empty_keys(cls: type[Record], wire: dict[str, Any]) -> dict[str, Any]:
    """A written row without the keys that are `None`: they match nothing."""
    empty = {camel_case(name) for name in cls.KEYABLES if wire.get(camel_case(name), "") is None}
    return {name: value for name, value in wire.items() if name not in empty} if empty else wire


def keys_of(cls: type[Record], wire: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The keys that a bulk upsert can match a written row on, as `(wire name, value)`, in order of priority.

    Raises:
        ValueError: A key is blank.
    """
    keys = []
    for name in cls.KEYABLES:
        value = wire.get(camel_case(name))
        if value is not None:
            if not value.strip():
                raise ValueError(f"{name} must not be blank")
            keys.append((camel_case(name), value))
    return tuple(keys)
