"""`planhat-async delete` as its users meet it: planned, carried out, interrupted, killed, refused."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import virtual_time
from command_line import HEAD, TOKEN, Desk, Ended, good, request_on, run, started
from each_model import each
from pyarrow import parquet

from planhat_async.cli import console
from planhat_async.cli.job_display import follow_deletion
from planhat_async.jobs.deletion_table import DeletionTable
from planhat_async.jobs.deletions import DeleteResult
from planhat_async.repositories import Deletes, Repository
from planhat_async.session import SessionStats

ABSENT = "f" * 24
HOW_TO = "nothing was deleted: run the same command with --yes to delete the records"
NO_ID = "is not an _id (24 hex digits): a deletion of tickets takes an _id, not extid-KEY or srcid-KEY"
FINISHING = "finishing the calls in flight; interrupt again to stop at once\n"
COUNTS = ["deleted", "missing", "rejected", "invalid", "unknown", "unsent"]


def stocked(desk: Desk, n_tickets: int = 3) -> list[str]:
    """The `_id`s of so many tickets in the sandbox."""
    run("upsert", "tickets", desk.file("stock.csv", HEAD + "".join(good(number) for number in range(n_tickets))))
    return [ticket["_id"] for ticket in desk.stored().values()]


def lines(*keys: str) -> str:
    return "".join(f"{key}\n" for key in keys)


def deleted(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """How a deletion ended, and what it printed as JSON."""
    ended = run("delete", "tickets", *arguments, "--json")
    told = json.loads(ended.out)
    return ended.code, told


def test_without_yes_nothing_is_deleted(desk: Desk) -> None:
    """It says what would be, why rows are invalid, and how to carry it out; the code is 1 if a row is invalid."""
    ids = stocked(desk)
    good_file, bad_file = desk.file("k.txt", lines(*ids)), desk.file("bad.txt", lines(*ids, "extid-7", ids[0].upper()))
    ended = run("delete", "tickets", good_file)
    assert (ended.code, ended.err) == (0, [HOW_TO])
    assert "│ calls        │ 3 │" in ended.out
    assert f"_ids: {', '.join(ids)}\n" in ended.out
    ended = run("delete", "tickets", bad_file, "--per-minute", "2")
    assert (ended.code, ended.err) == (
        1,
        [
            "1 more row with the key of an earlier one: each key counts once",
            f"row 4 invalid: 'extid-7' {NO_ID}",
            HOW_TO,
        ],
    )
    assert "│ seconds of waiting for the rate limit │ 60.0 │" in ended.out
    code, told = deleted(bad_file)
    assert (code, told["rows"], told["invalid"], told["repeated"], told["calls"]) == (1, 4, 1, 1, 3)
    assert told["first_ids"] == ids
    assert [problem["row"] for problem in told["problems"]] == [4]
    assert len(desk.stored()) == 3


def test_a_dry_run_is_what_happens_without_yes(desk: Desk) -> None:
    """The two options contradict each other; of many `_id`s the first are shown."""
    ids = stocked(desk, 7)
    file = desk.file("k.txt", lines(*ids))
    ended = run("delete", "tickets", file, "--dry-run")
    assert (ended.code, ended.err) == (0, [HOW_TO.replace("--yes", "--yes instead of --dry-run")])
    assert f"_ids: {', '.join(ids[:5])} and 2 more\n" in ended.out
    assert run("delete", "tickets", file, "--dry-run", "--yes") == Ended(
        2,
        "",
        ["planhat-async: --yes deletes and --dry-run only shows what would be deleted: leave one of them out"],
    )
    assert len(desk.stored()) == 7


def test_every_row_has_one_outcome(desk: Desk) -> None:
    """Blank lines and comments are no rows; a missing record is no failure, an invalid row is one."""
    ids = stocked(desk)
    file = desk.file("k.txt", f"\ufeff{ids[0]}\r\n\n  {ids[1]}\n# a comment\n{ABSENT}\n{ids[0]}\nsrcid-1\n")
    code, told = deleted(file, "--yes")
    assert told.pop("seconds") >= 0
    # One more call if the missing record is answered before any other is deleted: that the model's list can be read.
    assert (told.pop("calls"), told.pop("attempts")) in {(3, 3), (4, 4)}
    assert code == 1
    assert told == {
        "rows": 4,
        **dict.fromkeys(COUNTS, 0),
        "deleted": 2,
        "missing": 1,
        "invalid": 1,
        "repeated": 1,
        "ok": False,
        "stopped_by": None,
        "n_problems": 1,
        "problems": [
            {
                "row": 5,
                "key": None,
                "outcome": "invalid",
                "reason": f"'srcid-1' {NO_ID}",
            }
        ],
        "not_deleted": {"invalid": [[5, 5]]},
        "remarks": [],
    }
    assert [*desk.stored()] == ["@2"]


def test_the_outcomes_are_shown_in_a_table(desk: Desk) -> None:
    """The code is 0 if no record of the file is left."""
    ids = stocked(desk, 2)
    ended = run("delete", "tickets", desk.file("k.txt", lines(*ids, ABSENT)), "--yes")
    assert (ended.code, ended.err) == (0, [])
    assert "│ deleted │    2 │ deleted        │" in ended.out
    assert "│ missing │    1 │ no such record │" in ended.out


@pytest.mark.parametrize("name", ["export.jsonl", "export.csv", "export.parquet"])
def test_an_export_names_the_records_to_delete(desk: Desk, name: str) -> None:
    """Only its `_id`s matter."""
    stocked(desk)
    run("export", "tickets", "-o", name)
    code, told = deleted(name, "--yes")
    assert (code, told["deleted"], told["rows"] - told["deleted"]) == (0, told["rows"], 0)
    assert desk.stored() == {}


@each(Deletes)
def test_each_model_is_deleted_from(desk: Desk, repository: type[Repository[Any]]) -> None:
    """A record that is missing is found to be."""
    ended = run("delete", repository.model.name, desk.file("k.txt", ABSENT), "--yes", "--json")
    assert (ended.code, json.loads(ended.out)["missing"]) == (0, 1)


def test_a_column_of_another_name_is_mapped(desk: Desk) -> None:
    """In CSV, JSONL and Parquet; rows without a key are invalid."""
    ids = stocked(desk)
    table = desk.file("k.csv", f"Key,Other\n{ids[0]},x\n,y\n")
    assert deleted(table, "--map", "id=Key", "--yes")[1]["deleted"] == 1
    jsonl = desk.file("k.jsonl", json.dumps({"Key": ids[1]}) + "\n{}\n" + '{"Key": null}\n')
    code, told = deleted(jsonl, "--map", "id=Key", "--yes")
    assert (code, told["deleted"], told["invalid"]) == (1, 1, 2)
    assert [problem["reason"] for problem in told["problems"]] == ["id is missing"]
    parquet.write_table(pa.table({"Key": [ids[2]]}), "k.parquet")
    assert deleted("k.parquet", "--map", "id=Key", "--yes")[1]["deleted"] == 1


def test_a_row_with_two_different_keys_is_invalid(desk: Desk) -> None:
    """Unless one of the columns is chosen."""
    ids = stocked(desk, 1)
    file = desk.file("k.jsonl", json.dumps({"_id": ids[0], "id": ABSENT}) + "\n")
    code, told = deleted(file, "--yes")
    assert (code, told["invalid"], told["problems"][0]["reason"]) == (
        1,
        1,
        "line 1: it has an _id and another id: choose one with --map id=COLUMN",
    )
    assert deleted(file, "--map", "id=_id", "--yes")[1]["deleted"] == 1


REMARKS = ["1 repeated header row left out", "1 blank row left out", "1 column is not used: x"]


def test_keys_may_be_in_a_csv_of_any_dialect(desk: Desk) -> None:
    """A blank row and a repeated header are no keys, and are said."""
    (key,) = stocked(desk, 1)
    file = desk.file("k.txt", f"Key;x\n{key};1\n;\nKey;x\n")
    code, told = deleted(file, "--format", "csv", "--map", "id=key", "--yes")
    assert (code, told["deleted"], told["remarks"]) == (0, 1, REMARKS)
    ended = run("delete", "tickets", file, "--format", "csv", "--delimiter", ",", "--yes")
    assert ended.err[0].startswith(f"planhat-async: {file}: the header is one column that holds ';': if that ")


@pytest.mark.slow
def test_keys_may_come_through_a_pipe(desk: Desk) -> None:
    """One on each line, or in another format if that is said."""
    ids = stocked(desk, 2)
    for arguments, content in (([], ids[0]), (["--format", "jsonl"], json.dumps({"_id": ids[1]}))):
        with started(desk.folder, "delete", "tickets", "-", "--yes", "--json", *arguments) as process:
            out, err = process.communicate(content, timeout=60)
        assert (process.returncode, json.loads(out)["deleted"], err) == (0, 1, "")


REFUSED = [
    pytest.param(["gone.txt"], "gone.txt: No such file or directory", id="missing file"),
    pytest.param(["folder"], "folder is a directory: name a file in it", id="directory"),
    pytest.param(["k.doc"], "k.doc: the name must end in .csv, .jsonl, .ndjson, .parquet, .json, .tsv,", id="suffix"),
    pytest.param(["k.txt", "--map", "id=x"], "--map names a column, and k.txt is read as one _id per line", id="map"),
    pytest.param(["k.csv"], "k.csv: the file has no column _id or id: name it with --map id=COLUMN; it", id="column"),
    pytest.param(["k.csv", "--map", "id=x"], "k.csv: --map id=x: the file has no such column; it has a", id="mapped"),
    pytest.param(["k.csv", "--map", "source_id=a"], "'source_id=a' does not have the form --map id=COLUMN", id="field"),
    pytest.param(["both.csv"], "both.csv: the file has the columns _id and id: choose one with --map", id="both"),
    pytest.param(["k.csv", "--map", "id=a", "--map", "id=b"], "one --map id=COLUMN at most", id="maps"),
    pytest.param(["twice.csv"], "twice.csv: the file has the column 'id' twice", id="twice"),
    pytest.param(["k.txt", "--journal", "no/j.db"], "no/j.db: there is no folder no", id="journal's folder"),
    pytest.param(["k.txt", "--journal", "k.txt"], "k.txt: this is not a journal", id="no journal"),
    pytest.param(["k.txt", "--rejects", "k.txt"], "k.txt would overwrite k.txt: choose another name", id="rejects"),
    pytest.param(["k.txt", "--token-file", "gone"], "gone: No such file or directory", id="token file"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line_before_anything_is_deleted(
    desk: Desk, arguments: list[str], message: str
) -> None:
    """The code is that of wrong usage."""
    ids = stocked(desk, 1)
    desk.file("k.txt", lines(*ids))
    desk.file("k.csv", "a,b\n1,2\n")
    desk.file("both.csv", f"id,_id\n{ids[0]},{ids[0]}\n")
    desk.file("twice.csv", f"id,id\n{ids[0]},{ids[0]}\n")
    desk.file("k.doc", "")
    (desk.folder / "folder").mkdir()
    ended = run("delete", "tickets", *arguments, "--yes")
    assert (ended.code, ended.out, len(ended.err)) == (2, "", 1), ended.err
    assert ended.err[0].startswith(f"planhat-async: {message}")
    assert len(desk.stored()) == 1


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no folder that is read-only for all")
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--journal", "/proc/self/j.db: the journal cannot be written here: its folder is read-only"),
        ("--rejects", "/proc/self/j.db: its folder is read-only"),
    ],
)
def test_a_folder_that_is_read_only_is_refused(desk: Desk, option: str, message: str) -> None:
    """Before anything is deleted."""
    ids = stocked(desk, 1)
    ended = run("delete", "tickets", desk.file("k.txt", lines(*ids)), option, "/proc/self/j.db", "--yes")
    assert ended == Ended(2, "", [f"planhat-async: {message}"])
    assert len(desk.stored()) == 1


def test_a_deletion_that_is_done_says_so_when_it_is_run_again(desk: Desk) -> None:
    """Its table is that of the earlier runs; a run that sends something does not say so."""
    ids = stocked(desk, 2)
    command = ("delete", "tickets", desk.file("k.txt", lines(*ids, ABSENT)), "--journal", "j.db", "--yes")
    said = "nothing was left to do: the outcomes and the time are those of earlier runs"
    assert said not in run(*command).err
    again = run(*command)
    assert (again.code, again.err) == (0, [said])
    assert "│ deleted │    2 │" in again.out
    assert run(*command, "--json").err == []


def test_a_file_that_changes_is_refused(desk: Desk) -> None:
    """A journal belongs to one list of keys."""
    ids = stocked(desk)
    file = desk.file("k.txt", lines(*ids[:2]))
    assert deleted(file, "--journal", "j.db", "--yes")[0] == 0
    desk.file("k.txt", lines(ids[2], ids[1]))
    ended = run("delete", "tickets", file, "--journal", "j.db", "--yes")
    assert (ended.code, ended.out, len(ended.err)) == (2, "", 1)
    assert ended.err[0].startswith("planhat-async: the input is not what it was when the job began; put back what")
    desk.file("k.txt", lines(ids[2]))
    ended = run("delete", "tickets", file, "--journal", "j.db", "--yes")
    assert (ended.code, len(desk.stored())) == (2, 1)
    assert "is the journal of another job: size in bytes is 25, was 50" in ended.err[0]


def test_a_wrong_token_ends_a_deletion(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call finds out; no row is lost from the account, and the journal is resumed with the right one."""
    ids = stocked(desk)
    file = desk.file("k.txt", lines(*ids))
    monkeypatch.setenv("PLANHAT_API_TOKEN", "wrong-token")
    code, told = deleted(file, "--journal", "j.db", "--concurrency", "1", "--yes")
    assert (code, told["unsent"], told["rows"], told["attempts"], told["ok"]) == (3, 3, 3, 1, False)
    assert "answered 401 (the token is wrong" in told["stopped_by"]
    ended = run("delete", "tickets", file, "--journal", "j.db", "--yes")
    assert (ended.code, ended.err[-1]) == (3, "correct the token, then run the same command again to resume")
    monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
    assert deleted(file, "--journal", "j.db", "--yes")[1]["deleted"] == 3


def test_rejected_rows_are_copied_with_their_reasons(desk: Desk) -> None:
    """In the input's format; each copy can be used as a file of keys."""
    ids, reason = stocked(desk, 1), f"invalid: 'extid-1' {NO_ID}"
    contents = {
        "txt": lines(*ids, "extid-1"),
        "csv": f"id,a\n{ids[0]},1\nextid-1,2\n",
        "jsonl": f'{{"id":"{ids[0]}"}}\n{{"id":"extid-1"}}\n',
    }
    for suffix, content in contents.items():
        arguments = (desk.file(f"k.{suffix}", content), "--rejects", f"r.{suffix}", "--yes")
        ended = run("delete", "tickets", *arguments)
        assert (ended.code, ended.err[-1]) == (1, f"1 row to be corrected is in r.{suffix}")
        assert run("delete", "tickets", f"r.{suffix}").code == 1
    assert Path("r.txt").read_text() == f"# {reason}\nextid-1\n"
    with open("r.csv", newline="") as file:
        assert [*csv.reader(file)] == [["not stored because", "id", "a"], [reason, "extid-1", "2"]]
    assert json.loads(Path("r.jsonl").read_text()) == {"not stored because": reason, "id": "extid-1"}


def test_a_job_is_looked_into(desk: Desk) -> None:
    """Its status, its problems; a report is for upserts."""
    ids = stocked(desk, 1)
    run("delete", "tickets", desk.file("k.txt", lines(*ids, "oops")), "--journal", "j.db", "--yes")
    status, problems, report = run("jobs", "status", "j.db"), run("jobs", "problems", "j.db"), run("report", "j.db")
    assert (status.code, status.err[0].startswith("j.db: work delete, model tickets, base_url ")) == (1, True)
    assert "│ deleted │    1 │ deleted" in status.out
    assert status.err[-1] == "the input was read to its end"
    assert problems.out.startswith("invalid\t2\t'oops' is not an _id")
    message = (
        "planhat-async: j.db is the journal of a deletion, and reports are of upserts: see `planhat-async jobs status`"
    )
    assert report == Ended(2, "", [message])


# Interruptions


def begun(desk: Desk, keys: list[str], url: str, *options: str) -> tuple[str | Path, ...]:
    """The arguments of a deletion of these keys, one after another, with a journal."""
    file = desk.file("k.txt", lines(*keys))
    more = ("--yes", "--json", "--journal", "j.db", "--concurrency", "1", "--base-url", url)
    return ("delete", "tickets", file, *more, *options)


def interrupt(process: subprocess.Popen[str]) -> None:
    """Send Ctrl-C, once it is noticed."""
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == FINISHING


@pytest.mark.slow
def test_an_interrupt_while_keys_are_awaited_ends_the_command(desk: Desk) -> None:
    """Nothing was deleted, so there is nothing to wait for."""
    with started(desk.folder, "delete", "tickets", "-", "--yes", "--journal", "j.db") as process:
        assert process.stdin is not None
        process.stdin.write(lines(ABSENT))
        process.stdin.flush()
        while not Path("j.db").exists():
            assert process.poll() is None
        interrupt(process)
        assert process.wait(timeout=60) == 130


def test_a_journal_that_is_removed_ends_a_deletion(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account is given all the same; the code is that of an unusable file."""
    ids = stocked(desk)
    removed = DeletionTable.claim

    async def remove(self: DeletionTable, most: int) -> Any:
        Path("j.db").unlink()  # noqa: ASYNC240 - nothing else runs
        return await removed(self, most)

    monkeypatch.setattr(DeletionTable, "claim", remove)
    code, told = deleted(desk.file("k.txt", lines(*ids)), "--journal", "j.db", "--yes")
    assert (code, told["unsent"], told["rows"], told["ok"]) == (2, 3, 3, False)
    assert "the journal was moved or removed while its job ran, so nothing more is sent" in told["stopped_by"]
    assert len(desk.stored()) == 3


def test_a_journal_without_rows_is_looked_into(desk: Desk) -> None:
    """Its run was killed before it had read any."""
    run("delete", "tickets", desk.file("k.txt", ""), "--journal", "j.db", "--yes")
    with closing(sqlite3.connect("j.db")) as journal:
        journal.execute("DROP TABLE deletions")
        journal.execute("DELETE FROM job WHERE name = 'digest'")
        journal.commit()
    status = run("jobs", "status", "j.db")
    assert (status.code, status.err[-1]) == (1, "not at the input's end: run the job again")


class SlowJob:
    """A deletion that takes 35 seconds, of which it reads its input for 15."""

    def __init__(self) -> None:
        self.result, self.has_begun = DeleteResult(unsent=4), False

    async def run(self) -> DeleteResult:
        await asyncio.sleep(15)
        self.result, self.has_begun = DeleteResult(deleted=3, unsent=1), True
        await asyncio.sleep(20)
        return self.result


@pytest.mark.parametrize("is_terminal", [False, True])
def test_the_progress_is_shown_now_and_then(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    """Every ten seconds on a line, on a terminal every second in a bar; not while the input is read."""
    told: list[str] = []
    drawn: list[tuple[Any, ...]] = []
    monkeypatch.setattr(console, "tell", lambda line, **_: told.append(line))
    monkeypatch.setattr(console, "err", SimpleNamespace(is_terminal=is_terminal))
    monkeypatch.setattr(console, "progress", lambda *_, **__: nullcontext(lambda *values: drawn.append(values)))
    session: Any = SimpleNamespace(stats=SessionStats(), calls_left=7, seconds_until_bulk_call=lambda _: 0.0)
    job: Any = SlowJob()
    virtual_time.run(follow_deletion(session, job, model="tickets"))
    line = "3 of 4 rows, 0 rows/s: 3 deleted, 0 missing, 0 failed, 0 unknown; 7 calls left this minute"
    assert told == ([] if is_terminal else [line] * 2)
    assert drawn[:1] == [(3, None, "3 deleted, 0 missing, 0 failed, 0 unknown")] * is_terminal


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupted_deletion_accounts_for_every_row_and_is_resumed(desk: Desk, times: int) -> None:
    """Asked once it waits for the answer, asked twice it does not; the next run deletes the rest."""
    ids = stocked(desk)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with started(desk.folder, *begun(desk, ids, url)) as process:
            connection, _ = server.accept()
            with connection:
                assert request_on(connection) == b""
                interrupt(process)
                if times == 2:
                    process.send_signal(signal.SIGINT)
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + b'{"n":1}')
                out, err = process.communicate(timeout=60)
    told = json.loads(out)
    assert (process.returncode, err) == (130, "run the same command again to resume\n")
    assert (told["deleted"], told["unknown"], told["unsent"], told["rows"]) == (2 - times, times - 1, 2, 3)
    assert told["stopped_by"].startswith("interrupted; ")
    wrong_server = run(*begun(desk, ids, desk.url))
    assert (wrong_server.code, "base_url is" in wrong_server.err[0]) == (2, True)
    assert len(desk.stored()) == 3
