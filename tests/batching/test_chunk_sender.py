"""Test that one chunk is sent in as many requests as necessary."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field
from strategies import chunk_of

from planhat_async.batching.answers import Answer
from planhat_async.batching.chunk_outcome import ChunkOutcome
from planhat_async.batching.chunk_part import Isolation
from planhat_async.batching.chunk_sender import ChunkSender
from planhat_async.batching.chunks import Row
from planhat_async.batching.outcome_verifier import OutcomeVerifier
from planhat_async.batching.request_failures import outcome_of
from planhat_async.batching.verification import Seen
from planhat_async.errors import (
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotSentError,
    PayloadTooLargeError,
    PlanhatError,
    RateLimitedError,
    ServerError,
    UnknownOutcomeError,
)
from planhat_async.results import Outcome

LOST = UnknownOutcomeError("no answer")
TOO_LARGE = PayloadTooLargeError("too large", status=413)
REFUSED = BadRequestError("no", status=400)


def keyed(position: int) -> Row:
    return Row(position, (f"sourceId={position}",), str(position).encode())


def keyless(position: int) -> Row:
    return Row(position, (), str(position).encode(), ((position,), ()))


@define
class Planhat:
    """Answers requests in order as a test says; `None` and every later request get a good answer."""

    answers: list[PlanhatError | dict[str, Any] | None]
    sent: list[list[int]] = field(factory=list)
    listed: list[Seen] = field(factory=list)
    """The list after a request was sent."""

    async def send(self, body: bytes, *, on_sent: Callable[[], None], **_others: object) -> Answer:
        self.sent.append(json.loads(body))
        on_sent()
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, PlanhatError):
            raise answer
        counts = {"created": len(self.sent[-1]), "updated": 0, "nonupdates": 0}
        return Answer(status=200, body=counts if answer is None else answer)

    async def peek(self, offset: int, limit: int) -> list[Seen]:
        return self.listed[offset : offset + limit] if self.sent else []


def counted(outcome: ChunkOutcome) -> dict[str, int]:
    return {name: n_rows for name, n_rows in outcome.result.counts().items() if n_rows}


async def test_a_chunk_is_one_request() -> None:
    """This holds while every request succeeds."""
    planhat, outcome = Planhat([]), ChunkOutcome(chunk_of(keyed(0), keyed(1)))
    await ChunkSender(planhat.send).send_chunk(outcome)
    assert (planhat.sent, counted(outcome), outcome.pending) == ([[0, 1]], {"created": 2}, [])


async def test_parts_are_sent_in_order() -> None:
    """All parts of the first half are sent before the second half."""
    planhat, outcome = Planhat([TOO_LARGE, TOO_LARGE]), ChunkOutcome(chunk_of(*map(keyed, range(4))))
    await ChunkSender(planhat.send).send_chunk(outcome)
    assert planhat.sent == [[0, 1, 2, 3], [0, 1], [0], [1], [2, 3]]
    assert counted(outcome) == {"created": 4}


@pytest.mark.parametrize("is_isolated", [True, False])
async def test_a_chunk_refused_as_a_whole_is_halved_on_request(*, is_isolated: bool) -> None:
    """Halving ends at the row that caused the refusal."""
    planhat = Planhat([REFUSED, None, REFUSED, REFUSED])
    outcome = ChunkOutcome(chunk_of(*map(keyed, range(4))), isolation=Isolation(10 if is_isolated else 0))
    await ChunkSender(planhat.send).send_chunk(outcome)
    if is_isolated:
        assert planhat.sent == [[0, 1, 2, 3], [0, 1], [2, 3], [2], [3]]
        assert (counted(outcome), outcome.result.isolation_calls) == ({"created": 3, "rejected": 1}, 4)
    else:
        assert (planhat.sent, counted(outcome)) == ([[0, 1, 2, 3]], {"rejected": 4})


async def test_parts_of_an_answered_chunk_may_be_stored() -> None:
    """A part that is not sent after an answer that describes no rows is unknown, not unsent."""
    errors = {"created": 1, "createdErrors": ["no"]}
    planhat = Planhat([errors, NotSentError("no connection"), NotSentError("no connection")])
    outcome = ChunkOutcome(chunk_of(keyed(0), keyed(1)), isolation=Isolation(10))
    await ChunkSender(planhat.send).send_chunk(outcome)
    assert (planhat.sent, counted(outcome)) == ([[0, 1], [0]], {"unknown": 2})


async def test_parts_of_a_refused_chunk_are_not_stored() -> None:
    """Planhat processes no row of a chunk that it refuses as a whole."""
    planhat = Planhat([REFUSED, NotSentError("no connection"), NotSentError("no connection")])
    outcome = ChunkOutcome(chunk_of(keyed(0), keyed(1)), isolation=Isolation(10))
    await ChunkSender(planhat.send).send_chunk(outcome)
    assert counted(outcome) == {"unsent": 2}


async def test_found_rows_are_created_and_missing_rows_sent_again() -> None:
    """The chunk's answer was lost."""
    planhat, outcome = Planhat([LOST]), ChunkOutcome(chunk_of(keyless(0), keyless(1), keyless(2)), is_verified=True)
    planhat.listed = [("2", ((1,), ()))]
    await ChunkSender(planhat.send, OutcomeVerifier([planhat.peek], 0)).send_chunk(outcome)
    assert planhat.sent == [[0, 1, 2], [0, 2]]
    assert (counted(outcome), outcome.result.created_ids, outcome.result.error) == ({"created": 3}, ("2",), None)


async def test_rows_that_cannot_be_verified_are_unknown() -> None:
    """The chunk's error is the one that caused the doubt."""

    async def peek(offset: int, limit: int) -> list[Seen]:
        if planhat.sent:
            raise ServerError(f"down at {offset} of {limit}", status=503)
        return []

    planhat, outcome = Planhat([LOST]), ChunkOutcome(chunk_of(keyless(0)), is_verified=True)
    await ChunkSender(planhat.send, OutcomeVerifier([peek], 0)).send_chunk(outcome)
    assert (planhat.sent, counted(outcome), outcome.result.error) == ([[0]], {"unknown": 1}, LOST)


async def test_ids_of_an_answer_with_doubtful_rows_are_not_claimed() -> None:
    """The ids may belong to the doubtful rows."""
    odd = {"upsertedIds": ["2"]}
    planhat, outcome = Planhat([odd]), ChunkOutcome(chunk_of(keyless(0)), is_verified=True)
    planhat.listed = [("2", ((0,), ()))]
    await ChunkSender(planhat.send, OutcomeVerifier([planhat.peek], 0)).send_chunk(outcome)
    assert (planhat.sent, counted(outcome)) == ([[0]], {"created": 1})


async def test_rows_of_other_chunks_are_not_taken_for_missing_ones() -> None:
    """The ids in an answer are claimed."""
    planhat = Planhat([{"created": 1, "updated": 0, "nonupdates": 0, "upsertedIds": ["2"]}, LOST])
    planhat.listed = [("2", ((0,), ()))]
    sender = ChunkSender(planhat.send, OutcomeVerifier([planhat.peek], 0))
    for _ in range(2):
        await sender.send_chunk(ChunkOutcome(chunk_of(keyless(0)), is_verified=True))
    assert planhat.sent == [[0], [0], [0]]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (LOST, Outcome.UNKNOWN),
        (ServerError("down", status=500), Outcome.UNKNOWN),
        (DecodeError("no JSON"), Outcome.UNKNOWN),
        (NotSentError("no connection"), Outcome.UNSENT),
        (RateLimitedError("slow", status=429), Outcome.UNSENT),
        (REFUSED, Outcome.REJECTED),
        (TOO_LARGE, Outcome.REJECTED),
    ],
)
def test_an_error_decides_the_outcome_of_its_rows(error: PlanhatError, outcome: Outcome) -> None:
    """The outcome depends on whether Planhat may have processed the rows."""
    assert outcome_of(error) is outcome


async def test_a_refused_token_ends_the_other_parts() -> None:
    """The other parts would fail the same way; this error stops the run."""
    planhat = Planhat([TOO_LARGE, AuthenticationError("no", status=401)])
    outcome = ChunkOutcome(chunk_of(keyed(0), keyed(1), keyed(2), keyed(3)))
    await ChunkSender(planhat.send).send_chunk(outcome)
    assert (planhat.sent, counted(outcome)) == ([[0, 1, 2, 3], [0, 1]], {"unsent": 4})
    assert isinstance(outcome.result.error, AuthenticationError)


@pytest.mark.parametrize("later", [REFUSED, {"updatedErrors": [{"sourceId": "0", "error": "no"}], "nonupdates": 0}])
async def test_no_half_of_a_chunk_that_went_unanswered_is_called_rejected(later: Any) -> None:
    """The attempt before the refusal may have stored every row."""
    refused = BadRequestError("no", status=400)
    refused.may_have_been_processed = True
    planhat = Planhat([refused, later, later])
    outcome = ChunkOutcome(chunk_of(keyed(0), keyed(1)), isolation=Isolation(10))
    await ChunkSender(planhat.send).send_chunk(outcome)
    assert counted(outcome) == {"unknown": 2}


@pytest.mark.parametrize(("answers", "expected"), [(1, "created"), (2, "unknown")])
async def test_a_keyed_chunk_is_sent_once_more_after_an_unreadable_answer(answers: int, expected: str) -> None:
    """Repeating a keyed chunk is safe; a second unreadable answer ends it."""
    planhat = Planhat([DecodeError("half of the JSON")] * answers)
    outcome = ChunkOutcome(chunk_of(keyed(0), keyed(1)))
    await ChunkSender(planhat.send).send_chunk(outcome)
    assert (planhat.sent, counted(outcome)) == ([[0, 1], [0, 1]], {expected: 2})


async def test_a_keyless_chunk_is_not_sent_again_after_an_unreadable_answer() -> None:
    """Its rows would be created twice."""
    planhat = Planhat([DecodeError("half of the JSON")])
    outcome = ChunkOutcome(chunk_of(keyless(0), keyless(1)))
    await ChunkSender(planhat.send).send_chunk(outcome)
    assert (planhat.sent, counted(outcome)) == ([[0, 1]], {"unknown": 2})
