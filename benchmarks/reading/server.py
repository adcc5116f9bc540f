"""A server that only lists tasks, at the cost of sending existing bytes.

It ignores `select`.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress

from aiohttp import web

from benchmarks.reading.tasks import TaskList
from benchmarks.serving import Counter, serve

DEFAULT_LIMIT = 500
MAX_LIMIT = 10_000
PIECE_BYTES = 2**18
HEADERS = {"Content-Type": "application/json; charset=utf-8"}


class Listing:
    """The handlers of pages."""

    def __init__(self, tasks: TaskList, counter: Counter) -> None:
        self._tasks = tasks
        self._counter = counter

    async def tasks(self, request: web.Request) -> web.StreamResponse:
        """Answer a page."""
        query = request.query
        limit = min(int(query.get("limit", DEFAULT_LIMIT)), MAX_LIMIT)
        rows = self._tasks.rows(int(query.get("offset", 0)), 0 if query.get("isArchived") == "true" else limit)
        await self._counter.pass_on(len(rows))
        if query.get("sort") == "-_id":
            return web.Response(body=self._tasks.descending(rows), headers=HEADERS)
        return await _send(request, self._tasks.text(rows))


async def _send(request: web.Request, text: memoryview) -> web.StreamResponse:
    """Send a page in pieces; a single piece would be copied twice."""
    response = web.StreamResponse(headers=HEADERS)
    response.content_length = len(text) + 2
    with suppress(ConnectionError):  # a client that reads ahead cancels pages after the end
        await response.prepare(request)
        await response.write(b"[")
        for start in range(0, len(text), PIECE_BYTES):
            await response.write(text[start : start + PIECE_BYTES])
        await response.write(b"]")
        await response.write_eof()
    return response


def main() -> None:
    """Serve a list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n_rows", type=int)
    tasks, counter = TaskList(parser.parse_args().n_rows), Counter()
    asyncio.run(serve(counter, [web.get("/tasks", Listing(tasks, counter).tasks)]))


if __name__ == "__main__":
    main()
