"""What an answer to a deletion decides, and the account of its rows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.errors import (
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotFoundError,
    NotSentError,
    PermissionDeniedError,
    PlanhatError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    StatusError,
    UnknownOutcomeError,
)
from planhat_async.jobs.deletions import (
    MAX_FAILURES,
    DeleteOutcome,
    DeleteResult,
    Failures,
    Verdict,
    key_in,
    verdict_on,
)
from planhat_async.jobs.job_progress import Meter, deletion_line
from planhat_async.results import Outcome, Problem

KEY = "5f4e3d2c1b0a998877665544"


def answered(cls: type[StatusError], status: int, body: str = "{}") -> StatusError:
    return cls(f"DELETE /tickets/{KEY} answered {status}", status=status, body=body)


VERDICTS: list[Any] = [
    (None, "deleted", "deleted", False),
    (answered(NotFoundError, 404), "missing", "deleted", False),
    (answered(NotFoundError, 404, " <html>"), "unsent", "unknown", True),
    (answered(StatusError, 302), "unsent", "unknown", True),
    (answered(AuthenticationError, 401), "unsent", "unknown", True),
    (answered(RateLimitedError, 429), "unsent", "unknown", True),
    (NotSentError(f"no connection for {KEY}"), "unsent", "unknown", True),
    (answered(BadRequestError, 400), "rejected", "rejected", False),
    (answered(PermissionDeniedError, 403), "rejected", "rejected", False),
    (answered(PermissionDeniedError, 403, "<html>"), "unsent", "unknown", True),
    (answered(StatusError, 409), "rejected", "rejected", False),
    (answered(ServerError, 500, "<html>"), "unknown", "unknown", False),
    (answered(RequestTimeoutError, 408), "unknown", "unknown", False),
    (UnknownOutcomeError(f"no answer for {KEY}"), "unknown", "unknown", False),
    (DecodeError(f"not what was asked for: {KEY}"), "unknown", "unknown", False),
]


@pytest.mark.parametrize(("error", "outcome", "outcome_after_unknown", "ends_run"), VERDICTS)
def test_each_error_has_a_verdict(
    error: PlanhatError | None, outcome: str, outcome_after_unknown: str, ends_run: bool
) -> None:
    """After a lost answer, an attempt that was not processed leaves the row unknown; the reason names no key."""
    first, again = (verdict_on(error, key=KEY, may_be_deleted=one) for one in (False, True))
    assert (first.outcome, again.outcome) == (outcome, outcome_after_unknown)
    assert first.ends_run is again.ends_run is ends_run
    is_gone = outcome in {"deleted", "missing"}
    assert (first.reason is None) is is_gone
    assert KEY not in (first.reason or "")


FORBIDDEN = Verdict(DeleteOutcome.REJECTED, "no", is_forbidden=True)
UNANSWERED = Verdict(DeleteOutcome.UNKNOWN, "?")
REJECTED = Verdict(DeleteOutcome.REJECTED, "bad")
GONE = Verdict(DeleteOutcome.MISSING)


@pytest.mark.parametrize(
    ("verdicts", "ends"),
    [
        ([FORBIDDEN] * (MAX_FAILURES - 1), False),
        ([FORBIDDEN] * MAX_FAILURES, True),
        ([GONE, *[FORBIDDEN] * MAX_FAILURES], False),
        ([REJECTED] * MAX_FAILURES, False),
        ([UNANSWERED] * MAX_FAILURES, True),
        ([*[UNANSWERED] * (MAX_FAILURES - 1), GONE, UNANSWERED], False),
        ([Verdict(DeleteOutcome.UNSENT, "wrong token", ends_run=True)], True),
    ],
)
def test_failures_that_would_repeat_end_a_run(verdicts: list[Verdict], ends: bool) -> None:
    """Refusals count only until a record was deleted or missing, lost answers only in a row."""
    failures = Failures()
    assert [failures.end_run(verdict) for verdict in verdicts][-1] is ends


@given(st.lists(st.sampled_from(DeleteOutcome)))
def test_rows_add_up(outcomes: list[DeleteOutcome]) -> None:
    """Whatever their outcomes; all is well if no record is left."""
    result = DeleteResult()
    for outcome in outcomes:
        result.count(outcome)
    assert result.rows == sum(result.counts().values()) == len(outcomes)
    assert result.ok is {*outcomes}.issubset({DeleteOutcome.DELETED, DeleteOutcome.MISSING})
    assert result.to_send == sum(one in {"rejected", "unknown", "unsent"} for one in outcomes)


def test_rows_of_one_reason_are_ranges() -> None:
    """So that memory does not grow with their number."""
    result = DeleteResult(unsent=3, rejected=1)
    problems = [Problem(outcome=Outcome.UNSENT, reason="later", position=n, key=KEY) for n in (0, 1, 5)]
    result.add_problems(problems)
    result.add_problems([Problem(outcome=Outcome.REJECTED, reason="no", position=2, key=KEY)])
    assert [(group.reason, group.positions, group.key) for group in result.problem_groups] == [
        ("later", (range(2), range(5, 6)), None),
        ("no", (range(2, 3),), KEY),
    ]
    assert result.not_deleted == {Outcome.UNSENT: (range(2), range(5, 6)), Outcome.REJECTED: (range(2, 3),)}
    assert result.n_problems == 4


@pytest.mark.parametrize("item", [KEY, f" {KEY.upper()}\r", {"id": KEY}, {"_id": KEY, "x": 1}])
def test_a_key_is_found(item: Any) -> None:
    """In lower case, so that it is the same in any spelling."""
    assert key_in(item, by="delete") == KEY


@pytest.mark.parametrize("item", ["", " ", None, {}, {"id": ""}, {"id": None}, {"id": 5}, 5, KEY[:-1], f"extid-{KEY}"])
def test_what_is_no_key_is_refused(item: Any) -> None:
    """Planhat would delete nothing, or answer 404."""
    with pytest.raises((ValueError, TypeError)):
        key_in(item, by="delete")


def test_the_progress_is_told_on_one_line() -> None:
    """Of all rows, those that have an outcome; the time left is that of the rest."""
    meter = Meter(total_bytes=100)
    for now, n_done in ((0.0, 0), (10.0, 20)):
        meter.record_progress(n_done, rows_read=100, bytes_read=100, now=now)
    result = DeleteResult(deleted=15, missing=3, rejected=1, invalid=1, unknown=1, unsent=79)
    outcomes = "15 deleted, 3 missing, 2 failed, 1 unknown"
    line = f"20 of 100 rows, 2 rows/s: {outcomes}; 7 calls left this minute; about 40 s left"
    assert deletion_line(result, meter, calls_left=7) == line
