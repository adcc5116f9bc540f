"""The messages between a member and the window that it shares.

All times are durations: the member and the window may have different clocks.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf

import attrs

from planhat_async._http.pace import RateLimits


class EndedAs(StrEnum):
    """How a place ended."""

    ANSWERED = "answered"
    """With any answer but a 429."""
    REFUSED = "refused"
    """With a 429."""
    LOST = "lost"
    """Without an answer: the attempt may have arrived."""
    UNUSED = "unused"
    """No attempt was made."""


@attrs.frozen(kw_only=True)
class Ended:
    """A place that has ended."""

    place: int
    ended_as: EndedAs
    ago: float = 0.0
    """Seconds since then."""
    retry_after: float | None = None
    """The seconds that a 429 named."""


@attrs.frozen(kw_only=True)
class Restated:
    """A place that a member has and the window does not know."""

    ago: float
    """Seconds since its attempt arrived; negative if it may arrive later."""
    is_bulk: bool


@attrs.frozen(kw_only=True)
class Quota:
    """What an answer said of the calls that are left."""

    remaining: int
    limit: int | None = None
    ago: float = 0.0


@attrs.frozen(kw_only=True)
class Message:
    """What a member tells the window, and asks of it."""

    epoch: int = 0
    """The window's epoch as the member knows it; 0 if it has not joined."""
    member: int = 0
    """Its number in this epoch; 0 if it has not joined."""
    last_place: int | None = None
    """`Reply.last_place` of the last reply it has heard: its places beyond that were in a reply that was lost."""
    pid: int = 0
    host: str = ""
    limits: RateLimits = attrs.field(factory=RateLimits)
    n_singles: int = 0
    """Single calls that wait."""
    n_bulk: int = 0
    """Bulk calls that wait."""
    max_places: int = 1
    """Places of each class that it can use at once; 0 if it only reports."""
    ended: tuple[Ended, ...] = ()
    restated: tuple[Restated, ...] = ()
    quota: Quota | None = None
    leaves: bool = False
    """Whether it ends: it is a member no longer, and its places stay until they are free."""


@attrs.frozen(kw_only=True)
class Reply:
    """What the window tells a member."""

    epoch: int
    is_unknown: bool = False
    """Whether the window has forgotten what the member knew of it: it must join again, and restate its places."""
    member: int = 0
    last_place: int = 0
    """The last place that the window has given to any member."""
    singles: tuple[int, ...] = ()
    """The numbers of the places it gets for single calls."""
    bulk: tuple[int, ...] = ()
    """The same for bulk calls."""
    single_wait: float = 0.0
    """Seconds until it may ask for another place for a single call; infinite if an attempt must end first."""
    bulk_wait: float = 0.0
    n_members: int = 1
    """Members, with this one."""
    n_free: int = 0
    """Places of the minute that are free."""
    n_others: int = 0
    """Places of the minute that others have."""
    pause: float = 0.0
    """Seconds for which nothing starts, after a 429."""
    refusals: int = 0
    """Refusals in a row."""
    refused_for: float = 0.0
    """Seconds since the first of them."""


@attrs.frozen(kw_only=True)
class MemberStanding:
    """A member, for display."""

    pid: int
    host: str
    since: float
    """Seconds since it joined."""
    seen: float
    """Seconds since it was last heard of."""
    n_singles: int
    """Places of the last minute for single calls."""
    n_bulk: int
    n_waiting: int


@attrs.frozen(kw_only=True)
class Standing:
    """Who is on a window now, for display."""

    members: tuple[MemberStanding, ...] = ()
    n_used: int = 0
    """Places of the last minute, of all members, of those that have ended, and of strangers."""
    n_strangers: int = 0
    """Those of clients that do not share the window, as Planhat counts them."""
    pause: float = 0.0
    """Seconds for which nothing starts, after a 429."""
    next_free: float = 0.0
    """Seconds until one of the used places is free again; infinite without any."""


NO_MEMBERS = Standing(next_free=inf)
