"""Charts as SVG: bars, and plots over time. Colours and fonts come from the page's style, by classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

import attrs

from planhat_async.jobs.job_progress import duration

BAR_PITCH = 26
"""The height of a bar and the space below it, in pixels."""
_BAR = 18
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 580, 220, 70, 10, 6, 30
_MAX_POINTS = 1500


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
    """A plot with a scale on either side."""
    points = drawn.points[:: max(1, len(drawn.points) // _MAX_POINTS)]
    last = max((x for x, _ in points), default=0.0) or 1.0
    top = _scale_end(max([y for _, y in points] + [drawn.limit or 0.0], default=0.0))
    placed = [(_x(seconds / last), _y(value / top)) for seconds, value in points]
    marks = "".join(f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in placed)
    if drawn.is_line and len(placed) > 1:
        marks = f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in placed)}"/>'
    title, scales = escape(drawn.title), "".join(_scales(last, top, drawn.limit))
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{title}">{scales}{marks}</svg>'


def _scale_end(most: float) -> float:
    """The round number at the end of a scale of four steps that reaches `most`."""
    if most <= 0:
        return 1.0
    power = 10.0 ** (math.floor(math.log10(most)) - 1)
    return next(step * power for step in (10, 12, 16, 20, 24, 32, 40, 60, 80, 100) if step * power >= most)


def _scales(last: float, top: float, limit: float | None) -> Iterator[str]:
    for n in range(5):
        y, value = _y(n / 4), top * n / 4
        yield _line(_LEFT, _WIDTH - _RIGHT, y, y, "grid")
        yield text(_LEFT - 8, y + 4, f"{value:,.0f}" if top >= 10 else f"{value:.2f}", anchor="end")
        yield text(_x(n / 4), _HEIGHT - 4, duration(last * n / 4), anchor="end" if n == 4 else "middle")
    if limit is not None:
        y = _y(limit / top)
        yield _line(_LEFT, _WIDTH - _RIGHT, y, y, "limit")
        yield text(_WIDTH - _RIGHT - 2, y + 14, f"limit {limit:,.0f}", anchor="end")


def _line(x1: float, x2: float, y1: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _TOP + (1 - share) * (_HEIGHT - _BOTTOM)
