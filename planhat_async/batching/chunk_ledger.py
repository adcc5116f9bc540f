"""The record of chunks that outlives a run: those that were begun, and their results."""

from __future__ import annotations

from typing import Protocol

import attrs

from planhat_async.batching.chunks import Chunk, Rows
from planhat_async.batching.verification import Floor
from planhat_async.results import ChunkResult


@attrs.frozen(kw_only=True)
class Recorded:
    """The outcome of a chunk in earlier runs, and the rows that are left."""

    settled: ChunkResult
    """The outcomes of all rows that are neither `pending` nor `doubtful`."""
    pending: Rows = ()
    """Rows to be sent."""
    may_be_stored: bool = False
    """Whether an earlier run may have stored them."""
    doubtful: Rows = ()
    """Keyless rows to be looked for in Planhat's list, and sent only if they are missing."""
    floor: Floor | None = None
    """Where the chunk's records can be; kept before its rows were sent for the first time."""


class Ledger(Protocol):
    """Keeps a record of chunks.

    A chunk has one record, even if it is halved or sent again. A chunk that was begun and not ended may have been sent.
    """

    async def begin_chunk(self, chunk: Chunk) -> Recorded | None:
        """Record that a chunk is about to be sent; nothing of it is sent before this returns.

        Called in the order of the chunks. Returns the chunk's outcome in earlier runs, if there is one; a chunk that
        is settled by it is neither sent nor ended.

        Raises:
            Exception: The chunk must not be sent: nothing more is sent, chunks in flight end, and the run raises it.
        """
        ...

    async def end_chunk(self, result: ChunkResult) -> None:
        """Record the result of a chunk, even if it was given up.

        Raises:
            Exception: As with `begin_chunk`.
        """
        ...
