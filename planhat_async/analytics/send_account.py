"""Which rows of a chunk are sent, and their outcomes: decisions only."""

from __future__ import annotations

from collections import deque

import attrs

from planhat_async._convert import printable
from planhat_async.analytics.outgoing_chunks import OutgoingChunk, Part
from planhat_async.analytics.send_result import SendChunkResult, SendCounts, SendOutcome
from planhat_async.batching.request_failures import outcome_of, refuses_everything
from planhat_async.errors import PayloadTooLargeError, PlanhatError

_MAX_TOO_LARGE = 10
"""Single rows that are too large after which the rest of a chunk is not sent."""


@attrs.define
class SendAccount:
    """Accounts for the rows of one chunk; `result` is complete once no part is left."""

    chunk: OutgoingChunk
    pending: deque[Part] = attrs.field(
        init=False, default=attrs.Factory(lambda self: deque([self.chunk.rows] * bool(self.chunk.rows.n_rows)), True)
    )
    """The parts without an outcome; the first one is being sent."""
    was_sent: bool = False
    """Whether the first part may have reached Planhat."""
    n_too_large: int = 0
    """Single rows that were too large."""

    @property
    def result(self) -> SendChunkResult:
        """The outcomes so far."""
        return self.chunk.result

    def mark_sent(self) -> None:
        """Note that the first part is about to be sent."""
        self.was_sent = True

    def mark_not_processed(self) -> None:
        """Note that no attempt at the first part was processed."""
        self.was_sent = False

    def settle(self, account: SendCounts) -> None:
        """End the first part with the outcomes that its answer gives."""
        self._end_first()
        self.result.include(account)

    def needs_halves(self, error: PlanhatError) -> bool:
        """Whether the first part is to be sent in two halves: Planhat refuses bodies of this size."""
        return isinstance(error, PayloadTooLargeError) and self.pending[0].n_rows > 1

    def replace(self, halves: tuple[Part, Part]) -> None:
        """Send the first part as two."""
        self._end_first()
        self.pending.extendleft(reversed(halves))

    def fail(self, error: PlanhatError) -> None:
        """End the first part with an error, and those behind it as well if they would fail in the same way."""
        self.result.error = self.result.error or error
        part, reason = self._end_first(), printable(str(error))
        self.result.refuse(SendOutcome(outcome_of(error).value), reason, part.positions)
        if refuses_everything(error):
            self.give_up("not sent: an error had stopped the run before")
        elif isinstance(error, PayloadTooLargeError):
            self.n_too_large += 1
            if self.n_too_large >= _MAX_TOO_LARGE:
                self.give_up(f"not sent: {self.n_too_large} single rows of the chunk were too large")

    def give_up(self, reason: str) -> None:
        """End the parts that are left: a part that was sent is unknown, the others are unsent."""
        if self.pending and self.was_sent:
            lost = "sent, and the run ended before the answer; Planhat may have received it"
            self.result.refuse(SendOutcome.UNKNOWN, lost, self._end_first().positions)
        while self.pending:
            self.result.refuse(SendOutcome.UNSENT, reason, self._end_first().positions)

    def _end_first(self) -> Part:
        self.was_sent = False
        return self.pending.popleft()
