"""A row that was sent becomes a record, or changes one."""

from __future__ import annotations

from attrs import define

from planhat_async.sandbox import shapes, times
from planhat_async.sandbox.choices import Choices
from planhat_async.sandbox.companies import EXTID, SRCID, Company
from planhat_async.sandbox.fields import NOTES, TASKS, TICKETS, Model
from planhat_async.sandbox.refusals import RefusedError
from planhat_async.sandbox.state import State
from planhat_async.sandbox.store import Collection, Record

_SENT_TICKET_FIELDS = ("sourceId", "title", "description")
_TEXTS = ("_id", "companyId", "companyExternalId", "sourceId", "externalId", "type")
_TEXTS_OF = {
    model.path: tuple(field for field in _TEXTS if field == "_id" or field in model.writable)
    for model in (NOTES, TASKS, TICKETS)
}
_EMPTY: Record = {}
_CUSTOM = "custom."
_COMPANY_FIELDS = {
    NOTES.path: ("companyId", "companyExternalId"),
    TASKS.path: ("companyId",),
    TICKETS.path: ("companyId", "companyExternalId", "domains"),
}


@define
class Writer:
    """Applies Planhat's rules to what is written."""

    state: State
    choices: Choices

    def find(self, model: Model, field: str, value: str) -> Record | None:
        """The oldest of the model's records whose `sourceId` or `externalId` this is."""
        for record in self._collection(model).find(field, value):
            if model.owns(record):
                return record
        return None

    def reach(self, model: Model, record_id: str) -> Record | None:
        """The record of this `_id`, if the model's endpoint shows it."""
        record = self._collection(model).get(record_id)
        return record if record is not None and model.reaches(record) else None

    def create(self, model: Model, row: Record, now: float) -> Record:
        """Store a new record.

        Raises:
            RefusedError: A required field is missing, or a value cannot be stored.
        """
        kind = kind_of(model, row)
        changes = self._changes(model, kind, row)
        _require(model, kind, row)
        self._require_unique(kind, changes, None)
        record = {"_id": self.state.store.new_id(now)} | shapes.defaults(kind, now) | changes
        self._collection(model).insert(record)
        return record

    def update(self, model: Model, record: Record, row: Record, now: float) -> bool:
        """Set the fields sent, and those only; `custom` is merged key by key. Says whether anything is different.

        Raises:
            RefusedError: A value cannot be stored.
        """
        kind = kind_of(model, row, record)
        changes = self._changes(model, kind, row)
        self._require_unique(kind, changes, record)
        custom = record.get("custom")
        if "custom" in changes and isinstance(custom, dict):
            changes["custom"] = custom | changes["custom"]
        is_changed = any(field not in record or record[field] != value for field, value in changes.items())
        if is_changed:
            self._collection(model).change(record, shapes.touched(kind, now) | changes)
        return is_changed

    def delete(self, model: Model, record: Record) -> None:
        """Forget a record."""
        self._collection(model).remove(record)

    def company_of(self, model: Model, row: Record) -> Company | None:
        """The registered company a row names; None while there are none, or if the row names none.

        Raises:
            RefusedError: The company is not registered.
        """
        companies = self.state.companies
        if not companies:
            return None
        key, external_id, domains = (row.get(field) for field in ("companyId", "companyExternalId", "domains"))
        if key:
            is_documented = model is not TICKETS or not key.startswith((EXTID, SRCID))
            return _known(companies.find(key) if is_documented else None, "companyId")
        if external_id and model is not TASKS:
            return _known(companies.find(EXTID + external_id), "companyExternalId")
        if domains and kind_of(model, row) is TICKETS:
            return _known(companies.find_by_domain(domains), "domains")
        return None

    def _collection(self, model: Model) -> Collection:
        return self.state.store[model.collection]

    def _changes(self, model: Model, kind: Model, row: Record) -> Record:
        """What is stored of a row: its known fields, what follows from them, its company."""
        row = _with_custom_fields(row)
        _check_types(model, kind, row)
        sent = {field: value for field, value in row.items() if field in model.writable or field in kind.writable}
        for field in model.times & sent.keys():
            sent[field] = times.normalised(sent[field])
        changes = sent | shapes.derived(kind, sent)
        if kind is not model:
            changes.pop("subType", None)  # `type` says what it is there, not what kind of ticket
        if kind is TICKETS and not self.choices.tickets_show_sent_fields:
            changes = {field: value for field, value in changes.items() if field not in _SENT_TICKET_FIELDS}
        if not changes.get("companyId"):
            changes.pop("companyId", None)
        company = self.company_of(model, row)
        if company is not None:
            changes |= {"companyId": company.company_id, "companyName": company.name}
        return changes | self.state.people.named(changes)

    def _require_unique(self, model: Model, changes: Record, record: Record | None) -> None:
        source_id = changes.get(model.source_key)
        if not source_id or (record is not None and record.get(model.source_key) == source_id):
            return
        if isinstance(source_id, str) and self.find(model, model.source_key, source_id) is not None:
            raise RefusedError("sourceId", "sourceId duplicated")


def kind_of(model: Model, row: Record, record: Record | None = None) -> Model:
    """The model that a row of an endpoint belongs to: a conversation of the type `ticket` is a ticket.

    Args:
        model: The model of the endpoint.
        row: What is sent.
        record: The stored record that it changes, which has the say where the row names no type.
    """
    if model is not NOTES:
        return model
    stored_type = None if record is None else record.get("type")
    return TICKETS if (row.get("type") or stored_type) == "ticket" else NOTES


def _require(model: Model, kind: Model, row: Record) -> None:
    """Refuse a row without a field that a new record needs.

    Raises:
        RefusedError: Which field is missing.
    """
    field = _missing_field(model, kind, row)
    if field is not None:
        raise RefusedError(field, f"{field} is required", is_missing=True)


def _with_custom_fields(row: Record) -> Record:
    """The row with each `"custom.NAME": value` of it as a field of its `custom`."""
    named = {field: value for field, value in row.items() if field.startswith(_CUSTOM) and field != _CUSTOM}
    custom = row.get("custom", _EMPTY)
    if not named or not isinstance(custom, dict):
        return row
    return {**row, "custom": custom | {field.removeprefix(_CUSTOM): value for field, value in named.items()}}


def _known(company: Company | None, field: str) -> Company:
    if company is None:
        raise RefusedError(field, f"{field}: no such company")
    return company


def _check_types(model: Model, kind: Model, row: Record) -> None:
    for field in _TEXTS_OF[model.path]:
        value = row.get(field)
        if value is not None and not isinstance(value, str):
            raise RefusedError(field, f"{field}: Not valid type")
    if not isinstance(row.get("custom", _EMPTY), dict):
        raise RefusedError("custom", "custom: Not valid type")
    if kind is TICKETS and not isinstance(row.get("domains"), list | None):
        raise RefusedError("domains", "domains: Not valid type")


def _missing_field(model: Model, kind: Model, row: Record) -> str | None:
    if model is TICKETS and not row.get("sourceId"):
        return "sourceId"
    if not any(row.get(field) for field in _COMPANY_FIELDS[kind.path]):
        return "companyId"
    if model is NOTES and not row.get("type"):
        return "type"
    if model is TASKS and row.get("repeat") == "custom" and not isinstance(row.get("repeatDays"), int):
        return "repeatDays"
    return None
