"""Sends answers over HTTP, and applies the faults of connections."""

from __future__ import annotations

import asyncio
import socket
import struct
from itertools import pairwise
from typing import Never

from aiohttp import web

from planhat_async.sandbox.messages import ApiResponse, AppliedFault
from planhat_async.sandbox.planhat import N_PIECES

_RESET_AT_ONCE = struct.pack("ii", 1, 0)


async def deliver(
    request: web.Request, answer: ApiResponse, fault: AppliedFault, *, is_last: bool
) -> web.StreamResponse:
    """Send an answer as the fault of its call requires; `is_last` closes the connection."""
    match fault:
        case AppliedFault("reset_after"):
            return hang_up(request)
        case AppliedFault("reset_during"):
            response = await _half(request, answer)
            hang_up(request)
            return response
        case AppliedFault("stall"):
            await _half(request, answer)
            await _wait_for_disconnect()
        case AppliedFault("slow", seconds):
            return await _slowly(request, answer, seconds)
    response = web.Response(
        status=answer.status, body=answer.body, headers=answer.headers, content_type=answer.content_type
    )
    if is_last:
        response.force_close()
    await response.prepare(request)
    await response.write_eof()
    return response


def hang_up(request: web.Request) -> web.Response:
    """Reset the connection; the response returned is never sent."""
    if request.transport is not None:
        # Without this a connection whose data was all read would be closed in order, not reset.
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
        request.transport.abort()
    return web.Response()


async def _half(request: web.Request, answer: ApiResponse) -> web.StreamResponse:
    response = _streamed(answer)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    return response


async def _slowly(request: web.Request, answer: ApiResponse, seconds: float) -> web.StreamResponse:
    response = _streamed(answer)
    for start, end in pairwise(len(answer.body) * n // N_PIECES for n in range(N_PIECES + 1)):
        await asyncio.sleep(seconds / N_PIECES)
        await response.prepare(request)  # sends the head with the first piece; does nothing after that
        await response.write(answer.body[start:end])
    await response.write_eof()
    return response


def _streamed(answer: ApiResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = answer.content_type
    response.content_length = len(answer.body)
    return response


async def _wait_for_disconnect() -> Never:
    # The server cancels the handler of a client that has hung up.
    while True:
        await asyncio.get_running_loop().create_future()
