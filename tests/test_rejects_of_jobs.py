"""Test that a job replaces the rejects file of its earlier runs, and no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import HEAD, Desk, Ended, good, run

from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.rejects import Rejects


def job_with_rejects(desk: Desk, *options: str) -> Ended:
    """Run a job that has one row to be corrected."""
    file = desk.file("t.csv", HEAD + good(1) + ",ada(at)acme.example,x.example,Hi\n")
    return run("upsert", "tickets", file, "--journal", "job.db", "--rejects", "bad.csv", *options)


def test_a_job_replaces_its_own_rejects_file(desk: Desk) -> None:
    """The same command goes on, and nothing has to be moved."""
    assert job_with_rejects(desk).code == 1
    content = Path("bad.csv").read_text()
    again = job_with_rejects(desk)
    assert (again.code, again.err[-1]) == (1, "1 row to be corrected is in bad.csv")
    assert Path("bad.csv").read_text() == content


def test_a_job_keeps_a_rejects_file_that_was_changed(desk: Desk) -> None:
    """The one line names it, and no call is made."""
    assert job_with_rejects(desk).code == 1
    Path("bad.csv").write_text("corrected by hand")
    again = job_with_rejects(desk)
    said = "bad.csv was changed since this job wrote it, or is another file"
    advice = "move it away, it may hold rows that you have corrected"
    assert (again.code, again.out, again.err) == (2, "", [f"planhat-async: {said}: {advice}"])
    assert Path("bad.csv").read_text() == "corrected by hand"


def test_a_rejects_file_that_the_journal_does_not_know_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a crash between writing the file and noting it."""
    with monkeypatch.context() as patched:
        patched.setattr(Rejects, "note", lambda _: None)
        assert job_with_rejects(desk).code == 1
    again = job_with_rejects(desk)
    said = "bad.csv is there already: move it away, it may hold rows that you have corrected"
    assert (again.code, again.err) == (2, [f"planhat-async: {said}"])


def test_a_rejects_file_that_is_changed_while_the_job_runs_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is checked again when it is about to be replaced."""
    assert job_with_rejects(desk).code == 1
    copy = FileSource.copy

    def change(*arguments: Any) -> None:
        copy(*arguments)
        Path("bad.csv").write_text("corrected by hand")

    monkeypatch.setattr(FileSource, "copy", change)
    again = job_with_rejects(desk)
    assert (again.code, "bad.csv was changed since this job wrote it" in again.err[-1]) == (2, True)
    assert Path("bad.csv").read_text() == "corrected by hand"


def test_the_rejects_file_of_another_job_is_kept(desk: Desk) -> None:
    """The other journal does not know it."""
    assert job_with_rejects(desk).code == 1
    ended = job_with_rejects(desk, "--journal", "other.db")
    assert (ended.code, "bad.csv is there already" in ended.err[0], Path("other.db").exists()) == (2, True, False)


@pytest.mark.slow
def test_the_note_of_a_rejects_file_does_not_change_the_job(desk: Desk) -> None:
    """A dry run of the job, its status and its report work as before."""
    assert job_with_rejects(desk).code == 1
    assert run("upsert", "tickets", "t.csv", "--journal", "job.db", "--dry-run").code == 1
    ended = run("jobs", "status", "job.db")
    assert (ended.code, "rejects" in "".join(ended.err)) == (1, False)
