"""Records from rows.

Taking the fields of a row out of a dict costs twice as much as the record itself. So a row is parsed into a struct
with its class's fields, and the record is filled from that. Only an unusual row, such as one with an invalid time,
is decoded to a dict, where each field is converted on its own.

A field that Planhat does not document is unusual the first time that a row has it; after that the structs of the
whole process have it too. Beyond `_MAX_LEARNED` such fields, each row with another one is parsed twice.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

import cattrs
import msgspec

from planhat_async._convert.codegen import generated_function
from planhat_async._convert.fields import Field, cached, fields_of
from planhat_async._convert.json import decode_json, row_id
from planhat_async._convert.python_values import kind_of
from planhat_async.errors import DecodeError
from planhat_async.records import Part, Record

R = TypeVar("R", bound=Record)

_MAX_LEARNED = 200
"""Undocumented fields that the struct of a class may have: a server that names them after its data must not fill
memory."""
_ROWS_BETWEEN = 32
"""Unusual rows before a second struct is made, twice as many before a third: each takes up to a millisecond."""
_REFUSED = re.compile(r'["\\\x00-\x1f]')
"""Characters that JSON escapes: no field of a struct can be decoded from a name with one."""

_Time = Annotated[datetime, msgspec.Meta(tz=True)] | None
_Day = str | int | None


def decode_record(cls: type[R], row: bytes, *, position: int | None = None) -> R:
    """The record in a row's bytes.

    Raises:
        DecodeError: The row cannot be read; the error carries the row's `_id` and position.
    """
    reader = _reader_of(cls)
    try:
        record: R = reader.read(row)
    except (ValueError, RecursionError):
        record = _decode_unusual(cls, row, position)
        reader.learn(record)
    return record


def decode_records(
    cls: type[R], rows: Sequence[bytes], *, position: int, on_bad: Callable[[DecodeError], object]
) -> Iterator[R]:
    """As `decode_record`, of each row, as it is asked for.

    Args:
        cls: The class of the records.
        rows: The rows.
        position: The position of the first one.
        on_bad: Called with the error of a row that cannot be read; the rows after it are read.
    """
    reader, n_read = _reader_of(cls), 0
    while n_read < len(rows):
        try:
            for record in reader.read_each(rows[n_read:]):
                yield record
                n_read += 1
        except (ValueError, TypeError, RecursionError):
            try:
                record = _decode_unusual(cls, rows[n_read], position + n_read)
            except DecodeError as error:
                on_bad(error)
            else:
                reader.learn(record)
                yield record
            n_read += 1


def _decode_unusual(cls: type[R], row: bytes, position: int | None) -> R:
    try:
        return converter.structure(decode_json(row), cls)
    except (DecodeError, TypeError) as error:
        key = row_id(row)
        named = "" if key is None else f" {key}"
        where = "" if position is None else f" at position {position}"
        message = f"{cls.__name__}{named}{where} cannot be read: {error}"
        raise DecodeError(message, id=key, position=position) from error


class RowReader:
    """Reads rows of one class, and learns which undocumented fields they have."""

    def __init__(self, cls: type) -> None:
        self._cls = cls
        self._n_adapted = self._n_unusual = 0
        self._adapt(dict.fromkeys((cls, *_parts_within(cls)), ()))

    def read(self, row: bytes) -> Any:
        """The record in a row's bytes; raises ValueError or RecursionError if the row is unusual."""
        decode, fill = self._decode_fill  # together: another thread may learn meanwhile
        try:
            return fill(decode(row))
        except TypeError as error:  # a day of another type
            raise ValueError(str(error)) from None

    def read_each(self, rows: Iterable[bytes]) -> Iterator[Any]:
        """As `read`, of each row; also raises TypeError."""
        decode, fill = self._decode_fill
        return map(fill, map(decode, rows))

    def learn(self, record: Any) -> None:
        """Expect the undocumented fields of an unusual row's record in the next ones."""
        self._n_unusual += 1
        if self._n_unusual <= _ROWS_BETWEEN * (self._n_adapted - 1):
            return
        found = self._learned.copy()
        lists = (getattr(record, field.name) or () for field in fields_of(self._cls).values() if field.part)
        for one in (record, *itertools.chain.from_iterable(lists)):
            cls = type(one)
            known = {field.wire for field in fields_of(cls).values()}.union(found[cls])
            new = [name for name in one.extra if name not in known and not _REFUSED.search(name)]
            found[cls] = (*found[cls], *new)[:_MAX_LEARNED]
        if found != self._learned:
            self._adapt(found)

    def _adapt(self, learned: dict[type, tuple[str, ...]]) -> None:
        decode = msgspec.json.Decoder(_struct(self._cls, learned)).decode
        self._decode_fill = decode, _filler(self._cls, learned)
        self._learned = learned
        self._n_adapted, self._n_unusual = self._n_adapted + 1, 0


def _parts_within(cls: type) -> Iterator[type]:
    """The classes of the objects in lists of a class's records, and of the objects within those."""
    for field in fields_of(cls).values():
        if field.part is not None:
            yield field.part
            yield from _parts_within(field.part)


def _struct(cls: type, learned: dict[type, tuple[str, ...]]) -> type[msgspec.Struct]:
    """A struct with the fields of `cls` in their order, then those that were learned."""

    def type_of(field: Field) -> Any:
        if field.part is not None:
            return list[_struct(field.part, learned)] | None  # type: ignore[misc]
        return _Time if field.type is datetime else _Day if field.type is date else Any

    known = [(one.name, type_of(one), msgspec.field(name=one.wire, default=None)) for one in fields_of(cls).values()]
    others = [
        (f"other_{n}", Any, msgspec.field(name=wire, default=msgspec.UNSET)) for n, wire in enumerate(learned[cls])
    ]
    # Nothing holds a struct for longer than its record takes: the garbage collector need not look at it.
    return msgspec.defstruct(cls.__name__, [*known, *others], forbid_unknown_fields=True, gc=False)


def _filler(cls: type, learned: dict[type, tuple[str, ...]]) -> Callable[[Any], Any]:
    """A function from a struct to the record."""
    fields = fields_of(cls).values()
    names: dict[str, Any] = {
        "new": object.__new__,
        "made_of": cls,
        "values_of": msgspec.structs.astuple,
        "unset": msgspec.UNSET,
        "wires": learned[cls],
    }
    places = "".join(f"made.{field.name}, " for field in fields)
    lines = ["made = new(made_of)", f"{places}{'*others' if learned[cls] else ''} = values_of(row)"]
    others = "{wire: value for wire, value in zip(wires, others) if value is not unset}" if learned[cls] else "{}"
    lines.append(f"made.extra = {others}")
    for field in fields:
        if field.part is not None:
            names[f"fill_{field.name}"] = _filler(field.part, learned)
            lines.append(f"if made.{field.name}: made.{field.name} = [*map(fill_{field.name}, made.{field.name})]")
        elif field.type is date:
            names[f"read_{field.name}"] = field.read
            lines.append(f"if made.{field.name} is not None: made.{field.name} = read_{field.name}(made.{field.name})")
    lines += [f"if made.{one.name} is None: made.{one.name} = made.{one.fallback}" for one in fields if one.fallback]
    if "custom" in fields_of(cls):
        lines.append("if made.custom is None: made.custom = {}")
    return generated_function([*lines, "return made"], names, name=f"{cls.__name__} from a struct")


_reader_of = cached(RowReader)


def _is_ours(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, Record | Part)


def _structure_hook(cls: type) -> Callable[[Any, Any], Any]:
    """A cattrs hook from a dict to `cls`: unknown keys and values that a field cannot hold are kept in `extra`.

    The hooks that cattrs generates drop unknown keys, and turn `None` into the text "None".
    """
    fields = [
        (field.name, field.wire, partial(_read_parts, field.part) if field.part else field.read)
        for field in fields_of(cls).values()
    ]

    fallbacks = [(field.name, field.fallback) for field in fields_of(cls).values() if field.fallback is not None]

    def structure(row: Any, _: Any) -> Any:
        if type(row) is not dict:
            raise TypeError(f"it has to be an object, not {kind_of(row)}")
        made = cls()
        made.extra = extra = row.copy()
        for name, wire, read in fields:
            value = extra.pop(wire, None)
            if value is None:
                continue
            try:
                setattr(made, name, value if read is None else read(value))
            except (TypeError, ValueError, OverflowError):
                extra[wire] = value
        for name, other in fallbacks:
            if getattr(made, name) is None:
                setattr(made, name, getattr(made, other))
        return made

    return structure


def _read_parts(part: type, value: Any) -> list[Any]:
    if type(value) is not list:
        raise TypeError(f"a list, not {kind_of(value)}")
    return [converter.structure(item, part) for item in value]


converter = cattrs.Converter()
converter.register_structure_hook_factory(_is_ours, _structure_hook)
