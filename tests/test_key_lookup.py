"""Ids of records by another of their keys."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from each_model import each
from made_ids import id_of

from planhat_async import (
    AmbiguousKeyError,
    Companies,
    CustomModel,
    DecodeError,
    EndUsers,
    KeyLookup,
    LeanCompanies,
    Session,
)
from planhat_async.repositories import Lists
from planhat_async.sandbox import Sandbox

ACME, GLOBEX = id_of("a"), id_of("b")


@pytest.fixture
def planhat_with_companies(planhat: Sandbox) -> Sandbox:
    planhat.add_company(ACME, external_id="acme", name="Acme")
    planhat.add_company(GLOBEX, external_id="globex", name="Globex")
    planhat.add_company(id_of("c"), name="No external id")
    return planhat


@pytest.mark.parametrize("repository", [Companies, LeanCompanies])
@pytest.mark.parametrize("by", ["external_id", "externalId"])
async def test_a_value_finds_the_id_of_its_record(
    planhat_with_companies: Sandbox, session: Session, repository: type[Lists[Any]], by: str
) -> None:
    """A record without the value is left out; one call reads the list, and none a value."""
    lookup = await KeyLookup.load(repository(session), by=by)
    assert dict(lookup) == {"acme": ACME, "globex": GLOBEX}
    assert (lookup["acme"], lookup.get("globex"), lookup.get("other"), len(lookup)) == (ACME, GLOBEX, None, 2)
    assert ("acme" in lookup, "ACME" in lookup, dict(lookup.ambiguous)) == (True, False, {})
    assert repr(lookup) == f"<KeyLookup of {repository.__name__} by external_id: 2 values, 0 ambiguous>"
    assert len(planhat_with_companies.requests) == 1


async def test_only_the_id_and_the_field_are_fetched(planhat_with_companies: Sandbox, session: Session) -> None:
    """A list of many records is read with the smallest answers."""
    await KeyLookup.load(Companies(session), by="external_id")
    assert planhat_with_companies.requests[0].query["select"] == "_id,externalId"


@pytest.mark.usefixtures("planhat_with_companies")
async def test_a_value_of_no_record_is_a_key_error(session: Session) -> None:
    """The message names model, field and value."""
    lookup = await KeyLookup.load(Companies(session), by="external_id")
    with pytest.raises(KeyError, match="no company has external_id '42'") as caught:
        lookup["42"]
    assert type(caught.value) is KeyError


async def test_a_value_of_several_records_is_ambiguous(planhat: Sandbox, session: Session) -> None:
    """It names no record, and is no key; the ids of its records are known."""
    emails = ["a@b", "c@d", "a@b", "a@b"]
    made = [planhat.add("endusers", {"companyId": "c1", "email": email})["_id"] for email in emails]
    lookup = await KeyLookup.load(EndUsers(session), by="email")
    assert dict(lookup) == {"c@d": made[1]}
    assert dict(lookup.ambiguous) == {"a@b": (made[0], made[2], made[3])}
    assert (lookup.get("a@b"), "a@b" in lookup) == (None, False)
    with pytest.raises(AmbiguousKeyError) as caught:
        lookup["a@b"]
    assert isinstance(caught.value, KeyError)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):  # noqa: S301 - our own
        assert str(error) == "more than one end user has email 'a@b'"


@each(Lists)
async def test_every_list_can_be_looked_up(repository: type[Lists[Any]], planhat: Sandbox, session: Session) -> None:
    """Also one that has no `select`."""
    lookup = await KeyLookup.load(repository(session), by="id")
    assert dict(lookup) == {}
    assert planhat.requests


@pytest.mark.usefixtures("planhat_with_companies")
async def test_records_of_a_custom_model_can_be_looked_up(session: Session) -> None:
    """By a key or by any other field; values that are not text are left out."""
    companies = CustomModel(session, "/companies")
    assert dict(await KeyLookup.load(companies, by="external_id")) == {"acme": ACME, "globex": GLOBEX}
    assert (await KeyLookup.load(companies, by="name"))["Acme"] == ACME
    assert dict(await KeyLookup.load(companies, by="domains")) == {}
    with pytest.raises(ValueError, match="CustomRecord has no field 'a,b'"):
        await KeyLookup.load(companies, by="a,b")


async def test_archived_records_are_found_unless_left_out(planhat: Sandbox, session: Session) -> None:
    """An id is an id; options of the model's list narrow a lookup down."""
    planhat.add("endusers", {"companyId": "c1", "email": "a@b", "archived": True})
    assert "a@b" in await KeyLookup.load(EndUsers(session), by="email")
    assert "a@b" not in await KeyLookup.load(EndUsers(session), by="email", archived=False)


async def test_a_lookup_is_refreshed_on_request(planhat_with_companies: Sandbox, session: Session) -> None:
    """Until then it is as it was loaded; a refresh that fails changes nothing."""
    lookup = await KeyLookup.load(Companies(session), by="external_id")
    planhat_with_companies.add_company(id_of("d"), external_id="initech")
    planhat_with_companies.inject("error_200@1")
    with pytest.raises(DecodeError):
        await lookup.refresh()
    assert sorted(lookup) == ["acme", "globex"]
    await lookup.refresh()
    assert lookup["initech"] == id_of("d")


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("externalid", "Company has no field 'externalid'; did you mean external_id?"),
        ("health", "Company.health is not text; a lookup is by one of "),
        ("tags", "Company.tags is not text; a lookup is by one of "),
        ("custom", "Company.custom is not text; a lookup is by one of "),
    ],
)
async def test_a_field_that_is_not_text_is_refused(by: str, message: str, planhat: Sandbox, session: Session) -> None:
    """Before anything is sent, with the fields that can be used."""
    with pytest.raises(ValueError, match=message):
        await KeyLookup.load(Companies(session), by=by)
    assert not planhat.requests


@pytest.mark.parametrize("options", [{"select": ["name"]}, {"nope": 1}])
async def test_an_option_that_a_lookup_does_not_have_is_refused(session: Session, options: dict[str, Any]) -> None:
    """As in lists."""
    with pytest.raises(TypeError, match=r"select|nope"):
        await KeyLookup.load(Companies(session), by="external_id", **options)


async def test_a_custom_field_is_no_key_of_a_custom_model() -> None:
    """Its values are in `custom`, so a lookup by one would be empty."""
    async with Session("token") as session:
        with pytest.raises(ValueError, match=r"has no field 'custom\.ref'"):
            await KeyLookup.load(CustomModel(session, "/thing"), by="custom.ref")
