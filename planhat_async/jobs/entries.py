"""A journal's entry of one chunk, and how a later run treats the chunk: decisions only.

An entry holds counts, positions and reasons, no row. Reasons may quote a row: quotations are left out unless values
are kept.
"""

from __future__ import annotations

import re
import zlib
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from typing import Self

import attrs

from planhat_async._convert import printable
from planhat_async.batching.answers import INCOMPLETE
from planhat_async.batching.chunk_ledger import Recorded
from planhat_async.batching.chunk_outcome import ChunkOutcome
from planhat_async.batching.chunks import Chunk, ranges_in_order
from planhat_async.batching.request_failures import refuses_everything
from planhat_async.batching.verification import AMBIGUOUS, Floor
from planhat_async.errors import AuthenticationError, DecodeError, PlanhatError, RateLimitedError, StatusError
from planhat_async.results import ChunkResult, Outcome, Problem, ranges_of

FINAL_REASONS = frozenset({INCOMPLETE, AMBIGUOUS})
"""Reasons of unknown rows that only a user can decide: a rerun does not send or look for them again by itself."""
MAX_GROUPS = 50
"""Reasons that an entry keeps; rows with any other share one reason."""

_QUOTED = re.compile(r"(?<!\w)(['\"])(?:\\.|[^\\])*?(?:\1(?!\w)|\\?$)", re.DOTALL)
"""A quotation, which may contain escaped quotes or be cut off before its end; an apostrophe opens none."""
_NUMBER = re.compile(r"(?<=number )-?[0-9][0-9.e+-]*")
"""A number of a row, as `the number 1.5`."""
_OTHER_REASONS = "for other reasons"
_IN_FLIGHT = "in flight when the journal was last written; no answer is known"


class ChunkState(StrEnum):
    """The state of a chunk."""

    SENDING = "sending"
    """It may have been sent; no answer is known."""
    ANSWERED = "answered"
    """Every row has a final outcome."""
    UNKNOWN = "unknown"
    """It has ended, and the outcome of some rows is unknown."""
    UNSENT = "unsent"
    """It has ended, and some rows were not sent, or were refused with everything else."""


@attrs.frozen
class Group:
    """Rows that were not stored for one reason."""

    outcome: Outcome
    reason: str
    positions: tuple[range, ...] = ()
    n_nameless: int = 0
    """Rows that Planhat counts but does not name."""
    key: str | None = None

    def problems(self) -> Iterator[Problem]:
        """One for each row."""
        for position in chain.from_iterable(self.positions):
            yield Problem(outcome=self.outcome, reason=self.reason, position=position, key=self.key)
        for _ in range(self.n_nameless):
            yield Problem(outcome=self.outcome, reason=self.reason)


@attrs.frozen(kw_only=True)
class Entry:
    """One chunk in a journal."""

    number: int
    n_rows: int
    """Including rows that were refused before sending, or skipped."""
    digest: str
    is_keyed: bool
    state: ChunkState = ChunkState.SENDING
    positions: tuple[range, ...] = ()
    """Input positions of all its rows."""
    pending: tuple[range, ...] = ()
    """Positions of the rows that may be in flight."""
    counts: Mapping[str, int] = attrs.field(factory=dict)
    """All other rows by outcome."""
    groups: tuple[Group, ...] = ()
    isolation_calls: int = 0
    run: int = 0
    """The run that began it last."""
    begun: float = 0.0
    """Seconds since 1970 at which it was begun for the first time."""
    sent: float = 0.0
    """Seconds since 1970 at which it was begun for the last time."""
    ended: float | None = None
    n_attempts: int = 0
    """Attempts that the run had made by the end."""
    floor: str | None = None
    """Lower bound for the `_id`s created from its rows; `None` if they have keys, or if it could not be read."""
    earlier: Mapping[int, tuple[range, ...]] = attrs.field(factory=dict)
    """Positions of the rows that `run` has not sent again, by the run that sent them last."""

    @classmethod
    def of_chunk(cls, chunk: Chunk, digest: str, *, floor: str | None = None, keeps_values: bool = False) -> Self:
        """The entry of a chunk that is about to be sent for the first time."""
        not_sent = {Outcome.INVALID: len(chunk.invalid), Outcome.SKIPPED: chunk.n_skipped}
        return cls(
            number=chunk.number,
            n_rows=n_rows_of(chunk),
            digest=digest,
            is_keyed=chunk.is_keyed,
            positions=chunk.positions,
            pending=ranges_of(row.position for row in chunk.rows)
            if chunk.invalid or chunk.skipped
            else chunk.positions,
            counts={name.value: n for name, n in not_sent.items() if n},
            groups=tuple(groups_of(chunk.invalid, keeps_values=keeps_values)),
            floor=floor,
        )

    def run_of(self, position: int) -> int:
        """The run that sent a row last."""
        for run, ranges in self.earlier.items():
            if holds(ranges, position):
                return run
        return self.run

    @property
    def all_groups(self) -> tuple[Group, ...]:
        """All rows that are not known to be stored, by reason, including those in flight."""
        under_way = Group(Outcome.UNKNOWN, _IN_FLIGHT, self.pending)
        return (*self.groups, under_way) if self.pending else self.groups

    @property
    def result(self) -> ChunkResult:
        """The result of all its rows; those in flight are unknown."""
        result = ChunkResult(number=self.number, positions=self.positions, isolation_calls=self.isolation_calls)
        for name, n_rows in self.counts.items():
            result.count(Outcome(name), n_rows)
        result.problems += [problem for group in self.all_groups for problem in group.problems()]
        result.count(Outcome.UNKNOWN, sum(map(len, self.pending)))
        return result

    def with_result(self, result: ChunkResult, *, keeps_values: bool) -> Self:
        """The entry once its chunk has ended."""
        return attrs.evolve(
            self,
            state=_state_of(result),
            pending=(),
            counts={name: n_rows for name, n_rows in result.counts().items() if n_rows},
            groups=tuple(groups_of(result.problems, error=result.error, keeps_values=keeps_values)),
            isolation_calls=result.isolation_calls,
        )


@attrs.frozen(kw_only=True)
class Run:
    """One run of a job."""

    number: int
    started: float
    """When it began, in seconds since 1970."""
    seen: float
    """When it last wrote to the journal, in seconds since 1970."""
    ended: float | None = None
    """When it ended, in seconds since 1970; `None` while it runs, or if it was killed."""
    ended_by: str | None = None
    """Why it ended early."""
    calls: int = 0
    attempts: int = 0
    per_minute: int | None = None
    """Its limit of calls per minute."""

    @property
    def seconds(self) -> float:
        """Its duration until it last wrote to the journal; not negative, even if the clock was set back."""
        return max(0.0, (self.ended or self.seen) - self.started)


@attrs.frozen(kw_only=True)
class ResendPolicy:
    """How a rerun treats rows that have no key and whose outcome is unknown."""

    resends_unknown: bool = False
    verifies: bool = False
    """Whether to look for them in Planhat's list."""


def digest_of(chunk: Chunk) -> str:
    """A digest of a chunk's rows and their positions: for use outside the event loop.

    The body is read in one go, without Python's lock. A checksum and the length take less than half of the time of
    SHA-256, which would be a twentieth of a job's. Of four billion inputs that were changed but kept their length and
    their positions, it misses one; it is no protection from changes made to deceive.
    """
    numbers = array("q", chain.from_iterable(ranges_in_order(chunk.rows)))
    numbers.extend(problem.position or 0 for problem in chunk.invalid)
    numbers.extend(edge for one in chunk.skipped for edge in (one.start, one.stop))
    return f"{zlib.crc32(numbers, zlib.crc32(chunk.body)):08x}-{len(chunk.body):x}-{len(chunk.invalid):x}"


def holds(ranges: Sequence[range], position: int) -> bool:
    """Whether a position is in one of the ranges, which are in order."""
    number = bisect_right(ranges, position, key=lambda one: one.start)
    return number > 0 and position in ranges[number - 1]


def n_rows_of(chunk: Chunk) -> int:
    """The number of rows in a chunk, including those that are not sent."""
    return len(chunk.rows) + len(chunk.invalid) + chunk.n_skipped


def recorded(entry: Entry, chunk: Chunk, policy: ResendPolicy, *, is_stale: bool = False) -> Recorded:
    """How a later run treats a chunk that an earlier one has begun.

    Keyed rows are sent again if they are unknown, which does no harm: the whole chunk, if Planhat does not say which
    rows they are, or if it `is_stale`, because an earlier chunk with one of its keys is sent again. Of keyless rows
    only those are sent again that were provably not processed, and on request those that are unknown. Rows that are
    unknown for one of the `FINAL_REASONS` are sent again on request only.
    """
    result = _result_of(entry, chunk)
    is_requested = policy.resends_unknown and not policy.verifies
    resent = {Outcome.UNSENT, Outcome.REJECTED} if entry.state is ChunkState.UNSENT else {Outcome.UNSENT}
    if entry.is_keyed or is_requested:
        resent.add(Outcome.UNKNOWN)
    final = frozenset[str]() if is_requested else FINAL_REASONS
    left = [one for one in result.problems if one.reason not in final]
    if entry.is_keyed and (is_stale or any(one.outcome in resent and one.position is None for one in left)):
        may_be_stored = entry.state is not ChunkState.UNSENT or result.stored + result.unknown > 0
        return attrs.evolve(unrecorded(chunk), may_be_stored=may_be_stored)
    outcomes = {one.position: one.outcome for one in left if one.outcome in {*resent, Outcome.UNKNOWN}}
    if not outcomes:  # as of most chunks: their rows need not be looked at
        return Recorded(settled=result)
    pending = tuple(row for row in chunk.rows if outcomes.get(row.position) in resent)
    unknown = tuple(row for row in chunk.rows if outcomes.get(row.position) is Outcome.UNKNOWN)
    doubtful = unknown if policy.verifies and not entry.is_keyed else ()
    return Recorded(
        settled=without(result, {row.position for row in (*pending, *doubtful)}),
        pending=pending,
        may_be_stored=bool(unknown) and Outcome.UNKNOWN in resent,
        doubtful=doubtful,
        floor=Floor(entry.floor or ""),
    )


def unrecorded(chunk: Chunk, *, floor: Floor | None = None) -> Recorded:
    """The record of a chunk that no earlier run has begun."""
    return Recorded(settled=ChunkOutcome(chunk).result, pending=chunk.rows, floor=floor)


def groups_of(problems: Sequence[Problem], *, error: PlanhatError | None = None, keeps_values: bool) -> Iterator[Group]:
    """The problems of one chunk by outcome and reason, given the error of its request as a whole.

    Keys, and quotations in reasons, are left out unless `keeps_values`.
    """
    found: dict[tuple[Outcome, str, str | None], list[int | None]] = {}
    n_rows = Counter(problem.reason for problem in problems)
    is_harmless = error is not None and not may_quote_a_row(error)
    for problem in problems:
        is_of_request = error is not None and str(error) in problem.reason
        if keeps_values or (is_of_request and is_harmless) or problem.reason in FINAL_REASONS:
            reason = problem.reason
        else:
            # A reason that many rows share, or that of the request, names no row: a number in it is not a key.
            is_of_all = is_of_request or n_rows[problem.reason] > 1
            reason = without_values(problem.reason, key=None if is_of_all else problem.key)
        reason = printable(reason)
        group = (problem.outcome, reason, problem.key if keeps_values else None)
        if group not in found and len(found) >= MAX_GROUPS and reason not in FINAL_REASONS:
            group = (problem.outcome, _OTHER_REASONS, None)
        found.setdefault(group, []).append(problem.position)
    for (outcome, reason, key), positions in found.items():
        known = [position for position in positions if position is not None]
        yield Group(outcome, reason, ranges_of(known), len(positions) - len(known), key)


def may_quote_a_row(error: PlanhatError) -> bool:
    """Whether the message of a request's error may quote a row; that of a wrong token does not."""
    return isinstance(error, DecodeError | StatusError) and not isinstance(
        error, AuthenticationError | RateLimitedError
    )


def without(result: ChunkResult, positions: Container[int | None]) -> ChunkResult:
    """The result without the rows at these positions, each of which is among the problems."""
    others = attrs.evolve(result, problems=[one for one in result.problems if one.position not in positions])
    for problem in result.problems:
        if problem.position in positions:
            others.count(problem.outcome, -1)
    return others


def without_values(reason: str, *, key: str | None = None) -> str:
    """A reason without its quotations, without the numbers that it says were found, and without the row's key."""
    if key:
        # As a word of its own: the key 1 is in every 413.
        reason = re.sub(rf"(?<![\w@+-])(?<!\w\.){re.escape(key)}(?![\w@+-]|\.\w)", "…", reason)
    return _NUMBER.sub("…", _QUOTED.sub("'…'", reason))


def _state_of(result: ChunkResult) -> ChunkState:
    if result.unsent or (result.error is not None and refuses_everything(result.error)):
        return ChunkState.UNSENT
    return ChunkState.UNKNOWN if result.unknown else ChunkState.ANSWERED


def _result_of(entry: Entry, chunk: Chunk) -> ChunkResult:
    """The entry's result, with the full reasons and keys of this chunk's rows."""
    result = entry.result
    invalid = {problem.position: problem for problem in chunk.invalid}
    keys: dict[int | None, str | None] = {row.position: row.key for row in chunk.rows} if result.problems else {}
    result.problems = [
        invalid[one.position]
        if one.outcome is Outcome.INVALID and one.position in invalid
        else attrs.evolve(one, key=keys.get(one.position))
        for one in result.problems
    ]
    return result
