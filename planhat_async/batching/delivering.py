"""Delivers one chunk, in as many requests as it takes, and settles each of its rows."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeAlias

import attrs

from planhat_async.batching.answers import Account, Answer
from planhat_async.batching.chunking import Chunk, Rows, halves_of, pieces_of
from planhat_async.batching.parts import Part
from planhat_async.batching.settling import Settler
from planhat_async.batching.verdicts import read_answer
from planhat_async.batching.verifying import Floor, UnreadableListError
from planhat_async.errors import (
    BadRequestError,
    DecodeError,
    NotSentError,
    PayloadTooLargeError,
    PlanhatError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    StatusError,
)
from planhat_async.results import Outcome

Send: TypeAlias = Callable[[bytes, bool, Callable[[bool], None]], Awaitable[Answer]]
"""Sends a body, given whether it may be repeated, and whom to tell whether it has left; returns an answer that is 2xx,
or one that says something of single rows."""

_MAX_ROUNDS = 5
"""How often the rows of a chunk that are looked for in vain are sent."""


@attrs.frozen
class Courier:
    """Delivers chunks.

    Args:
        send: Makes a request.
        settler: Looks for keyless rows whose answer did not come, if anybody does.
        send_only: Makes the one request of an upsert that is a single call.
    """

    send: Send
    settler: Settler | None = None
    send_only: Send | None = None

    async def deliver(self, account: Account) -> None:
        """Send a chunk, and put each of its rows into an outcome."""
        if self.settler is not None and account.is_verified:
            await self._deliver_verified(account, self.settler)
        else:
            await self._send_all(account, nullcontext)
        account.conclude()

    async def _deliver_verified(self, account: Account, settler: Settler) -> None:
        try:
            floor = await settler.begin(account.floor)
        except PlanhatError as error:
            # Without it nothing could be settled afterwards.
            while account.left:
                account.fail(account.left.pop(), error, Outcome.UNSENT)
            account.stay_in_doubt(f"and Planhat's list, which might tell, could not be read: {error}")
            return
        try:
            for _ in range(_MAX_ROUNDS):
                await self._send_all(account, settler.sending)
                if not account.doubtful:
                    return
                await self._look_for(account, settler, floor)
            account.abandon(f"sent {_MAX_ROUNDS} times without an answer, and not found in Planhat's list")
        finally:
            settler.end(floor)

    async def _look_for(self, account: Account, settler: Settler, floor: Floor) -> None:
        """Look for the rows without an answer; those that are not there are sent again."""
        try:
            rows = tuple(row for row, _ in account.doubtful)
            found, missing = await settler.settle(rows, floor, on_found=account.find)
        except (PlanhatError, UnreadableListError) as error:
            account.stay_in_doubt(f"and Planhat's list, which might tell, could not be read: {error}")
            return
        account.find(found, missing)

    async def _send_all(self, account: Account, permission: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        while account.left:
            body = await _body_of(account.left[-1].rows, account.chunk)
            async with permission():
                parts = await self._send_next(account, body)
                if self.settler is not None and not account.doubtful:
                    # Of an answer that leaves rows in doubt nobody knows whose ids it tells.
                    self.settler.claim(account.result.created_ids)
            account.left.pop()
            account.left += [part for part in reversed(parts) if part.rows]

    async def _send_next(self, account: Account, body: bytes) -> list[Part]:
        """Make the next request; returns what is still to be sent, in that order."""
        part = account.left[-1]
        try:
            is_only = account.chunk.is_only and part.rows is account.chunk.rows
            send = self.send_only if is_only and self.send_only is not None else self.send
            answer = await send(body, account.chunk.is_keyed, account.leave)
        except PayloadTooLargeError as error:
            if len(part.rows) > 1:
                return _parts_of(part, halves_of(part.rows), error)
            account.fail(part, error, outcome_of(error))
            account.refuse_as_too_large()
        except BadRequestError as error:
            if halves := account.halve(part.rows):
                return _parts_of(part, halves, error)
            account.fail(part, error, outcome_of(error))
        except DecodeError as error:
            if account.chunk.is_keyed and not part.follows_unknown:
                # No session knows that nobody could read the answer; once more does no harm.
                return [part.of(part.rows, follows_unknown=True)]
            account.fail(part, error, outcome_of(error))
        except PlanhatError as error:
            account.fail(part, error, outcome_of(error))
            if refuses_everything(error):
                account.stop(error)
        else:
            return read_answer(account, part, answer)
        return []


def _parts_of(part: Part, halves: Iterable[Rows], error: PlanhatError) -> list[Part]:
    """The halves of a part, which an earlier attempt may have stored if it may have stored the whole."""
    return [part.of(rows, follows_unknown=error.may_have_been_processed) for rows in halves]


def outcome_of(error: PlanhatError) -> Outcome:
    """What an error makes of the rows that were sent."""
    if error.may_have_been_processed or isinstance(error, DecodeError):
        return Outcome.UNKNOWN
    if isinstance(error, NotSentError | RateLimitedError):
        return Outcome.UNSENT
    return Outcome.REJECTED


def refuses_everything(error: PlanhatError) -> bool:
    """Whether the next chunk would fare no better."""
    if isinstance(error, ServerError | RequestTimeoutError | BadRequestError | PayloadTooLargeError):
        return False
    return isinstance(error, StatusError | NotSentError)


async def _body_of(rows: Rows, chunk: Chunk) -> bytes:
    """The body of a request; others have the event loop between two pieces."""
    if rows is chunk.rows:
        return chunk.body
    body = io.BytesIO()
    for piece in pieces_of(rows):
        body.write(piece)
        await asyncio.sleep(0)
    return body.getvalue()  # the buffer itself: no copy of it is made
