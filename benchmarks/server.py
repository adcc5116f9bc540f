"""A Planhat that lists tasks and does nothing else: no more work than sending bytes that are there already.

It ignores `select`, counts what it is asked for, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import suppress

import attrs
from aiohttp import web

from benchmarks.tasks import TaskList

DEFAULT_LIMIT = 500
MAX_LIMIT = 10_000
PIECE_BYTES = 2**18
HEADERS = {"Content-Type": "application/json; charset=utf-8"}


@attrs.define
class Account:
    """What was asked for since the latest reset."""

    n_calls: int = 0
    n_rows: int = 0
    cpu: float = attrs.field(factory=time.process_time)


class Listing:
    """The handlers, and what they keep."""

    def __init__(self, tasks: TaskList) -> None:
        self._tasks = tasks
        self._account = Account()
        self._latency = 0.0

    async def tasks(self, request: web.Request) -> web.StreamResponse:
        """Answer a page."""
        query = request.query
        limit = min(int(query.get("limit", DEFAULT_LIMIT)), MAX_LIMIT)
        rows = self._tasks.rows(int(query.get("offset", 0)), 0 if query.get("isArchived") == "true" else limit)
        # Counted as it comes: who gives a call up before it is answered has made it all the same.
        self._account.n_calls += 1
        self._account.n_rows += len(rows)
        if self._latency:
            await asyncio.sleep(self._latency)
        if query.get("sort") == "-_id":
            return web.Response(body=self._tasks.descending(rows), headers=HEADERS)
        return await _send(request, self._tasks.text(rows))

    async def reset(self, request: web.Request) -> web.Response:
        """Count from zero, and wait so many seconds before each page from now on."""
        self._latency = float(request.query["latency"])
        self._account = Account()
        return web.Response()

    async def account(self, _: web.Request) -> web.Response:
        """Say what was asked for since."""
        said = attrs.asdict(self._account)
        return web.json_response({**said, "cpu": time.process_time() - self._account.cpu})


async def _send(request: web.Request, text: memoryview) -> web.StreamResponse:
    """Send a page in pieces: in one, it would be copied twice before it leaves."""
    response = web.StreamResponse(headers=HEADERS)
    response.content_length = len(text) + 2
    with suppress(ConnectionError):  # who reads ahead gives up what lies behind the end
        await response.prepare(request)
        await response.write(b"[")
        for start in range(0, len(text), PIECE_BYTES):
            await response.write(text[start : start + PIECE_BYTES])
        await response.write(b"]")
        await response.write_eof()
    return response


async def serve(n_rows: int) -> None:
    """Serve on a free port of loopback, say where, and end with the standard input."""
    listing = Listing(TaskList(n_rows))
    app = web.Application()
    app.add_routes(
        [
            web.get("/tasks", listing.tasks),
            web.post("/account", listing.reset),
            web.get("/account", listing.account),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n_rows", type=int)
    asyncio.run(serve(parser.parse_args().n_rows))
