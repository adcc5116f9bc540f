"""Test the journal's file with concurrent readers: what they see, and which writes they delay."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from planhat_async.jobs import journal_file
from planhat_async.jobs.entries import ChunkState, Entry
from planhat_async.jobs.journal_file import JournalError, JournalFile, content_of, error_in_words
from planhat_async.jobs.schema import insert_statement, row_of

ENTRY = Entry(number=0, n_rows=1, digest="", is_keyed=True)
NO_MEMBERS = 65534


def save(file: JournalFile, entry: Entry, *, precedes_send: bool = False) -> None:
    file.write([insert_statement("chunks", row_of(entry))], precedes_send=precedes_send)


def main_file_alone(path: Path) -> dict[int, Entry]:
    """Return the entries in a copy of the main file without its log."""
    copy = path.with_name("copy.db")
    shutil.copyfile(path, copy)
    return content_of(copy).entries


def test_the_main_file_holds_every_chunk_that_was_sent(tmp_path: Path) -> None:
    """This holds with concurrent readers too; answers may be in the log only."""
    path = tmp_path / "job.db"
    with closing(JournalFile(path)) as file:
        for number in range(5):
            entry = attrs.evolve(ENTRY, number=number)
            save(file, entry, precedes_send=True)
            assert main_file_alone(path)[number] == content_of(path).entries[number] == entry
            save(file, attrs.evolve(entry, state=ChunkState.ANSWERED))
        answered = {one.state for one in content_of(path).entries.values()}
    assert answered == {ChunkState.ANSWERED}


def test_a_chunk_is_not_sent_while_a_reader_blocks_the_main_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write waits for the reader; after half a minute it raises an error that names the cause."""
    monkeypatch.setattr(journal_file, "_BUSY_SECONDS", 0.05)
    path = tmp_path / "job.db"
    with closing(JournalFile(path)) as file, closing(sqlite3.connect(path, isolation_level=None)) as reader:
        save(file, ENTRY)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM chunks").fetchall()
        save(file, attrs.evolve(ENTRY, state=ChunkState.ANSWERED))
        with pytest.raises(JournalError, match=r"job\.db: another program has been reading the journal for 0 s"):
            save(file, attrs.evolve(ENTRY, number=1), precedes_send=True)
        reader.execute("COMMIT")
        save(file, attrs.evolve(ENTRY, number=1), precedes_send=True)
        assert [*main_file_alone(path)] == [0, 1]


READER = """
import os, sys
from pathlib import Path
from planhat_async.jobs.journal_file import content_of

if not os.getuid():
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
assert not os.access(Path(sys.argv[1]).parent, os.W_OK)
print(*content_of(Path(sys.argv[1])).entries)
"""


@pytest.mark.slow
@pytest.mark.parametrize("endings", [[""], ["", "-wal"], ["", "-wal", "-shm"]])
def test_a_journal_in_a_read_only_folder_can_be_read(tmp_path: Path, endings: list[str]) -> None:
    """This includes the journal of a killed job with its log, with and without the shared memory of readers."""
    path = tmp_path / "job.db"
    with tempfile.TemporaryDirectory() as name, closing(JournalFile(path)) as file:
        folder = Path(name)
        save(file, ENTRY, precedes_send=True)
        save(file, attrs.evolve(ENTRY, number=1))
        for ending in endings:
            shutil.copyfile(f"{path}{ending}", folder / f"job.db{ending}")
        before = {one.name: one.read_bytes() for one in folder.iterdir()}
        for one in folder.iterdir():
            one.chmod(0o444)
        folder.chmod(0o555)
        command = [sys.executable, "-c", READER, str(folder / "job.db"), str(NO_MEMBERS)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        folder.chmod(0o755)
        assert (ended.stdout, ended.stderr) == ("0\n" if endings == [""] else "0 1\n", "")
        assert {one.name: one.read_bytes() for one in folder.iterdir()} == before


def test_a_file_system_without_shared_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network drive, for example, SQLite reports another kind of log."""
    monkeypatch.setattr(sqlite3, "connect", lambda _, **__: sqlite3_in_memory())
    monkeypatch.setattr(journal_file, "ProcessLock", lambda *_, **__: None)
    with pytest.raises(JournalError, match=r"job\.db: the journal cannot be kept here: choose a folder on a local"):
        JournalFile(tmp_path / "job.db")


def sqlite3_in_memory() -> sqlite3.Connection:
    """Return a database that cannot have a write-ahead log."""
    return sqlite3.Connection(":memory:", isolation_level=None)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_BUSY, "another program has locked the journal: said"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "another program has locked the journal: said"),
        (sqlite3.SQLITE_NOTADB, "this is not a journal"),
        (sqlite3.SQLITE_CORRUPT_INDEX, "the journal is damaged: said"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "the journal cannot be written here: said"),
        (sqlite3.SQLITE_CANTOPEN, "the journal cannot be written here: said"),
        (sqlite3.SQLITE_IOERR, "the journal cannot be used: said"),
        (None, "the journal cannot be used: said"),
    ],
)
def test_an_error_is_recognised_by_its_code(code: int | None, words: str) -> None:
    """Its message does not matter; an extended code counts as its primary code."""
    error = sqlite3.OperationalError("said")
    if code is not None:
        error.sqlite_errorcode = code
    assert error_in_words(error) == words
