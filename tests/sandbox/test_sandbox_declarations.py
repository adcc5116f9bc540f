"""Test that client and sandbox declare the same of every model, though neither imports the other."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_type_hints

import attrs
import pytest
from each_model import can_be_written

from planhat_async.models import ALL
from planhat_async.records import UNKNOWN_LIMITS, Model
from planhat_async.records.filters import TypeFilter
from planhat_async.repositories import Upserts
from planhat_async.sandbox.models import ALL as ALL_RULES
from planhat_async.sandbox.models import Rules
from planhat_async.sandbox.models.rules import UNKNOWN_DEFAULT_LIMIT, UNKNOWN_MAX_LIMIT

REPOSITORIES = {repository.model.name: repository for repository in ALL}
SANDBOX = {rules.name: rules for rules in ALL_RULES}
COMPARED = {
    "name",
    "record",
    "path",
    "limits",
    "filters",
    "get_keys",
    "update_keys",
    "delete_keys",
    "match",
    "returned_as",
    "needs",
    "upsert_needs",
    "needs_with",
    "creation_defaults",
    "company_field",
    "company_keys",
    "discriminator",
}
"""The fields of `Model` that these tests compare."""
ONLY_IN_CLIENT = {"is_answered_with_record", "altered"}
"""Undocumented answers that the client accepts, and fields that recognise no row; the sandbox does not declare them."""
MORE_KEYS = {
    ("notes", "get"): {"srcid"},
    ("tasks", "get"): {"extid"},
    ("tasks", "update"): {"extid"},
    ("conversations", "get"): {"srcid"},
}
"""Kinds of keys that the sandbox accepts and the client refuses.

Planhat's page on keys allows either prefix in any URL, but its pages on these calls name only one; the client
sends the keys that both allow.
"""


def _wire_names(record: type[Any]) -> dict[str, str]:
    """Return Planhat's name of each field of a record class."""

    def camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(word.capitalize() for word in rest)

    return {field.name: field.metadata.get("wire") or camel(field.name) for field in attrs.fields(record)}


def _writable(model: Model) -> set[str]:
    """Return the fields that a record sends; no fields if the model cannot be written."""
    fields = attrs.fields(model.record) if can_be_written(REPOSITORIES[model.name]) else ()
    return {field.name for field in fields if field.metadata.get("writable")}


@pytest.fixture(params=sorted(REPOSITORIES))
def pair(request: pytest.FixtureRequest) -> tuple[Model, Rules]:
    """Return the declarations of one model in the client and the sandbox; a missing one raises an error."""
    return REPOSITORIES[request.param].model, SANDBOX[request.param]


def test_every_fact_about_a_model_is_compared() -> None:
    """A new field must be compared here or belong to the client alone."""
    assert {field.name for field in attrs.fields(Model)} == COMPARED | ONLY_IN_CLIENT


def test_the_paths_are_the_same(pair: tuple[Model, Rules]) -> None:
    """The client's paths begin with a slash."""
    model, rules = pair
    assert model.path == f"/{rules.path}"


def test_the_limits_of_pages_are_the_same(pair: tuple[Model, Rules]) -> None:
    """The default and the maximum are compared; the client assumes neither if they are unknown."""
    model, rules = pair
    limits = model.limits
    if limits is None:
        assert not rules.is_paged
    elif limits is UNKNOWN_LIMITS:
        assert (rules.default_limit, rules.max_limit) == (UNKNOWN_DEFAULT_LIMIT, UNKNOWN_MAX_LIMIT)
    else:
        assert (limits.default, limits.most) == (rules.default_limit, rules.max_limit)


@pytest.mark.parametrize("name", sorted(REPOSITORIES))
def test_the_calls_are_the_same(name: str) -> None:
    """Neither has a call that the other lacks."""
    repository, rules = REPOSITORIES[name], SANDBOX[name]
    offered = {
        "get": rules.get_keys,
        "update": rules.update_keys,
        "delete": rules.delete_keys,
        "create": rules.is_creatable,
        "upsert_many": rules.match,
    }
    assert {call for call in offered if hasattr(repository, call)} == {call for call, has in offered.items() if has}


def test_the_keys_of_calls_are_the_same(pair: tuple[Model, Rules]) -> None:
    """Both accept an `_id` and the same prefixes for each call."""
    model, rules = pair
    calls = {
        "get": (model.get_keys, rules.get_keys),
        "update": (model.update_keys, rules.update_keys),
        "delete": (model.delete_keys, rules.delete_keys),
    }
    for call, (sent, accepted) in calls.items():
        expected = {"_id"} if hasattr(REPOSITORIES[model.name], call) else set()
        expected |= {prefix.removesuffix("-") for prefix in sent}
        assert set(accepted) == expected | MORE_KEYS.get((model.name, call), set()), call


def test_a_bulk_upsert_is_matched_on_the_same_keys(pair: tuple[Model, Rules]) -> None:
    """The keys have the same order."""
    model, rules = pair
    wire = _wire_names(model.record)
    match = model.match if issubclass(REPOSITORIES[model.name], Upserts) else ()
    assert [wire[name] for name in match] == [sent for sent, _ in rules.match]


def test_an_answer_gives_a_key_the_same_name(pair: tuple[Model, Rules]) -> None:
    """A key stored under another field's name is returned under that name."""
    model, rules = pair
    wire = _wire_names(model.record)
    returned_as = {wire[returned]: wire[sent] for returned, sent in model.returned_as.items()}
    assert returned_as == {stored: sent for sent, stored in rules.match if stored != sent}


def test_the_filters_are_the_same(pair: tuple[Model, Rules]) -> None:
    """Only filters that Planhat applies are compared; the client filters conversations by type itself."""
    model, rules = pair
    sent: list[Any] = [one for one in model.filters if not isinstance(one, TypeFilter)]
    assert {one.wire for one in sent} == {one.parameter for one in rules.filters}


def test_a_record_names_its_company_in_the_same_field(pair: tuple[Model, Rules]) -> None:
    """Either both have such a field or neither has."""
    model, rules = pair
    name = model.company_field
    assert (None if name is None else _wire_names(model.record)[name]) == (rules.company and rules.company.key)
    if rules.company is not None and can_be_written(REPOSITORIES[model.name]):
        assert {prefix.removesuffix("-") for prefix in model.company_keys} == {*rules.company.key_kinds} - {"_id"}


def test_the_client_distinguishes_records_in_shared_lists(pair: tuple[Model, Rules]) -> None:
    """A model needs a discriminator if its list shows a collection that it shares."""
    model, rules = pair
    shows_others = rules.collection != rules.name and rules.visible_partitions != rules.partitions
    assert bool(model.discriminator) == shows_others


def test_the_writable_fields_are_the_same(pair: tuple[Model, Rules]) -> None:
    """The `_id` is excluded, which the sandbox reads and never writes."""
    model, rules = pair
    wire = _wire_names(model.record)
    assert {wire[name] for name in _writable(model)} - {"_id"} == rules.writable


def test_the_writable_times_are_the_same(pair: tuple[Model, Rules]) -> None:
    """The client sends them as `datetime`; the sandbox stores them in one form."""
    model, rules = pair
    wire, hints = _wire_names(model.record), get_type_hints(model.record)
    assert {wire[name] for name in _writable(model) if hints[name] == datetime | None} == rules.times


def test_the_required_fields_of_a_creation_are_the_same(pair: tuple[Model, Rules]) -> None:
    """The sandbox requires the fields that the client adds, and those without which rows are dropped."""
    model, rules = pair
    wire = _wire_names(model.record)
    creation_defaults = {frozenset([name]) for name in model.creation_defaults}
    dropped = {frozenset([name]) for name in rules.dropped_without}
    bulk_needs = rules.needs if rules.bulk_needs is None else rules.bulk_needs
    for needs, expected in ((model.needs, rules.needs), (model.upsert_needs, bulk_needs)):
        needed = {frozenset(wire[name] for name in group) - {"_id"} for group in needs}
        assert needed | creation_defaults == set(map(frozenset, expected)) | dropped
    with_others = {(wire[field], value, wire[other]) for field, value, other in model.needs_with}
    assert with_others == {(field, value, other) for field, value, other, _ in rules.needs_with}
