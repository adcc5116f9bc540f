"""Test the records of a sandbox: snapshots, and files written and read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sandbox_door import NOW, TENET, Door, documented

from planhat_async.sandbox import Company, EndUser, MemorySandbox, Sandbox, User
from planhat_async.sandbox.models.company_rules import COMPANIES
from planhat_async.sandbox.state import State

SARAH = User("5524481f516d59216a6d2b80", "Sarah")
JOHN = EndUser("5f7e1a07dcd4235b544f3ce4", "John Bacon", "jbacon@gmail.com")


def _everything(state: State) -> list[bytes]:
    return list(state.lines())


def test_a_snapshot_restores_everything() -> None:
    """It restores records, keys, companies and people any number of times; the next generated `_id` follows."""
    planhat = Door(TENET)
    state = planhat.api.state
    kept, other = (planhat.add("tasks", sourceId=name) for name in "ab")
    planhat.add("notes", externalId="x")
    planhat.add("notes", externalId="x")
    before, snapshot = _everything(state), state.snapshot()
    made = []
    for _ in range(2):
        state.register(SARAH)
        planhat("PUT", f"tasks/{kept}", {"sourceId": "c"})
        planhat("DELETE", f"tasks/{other}")
        made.append(planhat.add("tickets"))
        assert _everything(state) != before
        state.restore(snapshot)
        assert _everything(state) == before
        assert planhat("GET", "tasks/srcid-a").body["_id"] == kept
        assert planhat("GET", "tasks/srcid-c").status == 404
        assert planhat("POST", "tasks", {"companyId": "nobody"}).status == 400
    assert made[0] == made[1]
    assert repr(snapshot) == "Snapshot()"


def test_saved_records_can_be_loaded() -> None:
    """The file has one record a line; blank lines are ignored."""
    first, second = State(0, [TENET, SARAH, JOHN]), State()
    for name in ("note", "task", "ticket"):
        for record in documented(f"{name}-list.response"):
            first.add(f"{name}s", record, now=NOW)
    lines = _everything(first)
    assert (
        second.load([b"\n", *lines, b"  "], now=NOW)
        == len(lines)
        == 3 + sum(map(_n_listed, ("note", "task", "ticket")))
    )
    assert _everything(second) == lines


def _n_listed(name: str) -> int:
    return len(documented(f"{name}-list.response"))


def test_lines_may_be_records_of_one_model() -> None:
    """An export has this form; a record without an `_id` gets one."""
    state = State()
    assert state.load([b'{"sourceId":"a"}', b'{"_id":"b"}'], now=NOW, model="tasks") == 2
    assert {task["_id"][:8] for task in state.records("tasks")} == {f"{int(NOW):08x}", "b"}
    assert state.load([b'{"_id":"u","nickName":"U"}'], now=NOW, model="users") == 1
    assert state.records("users") == [{"_id": "u", "nickName": "U"}]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"nonsense", "line 2: JSON is malformed"),
        (b"[]", "line 2: a line is"),
        (b'{"model":"tasks"}', "line 2: a line is"),
        (b'{"model":"tasks","record":[]}', "line 2: a line is"),
        (b'{"model":"boxes","record":{}}', "line 2: no model is called 'boxes'; there are notes, tasks"),
        (b'{"model":"tasks","record":{"_id":"a"}}', "line 2: a record with the _id a already exists"),
        (b'{"model":"tasks","record":{"_id":7}}', "line 2: an _id is text, not 7"),
        (b'{"model":"users","record":{"_id":7}}', "line 2: an _id is text, not 7"),
    ],
)
def test_the_message_names_an_invalid_line(line: bytes, problem: str) -> None:
    """It contains the number of the line and the mistake."""
    with pytest.raises(ValueError, match=problem):
        State().load([b'{"model":"tasks","record":{"_id":"a"}}', line], now=NOW)


def test_an_unknown_model_is_an_error() -> None:
    """Records are requested by the name of a model."""
    with pytest.raises(ValueError, match="no model is called 'note'"):
        State().records("note")


def test_a_record_may_be_older_than_the_sandbox() -> None:
    """Its `_id` begins with the given time, so that it sorts before the others."""
    state = State()
    new = state.add("tasks", {}, now=NOW)
    old = state.add("tasks", {}, now=NOW, created=datetime(2020, 1, 1, tzinfo=UTC))
    assert int(old["_id"][:8], 16) == datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    assert state.records("tasks") == [old, new]


def test_a_sandbox_saves_loads_and_restores(tmp_path: Path) -> None:
    """It need not be started."""
    first, second = Sandbox(users=[SARAH], endusers=[JOHN]), Sandbox()
    first.add_company("c1", name="Acme", domains=["acme.com"])
    first.add_user("u2", name="Emil")
    first.add_enduser("e2", name="Ada", email="ada@acme.com")
    task: Any = first.add("tasks", {"action": "call", "custom": {"ä": None}})
    first.save(tmp_path / "all.jsonl")
    empty = second.snapshot()
    assert second.load(tmp_path / "all.jsonl") == 6
    assert second.records("tasks") == [task]
    second.restore(empty)
    assert second.records("tasks") == []
    (tmp_path / "tasks.jsonl").write_text('{"action":"one"}\n{"action":"two"}\n')
    assert second.load(tmp_path / "tasks.jsonl", model="tasks") == 2
    assert [task["action"] for task in second.records("tasks")] == ["one", "two"]


async def test_a_replaced_company_does_not_return() -> None:
    """Neither its earlier keys nor a snapshot restore it."""
    planhat = MemorySandbox()
    planhat.add_company("c1", external_id="old", name="Old", domains=["old.example"])
    planhat.add_company("c1", external_id="new", name="New")
    planhat.restore(planhat.snapshot())
    state = planhat._state
    assert state.find(COMPANIES, "extid-old") is None
    assert state.match(COMPANIES, "domains", "old.example") is None
    assert planhat.records("companies") == [{"_id": "c1", "externalId": "new", "name": "New", "domains": []}]


@pytest.mark.parametrize("given", [3, "acme", Company("5524481f516d59216a6d2b81")])
def test_companies_are_a_list(given: Any) -> None:
    """A number of companies, or a single one, is refused with the reason."""
    with pytest.raises(TypeError, match="companies are a list of Company, not"):
        Sandbox(companies=given)
