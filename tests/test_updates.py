"""Test listing the tasks that changed since a time."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from typing import Any, Self

import attrs
import pytest
from fakes import TOKEN, FakeTransport

from planhat_async import DecodeError, Session, Task, Tasks
from planhat_async._convert import encode_json
from planhat_async._http.wire import Response
from planhat_async.sandbox import Sandbox

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


def add(planhat: Sandbox, *minutes: int, **fields: Any) -> None:
    """Add tasks named after the minutes past noon at which they changed."""
    for n in minutes:
        changed = (NOON + timedelta(minutes=n)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        planhat.add("tasks", {"action": f"{n}", "updatedAt": changed, **fields})


async def test_changed_tasks_are_listed_newest_first_open_and_archived(planhat: Sandbox, session: Session) -> None:
    """Each list has its own order; older tasks are not yielded."""
    add(planhat, 3, -2, 1, 0)
    add(planhat, -1, 2, isArchived=True)
    changed = [task.action async for task in Tasks(session).iter_updated_since(NOON)]
    assert changed == ["3", "1", "0", "2"]


async def test_few_changes_cost_one_call_a_list(planhat: Sandbox, session: Session) -> None:
    """Reading ends with the page of the first older task, for lists of any length."""
    add(planhat, *range(-1500, 2))
    changed = [task.action async for task in Tasks(session).iter_updated_since(NOON, page_size=1000)]
    assert (changed, len(planhat.requests)) == (["1", "0"], 2)


async def test_reading_continues_while_tasks_are_new(planhat: Sandbox, session: Session) -> None:
    """It reads each of their pages once."""
    add(planhat, *range(-20, 30))
    walk = Tasks(session).iter_updated_since(NOON, page_size=4, archived=False)
    assert [task.action async for task in walk] == [f"{n}" for n in range(29, -1, -1)]


async def test_the_next_listing_begins_before_this_one_began(planhat: Sandbox, session: Session) -> None:
    """It overlaps by a margin; until this listing is complete, the next one would begin at the same time."""
    add(planhat, 1, 2)
    before = datetime.now(UTC) - timedelta(seconds=5)  # a `Date` is in whole seconds, and the call takes a moment
    walk = Tasks(session).iter_updated_since(NOON, margin=60)
    await anext(walk)
    assert walk.next_since == NOON
    assert [task async for task in walk] != []
    assert before <= walk.next_since + timedelta(seconds=60) <= datetime.now(UTC)


async def test_the_next_listing_never_begins_earlier(planhat: Sandbox, session: Session) -> None:
    """Changes before `since` belong to an earlier listing."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    walk = Tasks(session).iter_updated_since(soon)
    assert [task async for task in walk] == []
    assert (walk.next_since, len(planhat.requests)) == (soon, 2)


async def test_a_listing_closed_early_must_be_repeated(planhat: Sandbox, session: Session) -> None:
    """A closed listing is not complete."""
    add(planhat, 1, 2)
    walk = Tasks(session).iter_updated_since(NOON)
    await anext(walk)
    await walk.aclose()
    assert walk.next_since == NOON


async def test_an_abandoned_listing_leaves_no_task(planhat: Sandbox, session: Session) -> None:
    """It is closed without a garbage collection."""
    add(planhat, *range(50))
    gc.disable()
    try:
        async for _ in Tasks(session).iter_updated_since(NOON, page_size=4, concurrency=4):
            break
        for _ in range(20):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    finally:
        gc.enable()


async def test_a_listing_with_a_broken_join_of_pages_must_be_repeated() -> None:
    """Lost rows may be among those that changed."""
    rows = [
        encode_json([{"_id": f"{n:024x}", "updatedAt": "2024-06-01T00:00:00.000Z"} for n in numbers])
        for numbers in (range(500), *[range(1000, 1500)] * 4, range(3000, 3010))
    ]
    transport = FakeTransport([Response(status=200, body=body) for body in rows])
    async with Session(TOKEN, transport=transport) as session:
        walk = Tasks(session).iter_updated_since(NOON, page_size=500, concurrency=1, archived=False)
        assert len([task async for task in walk]) == 510
        assert (session.stats.joins_broken, walk.next_since) == (1, NOON)


async def test_lists_of_a_server_that_ignores_the_sort_are_read_completely() -> None:
    """Stopping at the first older task would lose those after it."""
    rows = [{"_id": f"{n}", "updatedAt": f"2024-05-{n:02d}T00:00:00.000Z"} for n in (7, 2, 9, 1)]
    transport = FakeTransport([Response(status=200, body=encode_json(rows))])
    async with Session(TOKEN, transport=transport) as session:
        walk = Tasks(session).iter_updated_since(datetime(2024, 5, 7, tzinfo=UTC), archived=False)
        assert [task.id async for task in walk] == ["7", "9"]
        assert session.stats.sorts_ignored == 1


async def test_fields_required_only_internally_are_not_yielded(planhat: Sandbox, session: Session) -> None:
    """They are fetched all the same."""
    add(planhat, 1, description="long")
    walk = Tasks(session).iter_updated_since(NOON, select=["action"], archived=False)
    assert [attrs.evolve(task, id=None) async for task in walk] == [Task(action="1")]
    (call,) = planhat.requests
    assert (call.query["sort"], call.query["select"]) == ("-updatedAt", "_id,action,updatedAt")


async def test_an_unreadable_task_is_raised_or_skipped() -> None:
    """This works like in other listings."""
    body = b'[{"_id":"1","updatedAt":"2024-06-01T00:00:00.000Z"},7]'
    for how, expected in (("skip", 1), ("raise", None)):
        transport = FakeTransport([Response(status=200, body=body)])
        async with Session(TOKEN, transport=transport) as session:
            walk = Tasks(session).iter_updated_since(NOON, archived=False, on_bad_record=how)  # type: ignore[arg-type]
            if expected is None:
                with pytest.raises(DecodeError):
                    [task async for task in walk]
            else:
                assert len([task async for task in walk]) == expected
                assert session.stats.records_skipped == 1


@pytest.mark.parametrize(
    ("since", "options", "error"),
    [
        (datetime(2024, 5, 31), {}, ValueError),  # noqa: DTZ001 - that is the point
        ("2024-05-31T12:00:00Z", {}, TypeError),
        (NOON, {"margin": -1}, ValueError),
        (NOON, {"sort": "id"}, TypeError),
        (NOON, {"max_records": 5}, TypeError),
        (NOON, {"on_bad_record": "ignore"}, ValueError),
        (NOON, {"page_size": 0}, ValueError),
        (NOON, {"select": ["acton"]}, ValueError),
    ],
)
async def test_invalid_options_are_refused_at_once(
    session: Session, since: Any, options: dict[str, Any], error: type[Exception]
) -> None:
    """No call is made."""
    with pytest.raises(error):
        Tasks(session).iter_updated_since(since, **options)


async def test_a_failed_listing_must_be_repeated_even_if_it_is_iterated_again() -> None:
    """A generator that failed has ended, but is not complete."""
    transport = FakeTransport([Response(status=200, body=b"{}")])
    async with Session(TOKEN, transport=transport) as session:
        walk = Tasks(session).iter_updated_since(NOON, archived=False)
        with pytest.raises(DecodeError):
            await anext(walk)
        assert await anext(walk, None) is None
        assert walk.next_since == NOON


async def test_the_next_listing_begins_before_the_first_call_of_this_one(
    planhat: Sandbox, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The duration does not matter: tasks that change meanwhile may have moved past the reader."""
    add(planhat, 1, 2, 3)

    class Clock(datetime):
        times = iter(datetime(2025, 1, day, tzinfo=UTC) for day in range(1, 30))

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:  # noqa: ARG003 - as it is called
            return next(cls.times)  # type: ignore[return-value]

    monkeypatch.setattr("planhat_async.repositories.update_walk.datetime", Clock)
    walk = Tasks(session).iter_updated_since(NOON, margin=0)
    assert len([task async for task in walk]) == 3
    assert walk.next_since == datetime(2025, 1, 1, tzinfo=UTC)


async def test_a_page_is_read_completely_before_reading_stops() -> None:
    """Its size does not matter: tasks after the first older one show whether the order is correct."""
    day = "2024-05-{:02d}T00:00:00.000Z".format
    days = [31, 30, *[2] * 400, 31]
    rows = [{"_id": f"{n:024x}", "updatedAt": day(d), "description": "x" * 800} for n, d in enumerate(days)]
    transport = FakeTransport([Response(status=200, body=encode_json(rows))])
    async with Session(TOKEN, transport=transport) as session:
        walk = Tasks(session).iter_updated_since(datetime(2024, 5, 20, tzinfo=UTC), archived=False)
        assert len([task async for task in walk]) == 3
        assert session.stats.sorts_ignored == 1


async def test_no_page_is_read_ahead(planhat: Sandbox, session: Session) -> None:
    """Most listings end early."""
    add(planhat, *range(-20, 6))
    walk = Tasks(session).iter_updated_since(NOON, page_size=4, archived=False)
    assert len([task async for task in walk]) == 6
    assert [call.query.get("offset", "0") for call in planhat.requests] == ["0", "3"]


async def test_a_broken_join_of_another_listing_is_ignored(planhat: Sandbox, session: Session) -> None:
    """A listing must be repeated only for its own lost rows."""
    add(planhat, 1, 2)
    walk = Tasks(session).iter_updated_since(NOON)
    await anext(walk)
    session.stats.joins_broken += 1
    assert [task.action async for task in walk] == ["1"]
    assert walk.next_since > NOON


async def test_a_task_that_moves_between_two_pages_does_not_break_their_order() -> None:
    """Order is checked within each page; tasks that change meanwhile move to an earlier page."""
    ahead = [{"_id": f"{n:024x}", "updatedAt": (NOON + timedelta(minutes=900 - n)).isoformat()} for n in range(500)]
    times = {499: 890, 1000: 600, 1001: 300}  # the last task of the first page changed again and is dropped
    behind = [{"_id": f"{n:024x}", "updatedAt": (NOON + timedelta(minutes=m)).isoformat()} for n, m in times.items()]
    transport = FakeTransport([Response(status=200, body=encode_json(page)) for page in (ahead, behind)])
    async with Session(TOKEN, transport=transport) as session:
        walk = Tasks(session).iter_updated_since(NOON, archived=False, page_size=500)
        assert len([task async for task in walk]) == 502
        assert session.stats.sorts_ignored == 0


@pytest.mark.parametrize("hours_behind", [None, -2, 0, 2])
async def test_a_clock_that_is_ahead_loses_no_change(hours_behind: int | None) -> None:
    """The next listing begins at the server's time if that is earlier; only the first answer counts."""
    now = datetime.now(UTC).replace(microsecond=0)
    server = now - timedelta(hours=hours_behind or 0)
    later = server + timedelta(hours=1)
    dates = [{} if hours_behind is None else {"date": format_datetime(one, usegmt=True)} for one in (server, later)]
    body = encode_json([{"_id": "1", "updatedAt": "2024-06-01T00:00:00.000Z"}])
    transport = FakeTransport([Response(status=200, body=body, headers=one) for one in dates])
    async with Session(TOKEN, transport=transport) as session:
        walk = Tasks(session).iter_updated_since(NOON, margin=0)
        assert len([task async for task in walk]) == 1
    expected = min(now, server)
    assert expected - timedelta(seconds=5) <= walk.next_since <= expected + timedelta(seconds=5)
    assert hours_behind != 2 or walk.next_since <= server


async def test_an_upsert_closes_a_listing_that_it_reads() -> None:
    """The upsert may end before the listing does: no page stays in flight."""
    rows = [{"_id": f"{n:024x}", "updatedAt": "2024-06-01T00:00:00.000Z"} for n in range(500)]
    transport = FakeTransport([Response(status=200, body=encode_json(rows)), *[None] * 9])
    async with Session(TOKEN, transport=transport) as session:
        tasks = Tasks(session)
        walk = tasks.iter_updated_since(NOON, page_size=500, concurrency=4, archived=False)
        await anext(walk)
        async with tasks.upserting(walk, chunk_size=10) as run:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await anext(run)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        with pytest.raises(StopAsyncIteration):
            await anext(walk)
        assert walk.next_since == NOON


async def test_an_exception_thrown_into_a_listing_ends_it(planhat: Sandbox, session: Session) -> None:
    """The listing must be repeated."""
    add(planhat, 3)
    walk = Tasks(session).iter_updated_since(NOON)
    await anext(walk)
    with pytest.raises(KeyError):
        await walk.athrow(KeyError("x"))
    with pytest.raises(StopAsyncIteration):
        await anext(walk)
    assert walk.next_since == NOON


async def test_changed_tasks_are_listed_as_json_as_planhat_sent_them(planhat: Sandbox, session: Session) -> None:
    """The records and the start of the next listing are those of `iter_updated_since`."""
    add(planhat, 1, -1, 0)
    walk = Tasks(session).iter_json_updated_since(NOON, archived=False)
    stored = {task["action"]: encode_json(task) for task in planhat.records("tasks")}
    assert [row async for row in walk] == [stored["1"], stored["0"]]
    assert walk.next_since > NOON
    with pytest.raises(TypeError, match=r"Tasks.iter_json_updated_since\(\) has no option 'sort'"):
        Tasks(session).iter_json_updated_since(NOON, sort="id")  # type: ignore[call-arg]
