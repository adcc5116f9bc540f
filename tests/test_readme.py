"""Test that every code block of the README runs, in order."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import documents
import pytest
from documents import ROOT

from planhat_async.sandbox.faults import KINDS

pytestmark = pytest.mark.slow

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = documents.blocks(README)
PYTHON = [body for kind, body in BLOCKS if kind == "python" and "import pytest" not in body]
PYTEST = [body for kind, body in BLOCKS if kind == "python" and "import pytest" in body]
SHELL = [body for kind, body in BLOCKS if kind == "sh"]
SET_UP = [body for body in SHELL if "venv" in body]


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    """Yield the URL of the README's sandbox on a free port."""
    command = next(body for body in SHELL if body.startswith("planhat-async sandbox")).strip()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLANHAT_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "planhat_async", *command.replace("8765", "0").split()[1:], "--per-minute", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("listening on ").strip()
    yield url
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()


def run(command: list[str], url: str, where: Path, settings: Mapping[str, str] | None = None) -> str:
    """Run a command on this sandbox."""
    sandbox = {"PLANHAT_BASE_URL": url, "PLANHAT_API_TOKEN": "any", "PLANHAT_ANALYTICS_URL": url}
    sandbox |= {"PLANHAT_TENANT_UUID": "0b54aee7-1a2b-4c3d-9e8f-0123456789ab"}
    return documents.run(command, where, {**sandbox, **(settings or {})})


@pytest.mark.parametrize("body", PYTHON, ids=range(len(PYTHON)))
def test_python_blocks_run(body: str, sandbox_url: str, tmp_path: Path) -> None:
    """A Python block runs unchanged, and has output if it prints."""
    printed = run([sys.executable, "-W", "error", "-c", body], sandbox_url, tmp_path)
    assert bool(printed) == ("print(" in body)


def test_the_first_example_does_what_its_comments_say(sandbox_url: str, tmp_path: Path) -> None:
    """12,000 tasks are stored and read back."""
    printed = run([sys.executable, "-c", PYTHON[0]], sandbox_url, tmp_path)
    assert " 0 not stored" in printed
    assert "12000 read" in printed


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_the_example_of_a_service_passes_its_tests(mode: str, tmp_path: Path) -> None:
    """They run unchanged, in either mode of pytest-asyncio."""
    (body,) = PYTEST
    (tmp_path / "test_service.py").write_text(body, encoding="utf-8")
    settings = f"asyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{settings}")
    assert "4 passed" in run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider"], "", tmp_path)


def test_the_command_line_block_runs(sandbox_url: str, tmp_path: Path) -> None:
    """The example stores both of its tickets, whose values have a help desk's own forms, and exports them."""
    (body,) = (body for body in SHELL if "upsert tickets" in body)
    run(["bash", "-eu", "-c", body.replace("http://127.0.0.1:8765", sandbox_url)], sandbox_url, tmp_path)
    assert "<svg" in (tmp_path / "report.html").read_text(encoding="utf-8")
    exported = [json.loads(line) for line in (tmp_path / "tickets.jsonl").read_bytes().splitlines()]
    names = ("sourceId", "email", "title", "description", "tags", "custom")
    assert [tuple(ticket[name] for name in names[: 6 if ticket["tags"] else 4]) for ticket in exported] == [
        (
            "1",
            "joerg.mueller@acme.example",
            "Anmeldung schlägt fehl",
            "Guten Tag,\nseit Dienstag kann ich mich nicht anmelden.",
            ["login", "vip"],
            {"Opened": "2024-05-31T07:30:00.000Z", "Hours": 1.5},
        ),
        ("2", "grace@acme.example", "Rechnung zeigt falschen Betrag", "Da steht 0."),
    ]


def test_every_fault_is_listed() -> None:
    """The README contains every fault of the sandbox."""
    assert [name for name in KINDS if f"`{name}`" not in README] == []


def test_the_set_up_commands_are_those_of_ci() -> None:
    """`.ci/run` contains the two commands for a new machine, word for word."""
    script = (ROOT / ".ci" / "run").read_text()
    assert len(SET_UP) == 2
    for body in SET_UP:
        assert f"\n{body.strip()} || exit 1\n" in script


def test_every_block_is_tested() -> None:
    """Every block is Python or shell and runs above; the picture is text."""
    assert {kind for kind, _ in BLOCKS} == {"python", "sh", "text"}
    assert len(SHELL) == len(SET_UP) + 2
    assert [kind for kind, _ in BLOCKS].count("text") == 1
