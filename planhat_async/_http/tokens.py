"""The source of a session's token: text, or a function of the caller, plain or async."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable

import attrs

from planhat_async._http.wire import Token

TokenFunction = Callable[[], str | Awaitable[str]]

_REMEMBERED = 4
"""Tokens that are removed from what is shown: an answer may quote one that has been renewed since."""


class TokenSource:
    """The token, or the function that returns it. It never appears in reprs, messages or tracebacks.

    The function is called before every attempt; concurrent attempts share a call. A plain function runs in a thread,
    because it may block; an async one runs on the event loop.

    Raises:
        ValueError: See `Token`.
    """

    __slots__ = ("_asking", "_function", "_used")

    def __init__(self, token: str | Token | TokenFunction) -> None:
        self._asking: _Asking | None = None
        try:
            self._function = token if callable(token) else None
            known = [] if callable(token) else [token if isinstance(token, Token) else Token(token)]
            self._used = deque(known, maxlen=_REMEMBERED)
        finally:
            del token

    def __repr__(self) -> str:
        return "<TokenSource>"

    async def token(self) -> Token:
        """The token for one attempt; raises the errors of the function, and `ValueError` for an invalid token."""
        if self._function is None:
            return self._used[0]
        asking = self._asking
        if asking is None or asking.task.done():
            asking = self._asking = _Asking(asyncio.ensure_future(self._ask(self._function)))
        asking.n_waiting += 1
        try:
            return await asyncio.shield(asking.task)
        finally:
            asking.n_waiting -= 1
            if not asking.n_waiting:
                asking.task.cancel()
                self._asking = None if self._asking is asking else self._asking

    async def _ask(self, function: TokenFunction) -> Token:
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
        result = _result_of(function) if is_async else await asyncio.to_thread(_result_of, function)
        if isinstance(result, Exception):
            raise result
        token = result if isinstance(result, Token) else Token(await result)
        if token not in self._used:
            self._used.append(token)
        return token

    def hidden_in(self, body: bytes) -> bytes:
        """A body without the tokens that were used last."""
        for token in self._used:
            body = token.hidden_in(body)
        return body


@attrs.define(eq=False)
class _Asking:
    """A call of the function, shared by all attempts that wait for it."""

    task: asyncio.Task[Token]
    n_waiting: int = 0


def _result_of(function: TokenFunction) -> Token | Awaitable[str] | Exception:
    """What the function returned or raised; a future cannot carry every exception, and replaces a TimeoutError."""
    result: str | Awaitable[str] = ""
    try:
        result = function()
        return Token(result) if isinstance(result, str) or not inspect.isawaitable(result) else result
    except Exception as error:  # noqa: BLE001 - raised where the result is awaited
        return error
    finally:
        del result  # tracebacks may show local variables
