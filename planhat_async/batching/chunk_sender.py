"""Sends one chunk, in as many requests as it takes."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol

import attrs

from planhat_async.batching.answers import Answer
from planhat_async.batching.chunk_outcome import ChunkOutcome
from planhat_async.batching.chunk_part import Part
from planhat_async.batching.chunks import Chunk, Rows, pieces_of
from planhat_async.batching.outcome_verifier import OutcomeVerifier
from planhat_async.batching.verification import AMBIGUOUS, Floor, UnreadableListError
from planhat_async.errors import PlanhatError
from planhat_async.results import Outcome

_MAX_ROUNDS = 5
"""How many times rows are sent that do not appear in Planhat's list."""


class Send(Protocol):
    """Sends one body."""

    def __call__(
        self, body: bytes, *, is_keyed: bool, on_sent: Callable[[], None], on_not_processed: Callable[[], None]
    ) -> Awaitable[Answer]:
        """Send a body; returns a 2xx answer, or a 400 or 403 about single rows, and raises any other.

        Args:
            body: The rows as a JSON array.
            is_keyed: Whether every row has a key, so that the body may be sent again.
            on_sent: Called each time the body is about to be sent.
            on_not_processed: Called when it turns out that no attempt so far was processed.
        """
        ...


@attrs.frozen
class ChunkSender:
    """Sends chunks until every row has an outcome."""

    send: Send
    """Makes a request."""
    verifier: OutcomeVerifier | None = None
    """Looks for keyless rows whose answer got lost."""
    send_single_call: Send | None = None
    """Makes the request of an upsert that is one call in all, which counts as a single call for the pace."""

    async def send_chunk(self, outcome: ChunkOutcome) -> None:
        """Send a chunk and settle each of its rows."""
        if self.verifier is not None and outcome.is_verified:
            await self._send_verified(outcome, self.verifier)
        else:
            await self._send_pending(outcome, nullcontext)
        outcome.conclude()

    async def _send_verified(self, outcome: ChunkOutcome, verifier: OutcomeVerifier) -> None:
        try:
            floor = await verifier.begin_chunk(outcome.floor)
        except PlanhatError as error:
            # Without a floor no row could be found later.
            while outcome.pending:
                outcome.fail(outcome.pending.pop(), error, Outcome.UNSENT)
            outcome.stay_in_doubt(f"and Planhat's list, which might tell, could not be read: {error}")
            return
        try:
            for _ in range(_MAX_ROUNDS):
                await self._send_pending(outcome, verifier.sending)
                if not outcome.doubtful:
                    return
                await self._find_doubtful(outcome, verifier, floor)
            outcome.abandon(f"sent {_MAX_ROUNDS} times without an answer, and not found in Planhat's list")
        finally:
            verifier.end_chunk(floor)

    async def _find_doubtful(self, outcome: ChunkOutcome, verifier: OutcomeVerifier, floor: Floor) -> None:
        """Find rows without an answer in Planhat's list; the missing ones are sent again, unless it is ambiguous."""
        try:
            rows = tuple(row for row, _ in outcome.doubtful)
            matches = await verifier.find_rows(rows, floor, on_found=outcome.settle_found)
        except (PlanhatError, UnreadableListError) as error:
            outcome.stay_in_doubt(f"and Planhat's list, which might tell, could not be read: {error}")
            return
        outcome.leave_unknown(matches.ambiguous, AMBIGUOUS)
        unclear = {row.position for row in matches.ambiguous}
        outcome.settle_found(matches.found, tuple(row for row in matches.missing if row.position not in unclear))

    async def _send_pending(
        self, outcome: ChunkOutcome, permission: Callable[[], AbstractAsyncContextManager[Any]]
    ) -> None:
        while outcome.pending:
            part = outcome.pending.pop()
            n_doubtful, n_ids = len(outcome.doubtful), len(outcome.result.created_ids)
            try:
                body = await _body_of(part.rows, outcome.chunk)
                async with permission():
                    parts = await self._send_part(outcome, part, body)
                    if self.verifier is not None and len(outcome.doubtful) == n_doubtful:
                        # The ids of an answer that leaves rows in doubt may belong to those rows.
                        self.verifier.claim(outcome.result.created_ids[n_ids if n_doubtful else 0 :])
            except BaseException:
                outcome.pending.append(part)  # `give_up` settles it by whether it was sent
                raise
            outcome.pending += [one for one in reversed(parts) if one.rows]

    async def _send_part(self, outcome: ChunkOutcome, part: Part, body: bytes) -> list[Part]:
        """Make the request of one part; returns the parts that are to be sent again, in order."""
        is_single_call = outcome.chunk.is_only and part.rows is outcome.chunk.rows
        send = self.send_single_call if is_single_call and self.send_single_call is not None else self.send
        try:
            answer = await send(
                body,
                is_keyed=outcome.chunk.is_keyed,
                on_sent=part.mark_sent,
                on_not_processed=part.mark_not_processed,
            )
        except PlanhatError as error:
            return outcome.take_error(part, error)
        return outcome.take_answer(part, answer)


async def _body_of(rows: Rows, chunk: Chunk) -> bytes:
    """The body of a request; other tasks run between two pieces."""
    if rows is chunk.rows:
        return chunk.body
    body = io.BytesIO()
    for piece in pieces_of(rows):
        body.write(piece)
        await asyncio.sleep(0)
    return body.getvalue()  # the buffer itself, not a copy
