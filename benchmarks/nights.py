"""What the state of nightly runs costs: a million records in a snapshot, a million rows that are skipped."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from planhat_async.batching.chunks import Row
from planhat_async.jobs.nightly.snapshot import Snapshot, SnapshotReading
from planhat_async.jobs.nightly.stored_rows import SentRow
from planhat_async.jobs.nightly.stored_rows_file import StoredRowsFile

_CHUNK = 5000
_TEXT = b"x" * 400


def add_command(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("nights", help=__doc__, description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    for name, measure in (("snapshot", _snapshot), ("changed-only", _changed_only)):
        results: Any = multiprocessing.get_context("spawn").SimpleQueue()
        process = multiprocessing.get_context("spawn").Process(target=_measured, args=(measure, options.rows, results))
        process.start()
        process.join()
        print(f"{name}, {options.rows:,} rows: {results.get()}")


def _measured(measure: Callable[[int], str], n_rows: int, results: Any) -> None:
    results.put(measure(n_rows))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _records(n_rows: int, version: int) -> Iterator[tuple[str, bytes]]:
    """Records of two lists, as tasks have; in one of a hundred something changes from one version to the next."""
    for is_archived in (False, True):
        for number in range(is_archived, n_rows, 2):
            id_ = f"{number + 2**80:024x}"
            yield id_, b"%s %d %s" % (id_.encode(), version if number % 100 == 0 else 0, _TEXT)


def _snapshot(n_rows: int) -> str:
    empty, began = _peak_mb(), time.process_time()
    for _ in _records(n_rows, 0):
        pass
    made = time.process_time() - began
    before, seconds, found = b"", list[float](), (0, 0)
    for version in (0, 1):
        began = time.process_time()
        reading = SnapshotReading(Snapshot.unpack(before))
        n_changed = sum(reading.take(id_, row) is not None for id_, row in _records(n_rows, version))
        found = (n_changed, sum(1 for _ in reading.missing()))
        before = reading.result().pack()
        seconds.append(time.process_time() - began - made)
    if found != (n_rows // 100, 0):
        raise AssertionError(found)
    per_row = " and ".join(f"{one / n_rows * 1e6:.2f}" for one in seconds)
    return (
        f"{len(before):,} bytes of state, {_peak_mb() - empty:.0f} MB of memory, {per_row} µs a record (first, later)"
    )


def _changed_only(n_rows: int) -> str:
    rows = [Row(number, (f"sourceId={number}",), b"%d %s" % (number, _TEXT)) for number in range(n_rows)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        file = StoredRowsFile(path)
        file.begin_job({})
        began = time.perf_counter()
        for start in range(0, n_rows, _CHUNK):
            sent = [SentRow.of(row) for row in rows[start : start + _CHUNK]]
            file.doubt(sent)
            file.keep(sent)
        written = time.perf_counter() - began
        began = time.perf_counter()
        file.begin_job({})
        merged = time.perf_counter() - began
        before, began = _peak_mb(), time.perf_counter()
        stored = file.stored_rows()
        loaded, memory = time.perf_counter() - began, _peak_mb() - before
        began = time.process_time()
        n_held = sum(map(stored.holds, rows))
        held = time.process_time() - began
        file.close()
        if n_held != n_rows:
            raise AssertionError(n_held)
        size = os.path.getsize(path)
    return (
        f"{size:,} bytes of state, {memory:.0f} MB more memory, {written / n_rows * 1e6:.1f} µs to note a row that is "
        f"sent, {held / n_rows * 1e6:.1f} µs to skip one, {merged:.1f} s to begin a job, {loaded:.1f} s to read"
    )
