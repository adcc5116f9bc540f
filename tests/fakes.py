"""Fakes of Planhat: a transport in memory, and a server with scripted answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from attrs import define, field, frozen

from planhat_async import Timeouts
from planhat_async._http.wire import Request, Response, Token

TOKEN = "secret-token"


@frozen
class Sent:
    """The arguments of one attempt."""

    request: Request
    authorization: str


@define
class FakeTransport:
    """Answers attempts from a list, in order, without a network, and records them; `None` is never answered."""

    answers: list[Response | Exception | None]
    sent: list[Sent] = field(factory=list)
    has_sent: asyncio.Event = field(factory=asyncio.Event)
    is_closed: bool = False

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Return the next answer."""
        assert timeouts.total > 0
        self.sent.append(Sent(request, token.header()))
        self.has_sent.set()
        answer = self.answers[len(self.sent) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer or await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Record the call."""
        self.is_closed = True


@frozen
class Reply:
    """Bytes that a server writes after it has read a whole request."""

    data: bytes = b""
    closes: bool = False


HANG_UP = Reply(closes=True)
SILENCE = Reply()


def reply(status: int = 200, body: bytes = b"[]", *, closes: bool = False, **headers: str) -> Reply:
    """Return a whole answer; an underscore in a header's name stands for a hyphen."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return Reply(head.encode() + body, closes=closes)


@frozen
class Received:
    """One request that arrived over a socket."""

    line: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    """Connections are counted from 1."""


@define
class ScriptedServer:
    """A real socket on loopback that answers each request with the next reply, and repeats the last one for ever."""

    replies: list[Reply]
    received: list[Received] = field(factory=list)
    has_received: asyncio.Event = field(factory=asyncio.Event)
    n_connections: int = 0
    url: str = ""
    _server: asyncio.Server | None = None
    _open: dict[asyncio.Task[None], asyncio.StreamWriter] = field(factory=dict)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open.values():
            writer.close()
        await asyncio.gather(*self._open)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        self.n_connections += 1
        number = self.n_connections
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.received.append(await _read(reader, number))
                self.has_received.set()
                answer = self.replies[min(len(self.received), len(self.replies)) - 1]
                writer.write(answer.data)
                await writer.drain()
                if answer.closes:
                    break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        del self._open[task]


async def _read(reader: asyncio.StreamReader, connection: int) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
    line, *rest = head.split("\r\n")
    headers = {name.lower(): value for name, value in (header.split(": ", 1) for header in rest)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(line, headers, body, connection)
