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
_SECONDS = 1800.0
"""After which a mutation that makes a night endless counts as found."""


@attrs.frozen
class Found:
    """The fate of one mutation."""

    file: str
    what: str
    by: str
    """The first violation, or how the search ended; empty if nothing was found."""


def search(part: str, *, seeds: str, n_processes: int) -> Iterator[Found]:
    """Search for the mutations whose file or description has this part; yields the results in their order.

    Args:
        part: Empty for all mutations.
        seeds: The nights that are run with each, until one fails.
        n_processes: How many mutations are searched for at a time.
    """
    chosen = [one for one in MUTATIONS if part in f"{one[0]}: {one[1]}"]
    with ThreadPoolExecutor(n_processes) as threads:
        yield from threads.map(lambda one: _search_one(*one, seeds=seeds), chosen)


def unfit() -> list[str]:
    """The mutations whose text does not occur exactly once."""
    found = []
    for file, what, old, _ in MUTATIONS:
        n_times = (_PACKAGES["planhat_async"] / file).read_text("utf-8").count(old)
        if n_times != 1:
            found.append(f"{file}: {what}: its text occurs {n_times} times")
    return found


FAILED_ONCE = (50163, 69690, 80547, 100294, 106788, 110100, 111240)
"""Nights that the search has found, and that pass now: see docs/simulation.md."""


def _search_one(file: str, what: str, old: str, new: str, *, seeds: str) -> Found:
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        for name, source in _PACKAGES.items():
            shutil.copytree(source, Path(folder) / name)
        path = Path(folder) / "planhat_async" / file
        text = path.read_text("utf-8")
        if text.count(old) != 1:
            raise SystemExit(f"{file}: {what}: the text of the mutation does not occur once")
        path.write_text(text.replace(old, new), "utf-8")
        nights = (seeds, *(f"{one}-{one}" for one in FAILED_ONCE))
        by = next(filter(None, (_first_failure(Path(folder), each) for each in nights)), "")
    return Found(file, what, by)


def _first_failure(folder: Path, seeds: str) -> str:
    command = [sys.executable, "-m", "benchmarks", "simulate", "--seeds", seeds, "--first", "--processes", "1"]
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
        lines.append((one.file, one.what, one.by[:70] or "-"))
    n_found = sum(line[2] != "-" for line in lines)
    body = aligned(("file", "mutation", "found by"), lines, is_text=True)
    return f"{body}\n\n{n_found} of {len(lines)} mutations are found"
