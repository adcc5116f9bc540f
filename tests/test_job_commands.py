"""`planhat-async jobs` and `fields`: what a journal and a model tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cli import (
    HEAD,
    Desk,
    desk,  # noqa: F401 - a fixture
    good,
    run,
    sandbox,  # noqa: F401 - a fixture
)


@pytest.fixture
def journal(desk: Desk) -> Path:  # noqa: F811
    """The journal of a job of three rows, one of them invalid."""
    file = desk.file("t.csv", HEAD + good(1) + "@2,,x.example,Hi\n" + good(3))
    run("upsert", "tickets", file, "--journal", "job.db")
    return desk.folder / "job.db"


def test_status_says_what_became_of_a_job(journal: Path) -> None:
    """What it is, its runs, its rows; the code says whether all of them are stored."""
    ended = run("jobs", "status", journal)
    assert ended.code == 1
    assert ended.err[0].startswith(f"{journal}: model tickets, base_url http://127.0.0.1:")
    assert ended.err[1].startswith("run 1: ")
    assert ended.err[1].endswith(", 1 calls; ended well")
    assert ended.err[-2:] == ["row 2 invalid: email is missing", "the input was read to its end"]
    assert "│ created │    2 │" in ended.out


def test_problems_are_listed_by_reason(journal: Path) -> None:
    """A line each, for other programs to read."""
    ended = run("jobs", "problems", journal)
    assert (ended.code, ended.out, ended.err) == (0, "invalid\t2\temail is missing\n", [])


def test_a_job_is_forgotten_on_request(journal: Path) -> None:
    """Only then; nothing of it is left."""
    assert run("jobs", "forget", journal).code == 1
    assert journal.exists()
    ended = run("jobs", "forget", journal, "--yes")
    assert (ended.code, ended.err) == (0, [f"{journal} is forgotten"])
    assert [*journal.parent.glob("job.db*")] == []


@pytest.mark.parametrize("command", ["status", "problems", "forget"])
def test_what_is_no_journal_is_refused(desk: Desk, command: str) -> None:  # noqa: F811
    """And neither made nor deleted."""
    file = desk.file("t.csv", "a,b\n" * 100)
    assert run("jobs", command, file).err == [f"planhat-async: {file}: this is no journal"]
    ended = run("jobs", command, "gone.db")
    assert (ended.code, ended.err) == (2, ["planhat-async: gone.db: there is no such journal"])
    assert file.exists()
    assert not Path("gone.db").exists()


@pytest.mark.parametrize("name", ["job.db", "job.db-shm", "linked.html"])
def test_a_report_does_not_overwrite_its_journal(journal: Path, name: str) -> None:
    """By whatever name."""
    (journal.parent / "linked.html").symlink_to(journal)
    content = journal.read_bytes()
    ended = run("report", journal, "-o", journal.with_name(name))
    assert (ended.code, len(ended.err)) == (2, 1)
    assert " would overwrite " in ended.err[0]
    assert journal.read_bytes() == content


@pytest.mark.parametrize("command", [["jobs", "status"], ["jobs", "problems"], ["jobs", "forget", "--yes"], ["report"]])
def test_what_is_empty_is_no_journal(desk: Desk, command: list[str]) -> None:  # noqa: F811
    """It is neither made one nor deleted."""
    file = desk.file("job.db", "")
    ended = run(*command, file)
    assert (ended.code, ended.out, ended.err) == (2, "", [f"planhat-async: {file} is empty, no journal"])
    assert [(path, path.stat().st_size) for path in desk.folder.iterdir()] == [(file, 0)]


@pytest.mark.parametrize("model", ["notes", "tasks", "tickets"])
def test_fields_are_listed_with_their_types(model: str) -> None:
    """Those that Planhat fills in are said to be."""
    ended = run("fields", model)
    assert (ended.code, ended.err) == (0, [])
    assert all(word in ended.out for word in ("_id", "text", "company_id", "companyId", "custom", "object"))
