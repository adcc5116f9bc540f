"""Common parts of all servers: they count, wait, print their URL, and end with their standard input."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable

import attrs
from aiohttp import web


@attrs.define
class Totals:
    """The totals since the last reset."""

    n_calls: int = 0
    n_rows: int = 0
    cpu: float = attrs.field(factory=time.process_time)


class Counter:
    """Counts calls and their rows, and delays answers."""

    def __init__(self) -> None:
        self._totals = Totals()
        self._latency = 0.0

    async def pass_on(self, n_rows: int) -> None:
        """Count a call, then wait: a call that is cancelled before its answer counts too."""
        self._totals.n_calls += 1
        self._totals.n_rows += n_rows
        if self._latency:
            await asyncio.sleep(self._latency)

    async def reset(self, request: web.Request) -> web.Response:
        """Reset the counters, and set the seconds to wait before each answer."""
        self._latency = float(request.query["latency"])
        self._totals = Totals()
        return web.Response()

    async def account(self, _: web.Request) -> web.Response:
        """Return the totals since the reset."""
        said = attrs.asdict(self._totals)
        return web.json_response({**said, "cpu": time.process_time() - self._totals.cpu})


async def serve(counter: Counter, routes: Iterable[web.AbstractRouteDef]) -> None:
    """Serve on a free port of loopback, print it, and end with the standard input."""
    app = web.Application()
    app.add_routes([*routes, web.post("/account", counter.reset), web.get("/account", counter.account)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()
