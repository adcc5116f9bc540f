"""The outcomes of the rows of an upsert.

Every row taken from the input ends in exactly one of ten outcomes, per chunk and in total:

    rows = created + updated + unchanged + unreported + skipped + rejected + invalid + dropped + unknown + unsent
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import attrs

from planhat_async.errors import ARROW_IS_MISSING, MissingExtraError, PlanhatError

MAX_PROBLEMS = 1000
"""How many problems, and how many reasons, an `UpsertResult` keeps; counts and positions are always complete."""
_MAX_CHARACTERS = 300
_ProblemRow: TypeAlias = tuple[int | None, str | None, str, str | None]


class Outcome(StrEnum):
    """The outcome of one row."""

    CREATED = "created"
    """A new record."""
    UPDATED = "updated"
    """A record that Planhat had, with other values."""
    UNCHANGED = "unchanged"
    """Planhat already had the same values, perhaps from an earlier attempt of this call whose answer was lost."""
    UNREPORTED = "unreported"
    """Accepted by an answer that does not list rows: the answer about tickets has two counts only."""
    SKIPPED = "skipped"
    """Not sent: an earlier run stored the same row (`changed_only` of `jobs.run_upsert`)."""
    REJECTED = "rejected"
    """Rejected by Planhat."""
    INVALID = "invalid"
    """Not sent: Planhat would reject or drop it."""
    DROPPED = "dropped"
    """Missing from an answer that lists all other rows."""
    UNKNOWN = "unknown"
    """Sent, but no answer gives its outcome; sent again only if that is safe."""
    UNSENT = "unsent"
    """Taken from the input but not processed: the run ended first, or Planhat could not be used."""


STORED = (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.UNREPORTED, Outcome.SKIPPED)


@attrs.frozen(kw_only=True)
class Problem:
    """Why a row was not stored."""

    outcome: Outcome
    """Invalid, rejected, dropped, unknown or unsent."""
    reason: str
    """What Planhat, the network or the check before sending says, on one line."""
    position: int | None = None
    """The row's position in the input, counted from 0; `None` if Planhat named no row."""
    key: str | None = None
    """The row's key; `None` if it has none, if Planhat named no row, or for an invalid row."""


@attrs.define(kw_only=True)
class ProblemGroup:
    """All rows that were not stored for one reason."""

    outcome: Outcome
    reason: str
    n_rows: int = 0
    positions: tuple[range, ...] = ()
    """The known input positions of these rows, counted from 0."""
    key: str | None = None
    """The row's key, if exactly one position is known."""


class UnreadableValue(NamedTuple):
    """In place of a value that Python cannot hold, or that has no form in JSON: its row is unreadable."""

    reason: str


@attrs.frozen
class Unreadable:
    """Takes the place of an input row that could not be read; it counts as invalid."""

    reason: str


@attrs.define(kw_only=True)
class Counts:
    """Rows by outcome."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    unreported: int = 0
    skipped: int = 0
    rejected: int = 0
    invalid: int = 0
    dropped: int = 0
    unknown: int = 0
    unsent: int = 0

    def count(self, outcome: Outcome, n_rows: int = 1) -> None:
        """Add rows to an outcome."""
        setattr(self, outcome, getattr(self, outcome) + n_rows)

    def counts(self) -> dict[str, int]:
        """The ten counts by name."""
        return {outcome.value: getattr(self, outcome) for outcome in Outcome}

    @property
    def rows(self) -> int:
        """Rows taken from the input: the sum of the ten counts."""
        return sum(self.counts().values())

    @property
    def stored(self) -> int:
        """Rows that Planhat stored, in this run or, if they were skipped, in an earlier one."""
        return sum(getattr(self, outcome) for outcome in STORED)

    @property
    def ok(self) -> bool:
        """Whether every row was stored."""
        return self.stored == self.rows


@attrs.define(kw_only=True, repr=False)
class ChunkResult(Counts):
    """The outcomes of the rows of one chunk.

    Rows found invalid since the previous chunk was cut are counted here, so that chunks add up to the input.
    """

    number: int
    """Chunks are numbered from 0 in input order; they may finish in another order."""
    positions: tuple[range, ...] = ()
    """The input positions of the rows."""
    problems: list[Problem] = attrs.field(factory=list)
    """Every row known not to be stored."""
    created_ids: tuple[str, ...] = ()
    """The `_id`s of created records, if the answer contains them."""
    ids_by_source_id: dict[str, str] = attrs.field(factory=dict)
    """`_id` by `source_id`, if the answer contains both."""
    ids_by_external_id: dict[str, str] = attrs.field(factory=dict)
    """`_id` by `external_id`, which is unique within a company only; a ticket's is the `source_id` that was sent."""
    answer: dict[str, Any] = attrs.field(factory=dict)
    """All other values of the answer, by Planhat's names."""
    error: PlanhatError | None = None
    """Why there is no usable answer."""
    isolation_calls: int = 0
    """Calls spent on finding the rows behind errors that name no row (`isolate=True`)."""

    def __repr__(self) -> str:
        return _summary(self, f"number={self.number}", stopped_by=self.error)

    @property
    def not_stored(self) -> dict[Outcome, tuple[range, ...]]:
        """The known input positions of rows that were not stored, by outcome."""
        positions: dict[Outcome, list[int]] = {}
        for problem in self.problems:
            if problem.position is not None:
                positions.setdefault(problem.outcome, []).append(problem.position)
        return {outcome: ranges_of(known) for outcome, known in positions.items()}


@attrs.define(kw_only=True, repr=False)
class UpsertResult(Counts):
    """The outcomes of all rows: their numbers are `result.created` and so on, for each `Outcome`.

    It counts the rows that were taken from the input: all of them, unless the run ended early.
    Its memory grows only with the number of separate ranges of rows that were not stored.
    """

    n_chunks: int = 0
    """Chunks that were cut, sent or not."""
    problems: list[Problem] = attrs.field(factory=list)
    """The first 1,000 rows known not to be stored."""
    n_problems: int = 0
    """The number of all such rows."""
    isolation_calls: int = 0
    """Calls spent on finding the rows behind errors that name no row (`isolate=True`)."""
    stopped_by: PlanhatError | None = None
    """The error that ended the run early: a rejected token, an unreachable server."""
    error: PlanhatError | None = None
    """The first error that kept rows of a chunk from being stored."""
    unanswered: PlanhatError | None = None
    """The first error after which rows with keys are unknown: send them again, as a rerun of a job does."""
    _groups: dict[tuple[Outcome, str], tuple[ProblemGroup, list[range]]] = attrs.field(
        factory=dict, init=False, eq=False
    )
    """Each reason, with the input positions of its rows chunk by chunk."""
    _not_stored: dict[Outcome, list[range]] = attrs.field(factory=dict, init=False, eq=False)

    def __repr__(self) -> str:
        return _summary(self, stopped_by=self.stopped_by)

    @property
    def problem_groups(self) -> tuple[ProblemGroup, ...]:
        """The first 1,000 reasons in order of appearance, each with all of its rows."""
        return tuple(attrs.evolve(group, positions=merged(ranges)) for group, ranges in self._groups.values())

    @property
    def not_stored(self) -> dict[Outcome, tuple[range, ...]]:
        """The known input positions of rows that were not stored, by outcome."""
        return {outcome: merged(ranges) for outcome, ranges in self._not_stored.items()}

    def add(self, chunk: ChunkResult) -> None:
        """Add a chunk to the total."""
        for outcome in Outcome:
            self.count(outcome, getattr(chunk, outcome))
        self.n_chunks += 1
        self.isolation_calls += chunk.isolation_calls
        self.n_problems += len(chunk.problems)
        self.problems += chunk.problems[: MAX_PROBLEMS - len(self.problems)]
        self.error = self.error or chunk.error
        if self.unanswered is None and chunk.error is not None and chunk.error.may_have_been_processed:
            may_be_sent = any(one.key and one.outcome is Outcome.UNKNOWN for one in chunk.problems)
            self.unanswered = chunk.error if may_be_sent else None
        self._add_groups(chunk)
        for outcome, ranges in chunk.not_stored.items():
            self._not_stored.setdefault(outcome, []).extend(ranges)

    def to_arrow(self) -> Any:
        """The rows that were not stored, as a table of pyarrow; needs the extra `arrow`.

        Columns: `position`, in the input, counted from 0, and null where Planhat named no row; `key`; `outcome`; and
        `reason`. In the order of positions. All other rows of the input were stored, so a join by the position finds
        those to correct. The `key` is known for the first 1,000 rows, the `reason` for the first 1,000 reasons. The
        memory grows with the number of rows.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            raise MissingExtraError(ARROW_IS_MISSING) from None
        columns = [*zip(*_problem_rows(self), strict=True)] or [()] * 4
        names, types = ("position", "key", "outcome", "reason"), (pa.int64(), *[pa.string()] * 3)
        arrays = [pa.array(values, kind) for values, kind in zip(columns, types, strict=True)]
        return pa.Table.from_arrays(arrays, names=names)

    def raise_for_problems(self) -> None:
        """Raise unless every row was stored.

        Raises:
            UpsertError: Holds this result; its cause is `stopped_by`, or else `error`.
        """
        if self.ok:
            return
        wrong = ", ".join(f"{n} {name}" for name, n in self.counts().items() if n and name not in STORED)
        reasons = _reasons(self, self.stopped_by)
        message = f"{self.rows - self.stored} of {self.rows} rows were not stored: {wrong}"
        raise UpsertError("; ".join([message, *reasons]), result=self) from self.stopped_by or self.error

    def _add_groups(self, chunk: ChunkResult) -> None:
        found: dict[tuple[Outcome, str], list[Problem]] = {}
        for problem in chunk.problems:
            found.setdefault((problem.outcome, problem.reason), []).append(problem)
        for (outcome, reason), problems in found.items():
            if len(self._groups) < MAX_PROBLEMS:
                self._groups.setdefault((outcome, reason), (ProblemGroup(outcome=outcome, reason=reason), []))
            if (outcome, reason) not in self._groups:
                continue
            group, ranges = self._groups[outcome, reason]
            keys = {problem.position: problem.key for problem in problems if problem.position is not None}
            if keys:
                group.key = None if ranges or len(keys) > 1 else next(iter(keys.values()))
            group.n_rows += len(problems)
            ranges += ranges_of(keys)


def _problem_rows(result: UpsertResult) -> list[_ProblemRow]:
    """Position, key, outcome and reason of each row that was not stored, in the order of positions."""
    keys = {problem.position: problem.key for problem in result.problems}
    known: dict[Outcome, set[int]] = {outcome: set() for outcome in Outcome}
    rows: list[_ProblemRow] = []
    n_rows = dict.fromkeys(Outcome, 0)
    for group in result.problem_groups:
        positions = [*chain(*group.positions)]
        known[group.outcome].update(positions)
        n_rows[group.outcome] += group.n_rows
        rows += [(one, keys.get(one) or group.key, group.outcome.value, group.reason) for one in positions]
        rows += [(None, None, group.outcome.value, group.reason)] * (group.n_rows - len(positions))
    for outcome in (one for one in Outcome if one not in STORED):
        # Beyond the reasons that are kept.
        others = {*chain(*result.not_stored.get(outcome, ()))} - known[outcome]
        rows += [(one, keys.get(one), outcome.value, None) for one in others]
        n_unnamed = getattr(result, outcome) - n_rows[outcome] - len(others)
        rows += [(None, None, outcome.value, None)] * n_unnamed
    return sorted(rows, key=lambda row: (row[0] is None, row[0] or 0))


def _summary(result: ChunkResult | UpsertResult, *more: str, stopped_by: PlanhatError | None) -> str:
    """The counts that are not zero, and why rows were not stored, on one line."""
    shown = ", ".join([*more, *(f"{name}={n_rows}" for name, n_rows in result.counts().items() if n_rows)])
    reasons = "; ".join(_reasons(result, stopped_by))
    return f"{type(result).__name__}({shown}{reasons and f': {reasons}'})"


def _reasons(result: ChunkResult | UpsertResult, stopped_by: PlanhatError | None) -> list[str]:
    """What ended the run early, and the first problem if its reason is a different one."""
    reasons = [] if stopped_by is None else [f"stopped by {type(stopped_by).__name__}: {_one_line(str(stopped_by))}"]
    if result.problems and (stopped_by is None or result.problems[0].reason != str(stopped_by)):
        first = result.problems[0]
        row = "a row" if first.position is None else f"row {first.position}"
        reasons.append(f"{row}{f' ({_one_line(first.key)})' if first.key else ''}: {_one_line(first.reason)}")
    return reasons


def _one_line(text: str) -> str:
    """Text from a file or a server, made fit for a message."""
    shown = "".join(one if one.isprintable() else " " for one in text[: 2 * _MAX_CHARACTERS])
    shown = " ".join(shown.split())
    return shown if len(shown) <= _MAX_CHARACTERS else shown[: _MAX_CHARACTERS - 1] + "…"


class UpsertError(PlanhatError):
    """Rows were not stored. Only `raise_for_problems` raises it."""

    def __init__(self, message: str, *, result: UpsertResult) -> None:
        super().__init__(message)
        self.result = result
        """The outcomes of all rows."""


def ranges_of(positions: Iterable[int]) -> tuple[range, ...]:
    """Positions, in any order, as the fewest possible ranges."""
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
    """Ranges in order, with neighbours joined."""
    out: list[range] = []
    for one in sorted(ranges, key=lambda r: r.start):
        if out and one.start <= out[-1].stop:
            out[-1] = range(out[-1].start, max(one.stop, out[-1].stop))
        elif one:
            out.append(one)
    return tuple(out)
