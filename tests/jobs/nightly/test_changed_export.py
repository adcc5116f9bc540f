"""Test exports of what changed since the run before."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fakes import TOKEN
from pyarrow import parquet as pq

from planhat_async import PlanhatError, Session, Tasks, Tickets
from planhat_async.jobs import ChangedExport, ExportSelection, StateError, export_snapshot, export_updated
from planhat_async.jobs.nightly.state_file import State
from planhat_async.jobs.process_lock import ProcessLock
from planhat_async.sandbox import MemorySandbox
from planhat_async.testing import SandboxTransport

DAY = 86_400


class Days(MemorySandbox):
    """A sandbox whose clock is moved by days."""

    n_days: float = 0

    def now(self) -> float:
        """Return the seconds since 1970."""
        return super().now() + self.n_days * DAY


@pytest.fixture
async def planhat() -> Days:
    """Return a sandbox in memory."""
    return Days(token=TOKEN, per_minute=None, per_second=None)


@pytest.fixture
async def session(planhat: Days) -> AsyncIterator[Session]:
    """Yield a session on it."""
    async with Session(planhat.token, transport=SandboxTransport(planhat)) as opened:
        yield opened


async def add(tasks: Tasks, *actions: str) -> list[str]:
    """Create tasks, one after another; return their `_id`s."""
    return [str((await tasks.create({"action": one, "company_id": "5f4e3d2c1b0a998877665544"})).id) for one in actions]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_walk_writes_what_changed_since_the_run_before(planhat: Days, session: Session, tmp_path: Path) -> None:
    """The first run writes all; a later one costs a call for each list, and looks back five minutes before that run."""
    tasks, state = Tasks(session), tmp_path / "tasks.json"
    ids = await add(tasks, "a", "b", "c")
    first = await export_updated(tasks, tmp_path / "0.jsonl", state=state)
    assert (first.n_records, first.is_first, first.since) == (3, True, None)
    for day in (1, 2):
        planhat.n_days = day
        await tasks.update(ids[day], {"action": str(day)})
        planhat.n_days += 0.5
        made = len(planhat.requests)
        later = await export_updated(tasks, tmp_path / f"{day}.jsonl", state=state)
        assert [call.query["sort"] for call in planhat.requests[made:]] == ["-updatedAt"] * 2
        assert not later.is_first
        # The first walk begins before the newest change that the first run saw, which is that of all three.
        changed = [ids[1], ids[2], ids[0]] if day == 1 else [ids[2]]
        assert sorted(one["_id"] for one in lines(tmp_path / f"{day}.jsonl")) == sorted(changed)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["0.jsonl", "1.jsonl", "2.jsonl", "tasks.json", "tasks.json-lock"]


async def test_a_snapshot_shows_what_is_new_changed_and_deleted(session: Session, tmp_path: Path) -> None:
    """The column comes first in each format, also if fields are chosen; a run without changes writes an empty file."""
    tasks, state = Tasks(session), tmp_path / "snapshot"
    ids = await add(tasks, "a", "b", "c")
    await export_snapshot(tasks, tmp_path / "0.csv", state=state)
    with (tmp_path / "0.csv").open() as file:
        assert [(row["_change"], row["_id"], row["action"]) for row in csv.DictReader(file)] == [
            ("new", id_, action) for id_, action in zip(ids, "abc", strict=True)
        ]
    await tasks.update(ids[0], {"action": "A"})
    await tasks.delete(ids[1])
    ids += await add(tasks, "d")
    done = await export_snapshot(tasks, tmp_path / "1.parquet", state=state)
    expected = ChangedExport(output=str(tmp_path / "1.parquet"), n_records=3, n_new=1, n_changed=1, n_deleted=1)
    assert done == expected
    table = pq.read_table(tmp_path / "1.parquet")
    assert table.column_names[0] == "_change"
    assert table.select(["_change", "_id", "action"]).to_pylist() == [
        {"_change": "changed", "_id": ids[0], "action": "A"},
        {"_change": "new", "_id": ids[3], "action": "d"},
        {"_change": "deleted", "_id": ids[1], "action": None},
    ]
    await export_snapshot(tasks, tmp_path / "2.jsonl", state=state)
    assert (tmp_path / "2.jsonl").read_bytes() == b""


async def test_a_snapshot_of_some_fields_ignores_changes_of_others(session: Session, tmp_path: Path) -> None:
    """Another choice of fields would make every record a changed one, and is refused."""
    tasks, state = Tasks(session), tmp_path / "snapshot"
    ids = await add(tasks, "a", "b")
    chosen = ExportSelection.parse(Tasks.model, fields=["action"])
    await export_snapshot(tasks, tmp_path / "0.jsonl", state=state, selection=chosen)
    await tasks.update(ids[0], {"description": "other"})
    await tasks.update(ids[1], {"action": "B"})
    await export_snapshot(tasks, tmp_path / "1.jsonl", state=state, selection=chosen)
    assert lines(tmp_path / "1.jsonl") == [{"_change": "changed", "_id": ids[1], "action": "B"}]
    with pytest.raises(StateError, match="fields are not given, were _id,action"):
        await export_snapshot(tasks, tmp_path / "2.jsonl", state=state)


async def test_a_task_that_moves_between_its_lists_while_they_are_read_is_not_deleted(
    session: Session, tmp_path: Path
) -> None:
    """It is in neither list at the time when that is read, so it is looked for among the changed ones."""
    tasks, state = Tasks(session), tmp_path / "snapshot"
    (id_,) = await add(tasks, "a")
    await tasks.update(id_, {"is_archived": True})
    await export_snapshot(tasks, tmp_path / "0.jsonl", state=state)

    class Moving(Tasks):
        async def iter_json(self, **options: Any) -> Any:
            """Unarchive the task once the list of other tasks has been read."""
            async for row in super().iter_json(**options | {"archived": False}):
                yield row
            await tasks.update(id_, {"is_archived": False})
            async for row in super().iter_json(**options | {"archived": True}):
                yield row

    done = await export_snapshot(Moving(session), tmp_path / "1.jsonl", state=state)
    assert (done.n_changed, done.n_deleted) == (1, 0)
    assert [(one["_change"], one["isArchived"]) for one in lines(tmp_path / "1.jsonl")] == [("changed", False)]
    assert (await export_snapshot(tasks, tmp_path / "2.jsonl", state=state)).n_records == 0


@pytest.mark.parametrize("export", [export_updated, export_snapshot])
async def test_an_output_that_exists_is_kept(session: Session, tmp_path: Path, export: Any) -> None:
    """It may hold changes that no later run repeats."""
    tasks, state, output = Tasks(session), tmp_path / "state", tmp_path / "a.jsonl"
    await add(tasks, "a")
    await export(tasks, output, state=state)
    held, remembered = output.read_bytes(), state.read_bytes()
    with pytest.raises(
        ValueError, match=r"exists, and may hold changes that no later run repeats: move it away, or na"
    ):
        await export(tasks, output, state=state)
    assert (output.read_bytes(), state.read_bytes()) == (held, remembered)


async def test_an_upload_to_the_name_of_the_run_before_is_refused(session: Session, tmp_path: Path) -> None:
    """Whether an upload exists is not known."""
    tickets, state = Tickets(session), tmp_path / "state"
    await export_snapshot(tickets, "memory://nightly/{date}.jsonl", state=state)
    with pytest.raises(ValueError, match=r"memory://nightly/\d{4}-\d\d-\d\d.jsonl exists"):
        await export_snapshot(tickets, "memory://nightly/{date}.jsonl", state=state)
    await export_snapshot(tickets, "memory://nightly/other.jsonl", state=state)


async def test_a_failed_run_leaves_the_state_as_it_was(planhat: Days, session: Session, tmp_path: Path) -> None:
    """The next run writes what it missed."""
    tasks, state = Tasks(session), tmp_path / "state"
    ids = await add(tasks, "a", "b")
    await export_snapshot(tasks, tmp_path / "0.jsonl", state=state)
    before = state.read_bytes()
    await tasks.delete(ids[0])
    refused = Session("wrong", transport=SandboxTransport(planhat))
    async with refused:
        with pytest.raises(PlanhatError):
            await export_snapshot(Tasks(refused), tmp_path / "1.jsonl", state=state, same_tenant=True)
    assert state.read_bytes() == before
    assert not (tmp_path / "1.jsonl").exists()
    done = await export_snapshot(tasks, tmp_path / "1.jsonl", state=state)
    assert (done.n_deleted, done.is_repeated) == (1, False)


async def test_a_run_that_fails_has_no_claim_to_the_name_of_its_output(
    planhat: Days, session: Session, tmp_path: Path
) -> None:
    """A run with another state may write a file of that name meanwhile, and its changes come but once."""
    await add(Tasks(session), "a")
    output = tmp_path / "today.jsonl"
    async with Session("wrong", transport=SandboxTransport(planhat)) as refused:
        with pytest.raises(PlanhatError):
            await export_snapshot(Tickets(refused), output, state=tmp_path / "tickets")
    await export_snapshot(Tasks(session), output, state=tmp_path / "tasks")
    held = output.read_bytes()
    with pytest.raises(ValueError, match="exists, and may hold changes"):
        await export_snapshot(Tickets(session), output, state=tmp_path / "tickets", same_tenant=True)
    assert output.read_bytes() == held


async def test_a_cancellation_while_the_state_is_written_comes_too_late(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is said to be interrupted would be repeated, and the next one has none of its changes."""
    save, loop = State.save, asyncio.get_running_loop()

    def save_slowly(state: State, path: Path) -> None:
        loop.call_soon_threadsafe(run.cancel)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), loop).result()
        save(state, path)

    monkeypatch.setattr(State, "save", save_slowly)
    await add(Tasks(session), "a")
    run = asyncio.create_task(export_snapshot(Tasks(session), tmp_path / "0.jsonl", state=tmp_path / "state"))
    assert ((await run).n_new, sorted(os.listdir(tmp_path))) == (1, ["0.jsonl", "state", "state-lock"])


async def test_a_state_of_another_owner_is_refused(session: Session, tmp_path: Path) -> None:
    """Another model, tenant, filter or kind of export: each would miss changes without a word."""
    state = tmp_path / "state"
    await export_updated(Tasks(session), tmp_path / "0.jsonl", state=state)
    with pytest.raises(StateError, match="is the state of a walk, not of a snapshot"):
        await export_snapshot(Tasks(session), tmp_path / "1.jsonl", state=state)
    chosen = ExportSelection(filters={"status": "done"})
    with pytest.raises(StateError, match=r"filters are status=done, were not given\. Put back what it was"):
        await export_updated(Tasks(session), tmp_path / "1.jsonl", state=state, selection=chosen)
    tolerant = MemorySandbox(per_minute=None, per_second=None)
    async with Session("tok-other", transport=SandboxTransport(tolerant)) as other:
        with pytest.raises(StateError, match="was written with another token, perhaps for another tenant") as refusal:
            await export_updated(Tasks(other), tmp_path / "1.jsonl", state=state)
        assert "--same-tenant" in str(refusal.value)
        await export_updated(Tasks(other), tmp_path / "1.jsonl", state=state, same_tenant=True)
        await export_updated(Tasks(other), tmp_path / "2.jsonl", state=state)
    assert "tok-other" not in state.read_text()
    await export_snapshot(Tickets(session), tmp_path / "3.jsonl", state=tmp_path / "tickets")
    with pytest.raises(StateError, match="model is tasks, was tickets"):
        await export_snapshot(Tasks(session), tmp_path / "4.jsonl", state=tmp_path / "tickets")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda held: held[:-1], "is damaged"),
        (lambda held: held.replace(b'"run":1', b'"run":2'), "is damaged"),
        (lambda held: held.replace(b'"version":1', b'"version":9'), "another version"),
        (lambda _: b"", "is damaged, or not the state of an export: move it away to begin again with all records"),
        (lambda _: b"[]\n", "not the state of an export"),
    ],
)
async def test_a_damaged_state_is_refused(session: Session, tmp_path: Path, damage: Any, message: str) -> None:
    """With a state that is guessed, changes would be missed."""
    state, tasks = tmp_path / "state", Tasks(session)
    await add(tasks, "a")
    await export_snapshot(tasks, tmp_path / "0.jsonl", state=state)
    state.write_bytes(damage(state.read_bytes()))
    with pytest.raises(StateError, match=message):
        await export_snapshot(tasks, tmp_path / "1.jsonl", state=state)
    assert not (tmp_path / "1.jsonl").exists()


async def test_a_state_in_use_is_refused(session: Session, tmp_path: Path) -> None:
    """Two runs at once would each forget what the other has seen."""
    state = tmp_path / "state"
    lock = ProcessLock(tmp_path / "state-lock")
    with pytest.raises(StateError, match=f"process {os.getpid()} is using this state"):
        await export_snapshot(Tasks(session), tmp_path / "0.jsonl", state=state)
    lock.release()
    await export_snapshot(Tasks(session), tmp_path / "0.jsonl", state=state)
    held = State.load(state)
    assert held is not None
    assert held.run == 1


async def test_what_cannot_be_exported_is_refused(session: Session, tmp_path: Path) -> None:
    """Before anything is read or written."""
    state = tmp_path / "state"
    with pytest.raises(
        ValueError, match=r"does not list tickets by the time of their change, only .*tasks.*: use export_snap"
    ):
        await export_updated(Tickets(session), tmp_path / "0.jsonl", state=state)
    with pytest.raises(ValueError, match="would overwrite"):
        await export_snapshot(Tickets(session), state, state=state, format="jsonl")
    with pytest.raises(ValueError, match="changes need a file or a URL"):
        await export_snapshot(Tickets(session), "-", state=state)
    with pytest.raises(StateError, match="there is no folder"):
        await export_snapshot(Tickets(session), tmp_path / "0.jsonl", state=tmp_path / "none" / "state")
    with pytest.raises(StateError, match="is not a regular file"):
        await export_snapshot(Tickets(session), tmp_path / "0.jsonl", state=tmp_path)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".jsonl")] == []
