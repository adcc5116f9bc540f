"""Quick checks of rows by their shape: the names of a mapping's fields, or of a record's fields that are set.

Thousands of rows have the same shape. A check is generated for a shape that recurs: one expression over the values,
which says of most rows that they are sent unchanged, and what their key is. It never refuses a row. A row that does
not pass goes through the checks of `RowConverter` and `Requirements`, which say what is wrong, or convert it.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from planhat_async._convert.addresses import PLAIN_ADDRESS
from planhat_async._convert.codegen import generated_function
from planhat_async._convert.fields import Field, fields_of, spellings_of
from planhat_async._convert.json import is_plain
from planhat_async._convert.requirements import IS_BLANK, NEVER_BLANK, is_given, requirements_of
from planhat_async._convert.row_converter import row_converter, unchecked_type
from planhat_async._convert.text import is_blank
from planhat_async.records import Model
from planhat_async.records.keys import is_record_id

_MIN_SEEN = 32
"""Rows of a shape after which its check is generated, which takes about a millisecond."""
_MAX_SHAPES = 256
_MAX_CANDIDATES = 1000
_MAX_HOSTS = 5000
_MAX_LENGTH = 60
"""Of an address that passes without a regular expression; its local part has at most as many characters."""


class Kind(NamedTuple):
    """What rows of a shape have in common; rows of one kind make up a block."""

    is_keyed: bool
    is_partial: bool
    """Whether they have a key but lack a field that a creation requires."""


class Shape(NamedTuple):
    """The quick check of a shape."""

    check: Callable[[Any], Any]
    """Returns the row's key as `name=value`, "" for a row without one, or `None` if the row does not pass. With
    `makes_row` it returns the key and the row with Planhat's names, or `None`. May raise for another shape."""
    kind: Kind
    makes_row: bool
    """Whether rows are records, or mappings with a name that is not Planhat's."""


class RowShapes:
    """The shapes of one model's rows.

    Args:
        model: The model.
        passes_keyless: Whether rows without a key may pass.
    """

    def __init__(self, model: Model, *, passes_keyless: bool = True) -> None:
        self._model = model
        self._passes_keyless = passes_keyless
        self._spelled = spellings_of(model.record)
        self._hosts: set[str] = set()
        converter = row_converter(model.record, model.match)
        self._is_sendable, self._names_of_set = converter.is_sendable, converter.names_of_set
        self._n_seen: dict[tuple[Any, ...], int] = {}
        self.known: dict[tuple[Any, ...], Shape | None] = {}
        """The shapes that have recurred; `None` if no row of a shape can pass. Those of records begin with `None`."""

    def shape_of(self, row: Any) -> Shape | None:
        """The shape of a row, if it is known and rows of it can pass."""
        if type(row) is dict:
            names = tuple(row)
        elif type(row) is self._model.record:
            names = self._names_of_set(row)
        else:
            return None
        try:
            return self.known[names]
        except KeyError:
            self.note(names)
            return None

    def note(self, names: tuple[Any, ...]) -> None:
        """Note that a row of an unknown shape was seen; generate the shape's check once it has recurred."""
        if len(self.known) >= _MAX_SHAPES:
            return
        n_seen = self._n_seen.get(names, 0) + 1
        if n_seen >= _MIN_SEEN:
            self._n_seen.pop(names, None)
            self.known[names] = self._shape_of(names)
            return
        if len(self._n_seen) >= _MAX_CANDIDATES:
            self._n_seen.clear()
        self._n_seen[names] = n_seen

    def _shape_of(self, names: tuple[Any, ...]) -> Shape | None:
        is_record = names[:1] == (None,)
        names = names[is_record:]
        fields = [self._spelled.get(name) if isinstance(name, str) else None for name in names]
        # A value is looked up where the first condition on it begins: to unpack all values takes longer.
        values = {field.wire: f"v{n}" for n, field in enumerate(fields) if field is not None}
        if not names or len(values) != len(names):
            return None
        model = self._model
        wires = {name: field.wire for name, field in fields_of(model.record).items()}
        keys = [wires[name] for name in model.match if wires[name] in values]
        if len(keys) > 1 or not (keys or self._passes_keyless):
            return None
        kind = _kind_of(model, values, is_keyed=bool(keys))
        if kind is None:
            return None
        known = [field for field in fields if field is not None]
        conditions = [*_type_of_row(model, known, is_record=is_record)]
        only = [present[0] for present in _groups(model, values, is_keyed=bool(keys)) if len(present) == 1]
        for field, name in zip(known, names, strict=True):
            value = values[field.wire]
            condition = self._condition(field, value, is_key=field.wire in keys, is_only=field.wire in only)
            source = f"row.{name}" if is_record else f"row[{name!r}]"
            if is_record and field.name == "custom":
                condition = f"{value} and {condition}"  # an empty one is not set
            conditions.append(re.sub(rf"\b{value}\b", f"({value} := {source})", condition, count=1))
        conditions += _requirements(model, values, is_keyed=bool(keys))
        key = repr(f"{keys[0]}=") + f" + {values[keys[0]]}" if keys else "''"
        makes_row = is_record or any(field.wire != name for field, name in zip(known, names, strict=True))
        lines = [
            f"if {' and '.join(conditions)}:",
            f"    return {key}, made({', '.join(values.values())})" if makes_row else f"    return {key}",
            "return None",
        ]
        used = self._names(is_record=is_record) | ({"made": _struct_of(values)} if makes_row else {})
        check = generated_function(lines, used, name=f"a shape of {len(names)} fields of {model.name}")
        return Shape(check, kind, makes_row)

    def _names(self, *, is_record: bool) -> dict[str, Any]:
        """What the generated expressions use."""
        is_sendable = self._is_set_and_sendable if is_record else self._is_sendable
        return {
            "companies": requirements_of(self._model).known_companies,
            "hosts": self._hosts,
            "is_blank": is_blank,
            "is_given": is_given,
            "is_plain": is_plain,
            "is_record_id": is_record_id,
            "is_sendable": is_sendable,
            "passes_as_address": partial(self._passes_as_address, is_sendable),
            "record": self._model.record,
        }

    def _is_set_and_sendable(self, wire: str, value: Any) -> bool:
        return value is not None and self._is_sendable(wire, value)

    def _passes_as_address(self, is_sendable: Callable[[str, Any], bool], wire: str, value: Any) -> bool:
        if type(value) is str and PLAIN_ADDRESS.fullmatch(value):
            if len(self._hosts) >= _MAX_HOSTS:
                self._hosts.clear()
            self._hosts.add(value.partition("@")[2])
            return True
        return is_sendable(wire, value)

    def _condition(self, field: Field, value: str, *, is_key: bool, is_only: bool) -> str:
        """An expression: whether a field's value is sent unchanged.

        Args:
            field: The field.
            value: The name of the value.
            is_key: Whether rows are matched on it.
            is_only: Whether a list must have a value, as the only field of a group that the shape has.
        """
        wire, expected = field.wire, unchecked_type(field)
        if is_key:
            return f"type({value}) is str and not ({IS_BLANK.replace('value', value)})" + (
                f" and is_record_id({value})" if wire == "_id" else ""
            )
        otherwise = f"is_sendable({wire!r}, {value})"
        if expected is not None:
            return f"(type({value}) is {expected.__name__} or {otherwise})"
        if field.holds_addresses and field.type is str:
            # Letters, digits and points at a host that was seen before: less time than a regular expression takes.
            host = f"(halves := {value}.partition('@'))[2] in hosts and len({value}) <= {_MAX_LENGTH}"
            is_name = "(halves[0].isalnum() or halves[0].replace('.', '').isalnum())"
            return f"(type({value}) is str and {host} and {is_name} or passes_as_address({wire!r}, {value}))"
        if _is_list_of_texts(field):
            is_one = f"type({value}) is list and len({value}) == 1 and type({value}[0]) is str"
            if is_only:
                return f"({is_one} and '0' <= {value}[0] < '\\x7f' or {otherwise} and is_given({value}))"
            return f"({is_one} or {otherwise})"
        return f"(is_plain({value}) or {otherwise})" if field.name == "custom" else otherwise


def _type_of_row(model: Model, fields: Collection[Field], *, is_record: bool) -> Iterator[str]:
    """Expressions: whether a row is a mapping with as many fields, or a record in which these fields are set."""
    if not is_record:
        yield "type(row) is dict"
        yield f"len(row) == {len(fields)}"
        return
    yield "type(row) is record"
    for field in fields_of(model.record).values():
        if field.is_writable and field not in fields:
            yield f"not row.{field.name}" if field.name == "custom" else f"row.{field.name} is None"


def _struct_of(wires: Iterable[str]) -> type[msgspec.Struct]:
    """A class of rows with these fields in this order: it is made and encoded faster than a dict."""
    fields = [(f"v{n}", Any, msgspec.field(name=wire)) for n, wire in enumerate(wires)]
    return msgspec.defstruct("Row", fields, gc=False)


def _is_list_of_texts(field: Field) -> bool:
    return bool(field.type == list[str]) and not field.holds_addresses


def _kind_of(model: Model, values: Mapping[str, str], *, is_keyed: bool) -> Kind | None:
    """The kind of a shape's rows; `None` if none of them can pass."""
    lacks_group = any(not present for present in _groups(model, values, is_keyed=is_keyed))
    if is_keyed:
        return Kind(is_keyed=True, is_partial=lacks_group)
    wires = {name: field.wire for name, field in fields_of(model.record).items()}
    lacks_default = any(wires.get(name, name) not in values for name in model.creation_defaults)
    return None if lacks_group or lacks_default else Kind(is_keyed=False, is_partial=False)


def _groups(model: Model, values: Mapping[str, str], *, is_keyed: bool) -> Iterator[list[str]]:
    """Of each group of fields that a creation requires one of, those in a shape."""
    spelled = spellings_of(model.record)
    for group in model.upsert_needs:
        if not (is_keyed and set(model.match) <= set(group)):
            yield [spelled[name].wire for name in group if name in spelled and spelled[name].wire in values]


def _requirements(model: Model, values: Mapping[str, str], *, is_keyed: bool) -> Iterator[str]:
    """Expressions: whether a row has the fields that a creation requires, and a company known to be valid."""
    spelled = spellings_of(model.record)
    for present in _groups(model, values, is_keyed=is_keyed):
        is_checked = len(present) == 1 and _is_list_of_texts(spelled[present[0]])
        if present and not is_checked:
            yield f"({' or '.join(_has_value(spelled[wire], values[wire]) for wire in present)})"
    for name, required, other in model.needs_with:
        value, needed = values.get(spelled[name].wire), values.get(spelled[other].wire)
        if value is not None:
            yield f"({value} != {required!r}{'' if needed is None else f' or {needed} is not None'})"
    company = None if model.company_field is None else spelled[model.company_field]
    if company is not None and (value := values.get(company.wire)) is not None:
        is_list = typing.get_origin(company.type) is list
        yield f"(not {value} or {f'companies.issuperset({value})' if is_list else f'{value} in companies'})"
    if not is_keyed:
        yield from _defaults(values, (spelled[name].wire for name in model.creation_defaults))


def _defaults(values: Mapping[str, str], wires: Iterable[str]) -> Iterator[str]:
    """Expressions: whether the fields that a creation fills in have a value."""
    for wire in wires:
        yield values[wire]


def _has_value(field: Field, value: str) -> str:
    """An expression: whether a value that is sent unchanged is one."""
    if field.type in NEVER_BLANK:
        return f"{value} is not None"
    if field.holds_addresses:
        return value
    if field.type is str:
        return f"({value} and not ({IS_BLANK.replace('value', value)}))"
    if field.type == list[str]:
        return f"({value} and type({value}[0]) is str and '0' <= {value}[0] < '\\x7f' or is_given({value}))"
    return f"is_given({value})"
