"""A shared window in Redis, for processes of any machines.

Each exchange is one call of a script, which Redis runs as one step, with its own clock. Members ask for several places
at once, so that a Redis that is far away does not slow a burst down.

A call that was sent may be carried out much later, if Redis is stopped meanwhile. So nothing but one call is ever
under way, and while Redis is away it is only asked for a sign of life, in a task that hardly anything waits for.

Needs the extra `redis`.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress
from hashlib import sha1
from typing import TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from planhat_async._http.redis_pace import SCRIPT, decoded, encoded, standing_in
from planhat_async._http.redis_problems import problem_of
from planhat_async._http.redis_url import RedisUrl, checked_policy, parsed_redis_url
from planhat_async._http.shared_messages import Message, Reply, Standing
from planhat_async._http.shared_window import SharedWindowError, SharedWindowUnusableError
from planhat_async._http.window_name import window_name
from planhat_async._http.wire import Token

T = TypeVar("T")

_SHA = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_PREFIX = "planhat-async:pace:"
_EPOCHS = 2**53
_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 1.0
"""After that the places in an answer could not be used any more (`LAG`)."""
_REVIVAL_SECONDS = 0.2
_PLACES_A_SECOND = 250
"""Places of each class that are asked for at once, times the seconds of an exchange: a burst needs 150 a second."""
_MAX_PLACES = 25


class RedisWindow:
    """A window of all sessions with the same base URL and token that know the same Redis (6.2 or later, or Valkey).

    The key's name is a digest of base URL and token. It contains neither.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with user, password and database; `?on_outage=closed` as below.
        base_url: The API's URL.
        token: The API token.
        on_outage: What a session does while Redis cannot be reached: go on with its `share` of the limits, or wait
            (`closed`).

    Raises:
        ValueError: The URL is malformed. The message shows no password.
    """

    is_instant = False

    def __init__(self, url: str, base_url: str, token: str | Token, *, on_outage: str | None = None) -> None:
        self._url = parsed_redis_url(url)
        self.waits_while_away = checked_policy(on_outage or self._url.on_outage) == "closed"
        self._key = f"{_PREFIX}{{{window_name(base_url, token)}}}"
        self._client: Redis | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_answered = False
        self._took: deque[float] = deque(maxlen=8)
        """Seconds of the last exchanges; the shortest has neither waited nor connected."""
        self._away: SharedWindowError | None = None
        """Why Redis is away."""
        self._revival: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<RedisWindow {self._url.shown}>"

    @property
    def max_places(self) -> int:
        """See `SharedWindow.max_places`; with one place at a time, members take turns most evenly."""
        return max(1, min(_MAX_PLACES, math.ceil(min(self._took, default=0.0) * _PLACES_A_SECOND)))

    async def exchange(self, message: Message) -> Reply:
        """See `SharedWindow.exchange`."""
        client = self._opened()
        if self._away is not None:
            await self._look_after(client)
        if self._away is not None:
            raise type(self._away)(str(self._away))
        began = asyncio.get_running_loop().time()
        reply = await self._answered(self._call(client, message))
        self._took.append(asyncio.get_running_loop().time() - began)
        self._has_answered = True
        return decoded(reply)

    async def standing(self, seconds: float) -> Standing:
        """See `SharedWindow.standing`."""
        now, record = await self._answered(self._state(self._opened()))
        return standing_in(record, now=now, seconds=seconds)

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if self._revival is not None:
            self._revival.cancel()
            await asyncio.wait([self._revival])
            self._revival = None
        if client is not None:
            with suppress(Exception):  # it may be broken already
                await client.aclose()

    def _opened(self) -> Redis:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = _client_of(self._url), loop
            self._away = self._revival = None
        return self._client

    async def _look_after(self, client: Redis) -> None:
        """Look in a task whether Redis is there again, and wait for a moment: one that is there answers soon."""
        if self._revival is None or self._revival.done():
            self._revival = asyncio.ensure_future(self._revive(client))
        await asyncio.wait([self._revival], timeout=_REVIVAL_SECONDS)

    async def _revive(self, client: Redis) -> None:
        with suppress(SharedWindowError):
            await self._answered(client.ping())
            self._away = None

    async def _answered(self, call: Awaitable[T]) -> T:
        """What a call returns; its errors in one line."""
        try:
            return await call
        except (RedisError, OSError, ValueError) as error:
            problem = problem_of(error)
            message = f"{self._url.shown}: {problem.text}"
            # What has worked may work again: after a failover, or with the password that is being changed.
            is_unusable = problem.is_lasting and not self._has_answered and not self.waits_while_away
            self._away = (SharedWindowUnusableError if is_unusable else SharedWindowError)(message)
            raise type(self._away)(message) from None

    async def _call(self, client: Redis, message: Message) -> bytes:
        given = (1, self._key, encoded(message), str(random.randrange(1, _EPOCHS)))  # noqa: S311 - keeps no secret
        try:
            reply: bytes = await client.evalsha(_SHA, *given)
        except NoScriptError:  # so it has not run
            reply = await client.eval(SCRIPT, *given)
        return reply

    async def _state(self, client: Redis) -> tuple[float, bytes | None]:
        """The server's time, and the value of the key."""
        seconds, microseconds = await client.time()
        stored = cast("bytes | None", await client.get(self._key))
        return seconds + microseconds / 1e6, stored


def _client_of(url: RedisUrl) -> Redis:
    """A client with one connection, which is made with the first call; it repeats nothing by itself."""
    kind = UnixDomainSocketConnection if url.is_unix else SSLConnection if url.has_tls else Connection
    pool = BlockingConnectionPool(
        connection_class=kind,
        max_connections=1,
        timeout=_ANSWER_SECONDS,
        protocol=2,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
        **url.options,
    )
    return Redis.from_pool(pool)
