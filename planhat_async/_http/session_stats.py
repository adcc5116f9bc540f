"""Counts of what a session has done."""

from __future__ import annotations

import attrs


@attrs.define(kw_only=True)
class SessionStats:
    """What a session has done so far."""

    calls: int = 0
    """Requests by the caller."""
    attempts: int = 0
    """Attempts made, including retries and those that found no server."""
    retries: int = 0
    """Attempts after the first."""
    refusals: int = 0
    """Attempts answered with 429."""
    bytes_sent: int = 0
    """Bytes of request bodies."""
    bytes_received: int = 0
    """Bytes of answers, after decompression."""
    seconds_waited: float = 0.0
    """Total seconds that attempts waited for the pace."""
    seconds_waited_for_others: float = 0.0
    """Seconds in which only others on a shared window kept the next attempt from starting."""
    members: int = 1
    """Sessions on the shared window, with this one, as last heard; 1 without a shared window."""
    joins_repaired: int = 0
    """How often rows moved while a list was read, and were all found again."""
    joins_broken: int = 0
    """How often rows moved and some may be missing or repeated.

    Only possible where `_id`s give no order: under the caller's own sort, or if the server ignores ours.
    """
    sorts_ignored: int = 0
    """Lists that did not come in the requested order, so that moved rows could not be detected."""
    records_skipped: int = 0
    """Records that could not be decoded and were skipped (`on_bad_record="skip"`)."""
