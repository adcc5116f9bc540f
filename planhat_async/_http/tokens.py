"""Where a session's token comes from: text, or a function of the caller's, plain or async."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable

import attrs

from planhat_async._http.wire import Token

TokenFunction = Callable[[], str | Awaitable[str]]

_REMEMBERED = 4
"""Tokens that are looked for in what is shown: an answer may quote one that has been renewed since."""


class TokenSource:
    """The token, or the function that returns it. It appears in no repr, message or traceback.

    A function is asked before every attempt; attempts that need a token while it is being asked share its answer. A
    plain function runs in a thread, because it may block; an async one runs on the event loop.

    Raises:
        ValueError: The token is empty, or holds what no token does.
    """

    __slots__ = ("_asking", "_function", "_used")

    def __init__(self, token: str | TokenFunction) -> None:
        self._asking: _Asking | None = None
        try:
            self._function = token if callable(token) else None
            self._used = deque([] if callable(token) else [Token(token)], maxlen=_REMEMBERED)
        finally:
            del token

    def __repr__(self) -> str:
        return "<TokenSource>"

    async def token(self) -> Token:
        """The token for one attempt.

        Raises:
            ValueError: The function returned what no token is.
            Exception: The function's own error.
        """
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
        answer = _answer_of(function) if is_async else await asyncio.to_thread(_answer_of, function)
        if isinstance(answer, Exception):
            raise answer
        token = answer if isinstance(answer, Token) else Token(await answer)
        if token not in self._used:
            self._used.append(token)
        return token

    def hidden_in(self, body: bytes) -> bytes:
        """A body without any token that was used lately."""
        for token in self._used:
            body = token.hidden_in(body)
        return body


@attrs.define(eq=False)
class _Asking:
    """One call of the function, for all attempts that wait for it."""

    task: asyncio.Task[Token]
    n_waiting: int = 0


def _answer_of(function: TokenFunction) -> Token | Awaitable[str] | Exception:
    """What a function returned, or raised: a future would make another TimeoutError of one, and cannot hold all."""
    try:
        return _hidden(function())
    except Exception as error:  # noqa: BLE001 - raised again where it is awaited
        return error


def _hidden(answer: str | Awaitable[str]) -> Token | Awaitable[str]:
    # What a future, or a frame of a traceback, holds may be shown.
    try:
        return Token(answer) if isinstance(answer, str) or not inspect.isawaitable(answer) else answer
    finally:
        del answer
