"""An imitation of Planhat and Elasticsearch that counts rows in their bytes, answers, and discards them."""

from __future__ import annotations

import asyncio

from aiohttp import StreamReader, web

from benchmarks.serving import Counter, serve

TICKET = b'"sourceId"'
"""Text that occurs once in each ticket's JSON."""
ACTION = b'"_index"'
"""Text that occurs once before each document, and in none."""
PRODUCT = {"X-Elastic-Product": "Elasticsearch"}
ITEM = b'{"index":{"_index":"tickets","_id":"1","result":"created","status":201}}'
"""The answer for each document; Elasticsearch's own is longer."""


class Intake:
    """The handlers of writes."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def tickets(self, request: web.Request) -> web.Response:
        """Answer a bulk upsert of tickets like Planhat, with two counts and no single rows."""
        n_rows = await counted(request.content, TICKET)
        await self._counter.pass_on(n_rows)
        return web.json_response({"created": n_rows, "updated": 0})

    async def bulk(self, request: web.Request) -> web.Response:
        """Answer a bulk request like Elasticsearch, with an item for each document."""
        n_rows = await counted(request.content, ACTION)
        await self._counter.pass_on(n_rows)
        body = b'{"took":1,"errors":false,"items":[%b]}' % b",".join([ITEM] * n_rows)
        return web.Response(body=body, content_type="application/json", headers=PRODUCT)


async def cluster(_: web.Request) -> web.Response:
    """Return the version of Elasticsearch."""
    version = {"number": "9.0.0", "build_flavor": "default"}
    return web.json_response({"version": version, "tagline": "You Know, for Search"}, headers=PRODUCT)


async def counted(content: StreamReader, marker: bytes) -> int:
    """Read a body to its end; return the number of occurrences of the marker."""
    n_found, tail = 0, b""
    n_more = len(marker) - 1
    async for piece in content.iter_any():
        # Neither piece contains a marker that is split between them.
        n_found += piece.count(marker) + (tail + piece[:n_more]).count(marker)
        tail = (tail + piece)[-n_more:] if len(piece) < n_more else piece[-n_more:]
    return n_found


def main() -> None:
    """Accept rows."""
    counter = Counter()
    intake = Intake(counter)
    routes = [web.put("/tickets", intake.tickets), web.post("/_bulk", intake.bulk), web.get("/", cluster)]
    asyncio.run(serve(counter, [*routes, web.put("/_bulk", intake.bulk)]))


if __name__ == "__main__":
    main()
