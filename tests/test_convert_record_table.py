"""Test that tables of records are the same, whichever way a row is converted."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async import DecodeError
from planhat_async._convert import encode_json
from planhat_async._convert.arrow.record_columns import typed_column
from planhat_async._convert.arrow.record_table import RecordTable
from planhat_async.models import Task, TimeEntry

ID = "6f00000000000000000000{:02x}"
TIMES = [
    "2024-05-31T09:30:00.000Z",
    "2024-05-31T09:30:00+02:00",
    "2024-05-31",
    "09:30",
    "",
    "2024-05-31T09:30:00.1234Z",
]
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.sampled_from(TIMES) | st.recursive(
    SCALARS | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = "_id mainType action startTime endTime custom users labels archived __v sortPosition new x-y"
ROWS = st.lists(st.dictionaries(st.sampled_from([*NAMES.split(" "), 'a"b']), ANYTHING, max_size=6), max_size=12)


def as_values(table: pa.Table) -> list[dict[str, Any]]:
    """Rows without nulls, with JSON decoded: its spelling may differ."""
    json_columns = [field.name for field in table.schema if b"planhat_async.encoding" in (field.metadata or {})]
    rows = [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
    return [{name: json.loads(value) if name in json_columns else value for name, value in row.items()} for row in rows]


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=150)
@given(ROWS)
def test_usual_and_unusual_rows_make_the_same_table(rows: list[dict[str, Any]]) -> None:
    """Each row is where it was, and each value is what the exact conversion makes of it."""
    table = RecordTable(Task)
    for row in rows:
        table.add(encode_json(row))
    made = table.take()
    assert made.schema == table.schema
    assert as_values(made) == as_values(RecordTable(Task)._exact(json.loads(encode_json(row)) for row in rows))


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.dictionaries(st.sampled_from(["ARR", "Tier", "At", "Tags"]), ANYTHING, max_size=4), max_size=8))
def test_custom_fields_as_columns_are_the_same_in_both_ways(customs: list[dict[str, Any]]) -> None:
    """Chosen custom fields have columns of their own, whose types the caller chose."""
    kinds: dict[str, Any] = {"ARR": float, "Tier": str, "Tags": object}
    columns = [typed_column(f"custom.{name}", kind) for name, kind in kinds.items()]
    fields = [column.name for column in columns]
    made, exact = (RecordTable(Task, fields=fields, columns=columns) for _ in range(2))
    for custom in customs:
        made.add(encode_json({"custom": custom, "other": 1}))
    rows = ({f"custom.{name}": value for name, value in custom.items() if name in kinds} for custom in customs)
    assert as_values(made.take()) == as_values(exact._exact(json.loads(encode_json(row)) for row in rows))


def test_undocumented_fields_are_learned_and_kept_in_extra() -> None:
    """Rows before and behind the first one with such a field are in the same order, with the same values."""
    table = RecordTable(Task)
    for number in range(100):
        table.add(encode_json({"_id": ID.format(number), **({"score": number} if number > 40 else {})}))
    assert table.n_rows == 100
    made = table.take()
    assert made.column("_id").to_pylist() == [ID.format(number) for number in range(100)]
    assert made.column("extra").to_pylist() == [None] * 41 + [f'{{"score":{number}}}' for number in range(41, 100)]
    assert len(table._unusual) == table.n_rows == 0
    assert table.take() == table.schema.empty_table()


def test_what_is_not_a_record_is_refused_and_not_added() -> None:
    """The rows around it are whole."""
    table = RecordTable(TimeEntry)
    table.add(b'{"_id": "a"}')
    with pytest.raises(DecodeError, match="something that is not a record"):
        table.add(b"[1]")
    table.add(b'{"_id": "b"}')
    assert table.take().column("_id").to_pylist() == ["a", "b"]
