"""`fuzz`: reads damaged files, and compares with what independent readers find in them.

Each input is a valid file (CSV, JSON, Parquet, workbooks, compressed texts) with bytes flipped, cut, repeated, moved or
inserted. Reading it must end with rows and at most one `SourceError` of one line; it must find the rows that are
there, count the others, and stay within bounds of time and memory. Rejected rows are copied, and the copy is read too.
What fails is saved, and the benchmark ends with an error.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attrs

from benchmarks.fuzzing.mutations import damaged
from benchmarks.fuzzing.seeds import Seed, seeds
from benchmarks.fuzzing.slow_readers import INVALID
from benchmarks.fuzzing.verdict import verdict
from benchmarks.tables import aligned

MOST_SECONDS = 5.0
"""Of CPU time for one input, which is a few kilobytes long."""
MOST_GROWTH_BYTES = 200 * 2**20
"""By which one input may let the memory of its process grow."""
_SILENT_SECONDS = 60.0
"""After which a process that does not end an input is killed."""
_BATCH = 500
"""Inputs of one process."""


@attrs.define
class Tally:
    """What became of the inputs of one format."""

    counts: Counter[str] = attrs.field(factory=Counter)
    failures: list[tuple[int, str]] = attrs.field(factory=list)
    """Inputs by number, and what is wrong with them."""


def add_command(commands: Any) -> None:
    """Add `fuzz` to the command line."""
    parser = commands.add_parser(
        "fuzz", help="read damaged files", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="100,000 by default")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the number of the first input")
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), metavar="FOLDER", help="for what fails")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read the inputs, save those that fail, and print the result."""
    started = time.monotonic()
    until = None if options.minutes is None else started + options.minutes * 60
    numbers = range(options.first, options.first + options.inputs)
    tallies = fuzz(options.seed, numbers, n_processes=options.processes, until=until)
    print(table(tallies))
    print(f"{time.monotonic() - started:.0f} s, seed {options.seed}")
    failures = [(number, what) for tally in tallies.values() for number, what in tally.failures]
    for number, what in sorted(failures):
        seed, data = made(options.seed, number)
        options.keep.mkdir(exist_ok=True)
        (options.keep / f"{number}{seed.suffix}").write_bytes(data)
        print(f"input {number} ({seed.name}{', mapped' * seed.is_mapped}): {what}", file=sys.stderr)
    if failures:
        raise SystemExit(f"{len(failures):,} inputs fail; they are in {options.keep}")


def made(seed: int, number: int) -> tuple[Seed, bytes]:
    """An input by its number."""
    random_ = random.Random(f"{seed} {number}")
    chosen = random_.choice(seeds())
    other = random_.choice([one for one in seeds() if one.format == chosen.format])
    return chosen, damaged(random_, chosen.data, other.data, chosen.format)


@attrs.define
class _Batch:
    """Inputs that are read in a process of their own: damage may end it."""

    seed: int
    numbers: range
    current: Any = attrs.field(factory=lambda: _FORKING.Value("q", -1, lock=False))
    """The number of the input that is being read, in memory that the processes share."""
    process: Any = attrs.field(init=False)
    _results: Connection = attrs.field(init=False)
    _seen: tuple[int, float] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._results, theirs = _FORKING.Pipe(duplex=False)
        self.process = _FORKING.Process(target=_read_all, args=(self.seed, self.numbers, self.current, theirs))
        self.process.start()
        theirs.close()
        self._seen = (-1, time.monotonic())

    def results(self) -> dict[str, Tally] | str | None:
        """The result, why there is none, or `None` while the process goes on."""
        if self._results.poll(0.02):
            try:
                found: dict[str, Tally] = self._results.recv()
            except EOFError:
                self.process.join()
                return f"its process ended with code {self.process.exitcode}"
            self.process.join()
            return found
        now = time.monotonic()
        if self.current.value != self._seen[0]:
            self._seen = self.current.value, now
        if now - self._seen[1] < _SILENT_SECONDS:
            return None
        self.process.kill()
        self.process.join()
        return f"it was not read within {_SILENT_SECONDS:.0f} s"


_FORKING: Any = multiprocessing.get_context("fork")


def fuzz(seed: int, numbers: range, *, n_processes: int = 1, until: float | None = None) -> dict[str, Tally]:
    """Read inputs, and return what became of them, by format."""
    tallies: dict[str, Tally] = {}
    seeds()  # once, before processes are forked
    waiting = [numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH)][::-1]
    running: list[_Batch] = []
    while running or waiting:
        if until is not None and time.monotonic() > until:
            waiting = []
        while waiting and len(running) < n_processes:
            running.append(_Batch(seed, waiting.pop()))
        for batch in [*running]:
            found = batch.results()
            if found is not None:
                running.remove(batch)
            if isinstance(found, str):
                number = batch.current.value
                _tally_of(tallies, made(seed, number)[0]).failures.append((number, found))
                rest = (range(batch.numbers.start, number), range(number + 1, batch.numbers.stop))
                waiting += [part for part in rest if part]
            for format_, tally in found.items() if isinstance(found, dict) else ():
                whole = tallies.setdefault(format_, Tally())
                whole.counts += tally.counts
                whole.failures += tally.failures
    return tallies


def _tally_of(tallies: dict[str, Tally], seed: Seed) -> Tally:
    return tallies.setdefault(seed.name.split()[0], Tally())


def _read_all(seed: int, numbers: range, current: Any, results: Connection) -> None:
    """Read inputs in a process of its own, and send the tallies."""
    results.send(tallies_of(seed, numbers, on_input=lambda number: setattr(current, "value", number)))


def tallies_of(seed: int, numbers: range, *, on_input: Callable[[int], object] = lambda _: None) -> dict[str, Tally]:
    """Read inputs in this process, one after another.

    Args:
        seed: That of the damage.
        numbers: Those of the inputs.
        on_input: Called with the number of each input before it is read.
    """
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            on_input(number)
            chosen, data = made(seed, number)
            _read_one(_tally_of(tallies, chosen), number, chosen, data, Path(folder) / f"input{chosen.suffix}")
    return tallies


def _read_one(tally: Tally, number: int, seed: Seed, data: bytes, path: Path) -> None:
    before, cpu = _peak_bytes(), time.process_time()
    reading = verdict(seed, data, path)
    seconds, growth = time.process_time() - cpu, _peak_bytes() - before
    path.unlink()
    if seconds > MOST_SECONDS:
        reading.faults.append(f"it takes {seconds:.1f} s of CPU time")
    if growth > MOST_GROWTH_BYTES:
        reading.faults.append(f"memory grows by {growth / 2**20:.0f} MiB")
    n_invalid = sum(row is INVALID for row in reading.rows)
    tally.counts.update(
        inputs=1,
        refused=reading.refusal is not None,
        rows=len(reading.rows) - n_invalid,
        invalid=n_invalid,
        blank=reading.n_blank,
        compared=reading.n_compared,
    )
    tally.failures += [(number, fault) for fault in reading.faults]


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def table(tallies: dict[str, Tally]) -> str:
    """A line for each format."""
    names = ("inputs", "refused", "rows", "invalid", "blank", "compared")
    head = ("format", *names, "failures")
    body = [
        (name, *(f"{tally.counts[one]:,}" for one in names), f"{len(tally.failures):,}")
        for name, tally in sorted(tallies.items())
    ]
    return aligned(head, body)
