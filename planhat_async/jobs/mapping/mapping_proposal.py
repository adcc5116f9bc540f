"""A proposal for a mapping file, from the columns of a file and some of their values: decisions only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Self

import attrs

from planhat_async._convert import fields_of
from planhat_async.jobs.mapping.column_guess import (
    GUESSES,
    Column,
    Guess,
    is_writable,
    may_name_companies,
    named_field,
)
from planhat_async.jobs.mapping.column_sample import ColumnSample
from planhat_async.jobs.mapping.proposed_line import ProposedLine, toml_key, toml_text
from planhat_async.jobs.mapping.value_kinds import NOTHING, ValueKind, kind_of_values
from planhat_async.jobs.mapping.value_proposal import (
    ReadColumn,
    date_lines,
    kind_in_words,
    misfit,
    option_lines,
    type_lines,
    unread_in_words,
)
from planhat_async.records import Model, Record
from planhat_async.records.model import in_alternatives

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
    """Why the proposal is uncertain or missing."""
    suggestion: str = ""
    """Without a field, the one in a comment; by default a custom field of the column's name."""
    lookup: str = ""
    """TOML of where the record that it names may be looked for."""
    is_guess: bool = False
    kind: ValueKind = NOTHING
    """What the values of the column are."""

    @property
    def line(self) -> str:
        """The column's line in a mapping file; a comment if no field is proposed."""
        column = toml_text(self.column)
        value = f"{{ column = {column}, {self.lookup} }}" if self.lookup else column
        line = f"{toml_key(self.named)} = {value}" + (f"  # {self.remark}" if self.remark else "")
        return line if self.field else f"# {line}"

    @property
    def named(self) -> str:
        """The field of the line, also within a comment; empty for a column without a name."""
        name = self.column.strip()
        return self.field or self.suggestion or (f"custom.{name}" if name else "")


@attrs.frozen(kw_only=True)
class MappingProposal:
    """A mapping of the columns of a file to the fields of a model, to be checked and completed by the user."""

    model: Model
    columns: tuple[ColumnProposal, ...]

    @classmethod
    def of(cls, model: Model, columns: Sequence[str], samples: Mapping[str, ColumnSample] | None = None) -> Self:
        """The proposal for these columns, and for the values of some rows.

        No field is proposed for two columns: a name that equals a field's takes precedence over a guess, a name that
        other systems use over a similar one, that over what the values say; of equally good columns none is chosen.
        Planhat's own `_id` is never guessed: other systems call their ids `id` too.
        """
        found = {path: sample for name in columns for path, sample in _paths(model.record, name, samples or {})}
        counts = Counter(columns) | Counter([*found])
        kinds = {name: kind_of_values(sample.values) for name, sample in found.items()}
        named = {name: named_field(model.record, name) for name in found}
        named |= {name: None for name, field in named.items() if _is_foreign_id(name, field, kinds[name])}
        claims = Counter(field for field in named.values() if field is not None)
        free = [Column(model, name, found[name], kinds[name]) for name in found if counts[name] == 1]
        guesses = _guesses([one for one in free if not _is_settled(model.record, named[one.name])], {*claims})
        proposals = []
        for name, field in named.items():
            context = _Context(model, claims, counts[name], kinds[name])
            proposals.append(context.proposal(name, field, guesses.get(name)))
        return cls(model=model, columns=tuple(proposals))

    @property
    def fields(self) -> list[str]:
        """The fields that have a column."""
        return [one.field for one in self.columns if one.field]

    @property
    def n_guessed(self) -> int:
        """The number of guesses among them."""
        return sum(one.is_guess for one in self.columns)

    def text(self) -> str:
        """The mapping file: TOML that `MappingFile.load` reads."""
        read = [
            ReadColumn(column=one.column, field=one.named, is_mapped=bool(one.field), kind=one.kind)
            for one in self.columns
            if one.named and not one.lookup
        ]
        record = self.model.record
        lines = [
            *(f"# {line}".rstrip() for line in self._introduction()),
            "",
            *_with_blank(option_lines(record, read)),
            '[fields]  # field = "column"; a custom field is "custom.NAME"',
            *(one.line for one in self.columns),
            "",
            *_table("dates", "field = strptime form", date_lines(record, read)),
            *_table("types", "field = type", type_lines(record, read)),
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
            yield f"- {in_alternatives(group)}{': no column' if group in missing else ''}"
        for name, value, other in self.model.needs_with:
            yield f"- {other}, where {name} is {toml_text(value)}"

    def _missing(self) -> list[tuple[str, ...]]:
        """The groups of fields, of which a new record needs one, without a column."""
        return [group for group in self.model.upsert_needs if not {*group} & {*self.fields}]

    def _constants(self) -> Iterator[str]:
        """Examples: of what is required and has no column, or of any text. A constant is not a key of a record."""
        match, fields = {*self.model.match}, fields_of(self.model.record)
        names = [next(iter(name for name in group if name not in match), None) for group in self._missing()]
        others = (name for name, one in fields.items() if one.is_writable and one.type is str)
        free = next((name for name in others if name not in {*match, *self.fields}), None)
        for name in dict.fromkeys(name for name in names if name is not None) or ([free] if free else []):
            text = "ada@example.com" if fields[name].holds_addresses else "..."
            yield f"{name} = {_EXAMPLES.get(fields[name].type, toml_text(text))}"


def _with_blank(lines: Iterable[str]) -> list[str]:
    """The lines and a blank one, if there are any."""
    found = [*lines]
    return [*found, ""] if found else []


def _table(name: str, form: str, lines: Iterable[ProposedLine]) -> list[str]:
    """A table of a mapping file, if it has lines, which may all be comments."""
    found = [line.text for line in lines]
    return [f"[{name}]  # {form}", *found, ""] if found else []


def _paths(
    record: type[Record], column: str, samples: Mapping[str, ColumnSample]
) -> Iterator[tuple[str, ColumnSample]]:
    """A column, or the paths into its objects, unless it is a field that holds objects."""
    sample = samples.get(column, ColumnSample())
    if named_field(record, column) is not None:
        yield column, sample
    else:
        yield from sample.paths(column)


def _is_settled(record: type[Record], field: str | None) -> bool:
    """Whether a column names a field to which values can be sent."""
    return field is not None and is_writable(record, field)


def _guesses(columns: Sequence[Column], claimed: set[str]) -> dict[str, Guess]:
    """The best guess for each column; none for a field that is claimed, or that several columns fit equally."""
    guesses: dict[str, Guess] = {}
    for guess in GUESSES:
        free = [column for column in columns if column.name not in guesses]
        made = {column.name: one for column in free if (one := guess(column)) is not None}
        taken = claimed | {one.field for one in guesses.values()}
        times = Counter(one.field for one in made.values())
        guesses |= {name: one for name, one in made.items() if one.field not in taken and times[one.field] == 1}
    return guesses


def _is_foreign_id(column: str, field: str | None, kind: ValueKind) -> bool:
    """Whether a column `id` or one of companies' ids holds ids that Planhat has not given out."""
    if field == "company_id":
        return kind.name not in {"id", "key", "nothing"}
    return field == "id" and column.strip().lower() == "id" and kind.name not in {"id", "nothing"}


@attrs.frozen
class _Context:
    """What decides about a column besides its field."""

    model: Model
    claims: Counter[str]
    n_times: int
    kind: ValueKind

    def proposal(self, name: str, field: str | None, guess: Guess | None) -> ColumnProposal:
        """The proposal for a column, given the field that its name equals, or a guess."""
        record = self.model.record
        if self.n_times > 1:
            return ColumnProposal(column=name, remark="the file has this column twice", suggestion=field or "")
        if guess is not None:
            return self._guessed(name, guess)
        if field is None:
            return self._unknown(name)
        if not is_writable(record, field):
            return ColumnProposal(column=name, remark=f"Planhat fills in {field}", kind=self.kind)
        if self.claims[field] > 1:
            remark = f"another column names {field} too"
            return ColumnProposal(column=name, remark=remark, suggestion=field, kind=self.kind)
        remark = self._objection(field) or self._unread(field)
        return ColumnProposal(column=name, field=field, remark=remark, kind=self.kind)

    def _unread(self, field: str) -> str:
        return unread_in_words(fields_of(self.model.record).get(field), self.kind)

    def _objection(self, field: str) -> str:
        return misfit(fields_of(self.model.record).get(field), self.kind)

    def _guessed(self, name: str, guess: Guess) -> ColumnProposal:
        objection = self._objection(guess.field)
        if objection and guess.field == "company_id":
            lookup, remark = 'lookup = "companies", by = "external_id"', f"{objection}; if they are external ids"
            return ColumnProposal(column=name, remark=remark, suggestion=guess.field, lookup=lookup, kind=self.kind)
        if objection:
            return ColumnProposal(column=name, remark=objection, suggestion=guess.field, kind=self.kind)
        remark = _joined(guess.remark, self._unread(guess.field))
        return ColumnProposal(column=name, field=guess.field, remark=remark, is_guess=True, kind=self.kind)

    def _unknown(self, name: str) -> ColumnProposal:
        """A comment: companies may be looked up by their names, anything else may be a custom field."""
        if may_name_companies(self.model.record, name, self.kind):
            lookup, remark = 'lookup = "companies", by = "name"', "if it names companies"
            return ColumnProposal(column=name, remark=remark, suggestion="company_id", lookup=lookup, kind=self.kind)
        remark = _joined(kind_in_words(self.kind), unread_in_words(None, self.kind))
        return ColumnProposal(column=name, remark=remark, kind=self.kind)


def _joined(*remarks: str) -> str:
    return "; ".join(filter(None, remarks))
