"""Metrics are read from the main host, by any server's idea of a page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

import pytest
from aiohttp import web
from analytics_server import UUID
from attrs import define, field
from fakes import ScriptedServer, reply

from planhat_async import Analytics, DecodeError, Metric, RateLimits, RetryPolicy, ServerError, Session

COMPANY = "61006bc89a3e0b702ed8ea49"
QUICK = RetryPolicy(wait_initial=0.001, wait_max=0.01)


def rows_of(n_rows: int) -> list[dict[str, Any]]:
    return [
        {
            "_id": f"{0x65A4C3F0 + n // 3:08x}{n:016x}",
            "dimensionId": "active",
            "time": "2026-01-15T00:00:00.000Z",
            "value": n,
            "model": "Company",
            "parentId": COMPANY,
        }
        for n in range(n_rows)
    ]


@define
class MetricServer:
    """Lists rows, and knows as many of the undocumented parameters as a test wants."""

    rows: list[dict[str, Any]]
    most: int = 10_000
    sorts: bool = True
    selects: bool = True
    offsets: bool = True
    queries: list[dict[str, str]] = field(factory=list)
    headers: list[dict[str, str]] = field(factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        assert (request.method, request.path) == ("GET", "/dimensiondata")
        self.queries.append(query)
        self.headers.append(dict(request.headers))
        rows = self.rows
        if self.sorts and "sort" in query:
            rows = sorted(rows, key=lambda row: str(row["_id"]), reverse=query["sort"].startswith("-"))
        start = int(query.get("offset", 0)) if self.offsets else 0
        page = rows[start : start + min(self.most, int(query.get("limit", 100)))]
        if self.selects and "select" in query:
            page = [{"_id": row["_id"]} for row in page]
        return web.json_response(page)


@asynccontextmanager
async def reading(server: MetricServer) -> AsyncIterator[Analytics]:
    """A client of this server, and a session that hardly waits."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        limits = RateLimits(per_minute=10_000)
        async with (
            Session("secret-token", base_url=server.url, limits=limits, retry=QUICK) as session,
            Analytics(session, UUID, host=server.url) as analytics,
        ):
            yield analytics
    finally:
        await runner.cleanup()


async def values_of(server: MetricServer, **options: Any) -> list[float | None]:
    async with reading(server) as analytics:
        return [metric.value async for metric in analytics.read_metrics(**options)]


async def test_a_metric_as_it_is_read() -> None:
    """With the session's token, by Planhat's parameters; a day is a number of days."""
    server = MetricServer(rows_of(1))
    async with reading(server) as analytics:
        since, until = date(2026, 1, 1), "2026-01-31"
        found = analytics.read_metrics(company_id=COMPANY, dimension_id="active", since=since, until=until)
        (metric,) = [metric async for metric in found]
    assert isinstance(metric, Metric)
    assert (metric.value, metric.parent_id) == (0, COMPANY)
    assert metric.time is not None
    assert metric.time.date() == date(2026, 1, 15)
    expected = {"cId": COMPANY, "dimid": "active", "from": "20454", "to": "20484", "sort": "_id", "limit": "2000"}
    assert server.queries[0] == expected
    assert server.headers[0]["Authorization"] == "Bearer secret-token"
    assert UUID not in repr(server.queries) + repr(server.headers)


@pytest.mark.parametrize("n_rows", [0, 1, 19, 20, 21, 95])
@pytest.mark.parametrize("most", [7, 10_000])
@pytest.mark.parametrize("knows", [True, False])
async def test_every_metric_is_read_once(n_rows: int, most: int, *, knows: bool) -> None:
    """With any largest page of the server, and whether or not it knows `sort` and `select`."""
    server = MetricServer(rows_of(n_rows), most=most, sorts=knows, selects=knows)
    assert await values_of(server, page_size=20) == list(range(n_rows))


async def test_an_order_of_planhat_s_own() -> None:
    """If it ignores `sort`, metrics come as Planhat has them."""
    rows = rows_of(50)[::-1]
    server = MetricServer(rows, sorts=False)
    async with reading(server) as analytics:
        values = [metric.value async for metric in analytics.read_metrics(page_size=20)]
    assert values == [row["value"] for row in rows]


async def test_a_server_that_ignores_offset_is_noticed() -> None:
    """And not followed for ever."""
    server = MetricServer(rows_of(50), offsets=False, sorts=False)
    with pytest.raises(DecodeError, match="offset"):
        await values_of(server, page_size=20)
    assert len(server.queries) < 20


async def test_no_more_are_read_than_asked_for() -> None:
    """By `max_records`."""
    server = MetricServer(rows_of(50))
    assert await values_of(server, page_size=20, max_records=3) == [0, 1, 2]


async def test_fields_of_an_older_server_are_kept() -> None:
    """A row may have `date` and `day` instead of `time`."""
    server = MetricServer([{"_id": "65a4c3f01234567890abcdef", "date": "2026-01-15T00:00:00.000Z", "day": 20468}])
    async with reading(server) as analytics:
        (metric,) = [metric async for metric in analytics.read_metrics()]
    assert metric.date == datetime.fromisoformat("2026-01-15T00:00:00+00:00")
    assert (metric.time, metric.extra) == (None, {"day": 20468})


async def test_a_failed_page_is_read_again() -> None:
    """By the session's retries; other errors reach the caller."""
    async with (
        ScriptedServer([reply(503), reply(200, b"[]"), *[reply(500)] * 5]) as server,
        Session("secret-token", base_url=server.url, retry=QUICK) as session,
        Analytics(session, UUID, host=server.url) as analytics,
    ):
        assert [metric async for metric in analytics.read_metrics()] == []
        with pytest.raises(ServerError):
            [metric async for metric in analytics.read_metrics()]
    assert session.stats.attempts == 7


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"company_id": "acme"}, ValueError),
        ({"company_id": "extid-acme"}, ValueError),
        ({"dimension_id": " "}, ValueError),
        ({"dimension_id": 5}, TypeError),
        ({"since": "1.1.2026"}, ValueError),
        ({"until": datetime(2026, 1, 1)}, TypeError),  # noqa: DTZ001 - a time is no day, with or without a zone
        ({"page_size": 0}, ValueError),
        ({"concurrency": 0}, ValueError),
        ({"max_records": -1}, ValueError),
    ],
)
async def test_wrong_arguments_are_refused_at_once(options: dict[str, Any], error: type[Exception]) -> None:
    """Before the first metric is asked for."""
    async with reading(MetricServer([])) as analytics:
        with pytest.raises(error, match=next(iter(options))):
            analytics.read_metrics(**options)


async def test_metrics_are_read_with_a_session() -> None:
    """One that only sends needs none."""
    with pytest.raises(TypeError, match="metrics are read with a session"):
        Analytics(None, UUID).read_metrics()
