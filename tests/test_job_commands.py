"""Test `planhat-async jobs` and `fields`."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path

import pytest
from attrs import evolve
from command_line import (
    HEAD,
    Desk,
    good,
    request_on,
    run,
    started,
)

from planhat_async.jobs.journal import Journal


@pytest.fixture
def journal(desk: Desk) -> Path:
    """Return the journal of a job of three rows, one of them invalid."""
    file = desk.file("t.csv", HEAD + good(1) + ",ada(at)acme.example,x.example,Hi\n" + good(3))
    run("upsert", "tickets", file, "--journal", "job.db")
    return desk.folder / "job.db"


def test_status_shows_the_outcome_of_a_job(journal: Path) -> None:
    """It shows the job, its runs and its rows; the exit code shows whether all rows are stored."""
    ended = run("jobs", "status", journal)
    assert ended.code == 1
    assert ended.err[0].startswith(f"{journal}: model tickets, base_url http://127.0.0.1:")
    assert ended.err[1].startswith("run 1: ")
    assert ended.err[1].endswith(", 1 call; came to its end")
    assert ended.err[-2:] == ["row 2 invalid: one of source_id or id is required", "the input was read to its end"]
    assert "│ created │    2 │ new records" in ended.out


def test_problems_are_listed_by_reason(journal: Path) -> None:
    """Each reason is one line, for other programs to read."""
    ended = run("jobs", "problems", journal)
    assert (ended.code, ended.out, ended.err) == (0, "invalid\t2\tone of source_id or id is required\n", [])


def test_a_run_without_an_end_is_running_or_was_killed(journal: Path) -> None:
    """The lock says which; if it cannot be asked, neither is claimed."""

    async def lose_end() -> None:
        async with await Journal.open(journal) as opened:
            await opened.save_run(evolve(opened.runs[0], ended=None))
            status = await asyncio.to_thread(run, "jobs", "status", journal)
            assert status.err[1].endswith(f"; is running in process {os.getpid()}")

    asyncio.run(lose_end())
    assert run("jobs", "status", journal).err[1].endswith("; was killed")
    journal.with_name("job.db-lock").write_bytes(b"content" * 1000)
    assert run("jobs", "status", journal).err[1].endswith("; is running, or was killed")


@pytest.mark.slow
def test_a_running_job_can_be_inspected(desk: Desk) -> None:
    """It cannot be forgotten, and it is not disturbed."""
    desk.file("t.csv", HEAD + ",ada(at)acme.example,x.example,Hi\n" + good(1) + good(2))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        options = ("--chunk-size", "1", "--concurrency", "1", "--journal", "job.db", "--base-url", url)
        with started(desk.folder, "upsert", "tickets", "t.csv", *options) as process:
            connection, _ = server.accept()
            with connection:
                request_on(connection)
                status = run("jobs", "status", "job.db")
                problems = run("jobs", "problems", "job.db")
                report = run("report", "job.db")
                forget = run("jobs", "forget", "job.db", "--yes")
                process.kill()
                process.wait(60)
                killed = run("jobs", "status", "job.db")
    assert (status.code, status.err[1].split("; ")[1]) == (1, f"is running in process {process.pid}")
    assert status.err[-1] == "not at the input's end: the job is running"
    assert (killed.code, killed.err[1].split("; ")[1]) == (1, "was killed")
    assert killed.err[-1] == "not at the input's end: run the job again"
    assert "invalid\t1\tone of source_id or id is required\n" in problems.out
    assert (problems.code, report.code) == (0, 0)
    assert (forget.code, forget.err) == (2, [f"planhat-async: job.db: process {process.pid} is using this journal"])
    assert run("jobs", "forget", "job.db", "--yes").code == 0


def test_a_job_is_forgotten_on_request(journal: Path) -> None:
    """Its files remain until then and are all deleted afterwards."""
    assert run("jobs", "forget", journal).code == 1
    assert journal.exists()
    ended = run("jobs", "forget", journal, "--yes")
    assert (ended.code, ended.err) == (0, [f"{journal} is forgotten"])
    assert [*journal.parent.glob("job.db*")] == []


def test_a_job_is_forgotten_through_a_link(journal: Path) -> None:
    """The link is deleted too."""
    link = journal.with_name("link.db")
    link.symlink_to(journal)
    assert run("jobs", "status", link).out.startswith("3 rows")
    assert run("jobs", "forget", link, "--yes").code == 0
    assert [*journal.parent.glob("*.db*")] == []


@pytest.mark.parametrize("command", ["status", "problems", "forget"])
def test_a_file_that_is_not_a_journal_is_refused(desk: Desk, command: str) -> None:
    """It is neither created nor deleted."""
    file = desk.file("t.csv", "a,b\n" * 100)
    assert run("jobs", command, file).err == [f"planhat-async: {file}: this is not a journal"]
    ended = run("jobs", command, "gone.db")
    assert (ended.code, ended.err) == (2, ["planhat-async: gone.db: there is no such journal"])
    assert file.exists()
    assert not Path("gone.db").exists()


@pytest.mark.parametrize("name", ["job.db", "job.db-shm", "linked.html"])
def test_a_report_does_not_overwrite_its_journal(journal: Path, name: str) -> None:
    """Its name does not matter."""
    (journal.parent / "linked.html").symlink_to(journal)
    content = journal.read_bytes()
    ended = run("report", journal, "-o", journal.with_name(name))
    assert (ended.code, len(ended.err)) == (2, 1)
    assert " would overwrite " in ended.err[0]
    assert journal.read_bytes() == content


@pytest.mark.parametrize("command", [["jobs", "status"], ["jobs", "problems"], ["jobs", "forget", "--yes"], ["report"]])
def test_an_empty_file_is_not_a_journal(desk: Desk, command: list[str]) -> None:
    """It is neither turned into one nor deleted."""
    file = desk.file("job.db", "")
    ended = run(*command, file)
    assert (ended.code, ended.out, ended.err) == (2, "", [f"planhat-async: {file} is empty, not a journal"])
    assert [(path, path.stat().st_size) for path in desk.folder.iterdir()] == [(file, 0)]


@pytest.mark.parametrize("model", ["notes", "tasks", "tickets"])
def test_fields_are_listed_with_their_types(model: str) -> None:
    """Fields that Planhat generates are marked."""
    ended = run("fields", model)
    assert (ended.code, ended.err) == (0, [])
    assert all(word in ended.out for word in ("_id", "text", "company_id", "companyId", "custom", "object"))


def test_a_report_names_the_input_and_compares_two_jobs(desk: Desk) -> None:
    """The name is that of the file, without its folder; a rerun may have another name."""
    first = desk.file("monday.csv", HEAD + good(1))
    assert run("upsert", "tickets", first, "--journal", "monday.db").code == 0
    renamed = first.rename(desk.folder / "moved.csv")
    assert run("upsert", "tickets", renamed, "--journal", "monday.db").code == 0
    assert run("upsert", "tickets", desk.file("tuesday.csv", HEAD + good(2) + "bad\n"), "--journal", "b.db").code == 1
    assert run("report", "monday.db").err == ["report.html shows monday.db"]
    assert "<h1>tickets from monday.csv</h1>" in Path("report.html").read_text()
    assert run("report", "monday.db", "b.db", "-o", "two.html").err == ["two.html shows monday.db and b.db"]
    content = Path("two.html").read_text()
    assert ("tickets from monday.csv and tickets from tuesday.csv" in content, str(desk.folder) in content) == (
        True,
        False,
    )


def test_a_report_in_a_missing_folder_is_refused(desk: Desk) -> None:
    """The folder is named."""
    assert run("upsert", "tickets", desk.file("t.csv", HEAD + good(1)), "--journal", "a.db").code == 0
    assert run("report", "a.db", "-o", "none/r.html").err == ["planhat-async: none/r.html: there is no folder none"]


@pytest.mark.slow
def test_a_job_is_inspected_with_a_log_in_json(journal: Path) -> None:
    """As any command: each line is an object, the last one has the exit code."""
    ended = run("jobs", "status", journal, "--log-format", "json")
    events = [json.loads(line) for line in ended.err]
    assert (ended.out, events[0]["command"], events[-1]["event"], events[-1]["exit_code"]) == (
        "",
        "jobs status",
        "end",
        ended.code,
    )
