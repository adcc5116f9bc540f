"""Decides which member of a shared window may start attempts: the pace of all of them on one token.

The window holds the places that members took in the last minute, and counts them as `pace.py` does. One clock tells
all times: that of the machine, or of the server that holds the window. Members hear durations only.

A place is granted before its attempt starts. The attempt starts within `LAG` seconds, or the member gives the place
back. So an attempt without an answer counts as arrived `LAG` seconds later than in `pace.py`. A place is never
released by anyone else: it becomes free a minute later. A member that is killed costs its places for that long.

Whose turn it is. A member that must wait learns for how long. When it is due, it goes before members that hold more
places, until it holds as many as they do. Without that rule the process that wakes first would take all that became
free. A member that is 50 ms late has lost its turn, because it may have ended. Single calls of members that are due go
before bulk calls of all.

A 429 pauses all members once; then one attempt of each class probes. If the member that probes says nothing, another
one probes a minute later.

A reply may be lost, after the window has granted places in it. So a member says which was the last place when it last
heard the window. What it got since is dropped when it asks again.

A window may be lost: the server that holds it starts again, a file is damaged. It has a new epoch then. A member that
knows another epoch must join again, and restate its places before it gets any. Until all have had the time for that,
no place is granted.
"""

from __future__ import annotations

import bisect
from collections import Counter
from math import inf
from typing import NamedTuple

import attrs

from planhat_async._http.pace import MAX_TRANSIT, Pace, Pause, RateLimits, Start, Transit, Window, n_of_others
from planhat_async._http.shared_messages import Ended, EndedAs, MemberStanding, Message, Quota, Reply, Standing

LAG = 1.0
"""Seconds within which a granted place must be used."""
POLL = 1.0
"""Seconds after which a member that waits asks again in any case."""
SETTLING = 1.5
"""Seconds without grants in which members restate their places: longer than `POLL`."""
LATE = 0.05
"""Seconds after which a member that does not ask has lost its turn."""
GONE = 62.0
"""Seconds after which a member that says nothing has ended."""
MAX_SHARED_PER_MINUTE = 1_000
"""The largest limit that is shared; Planhat's own is 200."""
MAX_PLACES = 1_200
"""Places that are kept, so that what is stored stays small."""
MAX_MEMBERS = 256
KEPT = 10.0
"""Seconds for which free places are kept: an answer may say how many were taken then."""
STRANGER = 0
"""In place of a member's number: the places of clients that do not share the window."""


class Place(NamedTuple):
    """A place that a member took; ordered by arrival."""

    arrival: float
    number: int
    member: int
    is_bulk: bool
    granted: float


@attrs.define
class Member:
    """A session on the window."""

    number: int
    pid: int
    host: str
    since: float
    seen: float = 0.0
    waiting: list[int] = attrs.field(factory=lambda: [0, 0])
    """How many single calls wait, and how many bulk calls."""
    due: list[float] = attrs.field(factory=lambda: [-inf, -inf])
    """When it may ask for a place of each class."""

    def is_due(self, now: float, *, is_bulk: bool) -> bool:
        """Whether it is its turn, and it is not late."""
        return self.waiting[is_bulk] > 0 and self.due[is_bulk] <= now <= self.due[is_bulk] + LATE


@attrs.define
class Probe:
    """A place whose attempt probes after a 429."""

    place: int
    is_bulk: bool
    until: float
    """When another may probe."""


@attrs.define(kw_only=True)
class SharedPace:
    """What is known of all members; it can be stored as it is."""

    epoch: int
    """Not 0; another one after the window was lost."""
    settled_at: float = -inf
    """No place is granted before."""
    next_place: int = 1
    next_member: int = 1
    last_bulk: float = -inf
    pause: Pause = attrs.field(factory=Pause)
    transit: Transit = attrs.field(factory=Transit)
    probing: list[Probe] = attrs.field(factory=list)
    places: list[Place] = attrs.field(factory=list)
    members: list[Member] = attrs.field(factory=list)

    def exchange(self, message: Message, now: float) -> Reply:
        """Note what a member tells, and decide what it may start.

        Its reports come first, then its single calls, then its bulk calls.
        """
        self._forget(now, message.limits.window)
        if message.epoch not in {0, self.epoch}:
            self.settled_at = now + SETTLING
            return Reply(epoch=self.epoch, is_unknown=True)
        if message.restated and now > self.settled_at:
            self.settled_at = now + SETTLING  # others that could not reach it have places to restate, too
        member = self._joined(message, now)
        if message.last_place is not None:
            self._drop_lost(member, message.last_place)
        for ended in message.ended:
            self._end(ended, now)
        for restated in message.restated:
            self.add_place(now - restated.ago, member.number, is_bulk=restated.is_bulk, granted=now - restated.ago)
        if message.quota is not None:
            self._note_quota(message.quota, message.limits, now)
        member.waiting = [message.n_singles, message.n_bulk]
        if message.leaves:
            self.members.remove(member)
            return Reply(epoch=self.epoch, member=member.number, last_place=self.next_place - 1)
        return self._granted(member, message, now)

    def add_place(self, arrival: float, member: int, *, is_bulk: bool, granted: float) -> int:
        """Add a place; returns its number."""
        number, self.next_place = self.next_place, self.next_place + 1
        bisect.insort(self.places, Place(arrival, number, member, is_bulk, granted))
        return number

    def standing(self, now: float, window: float) -> Standing:
        """Who is on the window now."""
        self._forget(now, window)
        live = self._live(now, window)
        counts = Counter((place.member, place.is_bulk) for place in live)
        members = tuple(
            MemberStanding(
                pid=one.pid,
                host=one.host,
                since=now - one.since,
                seen=now - one.seen,
                n_singles=counts[one.number, False],
                n_bulk=counts[one.number, True],
                n_waiting=sum(one.waiting),
            )
            for one in self.members
        )
        n_strangers = counts[STRANGER, True] + counts[STRANGER, False]
        next_free = live[0].arrival + window - now if live else inf
        pause = max(0.0, self.pause.until - now)
        return Standing(members=members, n_used=len(live), n_strangers=n_strangers, pause=pause, next_free=next_free)

    def _forget(self, now: float, window: float) -> None:
        """Drop what is over."""
        n_over = bisect.bisect_right(self.places, now - window - KEPT, key=_arrival)
        del self.places[: max(n_over, len(self.places) - MAX_PLACES)]
        self.members = [one for one in self.members if one.seen > now - GONE]
        self.probing = [one for one in self.probing if one.until > now]
        self.pause.probes = {one.is_bulk for one in self.probing}

    def _live(self, at: float, window: float) -> list[Place]:
        """The places that are taken then."""
        return self.places[bisect.bisect_right(self.places, at - window, key=_arrival) :]

    def _joined(self, message: Message, now: float) -> Member:
        """The member that tells this; one that was silent for too long has kept its number."""
        number = message.member if message.epoch else 0
        member = next((one for one in self.members if number and one.number == number), None)
        if member is None:
            if not number:
                number, self.next_member = self.next_member, self.next_member + 1
            member = Member(number, message.pid, message.host, now)
            self.members.append(member)
            if len(self.members) > MAX_MEMBERS:
                self.members.remove(min(self.members[:-1], key=lambda one: one.seen))
        member.seen = now
        return member

    def _drop_lost(self, member: Member, last_place: int) -> None:
        """Drop the places of a member that were in a reply it has not heard: it has used none of them."""
        lost = {place.number for place in self.places if place.member == member.number and place.number > last_place}
        if lost:
            self.places = [place for place in self.places if place.number not in lost]
            self.probing = [one for one in self.probing if one.place not in lost]
            self.pause.probes = {one.is_bulk for one in self.probing}

    def _end(self, ended: Ended, now: float) -> None:
        """Note the end of a place, unless it is free already."""
        place = next((one for one in reversed(self.places) if one.number == ended.place), None)
        if place is None:
            return
        self.probing = [one for one in self.probing if one.place != place.number]
        self.pause.probes = {one.is_bulk for one in self.probing}
        at = min(now, now - ended.ago)
        if ended.ended_as is EndedAs.UNUSED:
            self.places.remove(place)
            return
        if ended.ended_as is EndedAs.REFUSED:
            start = Start(place.granted, place.arrival, place.is_bulk, is_probe=False)
            self.pause.begin(start, at, retry_after=ended.retry_after)
        elif ended.ended_as is EndedAs.ANSWERED and place.granted >= self.pause.until:
            self.pause.end()
        if ended.ended_as is not EndedAs.LOST and place.granted <= at <= place.granted + MAX_TRANSIT:
            self.transit.measure(at - place.granted, at)
            self.places.remove(place)
            bisect.insort(self.places, place._replace(arrival=at))

    def _note_quota(self, quota: Quota, limits: RateLimits, now: float) -> None:
        """Note how many calls Planhat says were left; those of strangers count for a minute."""
        if not 0 <= quota.ago <= KEPT:
            return
        at = now - quota.ago
        n_taken = len(self._live(at, limits.window))
        for _ in range(n_of_others(limits, n_taken, remaining=quota.remaining, limit=quota.limit)):
            self.add_place(at, STRANGER, is_bulk=False, granted=at)

    def _granted(self, member: Member, message: Message, now: float) -> Reply:
        limits = message.limits
        live = self._live(now, limits.window)
        turn = _Turn(self, member, self._pace(live, message, now), Counter([place.member for place in live]), now)
        singles, single_from = turn.take_places(message.max_places, is_bulk=False)
        bulk, bulk_from = turn.take_places(message.max_places, is_bulk=True)
        n_taken = len(live) + len(singles) + len(bulk)
        is_refused = self.pause.refusals > 0
        return Reply(
            epoch=self.epoch,
            member=member.number,
            last_place=self.next_place - 1,
            singles=singles,
            bulk=bulk,
            single_wait=max(0.0, single_from - now),
            bulk_wait=max(0.0, bulk_from - now),
            n_members=len(self.members),
            n_free=max(0, limits.per_minute - n_taken),
            n_others=len(live) - turn.held[member.number] + len(singles) + len(bulk),
            pause=max(0.0, self.pause.until - now),
            refusals=self.pause.refusals,
            refused_for=now - self.pause.refused_since if is_refused else 0.0,
        )

    def _pace(self, live: list[Place], message: Message, now: float) -> Pace:
        """The pace of all members, with the limits of one."""
        limits = message.limits
        taken = [place.arrival + limits.window for place in live]
        claimed: list[float] = []
        if message.n_bulk:
            singles = [place.arrival + limits.window for place in live if place.member and not place.is_bulk]
            n_asked = sum(one.waiting[False] for one in self.members)
            claimed = sorted([*taken, *singles, *[now + limits.window] * min(limits.per_minute, n_asked)])
        return Pace(
            limits,
            pause=self.pause,
            transit=Transit(self.transit.seconds + LAG, inf),
            last_bulk=self.last_bulk,
            minute=Window(limits.window, taken),  # pyright: ignore[reportCallIssue]
            second=Window(1.0, [place.arrival + 1.0 for place in self._live(now, 1.0)]),  # pyright: ignore[reportCallIssue]
            claimed=Window(limits.window, claimed),  # pyright: ignore[reportCallIssue]
        )


@attrs.define
class _Turn:
    """The turn of one member."""

    shared: SharedPace
    member: Member
    pace: Pace
    held: Counter[int]
    """The places that each member holds."""
    now: float
    _n_reserved: int = 0

    def take_places(self, max_places: int, *, is_bulk: bool) -> tuple[tuple[int, ...], float]:
        """Take as many places as the member wants and may have; returns their numbers, and when it may have more."""
        taken: list[int] = []
        if not self.member.waiting[is_bulk]:
            return (), self.now
        while True:
            lapses_at = self._reserve(is_bulk=is_bulk)
            soonest = max(self._soonest(is_bulk=is_bulk), self.shared.settled_at)
            if soonest > self.now:
                soonest = min(soonest, lapses_at)
                break
            if len(taken) == max_places or not self.member.waiting[is_bulk]:
                break
            taken.append(self._take(is_bulk=is_bulk))
        self.member.due[is_bulk] = soonest if soonest < inf else -inf
        return tuple(taken), soonest

    def _soonest(self, *, is_bulk: bool) -> float:
        if not is_bulk:
            return self.pace.single_from(self.now)
        n_waiting = sum(one.waiting[True] for one in self.shared.members)
        return self.pace.bulk_from(self.now, max(1, n_waiting))

    def _take(self, *, is_bulk: bool) -> int:
        start = self.pace.start_attempt(self.now, is_bulk=is_bulk)
        number = self.shared.add_place(start.arrival, self.member.number, is_bulk=is_bulk, granted=self.now)
        self.shared.last_bulk = self.pace.last_bulk
        if start.is_probe:
            self.shared.probing.append(Probe(number, is_bulk, self.now + GONE))
        self.member.waiting[is_bulk] -= 1
        self.held[self.member.number] += 1
        return number

    def _reserve(self, *, is_bulk: bool) -> float:
        """Leave places to those whose turn it is; returns when the first of them loses it."""
        n_ahead, lapses_at = 0, inf
        for other in self.shared.members:
            if other is self.member:
                continue
            n_before = self._n_before(other, is_bulk=is_bulk)
            if n_before:
                n_ahead += n_before
                lapses_at = min(lapses_at, max(due + LATE for due in other.due if due <= self.now))
        for _ in range(min(n_ahead, self.pace.limits.per_minute) - self._n_reserved):
            self.pace.start_attempt(self.now, is_bulk=is_bulk)
            self._n_reserved += 1
        return max(lapses_at, self.now + LATE / 10)

    def _n_before(self, other: Member, *, is_bulk: bool) -> int:
        """How many places another member takes before this one."""
        n_fewer = max(0, self.held[self.member.number] - self.held[other.number])
        n_before = min(n_fewer, other.waiting[is_bulk]) if other.is_due(self.now, is_bulk=is_bulk) else 0
        if is_bulk and other.is_due(self.now, is_bulk=False):
            n_before += other.waiting[False]
        return n_before


def _arrival(place: Place) -> float:
    return place.arrival
