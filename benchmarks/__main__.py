"""`python -m benchmarks reading` and `jobs`, run from the root of the repository."""

from __future__ import annotations

import argparse

from benchmarks import jobs, reading


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="BENCHMARK")
    for benchmark in (reading, jobs):
        benchmark.add_command(commands)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
