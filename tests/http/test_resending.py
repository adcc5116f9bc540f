"""Test how often a request arrives at a server that reads it and closes the connection, over real sockets."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from planhat_async import Notes, RetryPolicy, Session, Tickets, UnknownOutcomeError
from planhat_async.errors import RequestError

QUICK = RetryPolicy(attempts=3, wait_initial=0.0, wait_max=0.0)


@attrs.define
class RudeServer:
    """Reads each request whole; answers the first `n_polite` on each connection, then hangs up."""

    n_polite: int = 0
    arrived: list[str] = attrs.field(factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.n_polite
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")), 0
                )
                await reader.readexactly(length)
                self.arrived.append(head.split(b" ", 1)[0].decode())
                if left == 0:
                    break
                left -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def rude_server(n_polite: int) -> AsyncIterator[RudeServer]:
    server = RudeServer(n_polite)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server


@asynccontextmanager
async def hung_up_on(*, is_reused: bool) -> AsyncIterator[tuple[RudeServer, Session]]:
    """Yield a session whose next request gets no answer, on a new or reused connection."""
    async with rude_server(int(is_reused)) as server, Session("t", base_url=server.url, retry=QUICK) as session:
        if is_reused:
            await session.request("GET", "/tasks")
        server.arrived.clear()
        server.n_polite = 0
        yield server, session


@pytest.mark.parametrize("is_reused", [False, True], ids=["fresh", "reused"])
async def test_a_keyless_upsert_arrives_once(is_reused: bool) -> None:
    """Rows that would be created twice are sent once and reported as unknown."""
    async with hung_up_on(is_reused=is_reused) as (server, session):
        result = await Notes(session).upsert_many(
            [{"companyId": "5f4e3d2c1b0a998877665544"}, {"companyId": "5f4e3d2c1b0a998877665544"}]
        )
        assert server.arrived == ["PUT"]
        assert (result.unknown, result.rows) == (2, 2)


@pytest.mark.parametrize("is_reused", [False, True], ids=["fresh", "reused"])
async def test_a_post_arrives_once(is_reused: bool) -> None:
    """A creation without an answer is not repeated, and its error holds the request."""
    async with hung_up_on(is_reused=is_reused) as (server, session):
        with pytest.raises(UnknownOutcomeError) as caught:
            await session.request("POST", "/tasks", json={"action": "x"})
        assert server.arrived == ["POST"]
        assert (caught.value.attempts, caught.value.sent) == (1, b'{"action":"x"}')


@pytest.mark.parametrize("is_reused", [False, True], ids=["fresh", "reused"])
async def test_a_keyed_upsert_arrives_again_only_through_our_own_retry(is_reused: bool) -> None:
    """Every arrival is an attempt that was counted and rate-limited."""
    async with hung_up_on(is_reused=is_reused) as (server, session):
        before = session.stats.attempts
        row = {"sourceId": "1", "email": "a@b.c", "companyId": "5f4e3d2c1b0a998877665544"}
        result = await Tickets(session).upsert_many([row])
        assert server.arrived == ["PUT"] * 3
        assert session.stats.attempts - before == 3
        assert result.unknown == 1


async def test_the_error_contains_the_number_of_attempts() -> None:
    """The final error says how often the request was sent."""
    async with hung_up_on(is_reused=False) as (_, session):
        with pytest.raises(RequestError, match=r"the server hung up\) \(3 attempts in \d+\.\d s\)") as caught:
            await session.request("GET", "/tasks")
        assert (caught.value.attempts, caught.value.method, caught.value.path) == (3, "GET", "/tasks")


async def test_the_next_call_works_after_a_cancelled_one() -> None:
    """A call is cancelled after each step of the event loop; no slot, task or connection stays taken."""
    async with rude_server(10**6) as server, Session("t", base_url=server.url) as session:
        for n_steps in range(60):
            call = asyncio.create_task(session.request("GET", "/tasks"))
            for _ in range(n_steps):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            async with asyncio.timeout(60):
                assert await session.request("GET", "/tasks") == []
        assert "0 in flight" in repr(session._pacer)


@pytest.mark.slow
async def test_closed_sessions_release_their_memory() -> None:
    """Five hundred sessions, opened, used and closed, keep at most 4 MB."""
    async with rude_server(1) as server:

        async def use(n_sessions: int) -> None:
            for _ in range(n_sessions):
                async with Session("t", base_url=server.url) as session:
                    await session.request("GET", "/tasks")

        await use(20)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            await use(500)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 4 * 2**20
