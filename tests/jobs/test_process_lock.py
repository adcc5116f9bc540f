"""Test a lock that one process holds at a time and that names its holder."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from planhat_async.jobs.process_lock import LockedError, ProcessLock, holder_of

HOLDER = """
import sys
from pathlib import Path
from planhat_async.jobs.process_lock import ProcessLock

lock = ProcessLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_is_held_until_it_is_released(tmp_path: Path) -> None:
    """The same process cannot acquire it twice; others are refused and change nothing."""
    lock = ProcessLock(tmp_path / "lock")
    for _ in range(2):
        with pytest.raises(LockedError) as refused:
            ProcessLock(tmp_path / "lock")
        assert refused.value.holder == os.getpid()
    lock.release()
    ProcessLock(tmp_path / "lock").release()
    assert [(one.name, one.stat().st_mode & 0o777) for one in tmp_path.iterdir()] == [("lock", 0o600)]


def test_the_holder_is_known_without_acquiring_the_lock(tmp_path: Path) -> None:
    """A lock that was never held has no file, and gets none."""
    path = tmp_path / "lock"
    assert (holder_of(path), path.exists()) == (None, False)
    lock = ProcessLock(path)
    assert holder_of(path) == os.getpid()
    lock.release()
    content = path.read_bytes()
    assert (holder_of(path), path.read_bytes()) == (None, content)


def test_the_file_of_a_lock_is_synced(tmp_path: Path) -> None:
    """Half a file after a power failure would be refused for ever, and the journal beside it with it."""
    lock = ProcessLock(tmp_path / "lock")
    assert lock._file.execute("PRAGMA synchronous").fetchone() == (2,)
    lock.release()


@pytest.mark.slow
def test_a_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    """`kill -9` releases it."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockedError) as refused:
            ProcessLock(tmp_path / "lock")
        assert refused.value.holder == process.pid
        process.kill()
    ProcessLock(tmp_path / "lock").release()


def test_the_first_of_two_that_start_together_holds_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file names the holder, although the other has stored its id in between."""
    path, real = tmp_path / "lock", ProcessLock._holder
    ids = iter([os.getpid() + 1])
    monkeypatch.setattr(ProcessLock, "_holder", lambda self: next(ids, None) or real(self))
    lock = ProcessLock(path)
    with pytest.raises(LockedError) as refused:
        ProcessLock(path)
    assert refused.value.holder == os.getpid()
    lock.release()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """The file is not changed."""
    (tmp_path / "lock").write_bytes(b"content" * 1000)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        ProcessLock(tmp_path / "lock")
    assert (tmp_path / "lock").read_bytes() == b"content" * 1000
