"""`python -m benchmarks reading`, run from the root of the repository."""

from __future__ import annotations

import argparse

from benchmarks import reading


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    reading.add_command(parser.add_subparsers(required=True, metavar="BENCHMARK"))
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
