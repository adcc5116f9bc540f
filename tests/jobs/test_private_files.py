"""Files that hold customers' data: who may read them, and what cannot be put in their way."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from planhat_async.jobs.exports import checkpoint_of, whole_file
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.private_files import create_private, make_private, reopen_private
from planhat_async.models import Tickets
from planhat_async.sandbox import Sandbox

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture(autouse=True)
def no_mask() -> Iterator[None]:
    """The process itself keeps nothing from others."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("replaced", [None, 0o600, 0o640, 0o644])
def test_a_file_is_its_owners_alone_or_as_private_as_what_it_replaces(tmp_path: Path, replaced: int | None) -> None:
    """Also while it is written."""
    path = tmp_path / "all.jsonl"
    if replaced is not None:
        path.touch(replaced)
    with whole_file(path) as out:
        assert mode_of(tmp_path / "all.jsonl.part") == (replaced or 0o600)
        out.write(b"1\n")
    assert (mode_of(path), path.read_bytes()) == (replaced or 0o600, b"1\n")


def test_a_part_that_is_gone_on_with_becomes_private(tmp_path: Path) -> None:
    """Whatever its mode was."""
    path = tmp_path / "all.jsonl"
    path.touch(0o600)
    part = tmp_path / "all.jsonl.part"
    part.write_bytes(b"1\n2")
    with whole_file(path, keep_bytes=2) as out:
        assert mode_of(part) == 0o600
        out.write(b"3\n")
    assert (mode_of(path), path.read_bytes()) == (0o600, b"1\n3\n")


@pytest.mark.parametrize("existing", [None, 0o640])
async def test_a_journal_is_private_and_so_is_what_is_beside_it(tmp_path: Path, existing: int | None) -> None:
    """One that is there keeps its mode."""
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


async def test_what_a_sandbox_saves_is_private(tmp_path: Path) -> None:
    """It may hold an export."""
    async with Sandbox() as planhat:
        planhat.save(tmp_path / "all.jsonl")
    assert mode_of(tmp_path / "all.jsonl") == 0o600


@pytest.mark.parametrize("how", ["symlink", "dangling", "hardlink"])
def test_a_link_in_the_place_of_a_part_is_not_written_through(tmp_path: Path, how: str) -> None:
    """It is removed, and where it leads stays as it was."""
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
def test_a_part_that_others_have_put_there_is_not_gone_on_with(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_a_file_that_is_made_private_is_left_as_it_is_where_it_is_there(tmp_path: Path) -> None:
    """A link that leads nowhere is there, too."""
    path, link = tmp_path / "one", tmp_path / "link"
    make_private(path)
    path.write_bytes(b"1")
    link.symlink_to(tmp_path / "gone")
    for one in (path, link):
        make_private(one)
    assert (path.read_bytes(), mode_of(path), sorted(os.listdir(tmp_path))) == (b"1", 0o600, ["link", "one"])


def test_a_directory_in_the_place_of_a_part_is_refused(tmp_path: Path) -> None:
    """By its name."""
    (tmp_path / "part").mkdir()
    with pytest.raises(OSError, match="part"):
        create_private(tmp_path / "part")


def test_a_file_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut leaves the file of before, or the whole of the new one."""
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
