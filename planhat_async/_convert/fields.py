"""The name, type and conversion of each field of a record, and of the objects within records."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache, partial
from typing import Any, ParamSpec, TypeVar

import attrs

from planhat_async._convert.addresses import check_address
from planhat_async._convert.python_values import kind_of, own_value
from planhat_async._convert.timestamps import check_day_number, read_day, read_day_number, read_time
from planhat_async._convert.values import SCALAR_CHECKS, check_list, check_object, check_reference
from planhat_async.records import Part
from planhat_async.records.record_values import wire_name

P = ParamSpec("P")
T = TypeVar("T")

_ADDRESSES = re.compile(r"(.*_)?emails?")
_READERS: dict[Any, Callable[[Any], Any]] = {datetime: read_time, date: read_day}


def cached(function: Callable[P, T]) -> Callable[P, T]:
    """`functools.cache` for functions of classes: mypy holds a class to be unhashable if its instances are."""
    return typing.cast("Callable[P, T]", cache(function))


@attrs.frozen(kw_only=True)
class Field:
    """The name, type and conversion of one attribute of a record."""

    name: str
    wire: str
    """Planhat's name of it."""
    type: Any
    """The annotated type without `None`."""
    part: type | None
    """The class of the objects in a list of `Part`s."""
    is_writable: bool
    is_secret: bool
    """Whether its value is left out of reprs."""
    fallback: str | None
    """The field whose value is taken if this one is missing from a row."""
    read: Callable[[Any], Any] | None
    """From JSON; `None` if a value needs no conversion."""
    check: Callable[[Any], Any]
    """From a caller's value to JSON; raises TypeError or ValueError if Planhat would not understand it."""
    holds_addresses: bool
    """Whether its texts are e-mail addresses, which are checked."""


@cached
def fields_of(cls: type) -> dict[str, Field]:
    """The fields of a class by attribute name, without `extra`; `custom` comes last."""
    hints = typing.get_type_hints(cls)
    fields = {one.name: _field(one, hints[one.name]) for one in attrs.fields(cls) if one.name != "extra"}
    if "custom" in fields:
        fields["custom"] = fields.pop("custom")
    return fields


@cached
def spellings_of(cls: type) -> dict[str, Field]:
    """The fields of a class by either spelling, snake_case and Planhat's own."""
    fields = fields_of(cls)
    return fields | {field.wire: field for field in fields.values()}


def wire_path(cls: type, name: str) -> str:
    """A field as `sort` and `select` name it, from either spelling; `custom.NAME` is returned unchanged.

    Raises:
        ValueError: An unknown field.
        TypeError: The name is not a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"a field's name is text, not {kind_of(name)}")
    if name.startswith("custom."):
        if "," in name:
            raise ValueError(f"{name!r} holds a comma, which would make two names of it")
        return name
    field = spellings_of(cls).get(name)
    if field is not None:
        return field.wire
    if not getattr(cls, "HAS_OTHER_FIELDS", False) or not re.fullmatch(r"\w+", name):
        raise ValueError(unknown_field(cls, name))
    return name


def unknown_field(cls: type, name: Any, *, is_written: bool = False) -> str:
    """The message about an unknown field, with similar names if there are any.

    Args:
        cls: The class that lacks the field.
        name: The name.
        is_written: Whether the field is to be written: fields that Planhat fills in are then not named.
    """
    near = similar_fields(cls, str(name), is_written=is_written)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{cls.__name__} has no field {name!r}{hint}"


def writes_custom(cls: type) -> bool:
    """Whether custom fields of a class can be written."""
    fields = fields_of(cls)
    return "custom" in fields and fields["custom"].is_writable


def unknown_column(cls: type, name: str) -> str:
    """The message about a column of a table that is to be written, and is not a field."""
    may_be_custom = writes_custom(cls) and name.strip() and not name.startswith("custom.")
    own = f", to custom.{name} for a custom field" if may_be_custom else ""
    return f"{unknown_field(cls, name, is_written=True)} (rename the column{own}, or drop it)"


def similar_fields(cls: type, name: str, *, is_written: bool = False) -> list[str]:
    """At most three fields whose names are similar to a name in any spelling, the most similar first."""
    snake = re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()
    names = [own for own, field in fields_of(cls).items() if field.is_writable or not is_written]
    return difflib.get_close_matches(snake, names, n=3, cutoff=0.75)


def _field(attribute: attrs.Attribute[Any], hint: Any) -> Field:
    if isinstance(hint, types.UnionType):
        (hint,) = (option for option in typing.get_args(hint) if option is not type(None))
    (item, *_) = typing.get_args(hint) or (None,)
    part = item if isinstance(item, type) and issubclass(item, Part) else None
    is_day_number = attribute.metadata.get("is_day_number", False)
    holds_addresses = hint in (str, list[str]) and _ADDRESSES.fullmatch(attribute.name) is not None
    check = check_day_number if is_day_number else _check_of(hint, item, part)
    if attribute.metadata.get("holds_ids"):
        check = check_list(check_reference)
    elif holds_addresses:
        check = check_address if hint is str else check_list(check_address)
    return Field(
        name=attribute.name,
        wire=wire_name(attribute),
        type=hint,
        part=part,
        is_writable=attribute.metadata.get("writable", True),
        is_secret=attribute.repr is False,
        fallback=attribute.metadata.get("fallback"),
        read=read_day_number if is_day_number else _READERS.get(hint),
        check=check,
        holds_addresses=holds_addresses,
    )


def _check_of(hint: Any, item: Any, part: type | None) -> Callable[[Any], Any]:
    scalar_checks = {**SCALAR_CHECKS, Any: lambda value: value}
    if hint in scalar_checks:
        return scalar_checks[hint]
    if typing.get_origin(hint) is dict:
        return check_object
    return check_list(partial(_check_part, part) if part else scalar_checks.get(item, scalar_checks[Any]))


def _check_part(cls: type, value: Any) -> dict[str, Any]:
    """An object within a list as JSON: known fields are checked, others are kept."""
    if isinstance(value, cls):
        held: Any = {name: item for name in fields_of(cls) if (item := getattr(value, name)) is not None}
        held |= value.extra  # type: ignore[attr-defined]
    elif isinstance(value, Mapping):
        held = value
    else:
        raise TypeError(f"objects such as {cls.__name__}, not {kind_of(own_value(value))}")
    spelled, out = spellings_of(cls), {}
    for key, item in held.items():
        field = spelled.get(key)
        out[field.wire if field else key] = field.check(item) if field and item is not None else item
    return out
