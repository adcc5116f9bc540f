"""Test a real file: 8,469 support tickets with line breaks in their texts."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from planhat_async.cli.app import app

FILE = Path(__file__).parents[2] / "shared/data/support_tickets.csv"
COLUMNS = {
    "source_id": "Ticket ID",
    "email": "Customer Email",
    "title": "Ticket Subject",
    "description": "Ticket Description",
    "status": "Ticket Status",
}
OPTIONS = [
    *(text for field, column in COLUMNS.items() for text in ("--map", f"{field}={column}")),
    *("--set", "source=kaggle", "--set", "company_external_id=acme"),
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILE.exists(), reason="the file is not part of the repository"),
]


@pytest.fixture(scope="module")
def _planhat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Put a separate sandbox with Planhat's limits in the environment."""
    command = [sys.executable, "-m", "planhat_async", "sandbox", "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLANHAT_")}
    process = subprocess.Popen(
        command, cwd=tmp_path_factory.mktemp("sandbox"), env=environment, stdout=subprocess.PIPE, text=True
    )
    with process, pytest.MonkeyPatch.context() as patch:
        assert process.stdout is not None
        found = re.fullmatch(r"listening on (\S+)\n", process.stdout.readline())
        assert found is not None
        patch.setenv("PLANHAT_BASE_URL", found[1])
        patch.setenv("PLANHAT_API_TOKEN", "any")
        yield
        process.terminate()
        assert process.wait(timeout=60) == 0


@pytest.fixture(scope="module")
def both_results(_planhat: None) -> list[dict[str, Any]]:
    """Return the results of writing all tickets twice."""
    results = [CliRunner().invoke(app, ["upsert", "tickets", str(FILE), *OPTIONS, "--json"]) for _ in range(2)]
    assert [result.exit_code for result in results] == [0, 0]
    return [json.loads(result.stdout) for result in results]


@pytest.fixture(scope="module")
def exported(both_results: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return all tickets, exported after both runs."""
    out = tmp_path_factory.mktemp("export") / "out.jsonl"
    result = CliRunner().invoke(app, ["export", "tickets", "-o", str(out)])
    assert (result.exit_code, len(both_results)) == (0, 2)
    return [json.loads(line) for line in out.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """Return the rows of the file, from Python's own reader."""
    with FILE.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_ticket_is_created_by_the_first_run(both_results: list[dict[str, Any]]) -> None:
    """Two calls are made, without repeats."""
    printed = {name: both_results[0][name] for name in ("rows", "created", "ok", "calls", "attempts", "problems")}
    assert printed == {"rows": 8469, "created": 8469, "ok": True, "calls": 2, "attempts": 2, "problems": []}


def test_no_ticket_is_created_by_the_second_run(both_results: list[dict[str, Any]]) -> None:
    """All tickets exist already."""
    printed = {name: both_results[1][name] for name in ("rows", "created", "unreported", "ok")}
    assert printed == {"rows": 8469, "created": 0, "unreported": 8469, "ok": True}


def test_every_ticket_is_exported_once(exported: list[dict[str, Any]], rows: list[dict[str, str]]) -> None:
    """All 8,469 tickets have unique keys in the file and in the export."""
    assert len(exported) == len({ticket["_id"] for ticket in exported}) == 8469
    assert sorted(ticket["sourceId"] for ticket in exported) == sorted(row["Ticket ID"] for row in rows)


def test_every_text_is_exported_unchanged(exported: list[dict[str, Any]], rows: list[dict[str, str]]) -> None:
    """Many of them contain line breaks."""
    texts = {row["Ticket ID"]: tuple(row[column] for column in COLUMNS.values()) for row in rows}
    wire = ("sourceId", "email", "title", "description", "status")
    assert {ticket["sourceId"]: tuple(ticket[name] for name in wire) for ticket in exported} == texts
    assert sum("\n" in row["Ticket Description"] for row in rows) > 1000


def test_every_ticket_got_the_constants(exported: list[dict[str, Any]]) -> None:
    """Other fields are not affected."""
    assert {(ticket["source"], ticket["companyExternalId"]) for ticket in exported} == {("kaggle", "acme")}


MAPPING = """
time_zone = "UTC"

[columns]
"Ticket ID" = "source_id"
"Customer Email" = "email"
"Ticket Subject" = "title"
"Ticket Description" = "description"
"Ticket Status" = "status"
"Date of Purchase" = "custom.purchased"

[constants]
source = "kaggle"
company_external_id = "acme"

[dates]
"custom.purchased" = "%Y-%m-%d"
"""


@pytest.mark.usefixtures("_planhat")
def test_a_job_with_a_mapping_file_stores_every_ticket(rows: list[dict[str, str]], tmp_path: Path) -> None:
    """A dry run predicts the result; a rerun sends no row."""
    (tmp_path / "mapping.toml").write_text(MAPPING)
    command = ["upsert", "tickets", str(FILE), "--map", str(tmp_path / "mapping.toml"), "--json"]
    plan = json.loads(CliRunner().invoke(app, [*command, "--dry-run"]).stdout)
    assert (plan["rows"], plan["invalid"], plan["calls"], plan["duplicates"]) == (8469, 0, 2, 0)
    for _ in range(2):
        printed = json.loads(CliRunner().invoke(app, [*command, "--journal", str(tmp_path / "job.db")]).stdout)
        assert (printed["rows"], printed["ok"], printed["calls"]) == (8469, True, 2)
    out = tmp_path / "out.jsonl"
    CliRunner().invoke(app, ["export", "tickets", "-o", str(out)])
    stored = {ticket["sourceId"]: ticket for ticket in map(json.loads, out.read_bytes().splitlines())}
    bought = {row["Ticket ID"]: f"{row['Date of Purchase']}T00:00:00.000Z" for row in rows}
    assert {key: ticket["custom"]["purchased"] for key, ticket in stored.items()} == bought


@pytest.mark.usefixtures("_planhat")
def test_the_second_night_sends_only_the_edited_row(tmp_path: Path) -> None:
    """Without an edit it makes no call at all; one edited line makes one."""
    copy, state = tmp_path / FILE.name, tmp_path / "stored"
    copy.write_bytes(FILE.read_bytes())
    command = ["upsert", "tickets", str(copy), *OPTIONS, "--changed-only", str(state), "--json"]
    first = CliRunner().invoke(app, command)
    assert "there was no state of earlier jobs: no row was skipped" in first.stderr
    quiet = json.loads(CliRunner().invoke(app, command).stdout)
    assert (quiet["rows"], quiet["skipped"], quiet["ok"], quiet["calls"]) == (8469, 8469, True, 0)
    text = copy.read_bytes()
    assert text.count(b"carrollallison@example.com") == 1
    copy.write_bytes(text.replace(b"carrollallison@example.com", b"carroll@example.com"))
    plan = json.loads(CliRunner().invoke(app, [*command, "--dry-run"]).stdout)
    assert (plan["skipped"], plan["stored"], plan["to_send"], plan["calls"]) == (8468, 0, 1, 1)
    edited = json.loads(CliRunner().invoke(app, [*command, "--journal", str(tmp_path / "night.db")]).stdout)
    assert (edited["skipped"], edited["updated"], edited["calls"]) == (8468, 1, 1)
    assert state.stat().st_size < 60 * 8469
