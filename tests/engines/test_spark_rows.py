"""Test records as batches for Spark."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from planhat_async.engines.spark_rows import SparkRows
from planhat_async.engines.spark_schema import chosen_table, whole_table
from planhat_async.models import Task, User

RECORD: dict[str, Any] = {
    "_id": "64b5f0c2a1b2c3d4e5f60718",
    "startTime": "2026-03-01T09:00:00.000Z",
    "activityTags": ["a", "b"],
    "action": 3,
    "odd": {"a": 1},
    "custom": {"Seats": 3, "Since": "2026-03-01T09:00:00.000Z", "Tags": ["x"], "Kind": "new"},
}


def row(**fields: Any) -> bytes:
    return json.dumps({**RECORD, **fields}).encode()


def test_a_record_keeps_its_types() -> None:
    """What no column can hold is in `extra`."""
    batch = SparkRows(Task, whole_table(Task)).batch([row()])
    (held,) = batch.to_pylist()
    assert {name: value for name, value in held.items() if value is not None} == {
        "_id": RECORD["_id"],
        "startTime": datetime(2026, 3, 1, 9, tzinfo=UTC),
        "activityTags": ["a", "b"],
        "custom": json.dumps(RECORD["custom"], separators=(",", ":")),
        "extra": '{"odd":{"a":1},"action":3}',
    }
    assert batch.schema.field("startTime").type == pa.timestamp("us", tz="UTC")
    assert batch.schema.field("activityTags").type.value_field.name == "element"


def test_secrets_are_left_out() -> None:
    """They are not in `extra` either."""
    batch = SparkRows(User, whole_table(User)).batch([b'{"_id": "1", "apiTokens": ["s3cret"]}'])
    assert "s3cret" not in str(batch.to_pylist())


def test_custom_fields_have_the_types_of_the_schema() -> None:
    """Texts hold any value: JSON where it is not text."""
    asked = [
        *(("custom.Seats", "double"), ("custom.Since", "timestamp"), ("custom.Tags", "array<string>")),
        *(("custom.Kind", "string"), ("activity_tags", "string"), ("action", "string"), ("extra", "string")),
    ]
    batch = SparkRows(Task, chosen_table(Task, asked)).batch([row(), row(custom=None, activityTags=None)])
    assert batch.to_pylist() == [
        {
            "custom.Seats": 3.0,
            "custom.Since": datetime(2026, 3, 1, 9, tzinfo=UTC),
            "custom.Tags": ["x"],
            "custom.Kind": "new",
            "activity_tags": '["a","b"]',
            "action": None,
            "extra": '{"action":3}',
        },
        {**dict.fromkeys([name for name, _ in asked]), "extra": '{"action":3}'},
    ]


def test_a_value_that_no_column_can_hold_is_not_lost() -> None:
    """The message says which one it is, and what to do."""
    rows = SparkRows(Task, chosen_table(Task, [("_id", "string"), ("action", "string")]))
    with pytest.raises(
        ValueError, match="column action cannot hold 3 of the record 64b5f0c2a1b2c3d4e5f60718 as string"
    ):
        rows.batch([row(action="a"), row()])


def test_a_column_without_nulls_must_have_values() -> None:
    """Spark would otherwise take a null for a value."""
    rows = SparkRows(Task, chosen_table(Task, [("_id", "string"), ("action", "string")], ["action"]))
    assert rows.batch([row(action="a")]).schema.field("action").nullable is False
    with pytest.raises(ValueError, match="column action must not be null"):
        rows.batch([row(action=None)])
