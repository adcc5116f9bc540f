"""Who may start, and when: decisions only, on a clock that the caller reads.

The minute, and the second likewise. As Planhat sees them, no 60 seconds may hold more than `per_minute` attempts. An
attempt may arrive up to a second after it was started, so its place is free again 60 seconds after it was answered,
or after it had been on its way for a second, whichever is earlier. Counting from starts alone let a server see 250 in
a minute with a tenth of a second of jitter.

Two classes. Single calls go first. Bulk calls leave them a part of the minute and of the places in flight, or a
burst of slow uploads would hold up a `get` for as long as one takes; and while single calls are about, bulk calls
are spaced evenly, or they would use up their minute at once and again leave nothing.

A 429 stops everything, once: the refusals of attempts that were under way by then are the same refusal. After the
pause one attempt of each class probes, so that a slow upload that probes holds up no single call, and the rest follow
when one is answered; if all of them went on at once, all would be refused again.
"""

from __future__ import annotations

import bisect
from math import inf

import attrs

from planhat_async._checks import number, valid, whole

_MINUTE = 60.0
_ON_ITS_WAY = 1.0
_PAUSE_INITIAL = 1.0
_PAUSE_MAX = 60.0


@attrs.frozen(kw_only=True)
class RateLimits:
    """How fast attempts may start.

    The defaults are Planhat's own ("Rate limits" in its documentation): 200 a minute, 150 a second, bursts of 50.
    """

    per_minute: int = attrs.field(default=200, validator=valid(whole(1)))
    """Attempts that any 60 seconds may hold."""
    per_second: int = attrs.field(default=150, validator=valid(whole(1)))
    """Attempts that any second may hold."""
    max_in_flight: int = attrs.field(default=50, validator=valid(whole(1)))
    """Attempts that have no answer yet."""
    reserve: float = attrs.field(default=0.1, validator=valid(number(0, below=1)))
    """The part of the minute, and of the places in flight, that bulk calls leave to single ones."""


@attrs.define
class Window:
    """Places for attempts in any stretch of time, as the server sees them."""

    seconds: float
    n_places: int
    _taken: list[float] = attrs.field(factory=list)
    """When each place that is taken will be free, in order."""

    def free_from(self, now: float, n_places: int) -> float:
        """From when on fewer than so many places are taken."""
        n_taken = self.n_taken(now)
        return now if n_taken < n_places else self._taken[n_taken - n_places]

    def n_taken(self, now: float) -> int:
        """How many places are taken."""
        del self._taken[: bisect.bisect_right(self._taken, now)]
        return len(self._taken)

    def take(self, now: float) -> None:
        """Take a place for an attempt that may be on its way for a second."""
        bisect.insort(self._taken, now + _ON_ITS_WAY + self.seconds)

    def answered(self, started: float, now: float) -> None:
        """An answer came: the attempt had arrived by now, so its place is free that much earlier."""
        free_at = started + _ON_ITS_WAY + self.seconds
        index = bisect.bisect_left(self._taken, free_at)
        # It is gone already if it was free before the answer came.
        if now < started + _ON_ITS_WAY and index < len(self._taken) and self._taken[index] == free_at:
            del self._taken[index]
            bisect.insort(self._taken, now + self.seconds)

    def block(self, now: float, n_places: int) -> None:
        """Take places for what others have used."""
        for _ in range(n_places):
            bisect.insort(self._taken, now + self.seconds)


@attrs.frozen(eq=False)
class Start:
    """An attempt that has started."""

    at: float
    is_bulk: bool
    is_probe: bool


@attrs.define
class Pace:
    """What has started, and what that leaves to start."""

    limits: RateLimits
    n_in_flight: int = 0
    _minute: Window = attrs.field(init=False)
    _second: Window = attrs.field(init=False)
    _last_bulk: float = -inf
    _last_single: float = -inf
    _paused_at: float = -inf
    _paused_until: float = -inf
    _refusals: int = 0
    """Refusals in a row; while there are any, one attempt of each class at a time probes."""
    _refused_since: float = inf
    _probes: set[bool] = attrs.field(factory=set)
    """The classes that have a probe in flight: True for bulk."""

    def __attrs_post_init__(self) -> None:
        self._minute = Window(_MINUTE, self.limits.per_minute)
        self._second = Window(1.0, self.limits.per_second)

    def single_from(self, now: float) -> float:
        """From when on a single call may start; without end where that takes an answer first."""
        if False in self._probes:
            return inf
        return self._from(now, self.limits.per_minute, self.limits.max_in_flight)

    def bulk_from(self, now: float) -> float:
        """From when on a bulk call may start; without end where that takes an answer first."""
        if self._probes:
            return inf
        share = 1 - self.limits.reserve
        places = max(1, int(self.limits.per_minute * share))
        soonest = self._from(now, places, max(1, int(self.limits.max_in_flight * share)))
        is_shared = self.limits.reserve and now - self._last_single < _MINUTE
        return max(soonest, self._last_bulk + _MINUTE / places) if is_shared else soonest

    def ask(self, now: float) -> None:
        """Note that there is a single call about."""
        self._last_single = now

    def start(self, now: float, *, is_bulk: bool) -> Start:
        """Take a place for an attempt that starts now."""
        if is_bulk:
            self._last_bulk = now
        self.n_in_flight += 1
        for window in (self._minute, self._second):
            window.take(now)
        start = Start(now, is_bulk, is_probe=self._refusals > 0)
        if start.is_probe:
            self._probes.add(is_bulk)
        return start

    def end(self, start: Start, now: float, *, is_answered: bool) -> None:
        """Give back an attempt's place in flight, however it ended."""
        self.n_in_flight -= 1
        if is_answered:
            for window in (self._minute, self._second):
                window.answered(start.at, now)
        if start.is_probe:
            self._probes.discard(start.is_bulk)

    def accepted(self, start: Start) -> None:
        """An attempt was answered with anything but 429."""
        if start.at >= self._paused_until:
            self._refusals = 0
            self._refused_since = inf

    def refused(self, start: Start, now: float, *, retry_after: float | None) -> float:
        """An attempt was answered with 429; returns how long that holds everything, from now on.

        Args:
            start: The attempt.
            now: The time.
            retry_after: Seconds that Planhat named; without them the pause grows from 1 second to 60.
        """
        if start.at >= self._paused_at:
            grown = min(_PAUSE_MAX, _PAUSE_INITIAL * 2.0 ** min(self._refusals, 10))
            # What was named once, and was not enough, is not believed a second time.
            seconds = grown if retry_after is None else max(retry_after, grown if self._refusals else 0.0)
            self._refusals += 1
            self._refused_since = min(self._refused_since, now)
            self._paused_at = now
            self._paused_until = max(self._paused_until, now + seconds)
        return max(0.0, self._paused_until - now)

    def outlasts(self, patience: float, *, asked: float, now: float) -> bool:
        """Whether refusals will have lasted longer than somebody's patience before the next probe."""
        return self._refusals > 0 and max(now, self._paused_until) - max(asked, self._refused_since) >= patience

    def refused_for(self, asked: float, now: float) -> float:
        """Seconds of refusals since somebody asked."""
        return max(0.0, now - max(asked, self._refused_since))

    def paused_for(self, now: float) -> float:
        """Seconds for which nothing may start."""
        return max(0.0, self._paused_until - now)

    def told(self, now: float, *, remaining: int, limit: int | None) -> None:
        """Take in how many calls Planhat says are left; that can only slow down.

        What is used up there and not by us is used by others on the same token, for a minute at most.
        """
        n_taken = self._minute.n_taken(now)
        used = (self.limits.per_minute if limit is None else limit) - remaining
        spare = self.limits.per_minute - n_taken - remaining
        self._minute.block(now, min(used - n_taken, spare))

    def left(self, now: float) -> int:
        """How many attempts may still start in this minute."""
        return max(0, self.limits.per_minute - self._minute.n_taken(now))

    def _from(self, now: float, places: int, in_flight: int) -> float:
        if self.n_in_flight >= in_flight:
            return inf
        minute = self._minute.free_from(now, places)
        return max(now, minute, self._second.free_from(now, self.limits.per_second), self._paused_until)
