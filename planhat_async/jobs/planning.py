"""What an upsert would send, without sending it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Iterable
from typing import Any

import attrs

from planhat_async.batching.answers import Account
from planhat_async.batching.chunking import Chunk
from planhat_async.batching.recording import Recorded
from planhat_async.bulk_upserts import BulkUpserts
from planhat_async.results import ChunkResult, Outcome, UpsertResult


@attrs.define
class Plan:
    """What an upsert would send: a ledger that lets nothing leave, and counts.

    Attributes:
        result: The rows; those that would be sent are unsent.
    """

    result: UpsertResult = attrs.field(factory=UpsertResult)
    n_chunks: int = 0
    """Chunks, and so calls, if Planhat takes each as it is."""
    n_bytes: int = 0
    n_keyless: int = 0
    """Rows without a key, which are created each time they are sent."""
    _seen: set[int] = attrs.field(factory=set)
    """Hashes of the keys so far."""
    _repeats: Counter[str] = attrs.field(factory=Counter)

    @property
    def n_duplicates(self) -> int:
        """Rows whose key an earlier row has."""
        return self._repeats.total()

    @property
    def longest_queue(self) -> int:
        """How often the key comes that comes most often: its writes go one after another, each in a call of its own."""
        return max(self._repeats.values(), default=0) + 1

    def seconds(self, per_minute: int) -> float:
        """How long the pace makes these calls take; Planhat's own time comes on top."""
        return 60.0 * ((self.n_chunks - 1) // per_minute) if self.n_chunks else 0.0

    async def begin(self, chunk: Chunk) -> Recorded:
        """Count a chunk, and leave nothing of it to be sent."""
        self.n_chunks += bool(chunk.rows)
        self.n_bytes += sum(len(row.data) + 1 for row in chunk.rows) + bool(chunk.rows)
        self.n_keyless += sum(not row.keys for row in chunk.rows)
        for row in chunk.rows:
            repeated = [key for key in row.keys if hash(key) in self._seen]
            self._repeats.update(repeated[:1])
            self._seen.update(map(hash, row.keys))
        settled = Account(chunk).result
        settled.count(Outcome.UNSENT, len(chunk.rows))
        return Recorded(settled=settled)

    async def end(self, result: ChunkResult) -> None:
        """Nothing is begun, so nothing ends."""


async def plan_upsert(repository: BulkUpserts[Any], source: Iterable[Any] | AsyncIterable[Any], **options: Any) -> Plan:
    """Check, encode and cut all rows of a source as an upsert would; nothing is sent, and no session need be open.

    Args:
        repository: Where the rows would go.
        source: The rows.
        **options: As `upserting` takes them.
    """
    plan = Plan()
    async with repository.upserting(source, ledger=plan, **options) as run:
        async for _ in run:
            pass
    plan.result = run.result
    return plan
