"""Test the sandbox without a network: authentication, the log, and the data available to tests."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from attrs import evolve
from sandbox_door import NOW, TENET

from planhat_async.sandbox import Choices, LoggedRequest
from planhat_async.sandbox.api import MAX_LOGGED, Api
from planhat_async.sandbox.limits import Limits
from planhat_async.sandbox.messages import ApiRequest, ApiResponse
from planhat_async.sandbox.state import State

_TOKEN = "s3cret"


def _get(authorization: str | None = f"Bearer {_TOKEN}", **fields: Any) -> ApiRequest:
    headers = {} if authorization is None else {"Authorization": authorization}
    request = ApiRequest("GET", ("tasks",), headers=headers, now=NOW)
    return evolve(request, **fields)


@pytest.mark.parametrize(
    ("authorization", "with_own", "with_any"),
    [
        ("Bearer s3cret", 200, 200),
        ("bearer  s3cret ", 200, 200),
        ("Bearer other", 401, 200),
        ("Bearer s3crets", 401, 200),
        ("Bearer \udcff\u00e9", 401, 200),
        ("Bearer ", 401, 401),
        ("Bearer", 401, 401),
        ("Basic czNjcmV0Og==", 200, 200),
        ("basic  czNjcmV0Og== ", 200, 200),
        ("Basic b3RoZXI6", 401, 200),
        ("Basic czNjcmV0OnBhc3N3b3Jk", 401, 401),
        ("Basic Og==", 401, 401),
        ("Basic czNjcmV0", 200, 200),
        ("Basic s3cret", 401, 401),
        ("Basic \u00e9", 401, 401),
        ("Basic", 401, 401),
        ("s3cret", 401, 401),
        ("", 401, 401),
        (None, 401, 401),
    ],
)
def test_a_valid_token_is_accepted(authorization: str | None, with_own: int, with_any: int) -> None:
    """It is a bearer token or a user name without a password; an Api without a token accepts any."""
    request = _get(authorization)
    assert (Api(_TOKEN).handle(request).status, Api().handle(request).status) == (with_own, with_any)


def test_an_empty_path_is_not_found() -> None:
    """A request without any segment gets a 404."""
    assert Api().handle(_get(segments=())).status == 404


def test_header_names_are_case_insensitive() -> None:
    """HTTP requires this."""
    assert Api(_TOKEN).handle(_get(headers={"AUTHORIZATION": "Bearer s3cret"})).status == 200


def test_a_refused_token_does_not_count_towards_the_limit() -> None:
    """Its answer has the headers of an unused minute."""
    api = Api(_TOKEN, limits=Limits(per_minute=2))
    headers = {"X-Rate-Limit-Limit": "2", "X-Rate-Limit-Remaining": "2"}
    unauthorized = ApiResponse(401, b'{"error":"Unauthorized"}', headers)
    assert [api.handle(_get("Bearer x")) for _ in range(3)] == [unauthorized] * 3
    assert api.handle(_get()) == ApiResponse(200, b"[]", headers | {"X-Rate-Limit-Remaining": "1"})


@pytest.mark.parametrize(("retry_after", "extra"), [(False, {}), (True, {"Retry-After": "60"})])
def test_a_request_beyond_the_limit_is_not_processed(*, retry_after: bool, extra: dict[str, str]) -> None:
    """The answer is a 429, optionally with the wait rounded up to whole seconds."""
    api = Api(limits=Limits(per_minute=1), choices=Choices(retry_after=retry_after))
    api.handle(_get())
    request = _get(method="POST", body=b'{"companyId": "c"}', now=NOW + 0.5)
    headers = {"X-Rate-Limit-Limit": "1", "X-Rate-Limit-Remaining": "0"}
    assert api.handle(request) == ApiResponse(429, b'{"error":"Too many requests"}', headers | extra)
    assert api.state.records("tasks") == []


def test_a_wait_is_at_least_a_second() -> None:
    """A wait of less than a second is rounded up."""
    api = Api(limits=Limits(per_second=1), choices=Choices(retry_after=True))
    answers = [api.handle(_get(now=now)) for now in (NOW, NOW + 0.999)]
    assert answers[1].headers["Retry-After"] == "1"


def test_the_limits_count_requests_in_flight() -> None:
    """A request is refused if the maximum number is in flight."""
    api = Api(limits=Limits(max_parallel=1))
    assert [api.handle(_get(n_parallel=n)).status for n in (1, 2)] == [200, 429]


def test_without_a_limit_answers_have_no_headers_of_limits() -> None:
    """There is no number of remaining calls."""
    assert Api(limits=Limits(per_minute=None)).handle(_get()) == ApiResponse(200, b"[]", {})


def test_every_request_is_logged() -> None:
    """The log has the encoded path, the parameters, the rows of a bulk body, and the answer."""
    api = Api(_TOKEN)
    api.handle(_get(segments=("tasks", "extid-a/b é"), query=(("limit", "1"), ("limit", "2"))))
    api.handle(_get(method="PUT", body=b"[{},{}]", now=NOW + 1))
    api.handle(_get("Bearer other", method="PUT", body=b"[{}]", now=NOW + 2))
    api.handle(_get(method="PUT", body=msgspec.json.encode([{}] * 5001), now=NOW + 3))
    assert list(api.log) == [
        LoggedRequest("GET", "/tasks/extid-a%2Fb%20%C3%A9", {"limit": "2"}, None, 404, NOW),
        LoggedRequest("PUT", "/tasks", {}, 2, 400, NOW + 1),
        LoggedRequest("PUT", "/tasks", {}, None, 401, NOW + 2, is_carried_out=False),
        LoggedRequest("PUT", "/tasks", {}, 5001, 400, NOW + 3),
    ]


def test_the_log_is_bounded() -> None:
    """The oldest lines are removed first."""
    api = Api(limits=Limits(per_minute=None, per_second=None))
    assert api.log.maxlen == MAX_LOGGED == 100_000


def test_a_request_does_not_show_its_token() -> None:
    """Neither its repr nor that of the log contains the token."""
    api = Api(_TOKEN)
    request = _get()
    api.handle(request)
    assert _TOKEN not in repr(request) + repr(api.log) + repr(api)


def test_records_are_copies_grouped_by_model() -> None:
    """Notes have the type `note` or a custom one; changing a copy does not change the stored record."""
    api = Api()
    note = api.state.add("notes", {"custom": {"a": [1]}}, now=NOW)
    visit = api.state.add("notes", {"type": "visit", "isCustomType": True}, now=NOW)
    ticket = api.state.add("tickets", {}, now=NOW)
    email = api.state.add("conversations", {"type": "email", "isCustomType": False}, now=NOW)
    task = api.state.add("tasks", {"_id": "0" * 24}, now=NOW)
    api.state.records("notes")[0]["custom"]["a"].append(2)
    note_copy = api.state.records("notes")[0]
    assert {name: api.state.records(name) for name in ("notes", "tickets", "conversations", "tasks")} == {
        "notes": [note, visit],
        "tickets": [ticket],
        "conversations": [note, visit, ticket, email],
        "tasks": [task],
    }
    assert note_copy == {"type": "note", "_id": note["_id"], "custom": {"a": [1]}}


def test_added_records_are_copied() -> None:
    """Neither the given mapping nor the returned record is the stored one."""
    api = Api()
    given = {"custom": {"a": 1}}
    returned = api.state.add("tasks", given, now=NOW)
    given["custom"]["a"] = returned["custom"]["a"] = 2
    assert api.state.records("tasks")[0]["custom"] == {"a": 1}


def test_an_id_can_be_added_once() -> None:
    """A second record with the same `_id` is an error."""
    api = Api()
    api.state.add("tasks", {"_id": "a"}, now=NOW)
    with pytest.raises(ValueError, match="a record with the _id a already exists"):
        api.state.add("tasks", {"_id": "a"}, now=NOW)


def test_the_seed_determines_the_ids() -> None:
    """The same calls at the same times with the same seed create the same records."""
    first, again, other = (Api(state=State(seed, [TENET])) for seed in (7, 7, 8))
    request = _get(method="POST", body=b'{"companyId": "extid-tenet"}')
    answers = [api.handle(request).body for api in (first, again, other)]
    assert answers[0] == answers[1] != answers[2]
