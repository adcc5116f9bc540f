"""A file that others write to, as it is at one instant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from planhat_async.jobs import snapshots
from planhat_async.jobs.snapshots import take_snapshot


def test_a_log_that_is_begun_anew_meanwhile_is_copied_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first copy of the file lacks would be in no log."""
    path, log, copy = tmp_path / "a.db", tmp_path / "a.db-wal", tmp_path / "b.db"
    path.write_bytes(b"old")
    log.write_bytes(b"first log")
    copied = shutil.copyfile

    def checkpointed(source: Path, to: Path) -> None:
        copied(source, to)
        if log.read_bytes() == b"first log":
            path.write_bytes(b"new")
            log.write_bytes(b"second log")

    monkeypatch.setattr(shutil, "copyfile", checkpointed)
    take_snapshot(path, copy)
    assert (copy.read_bytes(), (tmp_path / "b.db-wal").read_bytes()) == (b"new", b"second log")


def test_a_file_without_logs_is_copied_alone(tmp_path: Path) -> None:
    """What an earlier copy had beside it is gone."""
    (tmp_path / "a.db").write_bytes(b"content")
    (tmp_path / "b.db-wal").write_bytes(b"stale")
    take_snapshot(tmp_path / "a.db", tmp_path / "b.db")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.db", "b.db"]


def test_a_file_that_never_stands_still_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so."""
    (tmp_path / "a.db").write_bytes(b"content")
    numbers = iter(range(1000))
    monkeypatch.setattr(snapshots, "_head_of_log", lambda _: next(numbers))
    with pytest.raises(OSError, match=r"a\.db is written to faster than it can be copied"):
        take_snapshot(tmp_path / "a.db", tmp_path / "b.db")
