"""Charts as SVG: bars, and plots over time. Colours and fonts come from the page's style, by classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

import attrs

from planhat_async.jobs.axis import Axis, axis_to, number_labels, time_axis_to, time_labels

BAR_PITCH = 26
"""The height of a bar and the space below it, in pixels."""
_BAR = 18
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 360, 200, 54, 24, 10, 30
_MAX_POINTS = 700


@attrs.frozen
class Bar:
    """A number, its label, and the CSS class of its colour."""

    label: str
    value: float
    kind: str


@attrs.frozen(kw_only=True)
class Plot:
    """Points over time."""

    title: str
    points: Sequence[tuple[float, float]]
    """Seconds since the job began, and a value."""
    limit: float | None = None
    """A value to draw a line at."""
    is_line: bool = False
    is_whole: bool = False
    """Whether the values are counts: then the scale has no fractions."""
    description: str = ""
    """What it shows, in words, for those who do not see it."""


def text(x: float, y: float, content: str, *, anchor: str = "", kind: str = "") -> str:
    """A text; `anchor` says which end of it stands at `x`."""
    classed, anchored = f' class="{kind}"' * bool(kind), f' text-anchor="{anchor}"' * bool(anchor)
    return f'<text{classed} x="{x:.1f}" y="{y:.1f}"{anchored}>{escape(content)}</text>'


def bars(
    drawn: Sequence[Bar], *, left: int, longest: int, top: int = 0, digits: int = 0, is_logarithmic: bool = False
) -> Iterator[str]:
    """A bar for each number, with its label before it and the number, with so many decimal `digits`, behind it.

    Positions and lengths are in pixels. A logarithmic scale begins at 1 and has a line for each power of ten.
    """
    lengths = [math.log10(max(bar.value, 1.0)) if is_logarithmic else bar.value for bar in drawn]
    most = max(lengths, default=1.0) or 1.0
    unit, bottom = longest / most, top + len(drawn) * BAR_PITCH
    for power in range(1, int(most) + 1) if is_logarithmic else ():
        x = left + power * unit
        yield _line(x, x, top, bottom, "grid")
        yield text(x, bottom + 14, f"{10**power:,}", anchor="middle", kind="scale")
    for n, bar in enumerate(drawn):
        y, length = top + n * BAR_PITCH, lengths[n] * unit
        middle = y + BAR_PITCH / 2 + 4.5
        yield text(left - 10, middle, bar.label, anchor="end")
        yield (
            f'<rect class="{bar.kind}" x="{left}" y="{y + (BAR_PITCH - _BAR) // 2}" width="{length:.1f}" '
            f'height="{_BAR}" rx="2"/>'
        )
        yield text(left + length + 6, middle, f"{bar.value:,.{digits}f}")


def plot(drawn: Plot) -> str:
    """A plot with a scale of round numbers on either side; it is as wide as its place."""
    points = _thinned(drawn.points)
    across = time_axis_to(max((x for x, _ in points), default=0.0))
    up = axis_to(max([y for _, y in points] + [drawn.limit or 0.0], default=0.0), is_whole=drawn.is_whole)
    placed = [(_x(seconds / across.end), _y(value / up.end)) for seconds, value in points]
    marks = "".join(f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in placed)
    if drawn.is_line and len(placed) > 1:
        marks = f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in placed)}"/>'
    label, scales = escape(f"{drawn.title}: {drawn.description}"), "".join(_scales(across, up, drawn.limit))
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{scales}{marks}</svg>'


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """At most so many points that a page stays small, with the last one."""
    step = max(1, math.ceil(len(points) / _MAX_POINTS))
    return points if step == 1 else [*points[::step], points[-1]]


def _scales(across: Axis, up: Axis, limit: float | None) -> Iterator[str]:
    for tick, label in zip(up.ticks, number_labels(up), strict=True):
        y = _y(tick / up.end)
        yield _line(_LEFT, _WIDTH - _RIGHT, y, y, "grid")
        yield text(_LEFT - 7, y + 4, label, anchor="end")
    for tick, label in zip(across.ticks, time_labels(across), strict=True):
        yield text(_x(tick / across.end), _HEIGHT - 6, label, anchor="middle")
    if limit is not None:
        y = _y(limit / up.end)
        yield _line(_LEFT, _WIDTH - _RIGHT, y, y, "limit")
        yield text(_WIDTH - _RIGHT - 2, y + 15, f"limit {limit:,.0f}", anchor="end")


def _line(x1: float, x2: float, y1: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (_HEIGHT - _BOTTOM)
