"""Test the choice of records and fields for an export."""

from __future__ import annotations

from typing import Any

import pytest
from each_model import each
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async import Companies, EndUsers, LeanCompanies, Notes, Nps, Tasks, Tickets, Users
from planhat_async._convert import fields_of
from planhat_async.jobs.export_selection import ExportSelection
from planhat_async.records import Model
from planhat_async.repositories import Lists

ID, OTHER_ID = "5f4e3d2c1b0a998877665544", "5f4e3d2c1b0a998877665545"


def parse(model: Model, *fields: str, **filters: str) -> ExportSelection:
    """Return the selection by these texts."""
    return ExportSelection.parse(
        model, fields=fields, filters=[(f"--filter {name}", name, text) for name, text in filters.items()]
    )


# Fields.


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        ([], ()),
        (["title,source_id"], ("_id", "title", "sourceId")),
        (["title", "sourceId, id"], ("title", "sourceId", "_id")),
        (["title,title,custom.Net ARR"], ("_id", "title", "custom.Net ARR")),
        (["id"], ("_id",)),
    ],
)
def test_fields_keep_their_order(texts: list[str], fields: tuple[str, ...]) -> None:
    """They are Planhat's names, each once; the `_id` comes first unless it is named."""
    assert parse(Tickets.model, *texts).fields == fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("titel", "--fields: Ticket has no field 'titel'; did you mean title?"),
        ("extra", "--fields: Ticket has no field 'extra'"),
        ("custom.", "--fields: 'custom.' names no custom field"),
        ("custom,custom.ARR", "--fields: custom already holds custom.ARR: leave one of them out"),
        ("all,custom.ARR", "--fields: custom already holds custom.ARR: leave one of them out"),
        (" , ", "--fields names no field"),
    ],
)
def test_a_wrong_choice_of_fields_is_refused(text: str, message: str) -> None:
    """The message names the field."""
    with pytest.raises(ValueError, match=r"^--fields") as caught:
        parse(Tickets.model, text)
    assert str(caught.value) == message


def test_all_fields_are_the_documented_ones_without_secrets() -> None:
    """An export of users holds no API tokens."""
    fields = parse(Users.model, "all").fields
    assert {field.wire for field in fields_of(Users.model.record).values()} - {*fields} == {"apiTokens"}


@each(Lists)
@settings(max_examples=10)
@given(data=st.data())
def test_any_fields_in_either_spelling_are_selected(repository: type[Lists[Any]], data: st.DataObject) -> None:
    """The listing selects what the columns are."""
    fields = list(fields_of(repository.model.record).values())
    chosen = data.draw(st.lists(st.sampled_from(fields), min_size=1, unique_by=lambda field: field.name))
    names = [data.draw(st.sampled_from([field.name, field.wire])) for field in chosen]
    selection = parse(repository.model, ",".join(names))
    assert [name for name in selection.fields if name != "_id" or "id" in names or "_id" in names] == [
        field.wire for field in chosen
    ]
    expected = None if repository is LeanCompanies else selection.fields
    assert selection.options(repository.model).get("select") == expected


# Filters.


@pytest.mark.parametrize(
    ("model", "name", "text", "value"),
    [
        (Tickets.model, "status", "a=b, c", "a=b, c"),
        (Tickets.model, "company-id", f"{ID}, extid-7", [ID, "extid-7"]),
        (LeanCompanies.model, "status", "lead,lost", ["lead", "lost"]),
        (Nps.model, "max_age_days", "30", 30),
        (Notes.model, "type", "any", None),
        (Notes.model, "type", "call", "call"),
        (Tasks.model, "archived", "TRUE", True),
        (Tasks.model, "archived", "any", None),
        (EndUsers.model, "archived", "false", False),
    ],
)
def test_a_text_is_read_as_the_value_of_its_filter(model: Model, name: str, text: str, value: object) -> None:
    """A dash in a name is an underscore."""
    selection = ExportSelection.parse(model, filters=[("--filter", name, text)])
    assert selection.filters == {name.replace("-", "_"): value}


def test_a_filter_of_several_keys_may_be_given_several_times() -> None:
    """All of its texts count."""
    given_twice = [("--company-id", "company_id", "srcid-7"), ("--filter company_id", "company_id", f"{ID},{OTHER_ID}")]
    assert ExportSelection.parse(Tasks.model, filters=given_twice).filters == {"company_id": ["srcid-7", ID, OTHER_ID]}


@pytest.mark.parametrize(
    ("model", "name", "texts", "message"),
    [
        (Tickets.model, "type", ["x"], "tickets have no such filter; they have company_id, status, email, search"),
        (Users.model, "status", ["x"], "users have no such filter; they have none"),
        (Tickets.model, "status", ["a", "b"], "status takes one value, not 'a' and 'b'"),
        (Tickets.model, "status", [" "], "status must not be blank: ' '"),
        (Nps.model, "max_age_days", ["-1"], "max_age_days must be a whole number of at least 0, not '-1'"),
        (Tasks.model, "archived", ["yes"], "archived must be true, false or any, not 'yes'"),
        (
            Companies.model,
            "company_id",
            ["acme"],
            (
                "'acme' is not an _id (24 hex digits): company_id takes an _id, extid-KEY or srcid-KEY; "
                "a key of your own is written extid-KEY or srcid-KEY"
            ),
        ),
        (
            EndUsers.model,
            "enduser_id",
            ["extid-7"],
            "'extid-7' is not an _id (24 hex digits): enduser_id takes an _id, not extid-KEY or srcid-KEY",
        ),
    ],
)
def test_a_wrong_filter_is_refused(model: Model, name: str, texts: list[str], message: str) -> None:
    """The message begins with the option; a model without the filter names those that it has."""
    with pytest.raises(ValueError, match=r"^--here: ") as caught:
        ExportSelection.parse(model, filters=[("--here", name, text) for text in texts])
    assert str(caught.value) == f"--here: {message}"


def test_by_default_everything_is_listed() -> None:
    """Hidden records too, unless a filter says otherwise."""
    assert ExportSelection().options(EndUsers.model) == {"archived": None}
    assert parse(EndUsers.model, archived="false").options(EndUsers.model) == {"archived": False}


# Resumption.


@pytest.mark.parametrize(
    ("fields", "filters", "archive"),
    [
        ([], {}, ("archived", "isArchived")),
        (["action,is_archived"], {}, ("archived", "isArchived")),
        (["action"], {"archived": "true"}, None),
        ([], {"archived": "false", "company_id": ID}, None),
    ],
)
def test_an_export_of_one_list_or_of_two_parts_can_be_resumed(
    fields: list[str], filters: dict[str, str], archive: tuple[str, str] | None
) -> None:
    """Where there are two, each record says which one it is in."""
    assert parse(Tasks.model, *fields, **filters).archive(Tasks.model) == archive


def test_an_export_of_several_lists_cannot_be_resumed() -> None:
    """Its records are not in one order."""
    selection = parse(Companies.model, company_id=",".join(f"{number:024x}" for number in range(200)))
    with pytest.raises(ValueError, match="several of Planhat's lists"):
        selection.archive(Companies.model)


def test_an_export_that_does_not_say_which_list_a_record_is_in_cannot_be_resumed() -> None:
    """The message names the field that is missing."""
    with pytest.raises(ValueError, match="--resume needs the field isArchived in --fields"):
        parse(Tasks.model, "action").archive(Tasks.model)
