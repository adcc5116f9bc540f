"""Test lists as columns: the records of `iter`, with one schema, and with its errors."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from fakes import FakeTransport
from memory import MemoryPlanhat

from planhat_async import DecodeError, RateLimits, Session, Task, Tasks, Tickets, Users
from planhat_async._http.wire import Response
from planhat_async.errors import MissingExtraError

ACME = "5f4e3d2c1b0a998877665544"
LIMITS = RateLimits(per_minute=1_000_000, per_second=100_000, reserve=0)
CUSTOM = [{"ARR": 5, "Tier": "x", "Other": [1]}, {"ARR": "much", "Tier": 7}, {}]


@pytest.fixture
def planhat() -> MemoryPlanhat:
    return MemoryPlanhat((), (0.0,))


@pytest.fixture
async def tasks(planhat: MemoryPlanhat) -> AsyncIterator[Tasks]:
    async with Session("token", transport=planhat, limits=LIMITS) as session:
        rows: list[Any] = [
            {
                "source_id": f"s{n}",
                "company_id": ACME,
                "start_time": datetime(2024, 5, n + 1, tzinfo=UTC),
                "custom": one,
            }
            for n, one in enumerate(CUSTOM)
        ]
        assert (await Tasks(session).upsert_many(rows)).ok
        yield Tasks(session)


async def test_a_table_has_the_records_of_a_listing(tasks: Tasks) -> None:
    """Names are Planhat's, types the model's."""
    table, records = await tasks.to_arrow(), await tasks.all()
    assert table.column("_id").to_pylist() == [task.id for task in records]
    assert table.column("startTime").to_pylist() == [task.start_time for task in records]
    assert [json.loads(text) for text in table.column("custom").to_pylist()[:2]] == CUSTOM[:2]
    assert table.schema.field("startTime").type == pa.timestamp("ms", "UTC")
    assert table.column_names[-2:] == ["custom", "extra"]


async def test_batches_have_one_schema_and_a_bounded_number_of_rows(tasks: Tasks) -> None:
    """An empty list has one empty batch, so that its columns are known."""
    batches = [batch async for batch in tasks.arrow_batches(batch_rows=2)]
    assert [batch.num_rows for batch in batches] == [2, 1]
    nothing = await tasks.to_arrow(max_records=0)
    assert (nothing.num_rows, nothing.schema) == (0, batches[0].schema)


async def test_custom_fields_may_have_columns_of_their_own(tasks: Tasks) -> None:
    """A value of another type is in `extra`; fields that nobody chose are left out."""
    table = await tasks.to_arrow(custom={"ARR": "float64", "Tier": "string"})
    assert table.select(["custom.ARR", "custom.Tier", "extra"]).to_pylist() == [
        {"custom.ARR": 5.0, "custom.Tier": "x", "extra": None},
        {"custom.ARR": None, "custom.Tier": "7", "extra": '{"custom.ARR":"much"}'},
        {"custom.ARR": None, "custom.Tier": None, "extra": None},
    ]
    assert "custom" not in table.column_names
    maps = (await tasks.to_arrow(custom="map")).column("custom").to_pylist()
    assert maps == [[("ARR", "5"), ("Tier", "x"), ("Other", "[1]")], [("ARR", "much"), ("Tier", "7")], []]


async def test_a_selection_has_only_its_columns(tasks: Tasks) -> None:
    """And those of the chosen custom fields, which are fetched too."""
    table = await tasks.to_arrow(select=["source_id"], custom={"ARR": "int64"})
    assert table.column_names == ["_id", "sourceId", "custom.ARR", "extra"]
    assert table.column("custom.ARR").to_pylist() == [5, None, None]


async def test_custom_fields_with_types_take_the_place_of_custom(tasks: Tasks) -> None:
    """A custom field may have the name of another field."""
    table = await tasks.to_arrow(
        select=["source_id", "custom", "custom.Tier"], custom={"ARR": "int64", "_id": "string"}
    )
    assert table.column_names == ["_id", "sourceId", "custom.Tier", "custom.ARR", "custom._id", "extra"]
    assert table.column("custom.ARR").to_pylist() == [5, None, None]
    whole = await tasks.to_arrow(select=["custom"], custom={})
    assert whole.column_names == ["_id", "custom", "extra"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"custom": {"ARR": "number"}}, "custom: ARR cannot be 'number': it can be string, bool, int64, float64"),
        ({"custom": "json"}, "custom must be 'map' or types of fields, such as {'ARR': 'float64'}, not 'json'"),
        ({"select": ["custom", "custom.ARR"]}, "select: custom already holds custom.ARR: leave one of them out"),
        ({"batch_rows": 0}, "batch_rows must be a whole number of at least 1, not 0"),
        ({"colour": 1}, r"Tasks.arrow_batches\(\) has no option 'colour'"),
    ],
)
async def test_wrong_options_are_refused_at_once(tasks: Tasks, options: Any, message: str) -> None:
    """No call is made."""
    with pytest.raises((ValueError, TypeError), match=message):
        tasks.arrow_batches(**options)


async def test_without_the_package_there_is_one_clear_message(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the extra."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'planhat-async\[arrow\]'"):
        await tasks.to_arrow()


def session_answering(*bodies: bytes) -> Session:
    return Session(
        "token", transport=FakeTransport([Response(status=200, body=body) for body in bodies]), limits=LIMITS
    )


async def test_a_row_that_is_no_record_is_an_error_or_skipped() -> None:
    """The rows before it are yielded, and the error has its position."""
    body = b'[{"_id":"a"},7,{"_id":"b"}]'
    async with session_answering(body, body) as session:
        batches, read = Tickets(session).arrow_batches(), []
        with pytest.raises(DecodeError) as caught:
            read += [batch async for batch in batches]
        assert (caught.value.position, [one.num_rows for one in read]) == (1, [])
        table = await Tickets(session).to_arrow(on_bad_record="skip")
        assert (table.column("_id").to_pylist(), session.stats.records_skipped) == (["a", "b"], 1)


async def test_secrets_are_left_out() -> None:
    """Also of the rest, where an unknown field is kept."""
    body = b'[{"_id":"a","apiTokens":[{"token":"t"}],"new":1}]'
    async with session_answering(body) as session:
        table = await Users(session).to_arrow()
    assert "apiTokens" not in table.column_names
    assert table.column("extra").to_pylist() == ['{"new":1}']


@pytest.mark.slow  # it imports the libraries
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
async def test_a_table_comes_back_unchanged(tasks: Tasks, library: str) -> None:
    """An upsert of what was read changes nothing, whichever library held it."""
    table: Any = await tasks.to_arrow()
    before = sorted(map(repr, await tasks.all()))
    if library == "pandas":
        pytest.importorskip("pandas")
        table = table.to_pandas()
    elif library == "polars":
        table = pytest.importorskip("polars").DataFrame(table)
    result = await tasks.upsert_many(table)
    assert (result.ok, result.unchanged, result.problems) == (True, 3, [])
    assert sorted(map(repr, await tasks.all())) == before
    assert {type(task) for task in await tasks.all()} == {Task}
