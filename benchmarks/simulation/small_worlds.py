"""Small worlds, completely: every position of one fault and of one interruption in jobs of up to four rows.

The code itself is the model. A world is a job of one to four rows in one or two chunks, both in flight at once, with at
most one fault on a bulk upsert. Each of the three delays of a chunk's request (to connect, to arrive, to come back) is
short or long, and all combinations are run. An interruption happens at every boundary, but once only where the same
things have happened in the same order: that is one state, even if it was reached at other times.
"""

from __future__ import annotations

import multiprocessing
import time
import zlib
from collections.abc import Iterator
from itertools import product

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
_N_DELAYS = 6
"""Of the requests of two chunks; those of a request that is repeated are short."""
_MOST_CHANGES = 400
"""Changes of files in one piece of work, at most."""
_N_REMAINS = 2
"""Selections of the writes that were not synced, drawn for each failure of power."""


@attrs.define
class Explored:
    """What was run."""

    n_nights: int = 0
    states: set[int] = attrs.field(factory=set)
    """All that had happened so far, at each instant, as numbers."""
    failures: list[tuple[Plan, str]] = attrs.field(factory=list)

    def add(self, plan: Plan) -> Evidence:
        """Run a night, and judge it."""
        night = evidence_of(plan)
        self.n_nights += 1
        self.states.update(_states_of(plan, night.trace))
        self.failures += [(plan, what) for what in violations(night)[:1]]
        return night


def worlds(inputs: tuple[tuple[PlannedRow, ...], ...] = INPUTS) -> Iterator[Plan]:
    """The worlds with at most one fault, without an interruption."""
    for number, rows in enumerate(inputs):
        world = Plan(seed=number, model="tasks", rows=rows, chunk_size=2, delays=())
        yield world
        for name in FAULTS:
            for call in (1, 2):
                yield attrs.evolve(world, faults=(PlannedFault(name, call, is_of_upserts=True),))


def explore(world: Plan) -> Explored:
    """Run a world with every combination of delays, and with an interruption in each state that it passes."""
    found, seen = Explored(), set[int]()
    for delays in product((False, True), repeat=_N_DELAYS if len(world.rows) > 1 else _N_DELAYS // 2):
        timed = attrs.evolve(world, delays=delays)
        event = 0
        trace = found.add(timed).trace
        for state, line in zip(_states_of(timed, trace), trace, strict=True):
            _, process, what = line.split(maxsplit=2)
            if process != "upsert1" or what == "starts":
                continue
            event += 1
            if state not in seen:
                seen.add(state)
                for kind in ("kill", "cancel", "stop"):
                    found.add(_with(timed, Interruption(kind, event, wait=0.0)))
    if not world.faults:
        _damage(world, found)
    return found


def _damage(world: Plan, found: Explored) -> None:
    """Lose the power before every change of a file, cancel between boundaries, and let every change fail."""
    quiet = found.add(world)
    events = [line.split(maxsplit=2)[2] for line in quiet.trace if line.split()[1] == "upsert1"][1:]
    for event, what in enumerate(events, 1):
        for steps in (1, 2, 3):
            found.add(_with(world, Interruption("cancel", event, steps=steps, wait=0.0)))
        for change in range(1, _MOST_CHANGES) if what.startswith("begins ") else ():
            failure = Interruption("power", event, change=change, wait=0.0)
            night = found.add(_with(world, failure))
            if not any("** power **" in line for line in night.trace):
                break  # the work has fewer changes
            for seed in range(1, _N_REMAINS):
                found.add(_with(attrs.evolve(world, seed=100 * seed), failure))
    for change, kind in product(range(1, quiet.n_changes + 1), ("full", "error", "filled")):
        found.add(attrs.evolve(world, disk_faults=(DiskFault(change, kind),)))


def _with(world: Plan, interruption: Interruption) -> Plan:
    return attrs.evolve(world, interruptions=(interruption,))


def run(*, n_processes: int = 1) -> None:
    """Run all of them, and print how many states there were."""
    started, total = time.monotonic(), Explored()
    with multiprocessing.get_context("fork").Pool(n_processes, maxtasksperchild=1) as pool:
        for one in pool.imap_unordered(explore, worlds()):
            total.n_nights += one.n_nights
            total.states |= one.states
            total.failures += one.failures
    seconds, n_worlds = time.monotonic() - started, len([*worlds()])
    print(
        f"{n_worlds} worlds, {total.n_nights:,} nights with {len(total.states):,} states in {seconds:.0f} s; ", end=""
    )
    print(f"{len(total.failures):,} nights fail")
    for plan, what in total.failures[:10]:
        print(f"{what}\n    {plan}")
    if total.failures:
        raise SystemExit(1)


def _states_of(plan: Plan, trace: list[str]) -> list[int]:
    """The states that a night passes, each as a number: what has happened so far, without the times."""
    state, found = zlib.crc32(repr((plan.rows, plan.faults)).encode()), list[int]()
    for line in trace:
        text = line.split(maxsplit=1)[1].encode()
        state = (zlib.crc32(text, state & 0xFFFFFFFF) << 32) | zlib.adler32(text, state >> 32)
        found.append(state)
    return found
