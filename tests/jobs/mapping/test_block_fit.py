"""Test that blocks of texts become the rows that each text becomes by itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.mapping.block_fit import block_fit
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.mapping.transforms import Transform
from planhat_async.models import Task, Ticket

steady = settings(derandomize=True, deadline=None, max_examples=300)
HEADER = ["sourceId", "title", "tags", "time_spent", "startTime", "custom.Plan", "custom.Seats", "Other"]
CELLS = ["", " ", "a", "é", "7", "1,5", "x;y", "2024-05-31", "2024-05-31T09:30:00Z", "2024-10-27 02:30", "true"]
TEXT_FIELDS = {"source_id": "sourceId", "title": "title"}
MAPPINGS: dict[str, FieldMapping] = {
    "texts": FieldMapping(record=Ticket, columns=TEXT_FIELDS),
    "one column for two fields": FieldMapping(record=Ticket, columns={"title": "title", "description": "title"}),
    "constants": FieldMapping(record=Ticket, columns=TEXT_FIELDS, constants={"source": "csv", "title": "none"}),
    "values": FieldMapping(record=Ticket, columns={"tags": "tags", "time_spent": "time_spent", "url": "Other"}),
    "custom fields": FieldMapping(
        record=Ticket,
        columns={"custom.Plan": "custom.Plan", "title": "title", "custom.Seats": "custom.Seats"},
        constants={"source": "csv"},
    ),
    "times": FieldMapping.parse(Task, maps=["action=title", "start_time=startTime"], time_zone="Europe/Berlin"),
    "types": FieldMapping.parse(Ticket, maps=["custom.Seats=custom.Seats"], types=["custom.Seats=number"]),
    "changed texts": FieldMapping.parse(
        Ticket,
        maps=["title=title", "tags=tags"],
        transforms={"title": Transform(strip=True), "tags": Transform(split=";")},
    ),
}


def one_by_one(mapping: FieldMapping, rows: list[list[str]]) -> list[Any]:
    """Return each row, or the message about it."""
    found: list[Any] = []
    for cells in rows:
        try:
            found.append(mapping.apply_to_text(dict(zip(HEADER, cells, strict=True))))
        except ValueError as error:
            found.append(str(error))
    return found


@pytest.mark.slow
@steady
@given(
    st.sampled_from([*MAPPINGS]),
    st.lists(st.lists(st.sampled_from(CELLS), min_size=len(HEADER), max_size=len(HEADER)), max_size=4),
)
def test_rows_are_those_that_are_made_one_by_one(name: str, rows: list[list[str]]) -> None:
    """In the same order of fields, with the same messages and remarks."""
    mapping = MAPPINGS[name]
    fit = block_fit(mapping, HEADER)
    assert fit is not None
    mapping.begin()
    expected = one_by_one(mapping, rows), mapping.remarks
    mapping.begin()
    made = fit([(*cells, "") for cells in rows])
    assert (made, mapping.remarks) == expected
    orders = [[*row] if isinstance(row, dict) else None for row in made]
    assert orders == [[*row] if isinstance(row, dict) else None for row in expected[0]]


@pytest.mark.parametrize(
    "mapping",
    [
        FieldMapping(record=Ticket),
        FieldMapping(record=Ticket, columns=TEXT_FIELDS, empties_nulls=True),
        FieldMapping(record=Ticket, columns=TEXT_FIELDS, constants={"custom.Plan": "Gold"}),
        FieldMapping(record=Ticket, columns={"custom": "Other", "custom.Plan": "custom.Plan"}),
        FieldMapping(record=Ticket, columns={"custom.Plan": "custom.Plan"}, constants={"custom": {"Plan": "Gold"}}),
        FieldMapping.parse(
            Ticket, maps=["company_id=Other"], lookups={"company_id": Lookup(model="companies", by="external_id")}
        ),
        FieldMapping.parse(Ticket, maps=["title=title"], transforms={"title": Transform(default="none")}),
    ],
)
def test_some_mappings_need_more_than_the_cells_of_a_row(mapping: FieldMapping) -> None:
    """Their rows are made one by one."""
    assert block_fit(mapping, HEADER) is None


def test_names_of_columns_are_no_code() -> None:
    """A custom field may have any name."""
    name = 'custom."] = 1; raise SystemExit\n'
    fit = block_fit(FieldMapping(record=Ticket, columns={name: "x"}), ["x"])
    assert fit is not None
    assert fit([("a", "")]) == [{"custom": {name.removeprefix("custom."): "a"}}]
