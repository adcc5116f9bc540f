"""The output of a dry run: numbers in words, and remarks on rows that can be sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from planhat_async.cli import console
from planhat_async.cli.input_display import report_as_json, tables_of
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.plan import Plan
from planhat_async.records import Model
from planhat_async.records.model import in_alternatives

_WORDS = {
    "rows": "rows",
    "to_send": "rows to send",
    "calls": "calls",
    "bytes": "bytes",
    # Shown if they are not 0.
    "invalid": "invalid rows, not sent",
    "stored": "rows stored by earlier runs",
    "skipped": "skipped rows",
    "rejected": "rows rejected in earlier runs",
    "unknown": "unknown rows of earlier runs",
    "repeated": "rows with the key of an earlier row",
    "deleted": "records deleted by earlier runs",
    "missing": "records missing in earlier runs",
    "duplicates": "  with a key of an earlier row",
    "keyless": "  without a key: created each time",
    "incomplete": "  that can only update: a new record needs more",
    "longest_queue": "calls for the most frequent key",
    "seconds_of_pace": "seconds of waiting for the rate limit",
}
"""Numbers of a dry run in words."""
_ALWAYS_SHOWN = {"rows", "to_send", "calls", "bytes"}


def show_plan(plan: Plan, model: Model, remarks: Sequence[str], *, per_minute: int, as_json: bool) -> None:
    """Print what an upsert would send, and remarks on the input."""
    shown: dict[str, object] = {
        "rows": plan.result.rows,
        "invalid": plan.result.invalid,
        "stored": plan.result.stored - plan.result.skipped,
        "skipped": plan.result.skipped,
        "rejected": plan.result.rejected + plan.result.dropped,
        "unknown": plan.result.unknown,
        "to_send": plan.result.unsent,
        "duplicates": plan.n_duplicates,
        "keyless": plan.n_keyless,
        "incomplete": plan.n_incomplete,
        "chunks": plan.n_chunks,
        "bytes": plan.n_bytes,
        "calls": plan.n_chunks,
        "longest_queue": plan.longest_queue,
        "seconds_of_pace": plan.seconds(per_minute),
    }
    not_looked_up = list(plan.not_looked_up)
    if as_json:
        problems = [console.problem_as_json(group) for group in plan.result.problem_groups]
        for problem in problems:
            del problem["outcome"]
        shown |= {"not_looked_up": not_looked_up, "problems": problems, "remarks": [*remarks]}
        shown |= {} if plan.input_report is None else report_as_json(plan.input_report)
        sys.stdout.write(json.dumps(shown) + "\n")
        return
    if plan.input_report is not None:
        for table in tables_of(plan.input_report):
            console.out.print(table)
    del shown["chunks"]  # as many as calls
    if plan.longest_queue <= 1:
        del shown["longest_queue"]
    show_numbers("What would be sent", shown)
    console.list_problems(plan.result.problem_groups, plan.result.n_problems)
    console.tell_all([*_remarks(plan, model), *remarks])


def _remarks(plan: Plan, model: Model) -> Iterator[str]:
    """What is to be known of rows that can be sent."""
    if plan.n_incomplete:
        lacking = [group for group in model.upsert_needs if not {*model.match} <= {*group}]
        needs = " and ".join(map(in_alternatives, lacking))
        what = f"can only update, because a new record needs {needs}: Planhat drops them if their records do not exist"
        yield f"{_first_rows(plan.n_incomplete, plan.first_incomplete)} {what}"
    if plan.n_duplicates:
        what = "with the key of an earlier row: the last of them counts"
        yield f"{_first_rows(plan.n_duplicates, plan.first_repeated)} {what}"
    for name in plan.not_looked_up:
        yield f"{name} is not looked up in a dry run: rows that name no record, or several, count as rows to send"


def _first_rows(n_rows: int, first: Sequence[int]) -> str:
    """A number of rows and the first of them; rows count from 1."""
    names = ", ".join(f"{position + 1:,}" for position in first)
    return f"{in_words(n_rows, 'row')} ({names}{', ...' if n_rows > len(first) else ''})"


def show_numbers(title: str, numbers: Mapping[str, Any]) -> None:
    """Print a table of the numbers of a dry run, in words."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in numbers.items():
        if value or name in _ALWAYS_SHOWN:
            table.add_row(_WORDS[name], f"{value:,}")
    console.out.print(table)
