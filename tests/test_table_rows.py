"""Test that tables of any library become rows: each value as Python's own, each unusable one an invalid row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from planhat_async import Churn, Company, Invoice, Task
from planhat_async._convert.arrow.record_table import RecordTable
from planhat_async._convert.arrow.table_rows import TableRows, opened_table
from planhat_async.jobs import FieldMapping
from planhat_async.results import Unreadable

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2024, 5, 31, 12)  # noqa: DTZ001 - the column has no zone


def rows_of(table: Any, record: Any = Task, **options: Any) -> list[Any]:
    """Return the rows; of an unreadable one the reason."""
    batches = opened_table(table)
    made = TableRows(record, batches.schema, **options)
    rows = [row for batch in batches for part in made.parts(batch) for row in part]
    return [row.reason if isinstance(row, Unreadable) else row for row in rows]


def column(name: str, values: list[Any], kind: Any = None, **options: Any) -> list[Any]:
    return rows_of(pa.table({name: pa.array(values, kind)}), **options)


def test_columns_may_have_either_spelling() -> None:
    """A name is not changed: the conversion of rows knows both."""
    table = pa.table({"source_id": ["a"], "companyId": ["b"], "custom.ARR": [5]})
    assert rows_of(table) == [{"source_id": "a", "companyId": "b", "custom": {"ARR": 5}}]


@pytest.mark.parametrize(
    ("columns", "n_rows"),
    [
        ({"action": ["a"] * 600}, [256, 256, 88]),
        ({f"custom.{n}": [1] * 60 for n in range(800)}, [25, 25, 10]),
        ({"custom.list": [[{"a": 1, "b": "x"}] * 400] * 6}, [3, 3]),
    ],
)
def test_parts_take_about_the_same_time(columns: dict[str, Any], n_rows: list[int]) -> None:
    """Wide and nested rows are converted a few at a time, so that the event loop goes on."""
    (batch,) = pa.table(columns).to_batches()
    assert [len(part) for part in TableRows(Task, batch.schema).parts(batch)] == n_rows


def test_a_missing_value_is_no_field() -> None:
    """Null, NaN and NaT leave a field as it is; a row without any value keeps its position."""
    table = pa.table({
        "source_id": ["a", None, "c"],
        "custom.ARR": [float("nan"), None, 1.5],
        "custom": [{"Tier": None, "Seats": float("nan")}, {"Tier": None, "Seats": None}, {"Tier": "x", "Seats": 2.0}],
    })  # fmt: skip
    assert rows_of(table) == [
        {"source_id": "a"},
        "none of its columns has a value",
        {"source_id": "c", "custom": {"Tier": "x", "Seats": 2.0, "ARR": 1.5}},
    ]


def test_a_value_that_cannot_be_read_makes_one_row_unreadable() -> None:
    """The rows around it are read."""
    buffer = pa.py_buffer(b"good\xfffine")
    texts = pa.StringArray.from_buffers(3, pa.py_buffer(pa.array([0, 4, 5, 9], pa.int32()).buffers()[1]), buffer)
    assert rows_of(pa.table({"action": texts})) == [
        {"action": "good"},
        "column 'action': text that is not UTF-8",
        {"action": "fine"},
    ]
    far = pa.array([0, 600_000_000_000], pa.timestamp("s", "UTC"))
    assert rows_of(pa.table({"start_time": far})) == [
        {"start_time": datetime(1970, 1, 1, tzinfo=UTC)},
        "column 'start_time': a time outside the years 1 to 9999",
    ]
    assert column("action", [1, 2], pa.duration("s")) == ["column 'action': a duration, which has no form in JSON"] * 2


def test_values_of_each_type_are_pythons_own() -> None:
    """Decimals, dictionaries, short floats, lists and structs within structs."""
    assert column("custom.n", [Decimal("1.50")], pa.decimal128(5, 2)) == [{"custom": {"n": Decimal("1.50")}}]
    assert column("action", ["a", "b", "a"], pa.dictionary(pa.int8(), pa.string())) == [
        {"action": "a"}, {"action": "b"}, {"action": "a"}
    ]  # fmt: skip
    assert column("custom.n", [0.1], pa.float32()) == [{"custom": {"n": 0.1}}]
    nested = {"levels": [{"n": 1, "m": None}, {"n": None, "m": 2}], "none": None}
    assert column("custom.n", [nested]) == [{"custom": {"n": {"levels": [{"n": 1}, {"m": 2}]}}}]
    assert column("custom", [[("a", "x"), ("b", None)]], pa.map_(pa.string(), pa.string())) == [{"custom": {"a": "x"}}]


def test_times_without_a_zone_are_refused_before_any_row() -> None:
    """Also those within other values, and days where the field is a time."""
    message = r"column 'start_time' has times without a zone: say which zone is meant, such as time_zone='Europe/Berl"
    with pytest.raises(ValueError, match=message):
        column("start_time", [NOON])
    with pytest.raises(ValueError, match="column 'custom' has times without a zone"):
        column("custom", [{"at": [NOON]}])
    with pytest.raises(ValueError, match="column 'start_time' has days, and start_time is a time"):
        column("start_time", [date(2024, 5, 31)])


def test_times_without_a_zone_are_placed_in_the_given_one() -> None:
    """Nested ones too; a time that the zone skips makes its row unreadable; a day begins at midnight there."""
    at = datetime(2024, 5, 31, 12, tzinfo=BERLIN)
    skipped = datetime(2024, 3, 31, 2, 30)  # noqa: DTZ001
    assert column("start_time", [NOON, skipped, None], pa.timestamp("ns"), zone=BERLIN) == [
        {"start_time": at},
        f"column 'start_time': {skipped} does not exist in Europe/Berlin, where clocks are set forward over it",
        "none of its columns has a value",
    ]
    assert column("custom", [{"at": [NOON]}], zone=BERLIN) == [{"custom": {"at": [at]}}]
    assert column("start_time", [date(2024, 5, 31)], zone=BERLIN) == [
        {"start_time": datetime(2024, 5, 31, tzinfo=BERLIN)}
    ]
    zoned = column("start_time", [at], pa.timestamp("us", "Europe/Berlin"))
    assert zoned == [{"start_time": at}]


def test_a_day_may_be_a_time_at_midnight() -> None:
    """Data frames have no days of their own."""
    times = [datetime(2024, 5, 31), NOON]  # noqa: DTZ001
    for record, name in ((Churn, "churn_date"), (Invoice, "due_date")):
        assert column(name, times, record=record) == [
            {name: date(2024, 5, 31)},
            f"column {name!r}: 2024-05-31 12:00:00 is a time, not a day",
        ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"acton": ["a"]},
            (
                r"column 'acton': Task has no field 'acton'; did you mean action\? "
                r"\(rename the column, to custom\.acton for a custom field, or drop it\)$"
            ),
        ),
        ({"updateAt": ["a"]}, r"Task has no field 'updateAt' \(rename"),
        (
            {"source_id": ["a"], "sourceId": ["a"]},
            "source_id is given twice: by the columns 'source_id' and 'sourceId'",
        ),
        ({"created_at": ["a"]}, "column 'created_at': created_at is filled in by Planhat: drop the column"),
    ],
)
def test_columns_that_are_no_fields_are_refused(columns: dict[str, Any], message: str) -> None:
    """Before any row is read."""
    with pytest.raises(ValueError, match=message):
        rows_of(pa.table(columns))
    with pytest.raises(ValueError, match="the table has the column 'a' twice"):
        rows_of(pa.table([[1], [1]], names=["a", "a"]))


def test_an_export_comes_back() -> None:
    """What Planhat fills in is left out, JSON is objects again, and `extra` has the values that fit no column."""
    record = RecordTable(Task)
    for row in (b'{"_id":"a","action":"x","createdAt":"2024-05-31T09:30:00.000Z","custom":{"ARR":5,"No":null}}',
                b'{"_id":"b","startTime":"soon","nope":["x"],"custom":{}}'):  # fmt: skip
        record.add(row)
    table = record.take()
    rows = rows_of(table)
    assert rows == [
        {"_id": "a", "action": "x", "custom": {"ARR": 5}},
        {"_id": "b", "startTime": "soon", "nope": ["x"]},  # which is refused later, by its name
    ]
    assert rows_of(table.replace_schema_metadata().cast(pa.schema([f.remove_metadata() for f in table.schema]))) == rows


def test_a_mapping_says_which_columns_are_fields() -> None:
    """It reads the values as it reads those of files; other columns are ignored."""
    mapping = FieldMapping.parse(Task, maps=["action=Subject", "custom.ARR=Value", "start_time=When"],
                                 types=["custom.ARR=number"], time_zone="Europe/Berlin")  # fmt: skip
    table = pa.table({"Subject": ["a", "b"], "Value": ["5.5", "x"], "When": [NOON, NOON], "Other": [1, 2]})
    good, bad = rows_of(table, mapping=mapping)
    assert good == {"action": "a", "custom": {"ARR": 5.5}, "start_time": "2024-05-31T10:00:00.000Z"}
    assert "'x'" in bad
    with pytest.raises(ValueError, match="the file has no such column; it has Subject"):
        rows_of(pa.table({"Subject": ["a"]}), mapping=mapping)
    with pytest.raises(ValueError, match="the mapping is one to Task, not to Company"):
        rows_of(table, Company, mapping=mapping)


def test_a_frames_index_is_left_out() -> None:
    """Pandas gives one without a name a name of its own."""
    assert column("__index_level_0__", [5]) == ["none of its columns has a value"]


VALUES = {"source_id": ["a", None], "custom.n": [1, None], "custom.tag": ["x", "y"],
          "start_time": [datetime(2024, 5, 31, 12, tzinfo=UTC), None]}  # fmt: skip


def pandas() -> Any:
    pd = pytest.importorskip("pandas", minversion="2.2")
    types = {"custom.n": "Int64", "custom.tag": "category"}
    return pd.DataFrame(VALUES, index=["i", "j"]).astype(types)


def polars() -> Any:
    pl = pytest.importorskip("polars")
    return pl.DataFrame(VALUES).with_columns(pl.col("custom.tag").cast(pl.Categorical))


def duckdb() -> Any:
    relation = pytest.importorskip("duckdb").from_arrow(pa.table(VALUES))
    if not hasattr(relation, "__arrow_c_stream__"):
        pytest.skip("this version of DuckDB has no such interface")
    return relation


def reader() -> Any:
    table = pa.table(VALUES)
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=1))


@pytest.mark.slow  # it imports the libraries
@pytest.mark.parametrize("frame", [pandas, polars, duckdb, reader])
def test_every_library_is_read_alike(frame: Callable[[], Any]) -> None:
    """Categories are texts, nullable types have nulls, and an index is no column."""
    assert rows_of(frame()) == [
        {"source_id": "a", "custom": {"n": 1, "tag": "x"}, "start_time": datetime(2024, 5, 31, 12, tzinfo=UTC)},
        {"custom": {"tag": "y"}},
    ]


def test_a_column_with_values_of_several_types_cannot_be_converted_to_arrow() -> None:
    """Pandas says so before the first row."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"action": pd.Series([1, "a"], dtype=object)})
    with pytest.raises(
        ValueError, match=r"the table cannot be converted to Arrow: .*; give each column values of one type"
    ):
        rows_of(frame)
