"""What all records share."""

from __future__ import annotations

from typing import Any

import attrs


def writable(*, wire: str | None = None, is_day_number: bool = False) -> Any:
    """A field that Planhat documents for writing; `None` leaves it out.

    Args:
        wire: Planhat's name of the field, where it is not the camelCase of ours.
        is_day_number: Whether a `date` travels as whole days since 1970-01-01, and not as `YYYY-MM-DD`.
    """
    return attrs.field(default=None, metadata={"writable": True, "wire": wire, "is_day_number": is_day_number})


def read_only(*, wire: str | None = None, is_day_number: bool = False) -> Any:
    """A field that Planhat fills in; a record never sends it. Arguments as with `writable`."""
    return attrs.field(default=None, metadata={"writable": False, "wire": wire, "is_day_number": is_day_number})


@attrs.define(kw_only=True, repr=False)
class Record:
    """One record of a model.

    Every field is optional: `None` means that Planhat did not send it, and that it is left out when the record
    is written. To empty a field, pass a mapping with `None` to `update`. Times are aware.
    """

    id: str | None = writable(wire="_id")
    """Planhat's own key: 24 hex digits, the first 8 of them the time of creation."""
    custom: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": True})
    """Custom fields by name, exactly as Planhat has them; a write merges key by key."""
    extra: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": False})
    """Everything else that Planhat sent, by its names, also what a field cannot hold; never written."""

    def __repr__(self) -> str:
        """Only what is set: most of a record's fields are not."""
        return repr_of(self)


def repr_of(value: Any) -> str:
    """An attrs object with those of its attributes that are set."""
    held = ((a.name, getattr(value, a.name)) for a in attrs.fields(type(value)))
    shown = ", ".join(f"{name}={item!r}" for name, item in held if item is not None and item != {})
    return f"{type(value).__name__}({shown})"
