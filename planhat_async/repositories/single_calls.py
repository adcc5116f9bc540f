"""The capabilities to read, create, change and delete records one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from planhat_async._convert import deleted_in, encode_row, requirements_of, to_wire
from planhat_async._http.wire import Request
from planhat_async.errors import DecodeError, NotFoundError
from planhat_async.records import Record
from planhat_async.repositories.repository import Repository

R = TypeVar("R", bound=Record)


class Gets(Repository[R]):
    """Reads records by key ("Get" in Planhat's documentation of each model)."""

    async def get(self, key: str) -> R:
        """The record with this key. Costs one call.

        Args:
            key: An `_id`, `extid("…")` or `srcid("…")`; `model.get_keys` says which prefixes Planhat documents.

        Raises:
            NotFoundError: There is no such record.
            DecodeError: A 2xx answer without a record: an error, a page of HTML, an object without `_id`.
            ValueError: A key of another kind.
        """
        return await self._get(key)

    async def get_many(self, keys: Iterable[str]) -> list[R | None]:
        """The records with these keys, fetched concurrently, in the order of the keys; `None` for a missing record.

        All keys are checked as by `get` before anything is sent. Costs one call per key (bulk calls for the pace,
        unless there is only one), and memory for the results.
        """
        return await self._each(self._get, keys, "get")

    async def _get(self, key: str, *, is_bulk: bool = False) -> R:
        return await self._single(self._request("GET", "get", key, is_bulk=is_bulk))


class Creates(Repository[R]):
    """Creates records ("Create" in Planhat's documentation of each model)."""

    async def create(self, record: R | Mapping[str, Any]) -> R:
        """Create a record; returns it as Planhat stored it. Costs one call.

        A creation without an answer is not repeated: that could create two records. If Planhat documents no answer for
        the model (`model.is_answered_with_record`) and the answer holds no record, the record that was sent is
        returned.

        Args:
            record: A record, or a mapping that is sent exactly as it is.

        Raises:
            ValueError: A field is missing or unknown, or has a value that Planhat does not accept.
            UnknownOutcomeError: The request was sent and no answer came: the record may have been created.
            DecodeError: A 2xx answer without a record: it may have been created.
        """
        wire = with_defaults(to_wire(self.model.record, record), self.model.creation_defaults)
        requirements_of(self.model).check_creation(wire)
        return await self._single(
            Request(method="POST", path=self.model.path, body=encode_row(self.model.record, wire)), sent=wire
        )


class Updates(Repository[R]):
    """Changes records ("Update" in Planhat's documentation of each model)."""

    async def update(self, key: str, changes: R | Mapping[str, Any]) -> R:
        """Change some fields of a record; returns it as Planhat has it now. Costs one call.

        Planhat changes only the fields sent; `custom` merges key by key. If Planhat documents no answer for the model
        (`model.is_answered_with_record`) and the answer holds no record, the changes that were sent are returned.

        Args:
            key: An `_id`, `extid("…")` or `srcid("…")`; `model.update_keys` says which prefixes Planhat documents.
            changes: A mapping, sent exactly as it is (`{"status": None}` empties a field), or a record, of which the
                fields that are set are sent.

        Raises:
            NotFoundError: There is no such record.
            ValueError: A key of another kind, an unknown field, or a value that Planhat does not accept.
            DecodeError: A 2xx answer without a record: it may have been changed.
        """
        wire = to_wire(self.model.record, changes)
        if isinstance(changes, Record):
            wire.pop("_id", None)
        requirements_of(self.model).check_update(wire)
        return await self._single(
            self._request("PUT", "update", key, body=encode_row(self.model.record, wire)), sent=wire
        )


class Deletes(Repository[R]):
    """Deletes records ("Delete" in Planhat's documentation of each model)."""

    async def delete(self, key: str) -> None:
        """Delete a record permanently. Costs one call.

        It is repeated after a lost answer, and then a missing record counts as success. So does any 2xx answer whose
        body is the record, a count, a short text such as OK, or empty.

        Args:
            key: Its `_id`; Planhat documents no other key.

        Raises:
            NotFoundError: There is no such record.
            DecodeError: A 2xx answer with another body: an error, a page of HTML.
            ValueError: The key is not an `_id`.
        """
        await self._delete(key)

    async def delete_many(self, keys: Iterable[str]) -> list[bool]:
        """Delete records concurrently, at the session's pace.

        All keys are checked before anything is sent. Costs one call per key (bulk calls for the pace, unless there is
        only one), and memory for the results. After an error no further calls are made; some records may be deleted.

        Returns:
            For each key, in order, whether the record existed.

        Raises:
            ValueError: One of the keys is not an `_id`.
            TypeError: `keys` is a single key, or one of them is not a string.
        """
        return [gone is not None for gone in await self._each(self._delete_found, keys, "delete")]

    async def _delete_found(self, key: str, *, is_bulk: bool) -> bool:
        await self._delete(key, is_bulk=is_bulk)
        return True

    async def _delete(
        self,
        key: str,
        *,
        is_bulk: bool = False,
        on_sent: Callable[[], object] = bool,
        on_not_processed: Callable[[], object] = bool,
    ) -> None:
        request = self._request("DELETE", "delete", key, is_bulk=is_bulk)
        response = await self._session.send(request, on_sent=on_sent, on_not_processed=on_not_processed)
        try:
            is_deleted = deleted_in(response.body)
        except DecodeError:
            problem = "the answer does not say that the record was deleted"
            raise self._session.unusable(request, response.status, response.body, problem) from None
        if not is_deleted and not response.follows_unknown:
            message = f"DELETE {request.path}: Planhat deleted nothing"
            raise NotFoundError(message, status=200, method="DELETE", path=request.path)


async def delete_in_bulk(
    repository: Deletes[Any], key: str, *, on_sent: Callable[[], object], on_not_processed: Callable[[], object]
) -> None:
    """One of many deletions, as `Deletes.delete` does it.

    `on_sent` is called each time an attempt is about to be sent, and `on_not_processed` once it is known that no
    attempt so far was processed.
    """
    await repository._delete(key, is_bulk=True, on_sent=on_sent, on_not_processed=on_not_processed)  # noqa: SLF001 - its other half


def with_defaults(wire: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A new record with default values for the fields that Planhat needs and the caller left out."""
    missing = {name: value for name, value in defaults.items() if not wire.get(name)}
    return {**wire, **missing} if missing else wire
