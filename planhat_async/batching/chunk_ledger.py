"""The record of chunks that outlives a run: which were begun, and their results."""

from __future__ import annotations

from typing import Protocol

import attrs

from planhat_async.batching.chunks import Chunk, Rows
from planhat_async.batching.verification import Floor
from planhat_async.results import ChunkResult


@attrs.frozen(kw_only=True)
class Recorded:
    """What earlier runs know of a chunk, and what they leave to do."""

    settled: ChunkResult
    """The account of every row that is neither `left` nor `doubtful`."""
    left: Rows = ()
    """Rows to be sent."""
    may_be_stored: bool = False
    """Whether an earlier run may have stored them."""
    doubtful: Rows = ()
    """Keyless rows to be looked for in Planhat's list first, and sent only if they are not there."""
    floor: Floor | None = None
    """Where the records of the chunk can be, kept before its rows left for the first time."""


class Ledger(Protocol):
    """Keeps a record of chunks.

    A chunk has one record, even if it is halved or sent again. One that was begun and not ended may have been sent.
    """

    async def begin(self, chunk: Chunk) -> Recorded | None:
        """Record that a chunk is about to leave; nothing of it leaves before this returns.

        Called in the order of the chunks. Where there is more to a chunk than rows to be sent now, returns what
        earlier runs know; where that leaves nothing to do, the chunk is neither sent nor ended.

        Raises:
            Exception: The chunk must not leave: nothing more is sent, what is in flight ends, and the run raises it.
        """
        ...

    async def end(self, result: ChunkResult) -> None:
        """Record the result of a chunk, also of one that was given up.

        Raises:
            Exception: As with `begin`.
        """
        ...
