"""Chunks between the task that cuts them and the one that sends them."""

from __future__ import annotations

import asyncio
from collections import deque

import attrs

from planhat_async.batching.chunks import Chunk


@attrs.define
class ChunkQueue:
    """Holds chunks that were cut and not sent; a task that puts one in waits while there are others.

    Unlike in an `asyncio.Queue` the chunk of a task that waits is in the queue already: a cancellation loses no row.
    """

    _chunks: deque[Chunk] = attrs.field(factory=deque)
    _has_room: asyncio.Event = attrs.field(factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def first(self) -> Chunk:
        """The chunk to send next."""
        return self._chunks[0]

    def put(self, chunk: Chunk) -> None:
        """Add a chunk."""
        self._chunks.append(chunk)

    def pop(self) -> Chunk:
        """Remove the first chunk."""
        self._has_room.set()
        return self._chunks.popleft()

    async def wait_for_room(self) -> None:
        """Wait while more than one chunk is there."""
        while len(self._chunks) > 1:
            self._has_room.clear()
            await self._has_room.wait()
