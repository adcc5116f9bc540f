"""Metrics are checked before they are sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest
from each_model import unstructure

from planhat_async import Activity, Metric
from planhat_async._convert import decode_record, encode_plain
from planhat_async.analytics.metric import MODELS, metric_row
from planhat_async.records.documentation import documentation_of

DATE = datetime(2026, 1, 15, 2, tzinfo=timezone(timedelta(hours=2)))
GOOD = {"dimension_id": "active", "value": 1, "external_id": "acme"}
BIG = 10**400


def test_the_documented_metric() -> None:
    """A record and its mapping, in either spelling, are sent as Planhat documents them."""
    wanted = {
        "dimensionId": "activeusers",
        "value": 12,
        "externalId": "alder-ext-1",
        "model": "Company",
        "date": "2026-01-15T00:00:00.000Z",
    }
    record = Metric(dimension_id="activeusers", value=12, external_id="alder-ext-1", model="Company", date=DATE)
    assert metric_row(record) == wanted
    assert metric_row(wanted) == wanted
    spelled = {"dimension_id": "activeusers", "value": 12, "externalId": "alder-ext-1", "model": "Company"}
    assert metric_row({**spelled, "date": DATE}) == wanted


def test_the_documented_body() -> None:
    """Its first metric is sent as it is; the second one, which Planhat refuses, is not."""
    first, second = documented("metric-post.request")
    assert metric_row(first) == first
    with pytest.raises(ValueError, match="dimension_id is required"):
        metric_row(second)
    (row,) = documented("metric-list.response")
    read = decode_record(Metric, json.dumps(row).encode())
    assert (read.extra, unstructure(read)) == ({}, row)


def documented(name: str) -> Any:
    return json.loads((Path(__file__).parents[1] / "data" / "analytics" / f"{name}.json").read_text())


def test_a_value_that_is_none_is_left_out() -> None:
    """Nothing can be cleared, so it means that nothing is said; the caller's mapping stays as it is."""
    row: dict[str, Any] = {"dimensionId": "active", "value": 0, "externalId": "acme", "model": None, "date": None}
    assert metric_row(row) == {"dimensionId": "active", "value": 0, "externalId": "acme"}
    assert "model" in row


class OfAnotherLibrary(float):
    """As `numpy.float64`."""


@pytest.mark.parametrize("value", [0, -1, 2.5, 1e300, 2**70, OfAnotherLibrary(1.5)])
def test_any_finite_number_is_a_value(value: float) -> None:
    """Of any size, and of a subclass of `float`."""
    row = metric_row({**GOOD, "value": value})
    assert (row["value"], json.loads(encode_plain(row))["value"]) == (value, value)


@pytest.mark.parametrize("model", MODELS)
def test_four_models_have_metrics(model: str) -> None:
    """As Planhat spells them."""
    assert metric_row({**GOOD, "model": model})["model"] == model


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dimension_id": None}, "dimension_id is required"),
        ({"value": None}, "value is required"),
        ({"external_id": None}, "external_id is required"),
        ({"dimension_id": ""}, "dimension_id must not be blank"),
        ({"dimension_id": "active users"}, "dimension_id must consist of letters, digits, _ and -: it contains ' '"),
        ({"dimension_id": "a.b"}, "dimension_id must consist of letters, digits, _ and -: it contains '.'"),
        ({"dimension_id": "größe"}, "dimension_id must consist of letters, digits, _ and -: it contains 'ö'"),
        ({"dimension_id": 5.0}, "dimension_id: text or a whole number, not the number 5.0"),
        ({"value": True}, "value: a number, not True"),
        ({"value": "3"}, "value: a number, not the text '3'"),
        ({"value": float("nan")}, "value: no number (NaN): leave it out"),
        ({"value": float("inf")}, "value: a number, not inf"),
        ({"value": BIG}, "value is too large for a number"),
        ({"external_id": " "}, "external_id must not be blank"),
        ({"external_id": True}, "external_id: text or a whole number, not True"),
        ({"model": "company"}, "model must be one of Company, EndUser, Asset, Project, not 'company'"),
        ({"date": datetime(2026, 1, 15)}, "date: 2026-01-15 00:00:00 has no time zone"),  # noqa: DTZ001 - the point
        ({"date": "2026-01-15"}, "date: '2026-01-15' has no time zone: write 2026-01-15T00:00:00Z if it is UTC"),
        ({"date": DATE.date()}, "date: a time, not a day: write a datetime with a time zone"),
        ({"externalid": "x"}, "Metric has no field 'externalid'; did you mean external_id?"),
        ({"time": DATE}, "time cannot be sent with a Metric, only dimensionId, value, externalId, model, date"),
        ({"_id": "x"}, "_id cannot be sent with a Metric, only dimensionId, value, externalId, model, date"),
        ({"custom": {"a": 1}}, "custom cannot be sent with a Metric, only dimensionId, value, externalId, model, date"),
        ({"externalId": "x"}, "external_id is given twice, in both spellings"),
    ],
)
def test_what_planhat_would_misunderstand_is_refused(change: dict[str, Any], reason: str) -> None:
    """With a reason that names the field."""
    with pytest.raises((ValueError, TypeError)) as caught:
        metric_row({**GOOD, **change})
    assert str(caught.value) == reason


@pytest.mark.parametrize("item", [Activity(email="a@b.example"), 5, None, ["active", 1]])
def test_what_is_no_metric_is_refused(item: Any) -> None:
    """By its type."""
    with pytest.raises(TypeError, match="a Metric or a mapping, not"):
        metric_row(item)


def test_a_metric_that_was_read() -> None:
    """It has Planhat's ids and a time, and cannot be sent back: it names no external id."""
    row = b"""{"_id": "65a4c3f01234567890abcdef", "dimensionId": "activeusers", "time": "2026-01-15T00:00:00.000Z",
        "value": 12, "model": "Company", "parentId": "61006bc89a3e0b702ed8ea49",
        "companyId": "61006bc89a3e0b702ed8ea49", "companyName": "Alder Works", "day": 20468}"""
    metric = decode_record(Metric, row)
    assert (metric.id, metric.time) == ("65a4c3f01234567890abcdef", datetime(2026, 1, 15, tzinfo=UTC))
    assert (metric.value, metric.company_name, metric.extra) == (12, "Alder Works", {"day": 20468})
    with pytest.raises(ValueError, match="external_id is required"):
        metric_row(metric)


@pytest.mark.parametrize("cls", [Metric, Activity])
def test_every_field_is_documented(cls: type) -> None:
    """Under the field."""
    assert {field.name for field in attrs.fields(cls)} <= documentation_of(cls).keys()
