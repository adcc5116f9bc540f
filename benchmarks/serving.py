"""What all servers do: they count, take their time, say where they are, and end when their standard input does."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable

import attrs
from aiohttp import web


@attrs.define
class Account:
    """What passed since the latest reset."""

    n_calls: int = 0
    n_rows: int = 0
    cpu: float = attrs.field(factory=time.process_time)


class Counter:
    """Counts calls and their rows, and makes them wait."""

    def __init__(self) -> None:
        self._account = Account()
        self._latency = 0.0

    async def pass_on(self, n_rows: int) -> None:
        """Count a call, then wait: who gives it up before it is answered has made it all the same."""
        self._account.n_calls += 1
        self._account.n_rows += n_rows
        if self._latency:
            await asyncio.sleep(self._latency)

    async def reset(self, request: web.Request) -> web.Response:
        """Count from zero, and wait so many seconds before each answer from now on."""
        self._latency = float(request.query["latency"])
        self._account = Account()
        return web.Response()

    async def account(self, _: web.Request) -> web.Response:
        """Say what passed since."""
        said = attrs.asdict(self._account)
        return web.json_response({**said, "cpu": time.process_time() - self._account.cpu})


async def serve(counter: Counter, routes: Iterable[web.AbstractRouteDef]) -> None:
    """Serve on a free port of loopback, say where, and end with the standard input."""
    app = web.Application()
    app.add_routes([*routes, web.post("/account", counter.reset), web.get("/account", counter.account)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()
