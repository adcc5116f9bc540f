"""Test that no request makes the sandbox answer with a 500 or fail.

Schemathesis needs an OpenAPI schema, which this API lacks; the generator of requests here is as long as a schema
would be and knows the existing keys. Hypothesis runs it to minimise failures.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests_at_random import RequestsAtRandom

from planhat_async.sandbox import Sandbox
from planhat_async.sandbox.api import Api
from planhat_async.sandbox.limits import Limits
from planhat_async.sandbox.messages import ApiRequest

pytestmark = pytest.mark.slow

N_REQUESTS, N_CONNECTIONS, PATIENCE = 4_000, 10, 60.0


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 20))
def test_no_series_of_requests_breaks_the_rules(draw: random.Random, n_requests: int) -> None:
    """Each answer has a status below 500 and is JSON, and each record can still be read."""
    api = Api(limits=Limits(per_minute=None, per_second=None))
    requests = RequestsAtRandom(draw)
    for _ in range(n_requests):
        answer = api.handle(
            ApiRequest(
                method=requests.method(),
                segments=tuple(requests.segments()),
                query=tuple(requests.query()),
                headers={"Authorization": "Bearer t"},
                body=requests.body(),
                now=1_700_000_000.0,
            )
        )
        assert answer.status < 500
        msgspec.json.decode(answer.body)
        ids = [str(record["_id"]) for name in ("conversations", "tasks") for record in api.state.records(name)]
        requests.ids = ids[:20] or requests.ids


async def _seen(planhat: Sandbox, requests: RequestsAtRandom, n_requests: int) -> Counter[int]:
    """Make requests on one connection after another; return the statuses of the answers."""
    statuses: Counter[int] = Counter()
    while statuses.total() < n_requests:
        requests.ids = [task["_id"] for task in planhat.records("tasks")[-10:]] or requests.ids
        reader, writer = await asyncio.open_connection("127.0.0.1", int(planhat.url.rpartition(":")[2]))
        is_last = False
        while statuses.total() < n_requests and not is_last:
            wire = requests.wire()
            writer.write(wire)
            async with asyncio.timeout(PATIENCE):
                status, is_last = await _answer(reader, is_head=wire.startswith(b"HEAD "))
            statuses[status] += 1
            assert status < 500, wire
        writer.close()
        await writer.wait_closed()
    return statuses


async def _answer(reader: asyncio.StreamReader, *, is_head: bool) -> tuple[int, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    if not is_head:
        await reader.readexactly(int(headers.get("content-length", 0)))
    # The server refuses invalid HTTP itself, in plain text, and closes the connection without a header about it.
    is_last = headers.get("connection") == "close" or not headers["content-type"].startswith("application/json")
    return int(head[0].split()[1]), is_last


async def test_thousands_of_requests_over_sockets() -> None:
    """No answer is a 500 or missing, and the sandbox still serves the next client."""
    async with Sandbox(per_minute=None, per_second=None) as planhat:
        share = N_REQUESTS // N_CONNECTIONS
        series = [RequestsAtRandom(random.Random(seed)) for seed in range(N_CONNECTIONS)]
        seen = await asyncio.gather(*(_seen(planhat, requests, share) for requests in series))
        statuses = sum(seen, Counter[int]())
        assert statuses.total() == N_REQUESTS
        assert {200, 206, 400, 401, 404, 405} <= statuses.keys()
        assert len(planhat.requests) > N_REQUESTS * 0.7
