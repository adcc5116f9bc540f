"""The cost of an upsert in a process of its own, and the server that takes it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

MAX_MEMORY = 250e6


@attrs.frozen
class Cost:
    """The cost of one upsert."""

    seconds: float
    cpu: float
    peak_bytes: int
    journal_bytes: int = 0


def measured(command: Sequence[str], url: str, *, path: str | None = None) -> tuple[Cost, str]:
    """Run a command of Python, and return its cost and its output.

    Args:
        command: The arguments of Python.
        url: The server's.
        path: The checkout from which the package is imported, if it is not this one.

    Raises:
        SystemExit: It failed.
    """
    environment = {**os.environ, "PLANHAT_BASE_URL": url, "PLANHAT_API_TOKEN": "any", "NO_PROXY": "127.0.0.1"}
    if path is not None:
        environment["PYTHONPATH"] = path
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, *command], env=environment, cwd=path, stdout=subprocess.PIPE, text=True
    )
    out = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {out[:500]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(seconds=seconds, cpu=usage.ru_utime + usage.ru_stime, peak_bytes=usage.ru_maxrss * unit), out


def upsert_command(file: Path, *more: str) -> list[str]:
    """The arguments of Python that upsert a file of tickets, and print the result as JSON."""
    return ["-m", "planhat_async", "upsert", "tickets", str(file), "--json", "--per-minute", "100000", *more]


def median(costs: Iterable[Cost], name: str) -> float:
    """The median of one number."""
    numbers: list[float] = [getattr(one, name) for one in costs]
    return statistics.median(numbers)


@contextmanager
def taking() -> Iterator[str]:
    """Run a server that accepts every row; yield its URL."""
    command = [sys.executable, "-m", "benchmarks.taking"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        # The server ends with its standard input, even if this process is killed.
        yield (process.stdout.readline() if process.stdout else "").strip()
        if process.stdin:
            process.stdin.close()
