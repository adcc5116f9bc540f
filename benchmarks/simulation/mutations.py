"""Damages the package in one place at a time, and sees whether the nights find it.

Each mutation replaces a text that occurs once in its file. A copy of the package with it runs nights until one fails.
The tests of the package are not used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

import planhat_async
from benchmarks.simulation.journal_mutations import JOURNAL_MUTATIONS
from benchmarks.simulation.request_mutations import REQUEST_MUTATIONS
from benchmarks.tables import aligned

MUTATIONS = (*JOURNAL_MUTATIONS, *REQUEST_MUTATIONS)
"""Each with its file, what is damaged, the text, and what takes its place."""
_PACKAGES = {"planhat_async": Path(planhat_async.__file__).parent, "benchmarks": Path(__file__).parents[1]}
_NIGHTS = "0-399"
_MINUTES = "1.5"
"""After which no other night is begun."""
_SECONDS = 300.0
"""After which a mutation that makes a night endless counts as found."""


@attrs.frozen
class Found:
    """The fate of one mutation."""

    file: str
    what: str
    by: str
    """The first violation, or how the search ended; empty if nothing was found."""
    seconds: float


def search(*, n_processes: int) -> Iterator[Found]:
    """Search for every mutation, several at a time; yields the results in their order."""
    with ThreadPoolExecutor(n_processes) as threads:
        yield from threads.map(_search_one, range(len(MUTATIONS)))


def unfit() -> list[str]:
    """The mutations whose text does not occur exactly once."""
    found = []
    for file, what, old, _ in MUTATIONS:
        n_times = (_PACKAGES["planhat_async"] / file).read_text("utf-8").count(old)
        if n_times != 1:
            found.append(f"{file}: {what}: its text occurs {n_times} times")
    return found


def _search_one(number: int) -> Found:
    file, what, old, new = MUTATIONS[number]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        for name, source in _PACKAGES.items():
            shutil.copytree(source, Path(folder) / name, ignore=shutil.ignore_patterns("__pycache__"))
        path = Path(folder) / "planhat_async" / file
        text = path.read_text("utf-8")
        if text.count(old) != 1:
            raise SystemExit(f"{file}: {what}: the text of the mutation does not occur once")
        path.write_text(text.replace(old, new), "utf-8")
        by = _first_failure(Path(folder))
    return Found(file, what, by, time.monotonic() - started)


def _first_failure(folder: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "simulate",
        "--seeds",
        _NIGHTS,
        "--first",
        "--processes",
        "1",
        "--minutes",
        _MINUTES,
    ]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(  # noqa: S603 - our own command
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "a night does not end"
    if ended.returncode == 0:
        return ""
    failed = [line for line in ended.stdout.splitlines() if line.startswith("night ")]
    return failed[0] if failed else f"it crashes: {ended.stderr.strip().splitlines()[-1:]}"


def table(results: Iterable[Found]) -> str:
    """A line for each mutation, and how many were found."""
    lines = []
    for one in results:
        print(f"{one.file}: {one.what}: {one.by or 'NOT FOUND'}", file=sys.stderr, flush=True)
        lines.append((one.file, one.what, one.by[:70] or "-", f"{one.seconds:.0f} s"))
    n_found = sum(line[2] != "-" for line in lines)
    body = aligned(("file", "mutation", "found by", "time"), lines, is_text=True)
    return f"{body}\n\n{n_found} of {len(lines)} mutations are found"
