"""Read whole lists of tasks with this library and in other ways, each in its own process, the server in another.

CPU time, stalls and calls are measured with the small list, in interleaved rounds. Slow measurements are made once:
the server with latency, and the large list. Subjects that would take minutes for the large list with latency
(`cruds`, `robocorp-planhat`) read it without latency, to measure their memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.benchmark import Benchmark, Step, Subjects
from benchmarks.processes import serving
from benchmarks.reading.subjects import SUBJECTS
from benchmarks.reading.table import table
from benchmarks.reading.targets import LATENCIES, targets
from benchmarks.results import Setting


def steps(subjects: Subjects, small: int, large: int, rounds: int) -> Iterator[Step]:
    """Yield the measurements in order."""
    yield Step(Setting(n_rows=small), subjects, rounds)
    yield Step(Setting(n_rows=small, is_ticking=True), subjects, rounds)
    for latency in LATENCIES:
        yield Step(Setting(n_rows=small, latency=latency), subjects)
    yield Step(Setting(n_rows=large, latency=LATENCIES[-1]), tuple(one for one in subjects if not one.is_slow))
    yield Step(Setting(n_rows=large), tuple(one for one in subjects if one.is_slow))


READING = Benchmark(
    name="reading",
    help="read whole lists",
    description=__doc__,
    subjects=SUBJECTS,
    serving=lambda n_rows: serving("benchmarks.reading.server", str(n_rows)),
    steps=steps,
    table=table,
    targets=targets,
    title="Reading {n_rows:,} tasks in pages of 10,000: CPU time and stalls of each client",
)
