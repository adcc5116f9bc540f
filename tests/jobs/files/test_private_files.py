"""Test the modes of files with customers' data, and their protection from links."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from planhat_async.jobs.exports import checkpoint_of
from planhat_async.jobs.files.private_files import create_private, make_private, reopen_private
from planhat_async.jobs.files.whole_file import whole_file
from planhat_async.jobs.journal import Journal
from planhat_async.models import Tickets
from planhat_async.sandbox import Sandbox

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture(autouse=True)
def no_mask() -> Iterator[None]:
    """Run with a umask of 0."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("replaced", [None, 0o600, 0o640, 0o644])
def test_a_file_is_private_or_has_the_mode_of_the_file_it_replaces(tmp_path: Path, replaced: int | None) -> None:
    """This holds while it is written, too."""
    path = tmp_path / "all.jsonl"
    if replaced is not None:
        path.touch(replaced)
    with whole_file(path) as out:
        assert mode_of(tmp_path / "all.jsonl.part") == (replaced or 0o600)
        out.write(b"1\n")
    assert (mode_of(path), path.read_bytes()) == (replaced or 0o600, b"1\n")


def test_a_resumed_part_becomes_private(tmp_path: Path) -> None:
    """Its earlier mode does not matter."""
    path = tmp_path / "all.jsonl"
    path.touch(0o600)
    part = tmp_path / "all.jsonl.part"
    part.write_bytes(b"1\n2")
    with whole_file(path, keep_bytes=2) as out:
        assert mode_of(part) == 0o600
        out.write(b"3\n")
    assert (mode_of(path), path.read_bytes()) == (0o600, b"1\n3\n")


@pytest.mark.parametrize("existing", [None, 0o640])
async def test_a_journal_and_the_files_beside_it_are_private(tmp_path: Path, existing: int | None) -> None:
    """An existing journal keeps its mode."""
    path = tmp_path / "job.db"
    if existing is not None:
        path.touch(existing)
    async with await Journal.open(path) as journal:
        await journal.save_job({"model": "notes"})
        assert {name: mode_of(tmp_path / name) for name in os.listdir(tmp_path)} == {
            "job.db": existing or 0o600,
            "job.db-wal": existing or 0o600,
            "job.db-shm": existing or 0o600,
            "job.db-lock": existing or 0o600,
        }


async def test_a_saved_sandbox_is_private(tmp_path: Path) -> None:
    """The state may contain an export."""
    async with Sandbox() as planhat:
        planhat.save(tmp_path / "all.jsonl")
    assert mode_of(tmp_path / "all.jsonl") == 0o600


@pytest.mark.parametrize("how", ["symlink", "dangling", "hardlink"])
def test_a_link_in_place_of_a_part_is_not_followed(tmp_path: Path, how: str) -> None:
    """It is removed, and its target stays unchanged."""
    path, part, victim = tmp_path / "all.jsonl", tmp_path / "all.jsonl.part", tmp_path / "victim"
    victim.write_bytes(b"mine")
    if how == "hardlink":
        part.hardlink_to(victim)
    else:
        part.symlink_to(tmp_path / "gone" if how == "dangling" else victim)
    with whole_file(path) as out:
        out.write(b"1\n")
    assert (victim.read_bytes(), path.read_bytes()) == (b"mine", b"1\n")
    assert sorted(os.listdir(tmp_path)) == ["all.jsonl", "victim"]


@pytest.mark.parametrize("how", ["symlink", "hardlink", "another user"])
def test_a_part_of_another_user_is_not_resumed(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither read nor written to."""
    part, victim = tmp_path / "all.jsonl.part", tmp_path / "victim"
    victim.write_bytes(b'{"_id":"1"}\n')
    if how == "symlink":
        part.symlink_to(victim)
    elif how == "hardlink":
        part.hardlink_to(victim)
    else:
        part.write_bytes(b'{"_id":"1"}\n')
        monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    message = r"all\.jsonl\.part is a link, or not a file of yours alone: remove it, and begin again"
    with pytest.raises(ValueError, match=message):
        checkpoint_of(tmp_path / "all.jsonl", Tickets.model)
    with pytest.raises(ValueError, match=message):
        reopen_private(part)
    assert victim.read_bytes() == b'{"_id":"1"}\n'


def test_make_private_leaves_an_existing_file_unchanged(tmp_path: Path) -> None:
    """A dangling link counts as an existing file."""
    path, link = tmp_path / "one", tmp_path / "link"
    make_private(path)
    path.write_bytes(b"1")
    link.symlink_to(tmp_path / "gone")
    for one in (path, link):
        make_private(one)
    assert (path.read_bytes(), mode_of(path), sorted(os.listdir(tmp_path))) == (b"1", 0o600, ["link", "one"])


def test_a_directory_in_place_of_a_part_is_refused(tmp_path: Path) -> None:
    """The message names it."""
    (tmp_path / "part").mkdir()
    with pytest.raises(OSError, match="part"):
        create_private(tmp_path / "part")


def test_a_file_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut, either the old file or the complete new one exists."""
    path, done = tmp_path / "all.jsonl", list[str]()
    replace, fsync = Path.replace, os.fsync

    def note_sync(number: int) -> None:
        done.append(f"synced {os.fstat(number).st_size}")
        fsync(number)

    def note_name(part: Path, target: Path) -> Path:
        done.append(f"named {target.name}")
        return replace(part, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_name)
    with whole_file(path) as out:
        out.write(b"1\n")
    assert done == ["synced 2", "named all.jsonl"]
