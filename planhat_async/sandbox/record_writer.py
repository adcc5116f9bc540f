"""Creates and updates records from the rows of calls."""

from __future__ import annotations

from functools import lru_cache

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

    def create(self, model: Rules, row: Record, now: float) -> Record:
        """Store a new record.

        Raises:
            RefusedError: A required field is missing, or a value cannot be stored.
        """
        rules = model.variant(row)
        changes = self._changes(rules, row)
        _require(rules, row)
        self._require_unique(rules, changes, _EMPTY)
        record = {"_id": self.state.new_id(now)} | _defaults(rules, now) | changes
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
        is_changed = any(field not in record or record[field] != value for field, value in changes.items())
        if is_changed:
            touched = {} if rules.touches is None else {rules.touches: times.written(times.at(now))}
            self.state.collection(model).change(record, touched | changes)
        return is_changed

    def find(self, name: str, field: str, value: object) -> Record | None:
        """The record of the model of this name whose field has this value."""
        return self.state.match(self.state.model(name), field, value)

    def _company(self, reference: CompanyReference, row: Record) -> Record | None:
        """The registered company that a row names; `None` without a name, or while no company is registered."""
        companies = self.state.model("companies")
        if not self.state.collection(companies):
            return None
        for field, matched in reference.fields:
            value = row.get(field)
            if not value:
                continue
            if matched == "_id":
                company = self.state.find(companies, value, reference.key_kinds)
            else:
                values = value if isinstance(value, list) else [value]
                found = (self.state.match(companies, matched, one) for one in values)
                company = next((one for one in found if one is not None), None)
            if company is None:
                raise RefusedError(field, f"{field}: no such company")
            return company
        return None

    def _changes(self, rules: Rules, row: Record) -> Record:
        """The fields to store for a row: those that may be written, those derived from them, and its company."""
        row = _with_custom_fields(row)
        _require_types(rules, row)
        changes = {field: value for field, value in row.items() if field in rules.writable}
        for field in rules.times & changes.keys():
            changes[field] = times.normalised(changes[field])
        changes |= rules.derive(changes)
        if rules.sent_only and not self.choices.tickets_show_sent_fields:
            changes = {field: value for field, value in changes.items() if field not in rules.sent_only}
        if rules.company is not None:
            self._name_company(rules.company, row, changes)
        for infer in rules.infer:
            changes |= infer(changes, self.find)
        return changes

    def _name_company(self, reference: CompanyReference, row: Record, changes: Record) -> None:
        if not changes.get(reference.key):
            changes.pop(reference.key, None)  # a record cannot lose its company
        company = self._company(reference, row)
        if company is not None:
            changes |= {reference.key: company["_id"], "companyName": company.get("name", "")}

    def _require_unique(self, rules: Rules, changes: Record, record: Record) -> None:
        for sent, stored in rules.unique:
            key = changes.get(stored)
            if key and record.get(stored) != key and self.state.match(rules, stored, key) is not None:
                raise RefusedError(sent, f"{sent} duplicated")


@lru_cache(maxsize=8)
def _defaults(rules: Rules, now: float) -> Record:
    # The rows of a bulk upsert share this dict: a new one for each row took a fifth of the time. Never change it.
    return {**rules.defaults, **rules.dated(times.at(now))}


def _require(rules: Rules, row: Record) -> None:
    """Refuse a row without a field that a new record needs."""
    missing = next((group[0] for group in rules.needs if not any(row.get(field) for field in group)), None)
    for field, value, other, cls in rules.needs_with:
        if missing is None and row.get(field) == value and not isinstance(row.get(other), cls):
            missing = other
    if missing is not None:
        raise RefusedError(missing, f"{missing} is required", is_missing=True)


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
    for field in rules.lists:
        if not isinstance(row.get(field), list | None):
            raise RefusedError(field, f"{field}: Not valid type")
