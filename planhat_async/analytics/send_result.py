"""The outcomes of the rows that were sent to the analytics host.

Every row taken from the input ends in exactly one of six outcomes, per chunk and in total:

    rows = processed + received + rejected + invalid + unknown + unsent
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice

import attrs

from planhat_async._convert import printable
from planhat_async.errors import PlanhatError
from planhat_async.results import MAX_PROBLEMS, merged

_MAX_CHARACTERS = 300


class SendOutcome(StrEnum):
    """The outcome of one row."""

    PROCESSED = "processed"
    """The answer counts it as processed."""
    RECEIVED = "received"
    """Accepted by an answer that does not count it: Planhat checks it later."""
    REJECTED = "rejected"
    """Rejected by Planhat."""
    INVALID = "invalid"
    """Not sent: Planhat would reject or misunderstand it."""
    UNKNOWN = "unknown"
    """Sent, but no usable answer came. Not repeated, because Planhat may count it twice."""
    UNSENT = "unsent"
    """Taken from the input but not processed: the run ended first, or Planhat could not be used."""


ACCEPTED = (SendOutcome.PROCESSED, SendOutcome.RECEIVED)


@attrs.frozen(kw_only=True)
class SendProblem:
    """Why a row was not accepted."""

    outcome: SendOutcome
    reason: str
    position: int | None = None
    """The row's position in the input, counted from 0; `None` if it is not known which row it is."""


@attrs.frozen(kw_only=True)
class SendProblemGroup:
    """All rows that were not accepted for one reason."""

    outcome: SendOutcome
    reason: str
    n_rows: int
    positions: tuple[range, ...] = ()
    """The known input positions of these rows, counted from 0."""


@attrs.define
class _Rows:
    """Some rows: how many, and the positions that are known."""

    n_rows: int = 0
    ranges: list[range] = attrs.field(factory=list)

    def add(self, ranges: Iterable[range], n_nameless: int = 0) -> None:
        self.n_rows += n_nameless
        for one in ranges:
            self.n_rows += len(one)
            if self.ranges and self.ranges[-1].stop == one.start:
                self.ranges[-1] = range(self.ranges[-1].start, one.stop)
            else:
                self.ranges.append(one)


@attrs.define(kw_only=True, repr=False)
class SendCounts:
    """Rows by outcome, and why rows were not accepted.

    Memory grows only with the number of separate ranges of rows that were not accepted.
    """

    processed: int = 0
    received: int = 0
    rejected: int = 0
    invalid: int = 0
    unknown: int = 0
    unsent: int = 0
    _groups: dict[tuple[SendOutcome, str], _Rows] = attrs.field(factory=dict, init=False)
    """The first reasons."""
    _not_accepted: dict[SendOutcome, _Rows] = attrs.field(factory=dict, init=False)

    def counts(self) -> dict[str, int]:
        """The six counts by name."""
        return {outcome.value: getattr(self, outcome) for outcome in SendOutcome}

    @property
    def rows(self) -> int:
        """Rows taken from the input: the sum of the six counts."""
        return sum(self.counts().values())

    @property
    def accepted(self) -> int:
        """Rows that Planhat accepted: processed or received."""
        return sum(getattr(self, outcome) for outcome in ACCEPTED)

    @property
    def ok(self) -> bool:
        """Whether every row was accepted."""
        return self.accepted == self.rows

    @property
    def n_problems(self) -> int:
        """Rows that were not accepted."""
        return self.rows - self.accepted

    @property
    def problem_groups(self) -> tuple[SendProblemGroup, ...]:
        """The first 1,000 reasons in order of appearance, each with all of its rows."""
        return tuple(
            SendProblemGroup(outcome=outcome, reason=reason, n_rows=found.n_rows, positions=merged(found.ranges))
            for (outcome, reason), found in self._groups.items()
        )

    @property
    def problems(self) -> list[SendProblem]:
        """The first 1,000 rows that were not accepted, by position; rows without a known position come last.

        Rows whose reason is not among the first 1,000 reasons are left out.
        """
        groups = self.problem_groups
        named = heapq.merge(*map(_problems_of, groups), key=lambda problem: problem.position or 0)
        nameless = (
            SendProblem(outcome=group.outcome, reason=group.reason)
            for group in groups
            for _ in range(group.n_rows - sum(map(len, group.positions)))
        )
        found = list(islice(named, MAX_PROBLEMS))
        return found + list(islice(nameless, MAX_PROBLEMS - len(found)))

    @property
    def not_accepted(self) -> dict[SendOutcome, tuple[range, ...]]:
        """The known input positions of rows that were not accepted, by outcome; complete, unlike `problems`."""
        return {outcome: merged(found.ranges) for outcome, found in self._not_accepted.items() if found.ranges}

    def accept(self, outcome: SendOutcome, n_rows: int) -> None:
        """Count rows that were accepted."""
        setattr(self, outcome, getattr(self, outcome) + n_rows)

    def refuse(
        self, outcome: SendOutcome, reason: str, positions: Iterable[range] = (), *, n_nameless: int = 0
    ) -> None:
        """Count rows that were not accepted.

        Args:
            outcome: Their outcome.
            reason: Why.
            positions: Their positions in the input.
            n_nameless: The number of other rows, whose positions are not known.
        """
        ranges = tuple(positions)
        setattr(self, outcome, getattr(self, outcome) + n_nameless + sum(map(len, ranges)))
        self._not_accepted.setdefault(outcome, _Rows()).add(ranges, n_nameless)
        if (outcome, reason) in self._groups or len(self._groups) < MAX_PROBLEMS:
            self._groups.setdefault((outcome, reason), _Rows()).add(ranges, n_nameless)

    def include(self, other: SendCounts) -> None:
        """Add the rows of another account."""
        for outcome in SendOutcome:
            setattr(self, outcome, getattr(self, outcome) + getattr(other, outcome))
        for outcome, found in other._not_accepted.items():
            self._not_accepted.setdefault(outcome, _Rows()).add(found.ranges)
        for key, found in other._groups.items():
            if key in self._groups or len(self._groups) < MAX_PROBLEMS:
                n_nameless = found.n_rows - sum(map(len, found.ranges))
                self._groups.setdefault(key, _Rows()).add(found.ranges, n_nameless)


@attrs.define(kw_only=True, repr=False)
class SendChunkResult(SendCounts):
    """The outcomes of the rows of one chunk, and of the rows before them that were found invalid."""

    number: int
    """Chunks are numbered from 0 in input order; with `concurrency` they may finish in another order."""
    positions: range = range(0)
    """The input positions of the rows."""
    error: PlanhatError | None = None
    """Why there is no usable answer."""

    def __repr__(self) -> str:
        return _summary(self, f"number={self.number}", stopped_by=self.error)


@attrs.define(kw_only=True, repr=False)
class SendResult(SendCounts):
    """The outcomes of all rows."""

    n_chunks: int = 0
    """Chunks that were cut, sent or not."""
    stopped_by: PlanhatError | None = None
    """The error that ended the run early: an unreachable server, a refusal of everything."""
    error: PlanhatError | None = None
    """The first error that kept rows of a chunk from being accepted."""

    def __repr__(self) -> str:
        return _summary(self, stopped_by=self.stopped_by)

    def add(self, chunk: SendChunkResult) -> None:
        """Add a chunk to the total."""
        self.include(chunk)
        self.n_chunks += 1
        self.error = self.error or chunk.error

    def raise_for_problems(self) -> None:
        """Raise unless every row was accepted.

        Raises:
            SendError: Holds this result; its cause is `stopped_by`, or else `error`.
        """
        if self.ok:
            return
        wrong = ", ".join(f"{n} {name}" for name, n in self.counts().items() if n and name not in ACCEPTED)
        message = f"{self.n_problems} of {self.rows} rows were not accepted: {wrong}"
        raise SendError("; ".join([message, *_reasons(self, self.stopped_by)]), result=self) from (
            self.stopped_by or self.error
        )


class SendError(PlanhatError):
    """Rows were not accepted. Only `raise_for_problems` raises it."""

    def __init__(self, message: str, *, result: SendResult) -> None:
        super().__init__(message)
        self.result = result
        """The outcomes of all rows."""


def _problems_of(group: SendProblemGroup) -> Iterator[SendProblem]:
    for positions in group.positions:
        for position in positions:
            yield SendProblem(outcome=group.outcome, reason=group.reason, position=position)


def _summary(result: SendCounts, *more: str, stopped_by: PlanhatError | None) -> str:
    """The counts that are not zero, and why rows were not accepted, on one line."""
    shown = ", ".join([*more, *(f"{name}={n_rows}" for name, n_rows in result.counts().items() if n_rows)])
    reasons = "; ".join(_reasons(result, stopped_by))
    return f"{type(result).__name__}({shown}{reasons and f': {reasons}'})"


def _reasons(result: SendCounts, stopped_by: PlanhatError | None) -> list[str]:
    """What ended the run early, and the first problem if its reason is a different one."""
    shown = printable(str(stopped_by), _MAX_CHARACTERS)
    reasons = [] if stopped_by is None else [f"stopped by {type(stopped_by).__name__}: {shown}"]
    group = next(iter(result.problem_groups), None)
    if group is not None and (stopped_by is None or group.reason != str(stopped_by)):
        row = f"row {group.positions[0].start}" if group.positions else "a row"
        reasons.append(f"{row}: {printable(group.reason, _MAX_CHARACTERS)}")
    return reasons
