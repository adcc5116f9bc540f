"""Test what a dry run says about the rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async import Session, Tickets
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.input_report import FieldReport, InputReport, SampleCell
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.plan import plan_upsert
from planhat_async.models import Ticket

ZONED: dict[str, Any] = {"types": ["custom.at=time"], "time_zone": "Europe/Berlin"}


def report_of(path: Path, content: str, **mapping: Any) -> InputReport:
    """Return the report of a file of CSV or, if it is one, of a JSON list."""
    path = path / ("t.json" if content.startswith("[") else "t.csv")
    path.write_text(content, encoding="utf-8")
    source = FileSource(path, FieldMapping.parse(Ticket, **mapping))
    source.has_report = True
    assert [*source]
    assert source.report is not None
    return source.report


TYPED = (
    '[{"source_id": 1, "custom": {"at": "2024-05-31 09:30"}, "tags": "a, b", "title": null},'
    '{"source_id": "2", "custom": {"at": "2024-05-31T09:30:00Z"}, "title": "x"}]'
)


@pytest.mark.parametrize(
    "content",
    [
        'source_id,custom.at,tags,title\n1,2024-05-31 09:30,"a, b",\n2,2024-05-31T09:30:00Z,,x\n',
        TYPED,
    ],
)
def test_a_report_counts_values_and_conversions(tmp_path: Path, content: str) -> None:
    """A missing value is none, and a value that is sent as it is written is not converted."""
    mapping = {"maps": ["source_id=source_id", "custom.at=custom.at", "tags=tags", "title=title"]}
    found = {one.field: (one.n_values, one.example) for one in report_of(tmp_path, content, **mapping, **ZONED).fields}
    assert found == {
        "source_id": (2, "1"),
        "custom.at": (2, "2024-05-31T07:30:00.000Z"),
        "tags": (1, '["a","b"]'),
        "title": (1, "x"),
    }


def test_a_conversion_has_an_example(tmp_path: Path) -> None:
    """It shows the cell and the value."""
    (found,) = report_of(tmp_path, "custom.at\n2024-05-31 09:30\n2024-05-31 09:31\n", **ZONED).fields
    assert found == FieldReport(
        field="custom.at",
        column="custom.at",
        n_values=2,
        example="2024-05-31T07:30:00.000Z",
        n_converted=2,
        conversion="'2024-05-31 09:30' -> 2024-05-31T07:30:00.000Z",
    )


def test_the_first_rows_are_beside_their_cells(tmp_path: Path) -> None:
    """Constants have no cell, a value to look up is named, and a wrong one is marked."""
    mapping = {
        "maps": ["source_id=ID", "email=Mail", "company_id=Account"],
        "constants": ["status=open"],
        "lookups": {"company_id": Lookup("companies", by="external_id")},
    }
    report = report_of(tmp_path, "ID,Mail,Account\n1,no address,acme\n" + "2,,\n" * 9, **mapping)
    assert [len(row) for row in report.sample] == [4, 2, 2]
    assert sorted(report.sample[0], key=lambda one: one.field) == [
        SampleCell(
            field="company_id", column="Account", cell="'acme'", sent="the id of acme in companies by external_id"
        ),
        SampleCell(field="email", column="Mail", cell="'no address'", sent="invalid: 'no address'"),
        SampleCell(field="source_id", column="ID", cell="'1'", sent="1"),
        SampleCell(field="status", column=None, cell=None, sent="open"),
    ]


def test_ids_that_differ_only_in_blanks_or_case_are_remarked(tmp_path: Path) -> None:
    """They name other records; a repeated id does not."""
    ids = ["T-1", "t-1", "T-1", "T-2", "T-1 ", "t-1"]
    report = report_of(tmp_path, "source_id,title\n" + "".join(f"{one},x\n" for one in ids))
    said = "source_id: 2 ids differ from earlier ones only in blanks or case, and name other records"
    assert report.remarks == [f"{said}: such as row 2 from row 1"]


@pytest.mark.parametrize("written", ["1.23457E+11", "1,2E+05", "1E10"])
def test_ids_in_scientific_notation_are_remarked(tmp_path: Path, written: str) -> None:
    """A spreadsheet has shortened them."""
    report = report_of(tmp_path, f'source_id,title\n"{written}",x\n1E,x\nE-17,x\n')
    said = f"source_id: 1 id looks like a spreadsheet's scientific notation, such as '{written}'"
    assert report.remarks == [f"{said}, and may have lost digits: export the column as text"]


def test_a_row_like_the_header_is_remarked() -> None:
    """Formats whose readers know nothing of headers have such rows too."""
    report = InputReport(FieldMapping.parse(Ticket))
    row = {"source_id": "source_id", "title": "title"}
    report.note(row, row)
    assert report.remarks == ["1 row looks like the header, and would be sent: remove such lines from the file"]


@pytest.mark.slow
@given(st.lists(st.fixed_dictionaries({}, optional={"source_id": st.text(min_size=1), "title": st.text(min_size=1)})))
def test_a_report_counts_each_value_once(rows: list[dict[str, str]]) -> None:
    """Nothing is converted that is sent as it is, and the sample has the first rows."""
    report = InputReport(FieldMapping.parse(Ticket))
    for row in rows:
        report.note(row, row)
    found = {one.field: (one.n_values, one.n_converted) for one in report.fields}
    names = {name for row in rows for name in row}
    assert found == {name: (sum(name in row for row in rows), 0) for name in names}
    assert [len(row) for row in report.sample] == [len(row) for row in rows[:3]]


@given(st.lists(st.text(st.sampled_from("aAbB "), min_size=1, max_size=4)))
def test_each_other_spelling_of_an_id_is_counted(ids: list[str]) -> None:
    """As often as the texts themselves say."""
    report = InputReport(FieldMapping.parse(Ticket))
    for one in ids:
        report.note({"source_id": one}, {"source_id": one})
    n_similar = len({*ids}) - len({one.strip().casefold() for one in ids})
    (said,) = report.remarks or [""]
    assert said.startswith(
        "source_id: 1 id differs " if n_similar == 1 else f"source_id: {n_similar} ids differ " if n_similar else ""
    )
    assert bool(said) == bool(n_similar)


async def test_a_plan_has_the_report_of_a_file(tmp_path: Path) -> None:
    """Other sources have none, and nothing is collected unless it is asked for."""
    path = tmp_path / "t.csv"
    path.write_text("source_id,email,domains\n1,ada@acme.example,acme.example\n")
    source = FileSource(path, FieldMapping.parse(Ticket))
    assert ([*source], source.report)[1] is None
    tickets = Tickets(Session("none"))
    plan = await plan_upsert(tickets, source)
    assert plan.input_report is not None
    assert [one.field for one in plan.input_report.fields] == ["source_id", "email", "domains"]
    assert (await plan_upsert(tickets, [])).input_report is None
