"""A proposal for a mapping file, from the columns of a file: decisions only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Self

import attrs

from planhat_async._convert import fields_of, similar_fields
from planhat_async.records import Model, Record

_SEPARATORS = re.compile(r"[\s_-]+")
_UNIT = re.compile(r"\s*\([^()]*\)\s*$")
"""A remark at the end of a column's name, such as a unit."""
_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_GUESSED = "guessed"
_EXAMPLES: dict[Any, str] = {
    int: "0",
    float: "0",
    date: '"2026-01-31"',
    datetime: '"2026-01-31T00:00:00Z"',
    list[str]: '["..."]',
}


@attrs.frozen(kw_only=True)
class ColumnProposal:
    """A column and the field that is proposed for it."""

    column: str
    field: str = ""
    """Its name; empty if the user must decide."""
    remark: str = ""
    """Why the proposal is uncertain, or why there is none."""

    @property
    def line(self) -> str:
        """The column's line in a mapping file; a comment if no field is proposed."""
        start = "" if self.field else "# "
        return f"{start}{_toml(self.column)} = {_toml(self.field)}" + (f"  # {self.remark}" if self.remark else "")


@attrs.frozen(kw_only=True)
class MappingProposal:
    """A mapping of the columns of a file to the fields of a model, to be checked and completed by the user."""

    model: Model
    columns: tuple[ColumnProposal, ...]

    @classmethod
    def of(cls, model: Model, columns: Sequence[str]) -> Self:
        """The proposal for these columns.

        No field is proposed for two columns: a name that equals a field's takes precedence over a guess, and of equally
        good columns none is chosen. Planhat's own `_id` is never guessed: other systems call their ids `id` too.
        """
        counts = Counter(columns)
        named = {column: _named_field(model.record, column) for column in counts}
        guesses = {
            column: _guessed_field(model.record, column)
            for column, field in named.items()
            if field is None and counts[column] == 1
        }
        claims = Counter(field for field in named.values() if field is not None)
        guess_claims = Counter(field for field in guesses.values() if field is not None)
        made = []
        for column, field in named.items():
            guess = guesses.get(column)
            if counts[column] > 1:
                made.append(ColumnProposal(column=column, remark="the file has this column twice"))
            elif field is not None and not _is_writable(model.record, field):
                made.append(ColumnProposal(column=column, remark=f"Planhat fills in {field}"))
            elif field is not None and claims[field] > 1:
                made.append(ColumnProposal(column=column, remark=f"another column names {field} too"))
            elif field is not None:
                made.append(ColumnProposal(column=column, field=field))
            elif guess is None or claims[guess] or guess_claims[guess] > 1:
                made.append(ColumnProposal(column=column))
            else:
                made.append(ColumnProposal(column=column, field=guess, remark=_GUESSED))
        return cls(model=model, columns=tuple(made))

    @property
    def fields(self) -> list[str]:
        """The fields that have a column."""
        return [one.field for one in self.columns if one.field]

    @property
    def n_guessed(self) -> int:
        """The number of guesses among them."""
        return sum(one.remark == _GUESSED for one in self.columns)

    def text(self) -> str:
        """The mapping file: TOML that `MappingFile.load` reads."""
        lines = [
            *(f"# {line}".rstrip() for line in self._introduction()),
            "",
            '[columns]  # "column" = "field"; a custom field is "custom.NAME"',
            *(one.line for one in self.columns),
            "",
            "# [constants]  # field = value, the same for every row",
            *(f"# {line}" for line in self._constants()),
        ]
        return "\n".join(lines) + "\n"

    def _introduction(self) -> Iterator[str]:
        model = self.model
        yield f"The columns of a file as fields of {model.name}; all fields: planhat-async fields {model.name}"
        yield f"To check it: planhat-async upsert {model.name} FILE --map mapping.toml --dry-run"
        yield ""
        yield f"A row updates the record with the same {', or else the same '.join(model.match)}."
        needs = [*self._needs()]
        yield f"A new record needs{':' if needs else ' no field, as far as Planhat documents.'}"
        yield from needs
        if not self.fields:
            yield ""
            yield "No column names a field. Add fields below: without any, upsert takes every column for a field."

    def _needs(self) -> Iterator[str]:
        """A line for each requirement of a new record."""
        missing = self._missing()
        for group in self.model.upsert_needs:
            *most, last = group
            required = f"one of {', '.join(most)} or {last}" if most else last
            yield f"- {required}{': no column' if group in missing else ''}"
        for name, value, other in self.model.needs_with:
            yield f"- {other}, where {name} is {_toml(value)}"

    def _missing(self) -> list[tuple[str, ...]]:
        """The groups of fields, of which a new record needs one, without a column."""
        return [group for group in self.model.upsert_needs if not {*group} & {*self.fields}]

    def _constants(self) -> Iterator[str]:
        """Examples: of what is required and has no column, or of any text. A constant is no key of a record."""
        match, fields = {*self.model.match}, fields_of(self.model.record)
        names = [next(iter(name for name in group if name not in match), None) for group in self._missing()]
        others = (name for name, one in fields.items() if one.is_writable and one.type is str)
        free = next((name for name in others if name not in {*match, *self.fields}), None)
        for name in dict.fromkeys(name for name in names if name is not None) or ([free] if free else []):
            text = "ada@example.com" if fields[name].holds_addresses else "..."
            yield f"{name} = {_EXAMPLES.get(fields[name].type, _toml(text))}"


def _named_field(record: type[Record], column: str) -> str | None:
    """The field that a column's name equals, apart from case, separators and a remark in parentheses."""
    if column.startswith("custom.") and column.removeprefix("custom.").strip():
        return column
    return _by_plain_name(record).get(_plain(_UNIT.sub("", column)))


def _by_plain_name(record: type[Record]) -> Mapping[str, str]:
    """Fields by both spellings of their names, without case and separators."""
    fields = fields_of(record).values()
    return {_plain(spelling): one.name for one in fields for spelling in (one.wire, one.name)}


def _guessed_field(record: type[Record], column: str) -> str | None:
    """A field with a similar name; or with the same name apart from the first word, which says whose it is."""
    words = [word for word in _WORDS.split(_UNIT.sub("", column)) if word]
    found: Iterable[str | None] = similar_fields(record, "_".join(words)) or [_named_field(record, "_".join(words[1:]))]
    best = next(iter(found), None)
    return best if best is not None and best != "id" and _is_writable(record, best) else None


def _is_writable(record: type[Record], name: str) -> bool:
    return name.startswith("custom.") or fields_of(record)[name].is_writable


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()


def _toml(text: str) -> str:
    """A text as TOML writes it, with escapes for everything that a terminal would not show as it is."""
    escaped = "".join(
        one if one.isprintable() else f"\\u{ord(one):04x}" if ord(one) <= 0xFFFF else f"\\U{ord(one):08x}"
        for one in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'
