"""The output of the command line: progress, summaries, errors."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from planhat_async._convert import printable
from planhat_async.jobs.deletions import GONE, DeleteOutcome, DeleteResult
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.plan import Plan, seconds_of_pace
from planhat_async.jobs.tenant_export import ModelExport
from planhat_async.jobs.upsert_job import JobCost
from planhat_async.results import STORED, Outcome, ProblemGroup, UpsertResult
from planhat_async.session import SessionStats


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the command handle it."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


out: Console = _Console(soft_wrap=True)
err: Console = _Console(stderr=True, soft_wrap=True)

_SHOWN_PROBLEMS = 10
_MAX_LINE = 2000
_MEANING: dict[str, str] = {
    Outcome.CREATED: "new records",
    Outcome.UPDATED: "existing records, changed",
    Outcome.UNCHANGED: "existing records, not changed",
    Outcome.UNREPORTED: "accepted; Planhat does not say whether changed",
    Outcome.REJECTED: "rejected by Planhat",
    Outcome.INVALID: "not sent: Planhat would reject or drop them",
    Outcome.DROPPED: "missing from Planhat's answer",
    Outcome.UNKNOWN: "sent, but no answer gives their outcome",
    Outcome.UNSENT: "not processed before the run ended",
    DeleteOutcome.DELETED: "deleted",
    DeleteOutcome.MISSING: "no such record",
}


class _Field(ProgressColumn):
    """Text of a field as it is, neither a format nor markup: a file's name may contain either."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def render(self, task: Task) -> Text:
        return Text(task.fields[self._name], no_wrap=True, overflow="ellipsis")


class _RowsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        n_rows = task.fields["rows"]
        return Text(f"{in_words(n_rows, 'row')}  {n_rows / task.elapsed if task.elapsed else 0:,.0f} rows/s")


@contextmanager
def progress(title: str, *, total: int | None) -> Iterator[Callable[..., None]]:
    """A bar on standard error, if that is a terminal; yields `advance(n_rows, done=None, note="")`.

    `done` counts towards the total. The note is the place for the time left: the bar's own estimate ignores the pace,
    and would rise while a job waits for its next call.
    """
    columns = (SpinnerColumn(), _Field("title"), BarColumn(), _RowsPerSecond(), TimeElapsedColumn(), _Field("note"))
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=total, rows=0, title=printable(title), note="")
        yield lambda n_rows, done=None, note="": bar.update(task, rows=n_rows, completed=done, note=note)


def show_result(result: UpsertResult | DeleteResult, *, seconds: float, ended_by: BaseException | None) -> None:
    """Print a table of outcomes, the first problems, and what ended the run early."""
    table = Table(title=f"{in_words(result.rows, 'row')} in {seconds:.1f} s", title_justify="left")
    table.add_column("outcome")
    table.add_column("rows", justify="right")
    table.add_column("meaning")
    for name, n_rows in result.counts().items():
        if n_rows:
            style = "" if name in {*STORED, *GONE} else "bold red"
            table.add_row(name, f"{n_rows:,}", _MEANING[name], style=style)
    out.print(table)
    _tell_repetitions(result)
    _list_problems(result.problem_groups, result.n_problems, ended_by=ended_by)
    if ended_by is not None:
        complain(ended_by)


def _tell_repetitions(result: UpsertResult | DeleteResult) -> None:
    if isinstance(result, DeleteResult) and result.repeated:
        tell(f"{in_words(result.repeated, 'more row')} with the key of an earlier one: each key counts once")


def _list_problems(groups: Sequence[ProblemGroup], n_problems: int, *, ended_by: BaseException | None) -> None:
    """Print the first reasons, each with all of its rows."""
    for group in groups[:_SHOWN_PROBLEMS]:
        tell(f"{_rows_of(group)} {group.outcome}: {_reason(group, ended_by, reference='see below')}")
    if len(groups) > _SHOWN_PROBLEMS:
        err.print(f"{n_problems:,} problems in all; --json shows more of them")


def _reason(group: ProblemGroup, ended_by: BaseException | None, *, reference: str) -> str:
    """The reason, or a reference to the error that ended the run, which is shown once."""
    return reference if ended_by is not None and group.reason == str(ended_by) else printable(group.reason)


def _rows_of(group: ProblemGroup) -> str:
    """The rows, counted from 1, and the key of a single row."""
    n_named = sum(map(len, group.positions))
    n_nameless = group.n_rows - n_named
    nameless = [f"{in_words(n_nameless, 'row')} Planhat does not name"] if n_nameless else []
    ranges = [f"{one.start + 1}–{one.stop}" if len(one) > 1 else f"{one.stop}" for one in group.positions]  # noqa: RUF001
    if n_named == 1:
        named = [f"row {ranges[0]}" + (f" ({printable(group.key, 100)})" if group.key else "")]
    else:
        named = [f"rows {', '.join(ranges[:5])}{' ...' if len(ranges) > 5 else ''}"] if ranges else []
    return " and ".join([*named, *nameless])


def _problem(group: ProblemGroup, ended_by: BaseException | None = None) -> dict[str, object]:
    """A reason and its rows as JSON: one row by `row` and `key`, several by ranges; rows count from 1."""
    what = {"outcome": group.outcome, "reason": _reason(group, ended_by, reference="see stopped_by")}
    if group.n_rows == 1:
        return {"row": group.positions[0].stop if group.positions else None, "key": group.key, **what}
    return {"n_rows": group.n_rows, "rows": _pairs(group.positions), **what}


def _pairs(ranges: Iterable[range]) -> list[list[int]]:
    return [[one.start + 1, one.stop] for one in ranges]


def print_json(
    result: UpsertResult | DeleteResult,
    stats: SessionStats | JobCost,
    *,
    seconds: float,
    ended_by: BaseException | None,
) -> None:
    """Print the result as one JSON object."""
    is_deletion = isinstance(result, DeleteResult)
    not_done = result.not_deleted if isinstance(result, DeleteResult) else result.not_stored
    total = {
        "rows": result.rows,
        **result.counts(),
        **({"repeated": result.repeated} if isinstance(result, DeleteResult) else {}),
        "ok": result.ok and ended_by is None,
        "stopped_by": None if ended_by is None else printable(str(ended_by), _MAX_LINE),
        "calls": stats.calls,
        "attempts": stats.attempts,
        "seconds": round(seconds, 3),
        "n_problems": result.n_problems,
        "problems": [_problem(group, ended_by) for group in result.problem_groups],
        "not_deleted" if is_deletion else "not_stored": {name: _pairs(ranges) for name, ranges in not_done.items()},
    }
    sys.stdout.write(json.dumps(total) + "\n")


def show_plan(plan: Plan, *, per_minute: int, as_json: bool) -> None:
    """Print what an upsert would send."""
    shown: dict[str, object] = {
        "rows": plan.result.rows,
        "invalid": plan.result.invalid,
        "stored": plan.result.stored,
        "rejected": plan.result.rejected + plan.result.dropped,
        "unknown": plan.result.unknown,
        "to_send": plan.result.unsent,
        "duplicates": plan.n_duplicates,
        "keyless": plan.n_keyless,
        "chunks": plan.n_chunks,
        "bytes": plan.n_bytes,
        "calls": plan.n_chunks,
        "longest_queue": plan.longest_queue,
        "seconds_of_pace": plan.seconds(per_minute),
    }
    if as_json:
        problems = [_problem(group) for group in plan.result.problem_groups]
        for problem in problems:
            del problem["outcome"]
        sys.stdout.write(json.dumps(shown | {"problems": problems}) + "\n")
        return
    _print_numbers("What would be sent", shown)
    _list_problems(plan.result.problem_groups, plan.result.n_problems, ended_by=None)


def show_deletion_plan(plan: DeleteResult, *, per_minute: int, as_json: bool, how_to: str) -> None:
    """Print what a deletion would send, and how to carry it out."""
    shown: dict[str, object] = {
        "rows": plan.rows,
        "invalid": plan.invalid,
        "repeated": plan.repeated,
        "deleted": plan.deleted,
        "missing": plan.missing,
        "to_send": plan.to_send,
        "calls": plan.to_send,
        "seconds_of_pace": seconds_of_pace(plan.to_send, per_minute=per_minute),
    }
    invalid = [group for group in plan.problem_groups if group.outcome is Outcome.INVALID]
    if as_json:
        problems = [_problem(group) for group in invalid]
        for problem in problems:
            del problem["outcome"]
        sys.stdout.write(json.dumps(shown | {"problems": problems}) + "\n")
        return
    _print_numbers("What would be deleted", shown)
    _tell_repetitions(plan)
    _list_problems(invalid, plan.invalid, ended_by=None)
    tell(how_to)


def _print_numbers(title: str, numbers: dict[str, object]) -> None:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in numbers.items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    out.print(table)


def show_exports(exports: Sequence[ModelExport], stats: SessionStats, *, seconds: float) -> None:
    """Print a table of the models that were exported."""
    table = Table(title=f"{in_words(stats.calls, 'call')} in {seconds:.1f} s", title_justify="left")
    for column in ("model", "records", "file"):
        table.add_column(column, justify="right" if column == "records" else "left", overflow="fold")
    for one in exports:
        n_records = "complete before" if one.n_records is None else f"{one.n_records:,}"
        cells = (one.name, "skipped", "") if one.refused else (one.name, n_records, printable(str(one.file)))
        table.add_row(*map(Text, cells), style="bold red" if one.refused else "")
    out.print(table)


def print_exports(
    exports: Sequence[ModelExport], stats: SessionStats, *, seconds: float, stopped_by: BaseException | None
) -> None:
    """Print the models that were exported as one JSON object."""
    total = {
        "models": [
            {
                "name": one.name,
                "records": one.n_records,
                "file": None if one.refused else str(one.file),
                "was_complete": one.was_complete,
                "skipped": one.refused,
            }
            for one in exports
        ],
        "records": sum(one.n_records or 0 for one in exports),
        "ok": stopped_by is None and not any(one.refused for one in exports),
        "stopped_by": None if stopped_by is None else printable(str(stopped_by) or "interrupted", _MAX_LINE),
        "calls": stats.calls,
        "attempts": stats.attempts,
        "seconds": round(seconds, 3),
    }
    sys.stdout.write(json.dumps(total) + "\n")


def tell(message: str) -> None:
    """Print one line on standard error; it may quote Planhat or a file."""
    err.print(Text(printable(message, _MAX_LINE)))


def complain(message: object) -> None:
    """Print one line about an error."""
    tell(f"planhat-async: {message}")
