"""Shows the outcomes of a deletion."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from planhat_async._convert import printable
from planhat_async.cli import console
from planhat_async.cli.plan_display import show_numbers
from planhat_async.cli.run_log import MAX_LINE
from planhat_async.jobs.deletions import GONE, DeleteResult
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.plan import seconds_of_pace
from planhat_async.jobs.upsert_job import JobCost
from planhat_async.results import Outcome

_MEANING = {
    "deleted": "deleted",
    "missing": "no such record",
    "rejected": "rejected by Planhat",
    "invalid": "not sent: no _id",
    "unknown": "sent, but no answer came",
    "unsent": "not processed before the run ended",
}


def show_deletion(
    result: DeleteResult, *, seconds: float, ended_by: BaseException | None, remarks: Sequence[str] = ()
) -> None:
    """Print a table of outcomes, the first problems, remarks on the input, and what ended the run early."""
    console.show_outcomes(result.counts(), _MEANING, good=GONE, seconds=seconds)
    _tell_repetitions(result)
    console.list_problems(result.problem_groups, result.n_problems, ended_by=ended_by)
    console.tell_all(remarks)
    if ended_by is not None:
        console.complain(ended_by)


def print_deletion_json(
    result: DeleteResult, cost: JobCost, *, ended_by: BaseException | None, remarks: Sequence[str] = ()
) -> None:
    """Print the result as one JSON object; rows count from 1."""
    total = {
        "rows": result.rows,
        **result.counts(),
        "repeated": result.repeated,
        "ok": result.ok and ended_by is None,
        "stopped_by": None if ended_by is None else printable(str(ended_by), MAX_LINE),
        "calls": cost.calls,
        "attempts": cost.attempts,
        "seconds": round(cost.seconds, 3),
        "n_problems": result.n_problems,
        "problems": [console.problem_as_json(group, ended_by) for group in result.problem_groups],
        "not_deleted": {outcome: console.pairs(ranges) for outcome, ranges in result.not_deleted.items()},
        "remarks": [*remarks],
    }
    sys.stdout.write(json.dumps(total) + "\n")


def show_deletion_plan(
    plan: DeleteResult, *, per_minute: int, as_json: bool, is_dry_run: bool, remarks: Sequence[str] = ()
) -> None:
    """Print what a deletion would send, and how to carry it out."""
    shown = {
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
        problems = [console.problem_as_json(group) for group in invalid]
        for problem in problems:
            del problem["outcome"]
        sys.stdout.write(
            json.dumps(shown | {"first_ids": plan.first_ids, "problems": problems, "remarks": [*remarks]}) + "\n"
        )
        return
    show_numbers("What would be deleted", shown)
    if plan.to_send:
        sys.stdout.write(f"_ids: {_first_ids(plan)}\n")
    _tell_repetitions(plan)
    console.list_problems(invalid, plan.invalid)
    console.tell_all(remarks)
    instead = " instead of --dry-run" if is_dry_run else ""
    console.warn(f"nothing was deleted: run the same command with --yes{instead} to delete the records")


def _first_ids(plan: DeleteResult) -> str:
    """The first `_id`s to be deleted, and the number of the others."""
    n_others = plan.to_send - len(plan.first_ids)
    return ", ".join(plan.first_ids) + (f" and {n_others:,} more" if n_others else "")


def _tell_repetitions(result: DeleteResult) -> None:
    if result.repeated:
        console.tell(f"{in_words(result.repeated, 'more row')} with the key of an earlier one: each key counts once")
