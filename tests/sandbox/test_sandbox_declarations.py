"""Client and sandbox say the same of every model, though neither imports the other."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

import planhat_async.models
from planhat_async.sandbox.models import ALL, Rules

_REPOSITORIES = {repository.model.name: repository for repository in getattr(planhat_async.models, "ALL", ())}
_CLIENT = {name: repository.model for name, repository in _REPOSITORIES.items()}
_SANDBOX = {rules.name: rules for rules in ALL}
_BOTH = sorted(_CLIENT.keys() & _SANDBOX.keys())

pytestmark = pytest.mark.skipif(not _CLIENT, reason="the client has no list of models")


def _wire_names(record: type[Any]) -> dict[str, str]:
    """Planhat's name of each field of a record class."""

    def camel(name: str) -> str:
        first, *rest = name.split("_")
        return first + "".join(word.capitalize() for word in rest)

    return {field.name: field.metadata.get("wire") or camel(field.name) for field in attrs.fields(record)}


@pytest.fixture(params=_BOTH)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Rules]:
    """What the client and the sandbox declare of one model."""
    return _CLIENT[request.param], _SANDBOX[request.param]


def test_the_sandbox_knows_every_model_of_the_client() -> None:
    """By its name, and with a path."""
    assert _CLIENT.keys() <= {name for name, rules in _SANDBOX.items() if rules.path is not None}


def test_the_paths_are_the_same(pair: tuple[Any, Rules]) -> None:
    """The client's begin with a slash."""
    model, rules = pair
    assert model.path == f"/{rules.path}"


def test_the_limits_of_pages_are_the_same(pair: tuple[Any, Rules]) -> None:
    """The default one and the largest."""
    model, rules = pair
    assert (model.limits.default, model.limits.most) == (rules.default_limit, rules.max_limit)


@pytest.mark.parametrize("name", _BOTH)
def test_the_calls_are_the_same(name: str) -> None:
    """Neither has a call that the other lacks."""
    repository, rules = _REPOSITORIES[name], _SANDBOX[name]
    offered = {
        "get": rules.get_keys,
        "update": rules.update_keys,
        "delete": rules.delete_keys,
        "create": rules.is_creatable,
        "upsert_many": rules.match,
    }
    assert {call for call in offered if hasattr(repository, call)} == {call for call, has in offered.items() if has}


def test_the_sandbox_takes_every_key_that_the_client_sends(pair: tuple[Any, Rules]) -> None:
    """Besides an `_id`, the client names prefixes; a deletion takes exactly what the client sends."""
    model, rules = pair

    def kinds(prefixes: tuple[str, ...]) -> set[str]:
        return {str(prefix).removesuffix("-") for prefix in prefixes}

    assert kinds(model.get_keys) <= set(rules.get_keys)
    assert kinds(model.update_keys) <= set(rules.update_keys)
    assert kinds(model.delete_keys) | {"_id"} == set(rules.delete_keys)


def test_a_bulk_upsert_is_matched_on_the_same_keys(pair: tuple[Any, Rules]) -> None:
    """In the same order."""
    model, rules = pair
    wire = _wire_names(model.record)
    assert [wire[name] for name in model.match] == [sent for sent, _ in rules.match]


def test_the_filters_are_the_same(pair: tuple[Any, Rules]) -> None:
    """Those that the client leaves to Planhat; some it applies itself."""
    model, rules = pair
    sent = {parameter for parameter in (getattr(one, "wire", None) for one in model.filters) if parameter is not None}
    assert sent == {one.parameter for one in rules.filters}


def test_a_record_names_its_company_in_the_same_field(pair: tuple[Any, Rules]) -> None:
    """Or neither has such a field."""
    model, rules = pair
    name = getattr(model, "company_field", None)
    assert (None if name is None else _wire_names(model.record)[name]) == (rules.company and rules.company.key)


def test_the_writable_fields_are_the_same(pair: tuple[Any, Rules]) -> None:
    """Besides the `_id`, which the sandbox reads and never writes."""
    model, rules = pair
    wire = _wire_names(model.record)
    writable = {wire[field.name] for field in attrs.fields(model.record) if field.metadata.get("writable")}
    assert writable - {"_id"} == rules.writable


def test_a_creation_needs_the_same(pair: tuple[Any, Rules]) -> None:
    """What the client fills in, or knows to be dropped without, the sandbox needs as well."""
    model, rules = pair
    wire = _wire_names(model.record)
    needed = {frozenset(wire[name] for name in group) - {"_id"} for group in model.needs}
    filled_in = {frozenset([name]) for name in model.creation_defaults}
    dropped = {frozenset([name]) for name in rules.dropped_without}
    assert needed | filled_in == set(map(frozenset, rules.needs)) | dropped
    with_others = {(wire[field], value, wire[other]) for field, value, other in model.needs_with}
    assert with_others == {(field, value, other) for field, value, other, _ in rules.needs_with}
