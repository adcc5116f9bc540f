"""Decides when an attempt may start, on a clock that the caller reads.

The minute (the second works alike). As Planhat sees them, no 60 seconds may contain more than `per_minute` attempts.
An attempt arrives between its start and its answer, so its place is free again 60 seconds after the answer. (Counting
from starts let a server see 250 in a minute with a tenth of a second of jitter.) An answer that takes more than 5
seconds measures Planhat's work rather than the transit. Such an attempt, and one without an answer, counts as arrived
after the longest transit of the other attempts in the last minute, at least one second.

Single and bulk calls. Single calls go first. Bulk calls leave them the `reserve`, a part of the minute, and as many
places as single calls asked for in the last minute:

    places free now  =  reserve  +  single calls expected  +  room for bulk

Bulk calls start at once while there is room for all that wait. So one `get` costs them one place, and without single
calls they get everything but the reserve. If there is not enough room, the last part of it, as large as the reserve,
is spaced evenly over a minute, and so are the places beyond it that bulk shares with single calls. Places taken evenly
become free evenly, so an unexpected single call soon finds one. Places taken at once become free at once, a minute
later: a burst that used up all but the reserve made single calls wait for 40 seconds when there were more of them.

It is known when each place becomes free. A spaced call starts only if single calls would still find a place each time,
if they came evenly, as many as expected, and one more for each place taken by others, up to the size of the reserve.

Bulk calls also leave a part of the places in flight: otherwise a burst of slow uploads would block a `get` until one
of them ends.

A 429 pauses everything once: refusals of attempts already under way are the same refusal. After the pause one attempt
of each class probes, so that a slow upload as a probe blocks no single call. The rest follow when a probe is answered;
if all went on at once, all would be refused again.
"""

from __future__ import annotations

import bisect
from math import inf

import attrs

from planhat_async.records.arguments import number, valid, whole

_MINUTE = 60.0
MIN_TRANSIT = 1.0
MAX_TRANSIT = 5.0
SAMPLES = 64
_PAUSE_INITIAL = 1.0
_PAUSE_MAX = 60.0


@attrs.frozen(kw_only=True)
class RateLimits:
    """How fast attempts may start.

    The defaults are Planhat's own ("Rate limits" in its documentation): 200 a minute, 150 a second, bursts of 50.
    """

    per_minute: int = attrs.field(default=200, validator=valid(whole(1)))
    """Attempts in any minute."""
    per_second: int = attrs.field(default=150, validator=valid(whole(1)))
    """Attempts in any second."""
    max_in_flight: int = attrs.field(default=50, validator=valid(whole(1)))
    """Attempts without an answer at any time."""
    reserve: float = attrs.field(default=0.1, validator=valid(number(0, below=1)))
    """The part of the minute, and of the places in flight, that bulk calls leave to single calls.

    With 0 single calls still go first, but nothing is left for them: for a job that has the token to itself.
    """
    window: float = attrs.field(default=60.0, validator=valid(number(0, is_open=True)))
    """Seconds of the minute: 60, except for a sandbox whose minute is shorter."""

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
    """The places taken by attempts in the last `seconds`, as the server sees them."""

    seconds: float
    _taken: list[float] = attrs.field(factory=list)
    """When each taken place becomes free, in order."""

    def free_from(self, now: float, n_places: int) -> float:
        """When fewer than `n_places` places are taken."""
        n_taken = self.n_taken(now)
        return now if n_taken < n_places else self._taken[n_taken - n_places]

    def nth_free_from(self, now: float, n: int, n_places: int) -> float:
        """When the `n`th attempt from now finds one of `n_places` places, if each starts as soon as it may."""
        n_rounds, n_before = divmod(n - 1, n_places)
        return self.free_from(now, n_places - n_before) + n_rounds * self.seconds

    def n_taken(self, now: float) -> int:
        """How many places are taken."""
        del self._taken[: bisect.bisect_right(self._taken, now)]
        return len(self._taken)

    def shared_from(self, now: float, n_places: int, n_others: int) -> float:
        """When a place may be taken, if `n_others` attempts come evenly within `seconds` and each finds a place.

        The `i`th place must become free before the others have used up the places that are free now and the `i` before
        it. To look at all of many places would cost too much: of each group, the first one is counted and the last one
        waited for.
        """
        n_left = n_places - 1 - self.n_taken(now)
        step = -(-len(self._taken) // SAMPLES) or 1
        interval = self.seconds / n_others
        return max(
            (
                free_at - interval * (n_left + index * step)
                for index, free_at in enumerate(self._taken[step - 1 :: step])
            ),
            default=now,
        )

    def take_places(self, arrival: float, n_places: int = 1) -> None:
        """Take places for attempts that arrive by then."""
        for _ in range(n_places):
            bisect.insort(self._taken, arrival + self.seconds)

    def move(self, arrival: float, to: float) -> None:
        """Correct the arrival of an attempt."""
        free_at = arrival + self.seconds
        index = bisect.bisect_left(self._taken, free_at)
        # Its place may have become free before the answer came.
        if index < len(self._taken) and self._taken[index] == free_at:
            del self._taken[index]
            self.take_places(to)


@attrs.frozen(eq=False)
class Start:
    """An attempt that has started."""

    at: float
    arrival: float
    """When it counts as arrived, until it is answered."""
    is_bulk: bool
    is_probe: bool


@attrs.define
class Pause:
    """The time after a 429 in which nothing starts."""

    at: float = -inf
    """When the last refusal came that was not the same as another."""
    until: float = -inf
    refusals: int = 0
    """Refusals in a row; after a refusal, one attempt of each class at a time probes."""
    refused_since: float = inf
    probes: set[bool] = attrs.field(factory=set)
    """The classes that have a probe in flight: True for bulk."""

    def begin(self, start: Start, now: float, *, retry_after: float | None) -> None:
        """Note a refusal; see `Pace.note_refused`."""
        if start.at >= self.at:
            grown = min(_PAUSE_MAX, _PAUSE_INITIAL * 2.0 ** min(self.refusals, 10))
            # After one refusal Planhat's own seconds have proven too few, so they are only a minimum.
            seconds = grown if retry_after is None else max(retry_after, grown if self.refusals else 0.0)
            self.refusals += 1
            self.refused_since = min(self.refused_since, now)
            self.at = now
            self.until = max(self.until, now + seconds)

    def end(self) -> None:
        """Note that an attempt was accepted: the next ones are not probes."""
        self.refusals = 0
        self.refused_since = inf


@attrs.define
class Transit:
    """The longest time that an attempt of the last minute took to arrive."""

    seconds: float = MIN_TRANSIT
    """Assumed for attempts without an answer."""
    until: float = -inf

    def measure(self, seconds: float, now: float) -> None:
        """Note an answer after so many seconds."""
        if seconds >= self.seconds or now >= self.until:
            self.seconds, self.until = max(MIN_TRANSIT, seconds), now + _MINUTE


def n_of_others(limits: RateLimits, n_taken: int, *, remaining: int, limit: int | None) -> int:
    """How many calls Planhat counts, by what it says is left, beyond the `n_taken` that are known; at least 0."""
    used = (limits.per_minute if limit is None else limit) - remaining
    spare = limits.per_minute - n_taken - remaining
    return max(0, min(used - n_taken, spare))


@attrs.define
class Pace:
    """The attempts that have started, and when others may."""

    limits: RateLimits
    n_in_flight: int = 0
    pause: Pause = attrs.field(factory=Pause)
    transit: Transit = attrs.field(factory=Transit)
    last_bulk: float = -inf
    _minute: Window = attrs.field(default=attrs.Factory(lambda self: Window(self.limits.window), takes_self=True))
    _second: Window = attrs.field(factory=lambda: Window(1.0))
    _claimed: Window = attrs.field(default=attrs.Factory(lambda self: Window(self.limits.window), takes_self=True))
    """The minute with a second place for each single call in it: as many are expected in the next minute."""

    def single_from(self, now: float) -> float:
        """When a single call may start; `inf` if an attempt must end first."""
        if False in self.pause.probes:
            return inf
        return self._earliest(now, self.limits.per_minute, self.limits.max_in_flight)

    def bulk_from(self, now: float, n_waiting: int = 1) -> float:
        """When the first of `n_waiting` bulk calls may start; `inf` if an attempt must end first."""
        if self.pause.probes:
            return inf
        places = self.limits.bulk_per_minute
        soonest = self._earliest(now, places, self.limits.bulk_in_flight)
        n_taken = self._minute.n_taken(now)
        n_expected = self._claimed.n_taken(now) - n_taken
        if not n_expected or not self.limits.reserve:
            return soonest
        n_reserved = self.limits.per_minute - places
        has_room = self._claimed.free_from(now, max(1, places - min(n_waiting - 1, n_reserved)))
        if has_room <= soonest:
            return soonest
        n_more = min(n_reserved, max(0, n_taken - n_expected))
        spaced = self.last_bulk + self.limits.window / max(1, places - n_expected)
        shared = self._minute.shared_from(now, places, n_expected + n_more)
        return max(soonest, min(has_room, max(spaced, shared)))

    def note_single(self, now: float) -> None:
        """Note that a single call asks to start."""
        self._claimed.take_places(now)

    def start_attempt(self, now: float, *, is_bulk: bool) -> Start:
        """Take a place for an attempt that starts now."""
        if is_bulk:
            self.last_bulk = now
        self.n_in_flight += 1
        start = Start(now, now + self.transit.seconds, is_bulk, is_probe=self.pause.refusals > 0)
        for window in (self._minute, self._second, self._claimed):
            window.take_places(start.arrival)
        if start.is_probe:
            self.pause.probes.add(is_bulk)
        return start

    def end_attempt(self, start: Start, now: float, *, is_answered: bool) -> None:
        """Release an attempt's place in flight, however it ended."""
        self.n_in_flight -= 1
        seconds = now - start.at
        if is_answered and now <= start.at + MAX_TRANSIT:
            self.transit.measure(seconds, now)
            for window in (self._minute, self._second, self._claimed):
                window.move(start.arrival, to=now)
        if start.is_probe:
            self.pause.probes.discard(start.is_bulk)

    def note_accepted(self, start: Start) -> None:
        """Note that an attempt was answered, except with 429."""
        if start.at >= self.pause.until:
            self.pause.end()

    def note_refused(self, start: Start, now: float, *, retry_after: float | None) -> float:
        """Note that an attempt was answered with 429; returns the seconds for which nothing may start.

        Without `retry_after` seconds from Planhat, the pauses grow from 1 second to 60.
        """
        self.pause.begin(start, now, retry_after=retry_after)
        return self.paused_for(now)

    def outlasts(self, patience: float, *, asked: float, now: float) -> bool:
        """Whether refusals will outlast the patience of a caller, who asked at `asked`, before the next probe."""
        probe_at = max(now, self.pause.until, self._minute.free_from(now, self.limits.per_minute))
        return self.pause.refusals > 0 and probe_at - max(asked, self.pause.refused_since) >= patience

    def refused_for(self, asked: float, now: float) -> float:
        """Seconds of refusals since a caller asked."""
        return max(0.0, now - max(asked, self.pause.refused_since))

    def paused_for(self, now: float) -> float:
        """Seconds for which nothing may start."""
        return max(0.0, self.pause.until - now)

    def note_server_quota(self, now: float, *, remaining: int, limit: int | None) -> None:
        """Note how many calls Planhat says are left, which can only slow down the pace.

        Calls counted there but not here were made by others on the same token, and count for a minute.
        """
        n_strangers = n_of_others(self.limits, self._minute.n_taken(now), remaining=remaining, limit=limit)
        for window in (self._minute, self._claimed):
            window.take_places(now, n_strangers)

    def seconds_until_bulk_call(self, now: float, n: int) -> float:
        """Seconds until the `n`th bulk call may start, counting those in flight, if no other calls are made."""
        n -= self.n_in_flight
        if n < 1:
            return 0.0
        return max(self._minute.nth_free_from(now, n, self.limits.bulk_per_minute), self.pause.until) - now

    def calls_left(self, now: float) -> int:
        """How many attempts may still start in this minute."""
        return max(0, self.limits.per_minute - self._minute.n_taken(now))

    def _earliest(self, now: float, places: int, in_flight: int) -> float:
        if self.n_in_flight >= in_flight:
            return inf
        minute = self._minute.free_from(now, places)
        return max(now, minute, self._second.free_from(now, self.limits.per_second), self.pause.until)
