"""Test the calls of every model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_door import TENET, Answer, Door

from planhat_async.sandbox.models import ALL

_NOT_FOUND = Answer(404, {"error": "Not found"})


@pytest.mark.parametrize(
    "path", ["", "notes", "Tasks", "nowhere", "tasks/a/b", "tasks//", "conversations/a/", "%2Ftasks"]
)
def test_other_paths_do_not_exist(path: str) -> None:
    """Planhat has no `/notes` either."""
    assert Door()("GET", path) == Answer(404, {"error": "No such path"})


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("conversations", "DELETE PATCH HEAD"),
        ("tasks", "DELETE PATCH HEAD"),
        ("tickets", "POST DELETE PATCH HEAD"),
        ("conversations/key", "POST PATCH"),
        ("tasks/key", "POST PATCH"),
        ("tickets/key", "GET PUT POST PATCH"),
    ],
)
def test_undocumented_methods_are_not_allowed(path: str, missing: str) -> None:
    """Tickets can only be listed, upserted and deleted."""
    answers = [Door()(method, path, {}) for method in missing.split()]
    assert answers == [Answer(405, {"error": f"{method} is not allowed here"}) for method in missing.split()]


def test_a_blank_key_addresses_the_whole_model() -> None:
    """`GET path/` is the list, and `PUT path/` is a bulk upsert."""
    planhat = Door()
    key = planhat.add("tasks")
    assert planhat("GET", "tasks/") == Answer(200, [{"_id": key}])
    assert planhat("PUT", "tasks/", [{"_id": key, "action": "new"}]).body["updated"] == 1
    assert planhat("PUT", "tasks/", {"action": "new"}) == Answer(400, {"error": "The body must be an array"})


_FREE_TEXT = "a/b ?#%25&[]é.."


@pytest.mark.parametrize("path", ["conversations", "tasks"])
@pytest.mark.parametrize("key", [".", "..", _FREE_TEXT, "extid-x"])
def test_a_record_can_be_addressed_by_every_key(path: str, key: str) -> None:
    """`_id`, `extid-…` and `srcid-…` work for reading and updating, with any characters in the ids."""
    planhat = Door()
    record_id = planhat.add(path, externalId=key, sourceId=key)
    escaped = "".join(f"%{octet:02x}" for octet in key.encode())
    for number, address in enumerate((record_id, f"extid-{escaped}", f"srcid-{escaped}")):
        assert planhat("PUT", f"{path}/{address}", {"description": str(number)}).status == 200
        assert planhat("GET", f"{path}/{address}").body["description"] == str(number)


@pytest.mark.parametrize("path", ["conversations", "tasks"])
@pytest.mark.parametrize("key", ["0" * 24, "extid-x", "srcid-x", "x", "..", "extid-", "\N{SNOWMAN}"])
def test_an_unknown_key_is_not_found(path: str, key: str) -> None:
    """The answer is a 404 for any method."""
    planhat = Door()
    planhat.add(path, externalId="y", sourceId="y")
    assert [planhat(method, f"{path}/{key}", {}) for method in ("GET", "PUT", "DELETE")] == [_NOT_FOUND] * 3


def test_a_deleted_record_is_not_found() -> None:
    """A task's deletion returns a count, that of a note or ticket the record; a second deletion gets a 404."""
    planhat = Door()
    note, task, ticket = planhat.add("notes", userIds=[]), planhat.add("tasks"), planhat.add("tickets")
    paths = [f"conversations/{note}", f"tasks/{task}", f"tickets/{ticket}"]
    assert [planhat("DELETE", path) for path in paths] == [
        Answer(200, {"_id": note, "type": "note"}),
        Answer(200, {"n": 1, "ok": 1, "deletedCount": 1}),
        Answer(200, {"_id": ticket, "type": "ticket"}),
    ]
    assert [planhat("DELETE", path) for path in paths] == [_NOT_FOUND] * 3


def test_records_are_deleted_by_their_id_only() -> None:
    """Planhat documents no other key for a deletion."""
    planhat = Door()
    planhat.add("tasks", sourceId="s", externalId="e")
    assert planhat("DELETE", "tasks/srcid-s") == planhat("DELETE", "tasks/extid-e") == _NOT_FOUND


def test_a_ticket_can_be_addressed_as_a_conversation() -> None:
    """Only its `_id` works there, and the tickets' path finds no note."""
    planhat = Door()
    ticket, note = planhat.add("tickets", externalId="e"), planhat.add("notes")
    assert planhat("GET", f"conversations/{ticket}").body == {"type": "ticket", "externalId": "e", "_id": ticket}
    assert planhat("GET", "conversations/extid-e") == planhat("DELETE", f"tickets/{note}") == _NOT_FOUND
    assert planhat("DELETE", f"conversations/{ticket}").status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[NaN]",
        b'{"action": "\\ud800"}',
        b'{"action": "\xff"}',
        b'{"action": 1e999}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_invalid_json_is_refused_with_a_message(body: bytes) -> None:
    """The answer is a string."""
    planhat = Door()
    key = planhat.add("tasks")
    malformed = Answer(400, "The body is not valid JSON")
    assert planhat("POST", "tasks", body) == planhat("PUT", "tasks", body) == malformed
    assert planhat("PUT", f"tasks/{key}", body) == malformed
    assert planhat("GET", "tasks") == Answer(200, [{"_id": key}])


def _deeper(n_frames: int, planhat: Door) -> Answer:
    return _deeper(n_frames - 1, planhat) if n_frames else planhat("GET", "tasks")


def test_every_stored_record_can_be_listed() -> None:
    """Nesting that is almost too deep counts as invalid JSON, because it might not be serialisable again."""
    statuses = set()
    for depth in (*range(700, 1_000), 30_000):  # the nesting that Python can read depends on its version
        planhat = Door()
        nested = b"[" * depth + b"]" * depth
        statuses.add(planhat("POST", "tasks", b'{"companyId":"c","custom":{"a":%s}}' % nested).status)
        assert _deeper(20, planhat).status == 200
    assert statuses == {200, 400}


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
def test_a_record_is_an_object(body: object) -> None:
    """Other JSON is refused."""
    planhat = Door()
    key = planhat.add("tasks")
    refused = Answer(400, {"error": "The body must be an object"})
    assert planhat("POST", "tasks", body) == planhat("PUT", f"tasks/{key}", body) == refused


def test_a_bulk_body_has_at_most_5000_rows() -> None:
    """With one more, no row is stored."""
    planhat = Door()
    rows = [{"companyId": "c"}] * 5_001
    assert planhat("PUT", "tasks", rows) == Answer(400, {"error": "More than 5000 items"})
    assert planhat("PUT", "tasks", rows[:5_000]).body["created"] == 5_000


def test_a_body_has_at_most_32_megabytes() -> None:
    """One more byte is too large, even if it is white space."""
    planhat = Door()
    assert planhat("PUT", "tasks", b"[]".ljust(32_000_000)).status == 200
    too_large = Answer(413, {"error": "The body is larger than 32000000 bytes"})
    assert planhat("PUT", "tasks", b"[]".ljust(32_000_001)) == too_large


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = st.sampled_from(
    [*sorted(frozenset().union(*(rules.writable for rules in ALL))), "_id", "domains", "companyId", "companyExternalId"]
)
_KEYS = st.sampled_from(["0" * 24, "1" * 24, TENET.company_id, "extid-tenet", "a", "tenet.com", ""])
_ROW = st.dictionaries(_FIELDS, _KEYS | _JSON, max_size=6) | _JSON
_PATHS = st.sampled_from(["conversations", "tasks", "tickets", "conversations/" + "0" * 24, "tasks/" + "1" * 24])
_SORTS = st.sampled_from(["", "custom", "-date", "status", "history", "-custom.a", "users"])


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from(["PUT", "POST"]), _PATHS, _ROW | st.lists(_ROW, max_size=4)), max_size=4), _SORTS
)
def test_no_body_breaks_the_rules(calls: list[tuple[str, str, Any]], sort: str) -> None:
    """Any JSON gets one of Planhat's answers, and every stored record can be listed in any order."""
    planhat = Door(TENET)
    planhat.add("notes", _id="0" * 24)
    planhat.add("tasks", _id="1" * 24)
    for method, path, body in calls:
        assert planhat(method, path, body).status in {200, 206, 400, 405}
    for path in ("conversations", "tasks", "tickets"):
        everything = {"companyId": f"extid-tenet,{TENET.company_id}", "enduserIds": "a", "search": "a", "status": "a"}
        assert planhat("GET", path, sort=sort, select="custom.a,users").status == 200
        assert planhat("GET", path, **everything).status == 200


@given(st.binary(max_size=20))
def test_no_bytes_break_the_rules(body: bytes) -> None:
    """Bytes that are not JSON get an answer too."""
    assert Door()("PUT", "tasks", body).status in {200, 206, 400}
