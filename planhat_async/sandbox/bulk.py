"""What becomes of the rows of a bulk upsert, and what the answer says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from attrs import define, field

from planhat_async.sandbox.fields import TICKETS, Model
from planhat_async.sandbox.refusals import RefusedError
from planhat_async.sandbox.store import Record
from planhat_async.sandbox.writing import Writer, require

MAX_ROWS = 5_000


def upsert(writer: Writer, model: Model, rows: list[Any], now: float) -> tuple[int, Record]:
    """Store the rows in their order.

    Returns:
        The status and the body of the answer. 400: a key came twice (each row that has it is blamed), or every row
        lacks a required field. 206: other rows were refused. A ticket without an e-mail address is counted nowhere.
    """
    run = _Upsert(writer, model, now)
    counted = [row for row in rows if not (model is TICKETS and _lacks_email(row))]
    repeated = {key for key, count in Counter(key for row in counted for key in run.keys(row)).items() if count > 1}
    for row in counted:
        twice = next((name for name, value in run.keys(row) if (name, value) in repeated), None)
        if twice is not None:
            run.blame(row, RefusedError(twice, f"{twice} duplicated"))
        elif not repeated or writer.choices.rejected_body_applies_rest:
            run.take(row)
    is_rejected = repeated or 0 < run.n_missing == len(rows)
    return (400 if is_rejected else 206 if run.n_refused else 200), run.answer()


@define
class _Upsert:
    """The rows of one body, each put where it belongs by what became of it."""

    writer: Writer
    model: Model
    now: float
    created: list[Record] = field(factory=list)
    updated: list[Record] = field(factory=list)
    n_unchanged: int = 0
    created_errors: list[Record] = field(factory=list)
    updated_errors: list[Record] = field(factory=list)
    n_missing: int = 0

    @property
    def n_refused(self) -> int:
        return len(self.created_errors) + len(self.updated_errors)

    def keys(self, row: Any) -> Iterator[tuple[str, str]]:
        """The keys by which the row can match a record, by name, in the order in which they are tried."""
        if isinstance(row, dict):
            for name, _ in self.model.match_on:
                value = row.get(name)
                if isinstance(value, str) and value:
                    yield name, value

    def take(self, row: Any) -> None:
        """Store one row, or blame it."""
        try:
            self._store(row)
        except RefusedError as refused:
            self.blame(row, refused)

    def blame(self, row: Any, refused: RefusedError) -> None:
        """Add a row to the errors."""
        is_update = self._match(row) is not None or any(name == "_id" for name, _ in self.keys(row))
        element = dict([*self.keys(row)][:1]) if self.writer.choices.errors_name_key else {"el": refused.field}
        (self.updated_errors if is_update else self.created_errors).append({**element, "error": refused.reason})
        self.n_missing += refused.is_missing

    def answer(self) -> Record:
        """The body of the answer: short for tickets, itemised for the other models."""
        n_updated = len(self.updated)
        if self.model is TICKETS:
            n_counted = self.n_unchanged if self.writer.choices.tickets_count_unchanged else 0
            errors = {"createdErrors": self.created_errors, "updatedErrors": self.updated_errors}
            counts = {"created": len(self.created), "updated": n_updated + n_counted}
            return counts | {name: elements for name, elements in errors.items() if elements}
        return {
            "created": len(self.created),
            "createdErrors": self.created_errors,
            "insertsKeys": [_identity(record) for record in self.created],
            "updated": n_updated,
            "updatedErrors": self.updated_errors,
            "updatesKeys": [_identity(record) for record in self.updated],
            "nonupdates": self.n_unchanged,
            "modified": [record["_id"] for record in self.updated],
            "upsertedIds": [record["_id"] for record in self.created],
            "permissionErrors": [],
        }

    def _match(self, row: Any) -> Record | None:
        stored_in = dict(self.model.match_on)
        for name, value in self.keys(row):
            if name == "_id":
                record = self.writer.reach(self.model, value)
            else:
                record = self.writer.find(self.model, stored_in[name], value)
            if record is not None:
                return record
        return None

    def _store(self, row: Any) -> None:
        if not isinstance(row, dict):
            raise RefusedError("", "Not valid type")
        record = self._match(row)
        if record is None:
            if row.get("_id"):
                raise RefusedError("_id", "_id: no such record")
            self.created.append(self.writer.create(self.model, row, self.now))
            return
        if self.model is TICKETS and not row.get("_id"):
            require(self.model, row)
        if self.writer.update(self.model, record, row, self.now):
            self.updated.append(record)
        else:
            self.n_unchanged += 1


def _lacks_email(row: Any) -> bool:
    return isinstance(row, dict) and not row.get("email")


def _identity(record: Record) -> Record:
    return {name: record[name] for name in ("_id", "sourceId", "externalId") if record.get(name)}
