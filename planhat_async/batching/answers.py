"""An account of one chunk's rows, filled in answer by answer: decisions only.

Every row sent is in exactly one outcome in the end. What single answers say is read in `verdicts.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from planhat_async.batching.attribution import errors_in
from planhat_async.batching.chunking import Chunk, Row, Rows, halves_of
from planhat_async.batching.parts import Isolation, Part
from planhat_async.batching.recording import Recorded
from planhat_async.batching.statements import COUNTS, Earlier, n_stated
from planhat_async.batching.verifying import Floor
from planhat_async.errors import PlanhatError
from planhat_async.results import ChunkResult, Outcome, Problem

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
    named: dict[int, Outcome] = attrs.field(factory=dict)
    """Rows that an answer has named as stored, by position, and that are sent again all the same."""
    refused: list[tuple[Problem, tuple[Earlier, ...]]] = attrs.field(factory=list)
    """Rows that may be stored although they were refused, and the answers that may have stored them."""
    n_too_large: int = 0
    n_refusals: int = 0
    """How many times Planhat has refused all for the sake of some."""
    floor: Floor | None = None
    """Where the chunk's records can be, if a record of chunks has kept it."""

    def __attrs_post_init__(self) -> None:
        self.left = [Part(self.chunk.rows)] if self.chunk.rows else []
        self.result = ChunkResult(number=self.chunk.number, positions=self.chunk.positions)
        self.add_problems(self.chunk.invalid)

    @property
    def is_settled(self) -> bool:
        """Whether every row is in an outcome."""
        return not self.left and not self.doubtful and not self.refused

    def resume(self, recorded: Recorded) -> None:
        """Go on from what earlier runs know."""
        self.result = recorded.settled
        stored = recorded.may_be_stored
        self.left = [Part(recorded.left, may_be_stored=stored, follows_unknown=stored)] if recorded.left else []
        self.floor = recorded.floor
        self.doubt(recorded.doubtful, "in flight when an earlier run ended")

    def settle(self, rows: Iterable[Row], outcome: Outcome, reason: str) -> None:
        """Put these rows, each by name, into an outcome that is not one of the stored ones.

        Those that an answer has named as stored are what it said.
        """
        rows = self.settle_named(tuple(rows))
        self.add_problems(Problem(outcome=outcome, reason=reason, position=row.position, key=row.key) for row in rows)

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
        self.conclude()
        while self.left:
            part = self.left.pop()
            if part.has_left or part.may_be_stored:
                self.settle(part.rows, Outcome.UNKNOWN, "given up before its answer came")
            else:
                self.settle(part.rows, Outcome.UNSENT, "given up before it was sent")

    def conclude(self) -> None:
        """Settle the rows that were refused and may be stored: no other answer tells of them."""
        refused, self.refused = self.refused, []
        for problem, earlier in refused:
            self.add_problems([as_unknown(problem) if any(one.leaves_doubt for one in earlier) else problem])

    def refuse_as_too_large(self) -> None:
        """Note that a single row was too large; where many are, the rest is not tried one by one."""
        self.n_too_large += 1
        if self.n_too_large >= _MAX_TOO_LARGE:
            for part in self.left[:-1]:
                reason = f"not sent: {self.n_too_large} single rows beside it were too large"
                self.settle(part.rows, Outcome.UNKNOWN if part.may_be_stored else Outcome.UNSENT, reason)
            del self.left[:-1]

    def halve(self, rows: Rows) -> list[Rows]:
        """The rows in two parts, to find out which of them an error is about; none where that is not wanted."""
        if self.isolation is None or len(rows) < 2 or not self.chunk.is_keyed or not self.isolation.spend(2):
            return []
        self.result.isolation_calls += 2
        return halves_of(rows)

    def settle_named(self, rows: Rows, earlier: Sequence[Earlier] = ()) -> Rows:
        """Settle the rows that an answer has named as stored; returns the others.

        Args:
            rows: Rows.
            earlier: What the answers stated after which they were sent again.
        """
        if not self.named:
            return rows
        others = tuple(row for row in rows if row.position not in self.named)
        for row in rows:
            if row.position in self.named:
                self.result.count(self.named[row.position])
        for one in earlier:
            one.n_found += len(rows) - len(others)
        return others

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Put rows into the outcomes that their problems name."""
        listed = list(problems)
        self.result.problems += listed
        for outcome, n_rows in Counter(problem.outcome for problem in listed).items():
            self.result.count(outcome, n_rows)


def tells_of_rows(answer: Any) -> bool:
    """Whether an answer says something of single rows: errors, or how many were stored."""
    if not isinstance(answer, Mapping):
        return False
    return bool(errors_in(answer)) or any(n_stated(answer, outcome, ()) for outcome in COUNTS)


def as_unknown(problem: Problem) -> Problem:
    """The same problem of a row that may be stored."""
    return attrs.evolve(problem, outcome=Outcome.UNKNOWN)
