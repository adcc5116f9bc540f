"""Test `export --since` and `--snapshot`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from command_line import TOKEN, run

from planhat_async import Session, Tasks
from planhat_async.cli.changes_export import is_time
from planhat_async.jobs.files.dated_name import dated_name

COMPANY = "5f4e3d2c1b0a998877665544"


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the sandbox's token in the environment."""
    monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)


async def made(url: str, action: str) -> str:
    """Create a task of its own in a sandbox that tests share."""
    async with Session(TOKEN, base_url=url) as session:
        return str((await Tasks(session).create({"action": action, "company_id": COMPANY})).id)


def actions(path: Path) -> list[str]:
    return [json.loads(line).get("action") for line in path.read_text().splitlines()]


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("option", ["--since", "--snapshot"])
def test_each_run_exports_what_changed_since_the_one_before(sandbox: str, tmp_path: Path, option: str) -> None:
    """The day is in the name, and the first run says that it exports all."""
    state = tmp_path / "STATE.json"
    command = ("export", "tasks", option, state, "--base-url", sandbox, "-o")
    asyncio.run(made(sandbox, "before"))
    first = run(*command, tmp_path / "first-{date}.jsonl")
    dated = tmp_path / dated_name("first-{date}.jsonl")
    assert (first.code, first.err[0].split(" (")[0]) == (0, f"{state} did not exist: {dated} holds all records")
    assert "before" in actions(dated)
    asyncio.run(made(sandbox, "after"))
    later = run(*command, tmp_path / "later.jsonl")
    assert later.code == 0
    assert "after" in actions(tmp_path / "later.jsonl")
    expected = "changed since 20" if option == "--since" else ": 1 new, 0 changed, 0 deleted"
    assert expected in later.err[0]
    again = run(*command, tmp_path / "later.jsonl")
    assert (again.code, "exists, and may hold changes" in again.err[0]) == (2, True)


@pytest.mark.usefixtures("token")
def test_the_option_that_a_message_names_is_the_commands_own(sandbox: str, tmp_path: Path) -> None:
    """Of options that do not go together, and of what has no state."""
    for arguments, message in [
        (("tasks", "--since", "a", "--snapshot", "b"), "--since and --snapshot are two ways of knowing what changed"),
        (("tasks", "--since", "a"), "--since needs a file or a URL: name it with --output"),
        (("--all", tmp_path, "--snapshot", "a"), "--snapshot exports one model: name it instead of --all"),
        (("tasks", "--resume", "--since", "a", "-o", "x.jsonl"), "leave out --resume"),
        (("tasks", "--since", "2026-11-29", "-o", "x.jsonl"), "--since 2026-11-29: name a file, such as tasks.json"),
        (("tasks", "--same-tenant"), "--same-tenant needs --since or --snapshot"),
        (("tickets", "--since", tmp_path / "a", "-o", tmp_path / "x.jsonl"), "use export_snapshot (--snapshot)"),
        (("tasks", "--snapshot", "s3://x", "-o", "x.jsonl"), "--snapshot must be a local path, not a URL"),
    ]:
        ended = run("export", *arguments, "--base-url", sandbox)
        assert (ended.code, message in ended.err[0]) == (2, True), ended.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-29", True),
        ("20261129", True),
        ("29.11.2026", True),
        ("11/29/2026", True),
        ("2026-11", True),
        ("02:00", True),
        ("2026-11-29T02:00:00.5Z", True),
        ("2026-11-29 02:00 +01:00", True),
        ("2026-11-29.json", False),
        ("tasks-2026-11-29", False),
        ("state/2026", False),
        ("2026", False),
    ],
)
def test_a_time_is_not_the_name_of_a_state(text: str, expected: bool) -> None:
    """A name that holds a time and more is one."""
    assert is_time(text) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("option", ["--since", "--snapshot"])
def test_a_wrong_token_is_no_wrong_usage(
    sandbox: str, tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is it said of a new token that is right: then the state may belong to another tenant."""
    command = ("export", "tasks", option, tmp_path / "state", "--base-url", sandbox, "-o")
    assert run(*command, tmp_path / "first.jsonl").code == 0
    monkeypatch.setenv("PLANHAT_API_TOKEN", "wrong")
    wrong = run(*command, tmp_path / "second.jsonl")
    assert (wrong.code, "answered 401" in wrong.err[-1]) == (3, True)
    asked: list[Session] = []

    async def check(session: Session) -> None:
        asked.append(session)

    monkeypatch.setattr(Session, "check", check)
    other = run(*command, tmp_path / "third.jsonl")
    assert (other.code, "was written with another token" in other.err[-1], len(asked)) == (2, True, 1)
