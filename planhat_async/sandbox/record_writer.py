"""Creates and updates records from the rows of calls."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

from attrs import define

from planhat_async.sandbox import times
from planhat_async.sandbox.choices import Choices
from planhat_async.sandbox.messages import RefusedError
from planhat_async.sandbox.models import Rules
from planhat_async.sandbox.models.rules import CompanyReference
from planhat_async.sandbox.state import State
from planhat_async.sandbox.store import Record

_EMPTY: Record = {}
_CUSTOM = "custom."


@define
class RecordWriter:
    """Applies Planhat's rules to what is written."""

    state: State
    choices: Choices

    def create(self, model: Rules, row: Record, now: float, *, in_bulk: bool = False) -> Record:
        """Store a new record; a row of a bulk upsert may need other fields.

        Raises:
            RefusedError: A required field is missing, or a value cannot be stored.
        """
        rules = model.variant(row)
        changes = self._changes(rules, row)
        self._require(rules, row, rules.needs if rules.bulk_needs is None or not in_bulk else rules.bulk_needs)
        self._find_company_of_address(rules, row, changes)
        self._require_unique(rules, changes, _EMPTY)
        record = {"_id": self.state.new_id(now)} | _defaults(rules, now) | changes
        if rules.compute is not None:
            record |= rules.compute(record)
        self.state.collection(model).insert(record)
        return record

    def update(self, model: Rules, record: Record, row: Record, now: float) -> bool:
        """Set only the fields sent; `custom` is merged key by key. Returns whether anything changed.

        Raises:
            RefusedError: A value cannot be stored.
        """
        rules = model.variant(row, record)
        changes = self._changes(rules, row)
        self._require_unique(rules, changes, record)
        custom = record.get("custom")
        if "custom" in changes and isinstance(custom, dict):
            changes["custom"] = custom | changes["custom"]
        if rules.compute is not None:
            changes |= rules.compute(record | changes)
        is_changed = any(field not in record or record[field] != value for field, value in changes.items())
        if is_changed:
            touched = {} if rules.touches is None else {rules.touches: times.written(times.at(now))}
            self.state.collection(model).change(record, touched | changes)
        return is_changed

    def find(self, name: str, field: str, value: object) -> Record | None:
        """The record of the model of this name whose field has this value."""
        return self.state.match(self.state.model(name), field, value)

    def maps_to_no_company(self, model: Rules, row: Record) -> bool:
        """Whether a new record names no company, and its address finds none; no, while no company is registered."""
        reference = model.company
        if reference is None or reference.address_field is None or not self._knows_companies():
            return False
        names_one = any(row.get(field) for field, _ in reference.fields)
        return not names_one and self._company_of_address(row.get(reference.address_field)) is None

    def _knows_companies(self) -> bool:
        return bool(self.state.collection(self.state.model("companies")))

    def _company_of_address(self, address: object) -> Record | None:
        """The company that has the domain of an e-mail address."""
        _, at, domain = address.rpartition("@") if isinstance(address, str) else ("", "", "")
        return self.state.match(self.state.model("companies"), "domains", domain.lower()) if at else None

    def _companies(self, reference: CompanyReference, row: Record) -> list[Record]:
        """The registered companies that a row names; none while no company is registered."""
        if not self._knows_companies():
            return []
        companies = self.state.model("companies")
        for field, matched in reference.fields:
            value = row.get(field)
            if not value:
                continue
            values = value if isinstance(value, list) else [value]
            if matched == "_id":
                found = [self.state.find(companies, one, reference.key_kinds) for one in values]
            else:
                # Of several values, the first one that a company has counts.
                found = [next(filter(None, (self.state.match(companies, matched, one) for one in values)), None)]
            known = [company for company in found if company is not None]
            if len(known) < len(found):
                raise RefusedError(field, f"{field}: no such company")
            return known
        return []

    def _changes(self, rules: Rules, row: Record) -> Record:
        """The fields to store for a row: those that may be written, those derived from them, and its company."""
        row = _with_texts(rules, _with_custom_fields(row))
        _require_types(rules, row)
        changes: Record = {field: value for field, value in row.items() if field in rules.writable}
        for field in rules.times & changes.keys():
            changes[field] = times.normalised(changes[field])
        changes |= rules.derive(changes)
        if rules.sent_only and not self.choices.tickets_show_sent_fields:
            changes = {field: value for field, value in changes.items() if field not in rules.sent_only}
        if rules.company is not None:
            self._name_company(rules.company, row, changes)
        for infer in rules.infer:
            changes |= infer(changes, self.find)
        if rules.live_names and self.choices.live_names:
            changes = {rules.live_names.get(field, field): value for field, value in changes.items()}
        return changes

    def _name_company(self, reference: CompanyReference, row: Record, changes: Record) -> None:
        companies = self._companies(reference, row)
        if reference.is_list:
            if companies:
                changes[reference.key] = [company["_id"] for company in companies]
            return
        if not changes.get(reference.key):
            changes.pop(reference.key, None)  # a record cannot lose its company
        for company in companies:
            changes[reference.key] = company["_id"]
            if reference.name_field is not None:
                changes[reference.name_field] = company.get("name", "")

    def _find_company_of_address(self, rules: Rules, row: Record, changes: Record) -> None:
        """Set the company of a new record that names none; refuse it if its address finds none."""
        reference = rules.company
        if reference is None or reference.address_field is None or reference.key in changes:
            return
        if self.maps_to_no_company(rules, row):
            raise _missing(reference.key)
        company = self._company_of_address(row.get(reference.address_field))
        if company is not None:
            self._name_company(reference, {reference.key: company["_id"]}, changes)

    def _require(self, rules: Rules, row: Record, needs: Iterable[tuple[str, ...]]) -> None:
        """Refuse a row that must not create a record, or lacks a field that a new one needs."""
        disputed = (groups for name, groups in rules.disputed_needs.items() if getattr(self.choices, name))
        for group in chain(needs, *disputed):
            if not any(_is_given(row.get(field)) for field in _with_references(rules, group)):
                raise _missing(group[0])
        for field, value, other, cls in rules.needs_with:
            if row.get(field) == value and not isinstance(row.get(other), cls):
                raise _missing(other)
        for field, values in rules.refused.items():
            if row.get(field) in values:
                raise RefusedError(field, f"{field}: {row[field]} is reserved")

    def _require_unique(self, rules: Rules, changes: Record, record: Record) -> None:
        for sent, stored in rules.unique:
            key = changes.get(stored)
            if key and record.get(stored) != key and self.state.match(rules, stored, key) is not None:
                raise RefusedError(sent, f"{sent} duplicated")
        for name in rules.unique_in_company:
            key = changes.get(name)
            if key and record.get(name) != key and self._is_used_in_company(rules, name, record | changes):
                raise RefusedError(name, f"{name} duplicated")

    def _is_used_in_company(self, rules: Rules, name: str, record: Record) -> bool:
        """Whether another record of the same company has the same key."""
        others = self.state.matches(rules, name, record[name])
        if rules.company is None:
            return next(others, None) is not None
        company = record.get(rules.company.key)
        return any(other.get(rules.company.key) == company for other in others)


@lru_cache(maxsize=8)
def _defaults(rules: Rules, now: float) -> Record:
    # The rows of a bulk upsert share this dict: a new one for each row took a fifth of the time. Never change it.
    return {**rules.defaults, **rules.dated(times.at(now))}


def _missing(field: str) -> RefusedError:
    return RefusedError(field, f"{field} is required", is_missing=True)


def _is_given(value: object) -> bool:
    """Whether a required field has a value: a zero is one."""
    return bool(value) or isinstance(value, int | float)


def _with_references(rules: Rules, group: tuple[str, ...]) -> tuple[str, ...]:
    """The group, with all fields that name the company if one of it does."""
    fields = () if rules.company is None else tuple(field for field, _ in rules.company.fields)
    return (*group, *fields) if fields and fields[0] in group else group


def _with_texts(rules: Rules, row: Record) -> Record:
    """The row with the numbers in text fields as text."""
    for field in rules.texts_of_numbers:
        if field in row:
            row = row | {field: rules.key_text(field, row[field])}
    return row


def _with_custom_fields(row: Record) -> Record:
    """The row with each `"custom.NAME": value` moved into its `custom`."""
    named = {field: value for field, value in row.items() if field.startswith(_CUSTOM) and field != _CUSTOM}
    custom = row.get("custom", _EMPTY)
    if not named or not isinstance(custom, dict):
        return row
    return {**row, "custom": custom | {field.removeprefix(_CUSTOM): value for field, value in named.items()}}


def _require_types(rules: Rules, row: Record) -> None:
    for field in ("_id", *rules.texts):
        value = row.get(field)
        if value is not None and not isinstance(value, str):
            raise RefusedError(field, f"{field}: Not valid type")
    if not isinstance(row.get("custom", _EMPTY), dict):
        raise RefusedError("custom", "custom: Not valid type")
    for field in rules.integers:
        if not (row.get(field) is None or type(row[field]) is int):  # a bool is an int too
            raise RefusedError(field, f"{field}: Not valid type")
    for field in rules.lists:
        if not isinstance(row.get(field), list | None):
            raise RefusedError(field, f"{field}: Not valid type")
