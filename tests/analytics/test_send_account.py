"""The outcomes of a chunk's rows, however its requests end."""

from __future__ import annotations

import pytest

from planhat_async.analytics.outgoing_chunks import OutgoingChunk, Part
from planhat_async.analytics.send_account import SendAccount
from planhat_async.analytics.send_result import SendChunkResult, SendCounts, SendOutcome
from planhat_async.errors import (
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotSentError,
    PayloadTooLargeError,
    PlanhatError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    UnknownOutcomeError,
)


def part_of(start: int, stop: int) -> Part:
    return Part(body=b"[]", n_rows=stop - start, positions=(range(start, stop),) if stop > start else ())


def account_of(n_rows: int = 4) -> SendAccount:
    return SendAccount(OutgoingChunk(rows=part_of(0, n_rows), result=SendChunkResult(number=0)))


def received(n_rows: int) -> SendCounts:
    return SendCounts(received=n_rows)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotSentError("no network"), SendOutcome.UNSENT),
        (RateLimitedError("429", status=429), SendOutcome.UNSENT),
        (UnknownOutcomeError("reset"), SendOutcome.UNKNOWN),
        (ServerError("500", status=500), SendOutcome.UNKNOWN),
        (RequestTimeoutError("408", status=408), SendOutcome.UNKNOWN),
        (DecodeError("no JSON"), SendOutcome.UNKNOWN),
        (BadRequestError("400", status=400), SendOutcome.REJECTED),
        (AuthenticationError("401", status=401), SendOutcome.UNSENT),
    ],
)
def test_the_rows_of_a_failed_request(error: PlanhatError, outcome: SendOutcome) -> None:
    """They are unknown if Planhat may have them, else rejected or unsent."""
    account = account_of()
    account.mark_sent()
    account.fail(error)
    assert account.result.not_accepted == {outcome: (range(4),)}
    assert (account.result.error, len(account.pending)) == (error, 0)


def test_a_part_too_large_is_sent_in_halves() -> None:
    """One that holds a single row is rejected."""
    account, error = account_of(), PayloadTooLargeError("413", status=413)
    account.mark_sent()
    assert account.needs_halves(error)
    account.replace((part_of(0, 2), part_of(2, 4)))
    account.mark_sent()
    account.settle(received(2))
    account.replace((part_of(2, 3), part_of(3, 4)))
    assert not account.needs_halves(error)
    account.fail(error)
    account.settle(received(1))
    assert (account.result.received, account.result.not_accepted) == (3, {SendOutcome.REJECTED: (range(2, 3),)})


def test_a_refusal_of_everything_ends_the_parts_behind() -> None:
    """They would fail in the same way."""
    account = account_of()
    account.replace((part_of(0, 2), part_of(2, 4)))
    account.fail(AuthenticationError("401", status=401))
    assert account.result.not_accepted == {SendOutcome.UNSENT: (range(4),)}


@pytest.mark.parametrize(
    ("was_sent", "outcome"), [(True, SendOutcome.UNKNOWN), (False, SendOutcome.UNSENT), (None, SendOutcome.UNSENT)]
)
def test_a_run_that_ends_first(was_sent: bool | None, outcome: SendOutcome) -> None:
    """The part that was sent is unknown, unless no attempt was processed; the others are unsent."""
    account = account_of()
    account.replace((part_of(0, 2), part_of(2, 4)))
    if was_sent is not None:
        account.mark_sent()
    if was_sent is False:
        account.mark_not_processed()
    account.give_up("not sent: the run ended first")
    found = account.result.not_accepted
    assert found == (
        {outcome: (range(2),), SendOutcome.UNSENT: (range(2, 4),)}
        if outcome is SendOutcome.UNKNOWN
        else {SendOutcome.UNSENT: (range(4),)}
    )


def test_a_chunk_without_rows_needs_no_request() -> None:
    """It counts invalid rows only."""
    assert not account_of(0).pending


def test_rows_after_many_that_are_too_large_are_unsent() -> None:
    """A proxy that refuses every body costs a few calls per chunk, not two for each row."""
    account, error, n_calls = account_of(1000), PayloadTooLargeError("413", status=413), 0
    while account.pending:
        n_calls += 1
        account.mark_sent()
        first = account.pending[0]
        if account.needs_halves(error):
            start, stop = first.positions[0].start, first.positions[0].stop
            account.replace((part_of(start, (start + stop) // 2), part_of((start + stop) // 2, stop)))
        else:
            account.fail(error)
    assert n_calls < 40
    assert (account.result.rejected, account.result.unsent) == (10, 990)
