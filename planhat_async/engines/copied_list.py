"""What changed in a model's list since it was last copied.

Planhat says neither what was deleted nor, for most models, what was changed. So a copy is kept in step by one of three
ways of reading:

- *Walk*, for models that can be sorted by the time of the last change: the changed records, after a list of all `_id`s
  that shows which are gone.
- *Comparison*, for all others: the whole list; the digests of its records tell which are new or changed.
- *New records only*: those with a greater `_id`.

The first reading of a list is a comparison with an empty copy. A task that moves between the two lists of tasks while
they are read may be missing from both. So no task is removed before a walk that follows: a task that has moved has
changed, so the walk finds it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Literal, Self

import attrs

from planhat_async._convert import read_time, write_time
from planhat_async.engines.held_records import HeldRecords, id_in
from planhat_async.repositories import Lists, ListsUpdated

Follow = Literal["everything", "recent"]
"""`everything`: new, changed and deleted records. `recent`: only what few calls show, which is changed records of
models that say when a record changed, and new records of all others."""

_MAX_ROWS = 10_000
_MAX_BYTES = 8 << 20
_MARGIN = timedelta(minutes=5)
"""How far a walk begins before the newest change that was known when the last reading began."""


@attrs.frozen(kw_only=True)
class Changes:
    """Some of the changes of a list."""

    rows: list[bytes] = attrs.field(factory=list)
    """Records that are new or changed, as Planhat sent them."""
    removed: list[str] = attrs.field(factory=list)
    """The `_id`s of records that are gone."""

    def __bool__(self) -> bool:
        return bool(self.rows or self.removed)


@attrs.define(kw_only=True)
class CopiedList:
    """The state of a copy between two readings."""

    held: HeldRecords = attrs.field(factory=HeldRecords)
    """The records that the copy holds."""
    since: datetime | None = None
    """The time from which the next walk begins."""

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The copy that `state` described; an empty one for an empty state."""
        since = state.get("since")
        held = HeldRecords.unpack(state.get("records", ""))
        return cls(held=held, since=None if since is None else read_time(since))

    def state(self) -> dict[str, Any]:
        """The copy as JSON values."""
        return {"records": self.held.pack(), "since": None if self.since is None else write_time(self.since)}

    async def changes(
        self, repository: Lists[Any], *, follow: Follow = "everything", **options: Any
    ) -> AsyncGenerator[Changes, None]:
        """Read the changes since the last reading, and note that the copy gets them.

        A record that moves between the two lists of tasks may come twice: the later one counts. Memory holds at most
        10,000 rows or 8 MB besides the pages, and the `_id`s.

        Args:
            repository: The repository of the model.
            follow: Which changes to read.
            **options: `page_size` and `concurrency`, as for `iter`.

        Raises:
            DecodeError: A record has no `_id`, or the server ignores the order of the list.
            RequestError: A call failed, after all retries. The copy's state is then to be dropped with the changes.
        """
        chosen = {**repository.model.everything, **options}
        reading = self._comparison(repository, chosen)
        if self.since is not None and isinstance(repository, ListsUpdated):
            reading = self._walk(repository, self.since, chosen, lists_ids=follow == "everything")
        elif follow == "recent" and self.held and not isinstance(repository, ListsUpdated) and repository.model.limits:
            reading = self._new_records(repository, chosen)
        async with aclosing(reading):
            async for changes in reading:
                yield changes

    async def _comparison(self, repository: Lists[Any], options: dict[str, Any]) -> AsyncGenerator[Changes, None]:
        self.since = await _newest_change(repository, options) if isinstance(repository, ListsUpdated) else None
        seen: set[str] = set()
        async with aclosing(in_batches(repository.iter_json(**options))) as batches:
            async for rows in batches:
                ids = [id_in(row) for row in rows]
                seen.update(ids)
                yield Changes(rows=self._put(zip(ids, rows, strict=True)))
        gone = set(self.held.missing_from(seen))
        if gone and self.since is not None and isinstance(repository, ListsUpdated):
            async with aclosing(self._walked(repository, self.since, options, gone)) as walked:
                async for changes in walked:
                    yield changes
        for changes in self._removed(gone):
            yield changes

    async def _walk(
        self, repository: ListsUpdated[Any], since: datetime, options: dict[str, Any], *, lists_ids: bool
    ) -> AsyncGenerator[Changes, None]:
        gone = set(self.held.missing_from(await _ids(repository, options)) if lists_ids else ())
        async with aclosing(self._walked(repository, since, options, gone)) as walked:
            async for changes in walked:
                yield changes
        for changes in self._removed(gone):
            yield changes

    async def _walked(
        self, repository: ListsUpdated[Any], since: datetime, options: dict[str, Any], gone: set[str]
    ) -> AsyncGenerator[Changes, None]:
        """The changed records, whose `_id`s are taken out of `gone`."""
        walk = repository.iter_json_updated_since(since, margin=_MARGIN.total_seconds(), **options)
        async with aclosing(in_batches(walk)) as batches:
            async for rows in batches:
                ids = [id_in(row) for row in rows]
                gone.difference_update(ids)
                yield Changes(rows=self._put(zip(ids, rows, strict=True)))
        self.since = walk.next_since

    async def _new_records(self, repository: Lists[Any], options: dict[str, Any]) -> AsyncGenerator[Changes, None]:
        place = {"after": self.held.newest, "start_offset": len(self.held)}
        async with aclosing(in_batches(repository.iter_json(**options, **place))) as batches:
            async for rows in batches:
                yield Changes(rows=self._put((id_in(row), row) for row in rows))

    def _put(self, records: Iterable[tuple[str, bytes]]) -> list[bytes]:
        return [row for id_, row in records if self.held.put(id_, row)]

    def _removed(self, gone: Iterable[str]) -> Iterator[Changes]:
        ids = sorted(gone)
        self.held.remove(ids)
        for start in range(0, len(ids), _MAX_ROWS):
            yield Changes(removed=ids[start : start + _MAX_ROWS])


async def _ids(repository: Lists[Any], options: Mapping[str, Any]) -> set[str]:
    async with aclosing(repository.iter_json(**options, select=["id"])) as rows:
        return {id_in(row) async for row in rows}


async def _newest_change(repository: ListsUpdated[Any], options: Mapping[str, Any]) -> datetime | None:
    """From when the next walk has to begin, by the server's clock: before the newest change so far."""
    listing = repository.iter(**options, sort="-updated_at", select=["updated_at"], max_records=1)
    async with aclosing(listing) as records:
        async for record in records:
            changed: datetime | None = record.updated_at
            return None if changed is None else changed - _MARGIN
    return None


async def in_batches(rows: AsyncGenerator[bytes, None]) -> AsyncGenerator[list[bytes], None]:
    """The rows in batches of at most 10,000 rows, or about 8 MB."""
    batch: list[bytes] = []
    n_bytes = 0
    async with aclosing(rows):
        async for row in rows:
            batch.append(row)
            n_bytes += len(row)
            if len(batch) >= _MAX_ROWS or n_bytes >= _MAX_BYTES:
                yield batch
                batch, n_bytes = [], 0
    if batch:
        yield batch
