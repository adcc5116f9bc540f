"""Which field a column is for: by its own name, a similar one, a usual one, or its values. Decisions only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import attrs

from planhat_async._convert import fields_of, similar_fields
from planhat_async._convert.fields import cached
from planhat_async.jobs.mapping.column_sample import ColumnSample
from planhat_async.jobs.mapping.column_synonyms import names_a_company, synonyms_of
from planhat_async.jobs.mapping.value_kinds import ValueKind
from planhat_async.jobs.mapping.value_proposal import misfit
from planhat_async.records import Model, Record
from planhat_async.records.documentation import documentation_of

_SEPARATORS = re.compile(r"[\s_-]+")
_MARKS = re.compile(r"[\W_]+")
_UNIT = re.compile(r"\s*\([^()]*\)\s*$")
"""A remark at the end of a column's name, such as a unit."""
_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_QUOTED = re.compile(r"`([^`]+)`")
_MAX_DOCUMENTED = 20
_NAMED_ID = ("source_id", "external_id")


@attrs.frozen
class Guess:
    """A field that a column may be for."""

    field: str
    remark: str = "guessed"


@attrs.frozen
class Column:
    """A column that is not a field by its name."""

    model: Model
    name: str
    sample: ColumnSample
    kind: ValueKind

    @property
    def is_filled_in(self) -> bool:
        """Whether it has the name of a field that Planhat fills in."""
        field = named_field(self.model.record, self.name)
        return field is not None and not is_writable(self.model.record, field)


MakeGuess: TypeAlias = Callable[[Column], Guess | None]


def named_field(record: type[Record], column: str) -> str | None:
    """The field that a column's name equals, apart from case, separators and a remark in parentheses."""
    if column.startswith("custom.") and column.removeprefix("custom.").strip():
        return column
    return _by_plain_name(record).get(_plain(_UNIT.sub("", column)))


def is_writable(record: type[Record], name: str) -> bool:
    """Whether a field is not one that Planhat fills in."""
    return name.startswith("custom.") or fields_of(record)[name].is_writable


def may_name_companies(record: type[Record], column: str, kind: ValueKind) -> bool:
    """Whether companies may be looked up by the names in a column."""
    field = fields_of(record).get("company_id")
    has_name = names_a_company(_MARKS.sub("", column).casefold()) and kind.name == "text"
    return field is not None and field.type is str and field.is_writable and has_name


def _by_similar_name(column: Column) -> Guess | None:
    """A field with a similar name; or with the same name apart from the first word, which says whose it is."""
    if column.is_filled_in:
        return None
    words = [word for word in _WORDS.split(_UNIT.sub("", column.name)) if word]
    record = column.model.record
    found: Iterable[str | None] = similar_fields(record, "_".join(words)) or [named_field(record, "_".join(words[1:]))]
    best = next(iter(found), None)
    return Guess(best) if best is not None and best != "id" and is_writable(record, best) else None


def _by_usual_name(column: Column) -> Guess | None:
    """The field that other systems' exports call so; a foreign `id` is a key of the model's, or of the company."""
    fields = fields_of(column.model.record)
    plain = _MARKS.sub("", _UNIT.sub("", column.name)).casefold()
    usual = [*synonyms_of(plain), *(_NAMED_ID if plain == "id" and column.kind.name != "id" else ())]
    remark = "guessed"
    if plain == "companyid" and (objection := misfit(fields.get("company_id"), column.kind)):
        usual, remark = ["company_external_id"], f"guessed: {objection}"
    return next((Guess(name, remark) for name in usual if name in fields and fields[name].is_writable), None)


def _by_values(column: Column) -> Guess | None:
    """The only field for such values: an address, or one of the values that a field's documentation names."""
    record, kind = column.model.record, column.kind
    if column.is_filled_in:
        return None
    if kind.name == "address":
        fields = [name for name, one in fields_of(record).items() if one.holds_addresses and one.is_writable]
        texts = [name for name in fields if fields_of(record)[name].type is str]
        best = "email" if "email" in texts else texts[0] if len(texts) == 1 else None
        return None if best is None else Guess(best, "guessed: its values are e-mail addresses")
    values = {value for value in column.sample.values if isinstance(value, str)}
    if kind.name != "text" or not 1 < len(values) <= _MAX_DOCUMENTED:
        return None
    found = [name for name, known in _documented_values(record).items() if {one.lower() for one in values} <= known]
    return Guess(found[0], f"guessed: its values are those of {found[0]}") if len(found) == 1 else None


GUESSES: tuple[MakeGuess, ...] = (_by_usual_name, _by_similar_name, _by_values)
"""What is tried, in this order."""


def _by_plain_name(record: type[Record]) -> Mapping[str, str]:
    """Fields by both spellings of their names, without case and separators."""
    fields = fields_of(record).values()
    return {_plain(spelling): one.name for one in fields for spelling in (one.wire, one.name)}


@cached
def _documented_values(record: type[Record]) -> Mapping[str, frozenset[str]]:
    """The values that the documentation of writable text fields names."""
    found = {}
    for name, text in documentation_of(record).items():
        field = fields_of(record).get(name)
        if field is not None and field.is_writable and field.type is str:
            values = {one.lower() for one in _QUOTED.findall(text)} - set(fields_of(record))
            if len(values) > 1:
                found[name] = frozenset(values)
    return found


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()
