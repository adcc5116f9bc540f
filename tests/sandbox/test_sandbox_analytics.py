"""The analytics host of the sandbox."""

from __future__ import annotations

import base64
from typing import Any

import aiohttp
import pytest
from sandbox_door import ACME, NOW, TENET, Answer, Door, documented

from planhat_async.sandbox import Choices, EndUser, Sandbox
from planhat_async.sandbox.calls import MAX_BODY_BYTES
from planhat_async.sandbox.messages import ApiRequest

UUID = "0b54aee7-1a2b-4c3d-9e8f-0123456789ab"
METRICS = f"/dimensiondata/{UUID}"
GOOD = {"dimensionId": "active", "value": 1, "externalId": "tenet"}


def test_the_documented_metrics() -> None:
    """One is processed, and one is listed with its reason."""
    door = Door()
    answer = door("POST", METRICS, documented("analytics/metric-post.request"))
    expected = documented("analytics/metric-post.response")
    assert answer == Answer(200, expected)
    (listed,) = door("GET", "/dimensiondata").body
    assert listed.keys() == documented("analytics/metric-list.response")[0].keys() - {
        "parentId",
        "companyId",
        "companyName",
    }
    assert (listed["time"], listed["value"]) == ("2026-01-15T00:00:00.000Z", 12)


def test_a_metric_of_a_registered_company() -> None:
    """It is listed with the keys and the name of its company; the time is that of its receipt."""
    door = Door(TENET, ACME)
    assert door("POST", METRICS, GOOD).body == {"processed": 1, "errors": []}
    (listed,) = door("GET", "/dimensiondata").body
    assert listed.keys() == documented("analytics/metric-list.response")[0].keys()
    assert (listed["companyId"], listed["parentId"], listed["companyName"]) == (
        TENET.company_id,
        TENET.company_id,
        "Tenet",
    )
    assert listed["time"] == "2022-07-05T10:02:16.500Z"


def test_an_unknown_external_id_is_a_failed_metric() -> None:
    """The answer counts it as processed: it is checked later."""
    door = Door(TENET, EndUser("5f4e3d2c1b0a998877665544", "Ada", "ada@b.example"))
    rows = [GOOD | {"externalId": "nobody", "model": model} for model in ("Company", "EndUser", "Asset", "Project")]
    assert door("POST", METRICS, rows).body == {"processed": 4, "errors": []}
    host = door.api.analytics
    assert [one["model"] for one in host.failed_metrics] == ["Company", "EndUser"]
    assert [one["model"] for one in host.metrics] == ["Asset", "Project"]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (5, "a metric must be an object"),
        ({}, "dimensionId must be specified"),
        (GOOD | {"dimensionId": "a b"}, "dimensionId must not contain spaces or special characters"),
        (GOOD | {"value": "1"}, "value must be a number"),
        (GOOD | {"value": True}, "value must be a number"),
        (GOOD | {"externalId": ""}, "externalId must be specified"),
        (GOOD | {"model": "Ticket"}, "model must be one of Company, EndUser, Asset, Project"),
    ],
)
def test_a_metric_that_is_refused(item: Any, reason: str) -> None:
    """With the item as it came."""
    assert Door()("POST", METRICS, [item]).body == {"processed": 0, "errors": [{"item": item, "error": reason}]}


def test_a_bare_answer() -> None:
    """By choice."""
    door = Door(choices=Choices(metrics_are_counted=False))
    assert door("POST", METRICS, [GOOD]) == Answer(200, "OK")


def test_activities_and_segments_are_kept_as_they_came() -> None:
    """One, or an array of them."""
    door = Door()
    single, bulk = documented("analytics/activity-post.request"), documented("analytics/activity-bulk.request")
    assert door("POST", f"/analytics/{UUID}", single) == Answer(200, "OK")
    assert door("POST", f"/analytics/bulk/{UUID}", bulk) == Answer(200, "OK")
    assert door.api.analytics.activities == [single, *bulk]


@pytest.mark.parametrize("path", [METRICS, f"/analytics/{UUID}", f"/analytics/bulk/{UUID}"])
def test_a_body_that_cannot_be_read(path: str) -> None:
    """No JSON, or too much of it."""
    assert Door()("POST", path, b"{").status == 400
    assert Door()("POST", path, b" " * (MAX_BODY_BYTES + 1)).status == 413


def test_metrics_are_listed_by_their_filters() -> None:
    """By company, metric and days; by `_id` in either order, page by page."""
    door = Door(TENET, ACME)
    for day in (10, 11, 12):
        for key in ("tenet", "acme"):
            door("POST", METRICS, GOOD | {"externalId": key, "value": day, "date": f"2026-01-{day}T10:00:00Z"})
    door("POST", METRICS, GOOD | {"dimensionId": "other"})

    def values(**query: str) -> list[int]:
        return [row["value"] for row in door("GET", "/dimensiondata", **query).body]

    assert values() == [10, 10, 11, 11, 12, 12, 1]
    assert values(cId=ACME.company_id) == [10, 11, 12]
    assert values(dimid="other") == [1]
    assert values(**{"from": "20464", "to": "20464"}) == [11, 11]
    assert values(sort="-_id", limit="2") == [1, 12]
    assert values(limit="3", offset="5") == [12, 1]
    assert door("GET", "/dimensiondata", limit="x").status == 400
    assert door("POST", "/dimensiondata", []).status == 404


def test_metrics_are_listed_to_those_with_a_token() -> None:
    """The list belongs to the main host."""
    api = Door().api
    request = ApiRequest(method="GET", segments=("dimensiondata",), now=NOW)
    assert api.handle(request).status == 401


async def test_no_limit_and_no_token() -> None:
    """The UUID is the credential; a wrong one is refused, and the log shows none."""
    async with (
        Sandbox("token", tenant_uuid=UUID, per_minute=1) as planhat,
        aiohttp.ClientSession(planhat.analytics_url) as client,
    ):
        assert planhat.tenant_uuid == UUID
        statuses = []
        for path in [METRICS, f"/analytics/{UUID.upper()}", METRICS, METRICS.replace("a", "b")]:
            async with client.post(path, json=GOOD) as response:
                statuses.append(response.status)
        credentials = base64.b64encode(f"{UUID}:".encode()).decode()
        for header in (f"Basic {credentials}", "Basic !", f"Bearer {UUID}", "Basic " + "YTpi"):
            segment = documented("analytics/segment-post.request")
            async with client.post("/dock/segment", json=segment, headers={"Authorization": header}) as response:
                statuses.append(response.status)
        assert statuses == [200, 200, 200, 401, 200, 401, 401, 401]
        assert planhat.segments == [documented("analytics/segment-post.request")]
        assert (len(planhat.metrics), planhat.activities, planhat.failed_metrics) == (2, [GOOD], [])
        assert UUID not in repr(planhat.requests).lower()
        assert planhat.requests[0].path == "/dimensiondata/{tenantUUID}"
        assert planhat.requests[0].n_rows == 1


async def test_any_uuid_is_accepted_by_default() -> None:
    """And the one that is offered is among them."""
    async with Sandbox() as planhat, aiohttp.ClientSession(planhat.analytics_url) as client:
        for uuid, status in ((planhat.tenant_uuid, 200), (UUID, 200), ("token", 401)):
            async with client.post(f"/analytics/bulk/{uuid}", json=[{}, 5]) as response:
                assert response.status == status
        assert planhat.activities == [{}, {}]


def test_a_tenant_uuid_must_be_one() -> None:
    """No client would send another."""
    with pytest.raises(ValueError, match="tenant_uuid must be a UUID"):
        Sandbox(tenant_uuid="secret")


def test_faults_apply_here_too() -> None:
    """As to any other call."""
    door = Door()
    door.api.faults = type(door.api.faults)("http_503@1")
    assert [door("POST", METRICS, [GOOD]).status for _ in range(2)] == [503, 200]
