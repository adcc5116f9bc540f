"""The base of repositories: a session, and the facts about a model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, Generic, TypeVar, cast

from planhat_async._convert import decode_record, record_in, record_or_sent
from planhat_async._http.wire import Request
from planhat_async.batching.concurrent_calls import call_each
from planhat_async.errors import DecodeError, NotFoundError
from planhat_async.records import Model, Record
from planhat_async.records.arguments import several
from planhat_async.records.keys import path_segment
from planhat_async.session import Session

R = TypeVar("R", bound=Record)
T = TypeVar("T")

_KEYS_A_TURN = 500
"""Keys that are checked before other tasks run."""


class Repository(Generic[R]):
    """The calls of one model.

    Args:
        session: An open session. Repositories hold no state: create as many as you like.
    """

    model: Model
    """The facts about the model."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def session(self) -> Session:
        """The session it uses."""
        return self._session

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session!r})"

    def _call(self, method: str) -> str:
        """A call, for messages: `Tasks.iter()`."""
        return f"{type(self).__name__}.{method}()"

    def _request(
        self, method: str, call: str, key: str, *, body: bytes | None = None, is_bulk: bool = False
    ) -> Request:
        path = f"{self.model.path}/{self._segment(call, key)}"
        return Request(method=method, path=path, body=body, is_keyed=True, is_bulk=is_bulk)

    def _segment(self, call: str, key: str) -> str:
        """The key as a segment of a path.

        Raises:
            ValueError: The call does not accept this kind of key: Planhat would answer 404.
        """
        model = self.model
        prefixes = {"get": model.get_keys, "update": model.update_keys, "delete": model.delete_keys}.get(call, ())
        return path_segment(key, by=self._call(call), prefixes=prefixes)

    async def _single(self, request: Request, *, sent: Mapping[str, Any] | None = None) -> R:
        """Make a call that is answered with one record; `sent` stands in for a record that the answer does not hold."""
        response = await self._session.send(request)
        body, cls = response.body, self.model.record
        try:
            if sent is not None and not self.model.is_answered_with_record:
                return cast("R", record_or_sent(cls, body, sent))
            return cast("R", record_in(cls, body))
        except DecodeError:
            problem = f"the answer is not a {cls.__name__} with an _id"
            raise self._session.unusable(request, response.status, body, problem) from None

    def _decode(self, row: bytes, position: int | None = None) -> R:
        return cast("R", decode_record(self.model.record, row, position=position))

    async def _each(self, call: Callable[..., Awaitable[T]], keys: Iterable[str], name: str) -> list[T | None]:
        """Make a call for each key concurrently; `None` for a missing record."""
        checked = await self._checked(keys, name)
        is_bulk = len(checked) > 1

        async def found(key: str) -> T | None:
            try:
                return await call(key, is_bulk=is_bulk)
            except NotFoundError:
                return None

        return await call_each(found, checked, max_at_once=self._session.limits.max_in_flight)

    async def _checked(self, keys: Iterable[str], call: str) -> list[str]:
        """Check all keys; other tasks run meanwhile."""
        several("keys", keys, of="keys")
        checked = []
        for key in list(keys) if isinstance(keys, Collection) else keys:
            self._segment(call, key)
            checked.append(key)
            if len(checked) % _KEYS_A_TURN == 0:
                await asyncio.sleep(0)
        return checked
