"""One request's share of a chunk."""

from __future__ import annotations

import attrs

from planhat_async.batching.chunks import Rows


@attrs.define
class Isolation:
    """The calls that a run may still spend on finding the rows of errors that name no row."""

    calls_left: int = 0


@attrs.define
class Part:
    """Rows of a chunk that make up one request."""

    rows: Rows
    may_be_stored: bool = False
    """Whether an earlier request may have stored them."""
    follows_unknown: bool = False
    """Whether an earlier request got no answer: then a refusal does not prove that a row is not stored."""
    earlier: tuple[int, ...] = ()
    """Indexes of the answers to earlier requests in the chunk's outcome."""
    was_sent: bool = False
    """Whether this request was sent and may have been processed."""

    def mark_sent(self) -> None:
        """Note that the request is being sent."""
        self.was_sent = True

    def mark_not_processed(self) -> None:
        """Note that no attempt at the request was processed."""
        self.was_sent = False

    def followed_by(self, rows: Rows, *, follows_unknown: bool = False, earlier: int | None = None) -> Part:
        """A part with some of these rows, sent after this one.

        Args:
            rows: Its rows.
            follows_unknown: Whether this request got no readable answer.
            earlier: The index of its answer.
        """
        return Part(
            rows,
            may_be_stored=self.may_be_stored or follows_unknown or earlier is not None,
            follows_unknown=self.follows_unknown or follows_unknown,
            earlier=self.earlier if earlier is None else (*self.earlier, earlier),
        )
