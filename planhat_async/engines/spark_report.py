"""What became known of a write by Spark: decisions only.

Spark may run a partition several times: after a failure, or beside a slow task. Each attempt sends its rows, and only
one attempt of a partition hands in its receipt. The report is made of the receipts, and of what the other attempts had
noted in a folder, if the driver can see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import attrs

from planhat_async._convert import printable
from planhat_async.results import STORED, ChunkResult, Counts, Outcome, Problem

MAX_PROBLEMS = 100
"""The problems of a partition that its receipt holds."""
_MAX_KEYS = 100_000
_ALL = 2**64
_LOST = (Outcome.UNKNOWN, Outcome.UNSENT)


@attrs.frozen(kw_only=True)
class KeySample:
    """Digests of the keys of a partition: of all keys, or of those whose digests are small."""

    digests: frozenset[int] = frozenset()
    below: int = _ALL
    """All digests below this number are there."""


@attrs.define
class KeySampler:
    """Takes a sample of keys, whose size is limited."""

    max_keys: int = _MAX_KEYS
    _digests: set[int] = attrs.field(factory=set)
    _below: int = _ALL

    def add(self, keys: Iterable[str]) -> None:
        """Take in keys."""
        found = (int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") for key in keys)
        self._digests.update(digest for digest in found if digest < self._below)
        while len(self._digests) > self.max_keys:
            self._below //= 2
            self._digests = {digest for digest in self._digests if digest < self._below}

    def sample(self) -> KeySample:
        """The sample so far."""
        return KeySample(digests=frozenset(self._digests), below=self._below)


@attrs.frozen(kw_only=True)
class SharedKeys:
    """Keys that several partitions have."""

    n_keys: int
    is_exact: bool
    """Whether all keys were compared; otherwise there may be more."""


def shared_keys(samples: Sequence[KeySample]) -> SharedKeys:
    """How many keys are in several of these partitions."""
    below = min((one.below for one in samples), default=_ALL)
    counted = Counter(digest for one in samples for digest in one.digests if digest < below)
    return SharedKeys(n_keys=sum(n > 1 for n in counted.values()), is_exact=below == _ALL)


@attrs.frozen(kw_only=True)
class Attempt:
    """One run of a task."""

    partition: int
    attempt: int
    """The number of the attempt at this partition, from 0."""
    task: int
    """Spark's number of the attempt, which no other has."""
    host: str = ""


@attrs.define(kw_only=True)
class Receipt(Counts):
    """The outcomes of the rows of one attempt."""

    by: Attempt
    n_blank: int = 0
    """Rows left out, because they have no value."""
    n_begun: int = 0
    """Rows of the chunks that were begun; more than have an outcome, if the attempt was cut short."""
    has_ended: bool = False
    problems: list[Problem] = attrs.field(factory=list)
    """The first problems."""
    n_problems: int = 0
    stopped_by: str | None = None
    """The error that ended the attempt early."""
    keys: KeySample = attrs.field(factory=KeySample, repr=False)

    def add(self, chunk: ChunkResult, keys: Mapping[int, str]) -> None:
        """Add the outcomes of a chunk; `keys` are those of rows that were not sent."""
        for outcome in Outcome:
            self.count(outcome, getattr(chunk, outcome))
        self.n_problems += len(chunk.problems)
        for problem in chunk.problems[: MAX_PROBLEMS - len(self.problems)]:
            key = problem.key or (None if problem.position is None else keys.get(problem.position))
            self.problems.append(attrs.evolve(problem, key=key))

    def described(self) -> dict[str, Any]:
        """The receipt as JSON values."""
        return {
            **attrs.asdict(self.by),
            "rows": self.rows,
            **self.counts(),
            "blank": self.n_blank,
            "begun": self.n_begun,
            "ended": self.has_ended,
            "stopped_by": self.stopped_by,
            "n_problems": self.n_problems,
            "problems": [_described_problem(one) for one in self.problems],
        }


@attrs.frozen(kw_only=True)
class WriteReport:
    """What became known of a write."""

    run: str
    model: str
    receipts: Sequence[Receipt]
    """Those of the attempts that Spark counts."""
    lost: Sequence[Mapping[str, Any]] | None
    """What other attempts had noted; `None` if it is not known."""
    has_keyless: bool = False
    """Whether rows without a key were allowed."""
    is_aborted: bool = False

    @property
    def total(self) -> Counts:
        """The outcomes of all rows that Spark counts."""
        total = Counts()
        for receipt in self.receipts:
            for outcome in Outcome:
                total.count(outcome, getattr(receipt, outcome))
        return total

    @property
    def warnings(self) -> list[str]:
        """What went otherwise than one would expect, a line each."""
        return [*self._on_keys(), *self._on_attempts()]

    def described(self) -> dict[str, Any]:
        """The report as JSON values, the same columns for every report."""
        shared = shared_keys([one.keys for one in self.receipts])
        return {
            "run": self.run,
            "model": self.model,
            "state": "aborted" if self.is_aborted else "committed",
            "rows": self.total.rows,
            **self.total.counts(),
            "keys_in_several_partitions": shared.n_keys,
            "all_keys_compared": shared.is_exact,
            "remarks": [*self.warnings, *self._on_what_is_unknown()],
            "partitions": [one.described() for one in sorted(self.receipts, key=lambda one: one.by.partition)],
            "other_attempts": None if self.lost is None else [*self.lost],
        }

    def objection(self, *, reports_problems: bool, where: str | None) -> str | None:
        """Why the write has failed, if it has.

        Args:
            reports_problems: Whether the write succeeds although rows were refused. Rows without an outcome always make
                it fail: they can be sent again.
            where: Where the report is.
        """
        total = self.total
        is_lost = any(getattr(total, outcome) for outcome in _LOST)
        if total.ok or (reports_problems and not is_lost):
            return None
        counts = total.counts()
        wrong = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n and name not in STORED)
        parts = [f"{total.rows - total.stored:,} of {total.rows:,} rows were not stored: {wrong}", *self._reasons()]
        if is_lost:
            parts.append(
                "rows without an outcome can be sent again" + (" if they have a key" if self.has_keyless else "")
            )
        return "; ".join([*parts, *([f"the report is {where}"] if where else [])])

    def _reasons(self) -> list[str]:
        """The first error that ended an attempt, and the first problem."""
        stopped = [one.stopped_by for one in self.receipts if one.stopped_by]
        found = [(one.by.partition, problem) for one in self.receipts for problem in one.problems]
        reasons = [f"stopped by {stopped[0]}"] if stopped else []
        for partition, problem in found[:1]:
            row = "a row" if problem.position is None else f"row {problem.position}"
            key = f" ({printable(problem.key, 100)})" if problem.key else ""
            reasons.append(f"partition {partition}, {row}{key}: {printable(problem.reason)}")
        return reasons

    def _on_keys(self) -> Iterator[str]:
        shared = shared_keys([one.keys for one in self.receipts])
        if shared.n_keys:
            least = "" if shared.is_exact else "at least "
            yield (
                f"{least}{shared.n_keys:,} keys are in several partitions, whose rows are sent in no order: which of "
                "them was stored last is not known; repartition by the key column, or remove duplicates, before writing"
            )

    def _on_attempts(self) -> Iterator[str]:
        if self.lost:
            n_rows = sum(int(one["begun"]) for one in self.lost)
            stored = (
                "those without a key are stored again" if self.has_keyless else "all have a key: none is stored twice"
            )
            attempts = "1 other attempt" if len(self.lost) == 1 else f"{len(self.lost)} other attempts"
            yield f"{attempts} of tasks sent up to {n_rows:,} rows, too; {stored}"

    def _on_what_is_unknown(self) -> Iterator[str]:
        if self.lost is None:
            yield "what other attempts of tasks sent is not known: the executors do not share the report's folder"
        if self.has_keyless:
            yield "rows without a key are stored again by each attempt that sends them"


def other_attempts(noted: Iterable[Mapping[str, Any]], receipts: Iterable[Receipt]) -> list[Mapping[str, Any]] | None:
    """What attempts had noted that Spark does not count; `None` if those that it counts left no notes either."""
    noted = list(noted)
    counted = {one.by.task for one in receipts}
    if counted and counted.isdisjoint(int(one["task"]) for one in noted):
        return None
    return [one for one in noted if int(one["task"]) not in counted]


def _described_problem(problem: Problem) -> dict[str, Any]:
    return {
        "outcome": problem.outcome.value,
        "key": problem.key,
        "position": problem.position,
        "reason": printable(problem.reason),
    }
