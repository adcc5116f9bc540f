"""The output of the command line: progress, summaries, errors."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from planhat_async._convert import printable
from planhat_async.cli.run_log import MAX_LINE, error_fields, log, said_if_possible, without_rows
from planhat_async.jobs.entries import without_values
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.job_summary import MEANINGS
from planhat_async.jobs.upsert_job import JobCost
from planhat_async.results import STORED, ProblemGroup, UpsertResult
from planhat_async.session import SessionStats


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the command handle it."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


out: Console = _Console(soft_wrap=True)
err: Console = _Console(stderr=True, soft_wrap=True)

SHOWN_PROBLEMS = 10


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
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal or not log.shows_tables) as bar:
        task = bar.add_task("", total=total, rows=0, title=printable(title), note="")
        yield lambda n_rows, done=None, note="": bar.update(task, rows=n_rows, completed=done, note=note)


def show_result(
    result: UpsertResult, *, seconds: float, ended_by: BaseException | None, remarks: Sequence[str] = ()
) -> None:
    """Print a table of outcomes, the first problems, remarks on the input, and what ended the run early."""
    show_outcomes(result.counts(), MEANINGS, good=STORED, seconds=seconds)
    list_problems(result.problem_groups, result.n_problems, ended_by=ended_by)
    tell_all(remarks)
    if ended_by is not None:
        complain(ended_by)


def show_outcomes(
    counts: Mapping[str, int], meaning: Mapping[str, str], *, good: Collection[str], seconds: float
) -> None:
    """Print a table of the outcomes that rows have, with their meaning; those that are not good stand out."""
    n_rows = sum(counts.values())
    level = logging.INFO if all(name in good for name, number in counts.items() if number) else logging.WARNING
    log.write("result", level=level, rows=n_rows, **with_rows(counts), seconds=round(seconds, 3))
    if not log.shows_tables:
        return
    table = Table(title=f"{in_words(n_rows, 'row')} in {seconds:.1f} s", title_justify="left")
    table.add_column("outcome")
    table.add_column("rows", justify="right")
    table.add_column("meaning")
    for name, n_rows in counts.items():
        if n_rows:
            table.add_row(name, f"{n_rows:,}", meaning[name], style="" if name in good else "bold red")
    out.print(table)


def with_rows(counts: Mapping[str, int]) -> dict[str, int]:
    """The outcomes that rows have."""
    return {name: number for name, number in counts.items() if number}


def list_problems(groups: Sequence[ProblemGroup], n_problems: int, *, ended_by: BaseException | None = None) -> None:
    """Print the first reasons, each with all of its rows."""
    for group in groups[:SHOWN_PROBLEMS]:
        if log.is_json:
            log_problem(group.outcome, group.n_rows, group.positions, without_values(group.reason, key=group.key))
            continue
        rows = rows_in_words(group.n_rows, group.positions, group.key)
        warn(f"{rows} {group.outcome}: {_reason(group, ended_by, reference='see below')}")
    tell_others(len(groups), n_problems)


def tell_others(n_groups: int, n_problems: int) -> None:
    """Say that there are more reasons than were listed, if there are."""
    if n_groups > SHOWN_PROBLEMS:
        warn(f"{n_problems:,} problems in all; --json shows more of them", event="problems")


def log_problem(outcome: str, n_rows: int, positions: Sequence[range], reason: str) -> None:
    """Write a reason to a log in JSON, with the first row that it is about; rows count from 1."""
    first = positions[0].start + 1 if positions else None
    words = printable(reason, MAX_LINE)
    log.write("problem", level=logging.WARNING, outcome=str(outcome), rows=n_rows, first_row=first, reason=words)


def _reason(group: ProblemGroup, ended_by: BaseException | None, *, reference: str) -> str:
    """The reason, or a reference to the error that ended the run, which is shown once."""
    return reference if ended_by is not None and group.reason == str(ended_by) else printable(group.reason)


def rows_in_words(n_rows: int, positions: Sequence[range], key: str | None = None) -> str:
    """Rows, counted from 1, and the key of a single row.

    Args:
        n_rows: The number of rows.
        positions: Their known positions, counted from 0.
        key: The key, if there is one row.
    """
    n_named = sum(map(len, positions))
    n_nameless = n_rows - n_named
    nameless = [f"{in_words(n_nameless, 'row')} (Planhat does not say which)"] if n_nameless else []
    ranges = [f"{one.start + 1}–{one.stop}" if len(one) > 1 else f"{one.stop}" for one in positions]  # noqa: RUF001
    if n_named == 1:
        named = [f"row {ranges[0]}" + (f" ({printable(key, 100)})" if key else "")]
    else:
        named = [f"rows {', '.join(ranges[:5])}{' ...' if len(ranges) > 5 else ''}"] if ranges else []
    return " and ".join([*named, *nameless])


def problem_as_json(group: ProblemGroup, ended_by: BaseException | None = None) -> dict[str, object]:
    """A reason and its rows as JSON: one row by `row` and `key`, several by ranges; rows count from 1."""
    what = {"outcome": group.outcome, "reason": _reason(group, ended_by, reference="see stopped_by")}
    if group.n_rows == 1:
        return {"row": group.positions[0].stop if group.positions else None, "key": group.key, **what}
    return {"n_rows": group.n_rows, "rows": pairs(group.positions), **what}


def pairs(ranges: Iterable[range]) -> list[list[int]]:
    """Ranges of rows as JSON: the first and the last row of each, counted from 1."""
    return [[one.start + 1, one.stop] for one in ranges]


def print_json(
    result: UpsertResult,
    stats: SessionStats | JobCost,
    *,
    seconds: float,
    ended_by: BaseException | None,
    remarks: Sequence[str] = (),
) -> None:
    """Print the result as one JSON object."""
    total = {
        "rows": result.rows,
        **result.counts(),
        "ok": result.ok and ended_by is None,
        "stopped_by": None if ended_by is None else printable(str(ended_by), MAX_LINE),
        "calls": stats.calls,
        "attempts": stats.attempts,
        "seconds": round(seconds, 3),
        "n_problems": result.n_problems,
        "problems": [problem_as_json(group, ended_by) for group in result.problem_groups],
        "not_stored": {outcome: pairs(ranges) for outcome, ranges in result.not_stored.items()},
        "remarks": [*remarks],
    }
    sys.stdout.write(json.dumps(total) + "\n")


def show_facts(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on a terminal; elsewhere a line for each row, its cells separated by tabs, and none shortened."""
    if not out.is_terminal:
        for row in rows:
            sys.stdout.write("\t".join(row) + "\n")
        sys.stdout.flush()
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    out.print(table)


def tell(message: str, *, level: int = logging.INFO, event: str = "message", **fields: Any) -> None:
    """Say something on standard error, on one line; it may quote Planhat or a file.

    Args:
        message: What to say.
        level: A level of `logging`; `--quiet` leaves out what is below a warning.
        event: The name of the event, for a log in JSON.
        **fields: What belongs to the event there, beside the message.
    """
    if log.is_json:
        log.write(event, level=level, **fields, message=printable(message, MAX_LINE))
    elif log.includes(level):
        with said_if_possible():
            err.print(Text(printable(message, MAX_LINE)))


def warn(message: str, *, event: str = "message") -> None:
    """Say something that needs attention: `--quiet` does not leave it out."""
    tell(message, level=logging.WARNING, event=event)


def tell_all(remarks: Iterable[str]) -> None:
    """Say a line for each remark on the input."""
    for remark in remarks:
        tell(without_rows(remark) if log.is_json else remark, event="remark")


def complain(message: object) -> None:
    """Say one line about an error; without quotations of rows where the log is JSON."""
    if log.is_json:
        log.write("error", level=logging.ERROR, **error_fields(message), message=without_rows(message))
    else:
        tell(f"planhat-async: {message}", level=logging.ERROR)
