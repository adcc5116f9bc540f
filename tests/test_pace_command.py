"""Test which commands share their pace, and the command that shows who does."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from command_line import TOKEN, Desk, run, started

from benchmarks.redis_server import RedisServer, free_port
from planhat_async import Pacer, Session, Tasks
from planhat_async._http.host_window import HostWindow
from planhat_async._http.shared_messages import Message, Reply
from planhat_async.cli.library_notices import notices_shown
from planhat_async.sandbox import Sandbox


async def made_by_another(url: str, **told: Any) -> Reply:
    """Let another process take part in the window of a server."""
    return await HostWindow(url, TOKEN).exchange(Message(pid=4711, host="elsewhere", max_places=50, **told))


@pytest.mark.slow
async def test_a_command_shares_the_calls_of_the_machine(desk: Desk) -> None:
    """What it used is seen by others, and when it has ended it is a member no longer."""
    file = desk.file("rows.jsonl", '{"sourceId": "@1", "email": "a@b.example", "domains": ["b.example"]}\n')
    with started(desk.folder, "upsert", "tickets", file) as process:
        assert process.wait(timeout=60) == 0
    reply = await made_by_another(desk.url)
    assert (reply.n_members, reply.n_others) == (1, 1)


@pytest.mark.parametrize("arguments", [("--shared", "none"), ("--per-minute", "1001")])
def test_a_command_may_keep_a_pace_of_its_own(desk: Desk, arguments: tuple[str, str]) -> None:
    """On request, or if its limit is not Planhat's; it says nothing about it."""
    exported = run("export", "tickets", "-o", desk.folder / "tickets.jsonl", *arguments)
    assert (exported.code, os.listdir(os.environ["XDG_RUNTIME_DIR"])) == (0, [])
    assert len(exported.err) == 1


def test_the_variable_is_the_default_of_the_option(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option goes before the variable."""
    monkeypatch.setenv("PLANHAT_SHARED_PACE", "none")
    file = desk.folder / "tickets.jsonl"
    assert run("export", "tickets", "-o", file).code == 0
    assert os.listdir(os.environ["XDG_RUNTIME_DIR"]) == []
    assert run("export", "tickets", "-o", file, "--shared", "host").code == 0
    assert os.listdir(os.environ["XDG_RUNTIME_DIR"]) == ["planhat-async"]


@pytest.mark.parametrize(("shared", "shown"), [("hosts", "'hosts'"), ("ftp://user:secret@example.org/", "'ftp://...'")])
@pytest.mark.usefixtures("desk")
def test_an_unknown_window_is_refused(shared: str, shown: str) -> None:
    """The message shows no password."""
    ended = run("export", "tickets", "--shared", shared)
    message = f"planhat-async: there is no shared window {shown}: say 'host', 'none' or redis://..."
    assert (ended.code, ended.out, ended.err) == (2, "", [message])


def test_a_window_that_cannot_be_used_is_said_once(desk: Desk) -> None:
    """The command goes on with a pace of its own."""
    folder = Path(os.environ["XDG_RUNTIME_DIR"])
    (folder / "planhat-async").symlink_to(desk.folder)
    ended = run("export", "tickets", "-o", desk.folder / "tickets.jsonl")
    problem = f"{folder}/planhat-async is a link or another user's"
    assert ended.code == 0
    assert [line for line in ended.err if "pace" in line] == [f"{problem}: this session keeps a pace of its own"]


def test_a_wait_for_others_is_said_with_the_option_that_changes_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings have no such option."""
    logger = logging.getLogger("planhat_async.pace")
    with notices_shown():
        logger.info("waiting for %s", "2 other processes on this token")
        logger.warning("the disk is full")
    said = "waiting for 2 other processes on this token: --shared none to leave it\nthe disk is full\n"
    assert capsys.readouterr().err == said


def test_who_shares_the_calls_is_shown(desk: Desk) -> None:
    """Members, what they used in the last minute, and no pause; the same as JSON."""
    asyncio.run(made_by_another(desk.url, n_singles=2, n_bulk=3))
    shown = run("pace")
    assert (shown.code, shown.err) == (0, [])
    title, *table, summary = shown.out.splitlines()
    assert title == "1 session on this token"
    pid, host, _, *counts = (cell.strip() for cell in table[3].split("│")[1:-1])
    assert [pid, host, *counts] == ["4711", "elsewhere", "2", "3", "0"]
    assert summary == "5 of 200 calls used in the last minute; no pause"
    found = json.loads(run("pace", "--json").out)
    (member,) = found.pop("members")
    assert {**member, "since": 0, "seen": 0} == {
        "pid": 4711,
        "host": "elsewhere",
        "since": 0,
        "seen": 0,
        "n_singles": 2,
        "n_bulk": 3,
        "n_waiting": 0,
    }
    assert {**found, "next_free": 0} == {"n_used": 5, "n_strangers": 0, "pause": 0.0, "next_free": 0}
    assert 0 < found["next_free"] <= 62


@pytest.mark.usefixtures("desk")
def test_without_members_nobody_is_shown() -> None:
    """Looking creates nothing."""
    found = json.loads(run("pace", "--json").out)
    assert found == {"members": [], "n_used": 0, "n_strangers": 0, "pause": 0.0, "next_free": None}
    shown = run("pace").out.splitlines()
    assert shown == ["0 sessions on this token", "0 of 200 calls used in the last minute; no pause"]


@pytest.mark.usefixtures("desk")
def test_without_a_shared_window_there_is_nothing_to_show() -> None:
    """With `--shared none` nobody shares."""
    ended = run("pace", "--shared", "none")
    assert (ended.code, ended.err) == (2, ["planhat-async: nothing is shared: say --shared host"])


async def test_a_session_shares_by_name(planhat: Sandbox) -> None:
    """Two sessions know of each other; the token may come from a function."""

    async def token() -> str:
        return planhat.token

    async with (
        Session(planhat.token, base_url=planhat.url, shared="host") as one,
        Session(token, base_url=planhat.url, shared="host") as other,
    ):
        for session in (one, other, one):
            await Tasks(session).page()
        assert (one.stats.members, other.stats.members, one.calls_left) == (2, 2, 197)
    standing = await HostWindow(planhat.url, planhat.token).standing(60.0)
    assert (standing.members, standing.n_used) == ((), 3)


async def test_a_session_does_not_leave_with_the_pacer_of_others(planhat: Sandbox) -> None:
    """Sessions with one pacer are one member, which its owner ends."""
    window = HostWindow(planhat.url, planhat.token)
    pacer = Pacer(shared=window)
    for _ in range(2):
        async with Session(planhat.token, base_url=planhat.url, pacer=pacer) as session:
            await Tasks(session).page()
    assert len((await window.standing(60.0)).members) == 1
    await pacer.leave()
    assert (await window.standing(60.0)).members == ()


@pytest.mark.parametrize("shared", [5, object()])
def test_what_is_no_window_is_refused(shared: Any) -> None:
    """The message names what is expected."""
    with pytest.raises(TypeError, match=r"^shared must be 'host', 'none', redis://\.\.\. or a SharedWindow, not "):
        Session("t", shared=shared)


@pytest.mark.redis
def test_calls_shared_in_redis_are_shown(desk: Desk, lasting_redis: RedisServer) -> None:
    """A command that names the same Redis takes part; one that names none does not."""
    file = desk.folder / "tickets.jsonl"
    assert run("export", "tickets", "-o", file, "--shared", lasting_redis.url).code == 0
    shown = run("pace", "--shared", lasting_redis.url, "--json")
    standing = json.loads(shown.out)
    assert (shown.code, standing["members"], standing["n_used"] > 0, standing["pause"]) == (0, [], True, 0.0)
    assert json.loads(run("pace", "--json").out)["n_used"] == 0


@pytest.mark.slow
@pytest.mark.usefixtures("desk")
def test_a_redis_that_is_not_there_is_said() -> None:
    """On one line, without the password."""
    url = f"redis://me:secret@127.0.0.1:{free_port()}"
    ended = run("pace", "--shared", url)
    place = url.replace("me:secret@", "")
    assert (ended.code, ended.out, ended.err) == (2, "", [f"planhat-async: {place}/0: Connection refused"])
