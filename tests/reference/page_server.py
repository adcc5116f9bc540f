"""A server without rules of its own: each test defines its answers, after Planhat's page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl

from aiohttp import web
from attrs import define, field, frozen

from planhat_async import RateLimits, RetryPolicy, Session

TOKEN = "reference-token"
ID = "5f317749604a74699f58f669"
OTHER_ID = "60d4e139e9c01e379effa355"


@frozen
class Call:
    """One request as it arrived; the path is still quoted."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(factory=dict, eq=False, repr=False)
    body: bytes = field(default=b"", eq=False)

    @property
    def sent(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    def asked(self, name: str) -> str | None:
        """Return a parameter of the query."""
        return dict(self.query).get(name)


@frozen
class Said:
    """One answer."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def says(value: Any, status: int = 200, **headers: str) -> Said:
    """Return an answer: text and bytes unchanged, anything else as JSON; `_` in a header's name stands for `-`."""
    body = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    names = {name.replace("_", "-").lower(): said for name, said in headers.items()}
    return Said(status, body, {"content-type": "application/json"} | names)


Answers: TypeAlias = Callable[[Call], Said]


def always(value: Any, status: int = 200, **headers: str) -> Answers:
    """Return the same answer to every call; takes the arguments of `says`."""
    answer = says(value, status, **headers)
    return lambda _: answer


def in_turn(*answers: Said) -> Answers:
    """Return these answers one after another, the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def by_method(**answers: Said) -> Answers:
    """Return an answer for each method, by its name in capitals."""
    return lambda call: answers[call.method]


def listing(records: Iterable[Mapping[str, Any]], *, default: int, most: int = 10_000) -> Answers:
    """Return a list as documented: a bare array, `limit` and `offset`, `sort` by `_id` either way, newest first.

    It silently ignores all other parameters.
    """
    oldest_first = sorted(records, key=lambda record: str(record["_id"]))

    def answer(call: Call) -> Said:
        rows = oldest_first if call.asked("sort") == "_id" else oldest_first[::-1]
        limit, offset = min(int(call.asked("limit") or default), most), int(call.asked("offset") or 0)
        return says(rows[offset : offset + limit])

    return answer


@define
class PageServer:
    """An HTTP server on loopback with an open session."""

    answers: Answers
    calls: list[Call] = field(factory=list)
    _runner: web.ServerRunner | None = None
    _session: Session | None = None

    @property
    def session(self) -> Session:
        """Return a session whose rate limits are too high to delay a test."""
        assert self._session is not None
        return self._session

    @property
    def lines(self) -> list[str]:
        """Return method and path of each call."""
        return [f"{call.method} {call.path}" for call in self.calls]

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._serve))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0]
        self._session = Session(
            TOKEN,
            base_url=f"http://{host}:{port}",
            limits=RateLimits(per_minute=100_000, per_second=10_000, reserve=0),
            retry=RetryPolicy(wait_initial=0, wait_max=0),
        )
        await self._session.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.session.__aexit__(kind, error, traceback)
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        self.calls.append(Call(request.method, path, pairs, dict(request.headers), await request.content.read()))
        answer = self.answers(self.calls[-1])
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
