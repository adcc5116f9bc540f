"""What sending metrics would send, without sending it."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any

import attrs

from planhat_async.analytics.metric import Metric, metric_row
from planhat_async.analytics.outgoing_chunks import OutgoingChunk, OutgoingChunker
from planhat_async.analytics.send_result import SendResult
from planhat_async.analytics.send_run import SendSettings, preparing
from planhat_async.batching.input_producer import InputProducer
from planhat_async.batching.row_inputs import refuse_what_is_not_rows


@attrs.define(kw_only=True)
class SendPlan:
    """What would be sent."""

    result: SendResult = attrs.field(factory=SendResult)
    """The rows that would not be sent, and why."""
    n_rows: int = 0
    """Rows that would be sent."""
    n_calls: int = 0
    """Calls, if Planhat takes each as it is."""
    n_bytes: int = 0
    """Size of the request bodies of these calls."""

    async def add(self, chunk: OutgoingChunk) -> None:
        """Count a chunk."""
        self.result.add(chunk.result)
        if chunk.rows.n_rows:
            self.n_rows += chunk.rows.n_rows
            self.n_calls += 1
            self.n_bytes += len(chunk.rows.body)


async def plan_metrics(rows: Iterable[Any] | AsyncIterable[Any], settings: SendSettings) -> SendPlan:
    """Check and count all rows; needs no tenant UUID, and makes no calls.

    Raises:
        TypeError: `rows` is not an iterable of rows.
    """
    refuse_what_is_not_rows(rows, Metric)
    plan = SendPlan()
    chunker = OutgoingChunker(chunk_size=settings.chunk_size, max_bytes=settings.max_bytes)
    await InputProducer(rows, preparing(metric_row), chunker, plan.add).run()
    return plan
