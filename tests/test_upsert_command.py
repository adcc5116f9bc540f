"""Test `planhat-async upsert` as a job: interrupted, refused, and resumed."""

from __future__ import annotations

import asyncio
import csv
import errno
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import virtual_time
from attrs import evolve
from command_line import (
    FINISHING,
    FINISHING_SOON,
    GOOD,
    HEAD,
    TOKEN,
    Desk,
    good,
    good_json,
    request_on,
    run,
    started,
)
from pyarrow import Table, parquet
from pyarrow import parquet as pq

from planhat_async.cli.job_display import follow
from planhat_async.jobs.entries import ChunkState
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.rejects import Rejects
from planhat_async.results import ChunkResult, UpsertResult
from planhat_async.sandbox import Sandbox
from planhat_async.session import SessionStats


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_upsert_interrupted_once_finishes_chunks_in_flight(desk: Desk, number: signal.Signals) -> None:
    """Their answers are awaited and counted; other rows are unsent."""
    file = desk.file("t.csv", HEAD + good(1) + good(2) + good(3))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        options = ("--chunk-size", "1", "--concurrency", "1", "--json", "--base-url", url)
        with started(desk.folder, "upsert", "tickets", file, *options) as process:
            connection, _ = server.accept()
            with connection:
                request_on(connection)
                process.send_signal(number)
                assert process.stderr is not None
                assert process.stderr.readline() == (FINISHING_SOON if number == signal.SIGTERM else FINISHING) + "\n"
                answer = b'{"created": 1, "updated": 0}'
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
                out, _ = process.communicate(timeout=60)
    printed = json.loads(out)
    assert (process.returncode, printed["created"], printed["unknown"]) == (130, 1, 0)
    assert printed["rows"] == 1 + printed["unsent"]
    assert printed["stopped_by"] == "interrupted; what was in flight has ended, the rows after it were not sent"


@pytest.mark.slow
def test_an_upsert_interrupted_twice_reports_invalid_rows(desk: Desk) -> None:
    """This includes invalid rows in and after the chunk in flight; unknown rows are not rejects."""
    bad = ",ada(at)acme.example,x.example,Hi\n"
    file = desk.file("t.csv", HEAD + bad + good(1) + bad + good(3) + bad + good(5))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        options = ("--chunk-size", "1", "--concurrency", "1", "--json", "--base-url", url, "--rejects", "bad.csv")
        with started(desk.folder, "upsert", "tickets", file, "--journal", "j.db", *options) as process:
            connection, _ = server.accept()
            with connection:
                request_on(connection)
                interrupt(process)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=60)
    printed = json.loads(out)
    assert (process.returncode, printed["unknown"]) == (130, 1)
    assert Path("bad.csv").read_text().count("one of source_id or id is required") == printed["invalid"] > 0
    assert err.endswith("are not in it: run the same command again\n")


def interrupt(process: subprocess.Popen[str]) -> None:
    """Send Ctrl-C and wait until it is handled."""
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == FINISHING + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("counted", [1, 0])
def test_an_upsert_interrupted_after_its_last_chunk_is_complete(desk: Desk, counted: int) -> None:
    """The exit code is that of an uninterrupted run, and the journal records the end of the input."""
    file = desk.file("t.jsonl", good_json(1))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with started(desk.folder, "upsert", "tickets", file, "--journal", "j.db", "--base-url", url) as process:
            connection, _ = server.accept()
            with connection:
                request_on(connection)
                interrupt(process)
                answer = b'{"created": %d, "updated": 0, "nonupdates": 0}' % counted
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
                _, err = process.communicate(timeout=60)
    assert (process.returncode, "interrupted" in err) == (1 - counted, False)
    status = run("jobs", "status", "j.db")
    assert (status.code, status.err[-1]) == (1 - counted, "the input was read to its end")
    assert status.err[1].endswith("; came to its end")


def test_a_rerun_reports_all_runs_of_the_job(desk: Desk) -> None:
    """Rows, calls and seconds are totals; no row is sent a second time."""
    file = desk.file("t.csv", HEAD + good(1) + ",ada(at)acme.example,x.example,Hi\n" + good(3))
    first, second = (json.loads(run("upsert", "tickets", file, "--journal", "job.db", "--json").out) for _ in range(2))
    assert (first.pop("seconds") > 0, second.pop("seconds") > 0) == (True, True)
    assert first == second
    assert (first["created"], first["invalid"], first["calls"]) == (2, 1, 1)


def test_a_job_whose_file_has_changed_is_refused(desk: Desk) -> None:
    """One line names the difference; no row is sent."""
    file = desk.file("t.csv", HEAD + good(1))
    run("upsert", "tickets", file, "--journal", "job.db")
    desk.file("t.csv", HEAD + good(2) + good(3))
    ended = run("upsert", "tickets", file, "--journal", "job.db")
    assert (ended.code, ended.out, len(ended.err)) == (2, "", 1), ended.err
    assert ended.err[0].startswith("planhat-async: job.db is the journal of another job: size in bytes is ")
    assert [*desk.stored()] == ["@1"]


def test_a_job_whose_rows_have_changed_is_refused(desk: Desk) -> None:
    """The length of the file is the same."""
    file = desk.file("t.csv", HEAD + good(1))
    run("upsert", "tickets", file, "--journal", "job.db")
    desk.file("t.csv", HEAD + good(2))
    ended = run("upsert", "tickets", file, "--journal", "job.db")
    assert ended.code == 2
    assert ended.err[-1].startswith("planhat-async: the input has changed: chunk 1, of the rows from 1 to 1, is not")
    assert [*desk.stored()] == ["@1"]


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (["--set", "source=b"], "constants source is "),
        (["--set", "source=a", "--map", "title=title"], "columns title is title, was not given"),
        (["--set", "source=a", "--chunk-size", "7"], "chunk_size is 7, was 5,000"),
        (["--set", "source=a", "--empty-nulls"], "null is empty, was not given"),
        (["--set", "source=a", "--base-url", "http://127.0.0.1:9"], "base_url is http://127.0.0.1:9, was http"),
    ],
)
def test_a_job_with_other_options_is_refused(desk: Desk, options: list[str], difference: str) -> None:
    """The message names the option; values of constants are not shown."""
    file = desk.file("t.csv", HEAD + GOOD)
    assert run("upsert", "tickets", file, "--set", "source=a", "--journal", "job.db").code == 0
    ended = run("upsert", "tickets", file, *options, "--journal", "job.db")
    assert (ended.code, ended.out, len(ended.err)) == (2, "", 1), ended.err
    assert difference in ended.err[0]


@pytest.mark.parametrize("option", ["--resend-unknown", "--keep-values"])
def test_options_of_a_journal_require_one(desk: Desk, option: str) -> None:
    """Without a journal they would have no effect."""
    file = desk.file("t.csv", HEAD + GOOD)
    ended = run("upsert", "tickets", file, option)
    message = f"planhat-async: {option} needs --journal: give that too"
    assert (ended.code, ended.out, ended.err) == (2, "", [message])
    assert desk.stored() == {}
    assert run("upsert", "tickets", file, option, "--journal", "job.db").code == 0


def test_rows_are_verified_after_the_given_wait(desk: Desk) -> None:
    """The default is half a minute, in which Planhat may still process a cancelled request."""
    file = desk.file("notes.jsonl", '{"company_id": "extid-acme", "subject": "@1"}\n')
    assert run("upsert", "notes", file, "--journal", "job.db").code == 0

    async def doubt() -> None:
        async with await Journal.open("job.db") as journal:
            entry = journal.entries[0]
            await journal.save(evolve(entry, state=ChunkState.SENDING, pending=entry.positions, counts={}, begun=2e9))

    asyncio.run(doubt())
    ended = run("upsert", "notes", file, "--verify-wait", "0")
    message = "planhat-async: --verify-wait needs --verify-by: give that too"
    assert (ended.code, ended.err) == (2, [message])
    started_at = time.monotonic()
    options = ("--journal", "job.db", "--verify-by", "subject", "--verify-wait", "0", "--json")
    printed = json.loads(run("upsert", "notes", file, *options).out)
    assert (printed["created"], time.monotonic() - started_at < 20) == (1, True)


def test_a_refused_job_shows_how_to_resume(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message mentions the journal; without one the job cannot be resumed."""
    file = desk.file("t.csv", HEAD + good(1))
    monkeypatch.setenv("PLANHAT_API_TOKEN", "wrong")
    plain, job = run("upsert", "tickets", file), run("upsert", "tickets", file, "--journal", "job.db")
    assert (plain.code, job.code) == (3, 3)
    assert job.err == [*plain.err, "correct the token, then run the same command again to resume"]
    unreachable = run("upsert", "tickets", file, "--journal", "other.db", "--base-url", "http://127.0.0.1:1")
    assert (unreachable.code, unreachable.err[-1]) == (3, "run the same command again to resume")
    monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
    assert run("upsert", "tickets", file, "--journal", "job.db").code == 0
    assert [*desk.stored()] == ["@1"]


def test_a_file_that_is_not_a_journal_is_refused_before_any_call(desk: Desk) -> None:
    """The file is not changed."""
    file = desk.file("t.csv", HEAD + GOOD)
    ended = run("upsert", "tickets", file, "--journal", file)
    assert (ended.code, ended.err) == (2, [f"planhat-async: {file}: this is not a journal"])
    assert desk.stored() == {}


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
@pytest.mark.parametrize("name", [".", "folder"])
def test_a_directory_is_not_a_journal(desk: Desk, name: str, options: list[str]) -> None:
    """The form of its name does not matter."""
    Path("folder").mkdir()
    ended = run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD), "--journal", name, *options)
    message = f"planhat-async: {name} is a directory: name a file for the journal"
    assert (ended.code, ended.out, ended.err) == (2, "", [message])
    assert desk.stored() == {}


def test_rejects_of_a_job_whose_rows_have_changed_are_those_of_this_run(desk: Desk) -> None:
    """Entries of the journal may refer to rows that no longer exist."""
    bad = ",ada(at)acme.example,x.example,Hi\n"
    file = desk.file("t.csv", HEAD + bad + "".join(map(good, range(10, 40))) + bad)
    options = ("--journal", "job.db", "--chunk-size", "1")
    run("upsert", "tickets", file, *options)
    desk.file("t.csv", HEAD + bad + good(99) + "".join(map(good, range(11, 40))) + bad)
    ended = run("upsert", "tickets", file, *options, "--rejects", "bad.csv")
    assert (ended.code, ended.err[-1]) == (2, "rows that this run did not reach are not in it")
    assert ended.err[-2] == "1 row to be corrected is in bad.csv"
    assert Path("bad.csv").read_text().count("one of source_id or id is required") == 1


def test_the_journal_contains_no_token(desk: Desk) -> None:
    """It contains no text of a row either."""
    run("upsert", "tickets", desk.file("t.jsonl", good_json(1)), "--journal", "job.db")
    content = Path("job.db").read_bytes()
    assert TOKEN.encode() not in content
    assert b"ada@acme.example" not in content


def test_rows_that_were_not_stored_can_be_corrected_and_sent(desk: Desk) -> None:
    """The rejects file has the format of the input and is accepted by the same command."""
    file = desk.file("t.csv", HEAD + good(1) + ",ada(at)acme.example,x.example,Hi\n" + good(3))
    ended = run("upsert", "tickets", file, "--rejects", "bad.csv")
    assert (ended.code, ended.err[-1]) == (1, "1 row to be corrected is in bad.csv")
    corrected = Path("bad.csv").read_text().replace(",,ada", f",{desk.prefix}2,ada")
    Path("good.csv").write_text(corrected)
    ended = run("upsert", "tickets", "good.csv", "--rejects", "none.csv")
    assert (ended.code, ended.err) == (0, [])
    assert [*desk.stored()] == ["@1", "@3", "@2"]
    assert not Path("none.csv").exists()


def test_the_rejects_of_a_job_are_those_of_all_its_runs(desk: Desk) -> None:
    """The file of the next run contains the rejects of an earlier one."""
    file = desk.file("t.csv", HEAD + good(1) + ",ada(at)acme.example,x.example,Hi\n" + good(3))
    for name in ("a.csv", "b.csv"):
        run("upsert", "tickets", file, "--journal", "job.db", "--rejects", name)
    assert Path("a.csv").read_text() == Path("b.csv").read_text()


def test_rejects_of_a_rerun_that_ends_early_include_those_of_earlier_runs(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chunks that it did not reach count too; the output names the missing rows and the way to resume."""
    rows = [
        good(1),
        ",ada(at)acme.example,x.example,Hi\n",
        good(3),
        good(4),
        ",ada(at)acme.example,x.example,Hi\n",
        good(6),
    ]
    file = desk.file("t.csv", HEAD + "".join(rows))
    options = ("--journal", "job.db", "--chunk-size", "1", "--concurrency", "1")
    assert run("upsert", "tickets", file, *options, "--rejects", "a.csv").code == 1

    async def doubt() -> None:
        async with await Journal.open("job.db") as journal:
            first = journal.entries[0]
            await journal.save(evolve(first, state=ChunkState.SENDING, pending=first.positions, counts={}))

    asyncio.run(doubt())
    monkeypatch.setenv("PLANHAT_API_TOKEN", "wrong")
    ended = run("upsert", "tickets", file, *options, "--rejects", "b.csv")
    assert ended.code == 3
    assert ended.err[-2:] == [
        "2 rows to be corrected are in b.csv",
        "rows that no run has reached are not in it: correct the token, then run the same command again",
    ]
    assert Path("a.csv").read_text() == Path("b.csv").read_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone/bad.csv", "gone/bad.csv: there is no folder gone"),
        ("t.csv/bad.csv", "t.csv/bad.csv: there is no folder t.csv"),
        ("folder", "folder is a folder: name a file for the rows that are not stored"),
        ("bad.csv", "bad.csv is there already: move it away, it may hold rows that you have corrected"),
    ],
)
def test_an_unwritable_rejects_file_is_refused_at_the_start(desk: Desk, name: str, message: str) -> None:
    """No row is sent, and no earlier rejects are lost."""
    file = desk.file("t.csv", HEAD + good(1))
    Path("folder").mkdir()
    Path("bad.csv").write_text("corrected by hand")
    ended = run("upsert", "tickets", file, "--journal", "job.db", "--rejects", name)
    assert (ended.code, ended.out, ended.err) == (2, "", [f"planhat-async: {message}"])
    assert (desk.stored(), Path("bad.csv").read_text()) == ({}, "corrected by hand")


def test_rejects_in_a_folder_that_is_read_only_are_refused_at_the_start(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error does not come after all rows are sent."""
    monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    ended = run("upsert", "tickets", desk.file("t.csv", HEAD + good(1)), "--rejects", "bad.csv")
    assert (ended.code, ended.err) == (2, ["planhat-async: bad.csv: its folder is read-only"])
    assert desk.stored() == {}


@pytest.mark.parametrize("options", [[], ["--journal", "job.db"]])
def test_rejects_that_do_not_fit_on_the_disk_are_reported(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
) -> None:
    """The result is shown all the same; with a journal, a rerun can write them without sending rows."""

    def fill_up(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "bad.csv.part")

    file = desk.file("t.csv", HEAD + good(1) + ",ada(at)acme.example,x.example,Hi\n")
    with monkeypatch.context() as patched:
        patched.setattr(FileSource, "copy", fill_up)
        ended = run("upsert", "tickets", file, "--rejects", "bad.csv", *options)
    again = ": make room, and run the same command again" if options else ""
    assert ended.code == 2
    assert "created" in ended.out
    assert ended.err[-2:] == [
        "planhat-async: bad.csv.part: No space left on device",
        f"1 row to be corrected was not copied{again}",
    ]
    if options:
        assert run("upsert", "tickets", file, "--rejects", "bad.csv", *options).code == 1
        assert Path("bad.csv").read_text().count("one of source_id or id is required") == 1


@pytest.mark.slow
def test_rejects_are_not_copied_from_a_file_that_was_replaced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other rows are at the same positions."""
    file = desk.file("t.csv", HEAD + ",ada(at)acme.example,x.example,Hi\n" + "".join(map(good, range(1, 2000))))
    add = Rejects.add

    def replace(*arguments: Any) -> None:
        add(*arguments)
        desk.file("new.csv", HEAD + good(1)).replace(file)

    monkeypatch.setattr(Rejects, "add", replace)
    ended = run("upsert", "tickets", file, "--chunk-size", "10", "--concurrency", "1", "--rejects", "bad.csv")
    assert ended.code == 2
    assert ended.err[-1] == "1 row to be corrected was not copied: the input has changed"
    assert not Path("bad.csv").exists()


@pytest.mark.parametrize("name", ["job.db", "job.db-wal", "./here/../job.db", "linked.db", "t.csv", "folder/t.csv"])
@pytest.mark.parametrize("is_there", [True, False])
def test_rejects_overwrite_no_file_in_use(desk: Desk, name: str, *, is_there: bool) -> None:
    """They do not replace the journal or the input under any name; no row is sent."""
    file = desk.file("t.csv", HEAD + good(1) + ",ada(at)acme.example,x.example,Hi\n")
    Path("folder").symlink_to(desk.folder)
    Path("here").mkdir()
    Path("linked.db").symlink_to("job.db")
    if is_there:
        assert run("upsert", "tickets", desk.file("u.csv", HEAD), "--journal", "job.db").code == 0
    before = {path: path.read_bytes() for path in desk.folder.iterdir() if path.is_file()}
    ended = run("upsert", "tickets", file, "--journal", "job.db", "--rejects", name)
    assert (ended.code, len(ended.err)) == (2, 1)
    assert ended.err[0].startswith(f"planhat-async: {Path(name)} would overwrite ")
    assert {path: path.read_bytes() for path in desk.folder.iterdir() if path.is_file()} == before
    assert desk.stored() == {}


def test_the_part_of_rejects_overwrites_no_file_in_use(desk: Desk) -> None:
    """The part has this name until they are complete."""
    file = desk.file("t.csv", HEAD + good(1))
    ended = run("upsert", "tickets", file, "--journal", "job.csv.part", "--rejects", "job.csv")
    assert (ended.code, ended.err) == (
        2, ["planhat-async: job.csv would overwrite job.csv.part: choose another name"],
    )  # fmt: skip
    assert desk.stored() == {}


def test_a_dry_run_sends_no_rows(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no token; the exit code shows whether any row is invalid."""
    monkeypatch.delenv("PLANHAT_API_TOKEN")
    file = desk.file("t.csv", HEAD + good(1) + ",ada(at)acme.example,x.example,Hi\n" + good(3))
    ended = run("upsert", "tickets", file, "--dry-run")
    assert (ended.code, ended.err) == (1, ["row 2 invalid: one of source_id or id is required"])
    printed = json.loads(run("upsert", "tickets", file, "--dry-run", "--json", "--chunk-size", "1").out)
    assert (printed["rows"], printed["invalid"], printed["to_send"], printed["calls"]) == (3, 1, 2, 2)
    assert printed["problems"] == [{"row": 2, "key": None, "reason": "one of source_id or id is required"}]
    assert run("upsert", "tickets", desk.file("u.csv", HEAD + good(1)), "--dry-run").code == 0
    monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
    assert desk.stored() == {}


def test_a_dry_run_of_a_job_shows_the_remaining_rows(desk: Desk) -> None:
    """The job must be the same; its journal is not changed."""
    file = desk.file("t.csv", HEAD + good(1) + good(2))
    options = ("--chunk-size", "1", "--journal", "job.db", "--dry-run", "--json")
    assert json.loads(run("upsert", "tickets", file, *options).out)["calls"] == 2
    assert not Path("job.db").exists()
    assert run("upsert", "tickets", file, *options[:4]).code == 0
    content = Path("job.db").read_bytes()
    printed = json.loads(run("upsert", "tickets", file, *options).out)
    assert (printed["rows"], printed["stored"], printed["to_send"], printed["calls"]) == (2, 2, 0, 0)
    ended = run("upsert", "tickets", file, *options, "--base-url", "http://127.0.0.1:9")
    assert (ended.code, ended.out) == (2, "")
    assert "base_url is http://127.0.0.1:9, was http" in ended.err[0]
    assert Path("job.db").read_bytes() == content
    assert sorted(path.name for path in desk.folder.glob("job*")) == ["job.db", "job.db-lock"]


ROW = '{"sourceId": "@1", "email": "ada(at)acme.example", "domains": ["acme.example"], "title": %s}'


@pytest.mark.parametrize("content", [f"[{ROW % 1}]", "[\n  " + ROW % 1 + "\n]", ROW % 1])
def test_json_is_sent_in_any_form(desk: Desk, content: str) -> None:
    """A list is read item by item."""
    ended = run("upsert", "tickets", desk.file("t.json", content.replace(": 1}", ': "Hi"}')))
    assert (ended.code, ended.err) == (0, [])
    assert desk.stored()["@1"]["title"] == "Hi"


def test_a_line_of_json_that_cannot_be_read_is_named(desk: Desk) -> None:
    """The message says what is wrong, and where; the copy is JSONL."""
    file = desk.file("t.json", f"[{ROW % 'NaN'},\n{ROW % 1},\n{{'sourceId': 1}}]")
    ended = run("upsert", "tickets", file, "--dry-run")
    assert ended.code == 1
    at = (ROW % "NaN").replace("@", desk.prefix).replace("(at)", "@").index("NaN") + 1
    assert ended.err[0] == f"row 1 invalid: item 1, line 1: NaN at its character {at}: JSON has no NaN"
    said = "a single quote at its character 2: JSON has double quotes; nothing from there on was read"
    assert ended.err[-1] == f"row 3 invalid: item 3, line 3: {said}"
    assert run("upsert", "tickets", file, "--rejects", "bad.jsonl").code == 1
    copies = [json.loads(line) for line in Path("bad.jsonl").read_text().splitlines()]
    assert copies[-1]["line"] == "{'sourceId': 1}]"


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv"])
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_mapped_column_that_is_nowhere_is_refused_before_any_call(desk: Desk, name: str, options: list[str]) -> None:
    """The titles would be lost silently."""
    rows = '{"id": "@1", "subject": "Hi"}\n' if name == "t.jsonl" else "id,subject\n@1,Hi\n"
    ended = run("upsert", "tickets", desk.file(name, rows), "--map", "source_id=id", "--map", "title=Betreff", *options)
    assert (ended.code, ended.out, len(ended.err)) == (2, "", 1)
    assert "--map title=Betreff: the file has no such column; it has id, subject" in ended.err[0]
    assert desk.stored() == {}


def test_columns_that_are_not_used_are_reported(desk: Desk) -> None:
    """In a dry run, in a run, and in --json."""
    file = desk.file("t.jsonl", '{"id": "@1", "mail": {"of": "ada(at)x.example"}, "Notes": 1}\n')
    options = ("--map", "source_id=id", "--map", "email=mail.of", "--set", 'domains=["acme.example"]')
    said = "1 column is not used: Notes"
    assert run("upsert", "tickets", file, *options, "--dry-run").err == [said]
    assert json.loads(run("upsert", "tickets", file, *options, "--dry-run", "--json").out)["remarks"] == [said]
    assert run("upsert", "tickets", file, *options).err == [said]
    assert desk.stored()["@1"]["email"] == "ada@x.example"


@pytest.mark.parametrize("form", ["t.csv", "t.json", "null.toml"])
def test_a_missing_value_empties_a_field_only_if_that_is_said(desk: Desk, form: str) -> None:
    """The rule is the same in each format. Nothing empties a key."""
    names = ("sourceId", "email", "domains", "title", "status")
    values = ["@1", "ada(at)acme.example", "acme.example", "", "open"]
    assert run("upsert", "tickets", desk.file("before.csv", HEAD + good(1))).code == 0
    desk.file("null.toml", 'null = "empty"\n')
    file = desk.file("t.csv", ",".join(names) + "\n" + ",".join(values) + "\n")
    if form == "t.json":
        file = desk.file(form, json.dumps(dict(zip(names, values, strict=True)) | {"title": None, "domains": None}))
    assert (
        run("upsert", "tickets", file, *(["--set", 'domains=["acme.example"]'] if form == "t.json" else [])).code == 0
    )
    assert desk.stored()["@1"]["title"] == "Hello"
    how = ["--map", "null.toml"] if form == "null.toml" else ["--empty-nulls"]
    how += ["--set", 'domains=["acme.example"]'] if form == "t.json" else []
    ended = run("upsert", "tickets", file, *how, "--dry-run")
    assert (ended.code, ended.err) == (0, ["1 missing value empties its field: title 1"])
    assert run("upsert", "tickets", file, *how).code == 0
    assert desk.stored()["@1"]["title"] is None


def test_a_required_value_that_is_null_is_invalid(desk: Desk) -> None:
    """As in a row of Python; and a key that is null is no key."""
    ticket = desk.file("t.jsonl", json.dumps({"source_id": None, "email": "ada(at)x.example", "title": "x"}))
    ended = run("upsert", "tickets", ticket, "--empty-nulls")
    assert (ended.code, ended.err[0]) == (1, "row 1 invalid: one of source_id or id is required")
    task = desk.file("u.jsonl", json.dumps({"company_id": None, "action": "Call"}))
    ended = run("upsert", "tasks", task, "--empty-nulls")
    assert (ended.code, ended.err[0]) == (1, "row 1 invalid: company_id is required")


def test_a_mapping_file_sets_columns_constants_and_dates(desk: Desk) -> None:
    """Options are added to it."""
    desk.file("m.toml", 'time_zone = "UTC"\n[fields]\nsource_id = "ID"\n"custom.bought" = "Bought"\n'
              '[constants]\ndomains = ["acme.example"]\n[dates]\n"custom.bought" = "%d/%m/%Y"\n')  # fmt: skip
    file = desk.file("t.csv", "ID,Mail,Bought\n@1,a(at)b.example,31/05/2024\n")
    assert run("upsert", "tickets", file, "--map", "m.toml", "--map", "email=Mail").code == 0
    ticket = desk.stored()["@1"]
    assert (ticket["custom"], ticket["domains"]) == ({"bought": "2024-05-31T00:00:00.000Z"}, ["acme.example"])
    ended = run("upsert", "tickets", file, "--map", "m.toml", "--map", "other.toml")
    assert ended == type(ended)(2, "", ["planhat-async: one mapping file at a time: m.toml and other.toml"])


ACTION = ("--set", "action=call", "--set", "company_id=5fd76c4daf9f4601dd313b05")


def test_a_zone_in_the_text_of_a_time_is_not_forgotten(desk: Desk) -> None:
    """The texts say UTC and GMT, so the zone of the mapping is not theirs; other names of zones are refused."""
    desk.file("m.toml", 'time_zone = "Europe/Berlin"\n[fields]\nsource_id = "id"\nstart_time = "when"\n'
              '[dates]\nstart_time = "%Y-%m-%d %H:%M:%S %Z"\n')  # fmt: skip
    file = desk.file("t.csv", "id,when\n@1,2024-05-31 09:30:00 UTC\n@2,2024-05-31 09:30:00 GMT\n"
                     "@3,2024-05-31 09:30:00 CET\n")  # fmt: skip
    ended = run("upsert", "tasks", file, "--map", "m.toml", *ACTION)
    assert (ended.code, ended.err) == (1, [
        ("row 3 invalid: line 4: start_time: '2024-05-31 09:30:00 CET' is not a time of the form %Y-%m-%d %H:%M:%S %Z, "
        "and %Z reads UTC, GMT and Z only"),
        "no time needed the time zone Europe/Berlin",
    ])  # fmt: skip
    stored = {key: task["startTime"] for key, task in desk.stored("tasks").items()}
    assert stored == {"@1": "2024-05-31T09:30:00.000Z", "@2": "2024-05-31T09:30:00.000Z"}


def test_times_without_a_zone_need_one(desk: Desk) -> None:
    """Texts of several widths, dates and typed times of Parquet get it from the option."""
    file = desk.file("t.csv", "source_id,start_time\n@1,2024-05-31 09:30\n@2,2024-05-31T09:30:00.5\n@3,2024-05-31\n")
    ended = run("upsert", "tasks", file, *ACTION)
    assert (ended.code, ended.err[0]) == (1, (
        "row 1 invalid: line 2: start_time: 2024-05-31 09:30:00 has no time zone: give one with --time-zone, "
        "such as --time-zone UTC"
    ))  # fmt: skip
    naive = [datetime(2024, 5, 31, 9, 30)]  # noqa: DTZ001
    pq.write_table(Table.from_pydict({"source_id": [f"{desk.prefix}4"], "start_time": naive}), "t.parquet")
    for path in (file, Path("t.parquet")):
        assert run("upsert", "tasks", path, *ACTION, "--time-zone", "Europe/Berlin").code == 0
    assert {key: task["startTime"] for key, task in desk.stored("tasks").items()} == {
        "@1": "2024-05-31T07:30:00.000Z",
        "@2": "2024-05-31T07:30:00.500Z",
        "@3": "2024-05-30T22:00:00.000Z",
        "@4": "2024-05-31T07:30:00.000Z",
    }


def test_a_number_is_a_time_by_its_type(desk: Desk) -> None:
    """Without a type the message names the option."""
    file = desk.file("t.jsonl", '{"sourceId":"@1","startTime":1717147800000}\n')
    ended = run("upsert", "tasks", file, *ACTION)
    assert "start_time: 1717147800000 is a number: say what it counts with --type start_time=epoch" in ended.err[0]
    ended = run("upsert", "tasks", file, *ACTION, "--type", "start_time=epoch-seconds")
    assert "in epoch seconds is not between 1971 and 2199: does it count something else?" in ended.err[0]
    assert run("upsert", "tasks", file, *ACTION, "--type", "start_time=epoch-milliseconds").code == 0
    assert desk.stored("tasks")["@1"]["startTime"] == "2024-05-31T09:30:00.000Z"


def test_lists_in_cells_are_split(desk: Desk) -> None:
    """At commas, or as JSON; another separator is a remark until it is chosen."""
    head = "source_id,email,domains,tags\n"
    file = desk.file("t.csv", head + '@1,ada(at)acme.example,acme.example,"vip, urgent"\n'
                     '@2,ada(at)acme.example,acme.example,"[""vip""]"\n')  # fmt: skip
    assert run("upsert", "tickets", file).code == 0
    assert [one["tags"] for one in desk.stored().values()] == [["vip", "urgent"], ["vip"]]
    file = desk.file("s.csv", head + "@1,ada(at)acme.example,acme.example,a;b\n")
    remark = "tags: 1 cell holds ; or | and is read as one item each; see --list-separator"
    assert remark in run("upsert", "tickets", file, "--dry-run").err
    ended = run("upsert", "tickets", file, "--list-separator", ";")
    assert (ended.code, ended.err) == (0, [])
    assert desk.stored()["@1"]["tags"] == ["a", "b"]


def test_custom_fields_have_types(desk: Desk) -> None:
    """They are text in CSV by default; a journal refuses a rerun with other types."""
    file = desk.file("t.csv", "source_id,email,domains,custom.ARR,custom.VIP,custom.Regions,custom.Code\n"
                     '@1,ada(at)acme.example,acme.example,"1200,50",TRUE,"[""EU""]",007\n')  # fmt: skip
    types = ("--type", "custom.ARR=number", "--type", "custom.VIP=boolean", "--type", "custom.Regions=list")
    command = ("upsert", "tickets", file, "--decimal-comma", *types, "--journal", "job.db")
    more = ("--set", "custom.Seats=5", "--type", "custom.Seats=number")
    assert run(*command, *more).code == 0
    custom = {"ARR": 1200.5, "VIP": True, "Regions": ["EU"], "Code": "007", "Seats": 5}
    assert desk.stored()["@1"]["custom"] == custom
    ended = run(*command, "--set", "custom.Seats=5")
    assert ended.code == 2
    assert "types custom.Seats is not given, was number" in ended.err[0]


def test_whole_numbers_are_ids(desk: Desk) -> None:
    """A float column of them is read on request; otherwise the message says how."""
    file = desk.file(
        "t.jsonl", '{"sourceId":"@1","email":"ada(at)acme.example","domains":["a.example"],"title":35436.0}\n'
    )
    ended = run("upsert", "tickets", file)
    assert ended.err[0] == (
        "row 1 invalid: line 1: title: 35436.0 is neither text nor a whole number; if it means one, "
        "--type title=whole-number reads it"
    )
    assert run("upsert", "tickets", file, "--type", "title=whole-number").code == 0
    assert desk.stored()["@1"]["title"] == "35436"


BROKEN = (
    HEAD
    + good(1)
    + '@2,ada(at)acme.example,acme.example,"She wrote \\"see below\\":\n'
    + good(7).replace("\n", '"\n')
    + good(3)
)
"""A cell with escaped quotes and a line break, behind which a row's text is that of a cell."""


def test_nothing_behind_an_error_of_quotes_is_sent(desk: Desk) -> None:
    """The rows before it are stored; the rest is one invalid row, and what to do is said."""
    file = desk.file("t.csv", BROKEN)
    ended = run("upsert", "tickets", file, "--rejects", "bad.csv")
    assert (ended.code, [*desk.stored()]) == (1, ["@1"])
    reason, *others = ended.err
    assert reason.startswith("row 2 invalid: lines 3 to 5, the last: not read, because a quote is closed in the middle")
    assert reason.endswith(": if a backslash stands before quotes, say --escape backslash, or else correct the line")
    assert others == [
        "3 lines were not read, from line 3 on, and counted as one invalid row",
        "1 row to be corrected is in bad.csv",
    ]
    (unread,) = list(csv.reader(Path("bad.csv").read_text().splitlines(keepends=True)))[1:]
    assert unread[5:] == [file.read_text().split("Hello\n", 1)[1]]
    assert run("upsert", "tickets", "bad.csv").code == 1
    assert [*desk.stored()] == ["@1"]


def test_escaped_quotes_are_read_on_request(desk: Desk) -> None:
    """The cell has its line break, and the rows after it are read."""
    file = desk.file("t.csv", BROKEN)
    assert run("upsert", "tickets", file, "--escape", "backslash").code == 0
    assert {key: row["title"] for key, row in desk.stored().items()} == {
        "@1": "Hello",
        "@2": f'She wrote "see below":\n{desk.prefix}7,ada@acme.example,acme.example,Hello',
        "@3": "Hello",
    }


def test_a_dry_run_counts_the_unread_rest_and_remarks_it(desk: Desk) -> None:
    """It is one invalid row of the file, which has at least as many."""
    printed = json.loads(run("upsert", "tickets", desk.file("t.csv", BROKEN), "--dry-run", "--json").out)
    assert (printed["rows"], printed["invalid"], printed["to_send"]) == (2, 1, 1)
    assert printed["remarks"] == ["3 lines were not read, from line 3 on, and counted as one invalid row"]


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("t.csv", "Source_ID; email;domains;title;\r\n@1;ada(at)acme.example;acme.example;Zoë;\r\n".encode("cp1252"),
         ("--encoding", "cp1252")),
        ("t.csv", b"\r\nsep=;\r\nsource_id;email;domains;title\r\n@1;ada(at)x.example;acme.example;Zo\xc3\xab\r\n", ()),
        ("t.tsv", "source_id\temail\tdomains\ttitle\n@1\tada(at)acme.example\tacme.example\tZoë".encode(), ()),
        ("t.txt", "source_id^email^domains^title\n@1^ada(at)acme.example^acme.example^Zoë\n".encode(),
         ("--format", "csv", "--delimiter", "^")),
    ],
)  # fmt: skip
def test_a_csv_has_any_dialect(desk: Desk, name: str, content: bytes, options: tuple[str, ...]) -> None:
    """It is recognised from the header, the suffix or an option."""
    ended = run("upsert", "tickets", desk.file(name, content), *options)
    assert (ended.code, ended.err, desk.stored()["@1"]["title"]) == (0, [], "Zoë")


def test_excels_unicode_text_is_read(desk: Desk) -> None:
    """It is UTF-16 with a byte order mark and tabs, under the suffix .txt."""
    lines = f"source_id\temail\tdomains\r\n{desk.prefix}1\tada@acme.example\tacme.example\r\n"
    Path("t.txt").write_bytes(lines.encode("utf-16"))
    ended = run("upsert", "tickets", "t.txt", "--format", "csv")
    assert (ended.code, [*desk.stored()]) == (0, ["@1"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--delimiter", ","),
         "t.csv: the header is one column that holds ';': if that separates columns, say --delimiter ';'"),
        (("--delimiter", "ab"),
         "--delimiter is one character, or tab; it is not a letter, digit, quote or line break: 'ab'"),
        (("--escape", "x"),
         "--escape is one character, or backslash; it is not a letter, digit, quote or line break: 'x'"),
        (("--delimiter", ";", "--escape", ";"), "--delimiter and --escape are the same character"),
        (("--format", "jsonl", "--delimiter", ";"), "--delimiter is for CSV, and t.csv is read as jsonl"),
        (("--map", "title=Titel"), "t.csv: --map title=Titel: the file has no such column; it has source_id, title"),
    ],
)  # fmt: skip
def test_a_dialect_that_does_not_fit_is_refused(desk: Desk, options: tuple[str, ...], message: str) -> None:
    """Nothing is sent."""
    desk.file("t.csv", "source_id;title\n@1;a\n")
    ended = run("upsert", "tickets", "t.csv", *options)
    assert (ended.code, ended.err) == (2, [f"planhat-async: {message}"])


def test_a_rerun_in_another_dialect_is_refused(desk: Desk) -> None:
    """The same command is not, nor one whose option says what the header shows."""
    file = desk.file("t.csv", HEAD.replace(",", ";") + good(1).replace(",", ";"))
    command = ("upsert", "tickets", file, "--journal", "job.db")
    assert [run(*command).code, run(*command).code, run(*command, "--delimiter", ";").code] == [0, 0, 0]
    ended = run(*command, "--escape", "backslash")
    assert (ended.code, "escape is \\, was not given" in ended.err[0]) == (2, True)
    ended = run(*command, "--encoding", "cp1252")
    assert (ended.code, "encoding is cp1252, was not given" in ended.err[0]) == (2, True)


def test_left_out_rows_are_said(desk: Desk) -> None:
    """Repeated headers and blank rows; the exit code is that of the others."""
    file = desk.file("t.csv", HEAD + good(1) + ",,,\n" + HEAD + good(2))
    ended = run("upsert", "tickets", file)
    assert (ended.code, ended.err) == (0, ["1 repeated header row left out", "1 blank row left out"])
    ended = run("upsert", "tickets", desk.file("u.csv", HEAD))
    assert (ended.code, ended.err) == (0, ["the file has a header and no rows"])


@pytest.mark.slow
def test_standard_input_is_a_source(desk: Desk) -> None:
    """It is read row by row as data arrives."""
    with started(desk.folder, "upsert", "tickets", "-", "--format", "jsonl", "--json") as process:
        line = desk.own(good_json(1))
        out, _ = process.communicate(line, timeout=60)
    assert json.loads(out)["created"] == 1
    assert [*desk.stored()] == ["@1"]


@pytest.mark.slow
def test_an_upsert_that_waits_for_standard_input_can_be_interrupted(desk: Desk) -> None:
    """The thread that waits for input does not delay the end."""
    with started(desk.folder, "upsert", "tickets", "-", "--format", "jsonl", "--journal", "job.db") as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(desk.own(good_json(1)))
        process.stdin.flush()
        while not Path("job.db").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == FINISHING + "\n"
        assert process.wait(timeout=60) == 130


TASK_OPTIONS = (
    "--map", "source_id=id", "--map", "action=action", "--map", "start_time=at", "--set", "company_id=extid-acme",
)  # fmt: skip


def write_tasks(desk: Desk, n_rows: int, column: str, array: pa.Array, **options: Any) -> Path:
    """Write tasks to a file of Parquet, with one column replaced."""
    columns = {
        "id": [f"{desk.prefix}{n}" for n in range(n_rows)],
        "action": ["Call"] * n_rows,
        "at": pa.array([0] * n_rows, pa.timestamp("ms", "UTC")),
    }
    path = desk.folder / "t.parquet"
    parquet.write_table(pa.table(columns | {column: array}), path, **options)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "array", "reason"),
    [
        ("at", pa.array([0] * 20 + [int(6e14)] + [0] * 9, pa.timestamp("ms", "UTC")),
         "column 'at': a time outside the years 1 to 9999"),
        ("action", pa.array([b"ok"] * 20 + [b"caf\xe9"] + [b"ok"] * 9).view(pa.string()),
         "column 'action': text that is not UTF-8"),
    ],
)  # fmt: skip
def test_a_value_of_parquet_that_python_cannot_hold_is_one_invalid_row(
    desk: Desk, column: str, array: pa.Array, reason: str
) -> None:
    """All others are stored, and the outcomes add up to the rows of the file."""
    file = write_tasks(desk, 30, column, array)
    options = ("--chunk-size", "5", "--json", "--rejects", "bad.parquet")
    ended = run("upsert", "tasks", file, *TASK_OPTIONS, *options)
    printed = json.loads(ended.out)
    assert (ended.code, printed["created"], printed["invalid"], printed["rows"]) == (1, 29, 1, 30)
    assert printed["problems"] == [{"row": 21, "key": None, "outcome": "invalid", "reason": f"row 21: {reason}"}]
    assert parquet.read_table("bad.parquet").column("id").to_pylist() == [f"{desk.prefix}20"]


def test_a_nanosecond_is_cut_off(desk: Desk) -> None:
    """The time is sent in milliseconds."""
    file = write_tasks(desk, 1, "at", pa.array([1_717_147_800_000_000_001], pa.timestamp("ns", "UTC")))
    assert run("upsert", "tasks", file, *TASK_OPTIONS).code == 0
    assert desk.stored("tasks")["@0"]["startTime"] == "2024-05-31T09:30:00.000Z"


def test_of_a_damaged_file_the_rows_before_the_damage_have_outcomes(desk: Desk) -> None:
    """There is the table, one line about the file, the rejects, and a journal with which the job can be resumed."""
    actions = pa.array([b"ok", b"caf\xe9", *(b"do %d" % n for n in range(2, 30))]).view(pa.string())
    file = write_tasks(
        desk, 30, "action", actions, row_group_size=10, compression="none", use_dictionary=False,
        write_page_checksum=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes().replace(b"do 25", b"do 99"))
    command = ("upsert", "tasks", file, *TASK_OPTIONS, "--chunk-size", "4")
    job = (*command, "--journal", "job.db", "--json", "--rejects")
    for name in ("a.parquet", "b.parquet"):
        ended = run(*job, name)
        printed = json.loads(ended.out)
        assert (ended.code, printed["created"] + printed["unsent"], printed["invalid"]) == (2, 19, 1)
        assert len(desk.stored("tasks")) == printed["created"]
        assert printed["stopped_by"].startswith(
            f"{file}: it is damaged in the column 'action': row 21 and all after it"
        )
        assert ended.err[-2:] == [
            f"1 row to be corrected is in {name}",
            "rows that this run did not reach are not in it",
        ]
        assert parquet.read_table(name).column("id").to_pylist() == [f"{desk.prefix}1"]
    ended = run(*command)
    assert (ended.code, "unchanged" in ended.out) == (2, True)
    assert sum(line.startswith("planhat-async: ") for line in ended.err) == 1


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["csv", "parquet", "jsonl"])
def test_two_cells_of_an_export_are_edited_and_sent_back(desk: Desk, format_: str) -> None:
    """Exactly these two records change, nothing is emptied, and a remark names the columns that were left out."""
    rows = [
        {"sourceId": f"@{n}", "companyId": "extid-acme", "action": f"Call {n}", "description": 'a "b";\n=1+1',
         "checklist": [{"title": "x"}], "startTime": "2024-05-31T09:30:00Z", "custom": {"ARR": n, "Tags": ["a", "b"]}}
        for n in range(5)
    ]  # fmt: skip
    file = desk.file("new.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert run("upsert", "tasks", file).code == 0
    before = desk.stored("tasks")
    export = desk.folder / f"tasks.{format_}"
    assert run("export", "tasks", "-o", export).code == 0
    if format_ == "parquet":
        table = parquet.read_table(export)
        edited = [{"Call 1": "Write", "Call 3": "Wait"}.get(text, text) for text in table["action"].to_pylist()]
        column = table.schema.get_field_index("action")
        parquet.write_table(table.set_column(column, table.schema.field(column), pa.array(edited)), export)
    else:
        text = export.read_bytes()
        export.write_bytes(text.replace(b"Call 1", b"Write").replace(b"Call 3", b"Wait"))
    printed = json.loads(run("upsert", "tasks", export, "--json").out)
    assert (printed["updated"], printed["unchanged"]) == (2, printed["rows"] - 2)
    assert "left out, filled in by Planhat: " in printed["remarks"][0]
    after = desk.stored("tasks")
    assert {key: row["action"] for key, row in after.items()} == {
        "@0": "Call 0", "@1": "Write", "@2": "Call 2", "@3": "Wait", "@4": "Call 4",
    }  # fmt: skip
    for key, row in after.items():
        assert row | {"action": 0, "updatedAt": 0} == before[key] | {"action": 0, "updatedAt": 0}


class SlowJob:
    """A job whose input ends after 35 seconds."""

    result = UpsertResult(created=3)

    async def __aiter__(self) -> AsyncIterator[ChunkResult]:
        await asyncio.sleep(35)
        return
        yield


def test_without_a_terminal_progress_is_logged_periodically(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is printed every ten seconds."""
    lines: list[str] = []
    monkeypatch.setattr("planhat_async.cli.console.tell", lambda line, **_: lines.append(line))
    session: Any = SimpleNamespace(stats=SessionStats(), calls_left=7, seconds_until_bulk_call=lambda _: 0.0)
    source: Any = SimpleNamespace(path=Path("t.csv"), total_bytes=None, rows_read=3, bytes_read=0)
    job: Any = SlowJob()
    virtual_time.run(follow(session, job, source, None, model="tickets"))
    assert lines == ["3 rows, 0 rows/s: 3 stored, 0 failed, 0 unknown; 7 calls left this minute"] * 3


@pytest.mark.slow
async def test_an_outage_is_no_matter_of_the_rows(
    planhat: Sandbox, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code and the last line say that the same command helps; then it sends the rows."""
    monkeypatch.setenv("PLANHAT_BASE_URL", planhat.url)
    monkeypatch.setenv("PLANHAT_API_TOKEN", planhat.token)
    file = desk.file("t.csv", HEAD + good(1) + good(2))
    planhat.inject("http_503@1+2+3+4+5")
    command = ("upsert", "tickets", file, "--journal", desk.folder / "job.db", "--rejects", desk.folder / "r.csv")
    failed = await asyncio.to_thread(run, *command)
    assert (failed.code, failed.err[-1]) == (3, "run the same command again to resume")
    assert any("answered 503" in line for line in failed.err)
    assert not (desk.folder / "r.csv").exists()
    assert (await asyncio.to_thread(run, *command)).code == 0
    assert len(planhat.records("tickets")) == 2
