"""Who may start, and when: decisions only, on a clock that the caller reads.

The minute, and the second likewise. As Planhat sees them, no 60 seconds may hold more than `per_minute` attempts. An
attempt arrives between its start and its answer, so its place is free again 60 seconds after the answer. Counting from
starts alone let a server see 250 in a minute with a tenth of a second of jitter. An answer that takes more than 5
seconds says more about Planhat's work than about the way there. Such an attempt, and one without an answer, counts as
arrived after as long as the slowest of the other answers took in the last minute, and after a second at least.

Two classes. Single calls go first. Bulk calls leave them a part of the minute, the `reserve`, and as many places as
single calls asked for in the last minute:

    places free now  =  reserve  +  single calls expected  +  room for bulk

Bulk calls start at once while there is room for all that wait. So one `get` costs them one place, and without single
calls they get everything but the reserve. Where there is not enough room for all, the last of it, as much as the
reserve, is spaced, and so is what they share with single calls beyond it: evenly over a minute, as many as the minute
holds beyond the reserve and the single calls expected. Places that were taken evenly come free evenly, and a single
call that was not expected soon finds one. Places that were taken at once come free at once, a minute later: a burst
that used up all but the reserve made single calls wait for 40 seconds when they became more.

When each place comes free is known. A spaced call starts only if single calls still find a place each time, were
they to come evenly, as many as expected, and one more for each place that others than they have taken, up to as many
as the reserve has.

Bulk calls also leave a part of the places in flight, or a burst of slow uploads would hold up a `get` for as long as
one takes.

A 429 stops everything, once: the refusals of attempts that were under way by then are the same refusal. After the
pause one attempt of each class probes, so that a slow upload that probes holds up no single call, and the rest follow
when one is answered; if all of them went on at once, all would be refused again.
"""

from __future__ import annotations

import bisect
from math import inf

import attrs

from planhat_async.records.arguments import number, valid, whole

_MINUTE = 60.0
_MIN_WAY = 1.0
_MAX_WAY = 5.0
_SAMPLES = 64
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
    """The part of the minute, and of the places in flight, that bulk calls leave to single ones.

    With 0 bulk calls leave them nothing but their turn: for a job that has the token to itself.
    """

    @property
    def bulk_per_minute(self) -> int:
        """Attempts of the minute that bulk calls may use."""
        return max(1, int(self.per_minute * (1 - self.reserve)))

    @property
    def bulk_in_flight(self) -> int:
        """Places in flight that bulk calls may use."""
        return max(1, int(self.max_in_flight * (1 - self.reserve)))


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

    def nth_free_from(self, now: float, n: int, n_places: int) -> float:
        """From when on the `n`th attempt from now finds a place among so many, if each starts as soon as it may."""
        n_rounds, n_before = divmod(n - 1, n_places)
        return self.free_from(now, n_places - n_before) + n_rounds * self.seconds

    def n_taken(self, now: float) -> int:
        """How many places are taken."""
        del self._taken[: bisect.bisect_right(self._taken, now)]
        return len(self._taken)

    def shared_from(self, now: float, n_places: int, n_others: int) -> float:
        """From when on a place may be taken, if so many others come evenly within `seconds` and each finds one.

        The `i`th place that comes free must do so before the others have used up those that are free now and the `i`
        before it. All of many places would cost too much to look at: of a group the first one is counted, and the last
        one waited for.
        """
        n_left = n_places - 1 - self.n_taken(now)
        step = -(-len(self._taken) // _SAMPLES) or 1
        interval = self.seconds / n_others
        return max(
            (
                free_at - interval * (n_left + index * step)
                for index, free_at in enumerate(self._taken[step - 1 :: step])
            ),
            default=now,
        )

    def take_slot(self, arrival: float) -> None:
        """Take a place for an attempt that will have arrived by then."""
        bisect.insort(self._taken, arrival + self.seconds)

    def move(self, arrival: float, to: float) -> None:
        """Note that an attempt arrived by another time than was thought."""
        free_at = arrival + self.seconds
        index = bisect.bisect_left(self._taken, free_at)
        # It is gone already if it was free before the answer came.
        if index < len(self._taken) and self._taken[index] == free_at:
            del self._taken[index]
            bisect.insort(self._taken, to + self.seconds)

    def block(self, now: float, n_places: int) -> None:
        """Take places for what others have used, or will need."""
        for _ in range(n_places):
            bisect.insort(self._taken, now + self.seconds)


@attrs.frozen(eq=False)
class Start:
    """An attempt that has started."""

    at: float
    arrival: float
    """By when it counts as arrived, while it has no answer."""
    is_bulk: bool
    is_probe: bool


@attrs.define
class Pace:
    """What has started, and what that leaves to start."""

    limits: RateLimits
    n_in_flight: int = 0
    _minute: Window = attrs.field(init=False)
    _second: Window = attrs.field(init=False)
    _claimed: Window = attrs.field(init=False)
    """The minute, with a place more for each single call of the last minute: as many are expected in the next."""
    _last_bulk: float = -inf
    _way: float = _MIN_WAY
    """How long attempts without an answer are taken to be on their way."""
    _way_until: float = -inf
    _paused_at: float = -inf
    paused_until: float = -inf
    """Nothing starts before."""
    _refusals: int = 0
    """Refusals in a row; while there are any, one attempt of each class at a time probes."""
    _refused_since: float = inf
    _probes: set[bool] = attrs.field(factory=set)
    """The classes that have a probe in flight: True for bulk."""

    def __attrs_post_init__(self) -> None:
        self._minute = Window(_MINUTE, self.limits.per_minute)
        self._second = Window(1.0, self.limits.per_second)
        self._claimed = Window(_MINUTE, self.limits.per_minute)

    def single_from(self, now: float) -> float:
        """From when on a single call may start; without end where that takes an answer first."""
        if False in self._probes:
            return inf
        return self._from(now, self.limits.per_minute, self.limits.max_in_flight)

    def bulk_from(self, now: float, n_waiting: int = 1) -> float:
        """From when on one of so many bulk calls may start; without end where that takes an answer first."""
        if self._probes:
            return inf
        places = self.limits.bulk_per_minute
        soonest = self._from(now, places, self.limits.bulk_in_flight)
        n_taken = self._minute.n_taken(now)
        n_expected = self._claimed.n_taken(now) - n_taken
        if not n_expected or not self.limits.reserve:
            return soonest
        n_reserved = self.limits.per_minute - places
        has_room = self._claimed.free_from(now, max(1, places - min(n_waiting - 1, n_reserved)))
        if has_room <= soonest:
            return soonest
        n_more = min(n_reserved, max(0, n_taken - n_expected))
        spaced = self._last_bulk + _MINUTE / max(1, places - n_expected)
        shared = self._minute.shared_from(now, places, n_expected + n_more)
        return max(soonest, min(has_room, max(spaced, shared)))

    def note_single(self, now: float) -> None:
        """Note that a single call asks to start."""
        self._claimed.block(now, 1)

    def start_attempt(self, now: float, *, is_bulk: bool) -> Start:
        """Take a place for an attempt that starts now."""
        if is_bulk:
            self._last_bulk = now
        self.n_in_flight += 1
        start = Start(now, now + self._way, is_bulk, is_probe=self._refusals > 0)
        for window in self._windows:
            window.take_slot(start.arrival)
        if start.is_probe:
            self._probes.add(is_bulk)
        return start

    def end_attempt(self, start: Start, now: float, *, is_answered: bool) -> None:
        """Give back an attempt's place in flight, however it ended."""
        self.n_in_flight -= 1
        if is_answered and now <= start.at + _MAX_WAY:
            self._learn_way(now - start.at, now)
            for window in self._windows:
                window.move(start.arrival, to=now)
        if start.is_probe:
            self._probes.discard(start.is_bulk)

    def note_accepted(self, start: Start) -> None:
        """An attempt was answered with anything but 429."""
        if start.at >= self.paused_until:
            self._refusals = 0
            self._refused_since = inf

    def note_refused(self, start: Start, now: float, *, retry_after: float | None) -> float:
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
            self.paused_until = max(self.paused_until, now + seconds)
        return max(0.0, self.paused_until - now)

    def outlasts(self, patience: float, *, asked: float, now: float) -> bool:
        """Whether refusals will have lasted longer than a caller's patience before the next probe."""
        probe_at = max(now, self.paused_until, self._minute.free_from(now, self.limits.per_minute))
        return self._refusals > 0 and probe_at - max(asked, self._refused_since) >= patience

    def refused_for(self, asked: float, now: float) -> float:
        """Seconds of refusals since a caller asked."""
        return max(0.0, now - max(asked, self._refused_since))

    def paused_for(self, now: float) -> float:
        """Seconds for which nothing may start."""
        return max(0.0, self.paused_until - now)

    def note_server_quota(self, now: float, *, remaining: int, limit: int | None) -> None:
        """Take in how many calls Planhat says are left; that can only slow down.

        What is used up there and not by us is used by others on the same token, for a minute at most.
        """
        n_taken = self._minute.n_taken(now)
        used = (self.limits.per_minute if limit is None else limit) - remaining
        spare = self.limits.per_minute - n_taken - remaining
        for window in (self._minute, self._claimed):
            window.block(now, min(used - n_taken, spare))

    def bulk_in(self, now: float, n: int) -> float:
        """Seconds until the `n`th bulk call may start, those in flight counted, if no other calls do."""
        n -= self.n_in_flight
        if n < 1:
            return 0.0
        return max(self._minute.nth_free_from(now, n, self.limits.bulk_per_minute), self.paused_until) - now

    def left(self, now: float) -> int:
        """How many attempts may still start in this minute."""
        return max(0, self.limits.per_minute - self._minute.n_taken(now))

    def _learn_way(self, seconds: float, now: float) -> None:
        if seconds >= self._way or now >= self._way_until:
            self._way, self._way_until = max(_MIN_WAY, seconds), now + _MINUTE

    @property
    def _windows(self) -> tuple[Window, Window, Window]:
        return self._minute, self._second, self._claimed

    def _from(self, now: float, places: int, in_flight: int) -> float:
        if self.n_in_flight >= in_flight:
            return inf
        minute = self._minute.free_from(now, places)
        return max(now, minute, self._second.free_from(now, self.limits.per_second), self.paused_until)
