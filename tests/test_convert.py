"""Test conversion between Planhat's JSON and the records."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import attrs
import pytest
from each_model import unstructure
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async import (
    ChecklistItem,
    DecodeError,
    Model,
    Note,
    Notes,
    Person,
    Record,
    StatusChange,
    Task,
    Tasks,
    Ticket,
    Tickets,
)
from planhat_async._convert import (
    Field,
    decode_json,
    decode_record,
    encode_json,
    encode_plain,
    excerpt,
    fields_of,
    requirements_of,
    row_id,
    row_view,
    spellings_of,
    to_wire,
    unknown_column,
    unknown_field,
    wire_path,
    without_fields,
)
from planhat_async._convert.timestamps import read_day_number
from planhat_async.models import ALL, Deal
from planhat_async.records.record_values import camel_case

DATA = Path(__file__).parent / "data"
FILES = sorted(path.name for path in DATA.glob("*.*.json"))
NO_RECORDS = {
    *(name for name in FILES if name.endswith("bulk-upsert.response.json")),
    "task-delete.response.json",
    "time-entry-duplicate.request.json",
}
FACTS: dict[type[Record], Model] = {one.model.record: one.model for one in ALL}
FLAGS = tuple((name, camel_case(name)) for name in ("type", "is_custom_type", "is_archived", "endusers"))
RECORDS: list[type[Record]] = [repository.model.record for repository in ALL]
MODELS = {f"{cls.__module__.rpartition('.')[2].replace('_', '-')}-": cls for cls in RECORDS}
PARTS = {Person, ChecklistItem, StatusChange}
NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
AnyRecord = TypeVar("AnyRecord", bound=Record)
ID = "61006bc89a3e0b702ed8ea49"


def structure(cls: type[AnyRecord], row: Any) -> AnyRecord:
    """Return the record of a row, by way of its bytes."""
    return decode_record(cls, encode_json(row))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
SCALARS = st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON = st.recursive(
    SCALARS | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner), max_leaves=5
)
TIMES = st.datetimes(timezones=st.just(UTC)).map(
    lambda time: time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
)
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    datetime: TIMES,
    date: st.dates().map(date.isoformat),
    Any: SCALARS,
    list[str]: st.lists(TEXTS, max_size=2),
    list[Any]: st.lists(JSON, max_size=2),
    dict[str, Any]: st.dictionaries(TEXTS, JSON, min_size=1, max_size=2),
}


def objects(cls: type) -> st.SearchStrategy[dict[str, Any]]:
    """Generate objects that Planhat might send for a class, with undocumented fields."""
    known = {field.wire: values_of(cls, field) for field in fields_of(cls).values()}
    unknown = st.dictionaries(TEXTS.map("new{}".format), JSON, max_size=2)
    return st.tuples(st.fixed_dictionaries({}, optional=known), unknown).map(lambda parts: parts[0] | parts[1])


def values_of(cls: type, field: Field) -> st.SearchStrategy[Any]:
    """Generate values of one field."""
    if attrs.fields_dict(cls)[field.name].metadata.get("holds_ids"):
        return st.lists(st.fixed_dictionaries({"_id": TEXTS}), max_size=2)
    if field.holds_addresses:
        addresses = st.sampled_from(["", "ada@x.example", "δ@x.example"])
        return addresses if field.type is str else st.lists(addresses, max_size=2)
    if field.read is read_day_number:
        return st.integers(-700_000, 2_900_000)
    return st.lists(objects(field.part), max_size=2) if field.part else BY_TYPE[field.type]


ROWS = st.sampled_from(RECORDS).flatmap(lambda cls: st.tuples(st.just(cls), objects(cls)))


def with_fallbacks(cls: type[Record], wire: dict[str, Any]) -> dict[str, Any]:
    """A row with the fields that a record takes from others, where the row has the others only."""
    fields = fields_of(cls)
    others = {field.wire: fields[field.fallback].wire for field in fields.values() if field.fallback}
    return {name: wire[other] for name, other in others.items() if other in wire} | wire


def documented(name: str) -> tuple[type[Record], list[dict[str, Any]]]:
    """Return the class and the rows of a documented body."""
    body = json.loads((DATA / name).read_bytes())
    return next(cls for prefix, cls in MODELS.items() if name.startswith(prefix)), body if isinstance(body, list) else [
        body
    ]


def settled(value: Any) -> Any:
    """Return a row without nulls outside of `custom`, with times in Planhat's format.

    An empty `custom` is left out.
    """
    if isinstance(value, dict):
        held = {key: item for key, item in value.items() if item is not None and (key, item) != ("custom", {})}
        return {key: item if key == "custom" else settled(item) for key, item in held.items()}
    if isinstance(value, list):
        return [settled(item) for item in value]
    return value[:-4] + ".000Z" if isinstance(value, str) and value.endswith(".00Z") else value


json_like = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["", "a", "2024-05-31T09:30:00Z", "\ud800"]),
    st.lists(st.sampled_from(["a", 7, None]), max_size=3),
    st.dictionaries(st.sampled_from(["a", 7]), st.sampled_from([1, 1.5, "a", None, [1], {}, math.nan]), max_size=3),
)


def outcome_of(row: Mapping[str, Any]) -> list[Any]:
    """Return the JSON to send, and the reasons why it or a creation is refused."""
    outcome: list[Any] = []
    try:
        outcome.append(decode_json(encode_plain(to_wire(Task, row))))
        requirements_of(Tasks.model).check_creation(outcome[0])
    except (TypeError, ValueError) as error:
        outcome.append(repr(error))
    return outcome


class TestReading:
    @pytest.mark.parametrize("name", FILES)
    def test_every_documented_body_survives_a_round_trip(self, name: str) -> None:
        """Converting to a record and back loses, changes and adds no value."""
        cls, rows = documented(name)
        assert settled([unstructure(structure(cls, row)) for row in rows]) == settled(rows)

    @pytest.mark.parametrize("name", sorted({*FILES} - NO_RECORDS))
    def test_every_documented_field_has_an_attribute(self, name: str) -> None:
        """Only undocumented fields are in `extra`."""
        cls, rows = documented(name)
        assert [structure(cls, row).extra for row in rows] == [{} for _ in rows]

    @pytest.mark.slow
    @given(ROWS)
    def test_any_row_survives_a_round_trip(self, row: tuple[type[Record], dict[str, Any]]) -> None:
        """Fields may have any values, and some are undocumented."""
        cls, wire = row
        expected = with_fallbacks(cls, wire)
        assert unstructure(structure(cls, wire)) == expected
        assert unstructure(decode_record(cls, encode_json(wire))) == expected

    def test_values_have_the_declared_types(self) -> None:
        """Every field of a documented ticket is checked."""
        (_, rows) = documented("ticket-list.response.json")
        ticket = structure(Ticket, rows[0])
        assert (ticket.id, ticket.days, ticket.is_open) == ("60d4e139e9c01e379effa355", 18802, False)
        assert ticket.create_date == datetime(2021, 6, 24, 19, 38, 16, tzinfo=UTC)
        time = datetime(2021, 6, 24, 19, 47, 5, 84_000, tzinfo=UTC)
        assert ticket.history == [StatusChange(status="New", time=time)]
        assert ticket.endusers == [Person(id="5f7e1a07dcd4235b544f3ce4", name="John Bacon")]
        assert ticket.custom == rows[0]["custom"]

    def test_unknown_fields_are_kept_unchanged(self) -> None:
        """This holds for records and the objects in their lists, and for null."""
        wire = {"new": {"a": [None]}, "none": None, "checklist": [{"title": "A", "done": True}]}
        task = structure(Task, wire)
        assert task.extra == {"new": {"a": [None]}, "none": None}
        assert task.checklist == [ChecklistItem(title="A", extra={"done": True})]
        assert unstructure(task) == wire

    def test_reading_does_not_change_the_row(self) -> None:
        """Attributes are removed from a copy."""
        wire = {"_id": ID, "users": [{"id": "1"}], "custom": {"a": 1}}
        structure(Note, wire)
        assert wire == {"_id": ID, "users": [{"id": "1"}], "custom": {"a": 1}}

    def test_custom_values_are_never_parsed(self) -> None:
        """A text that looks like a time stays a text."""
        custom = {"Created": "2021-06-24T19:38:16.000+0000", "t": "undefined", "n": None}
        assert structure(Note, {"custom": custom}).custom == custom

    def test_null_is_absent(self) -> None:
        """A null becomes `None`, not the text "None"; a missing `custom` becomes empty."""
        assert structure(Task, {"action": None, "startTime": None, "users": None, "custom": None}) == Task()

    @pytest.mark.parametrize(
        "text",
        ["2024-05-31T12:00:00Z", "2024-05-31T12:00:00", "2024-05-31T14:00:00.000+0200", "2024-05-31T12:00:00.00Z"],
    )
    def test_times_are_aware(self, text: str) -> None:
        """Planhat's times are in UTC, even those without a zone."""
        date = structure(Note, {"date": text}).date
        assert date == NOON
        assert date.tzinfo is not None

    @pytest.mark.parametrize(
        "unusual", [{"date": "yesterday"}, {"date": 7}, {"date": ""}, {"users": {"id": "1"}}, {"users": ["1"]}]
    )
    def test_a_value_of_another_type_is_kept_in_extra(self, unusual: dict[str, Any]) -> None:
        """One unusual value loses neither the record nor the value."""
        note = structure(Note, {"_id": ID, "subject": "x", **unusual})
        assert note == Note(id=ID, subject="x", extra=unusual)
        assert unstructure(note) == {"_id": ID, "subject": "x", **unusual}

    @pytest.mark.parametrize(("row", "kind"), [([], "list"), ("x", "text"), (None, "nothing"), (1.5, "a number")])
    def test_a_row_must_be_an_object(self, row: object, kind: str) -> None:
        """Any other value has no `_id` for the message."""
        with pytest.raises(DecodeError, match=f"^Note cannot be read: it has to be an object, not {kind}$") as caught:
            structure(Note, row)
        assert (caught.value.id, caught.value.position) == (None, None)


class TestWriting:
    @pytest.mark.parametrize("cls", RECORDS)
    def test_a_record_sends_its_writable_fields(self, cls: type[Record]) -> None:
        """Generated fields, `extra` and fields that are not set are not sent."""
        fields = fields_of(cls).values()
        shown_twice = {field.fallback for field in fields}
        filled_in = [one for one in fields if not one.is_writable and not one.read and one.name not in shown_twice]
        record = structure(cls, {one.wire: {} if one.name == "custom" else 0 for one in filled_in})
        record.extra["new"] = 1
        record.id = ID
        assert to_wire(cls, record) == {"_id": ID}
        assert to_wire(cls, cls()) == {}

    @pytest.mark.slow
    @given(ROWS)
    def test_a_record_sends_its_values_unchanged(self, row: tuple[type[Record], dict[str, Any]]) -> None:
        """Every writable field that is set is sent."""
        cls, wire = row
        writable = {field.wire for field in fields_of(cls).values() if field.is_writable}
        sent = {name: value for name, value in with_fallbacks(cls, wire).items() if name in writable}
        assert to_wire(cls, structure(cls, wire)) == sent

    @pytest.mark.slow
    @given(ROWS)
    def test_a_mapping_sends_exactly_its_values(self, row: tuple[type[Record], dict[str, Any]]) -> None:
        """Names may be Planhat's or in snake_case; generated fields are sent too."""
        cls, wire = row
        held = {field.name: wire[field.wire] for field in fields_of(cls).values() if field.wire in wire}
        known = {fields_of(cls)[name].wire: value for name, value in held.items()}
        assert to_wire(cls, held) == known
        assert to_wire(cls, known) == known

    def test_a_mapping_sends_none_as_null(self) -> None:
        """Null empties a field; rows of an upsert omit keys that are `None`."""
        sent = to_wire(Task, {"status": None, "custom": None, "id": None, "sourceId": None, "company_id": ID})
        assert sent == {"status": None, "custom": None, "_id": None, "sourceId": None, "companyId": ID}
        note: dict[str, Any] = {"sourceId": None, "companyId": ID}
        assert (requirements_of(Tasks.model).check_upsert(sent), sent) == (
            ((), False),
            {"status": None, "custom": None, "companyId": ID},
        )
        checked = requirements_of(Notes.model).check_upsert(note)
        assert (checked, note) == (((), False), {"sourceId": None, "companyId": ID})

    def test_empty_values_are_sent(self) -> None:
        """`False`, 0, empty text and empty lists are values; a record's empty `custom` is not."""
        task = Task(is_archived=False, repeat_days=0, status="", checklist=[])
        sent = {"isArchived": False, "repeatDays": 0, "status": "", "checklist": []}
        assert to_wire(Task, task) == sent
        assert to_wire(Task, sent) == sent
        assert to_wire(Task, {"custom": {}}) == {"custom": {}}

    @pytest.mark.parametrize("cls", [dict, MappingProxyType])
    @pytest.mark.parametrize("name", ["activityTags", "activity_tags"])
    def test_every_item_of_a_list_is_validated(self, name: str, cls: Any) -> None:
        """The spelling and the type of the mapping do not matter."""
        assert to_wire(Task, cls({name: ["a", "b"]})) == {"activityTags": ["a", "b"]}
        with pytest.raises(TypeError, match=r"^activity_tags: text or a whole number, not True$"):
            to_wire(Task, cls({name: ["a", True]}))

    def test_a_mapping_need_not_be_a_dict(self) -> None:
        """Any mapping is accepted and converted to a dict."""
        sent = to_wire(Task, MappingProxyType({"source_id": "7", "action": None}))
        assert sent == {"sourceId": "7", "action": None}

    @pytest.mark.slow
    @settings(derandomize=True, deadline=None, max_examples=300)
    @given(st.dictionaries(st.sampled_from([*spellings_of(Task)]), json_like, max_size=8))
    def test_a_dict_is_validated_like_other_mappings(self, row: dict[str, Any]) -> None:
        """The fast path for dicts has the same results and errors."""
        assert outcome_of(row) == outcome_of(MappingProxyType(row))

    def test_custom_is_sent_unchanged(self) -> None:
        """The same object is sent, with any content."""
        custom = {"Created": "2021-06-24T19:38:16.000+0000", "é": None, "deep": {"a_b": [1.5]}}
        assert to_wire(Note, Note(custom=custom))["custom"] is custom
        assert to_wire(Note, {"custom": custom})["custom"] is custom

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("compny_id", "; did you mean company_id?"),
            ("companyID", "; did you mean company_id?"),
            ("Subject", "; did you mean subject?"),
            ("zzz", ""),
            ("extra", ""),
            ("created", ""),
            ("custom.Score", ": say custom={'Score': …}"),
            (7, ""),
        ],
    )
    def test_unknown_names_are_refused(self, name: object, hint: str) -> None:
        """Planhat would drop them silently; the message names similar ones that can be written."""
        with pytest.raises(ValueError, match="has no field") as caught:
            to_wire(Note, {name: "x"})  # type: ignore[dict-item]
        assert str(caught.value) == f"Note has no field {name!r}{hint}"

    def test_a_field_can_be_given_only_once(self) -> None:
        """If two spellings have two values, neither takes precedence."""
        with pytest.raises(ValueError, match=r"^company_id is given twice, in both spellings$"):
            to_wire(Note, {"company_id": "1", "companyId": "2"})

    @pytest.mark.parametrize("row", [Task(), [("status", "x")], "status", None])
    def test_a_row_must_be_a_record_of_the_model_or_a_mapping(self, row: Any) -> None:
        """A task is not a ticket."""
        with pytest.raises(TypeError, match=f"^a Ticket or a mapping, not {type(row).__name__}$"):
            to_wire(Ticket, row)

    @pytest.mark.parametrize(
        ("values", "complaint"),
        [
            ({"action": 35436.0}, "action: text or a whole number, not the number 35436.0"),
            ({"isArchived": "false"}, "is_archived: true or false, not the text 'false'"),
            ({"is_archived": 0}, "is_archived: true or false, not the whole number 0"),
            ({"repeat_days": 1.5}, "repeat_days: a whole number, not the number 1.5"),
            ({"repeat_days": True}, "repeat_days: a whole number, not True"),
            ({"sort_position": "1"}, "sort_position: a number, not the text '1'"),
            ({"sort_position": False}, "sort_position: a number, not False"),
            ({"custom": ["a"]}, "custom: an object, not list"),
            ({"activity_tags": "a"}, "activity_tags: a list, not text"),
            ({"activity_tags": ["a", True]}, "activity_tags: text or a whole number, not True"),
            ({"activity_tags": [None]}, "activity_tags: text or a whole number, not nothing"),
            ({"checklist": ["Call"]}, "checklist: objects such as ChecklistItem, not text"),
            ({"start_time": 1717156800}, "start_time: a time, not the whole number 1717156800"),
            ({"start_time": NOON.date()}, "start_time: a time, not a day: write a datetime with a time zone"),
        ],
    )
    def test_wrong_types_are_refused(self, values: dict[str, Any], complaint: str) -> None:
        """Planhat would store them unchanged."""
        with pytest.raises(TypeError) as caught:
            to_wire(Task, values)
        assert str(caught.value) == complaint

    def test_wrong_types_in_a_record_are_refused(self) -> None:
        """Attributes are validated like a mapping's values when they are written."""
        with pytest.raises(TypeError, match=r"^action: text or a whole number, not the number 7\.5$"):
            to_wire(Task, Task(action=7.5))  # type: ignore[arg-type]

    def test_lists_may_be_tuples(self) -> None:
        """Their JSON is the same."""
        assert to_wire(Task, {"activity_tags": ("a",)}) == {"activityTags": ["a"]}

    def test_whole_numbers_are_numbers(self) -> None:
        """They are sent unchanged."""
        assert to_wire(Ticket, {"time_spent": 5}) == {"timeSpent": 5}

    def test_nested_objects_are_accepted_in_either_form(self) -> None:
        """They may be objects of the client, or mappings in either spelling, with unknown keys."""
        people = [Person(id="1", is_owner=True, extra={"new": 1}), {"id": "2", "is_owner": False}, {"isOwner": None}]
        sent = [{"id": "1", "isOwner": True, "new": 1}, {"id": "2", "isOwner": False}, {"isOwner": None}]
        assert to_wire(Note, {"users": people}) == {"users": sent}
        assert to_wire(Note, Note(users=people)) == {"users": sent}  # type: ignore[arg-type]


class TestTimesWritten:
    @pytest.mark.parametrize(
        ("time", "text"),
        [
            (NOON, "2024-05-31T12:00:00.000Z"),
            (NOON.replace(microsecond=999_999), "2024-05-31T12:00:00.999Z"),
            (datetime(2024, 5, 31, 0, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2024-05-30T19:00:00.000Z"),
        ],
    )
    def test_times_are_written_in_planhats_format(self, time: datetime, text: str) -> None:
        """The format is UTC, truncated to milliseconds, with `Z`, for records and mappings."""
        assert to_wire(Note, Note(date=time)) == {"date": text}
        assert to_wire(Note, {"date": time}) == {"date": text}
        assert to_wire(Ticket, Ticket(history=[StatusChange(time=time)])) == {"history": [{"time": text}]}

    @pytest.mark.slow
    @given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
    def test_a_time_survives_a_round_trip_to_the_millisecond(self, time: datetime) -> None:
        """Its time zone does not matter."""
        read = structure(Note, to_wire(Note, Note(date=time))).date
        assert read is not None
        assert timedelta() <= time.astimezone(UTC) - read < timedelta(milliseconds=1)

    def test_times_as_text_are_sent_as_planhat_writes_them(self) -> None:
        """As those that are no text; `test_convert_timestamps.py` has all forms."""
        assert to_wire(Note, {"date": "2024-05-31T14:00:00+02:00"}) == {"date": "2024-05-31T12:00:00.000Z"}

    @pytest.mark.parametrize(
        ("value", "complaint"),
        [
            (datetime(2024, 5, 31), "date: 2024-05-31 00:00:00 has no time zone"),  # noqa: DTZ001
            ("2024-05-31", "date: '2024-05-31' has no time zone: write 2024-05-31T00:00:00Z if it is UTC"),
            ("tomorrow", "date: 'tomorrow' is not a time such as 2024-05-31T09:30:00Z"),
            ("", "date: '' is not a time such as 2024-05-31T09:30:00Z"),
        ],
    )
    def test_ambiguous_times_are_refused(self, value: Any, complaint: str) -> None:
        """Planhat and its users could interpret a naive time as UTC or as local time."""
        for row in (Note(date=value), {"date": value}):
            with pytest.raises(ValueError, match=r"^date: ") as caught:
                to_wire(Note, row)
            assert str(caught.value) == complaint

    def test_a_naive_time_in_a_status_is_refused(self) -> None:
        """Nested objects are validated like records."""
        history = [StatusChange(status="open", time=datetime(2024, 5, 31))]  # noqa: DTZ001
        with pytest.raises(ValueError, match=r"^history: 2024-05-31 00:00:00 has no time zone$"):
            to_wire(Ticket, Ticket(history=history))

    @pytest.mark.parametrize("time", [datetime(2024, 5, 31), "yesterday", 7])  # noqa: DTZ001
    def test_an_invalid_time_in_a_status_given_as_a_mapping_is_refused(self, time: object) -> None:
        """A mapping is validated too; otherwise a naive time would be sent without a zone."""
        with pytest.raises((TypeError, ValueError), match=r"^history: "):
            to_wire(Ticket, {"history": [{"status": "open", "time": time}]})

    def test_a_time_in_a_status_given_as_a_mapping_is_written_like_others(self) -> None:
        """The format is UTC with milliseconds and `Z`."""
        sent = to_wire(Ticket, {"history": [{"time": NOON}]})
        assert sent == {"history": [{"time": "2024-05-31T12:00:00.000Z"}]}

    def test_a_status_may_contain_its_time_as_text(self) -> None:
        """The times of a record may be text when it is written, so these may too."""
        history = [StatusChange(time="2024-05-31T12:00:00Z")]  # type: ignore[arg-type]
        assert to_wire(Ticket, Ticket(history=history)) == {"history": [{"time": "2024-05-31T12:00:00.000Z"}]}

    def test_a_time_before_the_first_is_refused(self) -> None:
        """Year 1 with a zone east of Greenwich is in the year 0 of UTC: it makes only one row invalid."""
        with pytest.raises(ValueError, match=r"^date: "):
            to_wire(Note, {"date": datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))})

    def test_a_zone_without_an_offset_is_refused(self) -> None:
        """Python regards such a time as naive and would convert it as local time."""

        class Nowhere(tzinfo):
            def utcoffset(self, _: datetime | None) -> None:
                return None

            tzname = dst = utcoffset

        with pytest.raises(ValueError, match="has no time zone"):
            to_wire(Note, {"date": NOON.replace(tzinfo=Nowhere())})


class TestNames:
    @pytest.mark.parametrize(
        ("name", "wire"),
        [("id", "_id"), ("_id", "_id"), ("company_id", "companyId"), ("companyId", "companyId"), ("version", "__v")],
    )
    def test_both_spellings_name_a_field(self, name: str, wire: str) -> None:
        """Both are accepted for `sort` and `select`."""
        assert wire_path(Note, name) == wire

    def test_custom_fields_are_unchanged(self) -> None:
        """The tenant chooses their names."""
        assert wire_path(Note, "custom.Activity Count") == "custom.Activity Count"

    def test_an_unknown_name_is_refused(self) -> None:
        """Planhat would ignore the sort."""
        with pytest.raises(ValueError, match=r"^Task has no field 'updateAt'; did you mean updated_at\b"):
            wire_path(Task, "updateAt")
        assert unknown_field(Task, "updateAt", is_written=True) == "Task has no field 'updateAt'"

    def test_no_custom_field_is_suggested_where_none_can_be_written(self) -> None:
        """Planhat documents none for such a model."""
        assert unknown_column(Deal, "Score") == "Deal has no field 'Score' (rename the column, or drop it)"
        with pytest.raises(ValueError, match=r"^Deal has no field 'custom\.Score'$"):
            to_wire(Deal, {"custom.Score": 1})

    @pytest.mark.parametrize("cls", RECORDS)
    def test_a_misspelled_name_is_recognised(self, cls: type[Record]) -> None:
        """The message has the nearest name first, for typos in either spelling."""
        for name, field in fields_of(cls).items():
            slips = [f"{name}x", *([f"{field.wire}s"] if camel_case(name) == field.wire else [])]
            for slip in slips if len(name) > 3 and name != "version" else []:
                assert name in unknown_field(cls, slip), slip


class TestRequirements:
    @pytest.mark.parametrize(
        ("cls", "wire", "missing"),
        [
            (Note, {"companyId": ID}, None),
            (Note, {"companyExternalId": "1"}, None),
            (Note, {}, "one of company_id or company_external_id is required"),
            (Note, {"companyId": ""}, "one of company_id or company_external_id is required"),
            (Note, {"_id": ID}, None),
            (Task, {"action": "Call"}, "company_id is required"),
            (Task, {"_id": ID}, None),
            (Task, {"sourceId": "7"}, None),
            (Task, {"_id": ID, "repeat": "custom"}, None),
            (Task, {"companyId": ID, "repeat": "custom"}, "repeat_days is required where repeat is 'custom'"),
            (Task, {"companyId": ID, "repeat": "custom", "repeatDays": 0}, None),
            (Task, {"companyId": ID, "repeat": "daily"}, None),
            (Ticket, {"email": "a@b.c", "domains": ["b.c"]}, "one of source_id or id is required"),
            (Ticket, {"sourceId": "7", "status": "closed"}, None),
            (Ticket, {"sourceId": "7", "email": "a@b.c", "companyExternalId": "1"}, None),
            (Ticket, {"_id": ID}, None),
        ],
    )  # fmt: skip
    def test_required_fields_of_a_row_of_an_upsert(
        self, cls: type[Record], wire: dict[str, Any], missing: str | None
    ) -> None:
        """A row with a key may be an update; one without is a creation."""
        with nullcontext() if missing is None else pytest.raises(ValueError, match=f"^{missing}$"):
            requirements_of(FACTS[cls]).check_upsert(wire)

    def test_required_fields_of_a_creation(self) -> None:
        """A key does not replace them, because no record exists to match."""
        requirements_of(Tasks.model).check_creation({"companyId": ID})
        with pytest.raises(ValueError, match=r"^company_id is required$"):
            requirements_of(Tasks.model).check_creation({"sourceId": "7"})
        with pytest.raises(ValueError, match=r"^email is required$"):
            requirements_of(Tickets.model).check_creation({"sourceId": "7", "domains": ["b.c"]})

    def test_the_keys_of_a_row(self) -> None:
        """They are in the order in which Planhat tries them."""
        wire = {"sourceId": "7", "_id": ID, "externalId": "8"}
        assert requirements_of(Tasks.model).check_upsert(wire)[0] == (f"_id={ID}", "sourceId=7")
        assert requirements_of(Notes.model).check_upsert(wire)[0] == (f"_id={ID}",)
        assert requirements_of(Tasks.model).check_upsert({"companyId": ID}) == ((), False)

    @pytest.mark.parametrize(
        ("cls", "wire", "is_partial"),
        [
            (Ticket, {"sourceId": "7", "status": "closed"}, True),
            (Ticket, {"sourceId": "7", "email": "a@b.c"}, True),
            (Ticket, {"sourceId": "7", "email": "", "domains": ["b.c"]}, True),
            (Ticket, {"sourceId": "7", "email": "a@b.c", "domains": ["b.c"]}, False),
            (Ticket, {"_id": ID, "email": "a@b.c", "companyId": ID}, False),
            (Task, {"sourceId": "7", "action": "Call"}, True),
            (Task, {"sourceId": "7", "companyId": ID}, False),
            (Task, {"sourceId": "7", "companyId": ID, "repeat": "custom"}, True),
            (Task, {"sourceId": "7", "companyId": ID, "repeat": "custom", "repeatDays": 2}, False),
            (Task, {"sourceId": "7", "companyId": ID, "repeat": "daily"}, False),
            (Note, {"_id": ID}, True),
            (Note, {"_id": ID, "companyExternalId": "a"}, False),
        ],
    )
    def test_a_row_with_a_key_may_lack_fields_of_a_creation(
        self, cls: type[Record], wire: dict[str, Any], *, is_partial: bool
    ) -> None:
        """Such a row can only update; its keys do not count as fields of a creation."""
        assert requirements_of(FACTS[cls]).check_upsert(wire)[1] is is_partial

    @pytest.mark.parametrize("blank", ["", " \n", "\u00a0", "\u200b\ufeff", "\u3164", "\x00"])
    @pytest.mark.parametrize("name", ["company_external_id", "companyId"])
    def test_a_blank_text_is_no_required_value(self, name: str, blank: str) -> None:
        """Whatever kind of blank it is made of; nothing of it can be seen."""
        row = to_wire(Note, {name: blank})
        for check in (requirements_of(Notes.model).check_upsert, requirements_of(Notes.model).check_creation):
            with pytest.raises(ValueError, match=r"company_id"):
                check(dict(row))

    @pytest.mark.parametrize("domains", [[], [""], [" ", "\u200b"]])
    def test_a_list_of_blanks_is_no_required_value(self, domains: list[str]) -> None:
        """A domain of blanks finds no company."""
        row = {"sourceId": "1", "email": "a@b.c", "domains": domains}
        with pytest.raises(ValueError, match=r"^one of company_id, company_external_id or domains is required$"):
            requirements_of(Tickets.model).check_creation(row)
        assert requirements_of(Tickets.model).check_upsert(row)[1] is True

    @pytest.mark.parametrize("blank", ["", " \n", "\u00a0", "\u200b\ufeff", "\u3164", "\x00"])
    def test_a_blank_key_is_refused(self, blank: str) -> None:
        """Planhat might match it or create a record with it."""
        with pytest.raises(ValueError, match=r"^source_id must not be blank$"):
            requirements_of(Tasks.model).check_upsert({"sourceId": blank})


@attrs.define
class Foreign:
    """An object of the caller's."""

    company_id: str = "1"


class TestJson:
    @pytest.mark.slow
    @given(JSON)
    def test_any_value_survives_a_round_trip_through_json(self, value: Any) -> None:
        """Covers text, numbers of any size, and nesting."""
        assert decode_json(encode_json(value)) == value

    def test_json_is_utf8(self) -> None:
        """Text outside ASCII is not escaped, which would triple its size."""
        assert encode_json({"é": ["☃", 1.5, None]}) == '{"é":["☃",1.5,null]}'.encode()

    @pytest.mark.parametrize("value", [object(), {"a": object()}, "\ud83d", {"a": ["\ud83d"]}])
    def test_a_value_without_a_json_form_is_refused(self, value: object) -> None:
        """No call is made."""
        with pytest.raises(ValueError, match=r"^not expressible in JSON: "):
            encode_json(value)

    def test_endless_nesting_is_refused(self) -> None:
        """A list that contains itself has no JSON form."""
        endless: list[Any] = []
        endless.append(endless)
        with pytest.raises(ValueError, match=r"^not expressible in JSON: "):
            encode_json(endless)

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_a_number_outside_json_is_refused(self, number: float) -> None:
        """It would arrive as null and empty the field."""
        with pytest.raises(ValueError, match=r"^not expressible in JSON: "):
            encode_json({"timeSpent": number})

    @pytest.mark.parametrize(
        "value",
        [Foreign(), Ticket(company_id="1"), datetime(2024, 5, 31), b"bytes", {"a", "b"}],  # noqa: DTZ001
    )
    def test_foreign_objects_are_refused(self, value: object) -> None:
        """A record would be sent in snake_case, which Planhat drops silently, and a naive time without a zone."""
        with pytest.raises(ValueError, match=r"^not expressible in JSON: "):
            encode_json([value])

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[1,", b'{"a":NaN}', b"\xff", b"[" * 100_000])
    def test_an_answer_that_is_not_json_is_unreadable(self, body: bytes) -> None:
        """The message contains its beginning."""
        with pytest.raises(DecodeError, match=r"^the answer is not JSON ") as caught:
            decode_json(body)
        assert str(caught.value).endswith(f": {excerpt(body, 20)!r}")

    def test_a_lone_surrogate_does_not_make_an_answer_unreadable(self, caplog: pytest.LogCaptureFixture) -> None:
        r"""JavaScript writes text that was cut inside an emoji, such as a snippet, as `"\ud83d"`."""
        assert decode_json(rb'["so happy \ud83d", "\\ud83d", "\ud83d\ude00"]') == ["so happy \ufffd", r"\ud83d", "😀"]
        assert "lone surrogates" in caplog.text

    def test_the_id_is_read_from_the_bytes_of_a_row(self) -> None:
        """Other fields are not decoded; a row without an `_id` gives `None`."""
        rows = [b'{"a": 1, "_id": "1"}', b"{}", b'{"_id": null}', b'{"_id": 7}', b"7"]
        assert [row_id(row) for row in rows] == ["1", None, None, None, None]

    def test_the_flags_are_read_from_the_bytes_of_a_row(self) -> None:
        """Listings filter rows by these flags."""
        flags = row_view(b'{"type": "note", "isCustomType": false, "isArchived": true, "x": 1}', FLAGS)
        assert (flags.type, flags.is_custom_type, flags.is_archived) == ("note", False, True)
        bare = row_view(b"{}", FLAGS)
        assert (bare.type, bare.is_custom_type, bare.is_archived) == (None,) * 3

    def test_unusual_flags_do_not_lose_a_row(self) -> None:
        """They are returned unchanged; only a row that is not an object is refused."""
        flags = row_view(b'{"_id": "1", "type": 7, "endusers": ["x", null], "isCustomType": 1}', FLAGS)
        assert (flags.type, flags.endusers, flags.is_custom_type) == (7, ["x", None], 1)
        with pytest.raises(DecodeError, match=r"^a row cannot be read "):
            row_view(b"7", FLAGS)

    def test_fields_can_be_removed_from_a_row(self) -> None:
        """The others keep their order."""
        assert without_fields(b'{"_id": "1", "x": 1.50, "type": "note"}', {"_id", "type"}) == b'{"x":1.5}'
        with pytest.raises(DecodeError, match="not an object"):
            without_fields(b"[7]", {"_id"})

    def test_the_error_of_an_unreadable_row_has_its_id(self) -> None:
        """Its bytes are not text, so only its `_id` is known."""
        with pytest.raises(DecodeError, match=r"^Note 1 at position 7 cannot be read: ") as caught:
            decode_record(Note, b'{"_id": "1", "subject": "\xff"}', position=7)
        assert (caught.value.id, caught.value.position) == ("1", 7)

    def test_text_that_only_looks_like_a_surrogate_is_unchanged(self) -> None:
        """An answer that is invalid JSON for another reason stays invalid."""
        with pytest.raises(DecodeError):
            decode_json(rb'["\\ud83d", }')

    def test_an_excerpt_is_text(self) -> None:
        """Invalid bytes are replaced, and long bodies are truncated."""
        assert excerpt("aé".encode() + b"\xff" + b"b" * 3000) == "aé\ufffd" + "b" * 1996
        assert excerpt(b"abc", 2) == "ab"


@pytest.mark.slow
def test_excessive_nesting_is_always_refused() -> None:
    """Sometimes only the encoder can detect it, because other values are validated before."""
    deep: list[Any] = []
    for _ in range(1_000_000):
        deep = [deep]
    for encode in (encode_json, encode_plain):
        with pytest.raises(ValueError, match="nested too deep"):
            encode(deep)


def test_an_aware_time_in_custom_is_written_in_planhats_format() -> None:
    """The format is UTC with milliseconds and `Z`, at any depth."""
    sent = encode_json({"custom": {"at": [NOON.astimezone(timezone(timedelta(hours=2)))]}})
    assert sent == b'{"custom":{"at":["2024-05-31T12:00:00.000Z"]}}'
