"""Which outcomes, faults and instants of interruption were seen in many nights, and which never were."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any

from benchmarks.simulation.evidence import Evidence
from benchmarks.simulation.plan import UNUSED_FAULTS
from benchmarks.tables import aligned
from planhat_async.sandbox.faults import KINDS

_OUTCOMES = (
    "created",
    "updated",
    "unchanged",
    "unreported",
    "rejected",
    "invalid",
    "dropped",
    "unknown",
    "unsent",
)
_INTERRUPTIONS = ("none", "kill", "power", "cancel", "stop")
_IMPOSSIBLE = {(kind, "within") for kind in ("cancel", "stop")}
"""The end of a process, and not an interrupt, falls within a change of a file."""
_PLACES = ("begins", "has", "sends", "gets", "ends", "within")


def note(night: Evidence) -> None:
    """Note in the evidence which outcomes came with which faults and interruptions."""
    faults = {fault.name for fault in night.plan.faults} or {"none"}
    struck = {one[0] for one in night.coverage if one[0] in _INTERRUPTIONS} or {"none"}
    outcomes = {name for run in night.runs for name, n_rows in run.counts.items() if n_rows}
    night.coverage.update(("outcome", *one) for one in product(outcomes, faults))
    night.coverage.update(("interrupted", *one) for one in product(outcomes, struck))
    night.coverage.update(("end", run.end.partition(":")[0]) for run in night.runs)


def coverage_table(seen: Counter[tuple[Any, ...]]) -> str:
    """Tables of nights by what was seen in them, and the pairs that were never seen."""
    faults = sorted(set(KINDS) - UNUSED_FAULTS)
    n_pairs = Counter({(one[1], one[2]): n for one, n in seen.items() if one[0] == "outcome"})
    by_outcome = Counter({(one[1], one[2]): n for one, n in seen.items() if one[0] == "interrupted"})
    places = Counter[tuple[str, str]]()
    for one, n in seen.items():
        if one[0] in _INTERRUPTIONS:
            places[one[0], one[1]] += n
    never = [f"{outcome} x {fault}" for fault, outcome in product(faults, _OUTCOMES) if not n_pairs[outcome, fault]]
    unmet = [
        f"{kind} at {place}"
        for kind, place in product(_INTERRUPTIONS[1:], _PLACES)
        if not places[kind, place] and (kind, place) not in _IMPOSSIBLE
    ]
    ends = ", ".join(f"{one[1]} {n:,}" for one, n in sorted(seen.items()) if one[0] == "end")
    return "\n\n".join(
        [
            aligned(("nights", *_INTERRUPTIONS), _rows(_OUTCOMES, _INTERRUPTIONS, by_outcome)),
            aligned(("interruption", *_PLACES), _rows(_INTERRUPTIONS[1:], _PLACES, places)),
            aligned(("fault", *_OUTCOMES), [_row(fault, _OUTCOMES, n_pairs) for fault in faults]),
            f"runs that ended by: {ends}",
            f"never seen: {', '.join([*unmet, *never]) or 'nothing of these'}",
        ]
    )


def _rows(names: tuple[str, ...], columns: tuple[str, ...], counts: Counter[tuple[str, str]]) -> list[tuple[str, ...]]:
    return [(name, *(f"{counts[name, column]:,}" for column in columns)) for name in names]


def _row(fault: str, outcomes: tuple[str, ...], counts: Counter[tuple[str, str]]) -> tuple[str, ...]:
    return (fault, *(f"{counts[outcome, fault]:,}" for outcome in outcomes))
