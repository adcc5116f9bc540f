"""Results as a picture: rows of bars, for light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import accumulate

import attrs

from benchmarks.results import Results, Setting
from benchmarks.subjects import Subject
from planhat_async.jobs.charts import BAR_PITCH, Bar, bars, text

WIDTH, LEFT, LONGEST, TITLE = 760, 180, 490, 44
STALL = "Longest stall of the event loop, milliseconds"
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
class Panel:
    """A row of bars below its title."""

    title: str
    bars: Sequence[Bar]
    digits: int = 0
    is_logarithmic: bool = False


def chart(results: Results, subjects: Sequence[Subject], n_rows: int, *, title: str) -> str:
    """Return CPU time a row and longest stall as SVG."""
    cpu, stalls = _bars(results, subjects, n_rows)
    panels = (
        Panel(f"CPU time, microseconds a row ({n_rows:,} rows)", cpu, digits=1),
        Panel(f"{STALL}, on a logarithmic scale", stalls, is_logarithmic=True),
    )
    return picture(panels, title=title)


def picture(panels: Sequence[Panel], *, title: str) -> str:
    """Panels below each other as SVG."""
    tops = [0, *accumulate(TITLE + len(panel.bars) * BAR_PITCH for panel in panels)]
    height = tops[-1] + BAR_PITCH
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
            *(line for panel, top in zip(panels, tops, strict=False) for line in _drawn(panel, top)),
            "</svg>\n",
        )
    )


def _drawn(panel: Panel, top: int) -> Iterator[str]:
    yield text(16, top + 30, panel.title, kind="title")
    yield from bars(
        panel.bars,
        left=LEFT,
        longest=LONGEST,
        top=top + TITLE,
        digits=panel.digits,
        is_logarithmic=panel.is_logarithmic,
    )


def _bars(results: Results, subjects: Sequence[Subject], n_rows: int) -> tuple[list[Bar], list[Bar]]:
    cpu: list[Bar] = []
    stalls: list[Bar] = []
    for subject in subjects:
        reading = results.summary(subject, Setting(n_rows=n_rows))
        ticking = results.summary(subject, Setting(n_rows=n_rows, is_ticking=True))
        for panel, value in ((cpu, reading.cpu), (stalls, ticking.longest_stall)):
            if value is not None:  # otherwise it was not measured
                panel.append(Bar(subject.name, value, "ours" if subject.is_ours else "other"))
    return cpu, stalls
