"""Test the sandbox on a socket with aiohttp's own client."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import aiohttp
import pytest
from sandbox_door import TENET, documented

from planhat_async.sandbox import Choices, LoggedRequest, Sandbox


@pytest.fixture
async def planhat() -> AsyncIterator[Sandbox]:
    async with Sandbox(companies=[TENET]) as sandbox:
        yield sandbox


@pytest.fixture
async def client(planhat: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {planhat.token}"}
    async with aiohttp.ClientSession(planhat.url, headers=headers) as session:
        yield session


async def _call(client: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with client.request(method, path, json=body) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        return await response.json()


@pytest.mark.parametrize(("example", "path"), [("note", "/conversations"), ("task", "/tasks")])
async def test_the_documented_calls_of_one_record(client: aiohttp.ClientSession, example: str, path: str) -> None:
    """Create, update, get, list and delete return the documented keys and the sent values."""
    sent = documented(f"{example}-create.request")
    sent_later = documented(f"{example}-update.request")
    created = await _call(client, "POST", path, sent)
    updated = await _call(client, "PUT", f"{path}/{created['_id']}", sent_later)
    got = await _call(client, "GET", f"{path}/{created['_id']}")
    listed = await _call(client, "GET", path)
    deleted = await _call(client, "DELETE", f"{path}/{created['_id']}")

    assert created.keys() == documented(f"{example}-create.response").keys()
    # The documented task's owner has a name: the sandbox knows no users, so `ownerName` comes back only if it was sent.
    assert updated.keys() == documented(f"{example}-update.response").keys() - {"ownerName"}
    assert deleted.keys() == documented(f"{example}-delete.response").keys()
    own_fields = {"custom", "ownerName", "workflowId", "workflowName", "workflowTaskId", "workflowTemplateId"}
    own_fields |= {"workflowStepId", "parent", "sortPosition"}
    assert documented(f"{example}-get.response").keys() - own_fields - got.keys() == set()
    assert documented(f"{example}-list.response")[0].keys() - own_fields - got.keys() == set()
    assert listed == [got]
    normalised = {"startTime": "2021-07-29T00:00:00.000Z"} if example == "task" else {}
    assert created == created | sent | normalised
    assert updated == updated | sent | normalised | sent_later


@pytest.mark.parametrize(("example", "path"), [("note", "/conversations"), ("task", "/tasks")])
async def test_the_documented_bulk_upserts(
    planhat: Sandbox, client: aiohttp.ClientSession, example: str, path: str
) -> None:
    """The answer is the documented one, except for its generated `_id`s."""
    sent = documented(f"{example}-bulk-upsert.request")
    for row in sent:
        planhat.add_company(row["companyId"])
    answer = await _call(client, "PUT", path, sent)
    expected = documented(f"{example}-bulk-upsert.response")
    ids = answer["upsertedIds"]
    assert ids == sorted(ids)
    assert answer == expected | {"upsertedIds": ids, "insertsKeys": [{"_id": record_id} for record_id in ids]}
    assert len(ids) == len(expected["upsertedIds"])


async def test_the_documented_calls_of_tickets(client: aiohttp.ClientSession) -> None:
    """The answers to upsert and delete are the documented ones, and the listed ticket has the documented keys."""
    sent = documented("ticket-bulk-upsert.request")
    assert await _call(client, "PUT", "/tickets", sent) == documented("ticket-bulk-upsert.response")
    listed = await _call(client, "GET", "/tickets")
    documented_keys = documented("ticket-list.response")[0].keys()
    assert documented_keys - listed[0].keys() == {"custom"}
    assert listed[0].keys() - documented_keys == {"autoTags"} | sent[0].keys() - documented_keys
    assert listed[0] == listed[0] | sent[0]
    assert await _call(client, "DELETE", f"/tickets/{listed[0]['_id']}") == listed[0]
    assert documented("ticket-delete.response").keys() - listed[0].keys() == {"custom"}


@pytest.mark.parametrize(("name", "path"), [("note", "/conversations"), ("task", "/tasks"), ("ticket", "/tickets")])
async def test_documented_records_are_listed_unchanged(
    planhat: Sandbox, client: aiohttp.ClientSession, name: str, path: str
) -> None:
    """Every stored field is listed, the newest record first."""
    records = documented(f"{name}-list.response")
    for record in records:
        assert planhat.add(f"{name}s", record) == record
    expected = sorted(records, key=lambda record: str(record["_id"]))
    assert planhat.records(f"{name}s") == expected
    assert await _call(client, "GET", path) == expected[::-1]
    assert await _call(client, "GET", f"{path}?sort=_id") == expected


async def test_a_sandbox_with_a_token_accepts_no_other() -> None:
    """Only `token` shows it; a sandbox without a token has a placeholder and accepts any."""
    async with Sandbox("s3cret") as strict, Sandbox() as open_:
        assert (strict.token, open_.token) == ("s3cret", "sandbox-token")
        assert "s3cret" not in repr(strict) + repr(vars(strict)["_api"])
        async with aiohttp.ClientSession() as session:
            statuses = []
            for planhat, token in ((strict, "s3cret"), (strict, "sandbox-token"), (open_, "anything")):
                async with session.get(
                    f"{planhat.url}/tasks", headers={"Authorization": f"Bearer {token}"}
                ) as response:
                    statuses.append(response.status)
            async with session.get(f"{open_.url}/tasks") as response:
                statuses.append(response.status)
                assert await response.json() == {"error": "Unauthorized"}
        assert statuses == [200, 401, 200, 401]
        assert "s3cret" not in repr(strict.requests)


async def test_limits_are_enforced_over_the_socket() -> None:
    """Each answer has the remaining calls; beyond the limit, a 429 has the wait."""
    async with (
        Sandbox(per_minute=2, choices=Choices(retry_after=True)) as planhat,
        aiohttp.ClientSession(planhat.url, headers={"Authorization": "Bearer x"}) as session,
    ):
        seen, waits = [], []
        for _ in range(3):
            async with session.get("/tasks") as response:
                names = ("X-Rate-Limit-Limit", "X-Rate-Limit-Remaining")
                seen.append((response.status, *(response.headers[name] for name in names)))
                waits.append(int(response.headers.get("Retry-After", "0")))
    assert seen == [(200, "2", "1"), (200, "2", "0"), (429, "2", "0")]
    assert waits[:2] == [0, 0]
    assert 1 <= waits[2] <= 60


async def test_keys_are_decoded_from_the_url(planhat: Sandbox, client: aiohttp.ClientSession) -> None:
    """Percent-encoded segments are decoded once and logged encoded."""
    planhat.add("tasks", {"_id": "0" * 24, "externalId": "a/b ?#%&[é"})
    assert await _call(client, "GET", "/tasks/extid-a%2Fb%20%3F%23%25%26%5B%C3%A9?select=a%26b&limit=") == {
        "_id": "0" * 24,
        "externalId": "a/b ?#%&[é",
    }
    [logged] = planhat.requests
    assert logged == LoggedRequest(
        "GET",
        "/tasks/extid-a%2Fb%20%3F%23%25%26%5B%C3%A9",
        {"select": "a&b", "limit": ""},
        None,
        200,
        logged.at,
    )
    assert abs(logged.at - time.time()) < 60


async def test_a_large_body_is_accepted_and_a_larger_one_refused(
    planhat: Sandbox, client: aiohttp.ClientSession
) -> None:
    """A client receives a 413 even if it continues sending."""
    answers = []
    for n_bytes in (30_000_000, 40_000_000):
        async with client.put("/tasks", data=io.BytesIO(b"[]".ljust(n_bytes))) as response:
            answers.append((response.status, await response.json()))
    assert [status for status, _ in answers] == [200, 413]
    assert answers[1][1] == {"error": "The body is larger than 32000000 bytes"}
    assert [(logged.status, logged.n_rows) for logged in planhat.requests] == [(200, 0), (413, None)]


async def _open_upload(planhat: Sandbox) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a request without the end of its body; return once it has arrived."""
    host, port = planhat.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = ["PUT /tasks HTTP/1.1", "Host: x", "Authorization: Bearer x", "Content-Length: 3", "Expect: 100-continue"]
    writer.write("\r\n".join([*head, "", "["]).encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    return reader, writer


async def test_requests_in_flight_are_counted() -> None:
    """A second request is refused while one upload is unfinished."""
    async with (
        Sandbox(max_parallel=1) as planhat,
        aiohttp.ClientSession(planhat.url, headers={"Authorization": "Bearer x"}) as session,
    ):
        reader, writer = await _open_upload(planhat)
        async with session.get("/tasks") as response:
            assert response.status == 429
        writer.write(b" ]")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        async with session.get("/tasks") as response:
            assert response.status == 200
        writer.close()
        await writer.wait_closed()
    assert [logged.status for logged in planhat.requests] == [429, 200, 200]


async def test_a_client_may_disconnect(
    planhat: Sandbox, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """A call whose body is cut is not processed, no exception is raised, and the next client is served."""
    _, writer = await _open_upload(planhat)
    writer.close()
    await writer.wait_closed()
    assert await _call(client, "GET", "/tasks") == []
    assert [logged.method for logged in planhat.requests] == ["GET"]
    assert caplog.records == []


async def test_an_unreadable_body_is_refused(client: aiohttp.ClientSession) -> None:
    """Its header says that it is compressed, but it is not."""
    async with client.put("/tasks", data=b"[]", headers={"Content-Encoding": "gzip"}) as response:
        assert (response.status, await response.json()) == (400, "The body could not be read")


async def test_closing_is_fast_and_final() -> None:
    """Idle connections and unfinished uploads do not delay it; afterwards the port is closed."""
    planhat = Sandbox()
    await planhat.start()
    url = planhat.url
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as session:
        async with session.get(f"{url}/tasks") as response:
            assert response.status == 200
        _, writer = await _open_upload(planhat)
        started = time.perf_counter()
        await planhat.close()
        assert time.perf_counter() - started < 0.9
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"{url}/tasks")
        writer.close()
    await planhat.close()
    with pytest.raises(RuntimeError, match="not started"):
        _ = planhat.url
    assert repr(planhat) == "<Sandbox closed>"


async def test_a_sandbox_can_be_started_again() -> None:
    """It keeps its records and its log; starting it twice is an error."""
    planhat = Sandbox()
    record = planhat.add("tasks", {"action": "kept"})
    async with planhat:
        assert repr(planhat) == f"<Sandbox {planhat.url}>"
        with pytest.raises(RuntimeError, match="started already"):
            await planhat.start()
    async with planhat, aiohttp.ClientSession(planhat.url, headers={"Authorization": "Bearer x"}) as session:
        assert await _call(session, "GET", "/tasks") == [record]


@pytest.mark.parametrize("faults", ["", "refuse:30@1"])
async def test_a_cancelled_start_or_close_leaves_no_socket_open(faults: str) -> None:
    """An open socket would cause a warning, which hangs uvloop's shutdown if warnings are errors."""
    for n_steps in range(12):
        planhat = Sandbox(faults=faults)
        await _cancelled(planhat.start(), n_steps)
        await _cancelled(planhat.close(), n_steps)
        await planhat.close()
        async with planhat:
            assert planhat.url
    gc.collect()


async def _cancelled(work: Coroutine[Any, Any, None], n_steps: int) -> None:
    """Cancel the work after so many steps of the event loop."""
    task = asyncio.ensure_future(work)
    for _ in range(n_steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_port_in_use_is_an_error() -> None:
    """The sandbox can be started once the port is free."""
    async with Sandbox() as first:
        second = Sandbox(port=int(first.url.rpartition(":")[2]))
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
        url = first.url
    async with second:
        assert second.url == url


async def test_an_ipv6_address_is_bracketed() -> None:
    """Otherwise the URL would be invalid."""
    async with Sandbox(host="::1") as planhat:
        assert planhat.url.startswith("http://[::1]:")


async def test_answers_are_never_html(client: aiohttp.ClientSession) -> None:
    """This includes unknown paths and methods."""
    for method, path in (("GET", "/"), ("PATCH", "/tasks"), ("OPTIONS", "/tasks"), ("GET", "/../tasks/../x?q=%ff")):
        async with client.request(method, path, headers={"Accept": "text/html"}) as response:
            assert response.content_type == "application/json"
            assert json.loads(await response.read()).keys() == {"error"}
