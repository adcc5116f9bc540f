"""What a sandbox saw of processes that share its limits."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from typing import Self

import attrs

from benchmarks.chart import Panel, picture
from planhat_async.jobs.charts import Bar

_OURS = {"file of the host", "Redis"}


@attrs.frozen(kw_only=True)
class Outcome:
    """One way to share the limits."""

    method: str
    most_in_window: int
    most_in_second: int
    n_refused: int
    n_failed: int
    shares: tuple[int, ...]
    """Calls that were answered with success, for each process."""
    per_window: float
    """Such calls in the time of a window."""

    @classmethod
    def of(
        cls,
        method: str,
        calls: Sequence[tuple[float, int, str]],
        names: Sequence[str],
        n_failed: int,
        window: float,
        seconds: float,
    ) -> Self:
        """The outcome of calls: each with its arrival, its status and its process."""
        arrivals = sorted(at for at, _, _ in calls)
        shares = Counter(name for _, status, name in calls if status == 200)
        return cls(
            method=method,
            most_in_window=most_within(arrivals, window),
            most_in_second=most_within(arrivals, 1.0),
            n_refused=sum(status == 429 for _, status, _ in calls),
            n_failed=n_failed,
            shares=tuple(shares[name] for name in names),
            per_window=sum(shares.values()) * window / seconds,
        )


def most_within(arrivals: Sequence[float], seconds: float) -> int:
    """The most arrivals in any such time; they are sorted."""
    return max((bisect.bisect_left(arrivals, at + seconds) - n for n, at in enumerate(arrivals)), default=0)


def table(outcomes: Sequence[Outcome], window: float, limit: int, *, has_head: bool) -> str:
    """A line for each; the head names the columns."""
    head = (
        f"{'':18}{f'most in {window:.0f} s':>14}{'in a second':>13}{'refused':>9}{'failed':>8}"
        f"{f'calls/{window:.0f} s (of {limit})':>22}  shares"
    )
    lines = [
        f"{one.method:18}{one.most_in_window:14}{one.most_in_second:13}{one.n_refused:9}{one.n_failed:8}"
        f"{one.per_window:22.0f}  {' '.join(map(str, one.shares))}"
        for one in outcomes
    ]
    return "\n".join([head, *lines] if has_head else lines)


def chart(outcomes: Sequence[Outcome], window: float, limit: int) -> str:
    """Calls in a window, refused calls and the largest share as SVG."""

    def panel(title: str, values: Sequence[float], digits: int = 0) -> Panel:
        drawn = [
            Bar(one.method, value, "ours" if one.method in _OURS else "other")
            for one, value in zip(outcomes, values, strict=True)
        ]
        return Panel(title, drawn, digits=digits)

    spreads = [max(one.shares) / max(1, min(one.shares)) for one in outcomes]
    panels = [
        panel(
            f"Most calls in any {window:.0f} seconds (the limit is {limit})", [one.most_in_window for one in outcomes]
        ),
        panel("Calls answered with 429", [one.n_refused for one in outcomes]),
        panel("The largest share of the processes, in multiples of the smallest", spreads, digits=1),
    ]
    return picture(panels, title="Four processes on one token")
