"""Test the example of an Airflow DAG: a try that is killed is resumed by the next one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT, blocks
from made_ids import id_of
from sandbox_thread import SandboxThread, sandbox_thread

from planhat_async.sandbox import Sandbox

needs_airflow = pytest.mark.skipif(
    importlib.util.find_spec("airflow") is None, reason="Airflow is not installed: pip install apache-airflow"
)
TASK = [sys.executable, str(Path(__file__).with_name("airflow_task.py"))]
N_ROWS = 60_000


@pytest.fixture
def server() -> Iterator[SandboxThread]:
    """Yield a sandbox."""
    with sandbox_thread(Sandbox("secret-token", per_minute=None, per_second=None)) as running:
        yield running


def started(server: SandboxThread, file: Path, **others: str) -> subprocess.Popen[str]:
    """Start a try of the task."""
    settings = {
        "PLANHAT_BASE_URL": server.planhat.url,
        "PLANHAT_API_TOKEN": server.planhat.token,
        "AIRFLOW_HOME": str(file.with_name("airflow")),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [*TASK, str(file)],
        env=os.environ | settings | others,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, list[Any], str]:
    """Return how a try ended: its exit code, what it printed as JSON, and its errors."""
    out, err = process.communicate(timeout=120)
    return process.returncode, [json.loads(line) for line in out.splitlines() if line.startswith("{")], err


def written(folder: Path, n_rows: int, **others: Any) -> Path:
    file = folder / "calls.jsonl"
    rows = ({"source_id": f"crm-{number}", "company_id": id_of(1), "action": "Call"} for number in range(n_rows))
    file.write_text("".join(json.dumps(row | others) + "\n" for row in rows))
    return file


def test_the_guide_shows_the_example() -> None:
    """Word for word."""
    guide = (ROOT / "docs" / "guides" / "airflow.md").read_text(encoding="utf-8")
    (shown,) = (body for kind, body in blocks(guide) if kind == "python")
    assert shown == (ROOT / "examples" / "airflow_dag.py").read_text(encoding="utf-8")


@needs_airflow
@pytest.mark.engines
@pytest.mark.slow
def test_a_killed_try_is_resumed_by_the_next_one(server: SandboxThread, tmp_path: Path) -> None:
    """Each row is stored once, and what was answered is not sent again; Airflow reads the DAG without errors."""
    file = written(tmp_path, N_ROWS)
    with started(server, file) as first:
        while len(server.planhat.requests) < 5:
            assert first.poll() is None
            time.sleep(0.002)
        first.kill()
    n_before = len(server.planhat.requests)
    assert 5 <= n_before < N_ROWS // 5000

    code, (found, counts), errors = ended(started(server, file))
    assert (code, found) == (0, {"errors": {}, "tasks": {"write_calls": 0, "store_calls": 4}}), errors
    assert sum(counts.values()) == N_ROWS
    assert {name for name, n in counts.items() if n} <= {"created", "updated", "unchanged"}
    assert len(server.planhat.requests) - n_before < N_ROWS // 5000
    stored = [task["sourceId"] for task in server.planhat.records("tasks")]
    assert sorted(stored) == sorted(f"crm-{number}" for number in range(N_ROWS))


@needs_airflow
@pytest.mark.engines
@pytest.mark.slow
def test_only_rows_that_may_still_be_stored_are_tried_again(server: SandboxThread, tmp_path: Path) -> None:
    """Refused rows end the task; without an answer, Airflow tries again."""
    file = written(tmp_path, 3, companyId="acme")
    code, _, errors = ended(started(server, file))
    assert code == 1
    assert "AirflowFailException: 3 of 3 rows were refused" in errors
    assert len((tmp_path / "refused.jsonl").read_text().splitlines()) == 3

    (tmp_path / "again").mkdir()
    file = written(tmp_path / "again", 3)
    code, _, errors = ended(started(server, file, PLANHAT_API_TOKEN="of-another-tenant"))
    assert code == 1
    assert "UpsertError: 3 of 3 rows were not stored" in errors
    assert not (tmp_path / "again" / "refused.jsonl").exists()
    code, (_, counts), errors = ended(started(server, file))
    assert (code, counts["created"]) == (0, 3), errors
