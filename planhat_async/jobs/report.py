"""A job's journal as one HTML page, without scripts or external resources: decisions only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from itertools import accumulate

from planhat_async._convert import printable
from planhat_async.jobs.charts import BAR_PITCH, Bar, Plot, bars, plot
from planhat_async.jobs.entries import Entry, Run
from planhat_async.jobs.job_progress import duration, in_words
from planhat_async.jobs.job_summary import ended_by, problem_groups, total_of
from planhat_async.jobs.journal import Journal
from planhat_async.results import STORED, Outcome

_MAX_PROBLEMS = 20
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2733; max-width: 1360px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; margin: 0; } h2 { font-size: 1.05em; margin: 0 0 .4em; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5em; margin: 1.5em 0; }
section { border: 1px solid #d9dfe6; border-radius: 8px; padding: 1em; }
table { border-collapse: collapse; } td, th { padding: .15em .9em .15em 0; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } .bad { color: #b3261e; } .dim { color: #66727f; }
section + section { margin-top: 1.5em; } .charts section { margin: 0; }
text { font: 12px system-ui, sans-serif; fill: #66727f; } .good { fill: #3a8f5c; } .wrong { fill: #b3261e; }
.mark { fill: #2f6fde; fill-opacity: .6; } polyline { fill: none; stroke: #2f6fde; stroke-width: 2; }
.grid { stroke: #e4e8ed; } .limit { stroke: #b3261e; stroke-dasharray: 5 4; }
"""


def page(journal: Journal, *, name: str) -> str:
    """The whole page."""
    total = total_of(journal)
    rows, n_left = in_words(total.rows, "row"), total.rows - total.stored
    verdict = (
        f"{in_words(n_left, 'row')} {'is' if n_left == 1 else 'are'} not stored" if n_left else "every row is stored"
    )
    seconds = sum(run.seconds for run in journal.runs)
    title = printable(f"{journal.job.get('model', 'job')} from {name}")
    description = " · ".join(f"{key} {value}" for key, value in journal.job.items() if not isinstance(value, dict))
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="{"" if total.ok else "bad"}">{rows} in {duration(seconds)}: {verdict}.</p>',
            '<div class="charts">',
            _section("Outcomes", _outcomes(total.counts())),
            *(_section(one.title, plot(one)) for one in charts(journal)),
            "</div>",
            _problems(journal),
            _runs(journal),
            f'<p class="dim">{escape(printable(description))}</p></body></html>\n',
        ]
    )


def charts(journal: Journal) -> list[Plot]:
    """Rows over time, calls a minute against the limit, and how long each chunk took."""
    entries = sorted((one for one in journal.entries.values() if one.ended), key=lambda one: one.ended or 0.0)
    times = _working_times(entries, journal.runs)
    rows = list(accumulate((one.n_rows for one in entries), initial=0))
    seconds = [max(0.0, (one.ended or 0.0) - one.sent) for one in entries]
    limit = max((run.per_minute or 0 for run in journal.runs), default=0)
    return [
        Plot(title="Rows over time", points=[(0.0, 0.0), *zip(times, rows[1:], strict=True)], is_line=True),
        Plot(
            title="Calls in each minute, and the limit",
            points=_attempts_per_minute(times, entries),
            limit=float(limit) or None,
            is_line=True,
        ),
        Plot(title="Seconds from a chunk's start to its answer", points=[*zip(times, seconds, strict=True)]),
    ]


def _working_times(entries: Iterable[Entry], runs: Sequence[Run]) -> list[float]:
    """The end of each chunk in seconds of work: the time between two runs is left out."""
    before = accumulate((run.seconds for run in runs), initial=0.0)
    begins = {run.number: (run.started, seconds) for run, seconds in zip(runs, before, strict=False)}
    ends = [(one.ended or 0.0, *begins.get(one.run, (math.inf, 0.0))) for one in entries]
    return [seconds + max(0.0, ended - started) for ended, started, seconds in ends]


def _attempts_per_minute(times: Sequence[float], entries: Sequence[Entry]) -> list[tuple[float, float]]:
    """Attempts in each minute, as steps."""
    minutes: Counter[int] = Counter()
    before: Counter[int] = Counter()
    for time, one in zip(times, entries, strict=True):
        minutes[int(time // 60)] += max(0, one.n_attempts - before[one.run])
        before[one.run] = max(before[one.run], one.n_attempts)
    n_minutes = max(minutes, default=-1) + 1
    return [(60.0 * edge, float(minutes[n])) for n in range(n_minutes) for edge in (n, n + 1)]


def _outcomes(counts: dict[str, int]) -> str:
    """The number of rows with each outcome, as bars."""
    drawn = [Bar(name, n, "good" if Outcome(name) in STORED else "wrong") for name, n in counts.items() if n]
    parts = "".join(bars(drawn, left=100, longest=400))
    return f'<svg width="580" height="{len(drawn) * BAR_PITCH}" role="img" aria-label="Outcomes">{parts}</svg>'


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


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
    return _section("The first problems", f"<table>{head}{rows}</table>{more}")


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
    return _section("Runs", f"<table>{head}{rows}</table>")
