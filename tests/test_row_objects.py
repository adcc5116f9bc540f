"""Test rows of a caller's own classes, and records as dicts, JSON and data frames."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest

from planhat_async import Churn, Note, Person, Task, User
from planhat_async._convert import to_wire

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
WIRE = {"companyId": "c", "startTime": "2024-05-31T12:00:00.000Z", "custom": {"ARR": 5}}


@dataclasses.dataclass
class Row:
    company_id: str = "c"
    start_time: datetime = NOON
    action: str | None = None
    custom: dict[str, Any] = dataclasses.field(default_factory=lambda: {"ARR": 5})


@attrs.define
class Item:
    companyId: str = "c"  # noqa: N815 - Planhat's spelling
    startTime: datetime = NOON  # noqa: N815
    action: str | None = None
    custom: dict[str, Any] = attrs.field(factory=lambda: {"ARR": 5})


def model() -> Any:
    """A pydantic model with Planhat's names as aliases."""
    pydantic = pytest.importorskip("pydantic")
    fields: dict[str, Any] = {
        "company": (str, pydantic.Field("c", serialization_alias="companyId")),
        "start_time": (datetime, NOON),
        "action": (str | None, None),
        "custom": (dict[str, Any], {"ARR": 5}),
    }
    return pydantic.create_model("Row", **fields)()


@pytest.mark.parametrize("make", [Row, Item, model])
def test_objects_are_taken_as_mappings_of_what_they_hold(make: Any) -> None:
    """`None` is no value: it empties no field."""
    assert to_wire(Task, make()) == WIRE


def test_an_object_with_an_unknown_field_is_refused_like_a_mapping() -> None:
    """A record of another model is no row, although its class is one of attrs."""

    @dataclasses.dataclass
    class Wrong:
        colour: str = "red"

    with pytest.raises(ValueError, match="Task has no field 'colour'"):
        to_wire(Task, Wrong())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a Task or a mapping, not Note"):
        to_wire(Task, Note())
    with pytest.raises(TypeError, match="a Task or a mapping, not type"):
        to_wire(Task, Row)  # type: ignore[arg-type]


def record() -> Task:
    return Task(
        id="a", start_time=NOON, users=[Person(id="u", is_owner=True)], custom={"ARR": 5}, extra={"newField": [1]}
    )


def test_a_record_as_a_dict() -> None:
    """By the names of its attributes, or by Planhat's, with what they call `extra` in its place."""
    ours = {"id": "a", "start_time": NOON, "users": [{"id": "u", "is_owner": True}], "custom": {"ARR": 5}}
    assert record().to_dict() == {**ours, "extra": {"newField": [1]}}
    assert record().to_dict(planhat_names=True) == {
        "_id": "a", "startTime": NOON, "users": [{"id": "u", "isOwner": True}], "custom": {"ARR": 5}, "newField": [1]
    }  # fmt: skip


def test_a_record_as_json() -> None:
    """Times as Planhat writes them."""
    assert json.loads(record().to_json())["start_time"] == "2024-05-31T12:00:00.000Z"
    assert Churn(id="å", churn_date=date(2024, 5, 31)).to_json(planhat_names=True) == (
        '{"_id":"å","churnDate":"2024-05-31"}'
    )
    with pytest.raises(TypeError, match="set has no form in JSON"):
        Task(custom={"x": {1}}).to_json()


def test_secrets_are_in_none_of_them() -> None:
    """Tokens of users stay in the record."""
    user = User(id="a", api_tokens=[{"token": "secret"}])
    assert "secret" not in f"{user.to_dict()}{user.to_json()}{dataclasses.asdict(user)}"


@pytest.mark.slow  # it imports the libraries
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_data_frame_of_records_has_a_column_for_each_field(library: str) -> None:
    """Not one of objects."""
    frames = pytest.importorskip(library)
    frame = frames.DataFrame([Task(id="a", action="x"), Task(id="b", start_time=NOON)])
    assert frame.shape[0] == 2
    assert list(frame["id"]) == ["a", "b"]
    assert {"action", "start_time", "custom", "extra"} <= set(frame.columns)
