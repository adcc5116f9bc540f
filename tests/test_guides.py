"""Test that every code block of the guides, the first steps and the essays runs, in order, on a sandbox.

A page whose blocks need more than the group `test` says so in its first line, with the names of the packages to
import: `<!-- needs: dlt duckdb -->`.
"""

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import documents
import pytest
import spark_settings
from command_line import TOKEN
from sandbox_thread import sandbox_thread

from planhat_async.sandbox import Sandbox

DOCS = documents.ROOT / "docs"
GUIDES = sorted(path for path in (DOCS / "guides").glob("*.md") if path.name != "README.md")
PAGES = [*(DOCS / name for name in documents.FIRST_PAGES), *GUIDES, *sorted((DOCS / "how-it-works").glob("*.md"))]
SANDBOX = "planhat-async sandbox\n"
EXTRAS = set(tomllib.loads((documents.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
ENGINES = {"airflow", "dlt", "duckdb", "fastapi", "opentelemetry.sdk", "pyspark"}


def needed(text: str) -> list[str]:
    """The packages that the blocks of a guide import."""
    found = re.match(r"<!-- needs: (.*) -->\n", text)
    return found[1].split() if found else []


def cases() -> list[object]:
    """The pages, with the marker of those that `.ci/engines` runs."""
    marks = {page: [pytest.mark.engines] if ENGINES & set(needed(page.read_text())) else [] for page in PAGES}
    return [pytest.param(page, id=page.stem, marks=marks[page]) for page in PAGES]


def is_program(kind: str, body: str) -> bool:
    """Whether a block is run: not `pip install`, and not the sandbox, which a fixture provides."""
    return kind == "python" or (kind == "sh" and body != SANDBOX and not body.startswith("pip install"))


@pytest.fixture
def sandbox() -> Iterator[str]:
    """Yield the URL of a sandbox without records: pages print what is in it."""
    with sandbox_thread(Sandbox(TOKEN, per_minute=None)) as running:
        yield running.planhat.url


@pytest.mark.slow
@pytest.mark.parametrize("page", cases())
def test_the_blocks_of_a_page_run(page: Path, sandbox: str, tmp_path: Path) -> None:
    """Each block runs unchanged, in one folder, and prints what the block of text behind it says."""
    text = page.read_text(encoding="utf-8")
    for package in needed(text):
        pytest.importorskip(package, reason=f"{package} is not installed: .ci/engines installs it")
    if "pyspark" in needed(text) and shutil.which("java") is None:
        pytest.skip("Java is not installed, which Spark needs")
    settings = {
        "PLANHAT_BASE_URL": sandbox,
        "PLANHAT_ANALYTICS_URL": sandbox,
        "PLANHAT_API_TOKEN": TOKEN,
        "PLANHAT_TENANT_UUID": "0b54aee7-1a2b-4c3d-9e8f-0123456789ab",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_CONF_DIR": str(spark_settings.write_defaults(tmp_path / "conf")),
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    (tmp_path / "examples").symlink_to(documents.ROOT / "examples")
    blocks = documents.blocks(text)
    programs = [(kind, body) for kind, body in blocks if is_program(kind, body)]
    outputs = iter(documents.run_blocks(programs, tmp_path, settings))
    printed = ""
    for kind, body in blocks:
        if is_program(kind, body):
            printed = next(outputs)
        elif kind == "text":
            assert printed == body
        elif kind == "json":
            json.loads(body)
        elif body.startswith("pip install"):
            assert set(re.findall(r"[a-z]+", body.partition("[")[2])) <= EXTRAS
        else:
            assert (kind, body) == ("sh", SANDBOX)


def test_every_guide_is_linked() -> None:
    """The page of guides leads to each of them."""
    contents = (DOCS / "guides" / "README.md").read_text(encoding="utf-8")
    assert [guide.name for guide in GUIDES if f"({guide.name})" not in contents] == []
