"""Test `upsert --changed-only`."""

from __future__ import annotations

import json

import pytest
from command_line import HEAD, Desk, good, run

from planhat_async.jobs.nightly.state_owner import StateError
from planhat_async.jobs.nightly.stored_rows_file import StoredRowsFile


def test_each_night_sends_the_rows_that_differ(desk: Desk) -> None:
    """The first one says that it skips none; the table, the plan and the journal count the rows that are skipped."""
    state, file = desk.folder / "stored", desk.file("t.csv", HEAD + good(1) + good(2))
    command = ("upsert", "tickets", file, "--changed-only", state)
    first = run(*command)
    assert (first.code, "there was no state of earlier jobs: no row was skipped" in first.err) == (0, True)
    plan = json.loads(run(*command, "--dry-run", "--json").out)
    assert (plan["skipped"], plan["stored"], plan["to_send"], plan["calls"]) == (2, 0, 0, 0)
    desk.file("t.csv", HEAD + good(1) + good(2).replace("Hello", "Bye"))
    second = run(*command, "--journal", desk.folder / "night.db")
    assert second.code == 0
    assert "not sent: an earlier run stored the same rows" in second.out
    assert run("jobs", "status", desk.folder / "night.db").code == 0
    again = json.loads(run(*command, "--journal", desk.folder / "night.db", "--json").out)
    assert (again["skipped"], again["updated"], again["calls"]) == (1, 1, 1)


def test_what_does_not_fit_is_refused(desk: Desk) -> None:
    """Each in one line; nothing is sent."""
    file = desk.file("t.csv", HEAD + good(1))
    (desk.folder / "bad").write_bytes(b"no state" * 100)
    for options, message in [
        (("--same-tenant",), "--same-tenant needs --changed-only"),
        (("--changed-only", "s3://bucket/state"), "--changed-only must be a local path, not a URL"),
        (("--changed-only", desk.folder / "bad"), "move it away to begin again with all rows"),
        (("--changed-only", desk.folder / "bad", "--rejects", desk.folder / "bad"), "would overwrite"),
    ]:
        ended = run("upsert", "tickets", file, *options)
        assert (ended.code, len(ended.err), message in ended.err[0]) == (2, 1, True), ended.err


@pytest.mark.slow
def test_a_state_that_cannot_be_written_any_more_ends_the_job(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows that were not sent are counted, and the result is shown."""

    def fail(*_: object) -> None:
        raise StateError("stored: the disk is full")

    monkeypatch.setattr(StoredRowsFile, "doubt", fail)
    file = desk.file("t.csv", HEAD + good(1))
    ended = run("upsert", "tickets", file, "--changed-only", desk.folder / "stored", "--json")
    printed = json.loads(ended.out)
    assert (printed["unsent"], printed["rows"], printed["stopped_by"]) == (1, 1, "stored: the disk is full")
    assert ended.code == 2
