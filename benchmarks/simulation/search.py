"""Runs many nights, and prints the results; a night that fails is made smaller."""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs

from benchmarks.simulation import mutations, small_worlds
from benchmarks.simulation.coverage import coverage_table
from benchmarks.simulation.night import evidence_of
from benchmarks.simulation.oracles import violations
from benchmarks.simulation.plan import plan_of
from benchmarks.simulation.shrinking import shrunk

_BATCH = 20
"""Nights of one piece of work."""


@attrs.define
class Tally:
    """The results of many nights."""

    n_nights: int = 0
    hours: float = 0.0
    """Simulated time."""
    failures: list[tuple[int, list[str]]] = attrs.field(factory=list)
    """Seeds, and what is wrong."""
    seen: Counter[tuple[Any, ...]] = attrs.field(factory=Counter)
    """How many nights had each interruption, fault and outcome."""

    def add(self, other: Tally) -> None:
        """Add the results of other nights."""
        self.n_nights += other.n_nights
        self.hours += other.hours
        self.failures += other.failures
        self.seen += other.seen


def run(options: argparse.Namespace) -> None:
    """Run the nights, and print the results."""
    if options.mutations is not None:
        found = mutations.search(options.mutations, seeds=options.seeds, n_processes=options.processes)
        print(mutations.table(found))
        return
    if options.small_worlds:
        small_worlds.run(n_processes=options.processes)
        return
    first, _, last = options.seeds.partition("-")
    started = time.monotonic()
    until = None if options.minutes is None else started + options.minutes * 60
    tally = Tally()
    for one in _tallies(range(int(first), int(last or first) + 1), options):
        tally.add(one)
        if (options.first and tally.failures) or (until is not None and time.monotonic() > until):
            break
    _show(tally, options, seconds=time.monotonic() - started)


def _tallies(seeds: range, options: argparse.Namespace) -> Iterator[Tally]:
    batches = [seeds[start : start + _BATCH] for start in range(0, len(seeds), _BATCH)]
    if options.processes == 1 or options.trace or len(batches) == 1:
        yield from (tally_of(batch, is_traced=options.trace, is_first=options.first) for batch in batches)
        return
    # Frozen processes are not freed: after 200 nights their memory goes with a process of the machine.
    with multiprocessing.get_context("fork").Pool(options.processes, maxtasksperchild=10) as pool:
        yield from pool.imap_unordered(tally_of, batches)


def tally_of(seeds: range, *, is_traced: bool = False, is_first: bool = False) -> Tally:
    """Run nights one after another."""
    tally = Tally()
    for seed in seeds:
        night = evidence_of(plan_of(seed))
        if is_traced:
            print("\n".join(night.trace))
        tally.n_nights += 1
        tally.hours += night.hours
        tally.seen.update(night.coverage)
        if found := violations(night):
            tally.failures.append((seed, found))
            if is_first:
                break
    return tally


def _show(tally: Tally, options: argparse.Namespace, *, seconds: float) -> None:
    print(f"{tally.n_nights:,} nights in {seconds:.0f} s: {tally.n_nights / seconds:.1f} a second, ", end="")
    print(f"{tally.hours:,.0f} simulated hours ({tally.hours / seconds:.1f} a second)")
    if options.coverage:
        print(coverage_table(tally.seen))
    for seed, found in sorted(tally.failures)[:20]:
        print(f"night {seed}: {found[0]}")
    if not tally.failures:
        return
    if not options.first:
        seed = min(tally.failures)[0]
        smallest = shrunk(plan_of(seed))
        print(f"\nnight {seed}, made smaller:\n{smallest}\n")
        night = evidence_of(smallest)
        print("\n".join([*night.trace, *violations(night)]))
        print(f"\nthe whole night again: python -m benchmarks simulate --seeds {seed} --trace")
    raise SystemExit(f"{len(tally.failures):,} nights fail")
