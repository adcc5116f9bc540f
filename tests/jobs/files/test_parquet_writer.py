"""Test the export of records to Parquet."""

from __future__ import annotations

import gc
import io
import json
import typing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from planhat_async._convert import fields_of
from planhat_async.errors import DecodeError
from planhat_async.jobs.files.parquet_writer import ParquetWriter
from planhat_async.models import ALL, Task
from planhat_async.records import Record


def written(*rows: bytes, record: type[Record] = Task) -> pa.Table:
    """Return the Parquet file of these rows, as another program reads it."""
    out = io.BytesIO()
    writer = ParquetWriter(out, record)
    for row in rows:
        writer.write(row)
    writer.close()
    return pq.read_table(io.BytesIO(out.getvalue()))


def cells(**fields: Any) -> dict[str, Any]:
    """Return the cells of a task with these fields, without nulls and with `extra` decoded."""
    (row,) = written(json.dumps(fields).encode()).to_pylist()
    held = {name: value for name, value in row.items() if value is not None}
    return held | ({"extra": json.loads(held["extra"])} if "extra" in held else {})


@pytest.mark.parametrize("record", [repository.model.record for repository in ALL])
def test_the_columns_are_those_of_the_model_for_all_records(record: type[Record]) -> None:
    """They have the order of CSV and the types of the fields, even without records."""
    types = {
        str: pa.string(),
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        datetime: pa.timestamp("ms", tz="UTC"),
        date: pa.date32(),
        list[str]: pa.list_(pa.field("element", pa.string())),
    }
    expected = [(field.wire, types.get(field.type, pa.string())) for field in fields_of(record).values()]
    for table in (written(record=record), written(b'{"_id":"1"}', record=record)):
        assert [(field.name, field.type) for field in table.schema] == [*expected, ("extra", pa.string())]


def test_values_keep_their_types() -> None:
    """Covers texts, booleans, numbers, times and lists of texts."""
    task = {
        "_id": "65f1",
        "action": "Đặng",
        "isArchived": False,
        "repeatDays": 2**63 - 1,
        "sortPosition": 2.5,
        "activityTags": ["a", "b"],
    }
    assert cells(**task, startTime="2024-05-31T09:30:00.123+02:00") == {
        **task,
        "startTime": datetime(2024, 5, 31, 7, 30, 0, 123000, UTC),
    }


def test_nested_values_are_json() -> None:
    """Covers objects, lists of objects, and lists of mixed values."""
    nested = {"custom": {"Plan": "Gold"}, "users": [{"id": "1", "isOwner": True}], "comments": [1, None]}
    assert {name: json.loads(value) for name, value in cells(**nested).items()} == nested


def test_missing_and_null_fields_are_equal() -> None:
    """Both are null; so is an empty `extra`."""
    (row,) = written(b'{"_id":"1","action":null}').to_pylist()
    assert {name for name, value in row.items() if value is not None} == {"_id"}


def test_an_empty_list_is_not_null() -> None:
    """An empty text is not null either."""
    assert cells(activityTags=[], action="", users=[]) == {"activityTags": [], "action": "", "users": "[]"}


def test_unknown_fields_go_to_extra() -> None:
    """Planhat's newest fields are not lost, even one called `extra`."""
    unknown = {"newField": {"a": 1}, "other": None, "extra": "x"}
    assert cells(_id="1", **unknown) == {"_id": "1", "extra": unknown}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("action", 5),
        ("action", {"a": "b"}),
        ("isArchived", "false"),
        ("isArchived", 0),
        ("repeatDays", "many"),
        ("repeatDays", 1.5),
        ("repeatDays", True),
        ("repeatDays", 2**63),
        ("repeatDays", -(2**63) - 1),
        ("repeatDays", 10**30),
        ("sortPosition", "2.5"),
        ("sortPosition", False),
        ("sortPosition", 2**53 + 1),
        ("sortPosition", 10**400),
        ("startTime", "soon"),
        ("startTime", 1717147800000),
        ("startTime", "2024-05-31T09:30:00.123456Z"),
        ("activityTags", "a"),
        ("activityTags", ["a", 1]),
    ],
)
def test_a_value_that_its_column_cannot_hold_goes_to_extra(name: str, value: Any) -> None:
    """It is unchanged, and the export continues; the column is null."""
    assert cells(_id="1", **{name: value}) == {"_id": "1", "extra": {name: value}}


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999-14:00"])
def test_times_at_the_ends_of_the_calendar_are_exported(time: str) -> None:
    """In UTC they are beyond the range of Python's datetime."""
    column = written(json.dumps({"startTime": time}).encode()).column("startTime").cast(pa.int64())
    expected = (datetime.fromisoformat(time) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert column.to_pylist() == [expected]


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_TIMES = st.datetimes(timezones=st.just(UTC)).map(
    lambda time: time.isoformat("T", "milliseconds").replace("+00:00", "Z")
)
_NAMES = st.sampled_from([field.wire for field in fields_of(Task).values()]) | st.text(max_size=3)


def restored(row: dict[str, Any]) -> dict[str, Any]:
    """Return a record from its cells."""
    extra: dict[str, Any] = json.loads(row.pop("extra") or "{}")
    types = {field.wire: field.type for field in fields_of(Task).values()}
    held: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, datetime):
            held[name] = value.isoformat("T", "milliseconds").replace("+00:00", "Z")
        elif value is not None:
            is_json = types[name] not in {str, bool, int, float, list[str]}
            held[name] = json.loads(value) if is_json else value
    return held | extra


@pytest.mark.slow
@settings(derandomize=True, deadline=None)
@given(st.lists(st.dictionaries(_NAMES, _JSON | _TIMES | st.lists(st.text(), max_size=2), max_size=6), max_size=5))
def test_any_records_survive_a_round_trip(records: list[dict[str, Any]]) -> None:
    """Every value can be read back, except nulls of known fields."""
    known = {field.wire for field in fields_of(Task).values()}
    expected = [{k: v for k, v in record.items() if v is not None or k not in known} for record in records]
    table = written(*(json.dumps(record).encode() for record in records))
    assert [restored(row) for row in table.to_pylist()] == expected


@pytest.mark.parametrize(("limits", "sizes"), [({"max_rows": 2}, [2, 2, 1]), ({"max_bytes": 25}, [3, 2])])
def test_row_groups_end_at_rows_and_at_bytes(limits: dict[str, Any], sizes: list[int]) -> None:
    """A row group ends at the limit that is reached first."""
    out = io.BytesIO()
    writer = ParquetWriter(out, Task, **limits)
    for number in range(5):
        writer.write(b'{"_id":"%d"}' % number)
        if writer.is_full:
            writer.flush()
            assert not writer.is_full
    writer.close()
    file = pq.ParquetFile(io.BytesIO(out.getvalue()))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == sizes
    assert file.read(["_id"]).column("_id").to_pylist() == list("01234")


def test_a_file_that_was_not_closed_has_no_footer() -> None:
    """The same holds if its writer is garbage collected: half an export must not look complete."""
    out = io.BytesIO()
    writer = ParquetWriter(out, Task)
    writer.write(b'{"_id":"1"}')
    writer.flush()
    n_bytes = len(out.getvalue())
    del writer
    gc.collect()
    assert len(out.getvalue()) == n_bytes > 0
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(io.BytesIO(out.getvalue()))


def test_parquet_can_be_written_to_a_pipe() -> None:
    """Standard output may be one, and has neither seek nor tell."""

    class Pipe(io.BytesIO):
        def tell(self) -> int:
            raise OSError

        def seek(self, *_: int) -> int:
            raise OSError

    out = Pipe()
    ParquetWriter(typing.cast("typing.BinaryIO", out), Task).close()
    assert pq.read_table(io.BytesIO(out.getvalue())).num_rows == 0


def test_a_full_disk_is_reported() -> None:
    """The error is the operating system's own."""
    with open("/dev/full", "wb", buffering=0) as out:
        writer = ParquetWriter(typing.cast("typing.BinaryIO", out), Task)
        with pytest.raises(OSError, match="No space left"):
            writer.close()


def test_a_row_that_is_not_an_object_is_an_error_of_the_answer() -> None:
    """A list of numbers is an unreadable answer, not an error of the caller."""
    with pytest.raises(DecodeError, match="the list holds something that is not a record: 5"):
        written(b"5")


# Chosen fields.


def chosen(fields: list[str], *rows: dict[str, Any], max_rows: int = 100) -> pa.Table:
    """Return the Parquet file of these fields."""
    out = io.BytesIO()
    writer = ParquetWriter(out, Task, fields=fields, max_rows=max_rows)
    for row in rows:
        writer.write(json.dumps(row).encode())
        if writer.is_full:
            writer.flush()
    writer.close()
    return pq.read_table(io.BytesIO(out.getvalue()))


def test_chosen_fields_are_the_columns() -> None:
    """They have their order and their types; other fields are left out, also of `extra`."""
    table = chosen(["action", "_id", "isArchived"], {"_id": "1", "action": "Call", "isArchived": True, "new": 1})
    assert table.to_pylist() == [{"action": "Call", "_id": "1", "isArchived": True, "extra": None}]


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([1, None, 2.5], pa.float64()),
        ([True, False], pa.bool_()),
        (["a", None], pa.string()),
        ([["a"], []], pa.list_(pa.field("element", pa.string()))),
        ([], pa.string()),
        ([None], pa.string()),
    ],
)
def test_a_custom_field_has_the_type_of_its_values(values: list[Any], type_: pa.DataType) -> None:
    """They are read back as they are."""
    table = chosen(["custom.x"], *({"custom": {"x": value}} for value in values))
    assert (table.schema.field("custom.x").type, table.column("custom.x").to_pylist()) == (type_, values)


@pytest.mark.parametrize("value", [{"a": 1}, [1], [{"a": "b"}]])
def test_nested_values_of_a_custom_field_are_json(value: Any) -> None:
    """As those of other fields."""
    (cell,) = chosen(["custom.x"], {"custom": {"x": value}}).column("custom.x").to_pylist()
    assert json.loads(cell) == value


def test_a_value_of_another_type_than_the_first_ones_is_not_lost() -> None:
    """It is in `extra`, by the name of its column."""
    rows: list[dict[str, Any]] = [{"custom": {"x": value}} for value in (1, 2, "many")]
    assert chosen(["custom.x"], *rows, max_rows=2).to_pylist() == [
        {"custom.x": 1.0, "extra": None},
        {"custom.x": 2.0, "extra": None},
        {"custom.x": None, "extra": '{"custom.x":"many"}'},
    ]
