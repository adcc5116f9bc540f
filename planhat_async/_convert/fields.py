"""How each attribute of a record, and of the small objects in it, travels."""

from __future__ import annotations

import difflib
import functools
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any

import attrs

from planhat_async._convert.values import (
    SCALAR_CHECKS,
    check_day,
    check_day_number,
    check_list,
    check_scalar,
    check_time,
    day_number,
    kind_of,
    read_day,
    read_day_number,
    read_time,
    write_time,
)
from planhat_async.records import Part


def camel_case(name: str) -> str:
    """A field's name in Planhat's usual spelling."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


@attrs.frozen
class Field:
    """How one attribute of a record travels."""

    name: str
    wire: str
    type: Any
    is_writable: bool
    read: Callable[[Any], Any] | None
    """From the wire; `None` where a value passes as it came."""
    unread: Callable[[Any], Any] | None
    """Back to the wire, whatever it is; `None` where a value passes as it is."""
    check: Callable[[Any], Any]
    """From a caller's value to the wire; raises where Planhat would not understand it."""


_known: dict[type, dict[str, Field]] = {}
_known_spellings: dict[type, dict[str, Field]] = {}


def fields_of(cls: type) -> dict[str, Field]:
    """A class's fields by attribute name, `extra` left out; `custom` comes last."""
    if cls not in _known:
        _known[cls] = _describe(cls)
    return _known[cls]


def wire_path(cls: type, name: str) -> str:
    """A field as `sort` and `select` name it, from either spelling; `custom.NAME` passes as it is.

    Raises:
        ValueError: An unknown field.
    """
    if not isinstance(name, str):
        raise TypeError(f"a field's name is text, not {kind_of(name)}")
    if name.startswith("custom."):
        if "," in name:
            raise ValueError(f"{name!r} holds a comma, which would make two names of it")
        return name
    field = spellings_of(cls).get(name)
    if field is None:
        raise ValueError(unknown_field(cls, name))
    return field.wire


def unknown_field(cls: type, name: Any) -> str:
    """The message about an unknown field, with the nearest names if any is near."""
    snake = re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name))).lower()
    near = difflib.get_close_matches(snake, fields_of(cls), n=3, cutoff=0.75)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{cls.__name__} has no field {name!r}{hint}"


def spellings_of(cls: type) -> dict[str, Field]:
    """A class's fields by either spelling, snake_case and Planhat's own."""
    if cls not in _known_spellings:
        by_name = fields_of(cls)
        _known_spellings[cls] = by_name | {field.wire: field for field in by_name.values()}
    return _known_spellings[cls]


def _describe(cls: type) -> dict[str, Field]:
    hints = typing.get_type_hints(cls)
    found = {}
    for attribute in attrs.fields(cls):
        if attribute.name == "extra":
            continue
        inner = _without_none(hints[attribute.name])
        read, unread, check = _travel(inner, is_day_number=attribute.metadata.get("is_day_number", False))
        found[attribute.name] = Field(
            name=attribute.name,
            wire=attribute.metadata.get("wire") or camel_case(attribute.name),
            type=inner,
            is_writable=attribute.metadata.get("writable", True),
            read=read,
            unread=unread,
            check=check,
        )
    if "custom" in found:
        found["custom"] = found.pop("custom")  # last, where a reader looks for what is not Planhat's own
    return found


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        (hint,) = (option for option in typing.get_args(hint) if option is not type(None))
    return hint


def part_in(hint: Any) -> type | None:
    """The class of the objects in a list, where a type is a list of objects that have one."""
    (item, *_) = typing.get_args(hint) or (None,)
    return item if isinstance(item, type) and issubclass(item, Part) else None


_Travel = tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None, Callable[[Any], Any]]
"""How a value is read, turned back and checked; see `Field`."""


def _travel(inner: Any, *, is_day_number: bool) -> _Travel:
    """How a value of this type travels."""
    if inner is date and is_day_number:
        return read_day_number, _write_day_number, check_day_number
    if inner in _SPECIAL:
        return _SPECIAL[inner]
    if inner in SCALAR_CHECKS:
        return None, None, SCALAR_CHECKS[inner]
    if typing.get_origin(inner) is dict:
        return None, None, check_scalar(dict, called="an object")
    if part := part_in(inner):
        read = functools.partial(_read_parts, consumer(part))
        return read, functools.partial(_unread_parts, part), check_list(functools.partial(_check_part, part))
    (item,) = typing.get_args(inner)
    return None, None, check_list(SCALAR_CHECKS.get(item, _as_it_is))


def _write_time_or_text(value: Any) -> Any:
    return write_time(value) if isinstance(value, datetime) else value


def _write_day(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _write_day_number(value: Any) -> Any:
    return day_number(value) if isinstance(value, date) else value


def _as_it_is(value: Any) -> Any:
    return value


_SPECIAL: dict[Any, _Travel] = {
    Any: (None, None, _as_it_is),
    datetime: (read_time, _write_time_or_text, check_time),
    date: (read_day, _write_day, check_day),
}


def consumer(cls: type) -> Callable[..., Any]:
    """A function from a dict of the wire to `cls`. It consumes the dict: the rest of it becomes `extra`.

    What cannot be an attribute stays there: cattrs' own hooks drop unknown keys, and turn `None` into the text
    "None". Its second argument is there for cattrs.
    """
    fields = fields_of(cls).values()

    def consume(row: dict[str, Any], _: Any = None) -> Any:
        made = cls()
        made.extra = row
        for field in fields:
            value = row.pop(field.wire, None)
            if value is None:
                continue  # as `cls` has it
            try:
                setattr(made, field.name, value if field.read is None else field.read(value))
            except (TypeError, ValueError, OverflowError):
                row[field.wire] = value
        return made

    return consume


def _read_parts(consume: Callable[..., Any], value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError(f"a list, not {kind_of(value)}")
    for item in value:  # before any is consumed: where one cannot be read, all of them stay as they are
        if type(item) is not dict:
            raise TypeError(f"an object, not {kind_of(item)}")
    return [consume(item) for item in value]


def unstructure(value: Any) -> dict[str, Any]:
    """Everything the object holds, as the wire has it."""
    out: dict[str, Any] = {}
    for field in fields_of(type(value)).values():
        item = getattr(value, field.name)
        if item is not None and (item or field.name != "custom"):
            out[field.wire] = item if field.unread is None else field.unread(item)
    out.update(value.extra)
    return out


def _unread_parts(cls: type, value: Iterable[Any]) -> list[Any]:
    return [unstructure(item) if isinstance(item, cls) else item for item in value]


def _check_part(cls: type, value: Any) -> dict[str, Any]:
    """An object within a list, with what is known of it checked, and whatever else it holds."""
    known = fields_of(cls)
    if isinstance(value, cls):
        held: Any = {name: item for name in known if (item := getattr(value, name)) is not None} | value.extra  # type: ignore[attr-defined]
    elif isinstance(value, Mapping):
        held = value
    else:
        raise TypeError(f"objects such as {cls.__name__}, not {kind_of(value)}")
    spelled = spellings_of(cls)
    return {
        spelled[key].wire if key in spelled else key: spelled[key].check(item)
        if key in spelled and item is not None
        else item
        for key, item in held.items()
    }
