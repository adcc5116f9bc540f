"""What an upsert's answer says of its rows: decisions only.

Planhat answers with counts, with error lists of undocumented form, and for tickets with two counts only. This
module turns that into an account in which every row sent is in exactly one outcome. A row is blamed only where
an error names its key; everything else is a count.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from planhat_async.batching.attribution import attributed, errors_in, objects_in, unnamed
from planhat_async.batching.chunking import Chunk, Row, Rows, halves_of
from planhat_async.batching.recording import Recorded
from planhat_async.batching.verifying import Floor
from planhat_async.errors import PlanhatError
from planhat_async.results import ChunkResult, Outcome, Problem

_logger = logging.getLogger("planhat_async.upserting")

_COUNTS = {"created": Outcome.CREATED, "updated": Outcome.UPDATED, "nonupdates": Outcome.UNCHANGED}
_ITEMS = {"insertsKeys", "updatesKeys", "modified", "upsertedIds"}
_MAX_REFUSALS = 100
"""After so many refusals of the same chunk its rows are not sent again."""
_MAX_TOO_LARGE = 10
"""After so many single rows that are too large the rest of a chunk is not tried."""


@attrs.frozen(kw_only=True)
class Answer:
    """What came back for one request."""

    status: int
    account: Any
    """The decoded body."""
    follows_unknown: bool = False
    """Whether an earlier attempt may have stored the rows already."""


@attrs.define
class Isolation:
    """Whether rows behind errors that name none are looked for, and at what cost at most, in a whole run."""

    calls_left: int

    def spend(self, n_calls: int) -> bool:
        """Take calls, if there are that many."""
        if self.calls_left < n_calls:
            return False
        self.calls_left -= n_calls
        return True


@attrs.define
class Part:
    """Rows of a chunk that make up one request."""

    rows: Rows
    may_be_stored: bool = False
    """Whether a request before this one may have stored them."""
    follows_unknown: bool = False
    """Whether one of those got no answer: then a later refusal does not say that a row is missing."""
    has_left: bool = False
    """Whether this request has left."""


@attrs.define
class Account:
    """The rows of one chunk, by outcome, filled in answer by answer."""

    chunk: Chunk
    isolation: Isolation | None = None
    """Looks for the rows behind errors that name none."""
    is_verified: bool = False
    """Whether somebody looks for rows without an answer in Planhat's list."""
    result: ChunkResult = attrs.field(init=False)
    left: list[Part] = attrs.field(init=False)
    """What is still to be sent, or being sent, the next one last."""
    doubtful: list[tuple[Row, str]] = attrs.field(factory=list)
    """Rows without an answer that are to be looked for, and why there is none."""
    doubt_error: PlanhatError | None = None
    """The error that said so."""
    follows_unknown: bool = False
    """Whether an earlier attempt may have stored the rows that an answer is about."""
    n_too_large: int = 0
    n_refusals: int = 0
    """How many times Planhat has refused all for the sake of some."""
    floor: Floor | None = None
    """Where the chunk's records can be, if a record of chunks has kept it."""
    stored_before: dict[Outcome, int] = attrs.field(factory=dict)
    """Rows that an answer counted which is not taken as their last: they are unchanged when they are sent again."""

    def __attrs_post_init__(self) -> None:
        self.left = [Part(self.chunk.rows)] if self.chunk.rows else []
        self.result = ChunkResult(number=self.chunk.number, positions=self.chunk.positions)
        self._list(self.chunk.invalid)

    @property
    def is_settled(self) -> bool:
        """Whether every row is in an outcome."""
        return not self.left and not self.doubtful

    def resume(self, recorded: Recorded) -> None:
        """Go on from what earlier runs know."""
        self.result = recorded.settled
        stored = recorded.may_be_stored
        self.left = [Part(recorded.left, may_be_stored=stored, follows_unknown=stored)] if recorded.left else []
        self.floor = recorded.floor
        self.doubt(recorded.doubtful, "in flight when an earlier run ended")

    def settle(self, rows: Iterable[Row], outcome: Outcome, reason: str) -> None:
        """Put these rows, each by name, into an outcome that is not one of the stored ones."""
        self._list(Problem(outcome=outcome, reason=reason, position=row.position, key=row.key) for row in rows)

    def doubt(self, rows: Iterable[Row], reason: str) -> None:
        """Note that no answer says what became of these rows: they are unknown, unless somebody looks for them."""
        if self.is_verified:
            self.doubtful += [(row, reason) for row in rows]
        else:
            self.settle(rows, Outcome.UNKNOWN, reason)

    def fail(self, part: Part, error: PlanhatError, outcome: Outcome) -> None:
        """Put these rows into an outcome because of an error."""
        if outcome is not Outcome.UNKNOWN and not part.may_be_stored:
            self.settle(part.rows, outcome, str(error))
        else:
            self.doubt(part.rows, str(error))
            if self.is_verified:
                self.doubt_error = error
                return
        self.result.error = error

    def find(self, found: Iterable[tuple[Row, str]], missing: Rows = ()) -> None:
        """Settle rows in doubt: those found in Planhat's list, by `_id`, and those to be sent again; others stay."""
        found = list(found)
        settled = {row.position for row, _ in found} | {row.position for row in missing}
        self.doubtful = [(row, reason) for row, reason in self.doubtful if row.position not in settled]
        if missing:
            self.left.append(Part(missing, may_be_stored=True))
        ids = tuple(record_id for _, record_id in found)
        self.result.count(Outcome.CREATED, len(ids))
        self.result.created_ids += ids

    def stop(self, error: PlanhatError) -> None:
        """Send no other part: Planhat refuses everything."""
        for part in self.left[:-1]:
            outcome = Outcome.UNKNOWN if part.may_be_stored else Outcome.UNSENT
            self.settle(part.rows, outcome, f"not sent: {error}")
        del self.left[:-1]

    def stay_in_doubt(self, why: str) -> None:
        """Give up looking for what is in doubt: it is unknown."""
        doubtful, self.doubtful = self.doubtful, []
        if doubtful:
            self.result.error = self.result.error or self.doubt_error
        for row, reason in doubtful:
            self.settle([row], Outcome.UNKNOWN, f"{reason}; {why}" if why else reason)

    def abandon(self, reason: str) -> None:
        """Send nothing more: rows were looked for in vain, and sent again, too often."""
        self.result.error = self.doubt_error
        while self.left:
            self.settle(self.left.pop().rows, Outcome.UNKNOWN, reason)

    def leave(self, has_left: bool) -> None:
        """Note whether the next rows have left, or it turned out that nothing of them was processed."""
        self.left[-1].has_left = has_left

    def give_up(self) -> None:
        """Account for the rows that are left: those that may have left are unknown, the others unsent."""
        self.stay_in_doubt("")
        while self.left:
            part = self.left.pop()
            if part.has_left or part.may_be_stored:
                self.settle(part.rows, Outcome.UNKNOWN, "given up before its answer came")
            else:
                self.settle(part.rows, Outcome.UNSENT, "given up before it was sent")

    def refuse_as_too_large(self) -> None:
        """Note that a single row was too large; where many are, the rest is not tried one by one."""
        self.n_too_large += 1
        if self.n_too_large >= _MAX_TOO_LARGE:
            for part in self.left[:-1]:
                reason = f"not sent: {self.n_too_large} single rows beside it were too large"
                self.settle(part.rows, Outcome.UNKNOWN if part.may_be_stored else Outcome.UNSENT, reason)
            del self.left[:-1]

    def read(self, rows: Rows, answer: Answer) -> list[Rows]:
        """Take an answer into account; returns the rows to send again, in as many requests as there are parts.

        They may have been stored already.
        """
        if not isinstance(answer.account, Mapping):
            self.doubt(rows, f"answered {answer.status} with something else than an account")
            return []
        errors = errors_in(answer.account)
        blamed, unattributed = attributed(errors, rows) if errors else ({}, [])
        self.follows_unknown = answer.follows_unknown or any(part.follows_unknown for part in self.left[-1:])
        left = tuple(row for row in rows if row.position not in blamed) if blamed else rows
        if unattributed and (parts := self.halve(left)):
            self._blame(rows, blamed)
            self._keep(answer.account)
            self._remember(answer.account, len(left))
            return parts
        if answer.status in {400, 403}:
            return self._read_refusal(rows, answer, blamed, unattributed)
        self._read_success(rows, answer.account, blamed, unattributed)
        return []

    def halve(self, rows: Rows) -> list[Rows]:
        """The rows in two parts, to find out which of them an error is about; none where that is not wanted."""
        if self.isolation is None or len(rows) < 2 or not self.chunk.is_keyed or not self.isolation.spend(2):
            return []
        self.result.isolation_calls += 2
        return halves_of(rows)

    def _remember(self, answer: Mapping[str, Any], n_rows: int) -> None:
        """Keep what an answer counted as created or updated: sent again, these rows come back as unchanged."""
        for name in ("created", "updated"):
            told = answer.get(name)
            n_told = min(told, n_rows) if isinstance(told, int) and told > 0 else 0
            self.stored_before[_COUNTS[name]] = self.stored_before.get(_COUNTS[name], 0) + n_told

    def _read_success(
        self, rows: Sequence[Row], answer: Mapping[str, Any], blamed: dict[int, str], unattributed: list[str]
    ) -> None:
        left = [row for row in rows if row.position not in blamed] if blamed else rows
        self._blame(rows, blamed)
        n_left = self._count(answer, unattributed, len(left))
        self._keep(answer)
        if not n_left:
            return
        if not any(name in answer for name in _COUNTS):
            self._some(left, n_left, Outcome.UNKNOWN, "the answer tells no counts")
        elif "nonupdates" not in answer:
            self._count_as_before(Outcome.UNREPORTED, n_left)
        else:
            # What this answer leaves out, an earlier attempt may have stored.
            may_be_stored = self.follows_unknown or any(part.may_be_stored for part in self.left[-1:])
            outcome = Outcome.UNKNOWN if may_be_stored else Outcome.DROPPED
            self._some(unnamed(left, answer), n_left, outcome, "the answer leaves it out")

    def _read_refusal(
        self,
        rows: Rows,
        answer: Answer,
        blamed: dict[int, str],
        unattributed: list[str],
    ) -> list[Rows]:
        """Read a 400 or 403: what it did to the rows it does not blame is not documented."""
        self._blame(rows, blamed)
        left = tuple(row for row in rows if row.position not in blamed)
        self.n_refusals += 1
        if blamed and all(row.keys for row in left) and self.n_refusals < _MAX_REFUSALS:
            self._keep(answer.account)
            self._remember(answer.account, len(left))
            return [left] if left else []
        n_left = self._count(answer.account, unattributed, len(left))
        self._keep(answer.account)
        self._some(left, n_left, Outcome.UNKNOWN, f"answered {answer.status}, which says nothing about this row")
        return []

    def _count(self, answer: Mapping[str, Any], unattributed: list[str], n_left: int) -> int:
        """Count what the answer counts, never more than was sent; returns how many rows are left over."""
        n_left -= self._refuse_nameless(answer, unattributed, n_left)
        for name, outcome in _COUNTS.items():
            told = answer.get(name)
            n_rows = told if isinstance(told, int) and told > 0 else 0
            if n_rows > n_left:
                _logger.warning("chunk %d: answer counts %d %s, %d rows left", self.chunk.number, n_rows, name, n_left)
            self._count_as_before(outcome, min(n_rows, n_left))
            n_left -= min(n_rows, n_left)
        return n_left

    def _refuse_nameless(self, answer: Mapping[str, Any], reasons: list[str], n_left: int) -> int:
        """Put rows that nobody names into an outcome, for each error one; returns how many.

        A row may have more than one error: what the answer counts as stored is not called refused.
        """
        n_told = sum(told for name in _COUNTS if isinstance(told := answer.get(name), int) and told > 0)
        n_rows = min(len(reasons), n_left, max(1, n_left - n_told))
        if n_rows < len(reasons):
            _logger.warning("chunk %d: %d errors name no row, %d rows left", self.chunk.number, len(reasons), n_left)
            reasons = [*reasons[: n_rows - 1], "; ".join(reasons[n_rows - 1 :])] if n_rows else []
        refused = Outcome.UNKNOWN if self.follows_unknown else Outcome.REJECTED
        self._list(Problem(outcome=refused, reason=reason) for reason in reasons)
        return n_rows

    def _count_as_before(self, outcome: Outcome, n_rows: int) -> None:
        """Count rows as what they were the first time, if they were stored by an answer that was not the last."""
        for before in (
            (Outcome.CREATED, Outcome.UPDATED) if self.stored_before and outcome is not Outcome.CREATED else ()
        ):
            n_before = min(n_rows, self.stored_before.get(before, 0))
            if n_before:
                self.stored_before[before] -= n_before
                self.result.count(before, n_before)
                n_rows -= n_before
        self.result.count(outcome, n_rows)

    def _blame(self, rows: Sequence[Row], blamed: dict[int, str]) -> None:
        self._list(
            Problem(
                # A row that an earlier attempt may have stored is not known to be missing.
                outcome=Outcome.UNKNOWN if self.follows_unknown else Outcome.REJECTED,
                reason=blamed[row.position],
                position=row.position,
                key=row.key,
            )
            for row in rows
            if row.position in blamed
        )

    def _some(self, rows: Sequence[Row], n_rows: int, outcome: Outcome, reason: str) -> None:
        """Put `n_rows` of these rows into an outcome, by name only if that is all of them."""
        if len(rows) == n_rows and outcome is Outcome.UNKNOWN:
            self.doubt(rows, reason)
        elif len(rows) == n_rows:
            self.settle(rows, outcome, reason)
        else:
            nameless = Problem(outcome=outcome, reason=reason)
            self._list([nameless] * n_rows)

    def _list(self, problems: Iterable[Problem]) -> None:
        listed = list(problems)
        self.result.problems += listed
        for outcome, n_rows in Counter(problem.outcome for problem in listed).items():
            self.result.count(outcome, n_rows)

    def _keep(self, answer: Mapping[str, Any]) -> None:
        """Keep the keys that Planhat made, and whatever nobody here knows."""
        inserted, updated = (objects_in(answer.get(name)) for name in ("insertsKeys", "updatesKeys"))
        listed = answer.get("upsertedIds")
        ids = listed if isinstance(listed, list) else [one.get("_id") for one in inserted]
        self.result.created_ids += tuple(one for one in ids if isinstance(one, str))
        for one in (*inserted, *updated):
            for name in ("sourceId", "externalId"):
                if isinstance(one.get(name), str) and isinstance(one.get("_id"), str):
                    self.result.ids_by_key[one[name]] = one["_id"]
        for name in answer.keys() - _COUNTS.keys() - _ITEMS:
            before = self.result.answer.get(name)
            both = isinstance(before, list) and isinstance(answer[name], list)
            self.result.answer[name] = [*before, *answer[name]] if both else answer[name]  # type: ignore[misc]


def tells_of_rows(answer: Any) -> bool:
    """Whether an answer says something of single rows: errors, or how many were stored."""
    if not isinstance(answer, Mapping):
        return False
    return bool(errors_in(answer)) or any(answer.get(name) for name in _COUNTS)
