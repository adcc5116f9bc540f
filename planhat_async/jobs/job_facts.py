"""What a report says about a job: its title, its sentences and its numbers: decisions only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import attrs

from planhat_async._convert import printable
from planhat_async.jobs.entries import Group
from planhat_async.jobs.job_identity import INPUT
from planhat_async.jobs.job_progress import duration, in_words
from planhat_async.jobs.job_summary import problem_groups, total_of
from planhat_async.jobs.journal import Journal
from planhat_async.results import UpsertResult


@attrs.frozen
class Figure:
    """A number and what it counts."""

    value: str
    name: str
    is_bad: bool = False


@attrs.frozen
class Reason:
    """Rows that are not stored for one reason."""

    outcome: str
    n_rows: int
    text: str
    first_rows: str
    """Their first positions, counted from 1."""


@attrs.frozen(kw_only=True)
class JobFacts:
    """A job, in words and numbers."""

    name: str
    """The name of its journal."""
    model: str
    input_name: str
    """The name of its input; that of the journal if the input has none."""
    period: str
    """When it ran."""
    total: UpsertResult
    seconds: float
    n_calls: int
    n_attempts: int
    per_minute: int | None
    is_whole: bool
    """Whether the input was read to its end."""
    reasons: tuple[Reason, ...]

    @classmethod
    def of(cls, journal: Journal, name: str) -> JobFacts:
        """The facts in a journal of this name."""
        runs = journal.runs
        return cls(
            name=printable(name),
            model=printable(str(journal.job.get("model", "rows"))),
            input_name=printable(str(journal.job.get(INPUT) or name)),
            period=period_in_words(min((run.started for run in runs), default=None), _last(journal)),
            total=total_of(journal),
            seconds=sum(run.seconds for run in runs),
            n_calls=sum(run.calls for run in runs),
            n_attempts=sum(run.attempts for run in runs),
            per_minute=max((run.per_minute for run in runs if run.per_minute), default=None),
            is_whole="n_chunks" in journal.job,
            reasons=reasons_of(problem_groups(journal)),
        )

    @property
    def title(self) -> str:
        """What was sent, and from where."""
        return f"{self.model} from {self.input_name}"

    @property
    def n_left(self) -> int:
        """The rows that are not stored."""
        return self.total.rows - self.total.stored

    @property
    def sentence(self) -> str:
        """The result."""
        n_rows, n_left = self.total.rows, self.n_left
        end = "" if self.is_whole else " The input was not read to its end."
        if not n_rows:
            return f"No row was read.{end}"
        if not n_left:
            return (f"All {in_words(n_rows, 'row')} are stored." if n_rows > 1 else "The only row is stored.") + end
        verb = "is" if n_left == 1 else "are"
        return f"{n_left:,} of {in_words(n_rows, 'row')} {verb} not stored.{end}"

    @property
    def figures(self) -> list[Figure]:
        """The three numbers at the head."""
        return [
            Figure(f"{self.total.stored:,}", "rows stored"),
            Figure(f"{self.n_left:,}", "rows not stored", is_bad=self.n_left > 0),
            Figure(duration(self.seconds), "working time"),
        ]

    @property
    def rows_per_second(self) -> float:
        """Over the working time; 0 without any."""
        return self.total.rows / self.seconds if self.seconds else 0.0

    @property
    def pace(self) -> list[Figure]:
        """Calls, and how fast they were made."""
        minutes = self.seconds / 60
        figures = [
            Figure(f"{self.n_calls:,}", "calls"),
            Figure(f"{max(0, self.n_attempts - self.n_calls):,}", "repeated attempts"),
        ]
        if minutes > 0:
            per_minute = self.n_attempts / max(minutes, 1.0)
            share = "" if self.per_minute is None else f" of {self.per_minute:,} allowed"
            figures.append(Figure(f"{per_minute:,.0f}{share}", "attempts per minute"))
            figures.append(Figure(f"{self.rows_per_second:,.0f}", "rows per second"))
        return figures


def reasons_of(groups: Iterator[Group]) -> tuple[Reason, ...]:
    """The reasons, the most frequent first."""
    made = [
        Reason(group.outcome.value, _n_rows(group), group.reason, rows_in_words(group.positions, group.n_nameless))
        for group in groups
    ]
    return tuple(sorted(made, key=lambda one: -one.n_rows))


def _n_rows(group: Group) -> int:
    return sum(map(len, group.positions)) + group.n_nameless


def rows_in_words(positions: Sequence[range], n_nameless: int = 0) -> str:
    """The first rows, counted from 1, and those that have no position."""
    shown = [f"{one.start + 1:,}" + (f" to {one.stop:,}" if len(one) > 1 else "") for one in positions[:4]]
    more = ["…"] if len(positions) > 4 else []
    nameless = [f"{n_nameless:,} that Planhat does not name"] if n_nameless else []
    return ", ".join([*shown, *more, *nameless])


def period_in_words(start: float | None, end: float | None) -> str:
    """From when to when, in UTC; the day is said once if it is the same."""
    if start is None or end is None:
        return "not run yet"
    first, last = (datetime.fromtimestamp(max(0.0, at), UTC) for at in (start, end))
    until = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"{first:%Y-%m-%d %H:%M} UTC" if until == f"{first:%H:%M}" else f"{first:%Y-%m-%d %H:%M} to {until} UTC"


def _last(journal: Journal) -> float | None:
    return max((run.ended or run.seen for run in journal.runs), default=None)


@attrs.frozen
class Comparison:
    """A number of two jobs."""

    name: str
    before: str
    after: str
    change: str


def compared(before: JobFacts, after: JobFacts) -> list[Comparison]:
    """The numbers of two jobs, and how they have changed."""
    numbers: list[tuple[str, float, float]] = [
        ("rows", before.total.rows, after.total.rows),
        ("rows stored", before.total.stored, after.total.stored),
        ("rows not stored", before.n_left, after.n_left),
        ("calls", before.n_calls, after.n_calls),
        ("repeated attempts", before.n_attempts - before.n_calls, after.n_attempts - after.n_calls),
        ("rows per second", before.rows_per_second, after.rows_per_second),
    ]
    time = Comparison(
        "working time",
        duration(before.seconds),
        duration(after.seconds),
        change_in_words(before.seconds, after.seconds),
    )
    lines = [Comparison(name, f"{a:,.0f}", f"{b:,.0f}", change_in_words(a, b)) for name, a, b in numbers]
    return [*lines[:3], time, *lines[3:]]


def change_in_words(before: float, after: float) -> str:
    """The change of a number, in per cent of what it was, if that was not zero."""
    if round(before) == round(after):
        return "the same"
    if not before:
        return "new"
    per_cent = 100 * (after - before) / before
    return f"{per_cent:+,.0f} %" if abs(per_cent) >= 0.5 else f"{after - before:+,.0f}"


def reasons_compared(before: JobFacts, after: JobFacts) -> list[tuple[str, str, int, int]]:
    """Outcome and reason, with the rows of each job; the most frequent first."""
    counts: dict[tuple[str, str], list[int]] = {}
    for place, facts in enumerate((before, after)):
        for reason in facts.reasons:
            counts.setdefault((reason.outcome, reason.text), [0, 0])[place] += reason.n_rows
    found = [(outcome, text, old, new) for (outcome, text), (old, new) in counts.items()]
    return sorted(found, key=lambda one: -max(one[2:]))
