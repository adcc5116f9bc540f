"""Records, and the objects in their lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import attrs

from planhat_async.records.record_values import DataclassFields, as_json, held_values


def writable(
    *, wire: str | None = None, is_day_number: bool = False, holds_ids: bool = False, fallback: str | None = None
) -> Any:
    """A field that Planhat documents for writing; `None` is not sent.

    Args:
        wire: Planhat's name of the field, if it is not the attribute's name in camelCase.
        is_day_number: Send a `date` as the number of days since 1970-01-01, not as `YYYY-MM-DD`.
        holds_ids: Send a list of `_id`s as a list of objects, `[{"_id": …}]`; Planhat returns the ids.
        fallback: The attribute whose value is taken if Planhat does not send this field.
    """
    metadata = {
        "writable": True,
        "wire": wire,
        "is_day_number": is_day_number,
        "holds_ids": holds_ids,
        "fallback": fallback,
    }
    return attrs.field(default=None, metadata=metadata)


def read_only(*, wire: str | None = None, is_day_number: bool = False, is_secret: bool = False) -> Any:
    """A field that Planhat fills in; it is never sent with a record.

    Args:
        wire: As for `writable`.
        is_day_number: As for `writable`.
        is_secret: Leave its value out of reprs.
    """
    metadata = {"writable": False, "wire": wire, "is_day_number": is_day_number}
    return attrs.field(default=None, metadata=metadata, repr=not is_secret)


class ShortRepr:
    """Leaves fields that are not set out of an attrs object's repr: most of a record's fields are not."""

    __slots__ = ()

    def __repr__(self) -> str:
        held = ((a, getattr(self, a.name)) for a in attrs.fields(type(self)))  # type: ignore[arg-type]
        set_ = ((a, value) for a, value in held if value is not None and value != {})
        shown = ", ".join(f"{a.name}={value!r}" if a.repr else f"{a.name}=..." for a, value in set_)
        return f"{type(self).__name__}({shown})"


@attrs.define(kw_only=True, repr=False)
class Record(ShortRepr):
    """One record of a model.

    Every field is optional: `None` means that Planhat did not send it, and it is not sent when the record is
    written. To empty a field, pass a mapping with `None` to `update`. Times are aware.
    """

    __dataclass_fields__: ClassVar[Any] = DataclassFields()

    HAS_OTHER_FIELDS: ClassVar[bool] = False
    """Whether it may have fields that the class does not know."""

    id: str | None = writable(wire="_id")
    """Planhat's own key: 24 hex digits, the first 8 of them the time of creation."""
    custom: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": True})
    """Custom fields by name, exactly as Planhat stores them; a write merges key by key."""
    extra: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": False})
    """Other fields that Planhat sent, by its names, and values that a field cannot hold; never written."""

    def to_dict(self, *, planhat_names: bool = False) -> dict[str, Any]:
        """The fields that are set, objects within them as dicts; API tokens are left out.

        Args:
            planhat_names: Use Planhat's names, with the fields of `extra` beside the others. By default the names are
                those of the attributes.
        """
        return held_values(self, planhat_names=planhat_names)

    def to_json(self, *, planhat_names: bool = False) -> str:
        """`to_dict` as JSON: times in UTC with milliseconds, days as `YYYY-MM-DD`.

        Args:
            planhat_names: As with `to_dict`.

        Raises:
            TypeError: A value that you set has no form in JSON.
        """
        return as_json(held_values(self, planhat_names=planhat_names))


@attrs.define(kw_only=True, repr=False)
class Part(ShortRepr):
    """An object within a record."""

    __dataclass_fields__: ClassVar[Any] = DataclassFields()

    extra: dict[str, Any] = attrs.field(factory=dict)
    """Other fields of the object, by Planhat's names."""


@attrs.define(kw_only=True, repr=False)
class Person(Part):
    """A user or an end user of a record."""

    id: str | None = attrs.field(default=None, metadata={"wire": "id"})
    """Planhat's key of the user or end user."""
    name: str | None = None
    """The name to show."""
    is_owner: bool | None = None
    """Whether this user owns the record; not given for end users."""


@attrs.define(kw_only=True, repr=False)
class ChecklistItem(Part):
    """A step of a task's checklist."""

    title: str | None = None
    """The text of the step."""


@attrs.define(kw_only=True, repr=False)
class StatusChange(Part):
    """A status of a ticket, and when it began."""

    status: str | None = None
    """The status."""
    time: datetime | None = None
    """When the ticket got it."""
