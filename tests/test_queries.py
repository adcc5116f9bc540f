"""What the options of a listing come down to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_ids import id_of

from planhat_async import DecodeError, Note, Task, Ticket, extid
from planhat_async._convert import encode_json
from planhat_async.batching.query import Query
from planhat_async.models import Notes, Tasks, Tickets
from planhat_async.records import Model, PageLimits, Params
from planhat_async.records.filters import MAX_IDS_LENGTH
from planhat_async.repositories.queries import queries_of

NOTES, TASKS, TICKETS = Notes.model, Tasks.model, Tickets.model
BY_ID = ("sort", "_id")
ARCHIVED = ("isArchived", "true")
OWN_KEYS = st.text("abc", min_size=1, max_size=300).map(extid)


def params(model: Model, **options: Any) -> list[Params]:
    """The parameters of each list that the options come down to."""
    return [query.params for query in queries_of(model, options, call=f"{model.name.capitalize()}.iter()")]


def wanted(query: Query, rows: list[dict[str, Any]]) -> list[bytes]:
    """The rows that a query keeps, as bytes."""
    return [kept for row in encoded(rows) if (kept := query.select_row(row)) is not None]


def encoded(rows: Iterable[dict[str, Any]]) -> list[bytes]:
    """Rows as they travel."""
    return [encode_json(row) for row in rows]


def test_where_each_model_is() -> None:
    """Paths and limits are Planhat's documentation's: notes are conversations, and their lists are short."""
    facts = [(m.path, m.record, m.limits) for m in (NOTES, TASKS, TICKETS)]
    assert facts == [
        ("/conversations", Note, PageLimits(default=30, most=2000)),
        ("/tasks", Task, PageLimits(default=500, most=10_000)),
        ("/tickets", Ticket, PageLimits(default=500, most=10_000)),
    ]


class TestFilters:
    @pytest.mark.parametrize("model", [NOTES, TICKETS])
    def test_without_options_a_list_is_sorted_by_id(self, model: Model) -> None:
        """The only order that is nearly that of creation."""
        assert params(model) == [(BY_ID,)]

    def test_all_tasks_are_two_lists(self) -> None:
        """Planhat hides archived tasks unless it is asked for them; the open ones come first."""
        assert params(TASKS) == [(BY_ID,), (ARCHIVED, BY_ID)]
        assert params(TASKS, archived=None) == [(BY_ID,), (ARCHIVED, BY_ID)]

    def test_open_or_archived_tasks_are_one_list(self) -> None:
        """The open ones are Planhat's default."""
        assert params(TASKS, archived=False) == [(BY_ID,)]
        assert params(TASKS, archived=True) == [(ARCHIVED, BY_ID)]

    def test_tickets_are_filtered_by_planhat(self) -> None:
        """By the documented names; what is `None` is left out, and a blank filter refused."""
        assert params(TICKETS, search="refund", email="a@b.c", status="open", company_id=id_of(1)) == [
            (("companyId", id_of(1)), ("status", "open"), ("email", "a@b.c"), ("search", "refund"), BY_ID)
        ]
        assert params(TICKETS, status=None, email=None, company_id=None) == [(BY_ID,)]
        with pytest.raises(ValueError, match=r"^email must not be blank"):
            params(TICKETS, email=" ")

    def test_notes_and_tasks_are_filtered_by_company(self) -> None:
        """One id, or several, each once; in any iterable."""
        assert params(NOTES, company_id="extid-7") == [(("companyId", "extid-7"), BY_ID)]
        joined = ",".join(map(id_of, "213"))
        assert params(NOTES, company_id=(id_of(i) for i in "2123")) == [(("companyId", joined), BY_ID)]
        assert params(TASKS, company_id={id_of("2")}, enduser_ids=map(id_of, "213"), archived=False) == [
            (("companyId", id_of("2")), ("enduserIds", joined), BY_ID)
        ]

    def test_every_company_meets_every_end_user(self) -> None:
        """Where both lists are too long for one call, in open and archived tasks alike."""
        companies = ["extid-" + one * 1500 for one in "cd"]
        users = [f"{n:024x}" for n in range(50)]
        groups = [",".join(users[:40]), ",".join(users[40:])]
        assert params(TASKS, company_id=companies, enduser_ids=iter(users)) == [
            (("companyId", company), ("enduserIds", group), *archived, BY_ID)
            for company in companies
            for group in groups
            for archived in ((), (ARCHIVED,))
        ]

    @pytest.mark.parametrize("name", ["company_id", "enduser_ids"])
    def test_none_of_nothing_is_asked_for(self, name: str) -> None:
        """An empty list of ids means no records, not all of them."""
        assert params(TASKS, **{name: []}) == []

    @given(st.lists(st.text("abc-0", min_size=1, max_size=700).map(extid), max_size=30))
    def test_long_lists_of_ids_are_split(self, ids: list[str]) -> None:
        """Every id is asked for once, in order, in no more calls than it takes."""
        groups = [dict(one)["companyId"] for one in params(NOTES, company_id=ids)]
        assert [one for group in groups for one in group.split(",")] == list(dict.fromkeys(ids))
        assert all(len(group) <= MAX_IDS_LENGTH for group in groups)
        heads = [group.split(",")[0] for group in groups[1:]]
        assert all(len(f"{group},{head}") > MAX_IDS_LENGTH for group, head in zip(groups, heads, strict=False))

    @given(st.lists(OWN_KEYS), st.lists(st.integers(0, 99).map("{:024x}".format), max_size=100))
    def test_two_filters_share_the_room_of_a_call(self, companies: list[str], users: list[str]) -> None:
        """Every company meets every end user, and no call is longer than one filter alone may make it."""
        asked = [dict(one) for one in params(TASKS, company_id=companies, enduser_ids=users, archived=False)]
        assert all(len(one["companyId"]) + len(one["enduserIds"]) <= MAX_IDS_LENGTH for one in asked)
        pairs = [(a, b) for one in asked for a in one["companyId"].split(",") for b in one["enduserIds"].split(",")]
        assert sorted(pairs) == sorted((a, b) for a in set(companies) for b in set(users))

    def test_ids_fill_a_call_to_the_last_character(self) -> None:
        """80 ids of 24 characters with their commas are 1,999."""
        ids = [f"{i:024x}" for i in range(81)]
        groups = [dict(one)["companyId"] for one in params(NOTES, company_id=ids)]
        assert groups == [",".join(ids[:80]), ids[80]]
        exact = ["extid-" + "a" * 994, "srcid-" + "b" * 993]
        assert len(params(NOTES, company_id=exact)) == 1
        assert len(params(NOTES, company_id=[*exact[:1], "srcid-" + "b" * 994])) == 2

    def test_ids_count_as_a_url_has_them(self) -> None:
        """A letter that is not ASCII takes six characters there, or more."""
        ids = [f"extid-東京{n}" for n in range(200)]
        groups = [dict(one)["companyId"] for one in params(NOTES, company_id=ids)]
        assert ",".join(groups) == ",".join(ids)
        assert max(len(quote(group, safe=",")) for group in groups) <= MAX_IDS_LENGTH
        assert len(groups) == 3

    def test_an_id_longer_than_a_call_goes_alone(self) -> None:
        """It is for Planhat to refuse it."""
        assert params(NOTES, company_id=["extid-" + "a" * 3000, "extid-b"]) == [
            (("companyId", "extid-" + "a" * 3000), BY_ID),
            (("companyId", "extid-b"), BY_ID),
        ]

    @pytest.mark.parametrize("name", ["company_id", "enduser_ids"])
    @pytest.mark.parametrize("bad", ["", " ", "1,2"])
    def test_an_id_must_stay_one(self, name: str, bad: str) -> None:
        """A comma would make two of it, and a blank one might mean all."""
        with pytest.raises(ValueError, match=f"^{name}: a key in a list must not be blank or hold a comma: "):
            params(TASKS, **{name: [id_of(1), bad]})
        with pytest.raises(ValueError, match=f"^{name}: "):
            params(TASKS, **{name: bad})

    @pytest.mark.parametrize("name", ["company_id", "enduser_ids"])
    @pytest.mark.parametrize("bare", ["acme", "crm-1", "6" * 23, f"{'6' * 24} "])
    def test_a_key_that_is_no_id_is_refused(self, name: str, bare: str) -> None:
        """Planhat would answer with an empty list; the message names the ways to write an id of another system."""
        with pytest.raises(ValueError, match="is not an _id") as caught:
            params(TASKS, **{name: ["extid-1", bare]})
        taken = 'an _id, extid("…") or srcid("…")'
        assert str(caught.value) == f"{bare!r} is not an _id (24 hex digits): {name} takes {taken}"

    @pytest.mark.parametrize("ids", [[7], [None], b"12", 5])
    def test_an_id_is_text(self, ids: Any) -> None:
        """What else it is, is said."""
        with pytest.raises(TypeError, match="company_id"):
            params(NOTES, company_id=ids)


class TestOptions:
    @pytest.mark.parametrize(
        ("model", "name", "message"),
        [
            (NOTES, "company", "Notes.iter() has no option 'company'; did you mean company_id?"),
            (TASKS, "is_archived", "Tasks.iter() has no option 'is_archived'; did you mean archived?"),
            (TICKETS, "stats", "Tickets.iter() has no option 'stats'; did you mean status?"),
            (TICKETS, "companyId", "Tickets.iter() has no option 'companyId'; did you mean company_id?"),
        ],
    )
    def test_an_unknown_option_is_refused(self, model: Model, name: str, message: str) -> None:
        """Planhat would ignore it silently, and list everything."""
        with pytest.raises(TypeError) as caught:
            params(model, **{name: "x"})
        assert str(caught.value) == message

    def test_an_option_like_no_other_is_told_all(self) -> None:
        """There is no nearest name."""
        with pytest.raises(TypeError, match=r"has no option 'zzz'; it has after, company_id, .*, type$"):
            params(NOTES, zzz=1)

    @pytest.mark.parametrize(("model", "name"), [(NOTES, "status"), (TASKS, "type"), (TICKETS, "archived")])
    def test_an_option_of_another_model_is_unknown(self, model: Model, name: str) -> None:
        """Each model has its own filters."""
        with pytest.raises(TypeError, match=f"has no option '{name}'"):
            params(model, **{name: None})

    def test_how_a_list_is_read_is_no_parameter(self) -> None:
        """Page size, count and concurrency are the reader's."""
        assert params(NOTES, page_size=10, max_records=5, concurrency=2) == [(BY_ID,)]


class TestSortAndSelect:
    @pytest.mark.parametrize(
        ("sort", "wire"),
        [
            ("id", "_id"),
            ("-id", "-_id"),
            ("created_at", "createdAt"),
            ("-createdAt", "-createdAt"),
            ("custom.Phase", "custom.Phase"),
            ("-custom.Phase", "-custom.Phase"),
            ("", "_id"),
            (None, "_id"),
        ],
    )
    def test_a_list_is_sorted_by_a_field(self, sort: str | None, wire: str) -> None:
        """In either spelling, in either direction."""
        assert params(TASKS, archived=False, sort=sort) == [(("sort", wire),)]

    @pytest.mark.parametrize("options", [{"sort": "updatedat"}, {"sort": "-"}, {"select": ["updatedat"]}])
    def test_a_field_nobody_knows_is_refused(self, options: dict[str, Any]) -> None:
        """Planhat is case-sensitive, and would sort by nothing."""
        with pytest.raises(ValueError, match=r"^Task has no field"):
            params(TASKS, **options)

    def test_fields_are_selected_in_either_spelling(self) -> None:
        """Each once, the `_id` first: pages are told apart by it."""
        select = ["company_id", "companyId", "custom.Phase", "id"]
        assert params(TICKETS, select=select) == [(BY_ID, ("select", "_id,companyId,custom.Phase"))]
        assert params(TICKETS, select=[]) == [(BY_ID, ("select", "_id"))]
        assert params(TICKETS, select=None) == [(BY_ID,)]

    def test_what_a_filter_needs_is_selected_too(self) -> None:
        """Notes are told by their type, archived tasks by their flag."""
        assert params(NOTES, select=["date"]) == [(BY_ID, ("select", "_id,date,type,isCustomType"))]
        assert params(NOTES, select=["date"], type="call") == [(BY_ID, ("select", "_id,date,type"))]
        assert params(NOTES, select=["date"], type=None) == [(BY_ID, ("select", "_id,date"))]
        assert params(TASKS, select=["action"]) == [
            (BY_ID, ("select", "_id,action")),
            (ARCHIVED, BY_ID, ("select", "_id,action,isArchived")),
        ]

    def test_what_only_a_check_or_a_filter_needs_is_taken_out_again(self) -> None:
        """One gets what one selected, and the `_id`."""
        row = {"_id": "1", "date": "2024", "type": "note", "isCustomType": False}
        for select in (["date"], ["id", "date"]):
            (query,) = queries_of(NOTES, {"select": select})
            assert wanted(query, [row, {"_id": "2", "type": "email"}]) == encoded([{"_id": "1", "date": "2024"}])

    def test_rows_are_not_written_anew_for_their_id(self) -> None:
        """It comes with any selection, so where no filter needs another field nothing is taken out."""
        for query in (
            *queries_of(TICKETS, {"select": ["title"]}),
            *queries_of(NOTES, {"select": ["date"], "type": None}),
        ):
            assert (query.fetched_only, query.project(b'{ "_id" : 1 }')) == (frozenset(), b'{ "_id" : 1 }')

    def test_one_name_is_no_list_of_names(self) -> None:
        """Its letters would be taken for names."""
        with pytest.raises(
            TypeError, match=r"^select must be an iterable of field names, such as \['subject', 'date'\], not 'date'$"
        ):
            params(NOTES, select="date")

    def test_names_may_come_from_an_iterator(self) -> None:
        """Or archived tasks would come without their fields."""
        first, second = params(TASKS, select=iter(["action"]))
        assert dict(first)["select"] == "_id,action"
        assert dict(second)["select"] == "_id,action,isArchived"

    def test_a_selected_name_must_stay_one(self) -> None:
        """A comma would make two of it, neither of them there."""
        with pytest.raises(ValueError, match="comma"):
            params(NOTES, select=["custom.Size, employees"])


class TestRows:
    ROWS: tuple[dict[str, Any], ...] = (
        {"_id": "1", "type": "note"},
        {"_id": "2", "type": "email", "isCustomType": False},
        {"_id": "3", "type": "visit", "isCustomType": True},
        {"_id": "4"},
        {"_id": "5", "type": "note", "isCustomType": None},
    )

    @pytest.mark.parametrize(
        ("options", "kept"),
        [
            ({}, [0, 2, 4]),
            ({"type": "note"}, [0, 2, 4]),
            ({"type": "visit"}, [2]),
            ({"type": "email"}, [1]),
            ({"type": None}, [0, 1, 2, 3, 4]),
        ],
    )
    def test_notes_are_told_from_other_conversations(self, options: dict[str, Any], kept: list[int]) -> None:
        """By their type, custom touch types included unless one type is asked for; rows stay as they came."""
        (query,) = queries_of(NOTES, options)
        assert wanted(query, [*self.ROWS]) == encoded(self.ROWS[i] for i in kept)

    def test_archived_tasks_are_told_from_open_ones(self) -> None:
        """Whether Planhat's list of archived tasks holds the open ones as well is not documented."""
        rows: list[dict[str, Any]] = [{"_id": "1", "isArchived": True}, {"_id": "2", "isArchived": False}, {"_id": "3"}]
        open_tasks, archived_tasks = queries_of(TASKS, {})
        assert wanted(open_tasks, rows) == encoded(rows)
        assert wanted(archived_tasks, rows) == encoded(rows[:1])

    def test_every_ticket_is_wanted(self) -> None:
        """Planhat has filtered them."""
        (query,) = queries_of(TICKETS, {"status": "open"})
        assert wanted(query, [*self.ROWS]) == encoded(self.ROWS)

    def test_a_row_that_is_no_object_is_an_error(self) -> None:
        """Leaving it out would lose it silently."""
        (query,) = queries_of(NOTES, {})
        with pytest.raises(DecodeError, match="a row cannot be read"):
            query.select_row(b"7")

    @pytest.mark.parametrize("endusers", [["x", None, {"id": 7}, {"id": ["y"]}], "x", {"id": "u1"}, None])
    def test_unusual_people_are_nobody_that_was_asked_for(self, endusers: Any) -> None:
        """The task is kept: once too often is better than never."""
        people = [f"{n:024x}" for n in range(100)]
        *_, last = queries_of(TASKS, {"enduser_ids": people, "archived": False})
        row = {"_id": "1", "endusers": endusers}
        assert wanted(last, [row]) == encoded([row])
        assert wanted(last, [{"_id": "1", "endusers": [{"id": people[0]}]}]) == []


@pytest.mark.parametrize("n_ids", [0, 1])
def test_people_that_no_task_names_are_not_read_in_two_lists(n_ids: int) -> None:
    """A task names its people by `_id` alone: one of two groups of other keys would come twice."""
    people = [*(f"{n:024x}" for n in range(n_ids)), *(extid(f"user-{n:0200}") for n in range(20))]
    with pytest.raises(ValueError, match=r"^enduser_ids: more ids than one call holds must each be an _id$"):
        queries_of(TASKS, {"enduser_ids": people})
    assert len(queries_of(TASKS, {"enduser_ids": people[:5], "archived": False})) == 1


def test_a_company_named_in_two_ways_comes_once() -> None:
    """In the group it was met in first; whoever names none is kept."""
    companies = ["extid-acme", *(f"{n:024x}" for n in range(100))]
    first, second = queries_of(TICKETS, {"company_id": companies})
    rows = [{"_id": "1", "companyId": "a"}, {"_id": "2", "companyId": "b"}, {"_id": "3"}]
    assert wanted(first, rows[:1]) == encoded(rows[:1])
    assert wanted(second, rows) == encoded(rows[1:])


def test_a_company_named_in_two_ways_changes_no_other_filter() -> None:
    """And the company is fetched, or nobody could tell."""
    companies = ["extid-acme", *(f"{n:024x}" for n in range(100))]
    queries = queries_of(TASKS, {"company_id": companies, "archived": True, "select": ["action"]})
    rows = [{"companyId": "a", "isArchived": False}, {"companyId": "b", "isArchived": True, "action": "call"}]
    assert [wanted(query, rows) for query in queries] == [encoded([{"action": "call"}]), []]
    assert {query.select for query in queries} == {("_id", "action", "companyId", "isArchived")}


@pytest.mark.parametrize("archived", [False, True])
def test_a_task_of_end_users_in_two_groups_comes_once(archived: bool) -> None:
    """With the first of them; who was asked for is fetched where it is needed, and not handed on."""
    people = [f"{n:024x}" for n in range(170)]
    queries = queries_of(TASKS, {"enduser_ids": people, "archived": archived, "select": ["action"]})
    rows = [
        {"action": name, "endusers": [{"id": people[n]} for n in numbers], **({"isArchived": True} if archived else {})}
        for name, numbers in (
            ("first", [0]),
            ("both", [0, 90]),
            ("second", [90]),
            ("all", [0, 90, 165]),
            ("later", [90, 165]),
            ("third", [165]),
        )
    ]
    assert len(queries) == 3
    assert wanted(queries[1], rows[1:4]) == encoded([{"action": "second"}])
    assert wanted(queries[2], rows[3:]) == encoded([{"action": "third"}])
    needs = ("isArchived",) if archived else ()
    assert [query.select for query in queries] == [
        ("_id", "action", *needs),
        *[("_id", "action", "endusers", *needs)] * 2,
    ]


def test_companies_named_in_one_way_need_no_look_at_them() -> None:
    """No two of them can be one."""
    queries = queries_of(TICKETS, {"company_id": [f"{n:024x}" for n in range(100)], "select": ["title"]})
    assert [(query.row_filter, query.select) for query in queries] == [(None, ("_id", "title"))] * 2


def test_a_list_has_another_end() -> None:
    """Asked for by the same filters, in descending order, as `_id`s alone."""
    (query,) = queries_of(TICKETS, {"status": "open", "select": ["title"], "sort": "title"})
    assert query.newest_params == (("status", "open"), ("sort", "-_id"), ("select", "_id"))


def test_a_selected_name_is_text() -> None:
    """What else it is, is said."""
    with pytest.raises(TypeError, match=r"^a field's name is text, not a whole number$"):
        params(NOTES, select=[7])
