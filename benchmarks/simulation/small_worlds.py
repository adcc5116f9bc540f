"""Small worlds, completely: every position of one fault and of one interruption in jobs of up to four rows.

The code itself is the model. A world is a job of one to four rows in at most two chunks; all placements of at most one
fault on a bulk upsert, and of at most one interruption at every boundary and before every change of a file, are run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import attrs

from benchmarks.simulation.evidence import Evidence
from benchmarks.simulation.night import evidence_of
from benchmarks.simulation.oracles import violations
from benchmarks.simulation.plan import DiskFault, Interruption, Plan, PlannedFault, PlannedRow

_KEYED, _OTHER, _KEYLESS = PlannedRow("plain", 1), PlannedRow("plain", 2), PlannedRow("plain")
INPUTS = (
    (_KEYLESS,),
    (_KEYLESS, _KEYLESS, _KEYLESS, _KEYLESS),
    (_KEYED, _OTHER, _KEYED, _KEYED),
    (_KEYED, _KEYLESS, _OTHER, PlannedRow("refused")),
)
FAULTS = ("reset_before", "reset_after", "late", "http_502_after", "rows_206", "rows_400", "json_truncated", "http_429")


def worlds(inputs: tuple[tuple[PlannedRow, ...], ...] = INPUTS) -> Iterator[Plan]:
    """The worlds with at most one fault, without an interruption."""
    for number, rows in enumerate(inputs):
        world = Plan(seed=number, model="tasks", rows=rows, chunk_size=2)
        yield world
        for name in FAULTS:
            for call in (1, 2):
                yield attrs.evolve(world, faults=(PlannedFault(name, call),))


def interrupted(world: Plan, quiet: Evidence) -> Iterator[Plan]:
    """A world with one interruption, at each position that it has by the night in which there is none."""
    events = [line.split(maxsplit=2)[2] for line in quiet.trace if line.split()[1] == "upsert1"]
    boundaries = [what for what in events if what != "starts"]
    for event, what in enumerate(boundaries, 1):
        for kind in ("kill", "cancel", "stop"):
            yield _with(world, Interruption(kind, event, wait=0.0))
        if what.startswith("begins ") and "digest" not in what:
            for change in range(1, _MOST_CHANGES):
                yield _with(world, Interruption("power", event, change=change, wait=0.0))
        for steps in (1, 2, 3):
            yield _with(world, Interruption("cancel", event, steps=steps, wait=0.0))


_MOST_CHANGES = 40
"""Changes of files in one piece of work, but for the 200 that reserve room in a new journal."""


def _with(world: Plan, interruption: Interruption) -> Plan:
    return attrs.evolve(world, interruptions=(interruption,))


def disk_faults(world: Plan, *, n_changes: int = 60) -> Iterator[Plan]:
    """A world in which one of the first changes of a file fails."""
    for change in range(1, n_changes):
        for kind in ("full", "error"):
            yield attrs.evolve(world, disk_faults=(DiskFault(change, kind),))


def run() -> None:
    """Run all of them, and print how many states there were."""
    started, n_worlds, failures = time.monotonic(), 0, []
    states: set[tuple[object, ...]] = set()
    for world in worlds():
        quiet = evidence_of(world)
        for plan in (world, *interrupted(world, quiet), *(disk_faults(world) if not world.faults else ())):
            night = evidence_of(plan)
            n_worlds += 1
            states |= _states_of(plan, night)
            if found := violations(night):
                failures.append((plan, found[0]))
    seconds = time.monotonic() - started
    print(f"{n_worlds:,} worlds with {len(states):,} states in {seconds:.0f} s, {len(failures):,} of them fail")
    for plan, what in failures[:10]:
        print(f"{what}\n    {plan}")
    if failures:
        raise SystemExit(1)


def _states_of(plan: Plan, night: Evidence) -> set[tuple[object, ...]]:
    """The states that a night passes: what has happened so far, without the times."""
    steps: tuple[str, ...] = ()
    found: set[tuple[object, ...]] = set()
    for line in night.trace:
        steps = (*steps, line.split(maxsplit=1)[1])
        found.add((plan.rows, hash(steps)))
    return found
