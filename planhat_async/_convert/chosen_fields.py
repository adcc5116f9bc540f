"""The fields of a record that an export holds: decisions only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from planhat_async._convert.json import decode_json, encode_plain, excerpt, split_object
from planhat_async._convert.text import printable
from planhat_async.errors import DecodeError

_CUSTOM = "custom."


def object_in(row: bytes) -> dict[str, Any]:
    """A record's fields, by Planhat's names.

    Raises:
        DecodeError: It is not an object.
    """
    held = decode_json(row)
    if not isinstance(held, dict):
        raise _not_a_record(row)
    return held


def chosen_values(held: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """The values of these fields that a record has; `custom.NAME` names a custom field."""
    custom = held.get("custom")
    parts = custom if isinstance(custom, dict) else {}
    flat = {**held, **{f"{_CUSTOM}{name}": value for name, value in parts.items()}}
    return {name: flat[name] for name in fields if name in flat}


def chosen_json(row: bytes, fields: Iterable[str]) -> bytes:
    """The record with these fields only, in this order, their values as Planhat sent them.

    Custom fields stay in the object `custom`, which has the place of the first of them.

    Raises:
        DecodeError: It is not an object.
    """
    held = _split(row)
    custom = (split_object(held["custom"]) or {}) if "custom" in held else {}
    chosen: dict[str, bytes | dict[str, bytes]] = {}
    for name in fields:
        if not name.startswith(_CUSTOM) and name in held:
            chosen[name] = held[name]
        elif (own := name.removeprefix(_CUSTOM)) != name and own in custom:
            part = chosen.setdefault("custom", {})
            assert isinstance(part, dict)  # noqa: S101 - `custom` and a field of it are not chosen together
            part[own] = custom[own]
    return _joined({name: value if isinstance(value, bytes) else _joined(value) for name, value in chosen.items()})


def _split(row: bytes) -> dict[str, bytes]:
    # Planhat's JSON may be laid out over lines; line breaks within texts are escaped in any JSON.
    held = split_object(row if b"\n" not in row else encode_plain(decode_json(row)))
    if held is None:
        raise _not_a_record(row)
    return held


def _joined(values: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(encode_plain(name) + b":" + value for name, value in values.items()) + b"}"


def _not_a_record(row: bytes) -> DecodeError:
    return DecodeError(f"the list holds something that is not a record: {printable(excerpt(row, 20))}")
