"""A server that accepts bulk upserts and reports every row as created: `python -m benchmarks.taking`."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web


async def take(request: web.Request) -> web.Response:
    """Count the rows of a body, and discard them."""
    n_rows = (await request.read()).count(b'"sourceId":')
    return web.json_response({"created": n_rows, "updated": 0})


async def serve() -> None:
    """Serve until standard input ends."""
    app = web.Application(client_max_size=2**26)
    app.router.add_put("/tickets", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
