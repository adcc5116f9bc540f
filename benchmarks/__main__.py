"""`python -m benchmarks` with the name of a benchmark, from the repository's root."""

from __future__ import annotations

import argparse

from benchmarks import fuzz, nights, simulate, soak, spark, sync, waiting
from benchmarks.arrow import benchmark as arrow
from benchmarks.jobs import benchmark as jobs
from benchmarks.pacing import benchmark as pacing
from benchmarks.reading.benchmark import READING
from benchmarks.writing.benchmark import WRITING


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="BENCHMARK")
    for benchmark in (READING, WRITING, arrow, jobs, soak, waiting, pacing, sync, fuzz, spark, nights, simulate):
        benchmark.add_command(commands)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
