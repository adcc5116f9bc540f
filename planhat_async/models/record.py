"""What all records share."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs


def writable(doc: str) -> Any:
    """A field that Planhat documents for writing; `None` leaves it out."""
    return attrs.field(default=None, metadata={"doc": doc, "writable": True})


def read_only(doc: str) -> Any:
    """A field that Planhat fills in; a record never sends it."""
    return attrs.field(default=None, metadata={"doc": doc, "writable": False})


@attrs.define(kw_only=True, repr=False)
class Record:
    """A record of Planhat's.

    Every field is optional: `None` means that Planhat did not send it, and that it is left out when the record
    is written. To empty a field, pass a mapping with `None` to `update`. Times are aware.
    """

    KEYABLES: ClassVar[tuple[str, ...]]
    """The fields that a bulk upsert matches on, in Planhat's order of priority."""

    NEEDED_TO_CREATE: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """What Planhat needs to create a record; any one name of each group will do.

    A row with a keyable may update a record that exists, so only a row without one must have it.
    """

    NEEDED_WITH: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    """`(field, value, other)`: where a created record's `field` has that value, `other` is needed."""

    COMPANY_KEYS: ClassVar[str] = 'extid("…") or srcid("…")'
    """What names a company in place of its `_id`."""

    id: str | None = writable("Planhat's own key: 24 hex digits, the first 8 of them the time of creation.")
    custom: dict[str, Any] = attrs.field(
        factory=dict,
        metadata={
            "doc": "Custom fields by name, exactly as Planhat has them; a write merges key by key.",
            "writable": True,
        },
    )
    extra: dict[str, Any] = attrs.field(
        factory=dict,
        metadata={
            "doc": "Whatever else Planhat sent, by its names, also what a field cannot hold; never written.",
            "writable": False,
        },
    )

    def __repr__(self) -> str:
        """Only what is set: most of a record's fields are not."""
        held = ((a.name, getattr(self, a.name)) for a in attrs.fields(type(self)))
        shown = ", ".join(f"{name}={value!r}" for name, value in held if value is not None and value != {})
        return f"{type(self).__name__}({shown})"
