"""Test that an export is resumed with the selection that it began with only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from planhat_async.jobs.export_selection import ExportSelection
from planhat_async.jobs.files.whole_file import whole_file
from planhat_async.jobs.selection_record import (
    record_of,
    refuse_another_selection,
    remove_part,
    selection_recorded,
)

SOME = ExportSelection(fields=("_id", "title"), filters={"status": "open", "max_age_days": 1, "archived": None})
ALL = ExportSelection()


def begin(path: Path, selection: ExportSelection, *, is_resumed: bool = False) -> None:
    """Begin an export that fails after one record."""

    def fail() -> None:
        with selection_recorded(path, selection, is_resumed=is_resumed), whole_file(path) as out:
            out.write(b"{}\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()


@pytest.mark.parametrize("selection", [SOME, ALL])
def test_an_export_goes_on_with_its_own_selection(tmp_path: Path, selection: ExportSelection) -> None:
    """Also after a second interruption."""
    path = tmp_path / "all.jsonl"
    begin(path, selection)
    begin(path, selection, is_resumed=True)
    refuse_another_selection(path, selection)
    assert record_of(path).exists() == (selection is SOME)


@pytest.mark.parametrize(
    ("began_with", "goes_on_with", "words"),
    [
        (SOME, ALL, "with --fields _id,title --filter status=open --filter max_age_days=1 --filter archived=any"),
        (ALL, SOME, "without --fields and filters"),
        (ExportSelection(filters={"company_id": ["1", "2"]}), SOME, "with --filter company_id=1,2"),
        (ExportSelection(filters={"archived": True}), SOME, "with --filter archived=true"),
    ],
)
def test_another_selection_is_refused(
    tmp_path: Path, began_with: ExportSelection, goes_on_with: ExportSelection, words: str
) -> None:
    """The message says which one the export began with."""
    path = tmp_path / "all.jsonl"
    begin(path, began_with)
    with pytest.raises(ValueError, match="leave out --resume") as caught:
        refuse_another_selection(path, goes_on_with)
    assert str(caught.value) == f"{path}.part began {words}: give the same options, or leave out --resume"


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    """It might be of any selection."""
    path = tmp_path / "all.jsonl"
    record_of(path).write_bytes(b"{")
    with pytest.raises(ValueError, match=r"all\.jsonl\.part\.selection is damaged: leave out --resume"):
        refuse_another_selection(path, ALL)


def test_a_new_export_forgets_the_selection_of_an_earlier_one(tmp_path: Path) -> None:
    """It is begun with all records."""
    path = tmp_path / "all.jsonl"
    begin(path, SOME)
    begin(path, ALL)
    refuse_another_selection(path, ALL)
    assert os.listdir(tmp_path) == ["all.jsonl.part"]


def test_the_incomplete_file_is_removed_before_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At no instant does it look like one of another selection."""
    path = tmp_path / "all.jsonl"
    begin(path, SOME)
    removed: list[str] = []
    unlink = Path.unlink

    def note(self: Path, missing_ok: bool = False) -> None:
        removed.append(self.name)
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", note)
    remove_part(path)
    assert removed == ["all.jsonl.part", "all.jsonl.part.selection"]


def test_a_complete_export_leaves_no_record(tmp_path: Path) -> None:
    """Only the file itself."""
    path = tmp_path / "all.jsonl"
    with selection_recorded(path, SOME, is_resumed=False), whole_file(path) as out:
        assert sorted(os.listdir(tmp_path)) == ["all.jsonl.part", "all.jsonl.part.selection"]
        assert record_of(path).stat().st_mode & 0o777 == 0o600
        out.write(b"{}\n")
    assert os.listdir(tmp_path) == ["all.jsonl"]


def test_a_pipe_has_no_record(tmp_path: Path) -> None:
    """What is written to it is never resumed."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with selection_recorded(path, SOME, is_resumed=False):
        assert os.listdir(tmp_path) == ["pipe"]
