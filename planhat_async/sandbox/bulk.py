"""A bulk upsert: the outcome of each row, and the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from attrs import define, field

from planhat_async.sandbox import damage
from planhat_async.sandbox.messages import AppliedFault, RefusedError
from planhat_async.sandbox.models import Rules
from planhat_async.sandbox.record_writer import RecordWriter
from planhat_async.sandbox.store import Record

MAX_ROWS = 5_000
_COUNTS = frozenset({"created", "updated", "nonupdates"})


def upsert(
    writer: RecordWriter, model: Rules, rows: list[Any], now: float, *, fault: AppliedFault
) -> tuple[int, Record]:
    """Store the rows in order, except for those that a fault applies to.

    Returns:
        The status and body of the answer. 400: a key is repeated (every row that has it is blamed), or every row lacks
        a required field. 206: other rows were refused. A row that is dropped silently is not counted.
    """
    run = _Upsert(writer, model, now)
    damaged = damage.to_rows(fault, len(rows))
    keys = [run.keys(row) for row in rows]
    dropped = [run.is_dropped(row, own) for row, own in zip(rows, keys, strict=True)]
    repeated = run.repeated(own for own, is_dropped in zip(keys, dropped, strict=True) if not is_dropped)
    is_refused_as_a_whole = bool(repeated) or damaged.status in {400, 403}
    applies_rest = writer.choices.rejected_body_applies_rest or not is_refused_as_a_whole
    for position, row in enumerate(rows):
        if position in damaged.positions:
            if damaged.refused is not None:
                run.blame(keys[position], damaged.refused, lacks_permission=damaged.status == 403)
        elif not dropped[position]:
            twice = next((key[0] for key in keys[position] if key in repeated), None) if repeated else None
            if twice is not None:
                run.blame(keys[position], RefusedError(twice, f"{twice} duplicated"))
            elif applies_rest:
                run.store_or_blame(row, keys[position])
    # A repeated key refuses the body, even if a fault would answer 206: nothing of it was stored.
    damaged_status = None if repeated and damaged.status == 206 else damaged.status
    return damaged_status or run.status(is_rejected=bool(repeated), n_rows=len(rows)), run.answer()


def duplicate(writer: RecordWriter, model: Rules, ids: list[Any], now: float) -> tuple[int, Record]:
    """Copy the writable fields of records; the answer is that of a bulk upsert, each unknown `_id` an error of it."""
    run = _Upsert(writer, model, now)
    for record_id in ids:
        record = writer.state.match(model, "_id", record_id)
        if record is None:
            run.blame((("_id", str(record_id)),), RefusedError("_id", "_id: no such record"))
        else:
            run.store_or_blame({name: value for name, value in record.items() if name in model.writable}, ())
    return run.status(is_rejected=False, n_rows=len(ids)), run.answer()


_Keys: TypeAlias = tuple[tuple[str, str], ...]


@define
class _Upsert:
    """The rows of one body, each filed under its outcome."""

    writer: RecordWriter
    model: Rules
    now: float
    created: list[Record] = field(factory=list)
    updated: list[Record] = field(factory=list)
    n_unchanged: int = 0
    created_errors: list[Record | str] = field(factory=list)
    updated_errors: list[Record | str] = field(factory=list)
    permission_errors: list[Record | str] = field(factory=list)
    n_missing: int = 0
    """Errors about a missing required field."""
    _match_on: Mapping[str, str] = field(init=False)
    """The keys that are matched in turn: the field sent, the field stored."""

    def __attrs_post_init__(self) -> None:
        """Match on the keys that are not documented too, if a switch says so."""
        maybe = self.model.maybe_match if self.writer.choices.undocumented_keys_match else ()
        self._match_on = dict(self.model.match + maybe)

    def status(self, *, is_rejected: bool, n_rows: int) -> int:
        """Of the answer."""
        if is_rejected or 0 < self.n_missing == n_rows:
            return 400
        return 206 if self.created_errors or self.updated_errors else 200

    def keys(self, row: Any) -> _Keys:
        """The names and values of the row's keys, in the order in which they are matched."""
        if not isinstance(row, dict):
            return ()
        keys = []
        for name in self._match_on:
            value = self.model.key_text(name, row.get(name))
            if isinstance(value, str) and value:
                keys.append((name, value))
        return tuple(keys)

    def is_dropped(self, row: Any, keys: _Keys) -> bool:
        """Whether Planhat drops the row silently: it would create a record, and lacks the fields for that."""
        if not isinstance(row, dict):
            return False
        if self.writer.maps_to_no_company(self.model, row):
            return self._match(keys) is None
        required = self.model.dropped_without
        if not required or any(row.get(field) for field in required):
            return False
        return self.writer.choices.tickets_need_email_to_update or self._match(keys) is None

    def repeated(self, keys: Iterable[_Keys]) -> set[tuple[str, str]]:
        """The keys that more than one row has."""
        counts = Counter(key for own in keys for key in own)
        return {key for key, count in counts.items() if count > 1} if len(counts) < counts.total() else set()

    def store_or_blame(self, row: Any, keys: _Keys) -> None:
        """Store one row, or add it to the errors."""
        try:
            self._store(row, keys)
        except RefusedError as refused:
            self.blame(keys, refused)

    def blame(self, keys: _Keys, refused: RefusedError, *, lacks_permission: bool = False) -> None:
        """Add a row to the errors."""
        if lacks_permission:
            errors = self.permission_errors
        elif self._match(keys) is not None or any(name == "_id" for name, _ in keys):
            errors = self.updated_errors
        else:
            errors = self.created_errors
        errors.append(self._element(keys, refused))
        self.n_missing += refused.is_missing

    def answer(self) -> Record:
        """The body of the answer."""
        n_updated = len(self.updated)
        if not self.model.is_itemised:
            n_counted = self.n_unchanged if self.writer.choices.tickets_count_unchanged else 0
            errors = {
                "createdErrors": self.created_errors,
                "updatedErrors": self.updated_errors,
                "permissionErrors": self.permission_errors,
            }
            counts = {"created": len(self.created), "updated": n_updated + n_counted}
            return counts | {name: elements for name, elements in errors.items() if elements}
        answer = {
            "created": len(self.created),
            "createdErrors": self.created_errors,
            "insertsKeys": self.created,
            "updated": n_updated,
            "updatedErrors": self.updated_errors,
            "updatesKeys": self.updated,
            "nonupdates": self.n_unchanged,
            "modified": [record["_id"] for record in self.updated],
            "upsertedIds": [record["_id"] for record in self.created],
            "permissionErrors": self.permission_errors,
        }
        if self.model.has_validation_errors:
            answer["validationErrors"] = []
        has_counts = self.writer.choices.upserts_have_counts
        return {name: value for name, value in answer.items() if has_counts or name not in _COUNTS}

    def _element(self, keys: _Keys, refused: RefusedError) -> Record | str:
        if self.writer.choices.errors_are_texts:
            return refused.reason
        element = dict(keys[:1]) if self.writer.choices.errors_name_key else {"el": refused.field}
        return {**element, "error": refused.reason}

    def _match(self, keys: _Keys) -> Record | None:
        for name, value in keys:
            record = self.writer.state.match(self.model, self._match_on[name], value)
            if record is not None:
                return record
        return None

    def _store(self, row: Any, keys: _Keys) -> None:
        if not isinstance(row, dict):
            raise RefusedError("", "Not valid type")
        record = self._match(keys)
        if record is None:
            if row.get("_id"):
                raise RefusedError("_id", "_id: no such record")
            self.created.append(self._identity(self.writer.create(self.model, row, self.now, in_bulk=True)))
        elif self.writer.update(self.model, record, row, self.now):
            self.updated.append(self._identity(record))
        else:
            self.n_unchanged += 1

    def _identity(self, record: Record) -> Record:
        return {name: record[name] for name in self.model.identity if record.get(name)}
