"""An analytics host as Planhat's documentation has it, and what tests of it share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from attrs import define, field

UUID = "0b54aee7-1a2b-4c3d-9e8f-0123456789ab"


@define
class AnalyticsServer:
    """Counts metrics as processed unless their external id begins with `gone`; answers anything else with 200."""

    url: str = ""
    received: list[tuple[str, Any]] = field(factory=list)
    headers: list[dict[str, str]] = field(factory=list)
    max_rows: int | None = None
    """Rows above which a body is refused with 413."""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.received.append((request.path, body))
        self.headers.append(dict(request.headers))
        if self.max_rows is not None and len(body) > self.max_rows:
            return web.Response(status=413)
        if not request.path.startswith("/dimensiondata/"):
            return web.Response()
        rows = body if isinstance(body, list) else [body]
        gone = [{"item": row, "error": "no such record"} for row in rows if row["externalId"].startswith("gone")]
        return web.json_response({"processed": len(rows) - len(gone), "errors": gone})

    @property
    def bodies(self) -> list[Any]:
        """The bodies it received."""
        return [body for _, body in self.received]


@asynccontextmanager
async def analytics_server(**options: Any) -> AsyncIterator[AnalyticsServer]:
    """A server on loopback."""
    server = AnalyticsServer(**options)
    application = web.Application(client_max_size=64_000_000)
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


def metric(n: int, *, prefix: str = "acme", **more: Any) -> dict[str, Any]:
    """The mapping of a metric."""
    return {"dimension_id": "active", "value": n, "external_id": f"{prefix}-{n}", **more}
