"""A job's journal as one page that a person can read at a glance: decisions only.

The page needs nothing from elsewhere: its charts are drawings in the page itself, and it has no scripts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import accumulate

import attrs

from planhat_async._convert import printable
from planhat_async.jobs.entries import Entry, Run
from planhat_async.jobs.job_progress import duration, in_words
from planhat_async.jobs.job_summary import ended_by, problem_groups, total_of
from planhat_async.jobs.journal import Journal
from planhat_async.results import STORED, Outcome

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 580, 220, 70, 30
_MAX_PROBLEMS = 20
_MAX_POINTS = 1500
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 1360px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; margin: 0; } h2 { font-size: 1.05em; margin: 0 0 .4em; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5em; margin: 1.5em 0; }
section { border: 1px solid #d9dfe6; border-radius: 8px; padding: 1em; }
table { border-collapse: collapse; } td, th { padding: .15em .9em .15em 0; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } .bad { color: #b3261e; } .dim { color: #66727f; }
text { font: 12px system-ui, sans-serif; fill: #66727f; }
"""


@attrs.frozen(kw_only=True)
class Chart:
    """Points, and how they are drawn."""

    title: str
    points: Sequence[tuple[float, float]]
    """Seconds since the job began, and a value."""
    unit: str
    limit: float | None = None
    """A value to draw a line at."""
    is_line: bool = False


def page(journal: Journal, *, name: str) -> str:
    """The whole page."""
    total = total_of(journal)
    rows, n_left = in_words(total.rows, "row"), total.rows - total.stored
    verdict = (
        f"{in_words(n_left, 'row')} {'is' if n_left == 1 else 'are'} not stored" if n_left else "every row is stored"
    )
    seconds = sum(run.seconds for run in journal.runs)
    title = printable(f"{journal.job.get('model', 'job')} from {name}")
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="{"" if total.ok else "bad"}">{rows} in {duration(seconds)}: {verdict}.</p>',
            f'<div class="charts">{_outcomes(total.counts())}',
            *map(_drawn, charts(journal)),
            "</div>",
            _problems(journal),
            _runs(journal),
            f'<p class="dim">{escape(_described(journal))}</p></body></html>\n',
        ]
    )


def charts(journal: Journal) -> list[Chart]:
    """Rows over time, calls a minute against the limit, and how long each chunk took."""
    entries = sorted((one for one in journal.entries.values() if one.ended), key=lambda one: one.ended or 0.0)
    times = _working_times(entries, journal.runs)
    rows = list(accumulate((one.n_rows for one in entries), initial=0))
    limit = max((run.per_minute or 0 for run in journal.runs), default=0)
    return [
        Chart(
            title="Rows over time", points=[(0.0, 0.0), *zip(times, rows[1:], strict=True)], unit="rows", is_line=True
        ),
        Chart(
            title="Calls in each minute, and the limit",
            points=_a_minute(times, entries),
            unit="calls a minute",
            limit=float(limit) or None,
            is_line=True,
        ),
        Chart(
            title="Seconds from a chunk's start to its answer",
            points=[(time, max(0.0, (one.ended or 0.0) - one.sent)) for time, one in zip(times, entries, strict=True)],
            unit="seconds",
        ),
    ]


def _working_times(entries: Iterable[Entry], runs: Sequence[Run]) -> list[float]:
    """When each chunk ended, in seconds of work: the time between two runs is left out."""
    before = dict(
        zip((run.number for run in runs), accumulate((run.seconds for run in runs), initial=0.0), strict=False)
    )
    started = {run.number: run.started for run in runs}
    return [
        before.get(one.run, 0.0) + max(0.0, (one.ended or 0.0) - started.get(one.run, one.ended or 0.0))
        for one in entries
    ]


def _a_minute(times: Sequence[float], entries: Sequence[Entry]) -> list[tuple[float, float]]:
    """Attempts in each minute, as steps."""
    minutes: dict[int, int] = {}
    last: dict[int, int] = {}
    for time, one in zip(times, entries, strict=True):
        made = max(0, one.n_attempts - last.get(one.run, 0))
        last[one.run] = max(last.get(one.run, 0), one.n_attempts)
        minutes[int(time // 60)] = minutes.get(int(time // 60), 0) + made
    n_minutes = max(minutes, default=-1) + 1
    return [(60.0 * edge, float(minutes.get(n, 0))) for n in range(n_minutes) for edge in (n, n + 1)]


def _drawn(chart: Chart) -> str:
    """A chart as SVG, with a scale on either side."""
    points = chart.points[:: max(1, len(chart.points) // _MAX_POINTS)]
    right = max((x for x, _ in points), default=0.0) or 1.0
    top = _scale_to(max([y for _, y in points] + [chart.limit or 0.0], default=0.0))
    placed = [(_LEFT + x / right * (_WIDTH - _LEFT - 10), (_HEIGHT - _BOTTOM) * (1 - y / top) + 6) for x, y in points]
    marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="#2f6fde" fill-opacity=".6"/>' for x, y in placed)
    if chart.is_line and len(placed) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        marks = f'<polyline points="{path}" fill="none" stroke="#2f6fde" stroke-width="2"/>'
    return (
        f'<section><h2>{escape(chart.title)}</h2><svg width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{escape(chart.title)}">{_scale(right, top)}{_limit_line(chart, top)}{marks}</svg></section>'
    )


def _scale_to(most: float) -> float:
    """Where a scale of four steps ends that shows this much: at a number that people like."""
    if most <= 0:
        return 1.0
    power = 10.0 ** (math.floor(math.log10(most)) - 1)
    return next(step * power for step in (10, 12, 16, 20, 24, 32, 40, 60, 80, 100) if step * power >= most)


def _scale(right: float, top: float) -> str:
    """Lines across, and what they stand for."""
    parts = []
    for n in range(5):
        y = (_HEIGHT - _BOTTOM) * (1 - n / 4) + 6
        value = top * n / 4
        shown = f"{value:,.0f}" if top >= 10 else f"{value:.2f}"
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e8ed"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{shown}</text>')
        x = _LEFT + (_WIDTH - _LEFT - 10) * n / 4
        anchor = "end" if n == 4 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 4}" text-anchor="{anchor}">{duration(right * n / 4)}</text>')
    return "".join(parts)


def _limit_line(chart: Chart, top: float) -> str:
    if chart.limit is None:
        return ""
    y = (_HEIGHT - _BOTTOM) * (1 - chart.limit / top) + 6
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}" stroke="#b3261e" stroke-dasharray="5 4"/>'
        f'<text x="{_WIDTH - 12}" y="{y + 14:.1f}" text-anchor="end">limit {chart.limit:,.0f}</text>'
    )


def _outcomes(counts: dict[str, int]) -> str:
    """What became of the rows, each outcome with a bar."""
    most = max(counts.values(), default=0) or 1
    rows = "".join(
        f'<tr><td>{name}</td><td class="n">{n:,}</td><td><svg width="300" height="14">'
        f'<rect width="{max(2, round(300 * n / most))}" height="14" rx="2" '
        f'fill="{"#3a8f5c" if Outcome(name) in STORED else "#b3261e"}"/></svg></td></tr>'
        for name, n in counts.items()
        if n
    )
    return f"<section><h2>Outcomes</h2><table>{rows}</table></section>"


def _problems(journal: Journal) -> str:
    groups = list(problem_groups(journal))
    rows = "".join(
        f"<tr><td>{group.outcome}</td><td>{escape(_places(group.positions, group.n_nameless))}</td>"
        f"<td>{escape(group.reason)}</td></tr>"
        for group in groups[:_MAX_PROBLEMS]
    )
    n_more = len(groups) - _MAX_PROBLEMS
    more = f'<p class="dim">and {in_words(n_more, "more reason")}</p>' if n_more > 0 else ""
    head = "<tr><th>outcome</th><th>rows</th><th>reason</th></tr>" if rows else "<tr><td>none</td></tr>"
    return f"<section><h2>The first problems</h2><table>{head}{rows}</table>{more}</section>"


def _places(positions: Sequence[range], n_nameless: int) -> str:
    shown = [f"{one.start + 1:,}" + (f" to {one.stop:,}" if len(one) > 1 else "") for one in positions[:4]]
    more = [in_words(len(positions) - 4, "more place")] if len(positions) > 4 else []
    return ", ".join([*shown, *more, *([f"{n_nameless:,} that Planhat does not name"] if n_nameless else [])])


def _runs(journal: Journal) -> str:
    rows = "".join(
        f'<tr><td class="n">{run.number}</td><td class="n">{duration(run.seconds)}</td><td class="n">{run.calls:,}</td>'
        f'<td class="n">{run.attempts:,}</td><td>{escape(ended_by(run, journal))}</td></tr>'
        for run in journal.runs
    )
    head = "<tr><th>run</th><th>time</th><th>calls</th><th>attempts</th><th></th></tr>"
    return f'<section style="margin-top:1.5em"><h2>Runs</h2><table>{head}{rows}</table></section>'


def _described(journal: Journal) -> str:
    shown = (f"{name} {value}" for name, value in journal.job.items() if not isinstance(value, dict))
    return printable(" · ".join(shown))
