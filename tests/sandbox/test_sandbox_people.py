"""Users and end users, named by records."""

from __future__ import annotations

import pytest
from sandbox_door import Door

from planhat_async.sandbox import EndUser, User
from planhat_async.sandbox.people import People

SARAH = User("5524481f516d59216a6d2b80", "Sarah")
JOHN = EndUser("5f7e1a07dcd4235b544f3ce4", "John Bacon", "jbacon@gmail.com")


@pytest.fixture
def planhat() -> Door:
    door = Door()
    door.api.state.register(SARAH)
    door.api.state.register(JOHN)
    return door


def test_a_note_gets_the_names_of_its_people(planhat: Door) -> None:
    """By their ids; one that nobody knows, and what is no person, stays as it was sent."""
    note = planhat(
        "POST",
        "conversations",
        {
            "companyId": "c",
            "type": "note",
            "users": [{"id": SARAH.user_id, "isOwner": True}, {"id": "other", "name": "Else"}, "none", {"id": [1]}],
            "endusers": [{"id": JOHN.enduser_id, "name": "as sent"}],
        },
    ).body
    assert note["users"] == [
        {"id": SARAH.user_id, "isOwner": True, "name": "Sarah"},
        {"id": "other", "name": "Else"},
        "none",
        {"id": [1]},
    ]
    assert note["endusers"] == [{"id": JOHN.enduser_id, "name": "John Bacon"}]


def test_a_task_gets_the_name_of_its_owner(planhat: Door) -> None:
    """Unless it was sent with one."""
    tasks = [{"ownerId": SARAH.user_id}, {"ownerId": SARAH.user_id, "ownerName": "S."}, {"ownerId": "x"}]
    answers = [planhat("POST", "tasks", {"companyId": "c", **task}).body for task in tasks]
    assert [answer.get("ownerName") for answer in answers] == ["Sarah", "S.", None]


def test_a_ticket_gets_the_end_user_of_its_address(planhat: Door) -> None:
    """As in the documented example; an address that nobody has names nobody."""
    rows = [{"sourceId": email, "companyId": "c", "email": email} for email in (JOHN.email, "else@gmail.com")]
    planhat("PUT", "tickets", rows)
    assert [ticket["endusers"] for ticket in planhat("GET", "tickets", sort="_id").body] == [
        [{"id": JOHN.enduser_id, "name": "John Bacon"}],
        [],
    ]


def test_without_people_nothing_is_looked_at() -> None:
    """Names stay as they were sent."""
    assert People().named({"users": [{"id": "a", "name": "b"}], "ownerId": "a", "email": "e"}) == {}


def test_who_is_registered_again_is_replaced() -> None:
    """By the `_id`."""
    people = People([SARAH], [JOHN])
    people.add_user(User(SARAH.user_id, "Sally"))
    people.add_enduser(EndUser("no address"))
    assert [user.name for user in people.users] == ["Sally"]
    assert people.endusers == [JOHN, EndUser("no address")]
