"""Small worlds, completely: every position of one fault and of one interruption in jobs of up to four rows.

The code itself is the model. A world is a job of one to four rows in at most two chunks; all placements of at most one
fault on a bulk upsert, and of at most one interruption at every boundary and before every change of a file, are run.
"""

from __future__ import annotations

import multiprocessing
import time
import zlib
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
    """A world with one interruption, at each position that it has by the night in which there is none.

    In a world with a fault, at each boundary; in others, also before each change of a file, and some steps of the event
    loop later.
    """
    events = [line.split(maxsplit=2)[2] for line in quiet.trace if line.split()[1] == "upsert1"]
    boundaries = [what for what in events if what != "starts"]
    for event, what in enumerate(boundaries, 1):
        for kind in ("kill", "cancel", "stop"):
            yield _with(world, Interruption(kind, event, wait=0.0))
        if world.faults:
            continue
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


def run(*, n_processes: int = 1) -> None:
    """Run all of them, and print how many states there were."""
    started, n_worlds, failures = time.monotonic(), 0, list[tuple[Plan, str]]()
    states: set[int] = set()
    with multiprocessing.get_context("fork").Pool(n_processes, maxtasksperchild=2) as pool:
        for n_of_world, states_of_world, failed in pool.imap_unordered(_run_world, worlds()):
            n_worlds += n_of_world
            states |= states_of_world
            failures += failed
    seconds = time.monotonic() - started
    print(f"{n_worlds:,} worlds with {len(states):,} states in {seconds:.0f} s, {len(failures):,} of them fail")
    for plan, what in failures[:10]:
        print(f"{what}\n    {plan}")
    if failures:
        raise SystemExit(1)


def _run_world(world: Plan) -> tuple[int, set[int], list[tuple[Plan, str]]]:
    """Run a world with each interruption; returns how many there were, their states, and those that fail."""
    plans = [world, *interrupted(world, evidence_of(world)), *(() if world.faults else disk_faults(world))]
    states, failures = set[int](), list[tuple[Plan, str]]()
    for plan in plans:
        night = evidence_of(plan)
        states |= _states_of(plan, night)
        failures += [(plan, what) for what in violations(night)[:1]]
    return len(plans), states, failures


def _states_of(plan: Plan, night: Evidence) -> set[int]:
    """The states that a night passes, each as a number: what has happened so far, without the times."""
    state, found = zlib.crc32(repr(plan.rows).encode()), set[int]()
    for line in night.trace:
        text = line.split(maxsplit=1)[1].encode()
        state = (zlib.crc32(text, state & 0xFFFFFFFF) << 32) | zlib.adler32(text, state >> 32)
        found.add(state)
    return found
