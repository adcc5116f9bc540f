"""Test one page of a list."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_door import ACME, TENET, Answer, Door

from planhat_async.sandbox import Choices
from planhat_async.sandbox.models.task_rules import TASKS


@pytest.mark.parametrize(
    ("path", "default", "maximum"), [("conversations", 30, 2_000), ("tasks", 500, 10_000), ("tickets", 500, 10_000)]
)
def test_a_page_has_a_default_and_a_maximum(path: str, default: int, maximum: int) -> None:
    """Without `limit` the default applies, above the maximum the maximum."""
    planhat = Door()
    for _ in range(maximum + 1):
        planhat.add(path)
    sizes = [
        len(planhat.ids(path, **query)) for query in ({}, {"limit": str(maximum + 1)}, {"limit": "7"}, {"limit": "0"})
    ]
    assert sizes == [default, maximum, 7, 0]


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", ["-1", "ten", "1.5", "", " 1", "²", "9" * 5000])
def test_a_limit_is_a_whole_number(name: str, value: str) -> None:
    """Any other value is refused."""
    assert Door()("GET", "tasks", **{name: value}) == Answer(400, {"error": f"{name} must be a whole number"})


def test_an_offset_past_the_end_gives_an_empty_page() -> None:
    """The page is an empty array."""
    planhat = Door()
    planhat.add("tasks")
    assert planhat("GET", "tasks", offset="1") == Answer(200, [])


def test_unknown_parameters_are_ignored() -> None:
    """The sandbox also ignores blank parameters and other models' filters."""
    planhat = Door()
    key = planhat.add("tasks", status="open")
    assert planhat.ids("tasks", l="0", updatedSince="2030", status="closed", search="x", companyId="", sort="") == [key]


@given(
    st.integers(0, 12),
    st.lists(st.integers(1, 5), min_size=1),
    st.sampled_from(["", "_id", "-_id", "action", "-rank"]),
    st.booleans(),
)
def test_paging_yields_every_record_once_in_order(
    n_records: int,
    limits: list[int],
    sort: str,
    newest_first: bool,
) -> None:
    """Pages of any sizes, each starting at the end of the previous one, form the list."""
    planhat = Door(choices=Choices(newest_first=newest_first))
    for number in range(n_records):
        planhat.add("tasks", action=str(number % 3), rank=number % 2)
    paged: list[str] = []
    for number in range(n_records + 1):
        limit = limits[number % len(limits)]
        paged += planhat.ids("tasks", limit=str(limit), offset=str(len(paged)), sort=sort)
    assert paged == planhat.ids("tasks", sort=sort)
    assert len(paged) == len(set(paged)) == n_records


@pytest.mark.parametrize("path", ["conversations", "tasks", "tickets"])
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_list_without_a_sort_has_the_newest_or_oldest_first(path: str, *, newest_first: bool) -> None:
    """The order is that of creation, like that of `_id`s; a blank `sort` is ignored; paging follows this order."""
    planhat = Door(choices=Choices(newest_first=newest_first))
    keys = [planhat.add(path, type="ticket") for _ in range(3)]
    expected = keys[::-1] if newest_first else keys
    assert planhat.ids(path, sort="") == [record["_id"] for record in planhat("GET", path).body] == expected
    assert planhat.ids(path, sort="", limit="1", offset="1") == expected[1:2]
    assert (planhat.ids(path, sort="_id"), planhat.ids(path, sort="-_id")) == (keys, keys[::-1])


def test_a_list_is_sorted_by_a_property() -> None:
    """Missing values come first, equal ones are ordered by `_id`, and a `-` reverses the order."""
    planhat = Door()
    b, missing, a, second_b, null = (planhat.add("tasks", **fields) for fields in _fields("b", None, "a", "b"))
    assert planhat.ids("tasks", sort="action") == [missing, null, a, b, second_b]
    assert planhat.ids("tasks", sort="-action") == [b, second_b, a, missing, null]
    assert planhat.ids("tasks", sort="Action") == [b, missing, a, second_b, null]
    assert planhat.ids("tasks", sort="-_id") == [null, second_b, a, missing, b]


def _fields(*actions: str | None) -> list[dict[str, Any]]:
    return [{} if action is None else {"action": action} for action in actions] + [{"action": None}]


def test_values_of_any_type_can_be_sorted() -> None:
    """MongoDB's order applies: null, numbers, text, objects, arrays, booleans."""
    planhat = Door()
    values: list[Any] = [True, [1], {"a": 1}, "text", 2.5, 1, None, False, {"a": 0}]
    for value in values:
        planhat.add("tasks", custom={"x y": value})
    listed = planhat("GET", "tasks", sort="custom.x y").body
    assert [task["custom"]["x y"] for task in listed] == [None, 1, 2.5, "text", {"a": 0}, {"a": 1}, [1], False, True]


def test_a_custom_that_is_not_an_object_has_no_properties() -> None:
    """Its properties are missing for sorting and selecting."""
    planhat = Door()
    plain, custom = planhat.add("tasks", custom="x"), planhat.add("tasks", custom={"x": 0})
    assert planhat("GET", "tasks", sort="-custom.x", select="custom.x") == Answer(
        200, [{"_id": custom, "custom": {"x": 0}}, {"_id": plain}]
    )


def test_select_returns_only_the_given_properties() -> None:
    """The `_id` is included; a property of `custom` may be selected alone, or `custom` as a whole."""
    planhat = Door()
    key = planhat.add("tasks", action="a", status="s", custom={"x": 1, "y": 2})
    selections = ["action, status,", "_id", "nothing", "custom.x,custom.z", "custom.z", "custom.x,custom"]
    assert [planhat("GET", "tasks", select=select).body for select in selections] == [
        [{"_id": key, "action": "a", "status": "s"}],
        [{"_id": key}],
        [{"_id": key}],
        [{"_id": key, "custom": {"x": 1}}],
        [{"_id": key}],
        [{"_id": key, "custom": {"x": 1, "y": 2}}],
    ]


@pytest.mark.parametrize("path", ["conversations", "tasks", "tickets"])
def test_a_list_is_filtered_by_companies(path: str) -> None:
    """Several companies may be given, each by any of its keys if it is registered."""
    planhat = Door(TENET, ACME)
    tenet, acme, other, _none = (
        planhat.add(path, type="ticket", **company)
        for company in ({"companyId": TENET.company_id}, {"companyId": ACME.company_id}, {"companyId": "other"}, {})
    )
    assert planhat.ids(path, companyId="extid-tenet, srcid-120") == [tenet, acme]
    assert planhat.ids(path, companyId=f"{TENET.company_id}, other") == [tenet, other]
    assert planhat.ids(path, companyId="extid-nobody") == []


def test_tasks_are_filtered_by_their_endusers() -> None:
    """A task of any of them is listed."""
    planhat = Door()
    first = planhat.add("tasks", endusers=[{"id": "a"}, {"id": "b"}])
    second = planhat.add("tasks", endusers=["nonsense", {"name": "nobody"}, {"id": "c"}])
    planhat.add("tasks", endusers=[{"id": ["a"]}, {"id": "d"}])
    assert planhat.ids("tasks", enduserIds="b") == [first]
    assert planhat.ids("tasks", enduserIds="c,a") == [first, second]


@pytest.mark.parametrize("archived_only", [True, False])
def test_archived_tasks_are_hidden(*, archived_only: bool) -> None:
    """They are listed on request; a choice decides whether open tasks are hidden then."""
    planhat = Door(choices=Choices(archived_only=archived_only))
    open_, archived, unsaid = (
        planhat.add("tasks", **state) for state in ({"isArchived": False}, {"isArchived": True}, {})
    )
    assert planhat.ids("tasks") == planhat.ids("tasks", isArchived="false") == [open_, unsaid]
    assert planhat.ids("tasks", isArchived="true") == ([archived] if archived_only else [open_, archived, unsaid])


def test_an_archived_task_moves_to_another_list() -> None:
    """An unarchived task has its old position by `_id` again."""
    planhat = Door()
    first, second, third = (planhat.add("tasks") for _ in range(3))
    planhat("PUT", f"tasks/{first}", {"isArchived": True})
    assert (planhat.ids("tasks"), planhat.ids("tasks", isArchived="true")) == ([second, third], [first])
    planhat("PUT", f"tasks/{first}", {"isArchived": False})
    assert (planhat.ids("tasks"), planhat.ids("tasks", isArchived="true")) == ([first, second, third], [])


def test_tickets_are_filtered_by_status_email_and_snippet() -> None:
    """Status and e-mail address must be equal; the snippet is searched case-insensitively."""
    planhat = Door()
    first = planhat.add("tickets", status="open", email="a@b.c", snippet="Straße is CLOSED")
    second = planhat.add("tickets", status="Open", email="A@b.c")
    assert planhat.ids("tickets", status="open") == [first]
    assert planhat.ids("tickets", email="A@b.c") == [second]
    assert planhat.ids("tickets", search="STRASSE is closed") == [first]
    assert planhat.ids("tickets", search="straße is closed") == [first]
    assert planhat.ids("tickets", status="open", email="A@b.c") == []


def test_conversations_list_tickets_but_not_the_other_way_round() -> None:
    """The tickets' list contains tickets only."""
    planhat = Door()
    note, ticket, email = planhat.add("notes"), planhat.add("tickets"), planhat.add("conversations", type="email")
    assert planhat.ids("conversations") == [note, ticket, email]
    assert planhat.ids("tickets") == [ticket]


@pytest.mark.slow
def test_a_large_page_of_a_large_list_is_fast() -> None:
    """The last 10,000 of 200,000 records take well under a second: a default list needs no sort."""
    planhat = Door()
    tasks = planhat.api.state.collection(TASKS)
    for number in range(200_000):
        tasks.insert({"_id": f"{number:024x}", "action": "x" * 100})
    started = time.process_time()
    page = planhat("GET", "tasks", limit="10000", offset="190000")
    assert time.process_time() - started < 0.5
    assert (len(page.body), page.body[-1]["_id"]) == (10_000, f"{0:024x}")
