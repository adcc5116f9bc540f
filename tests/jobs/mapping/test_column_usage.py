"""Test what the rows of a file tell about its columns."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_async.jobs.mapping.column_usage import ColumnUsage
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.key_column import KeyColumn
from planhat_async.jobs.mapping.missing_values import emptied_fields, keys_of
from planhat_async.jobs.mapping.wrapped_rows import how_to_unwrap
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.models import EndUser, Task, Ticket


def noted(mapped: dict[str, str], *rows: Any, header: list[str] | None = None) -> ColumnUsage:
    usage = ColumnUsage(mapped, header)
    for row in rows:
        usage.note(row)
    return usage


def test_a_column_that_no_row_has_is_named_with_the_nearest_spelling() -> None:
    """All rows of the file are known."""
    usage = noted({"title": "Subject"}, {"id": 1, REASON_COLUMN: "x"}, {"subject": "a"})
    said = "--map title=Subject: the file has no such column; it has id, subject; did you mean subject?"
    assert usage.objection() == said


def test_a_column_that_one_row_has_is_enough() -> None:
    """A key may be missing in the others."""
    usage = noted({"title": "Subject"}, {"id": 1}, {"Subject": None}, {"id": 2})
    assert (usage.objection(), usage.is_settled) == (None, True)


def test_a_file_without_rows_lacks_no_column() -> None:
    """Nothing is known about it."""
    assert noted({"title": "Subject"}).objection() is None
    assert [*noted({"title": "Subject"}).remarks()] == []


def test_columns_that_are_not_used_are_named() -> None:
    """Only where a mapping names columns: otherwise each has to be a field."""
    rows = [{"a": 1, "b": 2}, {"a": 1, "c": 3, REASON_COLUMN: "x", "": 4}]
    assert [*noted({"title": "a"}, *rows).remarks()] == ["2 columns are not used: b, c"]
    assert [*noted({"title": "a"}, header=["a", "b"]).remarks()] == ["1 column is not used: b"]
    assert [*noted({"title": "a.x"}, {"a": {"x": 1}}).remarks()] == []
    assert [*noted({}, *rows).remarks()] == []


def test_a_column_that_no_row_has_is_a_remark() -> None:
    """A path into a column of a header is one, too, if no object has it."""
    row = {"a": {"y": 1}}
    said = ["no row had the column 'a.x' (--map title=a.x)"]
    assert [*noted({"title": "a.x"}, row, header=["a"]).remarks()] == said
    assert [*noted({"title": "a.x"}, row).remarks()] == said


def test_names_of_columns_are_not_collected_without_end() -> None:
    """A file may have its data as keys."""
    remarks = [*noted({"title": "a"}, *({f"key {n}": 1, "a": 1} for n in range(5000))).remarks()]
    assert len(remarks) == 1
    assert remarks[0].startswith("999 or more columns are not used: key 0, key 1, ")
    assert remarks[0].endswith(" and 979 more")


@pytest.mark.parametrize(
    ("mapping", "row", "name"),
    [
        (FieldMapping.parse(Ticket), {"tickets": [{"source_id": "1"}], "count": 2}, "tickets"),
        (FieldMapping.parse(Ticket), {"status": "ok", "data": [{"source_id": "1"}]}, "data"),
        (FieldMapping.parse(Ticket, maps=["source_id=id"]), {"data": [{"id": "1"}]}, "data"),
        (FieldMapping.parse(Ticket, maps=["source_id=id"]), {"id": "1", "comments": [{"by": "x"}]}, None),
        (FieldMapping.parse(Task), {"checklist": [{"title": "Call"}], "count": 1}, None),
        (FieldMapping.parse(Ticket), {"tickets": [], "titel": [1]}, None),
        (KeyColumn(), {"records": [{"_id": "1"}]}, "records"),
        (KeyColumn(), {"_id": "1", "parts": [{"x": 1}]}, None),
    ],
)
def test_an_object_that_only_holds_a_list_of_rows_is_no_row(
    mapping: Any, row: dict[str, Any], name: str | None
) -> None:
    """A list that is a field of the model is none of rows, nor is one beside a column that is used."""
    assert mapping.list_of_rows_in(row) == name
    usage = ColumnUsage({}, None, mapping.list_of_rows_in)
    usage.note(row)
    assert usage.objection() == (None if name is None else how_to_unwrap(name))
    usage.note({})
    assert usage.objection() is None


def test_the_way_to_unwrap_rows_is_shown() -> None:
    """A name that is none in jq is quoted."""
    assert how_to_unwrap("tickets").endswith("with jq -c '.tickets[]'")
    assert how_to_unwrap("my rows").endswith("""with jq -c '.["my rows"][]'""")


def test_values_that_are_emptied_are_counted_by_their_fields() -> None:
    """A key without a value is no key, and empties nothing."""
    row = {"source_id": None, "email": None, "title": None, "custom": {"A": None, "B": 1}, "tags": [None]}
    assert [*emptied_fields(row, keys_of(Ticket))] == ["email", "title", "custom.A"]
    assert [*emptied_fields({"sourceId": None, "email": None}, keys_of(EndUser))] == []
    usage = noted({})
    usage.emptied.update(["title", "title", "custom.A"])
    assert [*usage.remarks()] == ["3 missing values empty their fields: title 2, custom.A 1"]
