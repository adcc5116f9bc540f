"""The outcomes of the rows of an upsert.

Every row taken from the input ends in exactly one of nine outcomes, per chunk and in total:

    rows = created + updated + unchanged + unreported + rejected + invalid + dropped + unknown + unsent
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import attrs

from planhat_async.errors import PlanhatError

MAX_PROBLEMS = 1000
"""How many problems, and reasons, an `UpsertResult` keeps; the counts and positions go on."""
_MAX_SHOWN = 300


class Outcome(StrEnum):
    """The outcome of one row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    """Planhat had it already, as it is."""
    UNREPORTED = "unreported"
    """Accepted, by an answer that does not itemise: tickets are answered with two counts only."""
    REJECTED = "rejected"
    """Planhat refused it."""
    INVALID = "invalid"
    """Not sent, because Planhat would refuse or drop it."""
    DROPPED = "dropped"
    """Left out, without a word, by an answer that itemises everything else."""
    UNKNOWN = "unknown"
    """Sent, and no answer tells its outcome; never sent again by itself unless that is safe."""
    UNSENT = "unsent"
    """Taken from the input, not processed: the run ended first, or Planhat could not be used."""


STORED = (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.UNREPORTED)


@attrs.frozen(kw_only=True)
class Problem:
    """Why a row was not stored, as far as that is known."""

    outcome: Outcome
    reason: str
    position: int | None = None
    """The row's position in the input, counted from 0; `None` where Planhat named no row."""
    key: str | None = None
    """The row's key."""


@attrs.define(kw_only=True)
class ProblemGroup:
    """Rows that were not stored for one reason."""

    outcome: Outcome
    reason: str
    n_rows: int = 0
    positions: tuple[range, ...] = ()
    """Where those that are known by position stood in the input, counted from 0."""
    key: str | None = None
    """The row's key, where one row is known by position."""


@attrs.frozen
class Unreadable:
    """Stands for a row that its source could not read, so that it is accounted for as invalid."""

    reason: str


@attrs.define(kw_only=True)
class Counts:
    """Rows by outcome."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    unreported: int = 0
    rejected: int = 0
    invalid: int = 0
    dropped: int = 0
    unknown: int = 0
    unsent: int = 0

    def count(self, outcome: Outcome, n_rows: int = 1) -> None:
        """Add rows to an outcome."""
        setattr(self, outcome.value, getattr(self, outcome.value) + n_rows)

    def counts(self) -> dict[str, int]:
        """The nine counts by name."""
        return {outcome.value: getattr(self, outcome.value) for outcome in Outcome}

    @property
    def rows(self) -> int:
        """Rows taken from the input: the sum of the nine counts."""
        return sum(self.counts().values())

    @property
    def stored(self) -> int:
        """Rows that Planhat holds as they were sent."""
        return sum(getattr(self, outcome.value) for outcome in STORED)

    @property
    def ok(self) -> bool:
        """Whether every row was stored."""
        return self.stored == self.rows


@attrs.define(kw_only=True, repr=False)
class ChunkResult(Counts):
    """The outcomes of the rows of one chunk.

    Rows found invalid before this chunk was cut are counted here too, so that chunks add up to the input.
    """

    number: int
    """Chunks are counted from 0 in the order of the input; they may end in another order."""
    positions: tuple[range, ...] = ()
    """Where the rows stood in the input."""
    problems: list[Problem] = attrs.field(factory=list)
    """Every row known not to be stored."""
    created_ids: tuple[str, ...] = ()
    """The `_id`s Planhat made, where its answer tells them."""
    ids_by_source_id: dict[str, str] = attrs.field(factory=dict)
    """`_id` by `source_id`, where the answer tells both."""
    ids_by_external_id: dict[str, str] = attrs.field(factory=dict)
    """`_id` by `external_id`, likewise: unique within a company only, and a ticket's is what was its `source_id`."""
    answer: dict[str, Any] = attrs.field(factory=dict)
    """What else the answer held, by Planhat's names."""
    error: PlanhatError | None = None
    """Why no answer could be read, if none could."""
    isolation_calls: int = 0
    """Calls spent on finding the rows behind errors that name none (`isolate=True`)."""

    def __repr__(self) -> str:
        """Only what is not zero, and why rows were not stored."""
        return _short(self, f"number={self.number}", stopped_by=self.error)

    @property
    def not_stored(self) -> dict[Outcome, tuple[range, ...]]:
        """Input positions by outcome, as far as they are known."""
        positions: dict[Outcome, list[int]] = {}
        for problem in self.problems:
            if problem.position is not None:
                positions.setdefault(problem.outcome, []).append(problem.position)
        return {outcome: ranges_of(known) for outcome, known in positions.items()}


@attrs.define(kw_only=True, repr=False)
class UpsertResult(Counts):
    """The outcomes of all rows.

    Its size grows only with the number of separate runs of rows that were not stored.
    """

    n_chunks: int = 0
    """Chunks that left, or were to leave."""
    problems: list[Problem] = attrs.field(factory=list)
    """The first 1,000 rows known not to be stored."""
    n_problems: int = 0
    """How many there were."""
    isolation_calls: int = 0
    """Calls spent on finding the rows behind errors that name none (`isolate=True`)."""
    stopped_by: PlanhatError | None = None
    """What ended the run early: a refused token, a server that cannot be reached."""
    error: PlanhatError | None = None
    """The first error for which rows of a chunk were not stored, if there was one."""
    _groups: dict[tuple[Outcome, str], tuple[ProblemGroup, list[range]]] = attrs.field(
        factory=dict, init=False, eq=False
    )
    """Each reason, and where its rows stood, chunk by chunk."""
    _not_stored: dict[Outcome, list[range]] = attrs.field(factory=dict, init=False, eq=False)

    def __repr__(self) -> str:
        """Only what is not zero, what ended the run early, and the first problem."""
        return _short(self, stopped_by=self.stopped_by)

    @property
    def problem_groups(self) -> tuple[ProblemGroup, ...]:
        """Each reason once, with all of its rows: the first 1,000 reasons, in the order in which they first came."""
        return tuple(attrs.evolve(group, positions=merged(ranges)) for group, ranges in self._groups.values())

    @property
    def not_stored(self) -> dict[Outcome, tuple[range, ...]]:
        """Input positions by outcome, as far as they are known."""
        return {outcome: merged(ranges) for outcome, ranges in self._not_stored.items()}

    def add(self, chunk: ChunkResult) -> None:
        """Take a chunk's account into the total."""
        for name, n_rows in chunk.counts().items():
            self.count(Outcome(name), n_rows)
        self.n_chunks += 1
        self.isolation_calls += chunk.isolation_calls
        self.n_problems += len(chunk.problems)
        self.problems += chunk.problems[: MAX_PROBLEMS - len(self.problems)]
        self.error = self.error or chunk.error
        self._add_groups(chunk)
        for outcome, ranges in chunk.not_stored.items():
            self._not_stored.setdefault(outcome, []).extend(ranges)

    def raise_for_problems(self) -> None:
        """Raise unless every row was stored.

        Raises:
            UpsertError: With this result; its cause is what ended the run early, or else the first chunk's error.
        """
        if self.ok:
            return
        wrong = ", ".join(f"{n} {name}" for name, n in self.counts().items() if n and Outcome(name) not in STORED)
        why = _why(self, self.stopped_by)
        message = f"{self.rows - self.stored} of {self.rows} rows were not stored: {wrong}"
        raise UpsertError(f"{message}; {why}" if why else message, result=self) from self.stopped_by or self.error

    def _add_groups(self, chunk: ChunkResult) -> None:
        for group in grouped(chunk.problems):
            what = (group.outcome, group.reason)
            if what in self._groups:
                before, ranges = self._groups[what]
                before.n_rows += group.n_rows
                before.key = (before.key or group.key) if not (ranges and group.positions) else None
                ranges += group.positions
            elif len(self._groups) < MAX_PROBLEMS:
                self._groups[what] = (group, [*group.positions])


def grouped(problems: Iterable[Problem]) -> list[ProblemGroup]:
    """Problems by outcome and reason, in the order in which these first come."""
    found: dict[tuple[Outcome, str], list[Problem]] = {}
    for problem in problems:
        found.setdefault((problem.outcome, problem.reason), []).append(problem)
    return [_group_of(*what, them) for what, them in found.items()]


def _group_of(outcome: Outcome, reason: str, problems: Sequence[Problem]) -> ProblemGroup:
    keys = {one.position: one.key for one in problems if one.position is not None}
    return ProblemGroup(
        outcome=outcome,
        reason=reason,
        n_rows=len(problems),
        positions=ranges_of(keys),
        key=next(iter(keys.values())) if len(keys) == 1 else None,
    )


def _short(result: ChunkResult | UpsertResult, *more: str, stopped_by: PlanhatError | None) -> str:
    """A result in one line."""
    shown = [*more, *(f"{name}={n_rows}" for name, n_rows in result.counts().items() if n_rows)]
    why = _why(result, stopped_by)
    return f"{type(result).__name__}({', '.join(shown)}{f': {why}' if why else ''})"


def _why(result: ChunkResult | UpsertResult, stopped_by: PlanhatError | None) -> str:
    """What ended it early and the first problem, in words; the same words only once."""
    said = [] if stopped_by is None else [f"stopped by {type(stopped_by).__name__}: {_one_line(str(stopped_by))}"]
    if result.problems and (stopped_by is None or result.problems[0].reason != str(stopped_by)):
        first = result.problems[0]
        row = "a row" if first.position is None else f"row {first.position}"
        said.append(f"{row}{f' ({_one_line(first.key)})' if first.key else ''}: {_one_line(first.reason)}")
    return "; ".join(said)


def _one_line(text: str) -> str:
    """A text that may have come from anywhere, fit for a message."""
    shown = " ".join("".join(one if one.isprintable() else " " for one in text[: 2 * _MAX_SHOWN]).split())
    return shown if len(shown) <= _MAX_SHOWN else shown[: _MAX_SHOWN - 1] + "…"


class UpsertError(PlanhatError):
    """Rows were not stored; raised on request only, after every row has been tried.

    Attributes:
        result: The account of all rows.
    """

    def __init__(self, message: str, *, result: UpsertResult) -> None:
        super().__init__(message)
        self.result = result


def ranges_of(positions: Iterable[int]) -> tuple[range, ...]:
    """Positions, in any order, as ranges: as few as can be."""
    out: list[range] = []
    start = stop = -1
    for position in sorted(positions):
        if position > stop:
            if stop >= 0:
                out.append(range(start, stop))
            start = position
        stop = position + 1
    return (*out, range(start, stop)) if stop >= 0 else ()


def merged(ranges: Iterable[range]) -> tuple[range, ...]:
    """Ranges in order, neighbours joined."""
    out: list[range] = []
    for one in sorted(ranges, key=lambda r: r.start):
        if out and one.start <= out[-1].stop:
            out[-1] = range(out[-1].start, max(one.stop, out[-1].stop))
        elif one:
            out.append(one)
    return tuple(out)
