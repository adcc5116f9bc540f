"""Models that this package does not know: those that a tenant has made, and new ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import attrs

from planhat_async._convert import decode_json
from planhat_async._http.wire import Request, checked_path
from planhat_async.batching.list_reader import Batch
from planhat_async.errors import DecodeError
from planhat_async.models.unfiltered_lists import UnfilteredLists
from planhat_async.records import UNKNOWN_LIMITS, Model, PageLimits, Record, writable
from planhat_async.records.arguments import several, whole
from planhat_async.records.keys import PREFIXES
from planhat_async.repositories import AllCalls, ListingOptions, PageOptions
from planhat_async.repositories.lists import OnBad
from planhat_async.session import Session


@attrs.define(kw_only=True, repr=False)
class CustomRecord(Record):
    """The keys of a record whose other fields are not known; repositories use it, and return plain dicts."""

    HAS_OTHER_FIELDS: ClassVar[bool] = True

    source_id: str | None = writable()
    """Its id in the system it came from."""
    external_id: str | None = writable()
    """Its id in your own system."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid("…")` or `srcid("…")`."""


class CustomModel(UnfilteredLists[Any], AllCalls[Any]):
    """The records at any path, as plain dicts with Planhat's names.

    Everything that repositories promise holds here, except for the checks of fields: Planhat drops a field whose name
    is misspelled. The keys and `company_id` may have either spelling.

    Args:
        session: An open session.
        path: The endpoint's path, such as `/mycustommodel`.
        match: The fields on which Planhat matches a row of a bulk upsert, in its order of priority. A row without any
            of them is created each time it is sent, so it is never sent twice. `source_id` and `external_id` count
            only if you name them here.
        needs: Groups of fields; a new record requires one field of each.
        max_page: The highest `limit` of the model's list.

    Raises:
        ValueError: The path has a `..` segment or a query; an unknown field in `match`; `max_page` is below 2.
        TypeError: `match` is a text, or a group of `needs` is one.
    """

    def __init__(
        self,
        session: Session,
        path: str,
        *,
        match: Iterable[str] = ("id",),
        needs: Iterable[Iterable[str]] = (),
        max_page: int = UNKNOWN_LIMITS.most,
    ) -> None:
        super().__init__(session)
        names = tuple(several("match", match, of="field names, such as ['id', 'external_id']"))
        groups = [
            tuple(several("needs", group, of="groups of field names, such as [['name'], ['email', 'external_id']]"))
            for group in ([needs] if isinstance(needs, str) else needs)
        ]
        whole(UNKNOWN_LIMITS.default)("max_page", max_page)
        self.model: Model = _model_of(checked_path(path), names, tuple(groups), max_page)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session!r}, {self.model.path!r})"

    def _decode(self, row: bytes, position: int | None = None) -> dict[str, Any]:
        try:
            record = decode_json(row)
        except DecodeError as error:
            error.position = position
            raise
        if not isinstance(record, dict):
            raise DecodeError(f"the list of {self.model.name} holds what is not a record", position=position)
        return record

    def _records(self, batch: Batch, on_bad: OnBad) -> Iterator[dict[str, Any]]:
        for position, row in enumerate(batch.rows, batch.position):
            try:
                record = self._decode(row, position)
            except DecodeError as error:
                on_bad(error)
            else:
                yield record

    async def _single(self, request: Request, *, sent: Mapping[str, Any] | None = None) -> dict[str, Any]:
        record: CustomRecord = await super()._single(request, sent=sent)
        keys = {"_id": record.id, "sourceId": record.source_id, "externalId": record.external_id}
        known = {**keys, "companyId": record.company_id, "custom": record.custom or None}
        return {name: value for name, value in known.items() if value is not None} | record.extra

    if TYPE_CHECKING:  # the same methods, with plain dicts

        async def get(self, key: str) -> dict[str, Any]: ...
        async def get_many(self, keys: Iterable[str]) -> list[dict[str, Any] | None]: ...
        async def create(self, record: Mapping[str, Any]) -> dict[str, Any]: ...
        async def update(self, key: str, changes: Mapping[str, Any]) -> dict[str, Any]: ...
        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[PageOptions]
        ) -> list[dict[str, Any]]: ...
        def iter(self, **options: Unpack[ListingOptions]) -> AsyncGenerator[dict[str, Any], None]: ...
        def pages(self, **options: Unpack[ListingOptions]) -> AsyncGenerator[list[dict[str, Any]], None]: ...
        async def all(self, **options: Unpack[ListingOptions]) -> list[dict[str, Any]]: ...


@cache
def _model_of(path: str, match: tuple[str, ...], needs: tuple[tuple[str, ...], ...], max_page: int) -> Model:
    """The facts about a model, made once: its checks are generated for each."""
    for name in match:
        if name not in {"id", "source_id", "external_id"}:
            raise ValueError(f"match holds {name!r}: rows are matched on id, source_id or external_id")
    return Model(
        name=path.strip("/"),
        record=CustomRecord,
        path=path,
        limits=PageLimits(default=UNKNOWN_LIMITS.default, most=max_page),
        get_keys=PREFIXES,
        update_keys=PREFIXES,
        match=match,
        needs=needs,
        is_answered_with_record=False,
    )
