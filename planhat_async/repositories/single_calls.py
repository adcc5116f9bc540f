"""The capabilities to read, create, change and delete records one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from planhat_async._convert import decode_json, encode_plain, requirements_of, to_write
from planhat_async._http.retrying import unreadable
from planhat_async._http.wire import Request
from planhat_async.errors import DecodeError, NotFoundError
from planhat_async.keys import path_segment
from planhat_async.records import Record
from planhat_async.repositories.repository import Repository

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Gets(Repository[R]):
    """Reads records by key ("Get" in Planhat's documentation of each model)."""

    async def get(self, key: str) -> R:
        """The record with this key. Costs one call.

        Args:
            key: An `_id`, `extid("…")` or `srcid("…")`; `model.get_keys` says which of them Planhat documents.

        Raises:
            NotFoundError: There is no such record.
            ValueError: A key of another kind, or one that cannot be an `_id`.
            DecodeError: The answer is not a record.
        """
        return self._decode((await self._session.send(self._request("GET", key))).body)

    async def get_many(self, keys: Iterable[str]) -> list[R | None]:
        """The records with these keys, fetched concurrently, in order; `None` where there is none.

        Costs one call per key. All keys are checked before anything is sent.

        Raises:
            ValueError: As `get`, for any of the keys.
        """
        return await _each(self.get, keys)


class _Answered(Repository[R]):
    """Reads the record that a write is answered with."""

    async def _written(self, request: Request) -> R:
        body = (await self._session.send(request)).body
        try:
            return self._decode(body)
        except DecodeError as error:
            raise unreadable(request, error) from None


class Creates(_Answered[R]):
    """Creates records ("Create" in Planhat's documentation of each model)."""

    async def create(self, record: R | Mapping[str, Any]) -> R:
        """Create a record; returns it as Planhat stored it. Costs one call.

        A creation whose answer got lost is not repeated: it would make two.

        Args:
            record: A record, or a mapping that is sent exactly as it is.

        Raises:
            ValueError: Something is missing that Planhat needs, or has a name or value it would not understand.
            UnknownOutcomeError: It was sent, and no answer came: it may have been created.
        """
        wire = with_defaults(to_write(self.model.record, record), self.model.filled_in)
        missing = requirements_of(self.model).missing_to_create(wire)
        if missing:
            raise ValueError(missing)
        return await self._written(Request(method="POST", path=self.model.path, body=encode_plain(wire)))


class Updates(_Answered[R]):
    """Changes records ("Update" in Planhat's documentation of each model)."""

    async def update(self, key: str, changes: R | Mapping[str, Any]) -> R:
        """Change some fields of a record; returns it as Planhat has it now. Costs one call.

        Planhat changes the fields sent and leaves the rest; `custom` merges key by key.

        Args:
            key: An `_id`, `extid("…")` or `srcid("…")`; `model.update_keys` says which of them Planhat documents.
            changes: A mapping, sent exactly as it is: `{"status": None}` empties a field. Or a record, whose
                fields that are set are sent.

        Raises:
            NotFoundError: There is no such record.
            ValueError: A key of another kind, an unknown field, or a value Planhat would not understand.
        """
        wire = to_write(self.model.record, changes)
        if isinstance(changes, Record):
            wire.pop("_id", None)
        return await self._written(self._request("PUT", key, body=encode_plain(wire)))


class Deletes(Repository[R]):
    """Deletes records ("Delete" in Planhat's documentation of each model)."""

    async def delete(self, key: str) -> None:
        """Delete a record for good. Costs one call.

        It is repeated after a lost answer; that the record is gone by then counts as success.

        Args:
            key: Its `_id`.

        Raises:
            NotFoundError: There is no such record.
            ValueError: A key of another kind.
        """
        request = self._request("DELETE", key)
        response = await self._session.send(request)
        try:
            answer = decode_json(response.body) if response.body.strip() else None
        except DecodeError as error:
            raise unreadable(request, error) from None
        deleted_none = isinstance(answer, Mapping) and answer.get("deletedCount") == 0
        if deleted_none and not response.follows_unknown:
            message = f"DELETE {request.path}: Planhat deleted nothing"
            raise NotFoundError(message, status=200, method="DELETE", path=request.path)

    async def delete_many(self, keys: Iterable[str]) -> list[bool]:
        """Delete records concurrently, at the session's pace. Costs one call per key.

        All keys are checked before anything is sent. After an error the calls that have not left are dropped;
        records may have been deleted by then.

        Returns:
            For each key, in order, whether there was such a record.

        Raises:
            ValueError: As `delete`, for any of the keys.
        """
        return [gone is not None for gone in await _each(self._delete_found, keys)]

    async def _delete_found(self, key: str) -> bool:
        await self.delete(key)
        return True


def with_defaults(wire: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A new record with what Planhat needs of it and the caller did not say."""
    missing = {name: value for name, value in defaults.items() if not wire.get(name)}
    return {**wire, **missing} if missing else wire


async def _each(call: Callable[[str], Awaitable[T]], keys: Iterable[str]) -> list[T | None]:
    """Call for each key concurrently; `None` where there is no such record."""

    async def found(key: str) -> T | None:
        try:
            return await call(key)
        except NotFoundError:
            return None

    if isinstance(keys, str):
        raise TypeError("keys are an iterable of keys, not one")
    checked = list(keys)
    for key in checked:
        path_segment(key)
    calls = [asyncio.ensure_future(found(key)) for key in checked]
    try:
        return list(await asyncio.gather(*calls))
    finally:
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
