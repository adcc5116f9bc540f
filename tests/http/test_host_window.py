"""Test a window in a file: who may meet there, and what happens to a file that cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from planhat_async._http import host_window, pace_record
from planhat_async._http.host_window import HostWindow
from planhat_async._http.locked_file import LockedFile
from planhat_async._http.pace import RateLimits
from planhat_async._http.pace_record import DamagedError, NewerVersionError, decoded, encoded
from planhat_async._http.pacer import Pacer
from planhat_async._http.runtime_folder import UnsafeFolderError, runtime_folder
from planhat_async._http.shared_messages import NO_MEMBERS, Ended, EndedAs, Message, Reply, Restated
from planhat_async._http.shared_pace import SharedPace
from planhat_async._http.shared_window import SharedWindowError, SharedWindowUnusableError

URL, TOKEN = "https://api.planhat.com", "tok-7d21-not-to-be-seen"
CLOSED = "{path} is not a file of yours alone: remove it"


@attrs.define
class Clock:
    """A clock that the test moves."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def window(folder: Path, **options: Any) -> HostWindow:
    return HostWindow(URL, TOKEN, folder=folder, **options)


def file_in(folder: Path) -> Path:
    """Return the only file in a folder."""
    (path,) = folder.iterdir()
    return path


async def test_processes_with_the_same_server_and_token_meet(tmp_path: Path) -> None:
    """Another token or another server has a file of its own."""
    first = await window(tmp_path).exchange(Message(n_singles=1))
    second = await window(tmp_path).exchange(Message(n_singles=1))
    other_token = await HostWindow(URL, "other", folder=tmp_path).exchange(Message(n_singles=1))
    other_server = await HostWindow(f"{URL}/eu", TOKEN, folder=tmp_path).exchange(Message(n_singles=1))
    assert [reply.n_members for reply in (first, second, other_token, other_server)] == [1, 2, 1, 1]
    assert (first.epoch, first.singles) == (second.epoch, (1,))
    assert second.singles == (2,)
    assert len(os.listdir(tmp_path)) == 3


async def test_a_file_tells_nothing_and_is_private(tmp_path: Path) -> None:
    """Neither its name nor its content contains the token, and only its owner can read it."""
    shared = window(tmp_path)
    await shared.exchange(Message(n_singles=1, pid=os.getpid(), host="here"))
    path = file_in(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TOKEN not in path.name
    assert TOKEN.encode() not in path.read_bytes()
    assert TOKEN not in repr(shared)


async def test_a_file_that_others_could_read_becomes_private(tmp_path: Path) -> None:
    """Its mode is corrected when it is opened."""
    await window(tmp_path).exchange(Message())
    file_in(tmp_path).chmod(0o644)
    await window(tmp_path).exchange(Message())
    assert stat.S_IMODE(file_in(tmp_path).stat().st_mode) == 0o600


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Its target stays as it is."""
    target, folder = tmp_path / "target", tmp_path / "folder"
    target.write_bytes(b"")
    folder.mkdir()
    await window(folder).exchange(Message())
    path = file_in(folder)
    path.unlink()
    path.symlink_to(target)
    with pytest.raises(SharedWindowUnusableError, match=f"^{path}: "):
        await window(folder).exchange(Message())
    assert target.read_bytes() == b""


async def test_a_file_with_a_second_name_is_refused(tmp_path: Path) -> None:
    """It may be a file of value."""
    target, folder = tmp_path / "target", tmp_path / "folder"
    folder.mkdir()
    await window(folder).exchange(Message())
    path = file_in(folder)
    os.link(path, target)
    with pytest.raises(SharedWindowUnusableError) as caught:
        await window(folder).exchange(Message())
    assert str(caught.value) == CLOSED.format(path=path)


async def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is what is no regular file."""
    await window(tmp_path).exchange(Message())
    path = file_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: 4_000_000)
        with pytest.raises(SharedWindowUnusableError) as caught:
            await window(tmp_path).exchange(Message())
    assert str(caught.value) == CLOSED.format(path=path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SharedWindowUnusableError) as caught:
        await window(tmp_path).exchange(Message())
    assert str(caught.value) == CLOSED.format(path=path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
async def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The message names the file."""

    def refuse(path: Path, *, creates: bool) -> LockedFile:  # noqa: ARG001
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(LockedFile, "open", refuse)
    with pytest.raises(SharedWindowUnusableError, match=rf"^{tmp_path}/\w+\.pace: {os.strerror(number)}$"):
        await window(tmp_path).exchange(Message())


async def test_a_full_disk_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange fails, and a later one may succeed; what was told is not lost, because the member tells it again."""
    shared = window(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: 3)
        with pytest.raises(SharedWindowError, match=rf"\.pace: {os.strerror(errno.ENOSPC)}$") as caught:
            await shared.exchange(Message())
    assert not isinstance(caught.value, SharedWindowUnusableError)
    assert (await shared.exchange(Message(n_singles=1))).singles == (1,)


async def test_a_damaged_file_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and nobody gets a place until all had the time to restate theirs."""
    clock = Clock()
    before = await window(tmp_path, clock=clock).exchange(Message(n_singles=1))
    path = file_in(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    shared = window(tmp_path, clock=clock)
    known = Message(epoch=before.epoch, member=before.member, n_singles=1)
    unknown = await shared.exchange(known)
    assert (unknown.is_unknown, unknown.epoch != before.epoch) == (True, True)
    joined = await shared.exchange(Message(n_singles=1, restated=(Restated(ago=1.0, is_bulk=False),)))
    assert (joined.singles, joined.single_wait, joined.n_free) == ((), 1.5, 199)
    assert caplog.messages == [f"{path} was damaged, and is begun anew"]


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer version may be using it."""
    with monkeypatch.context() as patch:
        patch.setattr(pace_record, "VERSION", pace_record.VERSION + 1)
        await window(tmp_path).exchange(Message())
    path = file_in(tmp_path)
    before = path.read_bytes()
    with pytest.raises(SharedWindowUnusableError) as caught:
        await window(tmp_path).exchange(Message())
    assert str(caught.value) == f"{path} is of a newer version of planhat-async"
    assert path.read_bytes() == before


async def test_a_file_of_another_start_of_the_machine_is_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its times are of another clock; that is no damage."""
    await window(tmp_path).exchange(Message(n_singles=1))
    monkeypatch.setattr(host_window, "_boot", lambda: b"another boot    ")
    reply = await window(tmp_path).exchange(Message(n_singles=1))
    assert (reply.n_members, reply.n_others, reply.singles) == (1, 0, (1,))
    assert caplog.messages == []


async def test_a_clock_that_went_back_empties_the_file(tmp_path: Path) -> None:
    """Places that arrive in an hour are of another clock."""
    clock = Clock()
    await window(tmp_path, clock=clock).exchange(Message(n_singles=1))
    clock.now -= 500
    reply = await window(tmp_path, clock=clock).exchange(Message(n_singles=1))
    assert (reply.n_members, reply.n_others) == (1, 0)


async def test_a_clock_that_jumps_ahead_frees_all(tmp_path: Path) -> None:
    """An hour later nobody is on the window."""
    clock = Clock()
    shared = window(tmp_path, clock=clock)
    known = await shared.exchange(Message(n_singles=50))
    clock.now += 3600
    reply = await shared.exchange(Message(epoch=known.epoch, member=known.member, n_singles=1))
    assert (reply.member, reply.n_free, reply.n_members) == (known.member, 199, 1)


async def test_a_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    """A member that holds the removed file open meets the others in the new one, and is told to join again."""
    first = window(tmp_path)
    known = await first.exchange(Message(n_singles=1))
    file_in(tmp_path).unlink()
    await window(tmp_path).exchange(Message())
    reply = await first.exchange(Message(epoch=known.epoch, member=known.member))
    assert reply.is_unknown
    assert (await first.exchange(Message())).n_members == 2


async def test_who_is_on_a_window_is_seen_without_joining(tmp_path: Path) -> None:
    """Looking creates no file, and changes none."""
    assert await window(tmp_path).standing(60.0) == NO_MEMBERS
    assert os.listdir(tmp_path) == []
    await window(tmp_path).exchange(Message(n_singles=1, pid=5, host="here"))
    before = file_in(tmp_path).read_bytes()
    standing = await window(tmp_path).standing(60.0)
    assert [(one.pid, one.host, one.n_singles) for one in standing.members] == [(5, "here", 1)]
    assert file_in(tmp_path).read_bytes() == before
    file_in(tmp_path).write_bytes(b"damaged")
    assert await window(tmp_path).standing(60.0) == NO_MEMBERS


async def test_an_exchange_waits_for_the_lock_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on once the lock is free; the event loop goes on meanwhile."""
    monkeypatch.setattr(host_window, "_LOCK_SECONDS", 60.0)
    await window(tmp_path).exchange(Message())
    with file_in(tmp_path).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        exchange = asyncio.ensure_future(window(tmp_path).exchange(Message()))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not exchange.done()
        fcntl.flock(file, fcntl.LOCK_UN)
    assert (await exchange).n_members == 2


HOLDER = """
import fcntl, os, signal, sys
file = open(sys.argv[1], "rb")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@contextlib.contextmanager
def stopped_with_lock(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that locks a file and is stopped."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        yield holder


async def test_a_stopped_process_that_holds_the_lock_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Others go on with their share, say so once, and share again when the process is killed."""
    monkeypatch.setattr(host_window, "_LOCK_SECONDS", 0.02)
    monkeypatch.setattr("planhat_async._http.membership.AWAY_SECONDS", 0.05)
    pacer = Pacer(RateLimits(per_minute=1000, per_second=1000), shared=window(tmp_path))

    async def call() -> None:
        async with pacer.slot() as slot:
            slot.mark_answered()

    await window(tmp_path).exchange(Message())  # another member
    await call()
    path = file_in(tmp_path)
    with stopped_with_lock(path) as holder:
        for _ in range(3):
            await call()
        holder.send_signal(signal.SIGKILL)
    await call()
    await pacer.leave()
    held = f"another process has locked {path} and does not go on: end or resume it"
    assert caplog.messages == [f"{held}; meanwhile this session uses 1/2 of the pace"]
    assert (await window(tmp_path).standing(60.0)).n_used == 1 + 3 + 1


async def test_a_session_goes_on_without_a_window_that_is_unusable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps a pace of its own with all of the limits, and says so once."""
    (tmp_path / "file").write_bytes(b"")
    pacer = Pacer(shared=HostWindow(URL, TOKEN, folder=tmp_path / "file"))
    for n in range(3):
        async with pacer.slot() as slot:
            slot.mark_answered(remaining=150 - n, limit=200)
    assert pacer.calls_left == 148
    await pacer.leave()
    (said,) = caplog.messages
    assert said.startswith(f"{tmp_path}/file/")
    assert said.endswith(": Not a directory: this session keeps a pace of its own")


async def test_where_files_cannot_be_locked_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `fcntl`."""
    monkeypatch.setattr(host_window, "IS_SUPPORTED", False)
    with pytest.raises(SharedWindowUnusableError, match=r"^this system has no locks of files \(fcntl\)$"):
        await window(tmp_path).exchange(Message())


@pytest.mark.parametrize("record", [b"x", b"x" * 100, encoded(SharedPace(epoch=1), boot=bytes(16))[:-3]])
def test_what_is_no_record_is_damaged(record: bytes) -> None:
    """Too short, without its mark, or cut off."""
    with pytest.raises(DamagedError):
        decoded(record, boot=bytes(16), now=0.0)


def test_a_record_holds_all_of_a_state() -> None:
    """A state that is stored and loaded decides as before."""
    state, boot = SharedPace(epoch=9), bytes(16)
    for name in range(3):
        state.exchange(Message(n_singles=2, n_bulk=3, pid=name, host=f"host {name}"), 50.0 + name)
    state.exchange(Message(epoch=9, member=1, ended=(Ended(place=1, ended_as=EndedAs.REFUSED),)), 54.0)
    assert decoded(encoded(state, boot=boot), boot=boot, now=54.0) == state
    assert decoded(b"", boot=boot, now=54.0) is None


def test_a_record_of_an_older_version_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a newer version is not."""
    record = encoded(SharedPace(epoch=1), boot=bytes(16))
    monkeypatch.setattr(pace_record, "VERSION", 2)
    assert decoded(record, boot=bytes(16), now=0.0) is None
    monkeypatch.setattr(pace_record, "VERSION", 0)
    with pytest.raises(NewerVersionError):
        decoded(record, boot=bytes(16), now=0.0)


def test_the_runtime_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in `XDG_RUNTIME_DIR`; one that others could enter is closed to them."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "planhat-async").mkdir(mode=0o755)
    folder = runtime_folder()
    assert folder == tmp_path / "planhat-async"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("variable", ["", "relative", "/nowhere", "{another}"])
def test_without_a_runtime_folder_there_is_one_for_temporary_files(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable may be missing, wrong, or name another user's folder."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", variable.replace("{another}", "/proc/1" if os.getuid() else str(tmp_path)))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    own_id = os.getuid()
    if variable == "{another}":
        monkeypatch.setattr(os, "getuid", lambda: own_id + 1)
        with pytest.raises(UnsafeFolderError, match=r"is a link or another user's$"):
            runtime_folder()
        return
    monkeypatch.setattr(Path, "is_dir", lambda path: path != Path(f"/run/user/{own_id}") and path.exists())
    folder = runtime_folder()
    assert folder == tmp_path / f"planhat-async-{own_id}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_linked_runtime_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user may have put the link there."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "planhat-async").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFolderError, match=f"^{tmp_path}/planhat-async is a link or another user's$"):
        runtime_folder()


def rounded(reply: Reply) -> dict[str, Any]:
    shown = attrs.asdict(attrs.evolve(reply, epoch=0))
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in shown.items()}


def test_replies_name_no_clock(tmp_path: Path) -> None:
    """What a member is told are durations: a clock that began long ago changes no reply."""

    def replies(now: float) -> list[Reply]:
        clock = Clock(now)
        shared = HostWindow(URL, f"t{now}", folder=tmp_path, clock=clock)
        return [asyncio.run(shared.exchange(Message(n_singles=n, n_bulk=n))) for n in (60, 120, 200)]

    early, late = replies(100.0), replies(2.0**20)
    assert [rounded(one) for one in early] == [rounded(one) for one in late]


def test_notices_have_a_logger_of_their_own() -> None:
    """`planhat_async.pace`, as other parts of the package have."""
    assert logging.getLogger("planhat_async.pace") is host_window._logger
