"""Calls about one record, which notes and tasks have and tickets have not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from planhat_async._convert import encode_plain, record_in, requirements_of, to_write
from planhat_async._http.wire import Request
from planhat_async.bulk_upserts import BulkUpserts
from planhat_async.errors import DecodeError
from planhat_async.models import Record

R = TypeVar("R", bound=Record)


class SingleCalls(BulkUpserts[R]):
    """Reads, creates and changes records one by one."""

    async def get(self, key: str) -> R:
        """The record with this key.

        Args:
            key: An `_id`; for notes also `extid("…")`, for tasks `srcid("…")`. Planhat documents no others.

        Raises:
            NotFoundError: There is no such record.
            DecodeError: The answer is a success, and no record: an error, a page of HTML, an object without `_id`.
            ValueError: A key of another kind; nothing is sent.
        """
        return await self._get(key)

    async def _get(self, key: str, *, is_bulk: bool = False) -> R:
        return await self._single(self._request("GET", key, is_bulk=is_bulk))

    async def get_many(self, keys: Iterable[str]) -> list[R | None]:
        """The records with these keys, fetched concurrently, in order; `None` where there is none.

        All keys are checked before anything is sent, and refused as by `get`. Costs one call per key, in the class of
        bulk calls unless there is but one, and memory for the results.
        """
        return await self._each(self._get, keys, "GET")

    async def create(self, record: R | Mapping[str, Any]) -> R:
        """Create a record; returns it as Planhat stored it.

        A creation whose answer got lost is not repeated: it would make two.

        Args:
            record: A record, or a mapping that is sent exactly as it is.

        Raises:
            ValueError: Something is missing that Planhat needs, or has a name or value it would not understand.
            UnknownOutcomeError: It was sent, and no answer came: it may have been created.
            DecodeError: The answer is a success, and no record: it may have been created.
        """
        wire = self._filled_in(to_write(self.endpoint.record, record))
        requirements = requirements_of(self.endpoint.record)
        requirements.check_ids(wire)
        if missing := requirements.missing_to_create(wire):
            raise ValueError(missing)
        return await self._single(Request(method="POST", path=self.endpoint.path, body=encode_plain(wire)))

    async def update(self, key: str, changes: R | Mapping[str, Any]) -> R:
        """Change some fields of a record; returns it as Planhat has it now.

        Planhat changes the fields sent and leaves the rest; `custom` merges key by key.

        Args:
            key: An `_id` or `srcid("…")`; for notes also `extid("…")`. Planhat documents no others.
            changes: A mapping, sent exactly as it is: `{"status": None}` empties a field. Or a record, whose
                fields that are set are sent.

        Raises:
            NotFoundError: There is no such record.
            ValueError: A key of another kind, an unknown field, or a value Planhat would not understand.
            DecodeError: The answer is a success, and no record: it may have been changed.
        """
        wire = to_write(self.endpoint.record, changes)
        if isinstance(changes, Record):
            wire.pop("_id", None)
        requirements_of(self.endpoint.record).check_ids(wire)
        return await self._single(self._request("PUT", key, body=encode_plain(wire)))

    async def _single(self, request: Request) -> R:
        """Make a call that is answered with one record."""
        response = await self._session.send(request)
        body, cls = response.body, self.endpoint.record
        try:
            return cast("R", record_in(cls, body))
        except DecodeError:
            problem = f"the answer is not a {cls.__name__} with an _id"
            raise self._session.unusable(request, response.status, body, problem) from None
