"""Test the made-up tenant: plausible numbers, an order in which it can be written, and records that fit together."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from planhat_async.models import ALL, Companies, EndUsers, Issues, LineItems, Notes, Nps, Tickets, Users
from planhat_async.records import Model
from planhat_async.repositories import Upserts
from planhat_async.testing.made_up_tenant import MadeUpTenant, references, repositories

NAMES = [one.model.name for one in repositories()]
TENANT = MadeUpTenant(n_companies=20)


class AnyIds(defaultdict[str, Any]):
    """The `_id`s of all records: the keys themselves."""

    def __missing__(self, name: str) -> Any:
        return _Itself()


class _Itself(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key


def records(model: Model, tenant: MadeUpTenant = TENANT) -> list[Any]:
    return list(tenant.records(model, AnyIds()))


def test_each_list_of_records_that_can_be_upserted_is_written_once() -> None:
    """Conversations are left out, because they are in one list with notes."""
    upserted = {one.model.name for one in ALL if issubclass(one, Upserts)}
    assert upserted - set(NAMES) == {"conversations"}
    assert len(NAMES) == len(set(NAMES))


def test_a_model_comes_after_those_that_its_records_name() -> None:
    """Users come before companies, companies before what belongs to them, end users before notes."""
    for one in repositories():
        before = NAMES[: NAMES.index(one.model.name)]
        assert {reference.target.name for reference in references(one.model)} <= set(before)
        assert one.model.company_field is None or "companies" in before


def test_references_follow_from_the_names_and_types_of_fields() -> None:
    """The field of the company is none of them, nor is a text such as the name of a product."""
    found = {
        (one.field.name, one.target.name) for model in (Issues, LineItems, Notes) for one in references(model.model)
    }
    assert found == {
        ("enduser_ids", "endusers"),
        ("followers", "users"),
        ("deal_id", "deals"),
        ("product_id", "products"),
        ("users", "users"),
        ("endusers", "endusers"),
    }
    assert not any(one.field.name == "product" for each in repositories() for one in references(each.model))


def test_a_whole_tenant_has_tens_of_thousands_of_records() -> None:
    """Ten end users of each company, and a user for forty companies; a small tenant has one record of each model."""
    tenant = MadeUpTenant()
    counts = {one.model.name: tenant.count(one.model) for one in repositories()}
    assert (counts["companies"], counts["endusers"], counts["users"]) == (2_000, 20_000, 50)
    assert sum(counts.values()) + sum(1 for _ in tenant.metrics()) == 82_200
    assert min(MadeUpTenant(n_companies=1).count(one.model) for one in repositories()) == 1


def test_the_seed_decides_all_records() -> None:
    """Equal seeds make equal records."""
    again, other = MadeUpTenant(n_companies=20), MadeUpTenant(n_companies=20, seed=1)
    for one in repositories():
        assert records(one.model, again) == records(one.model) != records(one.model, other)


def test_records_belong_to_companies_evenly() -> None:
    """Every company has as many end users; a record without a company in the model has none."""
    companies = [enduser.company_id for enduser in records(EndUsers.model)]
    assert all(companies.count(f"extid-company-{number}") == 10 for number in range(1, 21))
    assert {one.external_id for one in records(Companies.model)} == {f"company-{number}" for number in range(1, 21)}


def test_an_end_user_has_an_address_of_the_company() -> None:
    """That is how Planhat finds the company of an end user who names none."""
    domains = {f"extid-{one.external_id}": one.domains for one in records(Companies.model)}
    assert all(domains[one.company_id] == [one.email.partition("@")[2]] for one in records(EndUsers.model))


def test_a_company_that_cannot_be_named_by_a_key_is_named_by_its_id() -> None:
    """So it is with tickets and NPS answers."""
    for model in (Tickets.model, Nps.model):
        assert [one.company_id for one in records(model)[:3]] == ["company-1", "company-2", "company-3"]


def test_records_name_end_users_of_their_own_company() -> None:
    """By `_id` or by the address."""
    endusers = {one.external_id: one for one in records(EndUsers.model)}
    addresses = {one.email: one.company_id for one in endusers.values()}
    for note in records(Notes.model):
        assert [endusers[one.id].company_id for one in note.endusers] == [note.company_id]
    for answer in records(Nps.model):
        assert addresses[answer.email] == f"extid-{answer.company_id}"


def test_records_without_a_company_of_their_model_are_named_by_all() -> None:
    """Each company has an owner among the users."""
    users = {one.external_id for one in records(Users.model)}
    assert {one.owner for one in records(Companies.model)} == users


def test_metrics_belong_to_companies_and_end_users() -> None:
    """Each has another time, so that they can be told apart."""
    metrics = list(TENANT.metrics())
    keys = {one.external_id for model in (Companies.model, EndUsers.model) for one in records(model)}
    assert {one.model for one in metrics} == {"Company", "EndUser"}
    assert {one.external_id for one in metrics} <= keys
    assert len({one.date for one in metrics}) == len(metrics) == 100
