"""The outcome of each row of one chunk, filled in answer by answer: decisions only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from planhat_async.batching.answer_counts import EarlierAnswer
from planhat_async.batching.answers import Answer, ChunkHistory, as_unknown, merged_items, read_answer
from planhat_async.batching.attribution import AnswerKeys, created_ids_in, ids_by_key_in
from planhat_async.batching.chunk_ledger import Recorded
from planhat_async.batching.chunk_part import Isolation, Part
from planhat_async.batching.chunks import Chunk, Row, Rows, halves_of
from planhat_async.batching.request_failures import outcome_of, refuses_everything
from planhat_async.batching.verification import Floor
from planhat_async.errors import BadRequestError, DecodeError, PayloadTooLargeError, PlanhatError
from planhat_async.results import ChunkResult, Outcome, Problem

_MAX_TOO_LARGE = 10
"""Single rows that are too large after which the rest of a chunk is not sent."""
_CALLS_OF_HALVES = 2


@attrs.define
class ChunkOutcome:
    """The rows of one chunk by outcome; in the end every row is in exactly one.

    Until then it is in a part that is pending or in flight, or doubtful until Planhat's list is read, or refused until
    no later answer can show that it was stored.
    """

    chunk: Chunk
    isolation: Isolation = attrs.field(factory=Isolation)
    """The calls left for finding the rows of errors that name no row; the chunks of a run share them."""
    is_verified: bool = False
    """Whether rows without an answer are looked for in Planhat's list."""
    result: ChunkResult = attrs.field(init=False)
    pending: list[Part] = attrs.field(init=False)
    """The parts to be sent, the next one last, without the part in flight."""
    doubtful: list[tuple[Row, str]] = attrs.field(factory=list)
    """Rows without an answer that have to be looked for, and the reasons why they have none."""
    n_too_large: int = 0
    n_refusals: int = 0
    """Number of 400 and 403 answers that blamed single rows."""
    floor: Floor | None = None
    """Where the chunk's records can be, if an earlier run has recorded it."""
    _doubt_error: PlanhatError | None = None
    """The error that made rows doubtful."""
    _named: dict[int, Outcome] = attrs.field(factory=dict)
    """Rows that an answer has named as stored and that are sent again, by position."""
    _earlier: list[EarlierAnswer] = attrs.field(factory=list)
    """The answers after which rows were sent again."""
    _refused: list[tuple[Problem, tuple[int, ...]]] = attrs.field(factory=list)
    """Rows that were refused, and the indexes of the answers that may have stored them."""

    def __attrs_post_init__(self) -> None:
        self.pending = [Part(self.chunk.rows)] if self.chunk.rows else []
        self.result = ChunkResult(number=self.chunk.number, positions=self.chunk.positions)
        self._add_problems(self.chunk.invalid)
        self.result.count(Outcome.SKIPPED, self.chunk.n_skipped)

    @property
    def is_settled(self) -> bool:
        """Whether every row has its final outcome."""
        return not self.pending and not self.doubtful and not self._refused

    def resume(self, recorded: Recorded) -> None:
        """Go on from what earlier runs have recorded."""
        self.result = recorded.settled
        stored = recorded.may_be_stored
        self.pending = (
            [Part(recorded.pending, may_be_stored=stored, follows_unknown=stored)] if recorded.pending else []
        )
        self.floor = recorded.floor
        self.doubt(recorded.doubtful, "in flight when an earlier run ended")

    def take_answer(self, part: Part, answer: Answer) -> list[Part]:
        """Settle the rows of a part by its answer; returns the parts that are to be sent again."""
        earlier = tuple(self._earlier[index] for index in part.earlier)
        can_halve = self._can_halve(part.rows)
        history = ChunkHistory(self.chunk, self._named, earlier, can_halve=can_halve, n_refusals=self.n_refusals)
        verdict = read_answer(part, answer, history)
        self._keep_ids(answer.body, answer.keys)
        for index, one in zip(part.earlier, verdict.earlier, strict=True):
            self._earlier[index] = one
        for outcome, n_rows in verdict.counts.items():
            self.result.count(outcome, n_rows)
        self._add_problems(verdict.problems)
        self._refused += [(problem, part.earlier) for problem in verdict.refused]
        self.doubt(verdict.doubtful, verdict.doubt)
        self._named = {**verdict.named, **self._named}  # the first answer counts: a second one calls the row unchanged
        self.n_refusals += verdict.is_refusal
        if verdict.as_earlier is None:
            return []
        if verdict.is_halved:
            self._spend_halving()
        self._earlier.append(verdict.as_earlier)
        index, unknown = len(self._earlier) - 1, answer.follows_unknown
        return [part.followed_by(rows, follows_unknown=unknown, earlier=index) for rows in verdict.resend]

    def take_error(self, part: Part, error: PlanhatError) -> list[Part]:
        """Settle the rows of a part that got no readable answer; returns the parts that are to be sent again."""
        is_unknown = error.may_have_been_processed
        is_too_large = isinstance(error, PayloadTooLargeError)
        if is_too_large and len(part.rows) > 1:
            return [part.followed_by(rows, follows_unknown=is_unknown) for rows in halves_of(part.rows)]
        if isinstance(error, BadRequestError) and self._can_halve(part.rows):
            self._spend_halving()
            return [part.followed_by(rows, follows_unknown=is_unknown) for rows in halves_of(part.rows)]
        if isinstance(error, DecodeError) and self.chunk.is_keyed and not part.follows_unknown:
            return [part.followed_by(part.rows, follows_unknown=True)]  # the session does not retry it
        self.fail(part, error, outcome_of(error))
        if is_too_large:
            self.n_too_large += 1
            if self.n_too_large >= _MAX_TOO_LARGE:
                self._drop_pending(f"not sent: {self.n_too_large} single rows of the chunk were too large")
        elif refuses_everything(error):
            self._drop_pending(f"not sent: {error}")
        return []

    def settle(self, rows: Iterable[Row], outcome: Outcome, reason: str) -> None:
        """Put each of these rows into an outcome other than stored, unless an answer has named it as stored."""
        listed = list(rows)
        for row in listed:
            if row.position in self._named:
                self.result.count(self._named[row.position])
        self._add_problems(
            Problem(outcome=outcome, reason=reason, position=row.position, key=row.key)
            for row in listed
            if row.position not in self._named
        )

    def doubt(self, rows: Iterable[Row], reason: str) -> None:
        """Note that the outcome of these rows is unknown or has to be looked for."""
        if self.is_verified:
            self.doubtful += [(row, reason) for row in rows]
        else:
            self.settle(rows, Outcome.UNKNOWN, reason)

    def fail(self, part: Part, error: PlanhatError, outcome: Outcome) -> None:
        """Put the rows of a part into an outcome because of an error."""
        if outcome is not Outcome.UNKNOWN and not part.may_be_stored:
            self.settle(part.rows, outcome, str(error))
        else:
            self.doubt(part.rows, str(error))
            if self.is_verified:
                self._doubt_error = error
                return
        self.result.error = error

    def settle_found(self, found: Iterable[tuple[Row, str]], missing: Rows = ()) -> None:
        """Settle doubtful rows that have an `_id` in Planhat's list; the missing ones are to be sent again."""
        found = list(found)
        settled = {row.position for row, _ in found} | {row.position for row in missing}
        self.doubtful = [(row, reason) for row, reason in self.doubtful if row.position not in settled]
        if missing:
            self.pending.append(Part(missing, may_be_stored=True))
        ids = tuple(record_id for _, record_id in found)
        self.result.count(Outcome.CREATED, len(ids))
        self.result.created_ids += ids

    def leave_unknown(self, rows: Iterable[Row], reason: str) -> None:
        """Put some of the doubtful rows into the outcome unknown, although Planhat's list was read."""
        left = {row.position for row in rows}
        self.settle([row for row, _ in self.doubtful if row.position in left], Outcome.UNKNOWN, reason)
        self.doubtful = [(row, why) for row, why in self.doubtful if row.position not in left]

    def stay_in_doubt(self, why: str) -> None:
        """Put doubtful rows into the outcome unknown."""
        doubtful, self.doubtful = self.doubtful, []
        if doubtful:
            self.result.error = self.result.error or self._doubt_error
        for row, reason in doubtful:
            self.settle([row], Outcome.UNKNOWN, f"{reason}; {why}" if why else reason)

    def abandon(self, reason: str) -> None:
        """Put pending rows, which were sent and not found too often, into the outcome unknown."""
        self.result.error = self.result.error or self._doubt_error
        while self.pending:
            self.settle(self.pending.pop().rows, Outcome.UNKNOWN, reason)

    def give_up(self) -> None:
        """Settle all rows without an outcome: those that may have been sent are unknown, the others unsent."""
        self.stay_in_doubt("")
        self.conclude()
        while self.pending:
            part = self.pending.pop()
            if part.was_sent or part.may_be_stored:
                self.settle(part.rows, Outcome.UNKNOWN, "the call was cancelled before its answer came")
            else:
                self.settle(part.rows, Outcome.UNSENT, "the call was cancelled before it was sent")

    def conclude(self) -> None:
        """Settle refused rows by the answers so far: no other answer comes."""
        refused, self._refused = self._refused, []
        for problem, earlier in refused:
            is_doubtful = any(self._earlier[index].leaves_doubt for index in earlier)
            self._add_problems([as_unknown(problem) if is_doubtful else problem])

    def _drop_pending(self, reason: str) -> None:
        """Settle pending rows without sending them."""
        for part in self.pending:
            self.settle(part.rows, Outcome.UNKNOWN if part.may_be_stored else Outcome.UNSENT, reason)
        self.pending.clear()

    def _can_halve(self, rows: Rows) -> bool:
        """Whether two more calls may be spent on finding the rows that an error is about."""
        return len(rows) > 1 and self.chunk.is_keyed and self.isolation.calls_left >= _CALLS_OF_HALVES

    def _spend_halving(self) -> None:
        self.isolation.calls_left -= _CALLS_OF_HALVES
        self.result.isolation_calls += _CALLS_OF_HALVES

    def _keep_ids(self, answer: Any, keys: AnswerKeys) -> None:
        """Keep the keys that Planhat made, and the items of the answer that are unknown here."""
        if not isinstance(answer, Mapping):
            return
        by_source_id, by_external_id = ids_by_key_in(answer, keys)
        self.result.created_ids += created_ids_in(answer)
        self.result.ids_by_source_id |= by_source_id
        self.result.ids_by_external_id |= by_external_id
        self.result.answer |= merged_items(self.result.answer, answer)

    def _add_problems(self, problems: Iterable[Problem]) -> None:
        listed = list(problems)
        self.result.problems += listed
        for outcome, n_rows in Counter(problem.outcome for problem in listed).items():
            self.result.count(outcome, n_rows)
