"""Columns of a foreign file to fields: decisions only."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.mapping import FieldMapping, SourceError, value_of
from planhat_async.models import Note, Task, Ticket
from planhat_async.records import Record

FILLED_IN = "Ticket.time_bucket is filled in by Planhat: Year, quarter, month and week it falls in"


def parsed(
    *maps: str, constants: tuple[str, ...] = (), record: type[Record] = Ticket
) -> tuple[dict[str, str], dict[str, Any]]:
    """What the texts of `--map` and `--set` come to."""
    mapping = FieldMapping.parse(record, maps=maps, constants=constants)
    return dict(mapping.columns), dict(mapping.constants)


@pytest.mark.parametrize(
    ("record", "name", "text", "value"),
    [
        (Ticket, "title", "12", "12"),
        (Ticket, "title", " a=b ", " a=b "),
        (Task, "start_time", "2024-05-31T09:30:00Z", "2024-05-31T09:30:00Z"),
        (Task, "is_archived", "true", True),
        (Task, "is_archived", "YES", True),
        (Task, "is_archived", "1", True),
        (Task, "is_archived", "False", False),
        (Task, "is_archived", "no", False),
        (Task, "is_archived", "0", False),
        (Task, "repeat_days", "-3", -3),
        (Ticket, "time_spent", "7", 7.0),
        (Ticket, "time_spent", "2.5e1", 25.0),
        (Ticket, "domains", "a.example, b.example ,,", ["a.example", "b.example"]),
        (Ticket, "domains", ' ["a,b"]', ["a,b"]),
        (Ticket, "domains", " , ", []),
        (Ticket, "tags", '["x", 1, null]', ["x", 1, None]),
        (Task, "checklist", '[{"title": "Call"}]', [{"title": "Call"}]),
        (Task, "custom", '{"Plan": {"seats": 5}}', {"Plan": {"seats": 5}}),
        (Task, "custom.Plan", "5", "5"),
        (Task, "repeatDays", "3", 3),
    ],
)
def test_a_text_becomes_what_its_field_takes(record: type[Record], name: str, text: str, value: Any) -> None:
    """Texts and times as they are, numbers, true and false, lists at commas, JSON for the rest."""
    found = value_of(record, name, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("record", "name", "text", "message"),
    [
        (Task, "is_archived", "maybe", "is_archived: 'maybe' is not true or false"),
        (Task, "repeat_days", "1_000", "repeat_days: '1_000' is not a whole number"),
        (Ticket, "time_spent", "1_000", "time_spent: '1_000' is not a number"),
        (Ticket, "time_spent", "1,5", "time_spent: '1,5' is not a number"),
        (Task, "checklist", '{"title": "Call"}', 'checklist: \'{"title": "Call"}\' is not a JSON list'),
        (Task, "checklist", "5", "checklist: '5' is not a JSON list"),
        (Task, "custom", "[]", "custom: '[]' is not a JSON object"),
        (Task, "custom", "null", "custom: 'null' is not a JSON object"),
        (Task, "repeatDays", "1.5", "repeat_days: '1.5' is not a whole number"),
        (Ticket, "time_spent", "two", "time_spent: 'two' is not a number"),
        (Ticket, "domains", "[a", "domains: '[a' is not a JSON list"),
        (Ticket, "tags", "urgent", "tags: 'urgent' is not a JSON list"),
        (Task, "custom", "{", "custom: '{' is not a JSON object"),
        (Ticket, "time_spent", "x" * 100, f"time_spent: {'x' * 80!r} is not a number"),
    ],
)
def test_a_text_that_its_field_does_not_take_is_named(record: type[Record], name: str, text: str, message: str) -> None:
    """The message says which field, what stood there, and what should."""
    with pytest.raises(ValueError, match="is not") as caught:
        value_of(record, name, text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999"])
def test_a_number_that_json_does_not_have_is_refused(text: str) -> None:
    """JSON would make a null of it, and Planhat would empty the field."""
    with pytest.raises(ValueError, match="is not") as caught:
        value_of(Ticket, "time_spent", text)
    assert str(caught.value) == f"time_spent: {text!r} is not a number"


@pytest.mark.parametrize(("text", "value"), [(".5", 0.5), ("5.", 5.0), (" 7", 7.0)])
def test_a_number_may_be_written_as_databases_write_it(text: str, value: float) -> None:
    """Oracle leaves out the zero, and a space after the comma changes no number."""
    assert value_of(Ticket, "time_spent", text) == value


@settings(derandomize=True, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_numbers_and_truths_survive_being_written_down(whole: int, real: float, truth: bool) -> None:
    """What Python prints is read back as the same value."""
    assert value_of(Task, "repeat_days", str(whole)) == whole
    assert value_of(Ticket, "time_spent", str(real)) == real
    assert value_of(Task, "is_archived", str(truth)) is truth


def test_maps_and_constants_are_read_in_either_spelling() -> None:
    """Both come to the field's own name; the value keeps everything after the first `=`."""
    columns, constants = parsed(
        "source_id=Ticket ID", "companyExternalId=Company=Key", constants=("timeSpent=5", "url=https://x.example/?a=b")
    )
    assert columns == {"source_id": "Ticket ID", "company_external_id": "Company=Key"}
    assert constants == {"time_spent": 5.0, "url": "https://x.example/?a=b"}


def test_planhats_own_key_has_three_spellings() -> None:
    """`id` is `_id` on the wire."""
    assert parsed("_id=Key") == parsed("id=Key") == ({"id": "Key"}, {})


def test_custom_fields_are_named_by_their_own_names() -> None:
    """They are unknown, so any will do; a constant of one is text."""
    assert parsed("custom.Plan Name=Plan", constants=("custom.Seats=5",)) == (
        {"custom.Plan Name": "Plan"},
        {"custom.Seats": "5"},
    )


@pytest.mark.parametrize("name", ["custom.", "custom. "])
def test_a_custom_field_has_a_name(name: str) -> None:
    """`custom.` alone would make a custom field that is called nothing."""
    with pytest.raises(SourceError) as caught:
        parsed(f"{name}=Plan")
    assert str(caught.value) == f"'{name}=Plan': {name!r} names no custom field"


def test_a_custom_fields_name_may_hold_a_comma() -> None:
    """A row is an object: nothing in it is split at commas."""
    assert parsed("custom.City, State=Place") == ({"custom.City, State": "Place"}, {})


@pytest.mark.parametrize(
    ("maps", "constants", "message"),
    [
        (["sorce_id=A"], [], "'sorce_id=A': Ticket has no field 'sorce_id'; did you mean source_id?"),
        ([], ["Compny=A"], "'Compny=A': Ticket has no field 'Compny'; did you mean company_id?"),
        (["timeBucket=A"], [], f"'timeBucket=A': {FILLED_IN}"),
        ([], ["time_bucket=A"], f"'time_bucket=A': {FILLED_IN}"),
        (["title"], [], "'title' does not have the form --map field=Column"),
        (["title="], [], "'title=' does not have the form --map field=Column"),
        (["=A"], [], "'=A' does not have the form --map field=Column"),
        ([], ["title"], "'title' does not have the form --set field=value"),
        (["source_id=A", "sourceId=B"], [], "source_id is given twice: --map field=Column"),
        ([], ["title=A", "title=B"], "title is given twice: --set field=value"),
        (["sourceId=A"], ["source_id=B"], "source_id is given twice: by --map and by --set"),
        ([], ["time_spent=abc"], "--set: time_spent: 'abc' is not a number"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(maps: list[str], constants: list[str], message: str) -> None:
    """One sentence says what is wrong, with the names nearest to an unknown field."""
    with pytest.raises(SourceError) as caught:
        FieldMapping.parse(Ticket, maps=maps, constants=constants)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("constant", "message"),
    [
        ("start_time=yesterday", "start_time: 'yesterday' is not a time such as 2024-05-31T09:30:00Z"),
        ("checklist=5", "checklist: '5' is not a JSON list"),
        ("checklist=[5]", "checklist: objects such as ChecklistItem, not a whole number"),
        ("custom=[]", "custom: '[]' is not a JSON object"),
    ],
)
def test_a_constant_of_the_wrong_type_is_refused_before_any_row(constant: str, message: str) -> None:
    """It would make every row of the file invalid."""
    with pytest.raises(SourceError) as caught:
        FieldMapping.parse(Task, constants=[constant])
    assert str(caught.value) == f"--set: {message}"


def test_a_constant_in_another_encoding_is_refused_before_any_row() -> None:
    """A terminal that is not UTF-8 hands over such text."""
    with pytest.raises(SourceError, match="title"):
        FieldMapping.parse(Ticket, constants=["title=caf\udce9"])


def test_a_mapped_column_must_be_there() -> None:
    """The message names the columns there are, or a typing error stays a riddle."""
    mapping = FieldMapping.parse(Ticket, maps=["title=Subject"])
    with pytest.raises(SourceError) as caught:
        mapping.check_columns(["ID", "Titel"])
    assert str(caught.value) == "--map title=Subject: the file has no such column; it has ID, Titel"


def test_with_a_mapping_other_columns_may_be_called_anything() -> None:
    """Only mapped columns are read."""
    mapping = FieldMapping.parse(Ticket, maps=["title=Subject"])
    mapping.check_columns(["Subject", "Whatever"])
    assert mapping.apply_to_text({"Subject": "Hello", "Whatever": "\udcff"}) == {"title": "Hello"}


def test_without_a_mapping_every_column_is_a_field() -> None:
    """In either spelling; the columns' own names become the row's keys."""
    mapping = FieldMapping(record=Ticket)
    mapping.check_columns(["sourceId", "company_external_id", "custom.Plan"])
    row = mapping.apply_to_text({"sourceId": "1", "company_external_id": "acme", "custom.Plan": "Gold"})
    assert row == {"sourceId": "1", "company_external_id": "acme", "custom": {"Plan": "Gold"}}


def test_without_a_mapping_a_column_that_is_not_a_field_is_refused() -> None:
    """Planhat would drop it silently; the message says what to do."""
    with pytest.raises(SourceError) as caught:
        FieldMapping(record=Note).check_columns(["subject", "activityTag"])
    assert str(caught.value) == (
        "column 'activityTag': Note has no field 'activityTag'; did you mean activity_tags? "
        "(say --map FIELD='activityTag')"
    )


def test_without_a_mapping_a_column_that_planhat_fills_in_is_refused() -> None:
    """Planhat would drop it as silently; the message says what it is."""
    with pytest.raises(SourceError) as caught:
        FieldMapping(record=Ticket).check_columns(["sourceId", "timeBucket"])
    assert str(caught.value) == f"column 'timeBucket': {FILLED_IN} (say --map FIELD='timeBucket')"


@pytest.mark.parametrize("columns", [["sourceId", "source_id"], ["title", "source_id", "source_id"]])
def test_without_a_mapping_a_field_has_one_column(columns: list[str]) -> None:
    """It is ambiguous which of two is meant, in either spelling."""
    with pytest.raises(SourceError) as caught:
        FieldMapping(record=Ticket).check_columns(columns)
    assert str(caught.value) == "source_id is given twice: by the column 'source_id', and by another or --set"


def test_a_mapped_column_is_there_once() -> None:
    """Others may be there as often as they like."""
    mapping = FieldMapping.parse(Ticket, maps=["title=Subject"])
    mapping.check_columns(["", "Subject", "", "Notes", "Notes"])
    with pytest.raises(SourceError) as caught:
        mapping.check_columns(["Subject", "Notes", "Subject"])
    assert str(caught.value) == "the file has the column 'Subject' twice"


def test_an_empty_cell_is_no_value() -> None:
    """A CSV has no other way to leave something out; a constant stays."""
    mapping = FieldMapping(record=Ticket, constants={"source": "csv"})
    assert mapping.apply_to_text({"title": "", "status": "open"}) == {"source": "csv", "status": "open"}


def test_a_cell_with_bytes_of_another_encoding_is_refused() -> None:
    """The message names the column, and does not repeat what cannot be read."""
    with pytest.raises(ValueError, match="column") as caught:
        FieldMapping(record=Ticket).apply_to_text({"title": "caf\udce9"})
    assert str(caught.value) == "column 'title' holds bytes of another encoding"


def test_values_that_are_there_already_are_passed_on_untouched() -> None:
    """JSONL has types of its own; `null` is a value, a key that is not there is left out."""
    mapping = FieldMapping.parse(Ticket, maps=["title=Subject", "tags=Labels", "url=Link"])
    assert mapping.apply({"Subject": None, "Labels": [1], "Other": 2}) == {"title": None, "tags": [1]}


def test_without_a_mapping_values_keep_their_names() -> None:
    """Whether they are fields is checked where rows are."""
    assert FieldMapping(record=Ticket).apply({"sourceId": "1", "Other": 2}) == {"sourceId": "1", "Other": 2}


@pytest.mark.parametrize(
    ("held", "custom"),
    [
        ({}, {"Plan": "Gold"}),
        ({"custom": None}, {"Plan": "Gold"}),
        ({"custom": {"Seats": 5}}, {"Seats": 5, "Plan": "Gold"}),
        ({"custom": {"Plan": "Tin", "Seats": 5}}, {"Plan": "Gold", "Seats": 5}),
    ],
)
def test_custom_names_are_put_into_custom(held: dict[str, Any], custom: dict[str, Any]) -> None:
    """Next to what is there already."""
    mapping = FieldMapping.parse(Ticket, constants=["custom.Plan=Gold"])
    assert mapping.apply(held) == {"custom": custom}


@pytest.mark.parametrize("held", [5, "text", [1]])
def test_custom_that_is_no_object_is_refused(held: Any) -> None:
    """It is that row's fault alone."""
    mapping = FieldMapping.parse(Ticket, constants=["custom.Plan=Gold"])
    with pytest.raises(ValueError, match="custom") as caught:
        mapping.apply({"custom": held})
    assert str(caught.value) == "custom is not a JSON object"


@pytest.mark.parametrize("name", ["company_external_id", "companyExternalId"])
def test_every_row_gets_a_constant(name: str) -> None:
    """That is what `--set` says, in whichever spelling a row has the field."""
    mapping = FieldMapping.parse(Ticket, constants=["company_external_id=acme"])
    assert mapping.apply({name: "foo", "Other": 2}) == {"company_external_id": "acme", "Other": 2}


@pytest.mark.parametrize("column", ["company_external_id", "companyExternalId"])
def test_a_column_beside_a_constant_of_its_field_is_refused(column: str) -> None:
    """It is ambiguous which of them is meant."""
    mapping = FieldMapping.parse(Ticket, constants=["company_external_id=acme"])
    with pytest.raises(SourceError) as caught:
        mapping.check_columns(["title", column])
    said = f"company_external_id is given twice: by the column {column!r}, and by another or --set"
    assert str(caught.value) == said


def test_a_constant_of_custom_takes_the_place_of_a_rows_own() -> None:
    """All of it: a field is one value."""
    mapping = FieldMapping.parse(Ticket, constants=['custom={"Plan": "Gold"}'])
    assert mapping.apply({"custom": {"Plan": "Tin", "Seats": 5}}) == {"custom": {"Plan": "Gold"}}


def test_a_constant_of_custom_wins_over_a_rows_custom_names() -> None:
    """`--set` is what every row gets, in this spelling too."""
    mapping = FieldMapping.parse(Ticket, constants=['custom={"Plan": "Gold"}'])
    assert mapping.apply({"custom.Plan": "Tin"}) == {"custom": {"Plan": "Gold"}}


def test_a_custom_column_beside_a_constant_of_custom_is_refused() -> None:
    """As of any other field; `custom` beside `custom.NAME` is no such case where the names differ."""
    mapping = FieldMapping.parse(Ticket, constants=['custom={"Plan": "Gold"}'])
    with pytest.raises(SourceError, match="given twice"):
        mapping.check_columns(["custom.Plan"])


def test_a_row_with_a_nameless_custom_field_is_refused() -> None:
    """In JSONL, too, where names are not known beforehand."""
    with pytest.raises(ValueError, match=r"^custom\. names no custom field$"):
        FieldMapping(record=Ticket).apply({"custom.": 1})
