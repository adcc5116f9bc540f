"""Test changes of a list as Arrow tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from each_model import each

from planhat_async import Task, User
from planhat_async._convert import fields_of
from planhat_async.engines.arrow_rows import ArrowRows
from planhat_async.engines.copied_list import Changes
from planhat_async.repositories import Lists
from planhat_async.testing import make_record


@each(Lists)
def test_all_tables_of_a_model_have_one_schema(repository: type[Lists[Any]]) -> None:
    """It has a column for each field that is no secret, of a type that every engine has."""
    record = repository.model.record
    rows = ArrowRows(record)
    tables = [rows.table(changes) for changes in (Changes(), Changes(rows=[b'{"_id":"a"}']), Changes(removed=["b"]))]
    (schema,) = {table.schema.to_string(): table.schema for table in tables}.values()
    public = [field.wire for field in fields_of(record).values() if not field.is_secret]
    assert schema.names == [*public, "extra", "_deleted"]
    assert not schema.field("_id").nullable
    plain = {pa.string(), pa.bool_(), pa.int64(), pa.float64(), pa.timestamp("us", tz="UTC"), pa.date32()}
    assert {field.type for field in schema} <= plain
    assert [len(table) for table in tables] == [0, 1, 1]
    assert make_record(record) is not None


def test_records_keep_their_values() -> None:
    """Lists and objects are JSON; what the model lacks is in `extra`."""
    task = {
        "_id": "a",
        "activityTags": ["x", "ü"],
        "custom": {"Seats": 3},
        "updatedAt": "2024-05-31T12:00:00.123Z",
        "isArchived": True,
        "colour": "red",
    }
    rows = ArrowRows(Task)
    (held,) = rows.table(Changes(rows=[json.dumps(task).encode()])).to_pylist()
    set_ = {name: value for name, value in held.items() if value is not None}
    found = {name: json.loads(value) if name in rows.json_columns else value for name, value in set_.items()}
    assert found == {
        **{name: task[name] for name in ("_id", "activityTags", "custom", "isArchived")},
        "updatedAt": datetime(2024, 5, 31, 12, 0, 0, 123_000, tzinfo=UTC),
        "extra": {"colour": "red"},
        "_deleted": False,
    }


def test_removed_records_have_an_id_alone() -> None:
    """They come after those that changed."""
    table = ArrowRows(Task).table(Changes(rows=[b'{"_id":"a","action":"Call"}'], removed=["b", "c"]))
    held = [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
    assert held == [
        {"_id": "a", "action": "Call", "_deleted": False},
        {"_id": "b", "_deleted": True},
        {"_id": "c", "_deleted": True},
    ]


def test_secrets_are_left_out() -> None:
    """The API tokens of users are in no column."""
    table = ArrowRows(User).table(Changes(rows=[b'{"_id":"a","apiTokens":["hush"]}']))
    assert "hush" not in str(table.to_pylist())
