"""Test upserts of tables from a caller's view, into Planhat in memory."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pyarrow as pa
import pytest
from memory import MemoryPlanhat

from planhat_async import Outcome, RateLimits, Session, Tasks
from planhat_async.errors import MissingExtraError
from planhat_async.jobs import FieldMapping
from planhat_async.models import Task
from planhat_async.repositories import UpsertOptions
from planhat_async.repositories.table_input import table_rows

ACME = "5f4e3d2c1b0a998877665544"


@pytest.fixture
def planhat() -> MemoryPlanhat:
    return MemoryPlanhat((), (0.0,))


@pytest.fixture
async def tasks(planhat: MemoryPlanhat) -> AsyncIterator[Tasks]:
    limits = RateLimits(per_minute=1_000_000, per_second=100_000, reserve=0)
    async with Session("token", transport=planhat, limits=limits) as session:
        yield Tasks(session)


def table(n_rows: int, **more: Any) -> pa.Table:
    return pa.table({"source_id": [f"s{n}" for n in range(n_rows)], "company_id": [ACME] * n_rows, **more})


def sent(planhat: MemoryPlanhat) -> list[dict[str, Any]]:
    return [row for body in planhat.sent for row in body]


async def test_a_table_is_upserted_with_the_positions_of_its_rows(tasks: Tasks, planhat: MemoryPlanhat) -> None:
    """One bad value is one invalid row, and so is a row without values."""
    rows = pa.table({
        "source_id": ["a", "b", None, "d"],
        "company_id": [ACME, ACME, None, ACME],
        "custom.ARR": [1.5, float("inf"), float("nan"), None],
    })  # fmt: skip
    result = await tasks.upsert_many(rows)
    assert (result.created, result.not_stored) == (2, {Outcome.INVALID: (range(1, 3),)})
    assert [problem.reason for problem in result.problems] == [
        "column 'custom.ARR': an infinite number",
        "none of its columns has a value",
    ]
    assert sent(planhat) == [
        {"sourceId": "a", "companyId": ACME, "custom": {"ARR": 1.5}},
        {"sourceId": "d", "companyId": ACME},
    ]


async def test_each_way_to_upsert_takes_tables(tasks: Tasks, planhat: MemoryPlanhat) -> None:
    """A run and its chunks, too."""
    chunks = [chunk.created async for chunk in tasks.upsert_chunks(table(5), chunk_size=2)]
    async with tasks.upserting(table(5), chunk_size=3) as run:
        async for _ in run:
            pass
    assert (sorted(chunks), run.result.unchanged, len(sent(planhat))) == ([1, 2, 2], 5, 10)


async def test_a_mapping_and_a_time_zone_are_for_tables(tasks: Tasks, planhat: MemoryPlanhat) -> None:
    """They are refused with other rows, which say themselves what they are."""
    mapping = FieldMapping.parse(Task, maps=["source_id=Key", "company_id=Company"])
    await tasks.upsert_many(pa.table({"Key": ["a"], "Company": [ACME], "More": [1]}), mapping=mapping)
    assert sent(planhat) == [{"sourceId": "a", "companyId": ACME}]
    with pytest.raises(TypeError, match="mapping is for tables, and the rows are list"):
        await tasks.upsert_many([], mapping=mapping)
    with pytest.raises(TypeError, match="time_zone is for tables, and the rows are list"):
        tasks.upserting([], time_zone="UTC")
    with pytest.raises(ValueError, match="time_zone: there is no zone 'Mars'"):
        tasks.upserting(table(1), time_zone="Mars")
    with pytest.raises(TypeError, match=r"mapping must be a mapping of columns, such as jobs\.FieldMapping, not {}"):
        tasks.upserting(table(1), mapping={})  # type: ignore[arg-type]


async def test_a_table_that_does_not_fit_is_refused_before_anything_is_sent(
    tasks: Tasks, planhat: MemoryPlanhat
) -> None:
    """The run has no rows then."""
    with pytest.raises(ValueError, match="'colour': Task has no field 'colour'"):
        await tasks.upsert_many(table(1, colour=["red"]))
    run = tasks.upserting(table(1, start_time=pa.array([0], pa.timestamp("s"))))
    with pytest.raises(ValueError, match="'start_time' has times without a zone: say which zone is meant"):
        await anext(run)
    assert (run.result.rows, planhat.sent) == (0, [])
    await tasks.upsert_many(table(1, start_time=pa.array([0], pa.timestamp("s"))), time_zone="Europe/Berlin")
    assert sent(planhat)[0]["startTime"] == "1969-12-31T23:00:00.000Z"


async def test_without_the_package_there_is_one_clear_message(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the extra."""
    rows = table(1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = r"tables need one more package: pip install 'planhat-async\[arrow\]'"
    with pytest.raises(MissingExtraError, match=message):
        await tasks.upsert_many(rows)


class Slow:
    """A table that takes long to make its batches, as a query does."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        self.threads.add(threading.get_ident())
        time.sleep(0.05)
        return table(3).__arrow_c_stream__(requested_schema)


async def test_the_event_loop_does_not_wait_for_the_table(tasks: Tasks) -> None:
    """It is made in a thread."""
    rows, n_turns = Slow(), 0
    upsert = asyncio.ensure_future(tasks.upsert_many(rows))
    while not upsert.done():
        n_turns += 1
        await asyncio.sleep(0.001)
    assert (upsert.result().created, threading.get_ident() in rows.threads) == (3, False)
    assert n_turns > 10


async def test_other_tasks_run_between_the_parts_of_a_batch() -> None:
    """Also if all of its rows are taken at once."""
    n_turns = 0

    async def count() -> None:
        nonlocal n_turns
        while True:
            n_turns += 1
            await asyncio.sleep(0)

    rows = table_rows(table(1000), Task)
    await anext(rows)
    counting = asyncio.create_task(count())
    assert len([row async for row in rows]) == 999
    counting.cancel()
    assert n_turns >= 4


async def test_no_thread_reads_a_table_whose_run_was_left(tasks: Tasks) -> None:
    """The caller may close its connection, or go on with the reader."""
    is_reading, is_left, read_after = threading.Event(), False, []

    def batches() -> Any:
        yield from table(10).to_batches()
        is_reading.set()
        time.sleep(0.05)
        read_after.append(is_left)
        yield from table(10).to_batches()

    reader = pa.RecordBatchReader.from_batches(table(1).schema, batches())
    async with tasks.upserting(reader, chunk_size=10) as run:
        await anext(run)
        await asyncio.to_thread(is_reading.wait, 5)
    is_left = True
    await asyncio.sleep(0.1)
    assert read_after == [False]


async def test_a_reader_that_fails_ends_the_run_after_its_rows(tasks: Tasks) -> None:
    """What was read has an outcome."""

    def batches() -> Any:
        yield from table(2).to_batches()
        raise OSError("the disk is gone")

    reader = pa.RecordBatchReader.from_batches(table(1).schema, batches())
    run = tasks.upserting(reader, chunk_size=1)
    assert [(await anext(run)).created for _ in range(2)] == [1, 1]
    with pytest.raises(OSError, match="the disk is gone"):
        await anext(run)
    assert run.result.rows == 2


async def test_no_more_of_a_table_is_read_than_is_sent(tasks: Tasks, planhat: MemoryPlanhat) -> None:
    """Memory is bounded: the batches wait for the chunks."""
    n_read = 0

    def batches() -> Any:
        nonlocal n_read
        for _ in range(1000):
            n_read += 1
            yield from table(10).to_batches()

    planhat.seconds = (0.05,)
    reader = pa.RecordBatchReader.from_batches(table(1).schema, batches())
    async with tasks.upserting(reader, chunk_size=10, concurrency=2) as run:
        await anext(run)
        assert n_read < 12
    assert 10 * (n_read - 2) < run.result.rows <= 10 * n_read


@pytest.mark.parametrize(
    ("call", "own"),
    [("upsert_many", {"raise_on_error"}), ("upsert_chunks", set()), ("upserting", {"ledger", "is_stored"})],
)
async def test_the_message_about_an_unknown_option_names_all_that_a_call_has(
    tasks: Tasks, call: str, own: set[str]
) -> None:
    """Those of tables only where the rows are one."""

    async def listed(rows: Any, **options: Any) -> set[str]:
        begin: Any = getattr(tasks, call)
        with pytest.raises(TypeError) as caught:
            await (begin(rows, **options) if call == "upsert_many" else anext(begin(rows, **options)))
        said = str(caught.value)
        assert said.startswith(f"Tasks.{call}() has no option")
        return {*said.partition("it has ")[2].split(", ")}

    every = {*UpsertOptions.__annotations__, *own}
    assert await listed(table(1), timezones_of_it="x") == every | {"mapping", "time_zone"}
    assert await listed([{"source_id": "a"}], timezones_of_it="x") == every
    with pytest.raises(TypeError, match=r"has no option 'timezone'; did you mean time_zone\?$"):
        tasks.upserting(table(1), timezone="UTC")  # type: ignore[call-arg]
