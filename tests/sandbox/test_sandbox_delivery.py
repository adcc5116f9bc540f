"""Test every fault over a real socket, as a client sees it."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import field, frozen

from planhat_async import RetryPolicy, Session, Tasks, UnknownOutcomeError
from planhat_async.sandbox import Choices, Fault, Sandbox
from planhat_async.sandbox.faults import KINDS

TASK = {"companyId": "c", "action": "call"}


@pytest.fixture
async def planhat() -> AsyncIterator[Sandbox]:
    async with Sandbox(per_minute=None) as sandbox:
        yield sandbox


@frozen
class Seen:
    """An answer as a client received it.

    Attributes:
        status: 0 without an answer.
        ended_by: The exception that ended the answer early.
    """

    status: int = 0
    content_type: str = ""
    body: bytes = b""
    headers: dict[str, str] = field(factory=dict)
    ended_by: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    planhat: Sandbox, method: str = "POST", path: str = "/tasks", body: Any = TASK, *, patience: float = 10.0
) -> Seen:
    """Make one attempt on a connection of its own, and return its outcome."""
    received, status, content_type, headers = bytearray(), 0, "", {}
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(sock_read=patience)
    once = _Once()
    async with aiohttp.ClientSession(planhat.url, connector=connector, timeout=timeout, middlewares=[once]) as session:
        try:
            async with session.request(method, path, json=body, headers={"Authorization": "Bearer x"}) as response:
                status, content_type, headers = response.status, response.content_type, dict(response.headers)
                async for piece in response.content.iter_any():
                    received += piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Seen(status, content_type, bytes(received), headers, type(error).__name__)
    return Seen(status, content_type, bytes(received), headers)


class _Once:
    """Prevents aiohttp from repeating attempts."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self.failure is not None:
            raise self.failure
        try:
            return await handler(request)
        except Exception as failure:
            self.failure = failure
            raise


def _logged(planhat: Sandbox) -> list[tuple[str | None, int, bool]]:
    return [(line.fault, line.status, line.is_carried_out) for line in planhat.requests]


async def test_refused(planhat: Sandbox) -> None:
    """Connections are refused for the given time after the previous call; later calls succeed."""
    planhat.inject("refuse:30@2")
    assert (await call(planhat)).status == 200
    assert [(await call(planhat)).ended_by for _ in range(2)] == ["ClientConnectorError"] * 2
    assert _logged(planhat) == [(None, 200, True)]


async def test_refused_from_the_start_and_served_again() -> None:
    """A sandbox may be unavailable at first; later it listens on the same port."""
    async with Sandbox(faults="refuse:0.7@1") as planhat:
        url = planhat.url
        assert (await call(planhat)).ended_by == "ClientConnectorError"
        await planhat.settled()
        assert planhat.url == url
        assert (await call(planhat)).status == 200


async def test_refused_while_it_listens(planhat: Sandbox) -> None:
    """The first call under new faults can be refused too."""
    planhat.inject("refuse:30@1")
    assert (await call(planhat)).ended_by == "ClientConnectorError"
    assert planhat.requests == []


async def test_refused_on_a_connection_that_is_open(planhat: Sandbox) -> None:
    """The previous call closes its connection, so the next one needs a new connection, which is refused."""
    planhat.inject("refuse:30@2")
    async with aiohttp.ClientSession(planhat.url, headers={"Authorization": "Bearer x"}) as session:
        async with session.get("/tasks") as response:
            assert response.headers["Connection"] == "close"
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("/tasks")


async def test_reset_before(planhat: Sandbox) -> None:
    """The connection ends before the body is read, and the call is not processed."""
    planhat.inject("reset_before@1")
    assert (await call(planhat)).ended_by in {"ClientOSError", "ServerDisconnectedError"}
    assert planhat.records("tasks") == []
    assert _logged(planhat) == [("reset_before", 0, False)]


async def test_reset_after(planhat: Sandbox) -> None:
    """The task is stored, and the client gets no answer."""
    planhat.inject("reset_after@1")
    seen = await call(planhat)
    assert (seen.status, seen.ended_by) == (0, "ClientOSError")
    assert len(planhat.records("tasks")) == 1
    assert _logged(planhat) == [("reset_after", 200, True)]


async def test_reset_during(planhat: Sandbox) -> None:
    """The status and half of the answer are sent; then the connection is reset, not closed."""
    planhat.inject("reset_during@2")
    whole = await call(planhat)
    seen = await call(planhat)
    assert (seen.status, len(seen.body)) == (200, len(whole.body) // 2)
    assert seen.ended_by in {"ClientPayloadError", "ClientOSError"}
    assert len(planhat.records("tasks")) == 2
    assert _logged(planhat)[1] == ("reset_during", 200, True)


async def test_late(planhat: Sandbox) -> None:
    """The connection ends before the call is processed; the task is stored later."""
    planhat.inject("late:0.7@1")
    seen = await call(planhat)
    assert (seen.status, seen.ended_by) == (0, "ClientOSError")
    assert (planhat.records("tasks"), planhat.requests) == ([], [])
    await planhat.settled()
    assert len(planhat.records("tasks")) == 1
    assert _logged(planhat) == [("late", 200, True)]


async def test_late_is_not_processed_if_the_sandbox_closes_first() -> None:
    """Pending calls are dropped when it closes."""
    async with Sandbox(faults="late:60@1") as planhat:
        await call(planhat)
    assert planhat.records("tasks") == []


async def test_slow(planhat: Sandbox) -> None:
    """The answer is complete, but slow."""
    planhat.inject("slow:0.1@1")
    started = time.perf_counter()
    seen = await call(planhat)
    assert 0.1 <= time.perf_counter() - started < 5
    assert (seen.status, seen.ended_by, seen.json["action"]) == (200, "", "call")
    assert _logged(planhat) == [("slow", 200, True)]


async def test_stall(planhat: Sandbox) -> None:
    """Half of the answer is sent, then no more until the client gives up; other calls are served meanwhile."""
    planhat.inject([Fault("stall", when=lambda request: request.method == "POST")])
    seen, other = await asyncio.gather(call(planhat, patience=0.7), call(planhat, "GET"))
    assert (other.status, other.ended_by) == (200, "")
    assert (seen.status, seen.ended_by) == (200, "SocketTimeoutError")
    assert len(seen.body) > 0
    assert len(planhat.records("tasks")) == 1
    assert set(_logged(planhat)) == {("stall", 200, True), (None, 200, True)}


@pytest.mark.parametrize(
    "name", [name for name in KINDS if name.startswith("http_") or name in {"html_page", "error_200"}]
)
async def test_statuses(planhat: Sandbox, name: str) -> None:
    """A fault named after a status returns it, whether or not the call was processed."""
    planhat.inject(f"{name}@1")
    seen = await call(planhat)
    status = 502 if name == "html_page" else int(name.split("_")[1])
    is_carried_out = name.startswith("http_5") and name.endswith("_after")
    assert seen.status == status
    assert len(planhat.records("tasks")) == is_carried_out
    assert _logged(planhat) == [(name, status, is_carried_out)]
    if name != "html_page":
        assert seen.json.keys() == {"error"}


async def test_an_html_page(planhat: Sandbox) -> None:
    """The answer imitates a proxy and is not JSON."""
    planhat.inject("html_page@1")
    seen = await call(planhat)
    assert seen.content_type == "text/html"
    assert seen.body.startswith(b"<html>")


async def test_retry_after(planhat: Sandbox) -> None:
    """A 429 has no `Retry-After`, or seconds, or a date by a clock that is an hour ahead, as in `Date`."""
    planhat.inject("http_429@1,http_429_retry_after:7@2,http_429_skewed@3")
    plain, seconds, skewed = [await call(planhat) for _ in range(3)]
    assert "Retry-After" not in plain.headers
    assert seconds.headers["Retry-After"] == "7"
    clock, until = (parsedate_to_datetime(skewed.headers[name]).timestamp() for name in ("Date", "Retry-After"))
    assert until - clock == 1
    assert abs(clock - time.time() - 3600) < 60


async def test_a_429_by_a_fault_does_not_count_towards_the_limit() -> None:
    """A 429 by a limit does not count either."""
    async with Sandbox(per_minute=1, faults="http_429@1") as planhat:
        seen = [(await call(planhat, "GET")).status for _ in range(3)]
    assert seen == [429, 200, 429]


async def test_truncated_json(planhat: Sandbox) -> None:
    """The answer is a 200 that ends normally within a record."""
    planhat.inject("json_truncated@1")
    seen = await call(planhat)
    assert (seen.status, seen.ended_by, seen.headers["Content-Length"]) == (200, "", str(len(seen.body)))
    with pytest.raises(json.JSONDecodeError):
        _ = seen.json
    assert len(planhat.records("tasks")) == 1


async def test_a_wrong_content_type(planhat: Sandbox) -> None:
    """The answer is correct otherwise."""
    planhat.inject("content_type_wrong@1")
    seen = await call(planhat)
    assert (seen.status, seen.content_type, seen.json["action"]) == (200, "text/html", "call")
    assert len(planhat.records("tasks")) == 1


ROWS = [{"sourceId": str(n), "companyId": "c"} for n in range(10)]


def _stored(planhat: Sandbox) -> set[str]:
    return {task["sourceId"] for task in planhat.records("tasks")}


async def test_rejected_rows(planhat: Sandbox) -> None:
    """A 206 blames the given number of rows by their keys, and the others are stored."""
    planhat.inject("rows_206:3@1")
    seen = await call(planhat, "PUT", body=ROWS)
    assert (seen.status, seen.json["created"]) == (206, 7)
    blamed = {error["sourceId"] for error in seen.json["createdErrors"]}
    assert len(blamed) == 3
    assert blamed.isdisjoint(_stored(planhat))
    assert len(_stored(planhat)) == 7
    assert [(line.fault, line.n_rows) for line in planhat.requests] == [("rows_206", 10)]


@pytest.mark.parametrize(
    ("name", "status", "array"), [("rows_400", 400, "createdErrors"), ("rows_403", 403, "permissionErrors")]
)
@pytest.mark.parametrize("applies_rest", [False, True])
async def test_a_refused_body(*, name: str, status: int, array: str, applies_rest: bool) -> None:
    """The answer blames a row; a choice decides whether the others are stored, because it is unknown."""
    async with Sandbox(
        faults=f"{name}@1", choices=Choices(rejected_body_applies_rest=applies_rest), per_minute=None
    ) as planhat:
        seen = await call(planhat, "PUT", body=ROWS)
        assert (seen.status, seen.json["created"], len(seen.json[array])) == (status, 9 if applies_rest else 0, 1)
        assert len(_stored(planhat)) == seen.json["created"]
        tickets = [{**row, "email": "a@b.c"} for row in ROWS]
        planhat.inject(name)
        assert len((await call(planhat, "PUT", "/tickets", tickets)).json[array]) == 1


async def test_dropped_rows(planhat: Sandbox) -> None:
    """The answer is a 200 with smaller counts and no errors."""
    planhat.inject("rows_dropped:4@1")
    seen = await call(planhat, "PUT", body=ROWS)
    assert (seen.status, seen.json["created"], seen.json["createdErrors"]) == (200, 6, [])
    assert len(_stored(planhat)) == 6


async def test_a_fault_of_more_rows_than_sent_applies_to_all(planhat: Sandbox) -> None:
    """An empty body is not affected."""
    planhat.inject("rows_dropped:99")
    assert (await call(planhat, "PUT", body=ROWS)).json["created"] == 0
    assert (await call(planhat, "PUT", body=[])).status == 200


async def _listed(planhat: Sandbox, query: str) -> list[str]:
    return [task["sourceId"] for task in (await call(planhat, "GET", f"/tasks?{query}", None)).json]


@pytest.fixture
def ten_tasks(planhat: Sandbox) -> list[str]:
    return [planhat.add("tasks", {"sourceId": str(n), "action": "x" * 1000})["sourceId"] for n in range(10)]


async def test_pages_capped_by_rows(planhat: Sandbox, ten_tasks: list[str]) -> None:
    """A page has fewer rows than requested, although the list has more."""
    planhat.inject("page_rows:4@1")
    assert await _listed(planhat, "sort=_id&limit=10") == ten_tasks[:4]
    assert await _listed(planhat, "sort=_id&limit=10") == ten_tasks


async def test_pages_capped_by_bytes(planhat: Sandbox, ten_tasks: list[str]) -> None:
    """A page has as many rows as fit, but at least one, even if its first row is long."""
    planhat.inject("page_bytes:3500@1,page_bytes:10@2,page_bytes@3")
    whole = await call(planhat, "GET", "/tasks?limit=10", None)
    assert 2 <= len(whole.json) <= 3
    assert len(whole.body) <= 3500
    assert [await _listed(planhat, "sort=_id&limit=10&offset=2") for _ in range(2)] == [ten_tasks[2:3], ten_tasks[2:]]


async def test_an_ignored_offset(planhat: Sandbox, ten_tasks: list[str]) -> None:
    """The first page is returned again."""
    planhat.inject("offset_ignored@2")
    pages = [await _listed(planhat, f"sort=_id&limit=3&offset={offset}") for offset in (0, 3)]
    assert pages == [ten_tasks[:3]] * 2


async def test_an_ignored_sort(planhat: Sandbox, ten_tasks: list[str]) -> None:
    """The order is the same for every `sort`, and is not that of the `_id`s."""
    planhat.inject("sort_ignored")
    orders = [await _listed(planhat, f"sort={sort}") for sort in ("_id", "-_id", "sourceId")]
    assert orders[0] == orders[1] == orders[2]
    assert sorted(orders[0]) == ten_tasks
    planhat.inject()
    assert orders[0] not in ([*await _listed(planhat, "sort=_id")], [*await _listed(planhat, "sort=-_id")])


async def test_a_condition_sees_the_request(planhat: Sandbox) -> None:
    """It depends on method, path and query; the body is not read yet."""
    planhat.inject([Fault("http_503", when=lambda request: request.path == "/tasks/extid-a%2Fb")])
    paths = ["/tasks/extid-a%2Fb", "/tasks/extid-a"]
    assert [(await call(planhat, "GET", path, None)).status for path in paths] == [503, 404]


async def test_the_same_calls_have_the_same_faults() -> None:
    """This holds for one seed; another seed causes other faults."""
    logs = []
    for seed in (1, 1, 2):
        async with Sandbox(faults="http_500=0.3,reset_after=0.3", seed=seed, per_minute=None) as planhat:
            for _ in range(15):
                await call(planhat)
            logs.append(_logged(planhat))
    assert logs[0] == logs[1] != logs[2]


async def test_a_refused_token_may_have_a_fault_too(planhat: Sandbox) -> None:
    """The network does not know the tokens; the log shows that the call was not processed."""
    planhat.inject("reset_after@1")
    async with aiohttp.ClientSession(planhat.url) as session:
        with pytest.raises(aiohttp.ClientOSError):
            await session.post("/tasks", json=TASK)
    assert _logged(planhat) == [("reset_after", 401, False)]


async def test_headers_of_the_limit_can_be_omitted() -> None:
    """Only old documentation promises them."""
    for promised in (True, False):
        async with Sandbox(choices=Choices(limit_headers=promised)) as planhat:
            seen = await call(planhat, "GET")
            assert ("X-Rate-Limit-Remaining" in seen.headers) == ("X-Rate-Limit-Limit" in seen.headers) == promised


def test_every_fault_has_a_test() -> None:
    """Each fault occurs in this file."""
    tests = Path(__file__).read_text()
    assert [name for name in KINDS if name not in tests and not name.startswith(("http_4", "http_5"))] == []


@pytest.mark.slow
async def test_refused_periods_may_overlap() -> None:
    """Many concurrent calls while it comes and goes are answered or ended, and no socket is left open."""
    async with Sandbox(faults="refuse:0.001=0.5", per_minute=None, per_second=None) as planhat:
        for _ in range(20):
            seen = await asyncio.gather(*(call(planhat, "GET") for _ in range(10)))
            assert {answer.status for answer in seen} <= {0, 200}
            await planhat.settled()
    gc.collect()


async def test_a_refused_period_ends_although_the_previous_client_has_disconnected(planhat: Sandbox) -> None:
    """The disconnection cancels the handler that starts the period."""
    planhat.inject("reset_after@1,refuse:0.01@2")
    assert (await call(planhat)).status == 0
    await planhat.settled()
    assert (await call(planhat)).status == 200


async def test_waiting_for_late_calls_can_be_cancelled() -> None:
    """The calls are processed all the same."""
    async with Sandbox(faults="late:0.2@1") as planhat:
        async with Session(planhat.token, base_url=planhat.url, retry=RetryPolicy(attempts=1)) as session:
            with pytest.raises(UnknownOutcomeError):
                await Tasks(session).create({"companyId": "extid-c", "action": "x"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(planhat.settled(), 0.01)
        await planhat.settled()
        assert [task["action"] for task in planhat.records("tasks")] == ["x"]


async def test_a_refusal_closes_idle_connections() -> None:
    """Later calls open new connections and are answered."""
    patient = RetryPolicy(attempts=100, wait_initial=0.05, wait_max=0.1)  # the server may return late
    async with (
        Sandbox(faults="slow:0.2@1,refuse:0.1@2") as planhat,
        Session(planhat.token, base_url=planhat.url, retry=patient) as session,
        asyncio.timeout(60),
    ):
        await asyncio.gather(*(Tasks(session).page(limit=1) for _ in range(2)))
        for _ in range(3):
            await Tasks(session).page(limit=1)
