"""Test that a copy of a list follows the list."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from each_model import each
from fakes import TOKEN

from planhat_async import LeanCompanies, PlanhatError, Session, Tasks, Tickets, Timeouts
from planhat_async._convert import write_time
from planhat_async._http.wire import Request, Response, Token
from planhat_async.engines import copied_list
from planhat_async.engines.copied_list import Changes, CopiedList, Follow
from planhat_async.engines.held_records import HeldRecords
from planhat_async.repositories import Lists
from planhat_async.sandbox import MemorySandbox
from planhat_async.testing import SandboxTransport

Copy = dict[str, Any]


@pytest.fixture
async def planhat() -> MemorySandbox:
    """Return a sandbox in memory."""
    return MemorySandbox(token=TOKEN, per_minute=None, per_second=None)


@pytest.fixture
async def session(planhat: MemorySandbox) -> AsyncIterator[Session]:
    """Yield a session on it."""
    async with Session(planhat.token, transport=SandboxTransport(planhat)) as opened:
        yield opened


async def follow(copy: Copy, state: dict[str, Any], repository: Lists[Any], how: Follow = "everything") -> Changes:
    """Bring a copy up to date, and return all that changed."""
    copied = CopiedList.from_state(json.loads(json.dumps(state)))
    rows: list[bytes] = []
    removed: list[str] = []
    async for changes in copied.changes(repository, follow=how):
        for row in changes.rows:
            record = json.loads(row)
            copy[record["_id"]] = record
        for id_ in changes.removed:
            del copy[id_]
        rows += changes.rows
        removed += changes.removed
    state.update(copied.state())
    assert copied.held == HeldRecords.unpack(state["records"])
    return Changes(rows=rows, removed=removed)


def stored(planhat: MemorySandbox, name: str) -> Copy:
    return {record["_id"]: record for record in planhat.records(name)}


def change(planhat: MemorySandbox, name: str, draw: random.Random) -> None:
    """Change, delete and create some records, as Planhat's users would."""
    records = stored(planhat, name)
    planhat.restore(MemorySandbox().snapshot())
    now = time_of(planhat.now())
    for record in records.values():
        chance = draw.random()
        changed = {"custom": {"Round": draw.random()}, "updatedAt": now} if chance < 0.3 else {}
        if chance >= 0.1:
            planhat.add(name, record | changed)
    for _ in range(draw.randrange(6)):
        planhat.add(name, {"type": "note", "updatedAt": now, "isArchived": draw.random() < 0.3})


def time_of(seconds: float) -> str:
    return write_time(datetime.fromtimestamp(seconds, UTC))


@each(Lists)
async def test_a_copy_equals_the_list_after_each_round(
    planhat: MemorySandbox, session: Session, repository: type[Lists[Any]]
) -> None:
    """Records are created, changed and deleted between the rounds; a round without changes has none."""
    name, draw = repository.model.name, random.Random(4)
    source = "companies" if repository is LeanCompanies else name
    copy: Copy = {}
    state: dict[str, Any] = {}
    for _ in range(4):
        change(planhat, source, draw)
        await follow(copy, state, repository(session))
        shown = [json.loads(row) async for row in repository(session).iter_json(**repository.model.everything)]
        assert copy == {record["_id"]: record for record in shown}
        assert copy.keys() == stored(planhat, name).keys()
    assert await follow(copy, state, repository(session)) == Changes()


async def test_a_quiet_walk_costs_few_calls(planhat: MemorySandbox, session: Session) -> None:
    """With deletions it lists the `_id`s alone, without them it is one call for each list of tasks."""
    copy: Copy = {}
    state: dict[str, Any] = {}
    for _ in range(50):
        planhat.add("tasks", {"action": "Call", "updatedAt": "2024-01-01T00:00:00.000Z"})
    await follow(copy, state, Tasks(session))
    made = len(planhat.requests)
    assert await follow(copy, state, Tasks(session), "recent") == Changes()
    assert [call.query.get("sort") for call in planhat.requests[made:]] == ["-updatedAt"] * 2
    made = len(planhat.requests)
    assert await follow(copy, state, Tasks(session)) == Changes()
    listed, walked = planhat.requests[made : made + 2], planhat.requests[made + 2 :]
    assert {call.query.get("select") for call in listed} == {"_id", "_id,isArchived"}
    assert [call.query.get("sort") for call in walked] == ["-updatedAt"] * 2


async def test_recent_changes_of_tasks_leave_out_deletions(planhat: MemorySandbox, session: Session) -> None:
    """A later reading of everything removes them, also a task that came and went between two of these."""
    copy: Copy = {}
    state: dict[str, Any] = {}
    ids = [planhat.add("tasks", {"updatedAt": time_of(planhat.now()), "action": name})["_id"] for name in "ab"]
    await follow(copy, state, Tasks(session))
    ids.append(planhat.add("tasks", {"updatedAt": time_of(planhat.now()), "action": "c"})["_id"])
    await Tasks(session).delete(ids[0])
    await Tasks(session).update(ids[1], {"action": "B"})
    await follow(copy, state, Tasks(session), "recent")
    assert {record["action"] for record in copy.values()} == {"a", "B", "c"}
    await Tasks(session).delete(ids[2])
    assert (await follow(copy, state, Tasks(session))).removed == sorted([ids[0], ids[2]])
    assert copy == stored(planhat, "tasks")


async def test_recent_records_of_other_models_are_the_new_ones(planhat: MemorySandbox, session: Session) -> None:
    """They cost the calls of their own page; a later reading of everything finds what was changed and deleted."""
    copy: Copy = {}
    state: dict[str, Any] = {}
    for number in range(5000):
        planhat.add("tickets", {"title": str(number)})
    await follow(copy, state, Tickets(session))
    first = planhat.records("tickets")[0]
    await Tickets(session).upsert_many([{"id": first["_id"], "title": "changed"}])
    new = planhat.add("tickets", {"title": "new"})["_id"]
    made = len(planhat.requests)
    found = await follow(copy, state, Tickets(session), "recent")
    assert [json.loads(row)["_id"] for row in found.rows] == [new]
    assert len(planhat.requests) - made <= 3
    assert len((await follow(copy, state, Tickets(session))).rows) == 1
    assert copy == stored(planhat, "tickets")


async def test_the_first_walk_begins_before_the_newest_change(planhat: MemorySandbox, session: Session) -> None:
    """So the clock of this machine does not matter."""
    for minute in (7, 3):
        planhat.add("tasks", {"updatedAt": f"2024-05-31T12:0{minute}:00.000Z"})
    state: dict[str, Any] = {}
    await follow({}, state, Tasks(session))
    assert state["since"] == "2024-05-31T12:02:00.000Z"


@attrs.define
class ChangingTransport:
    """Answers from a sandbox, and changes it after each answer."""

    inner: SandboxTransport
    change: Callable[[Request], object] = lambda _: None

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Return the sandbox's answer."""
        answer = await self.inner.send(request, token=token, timeouts=timeouts)
        self.change(request)
        return answer

    async def close(self) -> None:
        await self.inner.close()


async def test_a_task_that_is_opened_again_during_the_reading_stays(planhat: MemorySandbox) -> None:
    """It is in neither list of `_id`s, but in the walk."""
    task = planhat.add("tasks", {"action": "a", "isArchived": True, "updatedAt": time_of(planhat.now())})
    transport = ChangingTransport(SandboxTransport(planhat))
    copy: Copy = {}
    state: dict[str, Any] = {}

    def reopen(_: Request) -> None:
        transport.change = lambda _: None
        planhat.restore(MemorySandbox().snapshot())
        planhat.add("tasks", task | {"isArchived": False, "updatedAt": time_of(planhat.now())})

    async with Session(planhat.token, transport=transport) as session:
        await follow(copy, state, Tasks(session))
        transport.change = reopen
        assert (await follow(copy, state, Tasks(session))).removed == []
    assert copy == stored(planhat, "tasks")
    assert copy[task["_id"]]["isArchived"] is False


@pytest.mark.slow
@pytest.mark.parametrize("repository", [Tasks, Tickets])
@pytest.mark.parametrize("seed", range(15))
async def test_changes_during_the_reading_are_read_now_or_later(
    planhat: MemorySandbox, repository: type[Lists[Any]], seed: int
) -> None:
    """A quiet reading at the end makes the copy equal; nothing that is there throughout is removed.

    A task that moves between the two lists several times in one reading could be.
    """
    draw = random.Random(seed)
    has_moved: set[str] = set()
    name = repository.model.name
    copy: Copy = {}
    state: dict[str, Any] = {}
    transport = ChangingTransport(SandboxTransport(planhat))

    def change_one(_: Request) -> None:
        records = list(stored(planhat, name).values())
        planhat.restore(MemorySandbox().snapshot())
        for record in records:
            chance = draw.random()
            changed = {"custom": {"a": draw.random()}, "updatedAt": time_of(planhat.now())} if chance < 0.1 else {}
            moved = {"isArchived": draw.random() < 0.5} if changed and name == "tasks" else {}
            if chance < 0.95:
                planhat.add(name, record | changed | moved)
        for _number in range(draw.randrange(4)):
            planhat.add(name, {"updatedAt": time_of(planhat.now()), "isArchived": draw.random() < 0.5})

    async with Session(planhat.token, transport=transport) as session:
        for how in ("everything", "recent", "everything", "everything"):
            transport.change = change_one
            has_moved.clear()
            before = stored(planhat, name).keys()
            found = await follow(copy, state, repository(session), how)
            gone = before - stored(planhat, name).keys()
            assert {*found.removed} & before <= gone
            transport.change = lambda _: None
        await follow(copy, state, repository(session))
    assert copy == stored(planhat, name)


async def test_a_failed_reading_changes_no_state(planhat: MemorySandbox, session: Session) -> None:
    """The next one finds all of its changes again."""
    state: dict[str, Any] = {}
    planhat.add("tickets", {"title": "a"})
    planhat.inject("http_500=1")
    with pytest.raises(PlanhatError):
        await follow({}, state, Tickets(session))
    assert state == {}


async def test_a_batch_is_bounded(planhat: MemorySandbox, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with as many rows or bytes as memory may hold."""
    monkeypatch.setattr(copied_list, "_MAX_ROWS", 4)
    monkeypatch.setattr(copied_list, "_MAX_BYTES", 900)
    for number in range(7):
        planhat.add("tickets", {"title": str(number), "description": "x" * 500 * (number // 4)})
    copied = CopiedList()
    assert [len(one.rows) async for one in copied.changes(Tickets(session))] == [4, 2, 1]
    planhat.restore(MemorySandbox().snapshot())
    assert [len(one.removed) async for one in copied.changes(Tickets(session))] == [4, 3]
