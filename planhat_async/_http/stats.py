"""What a session counts."""

from __future__ import annotations

import attrs


@attrs.define(kw_only=True)
class SessionStats:
    """What a session has done so far."""

    calls: int = 0
    """Requests asked for."""
    attempts: int = 0
    """Attempts made, repeats and those that found no server included."""
    retries: int = 0
    """Attempts after the first."""
    refusals: int = 0
    """Attempts answered with 429."""
    bytes_sent: int = 0
    """Bytes of bodies handed to the network."""
    bytes_received: int = 0
    """Bytes of bodies received, decompressed."""
    seconds_waited: float = 0.0
    """Seconds that attempts waited for pace, added up."""
    seams_repaired: int = 0
    """Times that rows moved while a list was read, and were found again."""
    seams_broken: int = 0
    """Times that they were not: some records may be missing or repeated.

    Only where `_id`s give no order: under a sort of the caller's own, or where the server ignored ours.
    """
    sorts_ignored: int = 0
    """Lists that did not come in the order asked for, so that it could not be seen whether rows moved."""
    records_skipped: int = 0
    """Records that could not be read, where that was asked for with `on_bad_record="skip"`."""
