"""Test the columns of Spark's tables."""

from __future__ import annotations

from typing import Any

import pytest
from each_model import with_capability

from planhat_async.engines.spark_schema import SparkColumn, chosen_table, ddl, whole_table
from planhat_async.models import Task, User
from planhat_async.repositories import Lists


def test_a_schema_of_the_callers_own_chooses_fields() -> None:
    """In either spelling; custom fields have the type that the caller says."""
    chosen = chosen_table(Task, [("start_time", "timestamp"), ("extra", "string"), ("custom.ARR", "double")], ["extra"])
    assert chosen.columns == (
        SparkColumn(name="start_time", type="timestamp", wire="startTime"),
        SparkColumn(name="custom.ARR", type="double", wire="custom.ARR", kind=float),
    )
    assert chosen.names == ("start_time", "extra", "custom.ARR")
    assert (chosen.select, chosen.has_extra, chosen.not_null) == (
        ["startTime", "custom.ARR"],
        True,
        frozenset({"extra"}),
    )


def test_the_same_schema_as_the_whole_selects_all() -> None:
    """Also in another order."""
    whole = whole_table(Task)
    types = {one.name: one.type for one in whole.columns} | {"extra": "string"}
    chosen = chosen_table(Task, [*reversed(types.items())])
    assert chosen.select is None
    assert chosen.names == (*reversed(whole.names),)


def test_any_field_may_be_text() -> None:
    """Then its values are as Planhat sends them."""
    assert chosen_table(Task, [("startTime", "string")]).columns[0].kind is object
    assert chosen_table(Task, [("action", "string")]).columns[0].kind is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([("acton", "string")], r"Task has no field 'acton'; did you mean action\?"),
        ([("startTime", "date")], "column startTime cannot have the type date: it can have string or timestamp"),
        ([("custom.A", "int")], "column custom.A cannot have the type int: it can have array<string> or bigint or"),
        ([("extra", "bigint")], "column extra cannot have the type bigint: it can have string"),
        ([("startTime", "string"), ("start_time", "string")], "the columns startTime and start_time for one field"),
    ],
)
def test_columns_that_do_not_fit_are_refused(asked: list[tuple[str, str]], message: str) -> None:
    """With what would fit."""
    with pytest.raises(ValueError, match=message):
        chosen_table(Task, asked)


def test_secrets_are_no_columns() -> None:
    """They are not in `extra` either."""
    assert "apiTokens" not in whole_table(User).names


@pytest.mark.parametrize("repository", with_capability(Lists), ids=lambda one: one.model.name)
def test_each_model_has_a_table(repository: Any) -> None:
    """Its names differ by more than their case, which Spark ignores."""
    columns = whole_table(repository.model.record)
    assert len({name.lower() for name in columns.names}) == len(columns.names)
    assert ddl(columns).endswith("`extra` string")
    assert ddl(columns).count("` ") == len(columns.names)
