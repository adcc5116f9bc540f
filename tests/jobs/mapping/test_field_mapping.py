"""Test the mapping of columns of a file to fields of a model."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async._convert import encode_json, to_wire
from planhat_async.jobs.mapping.cell_values import value_of
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.lookups import Lookup, LookupValue
from planhat_async.jobs.mapping.nested_values import MISSING, value_at
from planhat_async.jobs.mapping.transforms import Transform
from planhat_async.jobs.mapping.value_types import READERS
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Task, Ticket
from planhat_async.records import Record

TITLE: dict[str, Any] = {"maps": ["title=Subject"]}
ACME: dict[str, Any] = {"constants": ["company_external_id=acme"]}
GOLD: dict[str, Any] = {"constants": ["custom.Plan=Gold"]}
GOLD_ALONE: dict[str, Any] = {"constants": ['custom={"Plan": "Gold"}']}
TWICE = "{} is given twice: by the column {!r}, and by another or --set"
FILLED_IN = "Ticket.time_bucket is filled in by Planhat: Year, quarter, month and week it falls in"


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
        (Ticket, "tags", '["x", 1, null]', ["x", 1, None]),
        (Ticket, "tags", "vip, urgent", ["vip", "urgent"]),
        (Task, "checklist", '[{"title": "Call"}]', [{"title": "Call"}]),
        (Task, "custom", '{"Plan": {"seats": 5}}', {"Plan": {"seats": 5}}),
        (Task, "custom.Plan", "5", "5"),
        (Task, "repeatDays", "3", 3),
    ],
)
def test_a_text_becomes_a_value_of_its_field(record: type[Record], name: str, text: str, value: Any) -> None:
    """Texts and times stay unchanged, lists are split at commas, and other types are parsed as JSON."""
    found = value_of(record, name, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("record", "name", "text", "message"),
    [
        (Task, "is_archived", "maybe", "is_archived: 'maybe' is not true or false"),
        (Task, "repeat_days", "1_000", "repeat_days: '1_000' is not a whole number"),
        (Ticket, "time_spent", "1_000", "time_spent: '1_000' is not a number"),
        (Ticket, "time_spent", "1,5", "time_spent: '1,5' is not a number; see --decimal-comma"),
        (Task, "checklist", '{"title": "Call"}', 'checklist: \'{"title": "Call"}\' is not a JSON list'),
        (Task, "checklist", "5", "checklist: '5' is not a JSON list"),
        (Task, "custom", "[]", "custom: '[]' is not a JSON object"),
        (Task, "custom", "null", "custom: 'null' is not a JSON object"),
        (Task, "repeatDays", "1.5", "repeat_days: '1.5' is not a whole number"),
        (Ticket, "time_spent", "two", "time_spent: 'two' is not a number"),
        (Ticket, "domains", "[a", "domains: '[a' is not a JSON list"),
        (Task, "custom", "{", "custom: '{' is not a JSON object"),
        (Ticket, "time_spent", "x" * 100, f"time_spent: {'x' * 80!r} is not a number"),
    ],
)
def test_a_text_that_is_not_a_value_of_its_field_is_refused(
    record: type[Record], name: str, text: str, message: str
) -> None:
    """The message names the field, the text and the expected type."""
    with pytest.raises(ValueError, match="is not") as caught:
        value_of(record, name, text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "1e999"])
def test_a_number_outside_json_is_refused(text: str) -> None:
    """JSON would write it as null, and Planhat would empty the field."""
    with pytest.raises(ValueError, match="is not") as caught:
        value_of(Ticket, "time_spent", text)
    assert str(caught.value) == f"time_spent: {text!r} is not a number"


@pytest.mark.parametrize(("text", "value"), [(".5", 0.5), ("5.", 5.0), (" 7", 7.0)])
def test_a_number_may_be_written_as_databases_write_it(text: str, value: float) -> None:
    """Oracle omits the zero, and a space after the comma changes no number."""
    assert value_of(Ticket, "time_spent", text) == value


@settings(derandomize=True, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_numbers_and_booleans_survive_a_round_trip(whole: int, real: float, truth: bool) -> None:
    """Python's text of a value is read back as the same value."""
    assert value_of(Task, "repeat_days", str(whole)) == whole
    assert value_of(Ticket, "time_spent", str(real)) == real
    assert value_of(Task, "is_archived", str(truth)) is truth


@pytest.mark.parametrize(
    ("maps", "constants", "columns", "values"),
    [
        (["source_id=Ticket ID", "companyExternalId=Company=Key"], [],
         {"source_id": "Ticket ID", "company_external_id": "Company=Key"}, {}),
        ([], ["timeSpent=5", "url=https://x.example/?a=b"], {}, {"time_spent": 5.0, "url": "https://x.example/?a=b"}),
        (["_id=Key"], [], {"id": "Key"}, {}),
        (["id=Key"], [], {"id": "Key"}, {}),
        (["custom.Plan Name=Plan"], ["custom.Seats=5"], {"custom.Plan Name": "Plan"}, {"custom.Seats": "5"}),
        (["custom.City, State=Place"], [], {"custom.City, State": "Place"}, {}),
    ],
)  # fmt: skip
def test_maps_and_constants_are_read_in_either_spelling(
    maps: list[str], constants: list[str], columns: dict[str, str], values: dict[str, Any]
) -> None:
    """Maps and constants use the fields' names; a value is everything after the first `=`; custom fields are texts."""
    assert FieldMapping.parse(Ticket, maps=maps, constants=constants) == FieldMapping(
        record=Ticket, columns=columns, constants=values
    )


@pytest.mark.parametrize(
    ("maps", "constants", "message"),
    [
        (["created=A"], [], "--map created=A: Ticket has no field 'created'"),
        (["sorce_id=A"], [], "--map sorce_id=A: Ticket has no field 'sorce_id'; did you mean source_id?"),
        ([], ["Compny=A"], "--set Compny=A: Ticket has no field 'Compny'; did you mean company_id?"),
        (["custom.=Plan"], [], "--map custom.=Plan: 'custom.' names no custom field"),
        (["custom. =Plan"], [], "--map custom. =Plan: 'custom. ' names no custom field"),
        (["timeBucket=A"], [], f"--map timeBucket=A: {FILLED_IN}"),
        ([], ["time_bucket=A"], f"--set time_bucket=A: {FILLED_IN}"),
        (["title"], [], "'title' does not have the form --map field=Column"),
        (["title="], [], "'title=' does not have the form --map field=Column"),
        (["=A"], [], "'=A' does not have the form --map field=Column"),
        ([], ["title"], "'title' does not have the form --set field=value"),
        (["source_id=A", "sourceId=B"], [], "source_id is given twice: --map field=Column"),
        ([], ["title=A", "title=B"], "title is given twice: --set field=value"),
        (["sourceId=A"], ["source_id=B"], "source_id is given twice: by --map and by --set"),
        ([], ["time_spent=abc"], "--set: time_spent: 'abc' is not a number"),
        ([], ["title=caf\udce9"], "--set: title holds bytes of another encoding"),
    ],
)
def test_a_wrong_mapping_is_refused(maps: list[str], constants: list[str], message: str) -> None:
    """The message says why, with the names nearest to an unknown field."""
    with pytest.raises(SourceError) as caught:
        FieldMapping.parse(Ticket, maps=maps, constants=constants)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("constant", "message"),
    [
        (
            "start_time=yesterday",
            (
                "start_time: 'yesterday' is not a time such as 2024-05-31T09:30:00Z; "
                "a mapping file can say its form under [dates]"
            ),
        ),
        ("checklist=5", "checklist: '5' is not a JSON list"),
        ("checklist=[5]", "checklist: objects such as ChecklistItem, not a whole number"),
        ("custom=[]", "custom: '[]' is not a JSON object"),
    ],
)
def test_a_constant_of_the_wrong_type_is_refused_before_any_row(constant: str, message: str) -> None:
    """The constant would make every row of the file invalid."""
    with pytest.raises(SourceError) as caught:
        FieldMapping.parse(Task, constants=[constant])
    assert str(caught.value) == f"--set: {message}"


@pytest.mark.parametrize(
    ("options", "columns", "message"),
    [
        (TITLE, ["ID", "Titel"], "--map title=Subject: the file has no such column; it has ID, Titel"),
        (TITLE, ["Subject", "Notes", "Subject"], "the file has the column 'Subject' twice"),
        ({}, ["title", "Compny"],
         "column 'Compny': Ticket has no field 'Compny'; did you mean company_id? (say --map FIELD='Compny')"),
        ({}, ["Compny", "title", "", "Who"],
         ("column 'Compny': Ticket has no field 'Compny'; did you mean company_id? (say --map FIELD='Compny'), "
          "and 1 more column is not a field")),
        ({}, ["sourceId", "timeBucket"], f"column 'timeBucket': {FILLED_IN} (say --map FIELD='timeBucket')"),
        ({}, ["sourceId", "source_id"], TWICE.format("source_id", "source_id")),
        ({}, ["title", "source_id", "source_id"], TWICE.format("source_id", "source_id")),
        (ACME, ["title", "company_external_id"], TWICE.format("company_external_id", "company_external_id")),
        (ACME, ["title", "companyExternalId"], TWICE.format("company_external_id", "companyExternalId")),
        (GOLD_ALONE, ["custom.Plan"], TWICE.format("custom.Plan", "custom.Plan")),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_are_refused(options: dict[str, Any], columns: list[str], message: str) -> None:
    """They are missing, ambiguous, unknown, or set by a constant too, in either spelling."""
    mapping = FieldMapping.parse(Ticket, **options)
    with pytest.raises(SourceError) as caught:
        mapping.check_columns(columns)
    assert str(caught.value) == message


def test_columns_outside_a_mapping_may_have_any_names() -> None:
    """They may even share a name or have unreadable content."""
    mapping = FieldMapping.parse(Ticket, **TITLE)
    mapping.check_columns(["", "Subject", "", "Notes", "Notes"])
    assert mapping.apply_to_text({"Subject": "Hello", "Notes": "\udcff"}) == {"title": "Hello"}


def test_without_a_mapping_every_column_is_a_field() -> None:
    """Both spellings work; the columns' own names become the row's keys."""
    mapping = FieldMapping(record=Ticket)
    mapping.check_columns(["sourceId", "company_external_id", "custom.Plan"])
    row = mapping.apply_to_text({"sourceId": "1", "company_external_id": "acme", "custom.Plan": "Gold"})
    assert row == {"sourceId": "1", "company_external_id": "acme", "custom": {"Plan": "Gold"}}


def test_an_empty_cell_has_no_value() -> None:
    """A CSV cannot omit a value in another way; a constant stays."""
    mapping = FieldMapping(record=Ticket, constants={"source": "csv"})
    assert mapping.apply_to_text({"title": "", "status": "open"}) == {"source": "csv", "status": "open"}
    assert mapping.apply_to_text({"title": "", "status": ""}) is None


def test_a_cell_with_bytes_of_another_encoding_is_refused() -> None:
    """The message names the column without its unreadable content."""
    with pytest.raises(ValueError, match="column") as caught:
        FieldMapping(record=Ticket).apply_to_text({"title": "caf\udce9"})
    assert str(caught.value) == "column 'title' holds bytes of another encoding"


@pytest.mark.parametrize(
    ("options", "values", "row"),
    [
        ({"maps": ["title=Subject", "tags=Labels", "url=Link"]}, {"Subject": None, "Labels": [1], "Other": 2},
         {"tags": [1]}),
        ({}, {"sourceId": "1", "Other": 2}, {"sourceId": "1", "Other": 2}),
        (ACME, {"company_external_id": "foo", "Other": 2}, {"company_external_id": "acme", "Other": 2}),
        (ACME, {"companyExternalId": "foo", "Other": 2}, {"company_external_id": "acme", "Other": 2}),
        (GOLD, {}, None),
        (GOLD, {"custom": None, "title": ""}, None),
        (GOLD, {"custom": {"Seats": 5}}, {"custom": {"Seats": 5, "Plan": "Gold"}}),
        (GOLD, {"custom": {"Plan": "Tin", "Seats": 5}}, {"custom": {"Plan": "Gold", "Seats": 5}}),
        (GOLD_ALONE, {"custom": {"Plan": "Tin", "Seats": 5}}, {"custom": {"Plan": "Gold"}}),
        (GOLD_ALONE, {"custom.Plan": "Tin"}, {"custom": {"Plan": "Gold"}}),
    ],
)  # fmt: skip
def test_a_row_consists_of_values_and_constants(
    options: dict[str, Any], values: dict[str, Any], row: dict[str, Any] | None
) -> None:
    """Values keep their types; a constant replaces the value of its field, even all of `custom`.

    Where no column has a value, there is no row.
    """
    assert FieldMapping.parse(Ticket, **options).apply(values) == row


@pytest.mark.parametrize("held", [5, "text", [1]])
def test_custom_that_is_not_an_object_is_refused(held: Any) -> None:
    """Only that row is invalid."""
    with pytest.raises(ValueError, match=r"^custom: .* is not a JSON object$"):
        FieldMapping.parse(Ticket, **GOLD).apply({"custom": held})


def test_a_row_with_a_nameless_custom_field_is_refused() -> None:
    """Names are not known beforehand in JSONL."""
    with pytest.raises(ValueError, match=r"^custom\. names no custom field$"):
        FieldMapping(record=Ticket).apply({"custom.": 1})


def test_constants_are_read_by_their_types() -> None:
    """Texts by their types; times without a zone get that of the mapping."""
    mapping = FieldMapping.parse(
        Task,
        constants=["custom.ARR=1200.5", "activity_tags=a;b", "start_time=2024-05-31 09:30"],
        values={"custom.since": date(2024, 5, 31), "custom.at": datetime(2024, 5, 31, 9, 30)},  # noqa: DTZ001
        types=["custom.ARR=number"],
        list_separator=";",
        time_zone="Europe/Berlin",
    )
    assert mapping.constants == {
        "custom.ARR": 1200.5,
        "activity_tags": ["a", "b"],
        "start_time": "2024-05-31T07:30:00.000Z",
        "custom.since": date(2024, 5, 31),
        "custom.at": datetime(2024, 5, 31, 9, 30, tzinfo=ZoneInfo("Europe/Berlin")),
    }


def test_a_constant_that_can_be_sent_is_left() -> None:
    """The digest by which a journal knows it stays the same."""
    values = {"start_time": "2024-05-31T09:30:00Z", "source_id": 7}
    assert FieldMapping.parse(Task, values=values).constants == values


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"types": ["custom.ARR"]}, "'custom.ARR' does not have the form --type field=type"),
        ({"types": ["custom.ARR=money"]}, ("--type: custom.ARR: 'money' is not one of text, number, whole number, "
         "boolean, date, time, list, json, epoch seconds, epoch milliseconds, excel days")),
        ({"types": ["sorce_id=text"]}, "--type sorce_id=text: Ticket has no field 'sorce_id'; did you mean source_id?"),
        ({"types": ["title=text"], "field_types": {"title": "text"}}, "title is given twice: --type field=type"),
        ({"types": ["title=number"]}, ("types: Ticket.title (text) cannot be read as number, only as text or whole "
         "number or date or time")),
        ({**TITLE, "types": ["custom.ARR=number"]}, "--type: custom.ARR has no column"),
        ({"dates": {"time_spent": "%Y"}, "time_zone": "UTC"}, ("dates: Ticket.time_spent (number) cannot be read as "
         "time, only as number or whole number")),
        ({"dates": {"custom.due": "%d.%m."}, "time_zone": "UTC"}, "dates: custom.due: it names no year: add %Y"),
        ({"dates": {"custom.due": "%Y"}, "types": ["custom.due=number"], "time_zone": "UTC"},
         "custom.due has a form under dates and the type number: give one of them"),
        ({"list_separator": ""}, "list_separator is empty: leave it out to split at commas"),
        ({**TITLE, "transforms": {"title": Transform(split=";")}}, "columns: split: title does not hold a list"),
        ({"maps": ["time_spent=T"], "transforms": {"time_spent": Transform(default="x")}},
         "columns: default: time_spent: 'x' is not a number"),
    ],
)  # fmt: skip
def test_rules_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    """Before any row is read."""
    with pytest.raises(SourceError) as caught:
        FieldMapping.parse(Ticket, **options)
    assert str(caught.value) == message


def test_types_apply_to_texts_and_to_typed_values() -> None:
    """A value of the type is left as it is; without a type a custom field keeps what it has."""
    mapping = FieldMapping.parse(
        Ticket, types=["source_id=whole-number", "custom.ARR=number", "custom.VIP=boolean", "custom.Regions=list"]
    )
    texts = {"source_id": "35436.0", "custom.ARR": "1200.50", "custom.VIP": "TRUE", "custom.Regions": "EU, US",
             "custom.Code": "007"}  # fmt: skip
    typed = {"sourceId": 35436, "custom.ARR": Decimal("1200.50"), "custom.VIP": True, "custom.Regions": ["EU", "US"],
             "custom.Code": "007"}  # fmt: skip
    custom = {"ARR": 1200.5, "VIP": True, "Regions": ["EU", "US"], "Code": "007"}
    assert mapping.apply_to_text(texts) == {"source_id": "35436", "custom": custom}
    assert mapping.apply(typed) == {"sourceId": "35436", "custom": custom}


def test_typed_values_are_fitted_to_their_fields() -> None:
    """As data frames and databases have them: whole numbers for texts, decimals, dates, and texts of other types."""
    mapping = FieldMapping.parse(Task, time_zone="Europe/Berlin")
    values = {"source_id": 35436, "startTime": date(2024, 5, 31), "repeat_days": 3.0, "is_archived": "yes",
              "activity_tags": "a, b", "custom": {"at": Decimal("0.5"), "on": date(2024, 5, 31)}}  # fmt: skip
    assert mapping.apply(values) == {
        "source_id": "35436",
        "startTime": "2024-05-30T22:00:00.000Z",
        "repeat_days": 3,
        "is_archived": True,
        "activity_tags": ["a", "b"],
        "custom": {"at": 0.5, "on": "2024-05-31"},
    }


def test_a_form_applies_in_either_spelling_of_a_field() -> None:
    """Rows of JSON have Planhat's own."""
    mapping = FieldMapping.parse(Task, dates={"start_time": "%d.%m.%Y UTC"})
    assert mapping.apply({"startTime": "31.05.2024 UTC"}) == {"startTime": "2024-05-31T00:00:00.000Z"}


def test_values_that_planhat_fills_in_are_not_read() -> None:
    """Conversion leaves them out."""
    assert FieldMapping.parse(Ticket).apply({"title": "x", "timeBucket": 5}) == {"title": "x", "timeBucket": 5}


def test_missing_values_have_defaults() -> None:
    """A row of blanks is still no row; of a value that a transform empties nothing is sent without a default."""
    mapping = FieldMapping.parse(
        Ticket,
        maps=["title=T", "email=E", "tags=G"],
        transforms={"email": Transform(default="none@acme.example"), "tags": Transform(default="a;b", split=";"),
                    "title": Transform(strip=True)},
    )  # fmt: skip
    assert mapping.apply_to_text({"T": " ", "E": "ada@x.example", "G": ""}) == {
        "email": "ada@x.example",
        "tags": ["a", "b"],
    }
    assert mapping.apply({"T": "x", "E": None, "G": "c; d"}) == {
        "title": "x",
        "email": "none@acme.example",
        "tags": ["c", "d"],
    }
    assert mapping.apply_to_text({"T": " ", "E": "", "G": ""}) is mapping.apply({"E": None}) is None


def test_a_value_is_changed_before_it_is_looked_up() -> None:
    """It need not be a value of the field that its record's id goes to."""
    mapping = FieldMapping.parse(
        Ticket,
        columns={"company_id": "Account"},
        lookups={"company_id": Lookup("companies", by="external_id")},
        field_types={"company_id": "whole number"},
        transforms={"company_id": Transform.parse({"regex": r"#(\d+\.0)", "default": "7"})},
    )
    found = [mapping.apply_to_text({"Account": text}) for text in ("Acme #12.0", "Acme")]
    assert found == [{"company_id": LookupValue("12")}, {"company_id": LookupValue("7")}]


def test_a_description_holds_all_rules() -> None:
    """A rerun with others would send other values."""
    mapping = FieldMapping.parse(
        Task,
        maps=["start_time=S", "custom.ARR=A", "activity_tags=T"],
        dates={"start_time": "%d.%m.%Y"},
        types=["custom.ARR=number"],
        transforms={"activity_tags": Transform(split="|", default="x")},
        time_zone="UTC",
        list_separator=";",
        decimal_comma=True,
    )
    assert mapping.description() == {
        "columns": {"start_time": "S", "custom.ARR": "A", "activity_tags": "T"},
        "constants": {},
        "dates": {"start_time": "%d.%m.%Y"},
        "time_zone": "UTC",
        "types": {"custom.ARR": "number"},
        "transforms": {"activity_tags": {"split": "|", "default": "4e3a7d4e"}},
        "list_separator": ";",
        "decimal_comma": True,
    }


def test_a_description_without_rules_is_as_before() -> None:
    """Journals of earlier runs match."""
    mapping = FieldMapping.parse(Task, maps=["action=A"], dates={"start_time": "%Y UTC"})
    assert mapping.description() == {
        "columns": {"action": "A"}, "constants": {}, "dates": {"start_time": "%Y UTC"}, "time_zone": "None"
    }  # fmt: skip
    assert FieldMapping.parse(Task).description() == {"columns": {}, "constants": {}}


def test_names_of_json_rows_do_not_fill_the_memory() -> None:
    """Each row may have other custom fields."""
    mapping = FieldMapping.parse(Task)
    for number in range(3000):
        assert mapping.apply({f"custom.{number}": 1}) == {"custom": {str(number): 1}}
    assert len(mapping._made) <= 1000


_VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.uuids()
    | st.times()
    | st.text(max_size=8)
    | st.text(alphabet="0123456789-:.,T Z+eE[]", max_size=24)
    | st.lists(st.text(max_size=3) | st.integers(), max_size=3)
)
_FIELDS = ["action", "start_time", "repeat_days", "is_archived", "activity_tags", "checklist", "custom.X", "source_id"]


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=500)
@given(_VALUES, st.sampled_from(_FIELDS), st.sampled_from([None, *READERS]), st.sampled_from([None, "Asia/Kathmandu"]))
def test_any_value_can_be_sent_or_is_refused(value: Any, name: str, kind: str | None, zone: str | None) -> None:
    """What is read is a value that conversion accepts; all else is an error with the field's name."""
    try:
        types = {} if kind is None else {name: kind}
        mapping = FieldMapping.parse(Task, field_types=types, time_zone=zone)
    except SourceError:
        return
    try:
        row = mapping.apply({name: value, "title": "x"})
        if isinstance(value, str) and value.strip():
            assert mapping.apply_to_text({name: value}) is not None
    except ValueError as error:
        assert str(error).startswith(name) or "column " in str(error)  # noqa: PT017 - either is right
        return
    assert row is not None
    row.pop("title")
    custom = row.get("custom", {})
    if any(isinstance(one, float) and not math.isfinite(one) for one in (*row.values(), *custom.values())):
        return  # conversion refuses it
    if not isinstance(value, list):
        encode_json(to_wire(Task, row))


EMPTY: dict[str, Any] = {"empties_nulls": True}
NESTED = {"id": "1", "requester": {"email": "a@x.example", "org.id": 7, "org": None}, "tags": [1]}


@pytest.mark.parametrize(
    ("options", "values", "row"),
    [
        ({}, {"title": None, "status": "open"}, {"status": "open"}),
        (EMPTY, {"title": None, "status": "open"}, {"title": None, "status": "open"}),
        ({"maps": ["title=Subject", "status=State"]}, {"Subject": None, "State": "open"}, {"status": "open"}),
        ({"maps": ["title=Subject", "status=State"], **EMPTY}, {"Subject": None, "State": "open"},
         {"title": None, "status": "open"}),
        ({"maps": ["title=Subject", "status=State"], **EMPTY}, {"State": "open"}, {"status": "open"}),
        ({}, {"custom": {"A": None, "B": 1}}, {"custom": {"B": 1}}),
        (EMPTY, {"custom": {"A": None, "B": 1}}, {"custom": {"A": None, "B": 1}}),
        ({}, {"title": "a", "custom": {"A": None}}, {"title": "a"}),
        ({}, {"title": "a", "custom": {}}, {"title": "a", "custom": {}}),
        ({}, {"custom.A": None, "custom.B": 1}, {"custom": {"B": 1}}),
        (EMPTY, {"custom.A": None, "custom.B": 1}, {"custom": {"A": None, "B": 1}}),
        ({}, {"title": "a", "tags": [None, {"x": None}]}, {"title": "a", "tags": [None, {"x": None}]}),
        ({}, {"title": "a", "custom": {"A": {"x": None}}}, {"title": "a", "custom": {"A": {"x": None}}}),
        ({"values": {"custom": {"A": None}}}, {"title": "a"}, {"title": "a", "custom": {"A": None}}),
    ],
)  # fmt: skip
def test_a_null_leaves_its_field_alone_unless_it_is_to_empty_it(
    options: dict[str, Any], values: dict[str, Any], row: dict[str, Any]
) -> None:
    """Each custom field is a field; what is within other values, and constants, is exact. A missing key is no null."""
    assert FieldMapping.parse(Ticket, **options).apply(values) == row


@pytest.mark.parametrize("options", [ACME, {**ACME, **EMPTY}])
@pytest.mark.parametrize("values", [{"title": None}, {"custom": {"A": None}}, {"title": " ", "custom": {}}, {}])
def test_a_row_of_nulls_is_no_row(options: dict[str, Any], values: dict[str, Any]) -> None:
    """A constant alone would make an empty record."""
    found = FieldMapping.parse(Ticket, **options).apply(values)
    assert found == (None if values.get("custom") != {} else {**values, "company_external_id": "acme"})


def test_an_empty_cell_empties_its_field_if_that_is_said() -> None:
    """A cell of blanks is a text."""
    cells = {"title": "", "status": "open", "custom.Plan": "", "url": " "}
    assert FieldMapping(record=Ticket).apply_to_text(cells) == {"status": "open", "url": " "}
    row = {"title": None, "status": "open", "custom": {"Plan": None}, "url": " "}
    assert FieldMapping(record=Ticket, empties_nulls=True).apply_to_text(cells) == row


BLANKS = {"title": " ", "time_spent": " ", "domains": "\t", "tags": "\xa0", "custom.ARR": "  "}


@pytest.mark.parametrize("options", [{}, EMPTY])
def test_blanks_are_no_value_of_a_field_that_is_not_for_text(options: dict[str, Any]) -> None:
    """They leave it alone, also where an empty cell would empty it."""
    mapping = FieldMapping.parse(Ticket, types=["custom.ARR=number"], **options)
    row = {"title": "a", "status": " "}
    assert mapping.apply_to_text({**BLANKS, **row}) == row
    assert mapping.apply({**BLANKS, **row}) == row
    assert (mapping.apply_to_text(BLANKS), mapping.apply(BLANKS)) == (None, None)


def test_the_rule_for_nulls_is_part_of_what_a_rerun_must_find_unchanged() -> None:
    """The default is not in the description, as it was before there was another."""
    kept = FieldMapping.parse(Ticket).description()
    assert FieldMapping.parse(Ticket, **EMPTY).description() == {**kept, "null": "empty"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("requester.email", "a@x.example"),
        ("requester", NESTED["requester"]),
        ("requester.org.id", 7),
        ("requester.org.name", None),
        ("requester.name", MISSING),
        ("owner.email", MISSING),
        (".", MISSING),
        ("requester.", MISSING),
    ],
)
def test_a_column_may_be_a_path_into_objects(column: str, value: Any) -> None:
    """A key that is spelled like the path goes first, at each level; nothing is in an object that is null."""
    assert value_at(NESTED, column) is value or value_at(NESTED, column) == value


def test_a_key_that_looks_like_a_path_goes_first() -> None:
    """A flattened file has such keys."""
    mapping = FieldMapping.parse(Ticket, maps=["email=requester.email"])
    assert mapping.apply({"requester.email": "b@x.example", "requester": {"email": "a"}}) == {"email": "b@x.example"}
    assert mapping.apply({"requester": {"email": "a@x.example"}}) == {"email": "a@x.example"}


def test_a_path_through_something_that_is_no_object_is_refused() -> None:
    """The value would be lost silently."""
    mapping = FieldMapping.parse(Ticket, maps=["email=requester.email"])
    with pytest.raises(ValueError, match="not an object") as caught:
        mapping.apply({"requester": "Ada"})
    assert str(caught.value) == "'requester' is not an object, so it has no 'email'"


def test_a_path_fits_a_file_whose_columns_hold_objects() -> None:
    """The column that it begins with is read; cells of CSV hold none."""
    mapping = FieldMapping.parse(Ticket, maps=["email=requester.email", "title=Subject"])
    mapping.check_columns(["requester", "Subject", "Other"], holds_objects=True)
    assert mapping.columns_to_read(["requester", "Subject", "Other"]) == ["requester", "Subject"]
    with pytest.raises(SourceError, match=r"--map email=requester\.email: the file has no such column"):
        mapping.check_columns(["requester", "Subject"])


def test_a_custom_field_that_is_given_twice_makes_its_row_invalid() -> None:
    """By a name of its own and within `custom`, of which one would be lost."""
    mapping = FieldMapping.parse(Ticket)
    with pytest.raises(ValueError, match=r"^custom\.ARR is given twice: within custom too$"):
        mapping.apply({"title": "a", "custom": {"ARR": 1}, "custom.ARR": 2})
    assert mapping.apply({"custom": {"ARR": 1}, "custom.Plan": "x"}) == {"custom": {"ARR": 1, "Plan": "x"}}


def test_a_constant_replaces_a_value_within_custom() -> None:
    """It does so for every row."""
    mapping = FieldMapping.parse(Ticket, constants=["custom.ARR=5"])
    assert mapping.apply({"title": "a", "custom": {"ARR": 1}}) == {"title": "a", "custom": {"ARR": "5"}}
