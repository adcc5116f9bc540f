"""What a session knows of the window that it shares, and what it has to tell there: decisions only.

The session keeps its own pace beside the window. While the window cannot be reached, that pace alone decides, with the
member's share of the limits: what it starts meanwhile is restated later. All times here are the session's own.
"""

from __future__ import annotations

from collections import deque
from math import inf

import attrs

from planhat_async._http.pace import MAX_TRANSIT, Pause, RateLimits
from planhat_async._http.shared_messages import Ended, EndedAs, Message, Quota, Reply, Restated
from planhat_async._http.shared_pace import LAG, POLL

_TRANSIT = 1.0
_FRESH = 3 * POLL
"""Seconds for which it is known how many places are free."""
AWAY_SECONDS = 1.0
"""Seconds after which a window that could not be reached is tried again."""


@attrs.define(eq=False)
class OwnPlace:
    """A place of this member."""

    arrival: float
    """When its attempt counts as arrived."""
    is_bulk: bool
    number: int = 0
    """The window's number for it; 0 if it has none."""
    started: float = -inf
    is_known: bool = True
    """Whether the window counts it."""


@attrs.define(eq=False)
class Membership:
    """One session on a shared window."""

    limits: RateLimits
    waits_while_away: bool = False
    """Whether nothing starts while the window cannot be reached."""
    pid: int = 0
    host: str = ""
    n_members: int = 1
    n_others: int = 0
    """Places of the minute that others had when the window was last asked."""
    is_off: bool = False
    """Whether the window cannot be used at all: the own pace alone decides, with all of its limits."""
    _n_free: int = 0
    _told_at: float = -inf
    """When the window was last heard."""
    _epoch: int = 0
    _number: int = 0
    _last_place: int = 0
    """The last place that the window had given to any member when it was last heard."""
    _own: deque[OwnPlace] = attrs.field(factory=deque)
    """All places of the last minute, in the order they were granted."""
    _granted: tuple[deque[OwnPlace], deque[OwnPlace]] = attrs.field(factory=lambda: (deque(), deque()))
    """Places to be used, for single and for bulk calls."""
    _ended: list[Ended] = attrs.field(factory=list)
    """Reports, with `ago` as the time of the end."""
    _quota: Quota | None = None
    _restating: list[OwnPlace] = attrs.field(factory=list)
    """The places restated in the last message."""
    _waits_until: list[float] = attrs.field(factory=lambda: [-inf, -inf])
    """When the window may have a place, for single and for bulk calls."""
    _away_until: float = -inf
    _is_away: bool = False
    _most_alone: int = 0
    """Places that it may hold while the window is away, if that is less than its part."""
    _catches_up_at: float = -inf
    """When all places are over that others held before the window was away."""
    _is_paused_by_others: bool = False

    @property
    def share(self) -> RateLimits:
        """The limits of this member: its part of the places in flight, and of all places if the window is away."""
        n = 1 if self.is_off else self.n_members
        if n == 1:
            return self.limits
        in_flight = max(1, self.limits.max_in_flight // n)
        if not self._is_away:
            return attrs.evolve(self.limits, max_in_flight=in_flight)
        return attrs.evolve(
            self.limits,
            max_in_flight=in_flight,
            per_minute=max(1, min(self.limits.per_minute // n, self._most_alone)),
            per_second=max(1, self.limits.per_second // n),
        )

    @property
    def has_joined(self) -> bool:
        """Whether the window knows this member."""
        return self._epoch != 0

    @property
    def has_reports(self) -> bool:
        """Whether the window does not know all yet."""
        return bool(self._ended) or self._quota is not None

    @property
    def retries_at(self) -> float:
        """When a window that could not be reached is tried again."""
        return self._away_until

    def has_to_return(self, now: float) -> bool:
        """Whether to try the window again although no call asks: it may not count all places of this member."""
        if self.is_off or not self._is_away:
            return False
        return any(place.arrival + self.limits.window > now for place in self._own)

    @property
    def is_urgent(self) -> bool:
        """Whether others wait for a report, or should know it at once."""
        return self.n_members > 1 or any(ended.ended_as is EndedAs.REFUSED for ended in self._ended)

    def may_start_alone(self, now: float) -> bool:
        """Whether the own pace alone decides."""
        return self.is_off or (now < self._away_until and not self.waits_while_away)

    def asks_from(self, now: float, *, is_bulk: bool) -> float:
        """When the window may have a place, or is asked again."""
        if self.may_start_alone(now) or self._has_place(now, is_bulk=is_bulk):
            return now
        return max(min(self._waits_until[is_bulk], self._told_at + POLL), self._away_until)

    def _has_place(self, now: float, *, is_bulk: bool) -> bool:
        granted = self._granted[is_bulk]
        while granted and now > granted[0].started + LAG:
            self._give_back(granted.popleft(), now)
        return bool(granted)

    def take_place(self, now: float, *, is_bulk: bool) -> OwnPlace | None:
        """The place for an attempt that starts now; `None` if the window must be asked."""
        if self._has_place(now, is_bulk=is_bulk):
            place = self._granted[is_bulk].popleft()
            place.started, place.arrival = now, now + _TRANSIT
        elif self.may_start_alone(now):
            place = OwnPlace(now + _TRANSIT, is_bulk, started=now, is_known=False)
            self._own.append(place)
        else:
            return None
        return place

    def end_place(self, place: OwnPlace, ended_as: EndedAs, now: float, *, retry_after: float | None = None) -> None:
        """Note the end of an attempt."""
        if ended_as is not EndedAs.LOST and now <= place.started + MAX_TRANSIT:
            place.arrival = now
        if place.number:
            self._ended.append(Ended(place=place.number, ended_as=ended_as, ago=now, retry_after=retry_after))

    def note_quota(self, now: float, *, remaining: int, limit: int | None) -> None:
        """Note the calls that Planhat says are left: the window knows which of them were made by members."""
        self._quota = Quota(remaining=remaining, limit=limit, ago=now)

    def message(self, now: float, *, n_singles: int = 0, n_bulk: int = 0, max_places: int = 0) -> Message:
        """What to tell the window now, with the calls that wait."""
        window = self.limits.window
        for is_bulk in (False, True):
            self._has_place(now, is_bulk=is_bulk)  # gives back what it has for too long
        while self._own and self._own[0].arrival + window + LAG < now:
            self._own.popleft()
        self._restating = [place for place in self._own if not place.is_known and place.arrival + window > now]
        return Message(
            epoch=self._epoch,
            member=self._number,
            last_place=self._last_place if self._epoch else None,
            pid=self.pid,
            host=self.host,
            limits=self.limits,
            n_singles=n_singles,
            n_bulk=n_bulk,
            max_places=max_places,
            ended=tuple(attrs.evolve(ended, ago=max(0.0, now - ended.ago)) for ended in self._ended),
            restated=tuple(Restated(ago=now - place.arrival, is_bulk=place.is_bulk) for place in self._restating),
            quota=None if self._quota is None else attrs.evolve(self._quota, ago=max(0.0, now - self._quota.ago)),
        )

    def goodbye(self, now: float) -> Message:
        """What to tell the window at the end."""
        for granted in self._granted:
            while granted:
                self._give_back(granted.popleft(), now)
        return attrs.evolve(self.message(now), leaves=True)

    def note_reply(self, told: Message, reply: Reply, *, asked: float, now: float) -> None:
        """Note a reply to the message that was sent at `asked`."""
        self._is_away, self._away_until = False, -inf
        if reply.is_unknown:
            self._forget_window()
            return
        self._epoch, self._number, self._last_place = reply.epoch, reply.member, reply.last_place
        del self._ended[: len(told.ended)]
        self._quota = None
        for place in self._restating:
            place.is_known = True
        self.n_members, self._n_free, self.n_others = reply.n_members, reply.n_free, reply.n_others
        self._told_at = now
        # Not from now: what is asked then needs as long as this message did to reach the window, and comes in time.
        self._waits_until = [asked + reply.single_wait, asked + reply.bulk_wait]
        for is_bulk, numbers in ((False, reply.singles), (True, reply.bulk)):
            for number in numbers:
                place = OwnPlace(asked + LAG + _TRANSIT, is_bulk, number, started=asked)
                self._own.append(place)
                self._granted[is_bulk].append(place)

    def note_left(self) -> None:
        """Note that it is a member no longer; it may join again."""
        self._number = self._epoch = 0
        self.n_members = 1
        self._ended.clear()

    def note_away(self, now: float) -> None:
        """Note that the window could not be reached."""
        if not self._is_away:
            # Others may hold more than their parts: until those places are over, what was free is divided, and no more.
            is_fresh = now <= self._told_at + _FRESH
            n_held = sum(place.arrival + self.limits.window > now for place in self._own)
            self._most_alone = n_held + self._n_free // self.n_members
            self._catches_up_at = now + self.limits.window + _TRANSIT if is_fresh else now
        if now >= self._catches_up_at:
            self._most_alone = self.limits.per_minute
        self._is_away, self._away_until = True, now + AWAY_SECONDS

    def mirror_pause(self, pause: Pause, reply: Reply, now: float) -> None:
        """Let the own pace pause as the window does."""
        if any(ended.ended_as is EndedAs.REFUSED for ended in self._ended):
            return  # the window does not know it yet
        if reply.refusals:
            pause.until = max(pause.until, now + reply.pause)
            pause.refusals = max(pause.refusals, reply.refusals)
            pause.refused_since = min(pause.refused_since, now - reply.refused_for)
        elif self._is_paused_by_others:
            pause.end()
        self._is_paused_by_others = reply.refusals > 0
        if reply.pause:
            for granted in self._granted:
                while granted:
                    self._give_back(granted.popleft(), now)

    def n_free(self, now: float, n_own: int) -> int:
        """Places of the minute that are free, of the `n_own` by the own pace; others' places as last heard."""
        is_fresh = now <= self._told_at + _FRESH and not self.is_off
        return min(n_own, self._n_free) if is_fresh else n_own

    def bulk_wait(self, now: float) -> float:
        """Seconds until the window may have a place for a bulk call, as last heard."""
        until = self._waits_until[True]
        return max(0.0, until - now) if until < inf and not self.may_start_alone(now) else 0.0

    def _give_back(self, place: OwnPlace, now: float) -> None:
        if place in self._own:  # else it was granted more than a minute ago
            self._own.remove(place)
        self._ended.append(Ended(place=place.number, ended_as=EndedAs.UNUSED, ago=now))

    def _forget_window(self) -> None:
        """The window no longer knows this member: restate everything, and report nothing."""
        self._epoch = self._number = 0
        self._ended.clear()
        for granted in self._granted:
            for place in granted:
                self._own.remove(place)
            granted.clear()
        for place in self._own:
            place.is_known, place.number = False, 0
