"""Write tickets from a generator in chunks of 5,000, each time in a process of its own, the server in another.

CPU time and stalls are measured with the small number of rows, in interleaved rounds. Slow measurements are made
once: latency, and many rows. The cost of the generator is in every number, and in a line of its own. This library
has rate limits that it never reaches; Planhat's own would determine every duration.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.benchmark import Benchmark, Step, Subjects
from benchmarks.processes import serving
from benchmarks.results import Setting
from benchmarks.writing.subjects import IDLE, SUBJECTS
from benchmarks.writing.table import LATENCY, table
from benchmarks.writing.targets import targets


def steps(subjects: Subjects, small: int, large: int, rounds: int) -> Iterator[Step]:
    """Yield the measurements in order."""
    senders = [one for one in subjects if not one.is_alone]
    yield Step(Setting(n_rows=small), [one for one in subjects if one is not IDLE], rounds)
    ticking = Setting(n_rows=small, is_ticking=True)
    yield Step(ticking, [one for one in senders if one.is_slow])  # stalls need no rounds to show
    yield Step(ticking, [one for one in subjects if one is IDLE or not (one.is_slow or one.is_alone)], rounds)
    yield Step(Setting(n_rows=small, latency=LATENCY), senders)
    yield Step(Setting(n_rows=large, latency=LATENCY), [one for one in senders if not one.is_slow])
    yield Step(Setting(n_rows=large), [one for one in senders if one.is_slow])


WRITING = Benchmark(
    name="writing",
    help="write tickets by the thousand",
    description=__doc__,
    subjects=SUBJECTS,
    serving=lambda _: serving("benchmarks.writing.server"),
    steps=steps,
    table=table,
    targets=targets,
    title="Writing {n_rows:,} tickets in chunks of 5,000: CPU time and stalls of each client",
)
