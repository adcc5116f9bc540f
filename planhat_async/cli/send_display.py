"""Shows the outcomes of rows that were sent to the analytics host."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from planhat_async._convert import printable
from planhat_async.analytics.send_plan import SendPlan
from planhat_async.analytics.send_result import ACCEPTED, SendProblemGroup, SendResult
from planhat_async.cli import console
from planhat_async.cli.plan_display import show_numbers
from planhat_async.cli.run_log import MAX_LINE, log
from planhat_async.jobs.entries import without_values
from planhat_async.session import SessionStats

_MEANING = {
    "processed": "processed",
    "received": "received; Planhat checks them later",
    "rejected": "rejected by Planhat",
    "invalid": "not sent: Planhat would reject or misunderstand them",
    "unknown": "sent, but no answer came: Planhat may have them",
    "unsent": "not processed before the run ended",
}


def show_send_result(
    result: SendResult, *, seconds: float, ended_by: BaseException | None, remarks: Sequence[str] = ()
) -> None:
    """Print a table of outcomes, the first problems, remarks on the input, and what ended the run early."""
    console.show_outcomes(result.counts(), _MEANING, good=ACCEPTED, seconds=seconds)
    _list_problems(result, ended_by)
    console.tell_all(remarks)
    if result.unknown:
        console.warn("unknown rows were not sent again: if Planhat has them, it may count them twice")
    if ended_by is not None:
        console.complain(ended_by)


def print_send_json(
    result: SendResult,
    stats: SessionStats,
    *,
    seconds: float,
    ended_by: BaseException | None,
    remarks: Sequence[str] = (),
) -> None:
    """Print the result as one JSON object; rows count from 1."""
    total = {
        "rows": result.rows,
        **result.counts(),
        "ok": result.ok and ended_by is None,
        "stopped_by": None if ended_by is None else printable(str(ended_by), MAX_LINE),
        "calls": stats.calls,
        "attempts": stats.attempts,
        "seconds": round(seconds, 3),
        "n_problems": result.n_problems,
        "problems": [_problem(group) for group in result.problem_groups],
        "not_accepted": {outcome: console.pairs(ranges) for outcome, ranges in result.not_accepted.items()},
        "remarks": [*remarks],
    }
    sys.stdout.write(json.dumps(total) + "\n")


def show_send_plan(plan: SendPlan, *, as_json: bool, remarks: Sequence[str] = ()) -> None:
    """Print what would be sent, and remarks on the input."""
    shown = {
        "rows": plan.n_rows + plan.result.rows,
        "invalid": plan.result.invalid,
        "to_send": plan.n_rows,
        "calls": plan.n_calls,
        "bytes": plan.n_bytes,
    }
    if as_json:
        problems = [_problem(group) for group in plan.result.problem_groups]
        sys.stdout.write(json.dumps(shown | {"problems": problems, "remarks": [*remarks]}) + "\n")
        return
    show_numbers("What would be sent", shown)
    _list_problems(plan.result, None)
    console.tell_all(remarks)


def _list_problems(result: SendResult, ended_by: BaseException | None) -> None:
    """Print the first reasons, each with all of its rows."""
    groups = result.problem_groups
    for group in groups[: console.SHOWN_PROBLEMS]:
        if log.is_json:
            console.log_problem(group.outcome, group.n_rows, group.positions, without_values(group.reason))
            continue
        reason = "see below" if ended_by is not None and group.reason == str(ended_by) else printable(group.reason)
        console.warn(f"{console.rows_in_words(group.n_rows, group.positions)} {group.outcome}: {reason}")
    console.tell_others(len(groups), result.n_problems)


def _problem(group: SendProblemGroup) -> dict[str, object]:
    return {
        "outcome": group.outcome,
        "reason": printable(group.reason),
        "n_rows": group.n_rows,
        "rows": console.pairs(group.positions),
    }
