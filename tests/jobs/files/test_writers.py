"""Test records as JSONL and CSV."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async._convert import fields_of
from planhat_async.errors import DecodeError
from planhat_async.jobs.files.writers import CsvLayout, CsvWriter, JsonlWriter
from planhat_async.models import ALL, Ticket
from planhat_async.records import Record

COLUMNS: dict[type[Record], list[str]] = {
    cls: [*(field.wire for field in fields_of(cls).values()), "extra"]
    for cls in (repository.model.record for repository in ALL)
}


def jsonl(*rows: bytes) -> bytes:
    """Return the JSONL file of these rows."""
    out = io.BytesIO()
    writer = JsonlWriter(out)
    for row in rows:
        writer.write(row)
    return out.getvalue()


def cells(*rows: bytes, record: type[Record] = Ticket) -> list[dict[str, str]]:
    """Return the non-empty cells of the CSV file of these rows, as another program reads them."""
    out = io.BytesIO()
    writer = CsvWriter(out, record)
    for row in rows:
        writer.write(row)
    lines = csv.DictReader(io.StringIO(out.getvalue().decode(), newline=""), strict=True)
    read = [{name: cell for name, cell in line.items() if cell} for line in lines]
    assert lines.fieldnames == COLUMNS[record]
    return read


def test_a_jsonl_line_has_the_bytes_that_planhat_sent() -> None:
    """Order, spaces, escapes and the digits of numbers are preserved."""
    first, second = rb'{"b": 1.50,"a":"\u00e9\n"}', '{ "_id" :"é",  "n":12345678901234567890123}'.encode()
    assert jsonl(first, second) == first + b"\n" + second + b"\n"


def test_a_record_of_several_lines_is_written_on_one() -> None:
    """Otherwise a reader of JSONL would see fragments."""
    assert jsonl(b'{\n  "a": "x\\ny",\r\n  "b": [1, 2]\n}') == b'{"a":"x\\ny","b":[1,2]}\n'


@settings(derandomize=True, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=5))
def test_each_jsonl_line_is_one_record(value: object) -> None:
    """This holds for any content and layout."""
    row = {"value": value}
    lines = jsonl(json.dumps(row).encode(), json.dumps(row, indent=1).encode()).splitlines(keepends=True)
    assert [json.loads(line) for line in lines] == [row, row]
    assert all(line.endswith(b"\n") for line in lines)


@pytest.mark.parametrize("record", COLUMNS)
def test_a_csv_has_the_columns_of_the_model(record: type[Record]) -> None:
    """It has Planhat's names, and `extra` at the end, even without records."""
    out = io.BytesIO()
    CsvWriter(out, record)
    assert out.getvalue().decode() == ",".join(COLUMNS[record]) + "\r\n"


def test_csv_cells_contain_plain_texts_and_other_values_as_json() -> None:
    """Readers can distinguish a list from a text."""
    row = rb'{"_id":"1","title":"Hi","tags":["a,b"],"isOpen":false,"timeSpent":2.5,"custom":{"Plan":"Gold"}}'
    assert cells(row) == [
        {
            "_id": "1",
            "title": "Hi",
            "tags": '["a,b"]',
            "isOpen": "false",
            "timeSpent": "2.5",
            "custom": '{"Plan":"Gold"}',
        }
    ]


def test_csv_texts_survive_quotes_commas_and_line_breaks() -> None:
    """Texts in other alphabets survive too."""
    text = 'Hello, "Đặng"\r\nline\n2\rend,'
    assert cells(json.dumps({"description": text}).encode()) == [{"description": text}]


def test_fields_without_a_column_go_to_extra() -> None:
    """Planhat's newest fields are not lost."""
    assert cells(rb'{"_id":"1","newField":{"a":1},"other":null}') == [
        {"_id": "1", "extra": '{"newField":{"a":1},"other":null}'}
    ]


def test_a_csv_field_that_is_null_is_an_empty_cell() -> None:
    """A field that was not sent and an empty text are empty cells too."""
    assert cells(rb'{"_id":"1","title":null,"name":""}', rb"{}") == [{"_id": "1"}, {}]


def test_a_csv_row_that_is_not_an_object_is_an_error_of_the_answer() -> None:
    """A list of numbers is an unreadable answer, not an error of the caller."""
    with pytest.raises(DecodeError) as caught:
        cells(b"5")
    assert str(caught.value) == "the list holds something that is not a record: 5"


@pytest.mark.parametrize("depth", [400, 900])
def test_a_deeply_nested_record_is_exported(depth: int) -> None:
    """Every record that can be read can be written."""
    deep = b"[" * depth + b"]" * depth
    (row,) = cells(b'{"_id":"1","custom":{"x":%s},"more":%s}' % (deep, deep))
    assert (row["custom"].count("["), row["extra"].count("[")) == (depth, depth)
    assert jsonl(b'{"_id":"1",\n"custom":{"x":%s}}' % deep).count(b"[") == depth


# Chosen fields, and the layout of CSV.


def csv_bytes(*rows: dict[str, Any], fields: Sequence[str] = (), **layout: Any) -> tuple[bytes, int]:
    """Return the CSV file of these tickets, and the number of formulas in it."""
    out = io.BytesIO()
    writer = CsvWriter(out, Ticket, fields=fields, layout=CsvLayout(**layout))
    for row in rows:
        writer.write(json.dumps(row).encode())
    return out.getvalue(), writer.n_formulas


def test_chosen_fields_are_the_columns() -> None:
    """They have their order; a custom field is a column of its own, without `extra`."""
    row = {"title": "Hi", "_id": "1", "status": "open", "custom": {"ARR": 5, "Tags": ["a"], "b": 1}, "new": 1}
    assert csv_bytes(row, {"_id": "2"}, fields=["title", "_id", "custom.ARR", "custom.Tags"]) == (
        b'title,_id,custom.ARR,custom.Tags\r\nHi,1,5,"[""a""]"\r\n,2,,\r\n',
        0,
    )


def test_chosen_fields_are_the_keys_of_jsonl() -> None:
    """Custom fields stay in their object."""
    out = io.BytesIO()
    JsonlWriter(out, fields=["title", "_id", "custom.ARR"]).write(
        b'{"_id":"1","title":"Hi","custom":{"ARR":5,"b":1},"new":1}'
    )
    assert out.getvalue() == b'{"title":"Hi","_id":"1","custom":{"ARR":5}}\n'


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", b""), ("utf-8-sig", codecs.BOM_UTF8), ("utf-16", "\ufeff".encode("utf-16")[:2])]
)
def test_a_csv_has_its_encoding(encoding: str, mark: bytes) -> None:
    """There is one byte order mark at its beginning, except in plain UTF-8."""
    content, _ = csv_bytes({"title": "Grüße 🎉"}, {"title": "é"}, fields=["title"], encoding=encoding)
    assert content.startswith(mark)
    assert content.decode(encoding) == "title\r\nGrüße 🎉\r\né\r\n"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_csv_has_its_delimiter(delimiter: str) -> None:
    """Cells that hold it are quoted."""
    content, _ = csv_bytes({"_id": "1", "title": f"a{delimiter}b,c"}, fields=["_id", "title"], delimiter=delimiter)
    assert content.decode() == f'_id{delimiter}title\r\n1{delimiter}"a{delimiter}b,c"\r\n'


FORMULAS = {"_id": "=1", "title": '=HYPERLINK("x")', "email": "@a", "timeSpent": -5, "custom": {"a": "=1"}}


def test_formulas_are_kept_and_counted() -> None:
    """Numbers and JSON are none."""
    fields = ["_id", "title", "email", "timeSpent", "custom"]
    assert csv_bytes(FORMULAS, fields=fields) == (
        b'_id,title,email,timeSpent,custom\r\n=1,"=HYPERLINK(""x"")",@a,-5,"{""a"":""=1""}"\r\n',
        3,
    )


def test_formulas_are_escaped_on_request() -> None:
    """An apostrophe stands before them; they are counted all the same."""
    fields = ["title", "timeSpent", "custom.a"]
    assert csv_bytes(FORMULAS, fields=fields, formulas="escape") == (
        b'title,timeSpent,custom.a\r\n"\'=HYPERLINK(""x"")",-5,\'=1\r\n',
        2,
    )


def test_formulas_of_undocumented_fields_are_in_json() -> None:
    """The cell `extra` begins with a brace."""
    assert csv_bytes({"new": "=1"})[1] == 0
