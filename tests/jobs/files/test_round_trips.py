"""Test that an export comes back: records to a file, from there into an empty sandbox, and out again, are equal.

Apart from `_id`, which each sandbox gives out itself, and the fields that Planhat fills in.
"""

from __future__ import annotations

import asyncio
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from each_model import each, sample_row
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from planhat_async import Session
from planhat_async._convert import fields_of, to_wire, wire_path
from planhat_async.jobs.exports import export_records, writer_class
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.formats import Format
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Churn, Company, Task, Timesheet
from planhat_async.records import Model, Record
from planhat_async.repositories import Upserts
from planhat_async.results import Unreadable
from planhat_async.sandbox.memory import MemorySandbox
from planhat_async.testing import SandboxTransport

FORMATS: tuple[Format, ...] = ("jsonl", "csv", "parquet")
COMPANY = f"{1:024x}"

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).filter(str.strip)
SPECIAL = st.sampled_from(
    ['=1+1"', " a, b; c", "a\r\nb\rc\n", '{"a":1}', "[1]", "007", "true", "null", "é\u2028 \U0001f600"]
)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | SPECIAL | st.just(""),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
CUSTOM = st.dictionaries(TEXTS | SPECIAL, JSON_VALUES.filter(lambda value: value is not None), max_size=3)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS | SPECIAL,
    list[str]: st.lists(TEXTS | SPECIAL, max_size=3),
    list[Any]: st.lists(TEXTS | SPECIAL, max_size=3),
}
"""Values by the type of a field; other types have those of a sample."""


def any_fields(model: Model) -> st.SearchStrategy[dict[str, Any]]:
    """Return fields, by Planhat's names, that a tenant's settings do not restrict."""
    fields = fields_of(model.record)
    free = {"action", "title", "subject", "description", "name", "snippet", "tags", "product_names"}
    drawn = {
        field.wire: VALUES[field.type]
        for name, field in fields.items()
        if name in free and name not in model.match and field.is_writable and field.type in VALUES
    }
    custom = {"custom": CUSTOM} if fields["custom"].is_writable else {}
    return st.fixed_dictionaries({}, optional=drawn | custom)


def row_of(model: Model, number: int, fields: dict[str, Any]) -> dict[str, Any]:
    """Return a row that can be created, of the one company."""
    row = sample_row(model, number) | fields
    if model.company_field is not None and model.record is not Company:
        company = wire_path(model.record, model.company_field)
        row[company] = [COMPANY] if isinstance(row.get(company), list) else COMPANY
    return row


async def stored_in(repository: type[Any], rows: Any) -> dict[Format, bytes]:
    """Return the exports of an empty sandbox after an upsert of these rows."""
    planhat = MemorySandbox(per_minute=None, per_second=None)
    planhat.add_company(COMPANY, external_id="acme", name="Acme")
    exports: dict[Format, bytes] = {}
    async with Session("token", transport=SandboxTransport(planhat)) as session:
        result = await repository(session).upsert_many(rows)
        assert result.ok, result.problems
        for format_ in FORMATS:
            out = io.BytesIO()
            await export_records(repository(session), writer_class(format_)(out, repository.model.record))
            exports[format_] = out.getvalue()
    return exports


def records_in(repository: type[Any], lines: bytes) -> list[dict[str, Any]]:
    """Return the records of a JSONL export without `_id`, nulls, and what Planhat fills in."""
    fields = fields_of(repository.model.record).values()
    kept = {field.wire for field in fields if field.is_writable and field.wire != "_id"}
    records = map(json.loads, lines.splitlines())
    return [{name: record[name] for name in sorted(kept) if record.get(name) is not None} for record in records]


@each(Upserts)
@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=4)
@given(data=st.data())
def test_an_export_in_any_format_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory, repository: type[Any], data: st.DataObject
) -> None:
    """A null and a missing field are the same; the `_id`s are those of the new sandbox."""
    model = repository.model
    drawn = data.draw(st.lists(any_fields(model), min_size=1, max_size=4))
    exports = asyncio.run(stored_in(repository, [row_of(model, n, one) for n, one in enumerate(drawn, 1)]))
    expected = records_in(repository, exports["jsonl"])
    for format_ in FORMATS:
        path = tmp_path_factory.getbasetemp() / f"{model.name}.{format_}"
        path.write_bytes(exports[format_])
        rows = sent(path, record=model.record)
        assert all(row.pop("_id") for row in rows)
        again = asyncio.run(stored_in(repository, rows))
        assert records_in(repository, again["jsonl"]) == expected, format_


TASK = {
    "_id": "65f1",
    "action": "Call",
    "startTime": "2024-05-31T09:30:00.000Z",
    "activityTags": ["a", "b"],
    "checklist": [{"title": "=1+1"}],
    "custom": {"ARR": 1, "Tags": ["a"], "Plan": {"name": "Gold"}},
}
FILLED_IN = {"createdAt": "2024-05-31T09:30:00.000Z", "comments": [{"text": "a"}], "sortPosition": 2.5}


def exported(folder: Path, format_: Format, *records: dict[str, Any], record: type[Record] = Task) -> Path:
    """Write an export of records that Planhat sent."""
    path, out = folder / f"export.{format_}", io.BytesIO()
    writer = writer_class(format_)(out, record)
    for one in records:
        writer.write(json.dumps(one).encode())
    writer.close()
    path.write_bytes(out.getvalue())
    return path


def sent(path: Path, *maps: str, record: type[Record] = Task) -> list[Any]:
    """Return the rows of a file as they are sent."""
    rows = list(FileSource(path, FieldMapping.parse(record, maps=maps)))
    return [row if isinstance(row, Unreadable) else to_wire(record, row) for row in rows]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("maps", [(), tuple(f"{name}={name}" for name in TASK)])
def test_objects_lists_and_times_come_back(tmp_path: Path, format_: Format, maps: tuple[str, ...]) -> None:
    """A mapping makes no difference."""
    assert sent(exported(tmp_path, format_, TASK), *maps) == [TASK]


@pytest.mark.parametrize("format_", FORMATS)
def test_columns_that_planhat_fills_in_are_left_out_of_an_export(tmp_path: Path, format_: Format) -> None:
    """One remark names them."""
    source = FileSource(exported(tmp_path, format_, TASK | FILLED_IN), FieldMapping.parse(Task))
    assert [row if isinstance(row, Unreadable) else to_wire(Task, row) for row in source] == [TASK]
    (remark,) = source.remarks
    names = FILLED_IN if format_ == "jsonl" else [one.wire for one in fields_of(Task).values() if not one.is_writable]
    assert remark == f"{len(names)} columns left out, filled in by Planhat: {', '.join(names)}"


OWN = {"sourceId": "1", "createdAt": "2024-05-31T09:30:00.000Z"}
REFUSAL = (
    "Task.created_at is filled in by Planhat: When Planhat created it;"
    " remove the column createdAt, or name those to send with --map FIELD=COLUMN"
)


def test_columns_that_planhat_fills_in_are_refused_in_other_files(tmp_path: Path) -> None:
    """Without an `_id` a file is no export, and the person who wrote it expects the value to be stored."""
    (tmp_path / "t.csv").write_text(",".join(OWN) + "\n" + ",".join(OWN.values()) + "\n")
    parquet.write_table(pa.table({name: [value] for name, value in OWN.items()}), tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        with pytest.raises(SourceError) as caught:
            sent(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: column 'createdAt': {REFUSAL}"
        assert sent(tmp_path / name, "source_id=sourceId") == [{"sourceId": "1"}]


def test_a_row_of_jsonl_that_is_no_export_is_refused_alone(tmp_path: Path) -> None:
    """Each row names its own columns; one that is null holds nothing."""
    rows = [OWN, {"sourceId": "2", "createdAt": None}, {"_id": "65f1", "createdAt": "x"}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert sent(tmp_path / "t.jsonl") == [
        Unreadable(f"line 1: column 'createdAt': {REFUSAL}"), {"sourceId": "2"}, {"_id": "65f1"},
    ]  # fmt: skip


def test_values_that_no_column_can_hold_come_back_from_extra(tmp_path: Path) -> None:
    """The column itself is empty."""
    odd = {"_id": "65f1", "startTime": "2024-05-31T09:30:00.123456Z", "repeatDays": 2, "createdAt": "soon"}
    path = exported(tmp_path, "parquet", odd)
    assert json.loads(parquet.read_table(path).column("extra")[0].as_py()) == {
        name: odd[name] for name in ("createdAt", "startTime")
    }
    assert [list(row) for row in sent(path)] == [["startTime", "_id", "repeatDays"]]


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_field_in_extra_that_the_model_lacks_makes_its_row_invalid(tmp_path: Path, format_: Format) -> None:
    """The reason says how to leave it out; rows whose `extra` is empty are sent."""
    path = exported(tmp_path, format_, {"_id": "1", "newField": 1}, {"_id": "2"})
    refused, row = sent(path)
    message = "extra: Task has no field 'newField', so it cannot be sent: remove the column 'extra' to leave it out"
    assert refused.reason.endswith(f": {message}")
    assert row == {"_id": "2"}


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ('{"action":1}', "extra: action is given twice: there, and in the column 'action'"),
        ("[1]", "extra: '[1]' is not a JSON object"),
        ("{", "extra: '{' is not a JSON object"),
        (
            '{"custom":{"ARR":1}}',
            "extra: custom is given twice: there, and by a column or a value for all rows",
        ),
    ],
)
def test_an_extra_that_was_changed_is_refused_where_it_makes_no_sense(tmp_path: Path, extra: str, reason: str) -> None:
    """The row is invalid."""
    cell = extra.replace('"', '""')
    (tmp_path / "t.csv").write_text(f'_id,action,custom.Plan,extra\n1,Call,Pro,"{cell}"\n')
    assert sent(tmp_path / "t.csv") == [Unreadable(f"line 2: {reason}")]


@pytest.mark.parametrize(("empties_nulls", "row"), [(False, {}), (True, {"startTime": None})])
def test_a_null_in_extra_is_a_missing_value_like_any_other(
    tmp_path: Path, empties_nulls: bool, row: dict[str, Any]
) -> None:
    """It empties its field only on request; a value there is sent although its own column is empty."""
    (tmp_path / "t.csv").write_text(
        '_id,action,startTime,extra\n1,Call,,"{""startTime"":null}"\n2,Call,,"{""startTime"":""soon""}"\n'
    )
    mapping = FieldMapping.parse(Task, empties_nulls=empties_nulls)
    assert [*FileSource(tmp_path / "t.csv", mapping)] == [
        {"_id": "1", "action": "Call", **row}, {"_id": "2", "action": "Call", "startTime": "soon"}
    ]  # fmt: skip


def test_a_row_with_nothing_but_extra_is_invalid(tmp_path: Path) -> None:
    """It names no record, and would be created without the values for all rows."""
    (tmp_path / "t.csv").write_text('_id,action,extra\n,,"{""type"":""task""}"\n')
    mapping = FieldMapping.parse(Task, constants=["company_id=1"])
    assert [*FileSource(tmp_path / "t.csv", mapping)] == [
        Unreadable("line 2: extra has a value, and no other column has one, so it belongs to no record")
    ]


@pytest.mark.parametrize("owner", [{"_id": "5", "nickName": "Ada"}, "65f1", "{curly"])
@pytest.mark.parametrize("format_", FORMATS)
def test_a_field_of_any_type_comes_back(tmp_path: Path, format_: Format, owner: Any) -> None:
    """An owner may be an id or an object."""
    row = {"_id": "1", "owner": owner}
    assert sent(exported(tmp_path, format_, row, record=Company), record=Company) == [row]


def test_a_parquet_export_comes_back_from_a_program_that_drops_its_metadata(tmp_path: Path) -> None:
    """JSON in a column for objects or lists is read as such: these fields hold no texts."""
    path = exported(tmp_path, "parquet", TASK)
    table = parquet.read_table(path)
    bare = pa.schema([pa.field(field.name, field.type) for field in table.schema])
    parquet.write_table(table.cast(bare), path)
    assert sent(path) == [TASK]


def test_days_keep_their_type_in_parquet(tmp_path: Path) -> None:
    """One that is written in another way is in `extra`."""
    rows = [{"_id": "1", "churnDate": "2024-05-31"}, {"_id": "2", "churnDate": "2024-05-31T00:00:00Z"}]
    table = parquet.read_table(exported(tmp_path, "parquet", *rows, record=Churn))
    assert table.column("churnDate").to_pylist() == [date(2024, 5, 31), None]
    assert table.column("extra").to_pylist() == [None, '{"churnDate":"2024-05-31T00:00:00Z"}']


@pytest.mark.parametrize("format_", FORMATS)
def test_days_that_are_numbers_come_back_as_such(tmp_path: Path, format_: Format) -> None:
    """They are days since 1970."""
    row = {"_id": "1", "dateFrom": 19_874}
    assert sent(exported(tmp_path, format_, row, record=Timesheet), record=Timesheet) == [row]
