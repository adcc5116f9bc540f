"""The journal of a job, or of two, as one HTML page without scripts or external resources: decisions only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import accumulate, zip_longest

from planhat_async._convert import printable
from planhat_async.jobs.charts import Plot, plot
from planhat_async.jobs.entries import Entry, Run
from planhat_async.jobs.job_facts import Figure, JobFacts, compared, reasons_compared
from planhat_async.jobs.job_identity import INPUT
from planhat_async.jobs.job_progress import duration, in_words
from planhat_async.jobs.job_summary import MEANINGS, ended_by
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.report_style import STYLE
from planhat_async.results import STORED, Outcome

_MAX_REASONS = 20
_STACKED = ' class="stack"'
_HIDDEN = {"model", "digest", INPUT}
"""Facts of a job that the page shows elsewhere or not at all."""


def page(journal: Journal, *, name: str) -> str:
    """The whole page about a job; `name` is that of its journal."""
    facts = JobFacts.of(journal, name)
    return _document(facts.title, [_head(facts, "h1"), *_body(journal, facts)])


def page_of_two(journals: Sequence[tuple[str, Journal]]) -> str:
    """The whole page about two jobs, the earlier one first: what has changed, and then each."""
    facts = [JobFacts.of(journal, name) for name, journal in journals]
    before, after = facts
    title = f"{before.title} and {after.title}" if before.title != after.title else f"{before.title}: two jobs"
    parts = [f"<h1>{escape(title)}</h1>", *_changes(before, after)]
    for (_, journal), one in zip(journals, facts, strict=True):
        parts += [_section("", _head(one, "h2")), *_body(journal, one)]
    return _document(title, parts)


def charts(journal: Journal) -> list[Plot]:
    """Rows over time, calls a minute against the limit, and how long each chunk took."""
    entries = sorted((one for one in journal.entries.values() if one.ended), key=lambda one: one.ended or 0.0)
    times = _working_times(entries, journal.runs)
    rows = list(accumulate((one.n_rows for one in entries), initial=0))
    seconds = [max(0.0, (one.ended or 0.0) - one.sent) for one in entries]
    attempts = _attempts_per_minute(times, entries)
    limit = max((run.per_minute or 0 for run in journal.runs), default=0)
    return [
        Plot(
            title="Rows over time",
            points=[(0.0, 0.0), *zip(times, rows[1:], strict=True)],
            is_line=True,
            is_whole=True,
            description=f"{in_words(rows[-1], 'row')} in {duration(max(times, default=0.0))}",
        ),
        Plot(
            title="Calls in each minute",
            points=attempts,
            limit=float(limit) or None,
            is_line=True,
            is_whole=True,
            description=f"at most {max((n for _, n in attempts), default=0.0):,.0f}, the limit is {limit:,}",
        ),
        Plot(
            title="Seconds until the answer",
            points=[*zip(times, seconds, strict=True)],
            description=f"at most {duration(max(seconds, default=0.0))}",
        ),
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


def _document(title: str, parts: Iterable[str]) -> str:
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f'<meta name="description" content="{escape(title)}"><link rel="icon" href="data:,">',
            f"<style>{STYLE}</style></head><body><main>",
            *parts,
            "</main></body></html>\n",
        ]
    )


def _head(facts: JobFacts, level: str) -> str:
    """The title, when and from what, the sentence and the three numbers."""
    journal = "" if facts.input_name == facts.name else f" · journal {facts.name}"
    return (
        f"<{level}>{escape(facts.title)}</{level}>"
        f'<p class="dim">{escape(facts.period + journal)}</p>'
        f'<p class="{"bad" if facts.n_left or not facts.is_whole else ""}">{escape(facts.sentence)}</p>'
        f'<dl class="figures">{_figures(facts.figures)}</dl>'
    )


def _figures(figures: Iterable[Figure]) -> str:
    return "".join(
        f'<div><dt>{escape(one.name)}</dt><dd class="{"bad" if one.is_bad else ""}">{escape(one.value)}</dd></div>'
        for one in figures
    )


def _body(journal: Journal, facts: JobFacts) -> Iterator[str]:
    """The cards of a job."""
    yield _section("Outcomes", _outcomes(facts.total.counts()))
    yield '<div class="cards">'
    yield from (_section(one.title, plot(one)) for one in charts(journal))
    yield "</div>"
    yield _section("Not stored", _not_stored(facts))
    yield _section("Pace", f'<dl class="figures small">{_figures(facts.pace)}</dl>')
    yield _section("Runs", _runs(journal))
    shown = {name: value for name, value in journal.job.items() if name not in _HIDDEN and not isinstance(value, dict)}
    if shown:
        rows = ((name.replace("_", " "), printable(str(value))) for name, value in shown.items())
        yield _section("The job", _table((), rows))


def _outcomes(counts: dict[str, int]) -> str:
    """The number of rows with each outcome, as bars."""
    most = max(counts.values(), default=0) or 1
    rows = "".join(
        f'<tr class="{"good" if Outcome(name) in STORED else "wrong"}"><th scope="row" class="plain">{name} '
        f'<span class="dim">({MEANINGS[name]})</span></th><td class="n">{n:,}</td>'
        f'<td class="bar" aria-hidden="true"><span style="width:{100 * n / most:.1f}%"></span></td></tr>'
        for name, n in counts.items()
        if n
    )
    return f"<table>{rows}</table>" if rows else "<p>No row was read.</p>"


def _not_stored(facts: JobFacts) -> str:
    """The reasons, with counts and the first rows."""
    if not facts.reasons:
        return "<p>Every row that was read is stored.</p>" if facts.total.rows else "<p>No row was read.</p>"
    shown = facts.reasons[:_MAX_REASONS]
    rows = ((one.outcome, f"{one.n_rows:,}", one.text, one.first_rows) for one in shown)
    more = facts.reasons[_MAX_REASONS:]
    others = sum(one.n_rows for one in more)
    note = f'<p class="dim">{in_words(len(more), "more reason")}, {in_words(others, "row")}</p>' if more else ""
    return _table(("outcome", "#rows", "reason", "first rows"), rows, is_stacked=True) + note


def _runs(journal: Journal) -> str:
    rows = (
        (f"{run.number}", duration(run.seconds), f"{run.calls:,}", f"{run.attempts:,}", ended_by(run, journal))
        for run in journal.runs
    )
    return _table(("#run", "#time", "#calls", "#attempts", "end"), rows, is_stacked=True)


def _changes(before: JobFacts, after: JobFacts) -> Iterator[str]:
    """What two jobs have in common, and what has changed."""
    rows = ((one.name, one.before, one.after, one.change) for one in compared(before, after))
    names = (f"#{before.name}", f"#{after.name}")
    yield _section("Compared", _table(("", *names, "#change"), rows, is_stacked=True))
    if reasons := reasons_compared(before, after):
        rows = ((outcome, text, f"{old:,}", f"{new:,}") for outcome, text, old, new in reasons[:_MAX_REASONS])
        yield _section("Not stored, by reason", _table(("outcome", "reason", *names), rows, is_stacked=True))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, is_stacked: bool = False) -> str:
    """A table of texts; columns whose head begins with # hold numbers.

    On a narrow page, each row of a stacked table is a list: the head of its column is before each cell.
    """
    kinds = ['class="n"' if head.startswith("#") else "" for head in heads]
    names = [escape(head.removeprefix("#")) for head in heads]
    top = "".join(
        f'<th scope="col" {kind}>{name}</th>' if name else "<td></td>" for name, kind in zip(names, kinds, strict=True)
    )
    head = f"<thead><tr>{top}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{''.join(_cells(row, kinds, names if is_stacked else ()))}</tr>" for row in rows)
    return f"<table{_STACKED * is_stacked}>{head}<tbody>{body}</tbody></table>"


def _cells(row: Sequence[str], kinds: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """The cells of a row; the first is its head if the column has none."""
    first, *others = row
    if not kinds or (names and not names[0]):
        yield f'<th scope="row">{escape(first)}</th>'
        row, kinds, names = others, kinds[1:], names[1:]
    for cell, kind, name in zip_longest(row, kinds, names, fillvalue=""):
        named = f'data-head="{name}"' if name else ""
        yield f"<td {kind} {named}>{escape(cell)}</td>"


def _section(title: str, content: str) -> str:
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    return f"<section>{heading}{content}</section>"
