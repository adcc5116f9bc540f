"""Which records of a model an export holds, and which of their fields: decisions only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import attrs

from planhat_async._convert import fields_of, wire_path
from planhat_async.batching.query import ID
from planhat_async.records import Filter, IdFilter, Model, Record
from planhat_async.repositories.queries import queries_of

ALL_FIELDS = "all"
"""In place of fields: every documented field, except for secrets."""


@attrs.frozen(kw_only=True)
class ExportSelection:
    """Which records of a model an export holds, and which of their fields; by default everything that Planhat lists."""

    fields: tuple[str, ...] = ()
    """Planhat's names of the chosen fields, in the order of the columns; the `_id` is among them. `custom.NAME` is one
    custom field. Empty if none are chosen."""
    filters: Mapping[str, Any] = attrs.field(factory=dict)
    """The values of the model's filters, by the names of their options."""

    @classmethod
    def parse(cls, model: Model, *, fields: Iterable[str] = (), filters: Iterable[tuple[str, str, str]] = ()) -> Self:
        """A selection from texts, as a command line has them.

        Args:
            model: The model.
            fields: Fields in either spelling, several separated by commas; `all` for every field.
            filters: Filters of the model: the place for messages, the name, and the value as text.

        Raises:
            ValueError: An unknown field or filter, or a value that Planhat would refuse or ignore.
        """
        texts: dict[str, list[str]] = {}
        places: dict[str, str] = {}
        known = {one.option: one for one in model.filters}
        for where, name, text in filters:
            option = name.strip().replace("-", "_")
            if option not in known:
                raise ValueError(f"{where}: {_no_such_filter(model)}")
            texts.setdefault(option, []).append(text)
            places[option] = where
        values = {option: _value_of(known[option], texts[option], places[option]) for option in texts}
        selection = cls(fields=_chosen(model.record, fields), filters=values)
        queries_of(model, selection.options(model))
        return selection

    def options(self, model: Model) -> dict[str, Any]:
        """The options of the listing that reads these records; by default it leaves out no record."""
        # A list that one call answers has no `select`: the writer leaves out the other fields.
        select = {"select": self.fields} if self.fields and model.limits is not None else {}
        return {**model.everything, **self.filters, **select}

    def archive(self, model: Model) -> tuple[str, str] | None:
        """The option and Planhat's name of the field by which the records are in two lists; see `ExportCheckpoint`.

        Raises:
            ValueError: An interrupted export of this selection does not say how far it has come.
        """
        partitions = [(one.option, one.partition_field) for one in model.filters if one.partition_field is not None]
        archives = [
            (option, wire_path(model.record, field)) for option, field in partitions if self.filters.get(option) is None
        ]
        if len(queries_of(model, self.options(model))) > 1 + len(archives):
            raise ValueError("these filters need several of Planhat's lists, so --resume cannot tell where it stopped")
        for _, field in archives if self.fields else ():
            if field not in self.fields:
                raise ValueError(f"--resume needs the field {field} in --fields, to tell which list it stopped in")
        return archives[0] if archives else None

    def description(self) -> dict[str, Any]:
        """The selection as JSON values, to recognise it when an export is resumed."""
        return {"fields": list(self.fields), "filters": dict(self.filters)}


def _chosen(record: type[Record], texts: Iterable[str]) -> tuple[str, ...]:
    """Planhat's names of fields in their order, without duplicates; the `_id` first unless it is among them."""
    texts = list(texts)
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    if texts and not names:
        raise ValueError("--fields names no field")
    chosen = dict.fromkeys(one for name in names for one in _wire_names(record, name))
    parts = [name for name in chosen if name.startswith("custom.")]
    if parts and "custom" in chosen:
        raise ValueError(f"--fields: custom already holds {parts[0]}: leave one of them out")
    return tuple(chosen if not chosen or ID in chosen else {ID: None, **chosen})


def _wire_names(record: type[Record], name: str) -> list[str]:
    if name == ALL_FIELDS:
        return [field.wire for field in fields_of(record).values() if not field.is_secret]
    try:
        wire = wire_path(record, name)
    except ValueError as error:
        raise ValueError(f"--fields: {error}") from None
    if not wire.removeprefix("custom."):
        raise ValueError(f"--fields: {name!r} names no custom field")
    return [wire]


def _no_such_filter(model: Model) -> str:
    names = ", ".join(one.option for one in model.filters)
    return f"{model.name} have no such filter; " + (f"they have {names}" if names else "they have none")


def _value_of(known: Filter, texts: list[str], where: str) -> Any:
    """The value of a filter, checked."""
    try:
        value = known.value_of(texts)
        known.branches(value)
    except (TypeError, ValueError) as error:
        takes_prefixes = isinstance(known, IdFilter) and known.prefixes
        hint = "; a key of your own is written extid-KEY or srcid-KEY" if takes_prefixes else ""
        raise ValueError(f"{where}: {error}{hint}") from None
    return value
