"""Test that every code block of the README and of the pages in `docs` runs, in order, and that every link resolves.

The blocks of the guides, the first steps and the essays have tests of their own, in `test_guides.py`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import documents
import pytest
from documents import ROOT
from model_pages import model_pages

import planhat_async
from planhat_async.sandbox.faults import KINDS

pytestmark = pytest.mark.slow

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *(page for page in sorted(DOCS.glob("*.md")) if page.name not in documents.FIRST_PAGES)]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
BLOCKS = documents.blocks(TEXT)
LINKING = [*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/**/*.md")), ROOT / "examples" / "README.md"]
PYTHON = [body for kind, body in BLOCKS if kind == "python" and "import pytest" not in body]
PYTEST = [body for kind, body in BLOCKS if kind == "python" and "import pytest" in body]
SHELL = [body for kind, body in BLOCKS if kind == "sh"]
SET_UP = [body for body in SHELL if "venv" in body]


@pytest.fixture(scope="module")
def sandbox_url() -> Iterator[str]:
    """Yield the URL of the documented sandbox on a free port."""
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
    assert process.wait(60) == 0
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
    """The page on tests contains every fault of the sandbox."""
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    assert [name for name in KINDS if f"`{name}`" not in page] == []


def test_every_message_of_an_error_exists() -> None:
    """Each message on the page of errors is in the source."""
    source = " ".join(file.read_text(encoding="utf-8") for file in (ROOT / "planhat_async").rglob("*.py"))
    rows = [
        line.split("|")[1] for line in (DOCS / "errors.md").read_text(encoding="utf-8").splitlines() if line[:2] == "| "
    ]
    parts = [part.strip() for row in rows for message in re.findall(r"`([^`]+)`", row) for part in message.split("…")]
    assert [part for part in parts if part not in source] == []


def test_every_public_name_has_a_reference() -> None:
    """On a page of the reference, or on that of its model."""
    pages = " ".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    models = " ".join(page.text for page in model_pages())
    named = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)", pages, flags=re.MULTILINE)}
    assert [name for name in planhat_async.__all__ if name not in named and name not in models] == []


def test_what_a_new_record_needs_is_said_for_each_call() -> None:
    """In two lines where a single creation needs less than a row of a bulk upsert; else in one."""
    needs = {page.title: re.findall(r"\*\*(.* needs)\*\* \| (.*) \|", page.text) for page in model_pages()}
    assert needs["Invoices"] == [
        ("a record for `create` needs", "`company_id`"),
        ("a new row of an upsert needs", "`company_id`, `currency`, `invoice_date`"),
    ]
    assert needs["Companies"] == [("a new record needs", "`name`")]
    assert needs["LeanCompanies"] == []


def test_a_fact_about_a_field_begins_with_its_name() -> None:
    """The name keeps its case: other sentences begin with a capital."""
    page = next(page.text for page in model_pages() if page.title == "Invoices")
    facts = re.findall(r"^- (\w+)", page, flags=re.MULTILINE)
    assert {"lineItems", "invoiceNo", "The", "Documented"} <= {*facts}


def test_the_set_up_commands_are_those_of_ci() -> None:
    """`.ci/run` contains the two commands for a new machine, word for word."""
    script = (ROOT / ".ci" / "run").read_text()
    assert len(SET_UP) == 2
    for body in SET_UP:
        assert f"\n{body.strip()} || exit 1\n" in script


def test_every_block_is_tested() -> None:
    """Every block is Python or shell and runs above; the map of modules, commands and mutations are text."""
    assert {kind for kind, _ in BLOCKS} == {"python", "sh", "text"}
    assert len(SHELL) == len(SET_UP) + 2
    assert [kind for kind, _ in BLOCKS].count("text") == 3


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_resolves(page: Path) -> None:
    """To a file in the repository, and to a heading if it names one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(page: Path) -> list[str]:
    """The names of a page's headings in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_the_readme_can_be_read_to_its_end() -> None:
    """It has at most 200 lines, and leads to every other page."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 200
    assert [page.name for page in PAGES[1:] if f"(docs/{page.name})" not in readme] == []
