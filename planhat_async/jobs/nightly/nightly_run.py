"""One run of an export of changes: its state and its output, each replaced as a whole, in an order that loses nothing.

    1. a note beside the state says which output is written
    2. the output gets its name, once it is complete and on the disk
    3. the state of after replaces the state of before
    4. the note is removed

A kill before 3 leaves the state of before: the next run writes the same changes again, and newer ones. So changes may
be in two outputs, but none is missing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from planhat_async.jobs.completion import carry_through, wait_to_end
from planhat_async.jobs.export_selection import ExportSelection
from planhat_async.jobs.exports import writer_class
from planhat_async.jobs.files.dated_name import dated_name
from planhat_async.jobs.files.formats import Format
from planhat_async.jobs.files.location import LocalFile, StandardInput, located
from planhat_async.jobs.files.output_name import OutputKind, output_kind
from planhat_async.jobs.files.packed_file import compressor_of, packed
from planhat_async.jobs.files.remote_file import RemoteFile
from planhat_async.jobs.files.whole_file import refuse_to_overwrite, whole_file
from planhat_async.jobs.files.whole_upload import whole_upload
from planhat_async.jobs.files.writers import CsvLayout, ExportWriter
from planhat_async.jobs.nightly.output_claim import OutputClaim
from planhat_async.jobs.nightly.state_file import State, sync_folder
from planhat_async.jobs.nightly.state_owner import StateError, StateOwner
from planhat_async.jobs.process_lock import LockedError, ProcessLock
from planhat_async.records import Record

MakeWriter = Callable[[BinaryIO, type[Record]], ExportWriter]


@attrs.frozen
class Output:
    """Where a run writes its changes."""

    location: LocalFile | RemoteFile
    kind: OutputKind
    make_writer: MakeWriter

    @classmethod
    def named(
        cls,
        name: str | Path,
        *,
        format: Format | None,  # noqa: A002 - its name elsewhere
        layout: CsvLayout | None,
        selection: ExportSelection,
        leading: tuple[str, ...] = (),
    ) -> Output:
        """The output of this name, in which `{date}` is the day; packages that it needs are loaded.

        Raises:
            ValueError: It is standard output, no format or compression is known for it, or it is a URL of an unknown
                kind.
            MissingExtraError: Parquet's package is not installed.
        """
        location = located(dated_name(str(name)))
        if isinstance(location, StandardInput):
            raise ValueError("changes need a file or a URL: what reads standard output cannot say whether it has them")  # noqa: TRY004
        kind = output_kind(location.path, format)
        if kind.compression is not None:
            compressor_of(kind.compression.name)  # its package may be missing
        writer = writer_class(kind.format, fields=selection.fields, leading=leading, layout=layout)
        return cls(location, kind, writer)

    @property
    def name(self) -> str:
        """Its name for a state: the absolute path of a file, or the URL without secrets."""
        return str(self.location.path.absolute()) if isinstance(self.location, LocalFile) else self.location.name

    @property
    def exists(self) -> bool:
        """Whether it is there, as far as is known: true of any upload."""
        return not isinstance(self.location, LocalFile) or self.location.path.exists()

    @contextmanager
    def opened(self, record: type[Record]) -> Iterator[ExportWriter]:
        """A writer of the output, which gets its name at the end. Blocks."""
        whole: AbstractContextManager[BinaryIO] = (
            whole_file(self.location.path) if isinstance(self.location, LocalFile) else whole_upload(self.location)
        )
        with whole as out, packed(out, self.kind.compression) as content:
            writer = self.make_writer(content, record)
            yield writer
            writer.close()
        if isinstance(self.location, LocalFile):
            sync_folder(self.location.path)


@attrs.define
class NightlyRun:
    """A run under way: set `state` to the state of after."""

    writer: ExportWriter
    state: State
    """The state of before, which the caller replaces with the state of after."""
    is_first: bool
    """Whether there was no state."""
    is_repeated: bool
    """Whether the output of an interrupted run is replaced."""


@asynccontextmanager
async def nightly_run(
    path: Path, owner: StateOwner, output: Output, record: type[Record], *, same_tenant: bool
) -> AsyncIterator[NightlyRun]:
    """Read the state, open the output, and replace both at the end; after an exception both stay as they were.

    Files are read and written in threads. A cancellation while the state is replaced comes too late: the run has ended.

    Raises:
        StateError: The state cannot be used, is of another owner, or another process uses it.
        ValueError: The output exists, or is that of the run before.
        OSError: A file cannot be read or written.
    """
    lock = await asyncio.to_thread(_locked, path)
    try:
        before = await asyncio.to_thread(State.load, path)
        is_first = before is None
        if before is not None:
            owner.refuse_other(path, before.owner, same_tenant=same_tenant)
        state = State.empty(owner) if before is None else attrs.evolve(before, owner=attrs.asdict(owner))
        del before  # a snapshot takes megabytes
        claim = OutputClaim.beside(path)
        is_repeated = await asyncio.to_thread(_refuse_taken, output, state, claim, path)
        try:
            await wait_to_end(asyncio.to_thread(claim.make, output.name, run=state.run))
            async with _in_threads(output.opened(record)) as writer:
                run = NightlyRun(writer, state, is_first, is_repeated)
                yield run
        except BaseException:
            if not output.exists:  # another run may write a file of this name before the next attempt
                await wait_to_end(asyncio.to_thread(claim.withdraw))
            raise
        after = attrs.evolve(run.state, run=state.run + 1, file=output.name)
        # A caller that learns of an interruption expects the changes in the next output, which no longer has them.
        await carry_through(asyncio.to_thread(after.save, path))
        await carry_through(asyncio.to_thread(claim.withdraw))
    finally:
        lock.release()


def _locked(path: Path) -> ProcessLock:
    if not path.absolute().parent.is_dir():
        raise StateError(f"{path}: there is no folder {path.parent}")
    if path.exists() and not path.is_file():
        raise StateError(f"{path} is not a regular file")
    try:
        return ProcessLock(path.with_name(path.name + "-lock"))
    except LockedError as error:
        raise StateError(f"{path}: process {error.holder} is using this state") from None


def _refuse_taken(output: Output, state: State, claim: OutputClaim, path: Path) -> bool:
    """Refuse an output that holds changes of another run; returns whether that of an interrupted one is replaced.

    Whether an upload exists is not known, but the state knows the run before.
    """
    if claim.is_of(output.name, run=state.run):
        return output.exists
    if isinstance(output.location, LocalFile):
        refuse_to_overwrite(output.location.path, path, claim.path)
        is_taken = output.exists
    else:
        is_taken = state.file == output.name
    if is_taken:
        raise ValueError(
            f"{output.location.name} exists, and may hold changes that no later run repeats: move it away, or name "
            "another file, such as one with {date} or {time} in its name"
        )
    return False


@asynccontextmanager
async def _in_threads(manager: AbstractContextManager[ExportWriter]) -> AsyncIterator[ExportWriter]:
    """A context manager whose beginning and end block, and so run in threads."""
    writer = await asyncio.to_thread(manager.__enter__)
    try:
        yield writer
    except BaseException:
        kind, error, traceback = sys.exc_info()
        await wait_to_end(asyncio.to_thread(_leave, manager, kind, error, traceback))
        raise
    await wait_to_end(asyncio.to_thread(_leave, manager, None, None, None))


def _leave(manager: AbstractContextManager[Any], kind: Any, error: Any, traceback: Any) -> None:
    try:
        manager.__exit__(kind, error, traceback)
    except BaseException as failure:
        if failure is not error:
            raise
