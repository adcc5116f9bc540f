"""Test the folder of reports, and the notes of attempts in it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from planhat_async.engines.spark_attempts import ReportFolder
from planhat_async.engines.spark_report import Attempt, Receipt


def receipt(task: int, **counts: Any) -> Receipt:
    return Receipt(by=Attempt(partition=0, attempt=0, task=task), **counts)


def test_attempts_note_how_far_they_are(tmp_path: Path) -> None:
    """The last note of each counts."""
    folder = ReportFolder(str(tmp_path / "reports"), "run")
    folder.prepare()
    folder.note(receipt(1))
    folder.note(receipt(1, created=5))
    folder.note(receipt(0, created=3))
    assert [(one["task"], one["created"]) for one in folder.noted()] == [(0, 3), (1, 5)]


def test_nothing_is_written_where_the_folder_is_not_shared(tmp_path: Path) -> None:
    """As on another machine, or once the report is written."""
    folder = ReportFolder(str(tmp_path / "reports"), "run")
    folder.note(receipt(1))
    assert folder.noted() == []
    assert [*tmp_path.iterdir()] == []


def test_a_report_is_written_once(tmp_path: Path) -> None:
    """The notes are removed; an abort that follows changes nothing."""
    folder = ReportFolder(str(tmp_path), "run")
    folder.prepare()
    folder.note(receipt(1))
    assert folder.write_report({"state": "committed"})
    assert not folder.write_report({"state": "aborted"})
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert json.loads((tmp_path / "run.json").read_text()) == {"state": "committed"}
    assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600


def test_other_writes_keep_their_notes(tmp_path: Path) -> None:
    """Each has a folder of its own."""
    first, second = ReportFolder(str(tmp_path), "first"), ReportFolder(str(tmp_path), "second")
    for folder in (first, second):
        folder.prepare()
        folder.note(receipt(1))
    first.write_report({})
    assert len(second.noted()) == 1


def test_without_a_path_there_is_no_report() -> None:
    """And no error."""
    folder = ReportFolder(None, "run")
    folder.prepare()
    folder.note(receipt(1))
    assert (folder.noted(), folder.report, folder.write_report({})) == ([], None, False)


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    """Before anything is sent."""
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"report .*file: File exists: it must be a folder"):
        ReportFolder(str(tmp_path / "file"), "run").prepare()


def test_half_a_report_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of all reports stays readable, and the notes stay."""
    folder = ReportFolder(str(tmp_path), "run")
    folder.prepare()
    folder.note(receipt(1, created=5))

    def fill_the_disk(path: Path, *_: Any, **__: Any) -> None:
        path.write_text("{")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("planhat_async.engines.spark_attempts._write", fill_the_disk)
        with pytest.raises(OSError, match="No space left"):
            folder.write_report({"created": 5})
    assert [*tmp_path.glob("*.json")] == []
    assert len(folder.noted()) == 1
    assert folder.write_report({"created": 5})
