"""The rows of a source with ids in place of the values that name records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from planhat_async.errors import PlanhatError
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.threaded_source import ThreadedSource
from planhat_async.jobs.job_identity import Source
from planhat_async.jobs.mapping.lookups import FindId, IdTable, Lookup, with_ids
from planhat_async.repositories import KeyLookup
from planhat_async.session import Session


def lookups_of(source: Source) -> Mapping[str, Lookup]:
    """The lookups of a file's mapping, by field; other sources have none."""
    return source.lookups if isinstance(source, FileSource | ThreadedSource) else {}


async def read_ids(session: Session, lookups: Mapping[str, Lookup]) -> dict[str, dict[str, str]]:
    """Read each list once; returns the content of an `IdTable` for each lookup, by the lookup's description.

    Costs one call per page of each list.

    Raises:
        RequestError: A call failed, after all retries.
        DecodeError: A record cannot be decoded.
    """
    found: dict[str, dict[str, str]] = {}
    for lookup in lookups.values():
        if str(lookup) in found:
            continue
        try:
            loaded = await KeyLookup.load(lookup.repository(session), by=lookup.by)
        except PlanhatError as error:
            error.add_note(f"{lookup} could not be read, so no row was sent")
            raise
        found[str(lookup)] = dict((await asyncio.to_thread(IdTable.of, loaded)).ids)
    return found


def finder(ids: Mapping[str, Mapping[str, str]]) -> FindId:
    """A function that finds ids in what `read_ids` has read."""
    tables = {name: IdTable(table) for name, table in ids.items()}
    return lambda lookup, value: tables[str(lookup)].find(lookup, value)


def resolved_rows(source: Source, lookups: Mapping[str, Lookup], find: FindId) -> Source:
    """The rows of a source; those whose values do not name one record each are invalid.

    An iteration over them can be closed, which closes that over the source.
    """
    resolve = partial(with_ids, lookups=lookups, find=find)
    if isinstance(source, AsyncIterable):
        return _resolved_later(source, resolve)
    return _resolved(source, resolve)


def _resolved(rows: Iterable[Any], resolve: partial[Any]) -> Iterator[Any]:
    iterator = iter(rows)
    try:
        yield from map(resolve, iterator)
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


async def _resolved_later(rows: AsyncIterable[Any], resolve: partial[Any]) -> AsyncGenerator[Any, None]:
    iterator = aiter(rows)
    try:
        async for row in iterator:
            yield resolve(row)
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()
