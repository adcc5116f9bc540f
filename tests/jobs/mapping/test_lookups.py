"""Values that name records: which lookups there can be, and what replaces a value."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from made_ids import id_of

from planhat_async._convert import encode_plain
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.lookups import IdTable, Lookup, LookupValue, digest_of_value, placeholder, with_ids
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Company, Ticket
from planhat_async.records import Record
from planhat_async.records.keys import is_record_id
from planhat_async.results import Unreadable

BY_EXTERNAL_ID = Lookup("companies", by="external_id")
TABLE = IdTable({digest_of_value("acme"): id_of("a"), digest_of_value("twice"): ""})


@pytest.mark.parametrize(
    ("model", "by", "message"),
    [
        ("company", "external_id", "there is no model 'company' to look in; did you mean companies?"),
        ("Companies", "external_id", "there is no model 'Companies' to look in; did you mean companies?"),
        ("x", "external_id", "there is no model 'x' to look in; there are assets, campaigns,"),
        ("companies", "external", "Company has no field 'external'"),
        ("companies", "externalID", "Company has no field 'externalID'; did you mean external_id?"),
        ("companies", "health", "Company.health is not text; a lookup is by one of id, name, external_id,"),
    ],
)
def test_a_lookup_that_cannot_be_made_is_refused(model: str, by: str, message: str) -> None:
    """With the nearest name, or with those that there are."""
    with pytest.raises(ValueError, match=r"is no|has no|is not") as caught:
        Lookup(model, by=by)
    assert message in str(caught.value)


def test_a_lookup_is_described_in_one_spelling() -> None:
    """A journal does not tell the spellings of a field apart."""
    assert str(Lookup("companies", by="externalId")) == str(BY_EXTERNAL_ID) == "companies by external_id"


@pytest.mark.parametrize(
    ("cell", "row"),
    [
        ("acme", {"company_id": LookupValue("acme")}),
        (" acme", {"company_id": LookupValue(" acme")}),
        ("42", {"company_id": LookupValue("42")}),
        (42, {"company_id": LookupValue("42")}),
        ("", {}),
        ("  ", {}),
        (None, {"company_id": None}),
    ],
)
def test_a_column_of_keys_becomes_values_to_look_up(cell: Any, row: dict[str, Any]) -> None:
    """A blank value is missing, as without a lookup; null empties the field."""
    columns = {"companyId": "Account", "title": "Subject"}
    mapping = FieldMapping.parse(Ticket, columns=columns, lookups={"company_id": BY_EXTERNAL_ID})
    assert evolve(mapping, empties_nulls=True).apply({"Account": cell, "Subject": "A"}) == row | {"title": "A"}
    assert mapping.apply({"Account": cell, "Subject": "A"}) == (row if cell is not None else {}) | {"title": "A"}
    assert mapping.apply({"Subject": "A"}) == {"title": "A"}
    if isinstance(cell, str):
        assert mapping.apply_to_text({"Account": cell, "Subject": "A"}) == row | {"title": "A"}


@pytest.mark.parametrize("value", [42.0, True, ["acme"]])
def test_a_value_that_can_be_no_key_is_refused(value: Any) -> None:
    """Neither text nor a whole number."""
    mapping = FieldMapping.parse(Ticket, columns={"company_id": "Account"}, lookups={"company_id": BY_EXTERNAL_ID})
    with pytest.raises(ValueError, match="is neither text nor a whole number") as caught:
        mapping.apply({"Account": value})
    assert str(caught.value) == f"company_id: {str(value)!r} is neither text nor a whole number"


@pytest.mark.parametrize(
    ("record", "columns", "field", "message"),
    [
        (Ticket, {"title": "A"}, "company_id", "lookups: company_id has no column"),
        (Ticket, {"tags": "A"}, "tags", "lookups: Ticket.tags does not hold one id"),
        (Ticket, {"custom.X": "A"}, "custom.X", "lookups: Ticket.custom.X does not hold one id"),
        (Ticket, {"title": "A"}, "compny_id", "lookups: Ticket has no field 'compny_id'; did you mean company_id?"),
        (Company, {"health": "A"}, "health", "lookups: Company.health does not hold one id"),
    ],
)
def test_a_lookup_for_a_field_without_an_id_is_refused(
    record: type[Record], columns: dict[str, str], field: str, message: str
) -> None:
    """Before a row is read."""
    with pytest.raises(SourceError, match=r"^lookups: ") as caught:
        FieldMapping.parse(record, columns=columns, lookups={field: BY_EXTERNAL_ID})
    assert str(caught.value).startswith(message)


def test_a_lookup_is_part_of_what_a_rerun_must_find_unchanged() -> None:
    """Without one the description is as it was before there were lookups."""
    columns = {"company_id": "Account"}
    without = FieldMapping.parse(Ticket, columns=columns).description()
    mapping = FieldMapping.parse(Ticket, columns=columns, lookups={"companyId": BY_EXTERNAL_ID})
    assert mapping.description() == {**without, "lookups": {"company_id": "companies by external_id"}}
    assert "lookups" not in without


@pytest.mark.parametrize(
    ("row", "resolved"),
    [
        ({"company_id": LookupValue("acme"), "title": "Hi"}, {"company_id": id_of("a"), "title": "Hi"}),
        ({"company_id": LookupValue("42")}, Unreadable("company_id: no company has external_id '42'")),
        ({"company_id": LookupValue("ACME")}, Unreadable("company_id: no company has external_id 'ACME'")),
        ({"company_id": LookupValue("twice")}, Unreadable("company_id: more than one company has external_id 'twice'")),
        ({"company_id": None}, {"company_id": None}),
        ({"title": "Hi"}, {"title": "Hi"}),
        (Unreadable("line 2: not JSON"), Unreadable("line 2: not JSON")),
    ],
)
def test_a_value_is_replaced_by_an_id_or_makes_its_row_invalid(row: Any, resolved: Any) -> None:
    """The reason names field, model and value."""
    assert with_ids(row, {"company_id": BY_EXTERNAL_ID}, TABLE.find) == resolved


def test_a_placeholder_looks_like_an_id_and_is_one_per_value() -> None:
    """A dry run counts bytes and repeated keys as they will be."""
    found = [placeholder(BY_EXTERNAL_ID, value) for value in ("a", "b", "a", "\udc80")]
    assert all(map(is_record_id, found))
    assert (len({*found}), found[0]) == (3, found[2])


def test_a_value_that_was_not_looked_up_cannot_be_sent() -> None:
    """Even in a field that may hold anything; it is known by its text."""
    value = LookupValue("acme")
    with pytest.raises(TypeError):
        encode_plain({"owner": value})
    assert (repr(value), len({value, LookupValue("acme")})) == ("LookupValue('acme')", 1)


def test_a_company_is_looked_up_among_companies() -> None:
    """The id of another record would be refused for each row, or be taken for a company's."""
    with pytest.raises(SourceError, match="company_id holds the id of a company, not of one of the workflows"):
        FieldMapping.parse(Ticket, columns={"company_id": "A"}, lookups={"company_id": Lookup("workflows", by="name")})
