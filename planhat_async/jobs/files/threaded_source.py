"""The rows of a source that blocks, read in a thread, so that the event loop does not block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

from planhat_async.jobs.mapping.lookups import Lookup

_Batch: TypeAlias = list[Any] | BaseException
"""A batch of rows; an empty one at the end of the source, or the error that ended it."""
_ROWS_AT_A_TIME = 100
_BATCHES_AHEAD = 2


class ThreadedSource:
    """The rows of another source, read in a thread, a few batches ahead.

    The thread does not keep the program alive, even if it waits for a pipe without a writer. If the iteration ends
    early, the thread ends after the current read, and closes the source.

    Args:
        source: The other source.
        description: The facts that must be the same in a rerun.
        lookups: The lookups of its mapping, by field.
    """

    def __init__(
        self, source: Iterable[Any], description: Mapping[str, Any], lookups: Mapping[str, Lookup] | None = None
    ) -> None:
        self._source = source
        self._description = description
        self.name: str | None = getattr(source, "name", None)
        self.lookups: Mapping[str, Lookup] = lookups or {}
        """The lookups of its mapping, by field."""

    def description(self) -> Mapping[str, Any]:
        """The facts that must be the same in a rerun."""
        return self._description

    async def __aiter__(self) -> AsyncIterator[Any]:
        loop = asyncio.get_running_loop()
        batches: asyncio.Queue[_Batch] = asyncio.Queue()
        room, is_abandoned = threading.Semaphore(_BATCHES_AHEAD), threading.Event()

        def pass_on(batch: _Batch) -> bool:
            """Pass on a batch once there is room; returns whether to continue."""
            room.acquire()
            if is_abandoned.is_set():
                room.release()  # the next call must not wait either
                return False
            with suppress(RuntimeError):  # the loop may be closed
                loop.call_soon_threadsafe(batches.put_nowait, batch)
            return not loop.is_closed()

        threading.Thread(target=_read_batches, args=(self._source, pass_on), daemon=True, name="source").start()
        try:
            while batch := await batches.get():
                room.release()
                if isinstance(batch, BaseException):
                    raise batch
                for row in batch:
                    yield row
        finally:
            is_abandoned.set()
            room.release()


def _read_batches(source: Iterable[Any], pass_on: Callable[[_Batch], bool]) -> None:
    """Pass on a source's rows in batches, then its error or an empty batch; close an abandoned source."""
    batch: list[Any] = []
    end: _Batch = []
    try:
        rows = iter(source)
        for row in rows:
            batch.append(row)
            if len(batch) >= _ROWS_AT_A_TIME:
                if not pass_on(batch):
                    break
                batch = []
        if isinstance(rows, Generator):
            rows.close()
    except Exception as error:  # noqa: BLE001 - raised where the rows are awaited
        end = error
    if batch:
        pass_on(batch)
    pass_on(end)
