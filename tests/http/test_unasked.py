"""Test unsolicited answers on idle connections, with a raw server that writes them at any time."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import attrs
import pytest
from fakes import TOKEN

from planhat_async import DecodeError, Notes, RetryPolicy, Session, Tasks

COMPANY = "5fd76c4daf9f4601dd313b05"
AT_ONCE = RetryPolicy(attempts=3, wait_initial=0)


def upsert_answer(n_created: int) -> bytes:
    """Return an upsert's answer."""
    return whole(b'{"created":%d,"updated":0,"nonupdates":0,"insertsKeys":[]}' % n_created)


def whole(body: bytes, status: int = 200) -> bytes:
    """Return a complete HTTP answer."""
    return b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@attrs.define
class Server:
    """Reports every row of an upsert as created and answers lists with `[]`; tests write other answers themselves."""

    writers: list[asyncio.StreamWriter] = attrs.field(factory=list)
    n_requests: list[int] = attrs.field(factory=list)
    behind: bytes = b""
    """Data appended to each answer in the same write."""
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.writers)
        self.writers.append(writer)
        self.n_requests.append(0)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
                body = await reader.readexactly(length[0]) if length else b""
                self.n_requests[number] += 1
                answer = whole(b"[]") if head.startswith(b"GET") else upsert_answer(body.count(b"companyId"))
                writer.write(answer + self.behind)
        writer.close()


@asynccontextmanager
async def serving(behind: bytes = b"") -> AsyncIterator[Server]:
    """Yield the server on loopback."""
    server = Server(behind=behind)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for writer in server.writers:
            writer.close()
        await asyncio.sleep(0)


async def arrived() -> None:
    """Let the event loop read the data that was written."""
    for _ in range(10):
        await asyncio.sleep(0.001)


UNASKED = {
    "an account": upsert_answer(6),
    "a list": whole(b'[{"_id":"6b0b34e7314fb7dfd82c07ce"}]'),
    "a timeout": whole(b"", 408),
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
    "go on": b"HTTP/1.1 100 Continue\r\n\r\n",
    "no HTTP": b"nonsense\r\n\r\n",
}


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "not yet read"])
@pytest.mark.parametrize("unasked", UNASKED)
async def test_an_unsolicited_answer_is_not_the_next_answer(unasked: str, is_read: bool) -> None:
    """Rows are counted by their own answer; the connection is not reused."""
    async with serving() as server, Session(TOKEN, base_url=server.url, retry=AT_ONCE) as session:
        assert await Tasks(session).page() == []
        server.writers[0].write(UNASKED[unasked])
        if is_read:
            await arrived()
        result = await Notes(session).upsert_many([{"company_id": COMPANY}] * 4)
        assert (result.created, result.rows) == (4, 4)
        assert await Tasks(session).page() == []
        assert (server.n_requests[0], session.stats.attempts) == (1, 3)


@pytest.mark.parametrize("unasked", ["an account", "a list", "a timeout"])
async def test_a_second_answer_after_the_first_is_not_the_next_answer(unasked: str) -> None:
    """It may come in the same packet."""
    async with serving(UNASKED[unasked]) as server, Session(TOKEN, base_url=server.url, retry=AT_ONCE) as session:
        for n_rows in (4, 2, 3):
            result = await Notes(session).upsert_many([{"company_id": COMPANY}] * n_rows)
            assert (result.created, result.rows) == (n_rows, n_rows)
            assert await Tasks(session).page() == []
        assert set(server.n_requests) == {1}


async def test_idle_connections_are_reused() -> None:
    """Consecutive requests share one connection."""
    async with serving() as server, Session(TOKEN, base_url=server.url) as session:
        for _ in range(5):
            await Tasks(session).page()
            await arrived()
        assert server.n_requests == [5]


@pytest.mark.parametrize("unasked", ["an account", "a timeout"])
async def test_a_custom_client_sends_no_rows_after_an_unsolicited_answer(unasked: str) -> None:
    """The caller owns its pool, but no body follows an unsolicited answer: keyless rows are sent once."""
    async with serving() as server, aiohttp.ClientSession() as client:
        async with Session(TOKEN, base_url=server.url, client_session=client, retry=AT_ONCE) as session:
            assert await Tasks(session).page() == []
            server.writers[0].write(UNASKED[unasked])
            await arrived()
            result = await Notes(session).upsert_many([{"company_id": COMPANY}] * 4)
        assert (result.created, result.rows) == (4, 4)
        assert server.n_requests == [1, 1]


async def test_a_success_before_the_body_was_sent_is_not_an_answer() -> None:
    """The server cannot have stored rows that it has not received; partly sent rows are unknown."""
    writers: list[asyncio.StreamWriter] = []

    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(upsert_answer(4500))

    server = await asyncio.start_server(hasty, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Session(TOKEN, base_url=url, retry=RetryPolicy(attempts=1)) as session:
        rows = [{"company_id": COMPANY, "description": "x" * 1600}] * 4500  # more than the system buffers
        result = await Notes(session).upsert_many(rows)
    for writer in writers:
        writer.transport.abort()
    server.close()
    assert (result.created, result.unknown) == (0, 4500)


@pytest.mark.slow
async def test_a_decompression_bomb_is_unpacked_in_turns_up_to_the_limit() -> None:
    """Other tasks run meanwhile."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    packed = b"".join(packer.compress(zeros) for _ in range(300)) + packer.flush()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)

    async def bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + packed)
            await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(bomb, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    n_turns = 0

    async def count_turns() -> None:
        nonlocal n_turns
        while True:
            n_turns += 1
            await asyncio.sleep(0)

    async with Session(TOKEN, base_url=url, max_answer_bytes=100 << 20) as session:
        counting = asyncio.ensure_future(count_turns())
        with pytest.raises(DecodeError, match="larger than 104,857,600 bytes"):
            await session.request("GET", "/tasks")
        counting.cancel()
    server.close()
    assert n_turns > 70  # about a megabyte a turn
    assert len(gzip.compress(zeros)) < 2000
