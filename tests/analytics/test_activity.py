"""Activities are checked before they are sent, and spelled as each of Planhat's two calls has it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from planhat_async import Activity, Metric
from planhat_async.analytics.activity import activity_row, bulk_activity_row

DATE = datetime(2026, 1, 15, 8, tzinfo=UTC)
CARA = Activity(
    name="Cara Sample",
    email="cara@alder.example.com",
    external_id="person-1",
    company_external_id="alder-ext-1",
    action="Logged in",
    weight=1,
    info={"theme": "Blue"},
    date=DATE,
)
SINGLE = {
    "name": "Cara Sample",
    "email": "cara@alder.example.com",
    "externalId": "person-1",
    "companyExternalId": "alder-ext-1",
    "action": "Logged in",
    "weight": 1,
    "info": {"theme": "Blue"},
    "date": "2026-01-15T08:00:00.000Z",
}


def test_the_documented_activity() -> None:
    """The single call and the bulk call name the external id differently."""
    assert activity_row(CARA) == SINGLE
    bulk = {"euExtId" if name == "externalId" else name: value for name, value in SINGLE.items()}
    assert bulk_activity_row(CARA) == bulk
    assert bulk_activity_row(SINGLE) == bulk
    assert activity_row(bulk) == SINGLE
    assert bulk_activity_row(bulk | {"count": 2}) == bulk | {"count": 2}


def test_the_documented_bodies() -> None:
    """They are sent as they are."""
    data = Path(__file__).parents[1] / "data" / "analytics"
    single = json.loads((data / "activity-post.request.json").read_text())
    (bulk,) = json.loads((data / "activity-bulk.request.json").read_text())
    assert activity_row(single) == single == SINGLE
    assert bulk_activity_row(bulk) == bulk


@pytest.mark.parametrize("item", [{"email": "a@b.example"}, {"external_id": "1"}, {"euExtId": "1"}])
def test_an_e_mail_address_or_an_external_id_is_enough(item: dict[str, Any]) -> None:
    """Everything else is optional."""
    assert len(activity_row(item)) == 1


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"action": "Logged in"}, "email or external_id is required"),
        ({"email": None}, "email or external_id is required"),
        ({"email": ""}, "email must not be blank"),
        ({"external_id": " "}, "external_id must not be blank"),
        ({"external_id": True}, "external_id: text or a whole number, not True"),
        ({"email": "a@b.c", "action": ""}, "action must not be blank"),
        ({"email": "a@b.c", "weight": True}, "weight: a number, not True"),
        ({"email": "a@b.c", "weight": float("nan")}, "weight: no number (NaN): leave it out"),
        ({"email": "a@b.c", "count": 0}, "count must be at least 1, not 0"),
        ({"email": "a@b.c", "count": 1.5}, "count: a whole number, not the number 1.5"),
        ({"email": "a@b.c", "info": "text"}, "info: an object, not text"),
        ({"email": "a@b.c", "info": {"x": float("inf")}}, "info: not expressible in JSON: inf (at x)"),
        ({"email": "a@b.c", "date": datetime(2026, 1, 15)}, "date: 2026-01-15 00:00:00 has no time zone"),  # noqa: DTZ001 - the point
        ({"euExtId": "1", "externalId": "1"}, "external_id is given twice, in two spellings"),
        ({"euExtId": "1", "external_id": "1"}, "external_id is given twice, in two spellings"),
        ({"email": "a@b.c", "event": "x"}, "Activity has no field 'event'"),
    ],
)
def test_what_planhat_would_misunderstand_is_refused(item: dict[str, Any], reason: str) -> None:
    """With a reason that names the field."""
    with pytest.raises((ValueError, TypeError)) as caught:
        activity_row(item)
    assert str(caught.value) == reason


def test_a_metric_is_no_activity() -> None:
    """By its type."""
    with pytest.raises(TypeError, match=r"an Activity or a mapping, not Metric"):
        bulk_activity_row(Metric())
