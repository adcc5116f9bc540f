"""Test streams of new records into Spark whose driver is killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from documents import ROOT
from sandbox_thread import SandboxThread, sandbox_thread
from spark_settings import write_defaults

from planhat_async.sandbox import Sandbox

pytest.importorskip("pyspark", reason="pyspark is not installed: .ci/engines installs it")
pytest.importorskip("pyspark.sql.streaming.datasource", reason="streams need PySpark 4.2")
if shutil.which("java") is None:
    pytest.skip("Java is not installed, which Spark needs", allow_module_level=True)

import pyarrow.parquet as pq

pytestmark = [pytest.mark.engines, pytest.mark.slow]

N_BATCHES, RUNS = 8, [("3", "after"), ("0", "never")]
"""In which batch, and when, each driver is killed; each takes long to start."""
if os.environ.get("ENGINE_TESTS") == "all":
    N_BATCHES, RUNS = 20, [("6", "after"), ("13", "before"), ("0", "never")]


@contextmanager
def started(server: SandboxThread, folder: Path, *until: str) -> Iterator[subprocess.Popen[str]]:
    """Start a driver in a session of its own; kill it with its JVM by SIGKILL at the end, or after three minutes."""
    settings = {
        "PLANHAT_BASE_URL": server.planhat.url,
        "PLANHAT_API_TOKEN": server.planhat.token,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "SPARK_CONF_DIR": str(write_defaults(folder / f"conf-{until[0]}")),
    }
    command = [sys.executable, str(Path(__file__).with_name("stream_driver.py")), str(folder), *until]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    timer = threading.Timer(180, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


class Records:
    """New records of a tenant, of which some are deleted once they have been streamed."""

    def __init__(self, server: SandboxThread, seed: int) -> None:
        self._server = server
        self._draw = random.Random(seed)
        self.ids: list[str] = []
        self.create(6_000)

    def create(self, n: int | None = None) -> None:
        """Create some, in one step as Planhat sees it."""

        async def add() -> None:
            for _ in range(self._draw.randrange(1, 300) if n is None else n):
                fields = {"action": "Call", "isArchived": self._draw.random() < 0.3}
                self.ids.append(self._server.planhat.add("tasks", fields)["_id"])

        self._server.run(add())


def stored(folder: Path) -> list[str]:
    """Return the `_id`s in the sink, as often as they are there."""
    files = (folder / "out").glob("batch=*/*.parquet")
    return sorted(id_ for file in files for id_ in pq.read_table(file, columns=["_id"])["_id"].to_pylist())


def missing_and_repeated(found: list[str], ids: list[str]) -> tuple[int, int]:
    return len({*ids} - {*found}), len(found) - len({*found})


def test_a_killed_stream_yields_every_new_record_once(tmp_path: Path) -> None:
    """It is killed when one of its batches is stored, and Spark has not noted that; new records come all the time."""
    n_stored = 0
    with sandbox_thread(Sandbox("secret-token", per_minute=None, per_second=None)) as server:
        records = Records(server, seed=3)
        for until in RUNS:
            with started(server, tmp_path, *until) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    if line == "waiting\n":
                        break
                    n_stored = int(line.removeprefix("stored "))
                    if n_stored < N_BATCHES:
                        records.create()
                    elif stored(tmp_path) == sorted(records.ids):
                        break
                else:
                    n_missing, n_twice = missing_and_repeated(stored(tmp_path), records.ids)
                    log = (tmp_path / "log").read_text()[-2000:]
                    pytest.fail(f"{n_missing} records are missing, {n_twice} came twice: {log}")
    assert n_stored >= N_BATCHES
    assert len(records.ids) > 6_000 + 50 * (N_BATCHES - 1)
