"""Parts of a chunk: what is one request, and how a chunk may come to be several."""

from __future__ import annotations

import attrs

from planhat_async.batching.chunking import Rows
from planhat_async.batching.statements import Earlier


@attrs.define
class Isolation:
    """Whether rows behind errors that name none are looked for, and at what cost at most, in a whole run."""

    calls_left: int

    def spend(self, n_calls: int) -> bool:
        """Take calls, if there are that many."""
        if self.calls_left < n_calls:
            return False
        self.calls_left -= n_calls
        return True


@attrs.define
class Part:
    """Rows of a chunk that make up one request."""

    rows: Rows
    may_be_stored: bool = False
    """Whether a request before this one may have stored them."""
    follows_unknown: bool = False
    """Whether one of those got no answer: then a later refusal does not say that a row is missing."""
    earlier: tuple[Earlier, ...] = ()
    """What the answers to those stated."""
    has_left: bool = False
    """Whether this request has left."""

    def of(self, rows: Rows, *, follows_unknown: bool = False, earlier: Earlier | None = None) -> Part:
        """A part with some of these rows, which follows this request.

        Args:
            rows: Its rows.
            follows_unknown: Whether this request got no answer that could be read.
            earlier: What its answer states.
        """
        return Part(
            rows,
            may_be_stored=self.may_be_stored or follows_unknown or earlier is not None,
            follows_unknown=self.follows_unknown or follows_unknown,
            earlier=self.earlier if earlier is None else (*self.earlier, earlier),
        )
