"""Test the fields of records and their names on the wire."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from planhat_async import ChecklistItem, Note, Person, Record, StatusChange, Task, Ticket
from planhat_async._convert import fields_of
from planhat_async.models import ALL
from planhat_async.records.documentation import documentation_of
from planhat_async.records.record_values import camel_case
from planhat_async.repositories import Repository

NOTE_SENT = "_id companyId subject description date activityTags users companyExternalId type endusers custom"
NOTE_ANSWERED = """
    starred pinned autoTags emailTemplateIds isOpen tags waitsToBeFiltered timeBucket archived snippet companyName
    createDate sender history __v companySourceId owner followers userId note nickName userIds isCustomType
    assigneeName hasAttachments isSeen hasMore"""
NOTE_KEYS = "externalId sourceId"

TASK_SENT = """
    _id mainType companyId startTime endTime dateDone action description repeat repeatDays type ownerId doneBy
    sourceId activityTags isArchived status checklist snippet custom"""
TASK_FILLED_IN = "companyName shared overdueNotified endusers users createdAt updatedAt"
TASK_FILLED_IN_YET_TAKEN = "ownerName noSpecificTime"
TASK_ANSWERED = """
    workflowId workflowName workflowTaskId workflowTemplateId workflowStepId parent sortPosition children comments
    userEmail __v"""

TICKET_SENT = """
    _id source companyId sourceId email domains companyExternalId title description url tags type severity product
    timeSpent status history name agentEmail custom"""
TICKET_ANSWERED = """
    externalId subType subject snippet createDate updateDate date days timeBucket companyName endusers inDate starred
    pinned activityTags autoTags emailTemplateIds isOpen waitsToBeFiltered archived users sender comments"""

WRITABLE = {
    Note: {*NOTE_SENT.split(), *NOTE_KEYS.split()},
    Task: {*TASK_SENT.split(), *TASK_FILLED_IN_YET_TAKEN.split()},
    Ticket: {*TICKET_SENT.split()},
}
READ_ONLY = {
    Note: {*NOTE_ANSWERED.split()},
    Task: {*TASK_FILLED_IN.split(), *TASK_ANSWERED.split()},
    Ticket: {*TICKET_ANSWERED.split()},
}
RECORDS: list[type[Record]] = [repository.model.record for repository in ALL]
TIMES = {
    Note: {"date", "createDate"},
    Task: {"startTime", "endTime", "dateDone", "createdAt", "updatedAt"},
    Ticket: {"createDate", "updateDate", "date", "inDate"},
}


@pytest.mark.parametrize("cls", WRITABLE)
def test_the_fields_are_exactly_the_documented_ones(cls: type[Record]) -> None:
    """Planhat's names are compared for writable and generated fields."""
    fields = fields_of(cls).values()
    assert {field.wire for field in fields if field.is_writable} == WRITABLE[cls]
    assert {field.wire for field in fields if not field.is_writable} == READ_ONLY[cls]


@pytest.mark.parametrize("cls", RECORDS)
def test_every_field_has_a_name_in_snake_case(cls: type[Record]) -> None:
    """An attribute's name is Planhat's in snake_case; other attributes are declared with both names.

    There are two of them in notes, tasks and tickets.
    """
    declared = {attribute.name for attribute in attrs.fields(cls) if attribute.metadata.get("wire")}
    assert declared >= {"id"}
    assert cls not in WRITABLE or declared <= {"id", "version"}
    for name, field in fields_of(cls).items():
        words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in field.wire)
        assert (name == words and camel_case(name) == field.wire) is (name not in declared)
        assert name == name.lower()


@pytest.mark.parametrize("cls", RECORDS)
def test_every_field_is_documented(cls: type[Record]) -> None:
    """Each has one sentence, for `help` and for editors."""
    documented = documentation_of(cls)
    assert all(documented[attribute.name].endswith(".") for attribute in attrs.fields(cls))


@pytest.mark.parametrize("cls", TIMES)
def test_every_documented_time_is_a_datetime(cls: type[Record]) -> None:
    """Times are not compared as text."""
    assert {field.wire for field in fields_of(cls).values() if field.type is datetime} == TIMES[cls]


def test_nested_objects_have_planhats_names_too() -> None:
    """A person has an `id`, not an `_id` like records."""
    assert [field.wire for field in fields_of(Person).values()] == ["id", "name", "isOwner"]
    assert [field.wire for field in fields_of(ChecklistItem).values()] == ["title"]
    assert [field.wire for field in fields_of(StatusChange).values()] == ["status", "time"]


@pytest.mark.parametrize("cls", RECORDS)
def test_a_record_has_no_required_fields(cls: type[Record]) -> None:
    """Every field is `None` until it is set, except the two dicts; each record has its own."""
    first, second = cls(), cls()
    held = {name: value for name, value in attrs.asdict(first).items() if value is not None}
    assert held == {"custom": {}, "extra": {}}
    assert first.custom is not second.custom
    assert first.extra is not second.extra


@pytest.mark.parametrize("cls", RECORDS)
def test_fields_are_given_by_name(cls: type[Record]) -> None:
    """Their order may change."""
    with pytest.raises(TypeError, match="positional"):
        cls("61006bc89a3e0b702ed8ea49")  # type: ignore[call-arg]


def test_an_unknown_attribute_cannot_be_set() -> None:
    """Otherwise a typo such as `task.state = ...` would never reach Planhat."""
    with pytest.raises(AttributeError, match="state"):
        Task().state = "done"  # type: ignore[attr-defined]


def test_records_are_equal_by_value() -> None:
    """Records with the same fields are equal if they have the same class."""
    assert Task(id="1", custom={"a": 1}) == Task(id="1", custom={"a": 1})
    assert Task(id="1") != Task(id="1", extra={"new": 1})
    other: Record = Ticket(id="1")
    assert Task(id="1") != other


def test_the_repr_of_a_record_shows_only_set_fields() -> None:
    """Fifty times `None` would hide the rest; `False`, 0 and empty text are set."""
    task = Task(id="1", is_archived=False, repeat_days=0, status="", activity_tags=[], extra={"new": None})
    shown = "Task(id='1', extra={'new': None}, repeat_days=0, activity_tags=[], is_archived=False, status='')"
    assert repr(task) == shown
    assert repr(Note()) == "Note()"


def test_matching_keys() -> None:
    """Planhat does not match notes by `sourceId`; the order is Planhat's."""
    match = {repository.model.record: repository.model.match for repository in ALL}
    assert [match[cls] for cls in (Note, Task, Ticket)] == [("id",), ("id", "source_id"), ("id", "source_id")]


@pytest.mark.parametrize("repository", ALL, ids=lambda one: one.model.name)
def test_fields_named_by_a_model_exist_in_its_record(repository: type[Repository[Any]]) -> None:
    """Those used for matching and required for creation are writable, too."""
    model, fields = repository.model, fields_of(repository.model.record)
    needed = {name for group in (*model.needs, *model.upsert_needs) for name in group}
    written = {*model.match, *needed, *model.returned_as.values(), *(name for name, _, _ in model.needs_with)}
    assert written <= {name for name, field in fields.items() if field.is_writable}
    assert {*model.returned_as} | {model.company_field} - {None} <= fields.keys()
    assert {*model.creation_defaults} <= {field.wire for field in fields.values() if field.is_writable}


def test_nested_objects_accept_planhats_values() -> None:
    """They can be created for writing, with aware times."""
    time = datetime(2024, 5, 31, tzinfo=UTC)
    assert StatusChange(status="open", time=time) == StatusChange(status="open", time=time, extra={})
    assert Person(id="1", name="Jo").is_owner is None
    assert ChecklistItem().title is None


@pytest.mark.parametrize("repository", ALL, ids=lambda one: one.model.name)
def test_the_code_for_type_checkers_uses_every_model(repository: type[Repository[Any]]) -> None:
    """It uses the repository and the record."""
    tree = ast.parse((Path(__file__).parent / "typing_user_code.py").read_text())
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {repository.__name__, repository.model.record.__name__} <= used
