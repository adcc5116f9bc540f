"""Exports of what changed since the run before.

Two ways of knowing what changed. Some models can be sorted by the time of the last change: a walk over the changed
records costs few calls, and sees no deletions. The lists of all models can be read as a whole and compared with a
snapshot of the last time, which shows what is new, changed and deleted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict, Unpack

import attrs

from planhat_async._convert import read_time, row_id, write_time
from planhat_async._convert.chosen_fields import chosen_json
from planhat_async.errors import DecodeError
from planhat_async.jobs.export_selection import ExportSelection
from planhat_async.jobs.exports import write_rows
from planhat_async.jobs.files.formats import Format
from planhat_async.jobs.files.writers import CsvLayout
from planhat_async.jobs.nightly.change_column import CHANGE, deleted_row, with_change
from planhat_async.jobs.nightly.nightly_run import Output, nightly_run
from planhat_async.jobs.nightly.snapshot import Snapshot, SnapshotReading
from planhat_async.jobs.nightly.state_file import State
from planhat_async.jobs.nightly.state_owner import StateError, StateOwner
from planhat_async.models import ALL
from planhat_async.repositories import Lists, ListsUpdated

_MARGIN = timedelta(minutes=5)
"""How far a walk begins before the newest change that was known when the run before began."""


class ChangedExportOptions(TypedDict, total=False):
    """The options of an export of changes."""

    selection: ExportSelection
    """Which records to write, and which of their fields; by default all. Filters must be those of the run before."""
    format: Format
    """The format; by default as the name of the output ends."""
    layout: CsvLayout
    """How CSV is written."""
    same_tenant: bool
    """Whether a state that was written with another token is of this tenant nevertheless."""
    concurrency: int
    """Pages of a whole list that are requested at once; 4 by default."""
    on_progress: Callable[[int], object]
    """Called with the number of records that were written, once per thousand."""


@attrs.frozen(kw_only=True)
class ChangedExport:
    """What a run has written."""

    output: str
    """Its path or URL, with the day in place of `{date}`."""
    n_records: int
    """The records in the output, deleted ones included."""
    n_new: int = 0
    """Of a snapshot: those that the snapshot before does not have."""
    n_changed: int = 0
    """Of a snapshot: those that were different then."""
    n_deleted: int = 0
    """Of a snapshot: those that are gone."""
    is_first: bool = False
    """Whether there was no state, so that the output holds all records."""
    is_repeated: bool = False
    """Whether the output replaces that of an interrupted run, which began from the same state."""
    since: datetime | None = None
    """Of a walk: changes at this time or later are in the output; `None` if it holds all records."""
    next_since: datetime | None = None
    """Of a walk: the same of the next run; `None` if that reads all records again, because the list was empty."""
    n_formulas: int = 0
    """The cells of CSV that a spreadsheet would run as a formula."""


async def export_updated(
    repository: Lists[Any], output: str | Path, *, state: str | Path, **options: Unpack[ChangedExportOptions]
) -> ChangedExport:
    """Write the records that changed since the run before; the first run writes all.

    The records come as `iter_json_updated_since` yields them, without those that were deleted, and without those that
    a filter no longer selects. A run begins five minutes before the one before it, so records that changed then are in
    both outputs. Put together, the version in the later output counts. An interrupted run leaves the state as it was,
    and its changes are in the output of the next one; none is missed.

    Costs one call for each list of the model (tasks have two) if few records changed, and the calls of a whole list the
    first time.

    Args:
        repository: The repository of the model, which must be able to list its records by the time of the last change.
        output: A file or a URL; `{date}` and `{time}` in its name are the day and the time of the run in UTC. It must
            not exist.
        state: The file that remembers from when the next run reads; it is created if it is missing. Beside it are a
            lock, and during a run a note of the output.
        **options: See `ChangedExportOptions`.

    Returns:
        What was written.

    Raises:
        StateError: The state is damaged, of another model, tenant or filter, or in use by another process.
        ValueError: The output exists or names no format, or the model cannot be listed by the time of change.
        RequestError, DecodeError: A list could not be read; the state stays as it was.
        OSError: A file cannot be written.
    """
    if not isinstance(repository, ListsUpdated):
        names = ", ".join(one.model.name for one in ALL if issubclass(one, ListsUpdated))
        raise ValueError(  # noqa: TRY004 - on a command line it is an option
            f"Planhat does not list {repository.model.name} by the time of their change, only {names}: "
            "use export_snapshot (--snapshot)"
        )
    selection = options.get("selection") or ExportSelection()
    owner = await StateOwner.of(repository, work="a walk", selection={"filters": dict(selection.filters)})
    target = _output(output, options, selection)
    listed, same_tenant = selection.options(repository.model), options.get("same_tenant", False)
    async with nightly_run(Path(state), owner, target, repository.model.record, same_tenant=same_tenant) as run:
        since = None if run.state.since is None else read_time(run.state.since)
        if since is None:
            next_since = await newest_change(repository, listed)
            rows: AsyncGenerator[bytes, None] = repository.iter_json(**listed, **_pages(options))
            n_rows = await write_rows(rows, run.writer, **_progress(options))
        else:
            walk = repository.iter_json_updated_since(since, margin=_MARGIN.total_seconds(), **listed)
            n_rows = await write_rows(walk, run.writer, **_progress(options))
            next_since = walk.next_since
        run.state = attrs.evolve(run.state, since=None if next_since is None else write_time(next_since))
    return ChangedExport(
        output=target.location.name,
        n_records=n_rows,
        is_first=run.is_first,
        is_repeated=run.is_repeated,
        since=since,
        next_since=next_since,
        n_formulas=run.writer.n_formulas,
    )


async def export_snapshot(
    repository: Lists[Any], output: str | Path, *, state: str | Path, **options: Unpack[ChangedExportOptions]
) -> ChangedExport:
    """Write the records that are new, changed or deleted since the run before; the first run writes all as new.

    Reads the whole list, and compares it with the digests of the run before. In the output, `_change` is the first
    column or member: `new`, `changed` or `deleted`. Of a deleted record, or of one that a filter no longer selects,
    nothing but the `_id` is known; they come last. An interrupted run leaves the state as it was, and its changes are
    in the output of the next one; none is missed.

    Costs the calls of a whole list. The state takes 20 bytes a record; memory twice that, and one byte.

    Args:
        repository: The repository of the model.
        output: As in `export_updated`.
        state: The file with the snapshot; it is created if it is missing. Beside it are a lock, and during a run a note
            of the output.
        **options: See `ChangedExportOptions`. The fields must be those of the run before, too.

    Returns:
        What was written.

    Raises:
        StateError: The state is damaged, of another model, tenant or selection, or in use by another process.
        ValueError: The output exists or names no format.
        RequestError, DecodeError: A list could not be read; the state stays as it was.
        OSError: A file cannot be written.
    """
    selection = options.get("selection") or ExportSelection()
    owner = await StateOwner.of(repository, work="a snapshot", selection=selection.description())
    target = _output(output, options, selection, leading=(CHANGE,))
    same_tenant = options.get("same_tenant", False)
    async with nightly_run(Path(state), owner, target, repository.model.record, same_tenant=same_tenant) as run:
        reading, run.state = _reading_after(run.state, state), attrs.evolve(run.state, content=b"")
        counts: Counter[str] = Counter()
        rows = _compared(repository, selection, reading, counts, _pages(options))
        n_rows = await write_rows(rows, run.writer, **_progress(options))
        content = await asyncio.to_thread(lambda: reading.result().pack())
        run.state = attrs.evolve(run.state, content=content)
    return ChangedExport(
        output=target.location.name,
        n_records=n_rows,
        n_new=counts["new"],
        n_changed=counts["changed"],
        n_deleted=counts["deleted"],
        is_first=run.is_first,
        is_repeated=run.is_repeated,
        n_formulas=run.writer.n_formulas,
    )


def _reading_after(before: State, path: str | Path) -> SnapshotReading:
    try:
        return SnapshotReading(Snapshot.unpack(before.content))
    except ValueError:
        raise StateError(f"{path} is damaged: move it away to begin again with all records") from None


async def _compared(
    repository: Lists[Any],
    selection: ExportSelection,
    reading: SnapshotReading,
    counts: Counter[str],
    pages: dict[str, Any],
) -> AsyncGenerator[bytes, None]:
    """The records that differ from the snapshot before, and those that are gone."""
    listed = selection.options(repository.model)
    started = await newest_change(repository, listed) if isinstance(repository, ListsUpdated) else None
    options = pages if repository.model.limits is not None else {}  # else one call answers the whole list
    rows = repository.iter_json(**listed, **options)
    async with aclosing(rows):
        async for row in rows:
            change = reading.take(_id_in(row), chosen_json(row, selection.fields) if selection.fields else row)
            if change is not None:
                counts[change] += 1
                yield with_change(row, change)
    missing = dict.fromkeys(reading.missing())
    if missing and started is not None and isinstance(repository, ListsUpdated):
        # A record that moved between two lists while they were read may be missing from both. It has changed.
        walk = repository.iter_json_updated_since(started, **listed)
        async with aclosing(walk):
            async for row in walk:
                if (id_ := _id_in(row)) in missing:
                    del missing[id_]
                    reading.take(id_, chosen_json(row, selection.fields) if selection.fields else row)
                    counts["changed"] += 1
                    yield with_change(row, "changed")
    counts["deleted"] = len(missing)
    for id_ in missing:
        yield deleted_row(id_)


async def newest_change(repository: ListsUpdated[Any], options: dict[str, Any]) -> datetime | None:
    """From when a walk has to begin to see all later changes, by the server's clock; `None` if there are no records."""
    asked = {**options, "sort": "-updated_at", "select": ["updated_at"], "max_records": 1}
    listing = repository.iter(**asked)
    async with aclosing(listing) as records:
        async for record in records:
            changed: datetime | None = record.updated_at
            return None if changed is None else changed - _MARGIN
    return None


def _output(
    name: str | Path, options: ChangedExportOptions, selection: ExportSelection, *, leading: tuple[str, ...] = ()
) -> Output:
    given, layout = options.get("format"), options.get("layout")
    return Output.named(name, format=given, layout=layout, selection=selection, leading=leading)


def _pages(options: ChangedExportOptions) -> dict[str, Any]:
    return {"concurrency": options["concurrency"]} if "concurrency" in options else {}


def _progress(options: ChangedExportOptions) -> dict[str, Any]:
    return {"on_progress": options["on_progress"]} if "on_progress" in options else {}


def _id_in(row: bytes) -> str:
    id_ = row_id(row)
    if id_ is None:
        raise DecodeError("a record of the list has no _id")
    return id_
