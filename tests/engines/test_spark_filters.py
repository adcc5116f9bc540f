"""Test the filters that conditions of Spark's queries imply."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from planhat_async import Companies, EndUsers, Tasks, Tickets
from planhat_async.engines.spark_filters import Condition, condition_of, filters_for

ID, OTHER = "64b5f0c2a1b2c3d4e5f60718", "64b5f0c2a1b2c3d4e5f60719"


class EqualTo(NamedTuple):
    attribute: tuple[str, ...]
    value: Any


class In(NamedTuple):
    attribute: tuple[str, ...]
    value: Any


class GreaterThan(NamedTuple):
    attribute: tuple[str, ...]
    value: Any


class Not(NamedTuple):
    child: Any


@pytest.mark.parametrize(
    ("pushed", "expected"),
    [
        (EqualTo(("status",), "open"), Condition("status", ("open",))),
        (In(("status",), ("open", "done")), Condition("status", ("open", "done"))),
        (EqualTo(("custom", "a"), "open"), None),
        (EqualTo(("status",), None), None),
        (GreaterThan(("status",), "open"), None),
        (Not(EqualTo(("status",), "open")), None),
    ],
)
def test_only_equality_is_understood(pushed: Any, expected: Condition | None) -> None:
    """Everything else is left to Spark."""
    assert condition_of(pushed) == expected


@pytest.mark.parametrize(
    ("repository", "column", "values", "expected"),
    [
        (Tickets, "status", ("open",), {"status": "open"}),
        (Tickets, "status", ("open", "done"), {}),
        (Tickets, "status", (" ",), {}),
        (Tickets, "status", (3,), {}),
        (Tickets, "subject", ("a",), {}),
        (Tasks, "companyId", (ID, OTHER), {"company_id": [ID, OTHER]}),
        (Tasks, "company_id", (ID,), {"company_id": [ID]}),
        (Tasks, "companyId", ("acme",), {}),
        (Tasks, "isArchived", (True,), {"archived": True}),
        (Tasks, "isArchived", (True, False), {}),
        (Tasks, "endusers", (ID,), {}),
        (Companies, "_id", (ID,), {"company_id": [ID]}),
        (EndUsers, "archived", (False,), {"archived": False}),
        (EndUsers, "_id", (ID, OTHER), {"enduser_id": [ID, OTHER]}),
        (Tasks, "extra", ("a",), {}),
    ],
)
def test_conditions_become_filters(repository: Any, column: str, values: tuple[Any, ...], expected: Any) -> None:
    """Where Planhat has a filter by this field, and takes these values."""
    assert filters_for(repository.model, [Condition(column, values)], {}) == expected


def test_an_option_of_the_caller_stays() -> None:
    """The first of two conditions counts: Spark applies both again."""
    conditions = [Condition("status", ("open",)), Condition("status", ("done",)), Condition("email", ("a@b.c",))]
    assert filters_for(Tickets.model, conditions, {"email": "x@y.z"}) == {"status": "open"}
