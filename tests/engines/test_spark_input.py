"""Test the rows of Spark's batches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from planhat_async import Tasks
from planhat_async.engines.spark_input import SparkInput
from planhat_async.results import Unreadable


def rows_of(*batches: list[dict[str, Any]], keyless: bool = False) -> tuple[SparkInput, list[Any]]:
    tables = [pa.Table.from_pylist(batch) for batch in batches]
    found = SparkInput(Tasks.model, tables[0].column_names, allow_keyless=keyless)
    return found, [*found.rows([batch for table in tables for batch in table.to_batches()])]


def test_rows_have_the_fields_of_the_columns() -> None:
    """In either spelling; nulls are left out, and rows of nothing else are no rows."""
    time = datetime(2026, 3, 1, 9, tzinfo=UTC)
    found, rows = rows_of(
        [
            {
                "source_id": "a",
                "startTime": time,
                "custom.Seats": 3,
                "custom": '{"Kind": "new"}',
                "activityTags": ["x"],
            },
            {"source_id": "b", "startTime": None, "custom.Seats": None, "custom": None, "activityTags": None},
            {"source_id": None, "startTime": None, "custom.Seats": None, "custom": None, "activityTags": None},
        ],
    )
    assert rows == [
        {"source_id": "a", "startTime": time, "custom": {"Kind": "new", "Seats": 3}, "activityTags": ["x"]},
        {"source_id": "b"},
    ]
    assert (found.keys, found.n_blank) == ({0: "a", 1: "b"}, 1)


def test_keys_are_kept_until_they_are_forgotten() -> None:
    """The first key in Planhat's order of priority, of all batches."""
    found, rows = rows_of([{"source_id": "a", "_id": None}], [{"source_id": "b", "_id": "1"}])
    assert found.keys == {0: "a", 1: "1"}
    found.forget([range(1)])
    assert found.keys == {1: "1"}
    assert len(rows) == 2


def test_a_row_without_a_key_is_not_sent_unless_that_is_allowed() -> None:
    """The others are."""
    batch: list[dict[str, Any]] = [
        {"source_id": "a", "action": "x"},
        {"source_id": None, "action": "y"},
        {"source_id": "", "action": "z"},
    ]
    assert rows_of(batch)[1][1:] == [Unreadable("it has no id or source_id")] * 2
    assert [type(row) for row in rows_of(batch, keyless=True)[1]] == [dict] * 3


def test_a_value_that_cannot_be_read_makes_its_row_unreadable() -> None:
    """It says which column and row."""
    _, rows = rows_of([{"source_id": "a", "custom.Share": 1.5}, {"source_id": "b", "custom.Share": float("nan")}])
    assert rows[1] == Unreadable("row 2: column 'custom.Share': NaN, which is not a number")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["action"], r"tasks need a column id or source_id: Spark may run a task twice"),
        (
            ["source_id", "acton"],
            r"Task has no field 'acton'; did you mean action\? \(rename the column, to custom\.acton f",
        ),
        (["source_id", "sourceId"], "source_id is given twice"),
        (["source_id", "updatedAt"], "column 'updatedAt'"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: list[str], message: str) -> None:
    """Without words of the command line."""
    with pytest.raises(ValueError, match=message) as caught:
        SparkInput(Tasks.model, columns, allow_keyless=False)
    assert "--" not in str(caught.value)


def test_a_table_that_was_read_can_be_written_back() -> None:
    """What Planhat fills in is left out."""
    found = SparkInput(Tasks.model, ["_id", "action", "updatedAt", "extra"], allow_keyless=False)
    batch = pa.RecordBatch.from_pylist([{"_id": "1", "action": "A", "updatedAt": "x", "extra": '{"description": "B"}'}])
    assert [*found.rows([batch])] == [{"_id": "1", "action": "A", "description": "B"}]
