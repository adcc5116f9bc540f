"""Test the journal's file: its contents, its lock, and the messages about unusable files."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import attrs
import pytest
from killed_jobs import saved

from planhat_async.jobs import journal
from planhat_async.jobs.entries import ChunkState, Entry, Group, Run
from planhat_async.jobs.journal import Journal, next_run
from planhat_async.jobs.journal_file import JournalError, JournalFile
from planhat_async.jobs.schema import SCHEMA_VERSION
from planhat_async.results import Outcome

ENTRY = Entry(
    number=3,
    n_rows=9,
    digest="ab12",
    is_keyed=True,
    state=ChunkState.UNKNOWN,
    positions=(range(9),),
    pending=(range(2), range(5, 7)),
    counts={"created": 3, "unknown": 2},
    groups=(Group(Outcome.UNKNOWN, "no answer “yet”", (range(7, 9),), n_nameless=1, key="k"),),
    isolation_calls=4,
    run=1,
    begun=1.5,
    sent=2.5,
    ended=3.5,
    n_attempts=7,
    floor="6553e2f0" + "0" * 16,
)


def execute(journal: Journal, statement: str) -> sqlite3.Cursor:
    """Execute a statement on an open journal's own connection."""
    assert journal._file is not None
    return journal._file.connection.execute(statement)


async def entries_in(path: Path, *, must_exist: bool = False) -> dict[int, Entry]:
    async with await Journal.open(path, must_exist=must_exist) as journal:
        return journal.entries


async def test_saved_entries_survive_reopening(tmp_path: Path) -> None:
    """The job, its runs and its chunks are equal in every detail."""
    async with await Journal.open(tmp_path / "job.db") as journal:
        assert (journal.job, journal.runs, journal.entries) == ({}, [], {})
        run = attrs.evolve(next_run(journal, per_minute=200), ended=9.0, ended_by="stopped", calls=3, attempts=4)
        await journal.save_job({"model": "tickets", "columns": {"email": "Mail"}, "chunk_size": 5})
        await journal.save_run(run)
        await journal.save(ENTRY)
    async with await Journal.open(tmp_path / "job.db", must_exist=True) as journal:
        assert journal.job == {"model": "tickets", "columns": {"email": "Mail"}, "chunk_size": 5}
        assert (journal.runs, journal.entries) == ([run], {3: ENTRY})
        assert next_run(journal, per_minute=None).number == 2


async def test_a_journal_can_be_closed_twice(tmp_path: Path) -> None:
    """The second call does nothing."""
    journal = await Journal.open(tmp_path / "job.db")
    await journal.close()
    await journal.close()
    assert journal.is_closed


async def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """The journal does not wait for it."""
    os.mkfifo(tmp_path / "job.db")
    assert await refusal(tmp_path / "job.db") == f"{tmp_path / 'job.db'} is not a regular file"


async def test_a_removed_chunk_is_deleted(tmp_path: Path) -> None:
    """The journal looks as if the chunk had never begun."""
    async with await Journal.open(tmp_path / "job.db") as journal:
        await journal.save(ENTRY)
        await journal.remove(3)
    async with await Journal.open(tmp_path / "job.db") as journal:
        assert journal.entries == {}


async def test_a_killed_run_lasted_until_its_last_write(tmp_path: Path) -> None:
    """The end of each chunk is a write."""
    run = Run(number=1, started=100.0, seen=100.0)
    async with await Journal.open(tmp_path / "job.db") as journal:
        await journal.save_run(run)
        await journal.save(ENTRY, attrs.evolve(run, seen=130.0, calls=2, attempts=2))
    async with await Journal.open(tmp_path / "job.db") as journal:
        assert [(one.seconds, one.calls, one.ended) for one in journal.runs] == [(30.0, 2, None)]


async def test_every_write_is_synced_to_the_disk(tmp_path: Path) -> None:
    """The journal has a write-ahead log and syncs it at each commit."""
    async with await Journal.open(tmp_path / "job.db") as journal:
        assert execute(journal, "PRAGMA journal_mode").fetchone() == ("wal",)
        assert execute(journal, "PRAGMA synchronous").fetchone() == (2,)


HOLDER = """
import asyncio, sys
from planhat_async.jobs.journal import Journal

async def hold():
    async with await Journal.open(sys.argv[1]):
        print("open", flush=True)
        sys.stdin.read()

asyncio.run(hold())
"""


@pytest.mark.slow
async def test_a_journal_in_use_by_another_process_is_refused_until_that_process_ends(tmp_path: Path) -> None:
    """The lock ends even with a killed process."""
    path = tmp_path / "job.db"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(JournalError, match=rf"job\.db: process {process.pid} is using this journal"):
            await Journal.open(path)
        process.kill()
    assert await entries_in(path) == {}


def contents_of(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir()}


WRITER = """
import asyncio, sys
from planhat_async.jobs.entries import Entry
from planhat_async.jobs.journal import Journal

async def write():
    async with await Journal.open(sys.argv[1]) as journal:
        for number in range(100_000):
            entry = Entry(number=number, n_rows=1, digest="", is_keyed=True, pending=(range(number, number + 1),))
            await journal.save(entry, precedes_send=True)
            if number == 3:
                print("begun", flush=True)

asyncio.run(write())
"""


@pytest.mark.slow
async def test_a_journal_is_read_while_another_process_writes_to_it(tmp_path: Path) -> None:
    """The reader sees one instant of a growing journal, and the last state after the writer is killed."""
    path = tmp_path / "job.db"
    command = [sys.executable, "-c", WRITER, str(path)]
    lengths = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            for _ in range(20):
                journal = await Journal.load(path)
                assert [*journal.entries] == [*range(len(journal.entries))]
                lengths.append(len(journal.entries))
            with pytest.raises(JournalError, match=f"process {process.pid} is using this journal"):
                await Journal.open(path)
        finally:
            process.kill()
    assert lengths == sorted(lengths)
    assert 4 <= lengths[0] < lengths[-1]
    before = contents_of(tmp_path)
    left = await Journal.load(path)
    after = contents_of(tmp_path)
    assert {**after, "job.db-shm": b""} == {**before, "job.db-shm": b""}  # SQLite creates it again from the log
    assert "job.db-wal" in before
    assert await entries_in(path) == left.entries


async def test_a_journal_can_be_read_by_the_process_that_has_it_open(tmp_path: Path) -> None:
    """The process keeps its lock, even after refusing to open the file twice."""
    path = tmp_path / "job.db"
    async with await Journal.open(path) as opened:
        for number in range(3):
            with pytest.raises(JournalError, match=f"process {os.getpid()} is using this journal"):
                await Journal.open(path)
            await opened.save(attrs.evolve(ENTRY, number=number), precedes_send=True)
            assert (await Journal.load(path)).entries == opened.entries
    assert (await Journal.load(path)).entries == opened.entries
    assert sorted(os.listdir(tmp_path)) == ["job.db", "job.db-lock"]


@pytest.mark.parametrize("n_cancellations", [1, 2])
async def test_a_journal_is_closed_despite_cancellation(tmp_path: Path, n_cancellations: int) -> None:
    """Another process may open it then."""
    path = tmp_path / "job.db"
    journal = await Journal.open(path)
    waiting = threading.Event()
    busy = asyncio.create_task(journal.compute(waiting.wait))
    closing = asyncio.create_task(journal.close())
    for _ in range(n_cancellations):
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.sleep(0)
    assert not closing.done()
    waiting.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert await busy
    assert await entries_in(path) == {}


async def test_a_journal_whose_opening_is_cancelled_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file may be opened only after the cancellation."""
    path, going_on, begun = tmp_path / "job.db", threading.Event(), threading.Event()

    def wait(path: Path, *, must_exist: bool) -> JournalFile:
        begun.set()
        going_on.wait()
        return JournalFile(path, must_exist=must_exist)

    monkeypatch.setattr(journal, "JournalFile", wait)
    opening = asyncio.create_task(Journal.open(path))
    await asyncio.to_thread(begun.wait)
    opening.cancel()
    asyncio.get_running_loop().call_later(0.01, going_on.set)
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert await entries_in(path) == {}


def sqlite_file(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as file:
        for statement in statements:
            file.execute(statement)


async def refusal(path: Path, *, must_exist: bool = False) -> str:
    with pytest.raises(JournalError) as refused:
        await Journal.open(path, must_exist=must_exist)
    return str(refused.value)


async def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path) -> None:
    """The file is not changed."""
    path = tmp_path / "rows.csv"
    path.write_bytes(b"source_id,email\n1,a\n" * 100)
    assert await refusal(path) == f"{path}: this is not a journal"
    assert path.read_bytes() == b"source_id,email\n1,a\n" * 100


async def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """No byte of the file is changed."""
    path = tmp_path / "other.db"
    sqlite_file(path, "CREATE TABLE chunks (number INTEGER)")
    content = path.read_bytes()
    assert await refusal(path) == f"{path} is a SQLite file of another program, not a journal"
    assert path.read_bytes() == content


@pytest.mark.parametrize("version", [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1])
async def test_a_journal_of_another_version_is_refused(tmp_path: Path, version: int) -> None:
    """A newer version may have another meaning, and an older one has other digests."""
    path = tmp_path / "job.db"
    await (await Journal.open(path)).close()
    sqlite_file(path, f"PRAGMA user_version = {version}")
    assert await refusal(path) == (
        f"{path} was written by another version of planhat-async: its schema is {version}, this one reads "
        f"{SCHEMA_VERSION}. End the job with that version, or begin another with another journal"
    )


async def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    """The damage may be anywhere: no chunk is sent based on a damaged journal."""
    path = tmp_path / "job.db"
    async with await Journal.open(path) as journal:
        for number in range(200):
            await journal.save(attrs.evolve(ENTRY, number=number))
    content = path.read_bytes()
    page = len(content) // 2 // 4096 * 4096
    path.write_bytes(content[:page] + b"\xff" * 4096 + content[page + 4096 :])
    assert "damaged" in await refusal(path)
    path.write_bytes(content[: len(content) // 2])
    assert "damaged" in await refusal(path)


COUNTS = ("x", "[]", "3", "null", '{"made": 3}', '{"created": "3"}', '{"created": 1.5}', '{"created": true}',
          '{"created": -1}')  # fmt: skip


@pytest.mark.parametrize(
    ("column", "content"),
    [
        ("state", "x"),
        ("problems", "x"),
        ("positions", "x"),
        ("pending", "x"),
        ("earlier", "x"),
        ("earlier", "7"),
        ("earlier", "[1]"),
        *(("counts", one) for one in COUNTS),
    ],
)
async def test_an_invalid_entry_is_damage(tmp_path: Path, column: str, content: str) -> None:
    """It was edited. Counts must be an object of outcomes and whole numbers."""
    path = tmp_path / "job.db"
    async with await Journal.open(path) as journal:
        await journal.save(ENTRY)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"UPDATE chunks SET {column} = ?", (content,))  # noqa: S608 - our own columns
    assert f"{path} is damaged: " in await refusal(path)


async def test_a_missing_journal_that_must_exist_is_not_created(tmp_path: Path) -> None:
    """A mistyped name creates no file."""
    path = tmp_path / "jbo.db"
    assert await refusal(path, must_exist=True) == f"{path}: there is no such journal"
    assert os.listdir(tmp_path) == []


async def test_an_empty_file_can_become_a_journal(tmp_path: Path) -> None:
    """If a journal must exist, the empty file is refused and not changed."""
    path = tmp_path / "job.db"
    path.touch()
    assert await refusal(path, must_exist=True) == f"{path} is empty, not a journal"
    assert (os.listdir(tmp_path), path.stat().st_size) == (["job.db"], 0)
    sqlite_file(path, "CREATE TABLE one (name TEXT)", "DROP TABLE one")
    content = path.read_bytes()
    assert await refusal(path, must_exist=True) == f"{path} is empty, not a journal"
    with pytest.raises(JournalError, match=r"job\.db is empty, not a journal"):
        await Journal.load(path)
    assert path.read_bytes() == content
    async with await Journal.open(path) as journal:
        await journal.save(ENTRY)
    assert await entries_in(path, must_exist=True) == {3: ENTRY}


@pytest.mark.parametrize("is_there", [True, False])
async def test_an_emptied_journal_is_refused(tmp_path: Path, *, is_there: bool) -> None:
    """Its log is kept: SQLite would take it for the log of a deleted file and remove it."""
    path, left = tmp_path / "job.db", tmp_path / "left.db"
    async with await Journal.open(path) as journal:
        await journal.save(ENTRY)
        saved(path, left)
    wal = left.with_name("left.db-wal")
    content = wal.read_bytes()
    assert content
    left.write_bytes(b"") if is_there else left.unlink()
    assert await refusal(left) == f"{left} is damaged: it is empty or missing, and left.db-wal beside it is not"
    assert wal.read_bytes() == content


async def test_a_new_journal_is_recognised_by_its_main_file(tmp_path: Path) -> None:
    """The main file holds every checkpointed entry."""
    path, made, described = (tmp_path / name for name in ("job.db", "made.db", "described.db"))
    async with await Journal.open(path) as journal:
        made.write_bytes(path.read_bytes())
        await journal.save_job({"model": "tickets"})
        await journal.free_log()
        described.write_bytes(path.read_bytes())
    async with await Journal.open(made, must_exist=True) as journal:
        assert journal.job == {}
        assert execute(journal, "PRAGMA journal_mode").fetchone() == ("wal",)
    async with await Journal.open(described, must_exist=True) as journal:
        assert journal.job == {"model": "tickets"}


@pytest.mark.parametrize("name", ["gone/job.db", "file/job.db", "."])
async def test_a_journal_at_an_impossible_path_is_refused(tmp_path: Path, name: str) -> None:
    """The message names the file and says that it cannot be written."""
    (tmp_path / "file").write_text("")
    assert str(tmp_path / name) in await refusal(tmp_path / name)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no folder that is read-only for all")
async def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    """The message is one line; `/proc` is read-only for every user, including root."""
    (tmp_path / "link").symlink_to("/proc/self")
    path = tmp_path / "link" / "job.db"
    assert await refusal(path) == f"{path}: the journal cannot be written here: its folder is read-only"


@pytest.mark.parametrize("read_only", ["job.db", "folder"])
async def test_a_read_only_journal_can_be_read_but_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: str
) -> None:
    """This includes the journal of a killed job, whose log SQLite would write to."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "job.db"
    async with await Journal.open(path) as journal:
        await journal.save(ENTRY)
    monkeypatch.setattr(os, "access", lambda one, _: one.name != read_only)
    what = "its folder" if read_only == "folder" else "it"
    assert await refusal(path) == f"{path}: the journal cannot be written here: {what} is read-only"
    assert (await Journal.load(path)).entries == {3: ENTRY}


async def test_a_full_disk_causes_no_damage(tmp_path: Path) -> None:
    """The new entry is missing, and the earlier ones are intact."""
    path = tmp_path / "job.db"
    async with await Journal.open(path) as journal:
        await journal.save(ENTRY)
        execute(journal, "PRAGMA max_page_count = 1")
        large = attrs.evolve(ENTRY, number=4, groups=(Group(Outcome.REJECTED, "x" * 100_000),))
        with pytest.raises(
            JournalError, match=r"job\.db: the disk is full: .*; make room, and run the same command again"
        ):
            await journal.save(large)
        assert journal.entries == {3: ENTRY}
    assert await entries_in(path) == {3: ENTRY}


async def test_space_for_the_end_of_a_chunk_is_reserved_before_it_is_sent(tmp_path: Path) -> None:
    """A disk that fills up meanwhile does not matter: neither the file nor its log has to grow."""
    path, wal = tmp_path / "job.db", tmp_path / "job.db-wal"
    reasons = tuple(Group(Outcome.REJECTED, f"{n} {'x' * 400}", (range(n, n + 1),)) for n in range(50))
    async with await Journal.open(path) as journal:
        for number in range(300):
            entry = attrs.evolve(ENTRY, number=number, groups=())
            await journal.save(entry, precedes_send=True)
            (n_pages,) = execute(journal, "PRAGMA page_count").fetchone()
            execute(journal, f"PRAGMA max_page_count = {n_pages}")
            before = path.stat().st_size, path.stat().st_blocks, wal.stat().st_size
            await journal.save(attrs.evolve(entry, groups=reasons if number % 60 == 0 else ()))
            assert (path.stat().st_size, path.stat().st_blocks, wal.stat().st_size) == before
            assert path.stat().st_size == n_pages * 4096
            execute(journal, "PRAGMA max_page_count = 1000000")
    async with await Journal.open(path) as journal:
        assert len(journal.entries) == 300


async def test_a_chunk_without_space_for_its_end_is_not_sent(tmp_path: Path) -> None:
    """No outcome is in doubt then; space reserved before a kill is released."""
    path = tmp_path / "job.db"
    async with await Journal.open(path) as journal:
        await journal.save(ENTRY)
        (n_pages,) = execute(journal, "PRAGMA page_count").fetchone()
        execute(journal, f"PRAGMA max_page_count = {n_pages + 10}")
        with pytest.raises(JournalError, match="the disk is full"):
            await journal.save(attrs.evolve(ENTRY, number=4), precedes_send=True)
        execute(journal, "PRAGMA max_page_count = 1000000")
        execute(journal, "INSERT INTO room VALUES (zeroblob(100000))")
    async with await Journal.open(path) as journal:
        assert list(journal.entries) == [3]
        assert execute(journal, "SELECT count(*) FROM room").fetchone() == (0,)


async def test_an_entry_and_its_run_are_written_together(tmp_path: Path) -> None:
    """Both are written or neither is, so that the cost of a run and the outcomes of its chunks agree."""
    path = tmp_path / "job.db"
    run = Run(number=1, started=100.0, seen=100.0)
    async with await Journal.open(path) as journal:
        await journal.save_run(run)
        await journal.save(ENTRY)
        execute(journal, "CREATE TRIGGER no BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'no'); END")
        ended = attrs.evolve(ENTRY, state=ChunkState.ANSWERED, pending=())
        with pytest.raises(JournalError):
            await journal.save(ended, attrs.evolve(run, seen=130.0))
        assert journal.entries == {3: ENTRY}
        execute(journal, "DROP TRIGGER no")
    async with await Journal.open(path) as journal:
        assert (journal.entries, journal.runs) == ({3: ENTRY}, [run])


@pytest.mark.parametrize(
    ("lose", "what"),
    [
        (lambda path: path.unlink(), "was moved or removed"),
        (lambda path: path.rename(path.with_name("other.db")), "was moved or removed"),
        (lambda path: path.with_name("new").replace(path), "was replaced by another file"),
    ],
)
async def test_a_deleted_journal_accepts_no_more_entries(
    tmp_path: Path, lose: Callable[[Path], object], what: str
) -> None:
    """The message says what happened and what to do."""
    path = tmp_path / "job.db"
    (tmp_path / "new").write_bytes(b"an older copy")
    async with await Journal.open(path) as journal:
        await journal.save(ENTRY)
        lose(path)
        refused = pytest.raises(JournalError, match=rf"job\.db: the journal {what} while its job ran, so nothing more")
        with refused:
            await journal.save(ENTRY, precedes_send=True)
        with refused:
            await journal.save(ENTRY)
        with refused:
            await journal.save_job({"n_rows": 1})
