"""What must hold in every night, judged from the evidence alone; imports nothing of the package it judges.

Each oracle yields a sentence for each violation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf

from benchmarks.simulation.evidence import Evidence, Run

_NOT_STORED = ("rejected", "invalid", "dropped", "unknown", "unsent")
_STORED = ("created", "updated", "unchanged", "unreported")
_MAX_ATTEMPTS = 5
_STEP = 0.001
"""Seconds for code to see an answer."""
_HARMLESS_ENDS = ("done", "stopped", "cancelled", "killed")


def violations(night: Evidence) -> list[str]:
    """Everything that went wrong in a night; the sentences begin with the name of their oracle."""
    found: list[str] = []
    for oracle in _ORACLES:
        found += [f"{oracle.__name__.strip('_')}: {one}" for one in oracle(night)]
    return found


def _ends(night: Evidence) -> Iterator[str]:
    """Commands end as they may, and leave nothing behind."""
    yield from night.leaks
    for run in night.runs:
        is_harmless = run.end in _HARMLESS_ENDS or (night.plan.disk_faults and "Error" in run.end)
        if not is_harmless:
            yield f"{run.process} ended by {run.end}"
    for end in night.export.runs:
        is_of_server = any(name in end for name in ("NotSent", "Server", "UnknownOutcome", "RateLimited", "Decode"))
        is_of_server = is_of_server or any(name in end for name in ("Timeout", "BadRequest", "Permission", "NoAnswer"))
        if end not in {"done", "interrupted"} and not is_of_server and not night.plan.disk_faults:
            yield f"an export ended by {end}"


def _conservation(night: Evidence) -> Iterator[str]:
    """Every row of the input has exactly one outcome; a run that did not read them all has fewer."""
    n_rows = len(night.plan.rows)
    for run in night.runs:
        if not run.counts:
            continue
        total = sum(run.counts.values())
        if total > n_rows or (run.end == "done" and total != n_rows):
            yield f"{run.process} ({run.end}) accounts for {total} of {n_rows} rows"
        if run.n_told is not None and run.n_told != total:
            yield f"{run.process} ({run.end}) accounts for {total} rows, and hands out {run.n_told}"
        if run.end == "done" and run.counts["unsent"] and not night.plan.verifies:
            yield f"{run.process} is done, and leaves {run.counts['unsent']} rows unsent"
        for position in run.not_stored.get("rejected", ()):
            if night.plan.marker(position) not in night.sent:
                yield f"row {position} is rejected in {run.process}, and has never left"
        positions = Counter(position for name in _NOT_STORED for position in run.not_stored.get(name, ()))
        yield from (f"{run.process} gives row {one} {n} outcomes" for one, n in positions.items() if n > 1)
        for name in _NOT_STORED:
            if len(run.not_stored.get(name, ())) > run.counts[name]:
                yield f"{run.process} counts {run.counts[name]} rows as {name}, and names more"


def _accounts(night: Evidence) -> Iterator[str]:
    """An account says what happened: rows it calls stored are stored, and the others are not."""
    applied = {one.marker for one in night.applied}
    run = _last_account(night)
    if run is None:
        return
    named = {position for name in _NOT_STORED for position in run.not_stored.get(name, ())}
    is_named = sum(run.counts[name] for name in _NOT_STORED) == len(named)
    n_applied = len(applied & {night.plan.marker(position) for position in range(len(night.plan.rows))})
    n_may_be_stored = sum(run.counts[name] for name in (*_STORED, "unknown"))
    if run.end == "done" and n_applied > n_may_be_stored and not night.copied:
        yield f"{n_applied} rows were applied, and {n_may_be_stored} may be stored by the account of {run.process}"
    # Of tickets Planhat's answer has counts only: it may leave out a row that it has dropped.
    n_unproven = run.counts["unreported"] + (run.counts["created"] if night.plan.model == "tickets" else 0)
    for position in range(len(night.plan.rows)):
        marker = night.plan.marker(position)
        if position not in named and run.end == "done" and is_named and marker not in applied:
            n_unproven -= 1
            if n_unproven >= 0:
                continue
            yield f"row {position} is stored by the account of {run.process}, and was never applied"
        for name in ("rejected", "invalid", "dropped", "unsent"):
            is_applied = marker in applied - night.copied and night.plan.rows[position].twin is None
            if is_applied and position in run.not_stored.get(name, ()):
                yield f"row {position} is {name} by the account of {run.process}, and was applied"
        is_invalid = night.plan.rows[position].kind == "invalid" and run.end == "done"
        if is_invalid and position not in run.not_stored.get("invalid", ()):
            yield f"row {position} is invalid, and not in the account"


def _deserved(night: Evidence) -> Iterator[str]:
    """Rows are rejected or dropped only where Planhat has a reason."""
    plan = night.plan
    for run in night.runs:
        n_rejected = run.counts.get("rejected", 0)
        if n_rejected > night.n_refused and not night.copied:
            yield f"{n_rejected} rows are rejected in {run.process}, and Planhat has refused {night.n_refused}"
    has_reason = any(row.kind == "refused" for row in plan.rows) or plan.choices.tables_are_right
    if has_reason or any(fault.name.startswith("rows_") for fault in plan.faults):
        return
    for run in night.runs:
        for name in ("rejected", "dropped"):
            if run.counts.get(name):
                yield f"{run.counts[name]} rows are {name} in {run.process}, for no reason"


def _keyless(night: Evidence) -> Iterator[str]:
    """A row without a key is stored at most once, unless the user chose otherwise."""
    if night.plan.resends_unknown and not night.plan.verifies:
        return
    created = Counter(one.marker for one in night.applied if one.is_created)
    keyless = Counter(night.plan.marker(n) for n, row in enumerate(night.plan.rows) if row.key is None)
    for marker, n_rows in keyless.items():
        if created[marker] > n_rows:
            yield f"{n_rows} rows {marker} have no key, and were stored {created[marker]} times"


def _twins(night: Evidence) -> Iterator[str]:
    """Of rows with the same content as many are stored as the account of a single run says."""
    run = night.runs[0]
    if run.end != "done" or run.counts["unsent"] or run.counts["unknown"]:  # a later run has a part in it
        return
    created = Counter(one.marker for one in night.applied if one.is_created)
    named = {position: name for name in _NOT_STORED for position in run.not_stored.get(name, ())}
    if sum(run.counts[name] for name in _NOT_STORED) != len(named):
        return
    for first in {night.plan.marker(n) for n, row in enumerate(night.plan.rows) if row.twin is not None}:
        positions = [n for n in range(len(night.plan.rows)) if night.plan.marker(n) == first]
        n_stored = sum(n not in named for n in positions)
        if n_stored != created[first]:
            yield f"{n_stored} rows {first} are stored by the account, and {created[first]} were"


def _doubts(night: Evidence) -> Iterator[str]:
    """A row is unknown only if it has left, unless a process was killed before it could say that it had not."""
    if night.plan.disk_faults:
        return
    for run in night.runs:
        if run.end == "killed":
            return
        for position in run.not_stored.get("unknown", ()):
            if not night.sent.get(night.plan.marker(position)):
                yield f"row {position} is unknown in {run.process}, and has never left"


def _memory(night: Evidence) -> Iterator[str]:
    """What a run has told the user of a row without a key, a later run knows too."""
    told: set[int] = set()
    for run in night.runs:
        for position in told & {*run.not_stored.get("unknown", ()), *run.not_stored.get("unsent", ())}:
            if night.plan.rows[position].key is None:
                yield f"row {position} was stored by the word of an earlier run, and is not in {run.process}"
        if run.end == "killed" and night.plan.disk_faults:
            continue  # the disk had refused what it was told, and it could not say so
        told |= run.seen_stored
        named = {position for name in _NOT_STORED for position in run.not_stored.get(name, ())}
        if run.end == "done" and sum(run.counts[name] for name in _NOT_STORED) == len(named):
            told |= {*range(len(night.plan.rows))} - named


def _resolution(night: Evidence) -> Iterator[str]:
    """A last run without trouble sends all that may be sent, and finds all that may be found."""
    if len(night.runs) < 2 or night.runs[-1].end != "done" or night.runs[-2].end != "done" or night.plan.disk_faults:
        return
    last = night.runs[-1]
    n_equal = Counter(map(night.plan.marker, range(len(night.plan.rows))))
    again = {word for one in _sends_of(night, last.process) for word in one.split()}
    yield from (f"row {one} is unsent after a run without trouble" for one in last.not_stored.get("unsent", ()))
    for position in last.not_stored.get("unknown", ()):
        is_sent = night.plan.marker(position) in again
        if night.plan.rows[position].key is not None and not is_sent:
            yield f"row {position} has a key, is unknown, and is not sent again by {last.process}"
        elif (
            night.plan.rows[position].key is None and night.plan.verifies and n_equal[night.plan.marker(position)] == 1
        ):
            yield f"row {position} is unknown, and is not found by {last.process}"


def _order(night: Evidence) -> Iterator[str]:
    """The last row of a key that is stored by the account is what Planhat has at the end."""
    run = _last_account(night)
    if run is None or run.end != "done":
        return
    named = {position: name for name in _NOT_STORED for position in run.not_stored.get(name, ())}
    is_counted_only = night.plan.model == "tickets" and any(one.name == "rows_dropped" for one in night.plan.faults)
    if is_counted_only or sum(run.counts[name] for name in _NOT_STORED) != len(named):
        return
    stored = {key: night.stored[id_] for id_, key in night.key_of.items() if key.startswith("k")}
    for number in {row.key for row in night.plan.rows if row.key is not None}:
        positions = [n for n, row in enumerate(night.plan.rows) if row.key == number]
        last = max((n for n in positions if n not in named), default=None)
        if last is None:
            continue
        allowed = {f"r{last}"} | {f"r{n}" for n in positions if named.get(n) == "unknown" and n > last}
        allowed |= {marker for _, marker, _ in night.singles} | night.copied
        if stored.get(f"k{number}") not in allowed:
            yield f"the key k{number} has {stored.get(f'k{number}')}, not {' or '.join(sorted(allowed))}"


def _rerun(night: Evidence) -> Iterator[str]:
    """A job that is done sends nothing more, and gives the same account."""
    if len(night.runs) < 2 or night.runs[-1].end != "done" or night.runs[-2].end != "done":
        return
    before, again = night.runs[-2:]
    if before.counts["unknown"] or before.counts["unsent"] or night.plan.disk_faults:
        return
    sends = [*_sends_of(night, again.process)]
    if sends:
        yield f"{again.process} sends {len(sends)} chunks of a job that was done"
    total_before, total_again = (sum(one.counts[name] for name in _STORED) for one in (before, again))
    if total_before != total_again:
        yield f"{again.process} calls {total_again} rows stored, {before.process} {total_before}"


def _sends_of(night: Evidence, process: str) -> Iterator[str]:
    """The bulk upserts of a process, with their rows, by the trace."""
    for line in night.trace:
        _, _, rest = line.lstrip().partition(" ")
        if rest.startswith(f"{process} sends PUT") and " r" in rest:
            yield rest


def _exports(night: Evidence) -> Iterator[str]:
    """An export is whole or `.part`: every record that was there all the time once, in the order of `_id`s."""
    export = night.export
    if export.n_seen_incomplete:
        yield "the export had its name before it was complete"
    if export.ended is None:
        return
    if export.ids is None:
        yield "the export is damaged"
        return
    ids = export.ids
    if night.plan.model != "tasks" and ids != sorted(set(ids)):
        yield f"the export is not in order, or holds a record twice: {ids}"
    if len(set(ids)) != len(ids):
        yield "the export holds a record twice"
    for one, (created, deleted) in night.lives.items():
        if created < export.begun and deleted > export.ended and deleted == inf and one not in ids:
            yield f"the export lacks {one}"


def _pace(night: Evidence) -> Iterator[str]:
    """No 60 seconds hold more than the limit, as the server sees them."""
    by_process: dict[str, list[float]] = {}
    for one in night.arrivals:
        if not one.is_copy:
            by_process.setdefault(one.process, []).append(one.at)
    for process, times in by_process.items():
        times.sort()
        for n_calls, seconds in ((night.plan.per_minute, 60.0), (150, 1.0)):
            for first, last in zip(times, times[n_calls:], strict=False):
                if last - first < seconds - 1e-6:
                    yield f"{process} makes {n_calls + 1} calls in {last - first:.3f} s"
                    break


def _retries(night: Evidence) -> Iterator[str]:
    """A call is attempted five times at most, besides attempts that are answered with 429."""
    n_attempts = Counter(one.call for one in night.attempts if one.is_counted)
    yield from (f"the call {call} is attempted {n} times" for call, n in n_attempts.items() if n > _MAX_ATTEMPTS)


def _pauses(night: Evidence) -> Iterator[str]:
    """Behind a 429 with `Retry-After` a process begins no attempt before that has passed.

    Refusals of attempts that were under way when another was refused are the same refusal.
    """
    for one in night.pauses:
        others = [other for other in night.pauses if other.process == one.process and other is not one]
        if any(one.begun - _STEP < other.at <= one.at for other in others):
            continue
        starts = (other.at for other in night.attempts if other.process == one.process)
        if early := [at for at in starts if one.at + _STEP < at < one.until - _STEP]:
            yield f"{one.process} was refused at {one.at:.3f} until {one.until:.3f}, and goes on at {early[0]:.3f}"


def _earlier(night: Evidence) -> Iterator[str]:
    """A chunk that a run hands out is not among those that it leaves to earlier runs."""
    for run in night.runs:
        yield from (f"{run.process} hands out chunk {one}, and calls it earlier" for one in run.told & run.earlier)


def _journal(night: Evidence) -> Iterator[str]:
    """An entry and the progress of its run are written together."""
    yield from night.journal_faults


def _singles(night: Evidence) -> Iterator[str]:
    """A single creation is stored once if it ends well, never if it was not sent, and never twice."""
    created = Counter(one.marker for one in night.applied if one.is_created)
    for what, marker, end in night.singles:
        if what != "create":
            continue
        if created[marker] > 1 or (end == "ok" and not created[marker]):
            yield f"{marker} ended {end}, and was stored {created[marker]} times"
        if end not in {"ok", "unknown", "begun"} and created[marker]:
            yield f"{marker} ended by {end}, and was stored"


def _rejects(night: Evidence) -> Iterator[str]:
    """A file of rejects holds the rows to be corrected, each once."""
    for in_file, expected in night.rejects:
        if sorted(in_file) != expected and not night.plan.disk_faults:
            yield f"the file of rejects has the rows {in_file}, not {expected}"


def _last_account(night: Evidence) -> Run | None:
    return next((run for run in reversed(night.runs) if run.counts), None)


_ORACLES = (
    _ends,
    _conservation,
    _accounts,
    _deserved,
    _keyless,
    _twins,
    _doubts,
    _memory,
    _resolution,
    _order,
    _rerun,
    _exports,
    _pace,
    _retries,
    _pauses,
    _earlier,
    _journal,
    _singles,
    _rejects,
)
