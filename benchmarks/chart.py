"""Results as a picture: two rows of bars, for light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

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


def chart(results: Results, subjects: Sequence[Subject], n_rows: int, *, title: str) -> str:
    """Return CPU time a row and longest stall as SVG."""
    cpu, stalls = _bars(results, subjects, n_rows)
    height = 2 * TITLE + (len(cpu) + len(stalls) + 1) * BAR_PITCH
    below = TITLE + len(cpu) * BAR_PITCH
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
            *_panel(f"CPU time, microseconds a row ({n_rows:,} rows)", cpu, top=0, digits=1),
            *_panel(f"{STALL}, on a logarithmic scale", stalls, top=below, is_logarithmic=True),
            "</svg>\n",
        )
    )


def _panel(title: str, drawn: Sequence[Bar], *, top: int, **scale: Any) -> Iterator[str]:
    yield text(16, top + 30, title, kind="title")
    yield from bars(drawn, left=LEFT, longest=LONGEST, top=top + TITLE, **scale)


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
