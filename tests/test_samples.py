"""Test sample records: realistic, seeded, and valid for Planhat."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from each_model import can_be_written, each

from planhat_async import Companies, Company, Notes, Session, Tasks, Tickets
from planhat_async._convert import encode_json, fields_of, requirements_of, to_wire
from planhat_async.models import ALL
from planhat_async.repositories import Repository, Upserts
from planhat_async.sandbox import Sandbox
from planhat_async.testing.samples import make_note, make_record, make_task, make_ticket

WRITTEN = [repository for repository in ALL if can_be_written(repository)]
MAKERS = pytest.mark.parametrize(
    "make",
    [make_note, make_task, make_ticket, *(partial(make_record, repository.model.record) for repository in WRITTEN)],
    ids=[*("note", "task", "ticket"), *(f"any of {repository.model.name}" for repository in WRITTEN)],
)


@MAKERS
def test_the_seed_and_the_number_determine_the_record(make: Callable[..., Any]) -> None:
    """Equal seeds and numbers create equal records; another seed or number creates another record."""
    assert make(3, seed=1) == make(3, seed=1)
    assert make(3, seed=1) != make(3, seed=2)
    assert len({repr(make(number)) for number in range(100)}) == 100


@MAKERS
def test_fields_may_be_given(make: Callable[..., Any]) -> None:
    """An unknown field is an error, as with the record itself."""
    assert make(custom={"a": 1}).custom == {"a": 1}
    with pytest.raises(TypeError, match="colour"):
        make(colour="red")


async def test_planhat_stores_the_samples(planhat: Sandbox, session: Session) -> None:
    """All are stored and read back unchanged."""
    models: list[tuple[Any, Callable[..., Any], str]] = [
        (Notes, make_note, "external_id"),
        (Tasks, make_task, "source_id"),
    ]
    for repository, make, key in models:
        made = [make(number) for number in range(1, 51)]
        assert (await repository(session).upsert_many(made)).created == 50
        stored = {getattr(record, key): record async for record in repository(session).iter()}
        for record in made:
            again = stored[getattr(record, key)]
            assert (again.company_id, again.description, again.custom) == (
                record.company_id,
                record.description,
                record.custom,
            )
    assert (await Tickets(session).upsert_many(make_ticket(number) for number in range(1, 51))).stored == 50
    assert len(planhat.records("tickets")) == 50


@pytest.mark.parametrize("repository", WRITTEN, ids=lambda one: one.model.name)
def test_a_record_of_any_model_can_be_created(repository: type[Repository[Any]]) -> None:
    """Nearly every writable field has a value, which depends on number and seed only."""
    cls = repository.model.record
    made = make_record(cls, 7, seed=3)
    assert made == make_record(cls, 7, seed=3)
    assert made != make_record(cls, 8, seed=3)
    assert encode_json(to_wire(cls, made))
    wire = {**to_wire(cls, made), **repository.model.creation_defaults}
    requirements_of(repository.model).check_creation(wire)
    assert make_record(cls, custom={"Seats": 7}).custom == {"Seats": 7}


@each(Upserts)
async def test_records_of_any_model_belong_to_the_company_of_a_number(
    planhat: Sandbox, session: Session, repository: type[Upserts[Any]]
) -> None:
    """Where a model names companies by `_id` only, the caller gives it."""
    model = repository.model
    await Companies(session).upsert_many(make_record(Company, number) for number in range(1, 6))
    ids = {one["externalId"]: one["_id"] for one in planhat.records("companies")}
    if repository is Companies or model.company_field is None:
        return
    only_ids = {"deals", "nps", "time_entries"}
    made = []
    for number in range(1, 6):
        company_id = {"company_id": ids[f"company-{number}"]} if model.name in only_ids else {}
        made.append(make_record(model.record, number, company=number, **company_id))
    result = await repository(session).upsert_many(made)
    assert (result.stored, result.problems) == (5, [])
    wire = fields_of(model.record)[model.company_field].wire
    stored = [one[wire] for one in planhat.records(model.name)]
    assert [one[0] if isinstance(one, list) else one for one in stored] == [*ids.values()]


DERIVED = {
    "tasks": {"snippet"},
    "tickets": {"snippet"},
    "notes": {"snippet"},
    "conversations": {"snippet"},
    "time_entries": {"date"},
    "line_items": {"arr"},
}
"""Fields that Planhat computes from others, or cuts to a day."""


@each(Upserts)
async def test_planhat_stores_records_of_any_model(
    planhat: Sandbox, session: Session, repository: type[Upserts[Any]]
) -> None:
    """Every field is stored unchanged, except those that Planhat computes."""
    made = [make_record(repository.model.record, number) for number in range(1, 51)]
    assert (await repository(session).upsert_many(made)).stored == 50
    assert len(planhat.records(repository.model.name)) == 50
    for record, stored in zip(made, planhat.records(repository.model.name), strict=True):
        sent = to_wire(repository.model.record, record)
        assert {name for name, value in sent.items() if stored.get(name) != value} <= DERIVED.get(
            repository.model.name, set()
        )
