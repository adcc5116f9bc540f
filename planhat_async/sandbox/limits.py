"""Planhat's rate limits, seen from the server."""

from __future__ import annotations

import math
from collections import defaultdict, deque


class Window:
    """At most `limit` attempts in any `seconds`: a place is free again exactly `seconds` after it was taken."""

    def __init__(self, limit: int, seconds: float) -> None:
        if limit < 1:
            raise ValueError(f"a limit is at least 1, not {limit}")
        self._limit = limit
        self._seconds = seconds
        self._taken: deque[float] = deque()

    def n_free(self, now: float) -> int:
        """Places free at `now`."""
        while self._taken and self._taken[0] <= now - self._seconds:
            self._taken.popleft()
        return self._limit - len(self._taken)

    def wait(self, now: float) -> float:
        """Seconds until a place is free, 0.0 if one is."""
        return 0.0 if self.n_free(now) > 0 else self._taken[0] + self._seconds - now

    def take_place(self, now: float) -> None:
        """Take a place, which must be free."""
        self._taken.append(now)


class Limits:
    """The limits of each token. Refused attempts take no place.

    Args:
        per_minute: Attempts in any 60 seconds; None for no limit, here and below.
        per_second: Attempts in any second.
        max_parallel: Attempts under way at once.
        window: Seconds of the minute, for tests that cannot wait for real ones.
    """

    def __init__(
        self,
        *,
        per_minute: int | None = 200,
        per_second: int | None = 150,
        max_parallel: int | None = None,
        window: float = 60.0,
    ) -> None:
        if not 0 < window < math.inf:
            raise ValueError(f"a window is a number of seconds above 0, not {window}")
        self.per_minute = per_minute
        self._max_parallel = math.inf if max_parallel is None else max_parallel

        def new_windows() -> list[Window]:
            spans = ((per_minute, window), (per_second, 1.0))
            return [Window(limit, seconds) for limit, seconds in spans if limit is not None]

        new_windows()  # refuses an invalid limit now, not with the first attempt
        self._windows: defaultdict[str, list[Window]] = defaultdict(new_windows)

    def admit(self, token: str, *, now: float, n_parallel: int = 1) -> float:
        """Accept or refuse an attempt that arrives at `now` (Unix seconds) as one of `n_parallel` under way.

        Returns:
            Seconds until it would be accepted; 0.0 if it is.
        """
        windows = self._windows[token]
        wait = max((window.wait(now) for window in windows), default=0.0)
        if n_parallel > self._max_parallel:
            wait = max(wait, 1.0)
        if wait == 0.0:
            for window in windows:
                window.take_place(now)
        return wait

    def n_free(self, token: str, now: float) -> int | None:
        """Places left in the token's minute, None without a limit a minute."""
        return None if self.per_minute is None else self._windows[token][0].n_free(now)
