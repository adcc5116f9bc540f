"""Results as a picture: two rows of bars, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

import attrs

from benchmarks.results import Results, Setting
from benchmarks.subjects import Subject

WIDTH = 760
LEFT = 180
"""Where bars begin."""
RIGHT = 90
"""What is left behind the longest bar, for its number."""
BAR = 18
LINE = 26
TITLE = 44
STYLE = """
  .page { fill: #ffffff; }
  text { fill: #1f2328; font: 13px system-ui, sans-serif; }
  .title { font-weight: 600; }
  .scale { font-size: 11px; }
  .ours { fill: #1a7f5a; }
  .other { fill: #a3acb6; }
  .grid { stroke: #d8dee4; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; }
    text { fill: #e6edf3; }
    .ours { fill: #3fb98a; }
    .other { fill: #59636e; }
    .grid { stroke: #30363d; }
  }
"""


@attrs.frozen
class Bar:
    """A number and whose it is."""

    label: str
    value: float
    is_ours: bool


def chart(results: Results, subjects: Sequence[Subject], n_rows: int, *, title: str) -> str:
    """CPU time a row and longest stall, as SVG."""
    cpu, stalls = _bars(results, subjects, n_rows)
    height = 2 * TITLE + (len(cpu) + len(stalls)) * LINE + LINE
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
            *_panel(f"CPU time, microseconds a row ({n_rows:,} rows)", cpu, top=0, digits=1),
            *_panel(
                "Longest stall of the event loop, milliseconds, on a logarithmic scale",
                stalls,
                top=TITLE + len(cpu) * LINE,
                digits=0,
                is_logarithmic=True,
            ),
            "</svg>\n",
        )
    )


def _bars(results: Results, subjects: Sequence[Subject], n_rows: int) -> tuple[list[Bar], list[Bar]]:
    cpu: list[Bar] = []
    stalls: list[Bar] = []
    for subject in subjects:
        reading = results.summary(subject, Setting(n_rows=n_rows))
        ticking = results.summary(subject, Setting(n_rows=n_rows, is_ticking=True))
        for bars, value in ((cpu, reading.cpu), (stalls, ticking.longest_stall)):
            if value is not None:  # else it was not measured
                bars.append(Bar(subject.name, value, subject.is_ours))
    return cpu, stalls


def _panel(title: str, bars: Sequence[Bar], *, top: int, digits: int, is_logarithmic: bool = False) -> Iterator[str]:
    """A title, and a bar for each number; logarithmic ones begin at 1."""
    most = max((_length(bar.value, is_logarithmic=is_logarithmic) for bar in bars), default=1.0) or 1.0
    scale = (WIDTH - LEFT - RIGHT) / most
    yield f'<text class="title" x="16" y="{top + 30}">{title}</text>'
    top += TITLE
    for power in range(1, int(most) + 1) if is_logarithmic else ():
        x = LEFT + power * scale
        bottom = top + len(bars) * LINE
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'
        yield f'<text class="scale" x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{10**power:,}</text>'
    for n, bar in enumerate(bars):
        yield from _bar(bar, top + n * LINE, _length(bar.value, is_logarithmic=is_logarithmic) * scale, digits)


def _bar(bar: Bar, top: int, length: float, digits: int) -> Iterator[str]:
    kind = "ours" if bar.is_ours else "other"
    middle = top + LINE / 2 + 4.5
    yield f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>'
    yield f'<rect class="{kind}" x="{LEFT}" y="{top + (LINE - BAR) / 2}" width="{length:.1f}" height="{BAR}" rx="2"/>'
    yield f'<text x="{LEFT + length + 6:.1f}" y="{middle}">{bar.value:,.{digits}f}</text>'


def _length(value: float, *, is_logarithmic: bool) -> float:
    return math.log10(max(value, 1.0)) if is_logarithmic else value
