"""The outcomes of the rows of a deletion, and what follows from each answer: decisions only.

rows = deleted + missing + rejected + invalid + unknown + unsent
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any

import attrs

from planhat_async._convert import printable
from planhat_async.batching.request_failures import outcome_of
from planhat_async.errors import (
    AuthenticationError,
    NotFoundError,
    NotSentError,
    PermissionDeniedError,
    PlanhatError,
    RateLimitedError,
    StatusError,
)
from planhat_async.records import Record
from planhat_async.records.keys import checked_key
from planhat_async.results import ChunkResult, Outcome, Problem, ProblemGroup, Unreadable, UpsertResult

MAX_FAILURES = 50
"""Refusals before any record was deleted, or lost answers in a row, after which a run ends: the token may not delete
records of the model, or Planhat is out of order."""


class DeleteOutcome(StrEnum):
    """The outcome of one row of a deletion."""

    DELETED = "deleted"
    MISSING = "missing"
    """There was no such record."""
    REJECTED = "rejected"
    """Planhat refused to delete it; the next run tries again."""
    INVALID = "invalid"
    """Not sent: the row has no `_id`."""
    UNKNOWN = "unknown"
    """Sent, but no answer is known; the next run sends it again."""
    UNSENT = "unsent"
    """Not processed before the run ended."""


GONE = (DeleteOutcome.DELETED, DeleteOutcome.MISSING)
"""The outcomes after which there is no such record."""


@attrs.define(kw_only=True)
class DeleteResult:
    """The outcomes of all rows. A key that is repeated counts as one row.

    Its memory grows only with the number of separate ranges of rows that were not deleted.
    """

    deleted: int = 0
    missing: int = 0
    rejected: int = 0
    invalid: int = 0
    unknown: int = 0
    unsent: int = 0
    repeated: int = 0
    """Further rows, each with the key of an earlier one."""
    first_ids: tuple[str, ...] = ()
    """The first `_id`s that the next run sends, at most five."""
    stopped_by: PlanhatError | None = None
    """The error that ended the run early."""
    unanswered: PlanhatError | None = None
    """The first error after which the outcome of a row is unknown: a rerun sends it again."""
    _listed: UpsertResult = attrs.field(factory=UpsertResult, init=False, repr=False)
    """Collects the problems."""

    def count(self, outcome: DeleteOutcome, n_rows: int = 1) -> None:
        """Add rows to an outcome."""
        setattr(self, outcome, getattr(self, outcome) + n_rows)

    def counts(self) -> dict[str, int]:
        """The six counts by name."""
        return {outcome.value: getattr(self, outcome) for outcome in DeleteOutcome}

    @property
    def rows(self) -> int:
        """All rows, without repetitions: the sum of the six counts."""
        return sum(self.counts().values())

    @property
    def ok(self) -> bool:
        """Whether no record of the input is left: each was deleted, or was missing."""
        return self.deleted + self.missing == self.rows

    @property
    def to_send(self) -> int:
        """Rows that the next run sends."""
        return self.unsent + self.unknown + self.rejected

    @property
    def n_problems(self) -> int:
        """The number of rows that were neither deleted nor missing."""
        return self._listed.n_problems

    @property
    def problem_groups(self) -> tuple[ProblemGroup, ...]:
        """The first 1,000 reasons in order of appearance, each with all of its rows."""
        return self._listed.problem_groups

    @property
    def not_deleted(self) -> dict[Outcome, tuple[range, ...]]:
        """The positions of rows that were neither deleted nor missing, by outcome."""
        return self._listed.not_stored

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Add reasons of rows that are counted already."""
        self._listed.add(ChunkResult(number=0, problems=list(problems)))


@attrs.frozen
class Verdict:
    """What an answer to one deletion decides."""

    outcome: DeleteOutcome
    reason: str | None = None
    ends_run: bool = False
    """Whether the next call would fail in the same way."""
    needs_proof: bool = False
    """Whether a 404 is only taken for a missing record if the model's list can be read: a token that may not use the
    model, and a wrong path, may be answered with a 404 too."""
    is_forbidden: bool = False
    """Whether the token may not delete this record, and perhaps no record of the model."""


def verdict_on(error: PlanhatError | None, *, key: str, may_be_deleted: bool) -> Verdict:
    """The verdict on a deletion that ended with an error, or well.

    `may_be_deleted` says whether it was sent in an earlier run and its answer lost: a record that is missing now was
    then deleted, as far as anyone can know. The key is left out of the reason, so that rows can share it.
    """
    if error is None:
        return Verdict(DeleteOutcome.DELETED)
    if isinstance(error, NotFoundError) and error.status < 400:  # a count of 0
        return Verdict(DeleteOutcome.DELETED if may_be_deleted else DeleteOutcome.MISSING)
    reason = printable(str(error).replace(key, "…"))
    # A page of HTML is of a proxy, or of a server that is not Planhat: it says nothing about the record.
    is_foreign = isinstance(error, StatusError) and (error.status < 400 or error.body.lstrip().startswith("<"))
    if isinstance(error, NotFoundError) and not is_foreign:
        outcome = DeleteOutcome.DELETED if may_be_deleted else DeleteOutcome.MISSING
        return Verdict(outcome, needs_proof=True)
    is_processed = error.may_have_been_processed
    if isinstance(error, AuthenticationError | RateLimitedError | NotSentError) or (is_foreign and not is_processed):
        is_unknown = may_be_deleted or is_processed
        return Verdict(DeleteOutcome.UNKNOWN if is_unknown else DeleteOutcome.UNSENT, reason, ends_run=True)
    is_forbidden = isinstance(error, PermissionDeniedError)
    return Verdict(DeleteOutcome(outcome_of(error).value), reason, is_forbidden=is_forbidden)


@attrs.define
class Failures:
    """The failures of a run, as far as they may end it."""

    _n_forbidden: int = 0
    _n_unanswered: int = 0
    _may_delete: bool = False

    def end_run(self, verdict: Verdict) -> bool:
        """Count a verdict; returns whether the run has to end."""
        self._may_delete = self._may_delete or verdict.outcome in GONE
        self._n_forbidden += verdict.is_forbidden
        self._n_unanswered = self._n_unanswered + 1 if verdict.outcome is DeleteOutcome.UNKNOWN else 0
        is_forbidden = self._n_forbidden >= MAX_FAILURES and not self._may_delete
        return verdict.ends_run or is_forbidden or self._n_unanswered >= MAX_FAILURES


def key_in(item: Any, *, by: str, prefixes: Collection[str] = ()) -> str:
    """The key of a row: of a text itself, of a mapping its `id` or `_id`, of a record its `id`.

    Raises:
        ValueError, TypeError: It has none, or one that the call does not accept; see `checked_key`.
    """
    if isinstance(item, Unreadable):
        raise ValueError(item.reason)  # noqa: TRY004 - the reason why the row is malformed
    if isinstance(item, Record):
        item = item.id
    elif isinstance(item, Mapping):
        held = {item[name] for name in ("id", "_id") if isinstance(item.get(name), str)}
        if len(held) > 1:
            raise ValueError("id and _id are different")
        item = item.get("id", item.get("_id"))
    if item is None or item == "":
        raise ValueError("id is missing")
    return checked_key(item.strip() if isinstance(item, str) else item, by=by, prefixes=prefixes)
