"""Test how the options of a listing become queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_ids import id_of

from planhat_async import DecodeError, Note, Task, Ticket, extid
from planhat_async._convert import encode_json
from planhat_async.batching.query import Query
from planhat_async.models import Notes, Tasks, Tickets
from planhat_async.records import HiddenFilter, Model, PageLimits, Params
from planhat_async.records.filters import MAX_IDS_LENGTH
from planhat_async.repositories.queries import queries_of
from planhat_async.repositories.upserts import _verification_lists

NOTES, TASKS, TICKETS = Notes.model, Tasks.model, Tickets.model
BY_ID = ("sort", "_id")
ARCHIVED = ("isArchived", "true")
OWN_KEYS = st.text("abc", min_size=1, max_size=300).map(extid)


def params(model: Model, **options: Any) -> list[Params]:
    """Return the parameters of each list that the options select."""
    return [query.params for query in queries_of(model, options, call=f"{model.name.capitalize()}.iter()")]


def wanted(query: Query, rows: list[dict[str, Any]]) -> list[bytes]:
    """Return the rows that a query keeps, as bytes."""
    return [kept for row in encoded(rows) if (kept := query.select_row(row)) is not None]


def encoded(rows: Iterable[dict[str, Any]]) -> list[bytes]:
    """Return rows as they are sent."""
    return [encode_json(row) for row in rows]


def test_paths_and_limits_of_each_model() -> None:
    """They are the documented ones: notes are conversations, and their lists have small limits."""
    facts = [(m.path, m.record, m.limits) for m in (NOTES, TASKS, TICKETS)]
    assert facts == [
        ("/conversations", Note, PageLimits(default=30, most=2000)),
        ("/tasks", Task, PageLimits(default=500, most=10_000)),
        ("/tickets", Ticket, PageLimits(default=500, most=10_000)),
    ]


class TestFilters:
    @pytest.mark.parametrize("model", [NOTES, TICKETS])
    def test_without_options_a_list_is_sorted_by_id(self, model: Model) -> None:
        """No other order is as close to that of creation."""
        assert params(model) == [(BY_ID,)]

    def test_all_tasks_are_two_lists(self) -> None:
        """Planhat hides archived tasks by default; the open ones come first."""
        assert params(TASKS) == [(BY_ID,), (ARCHIVED, BY_ID)]
        assert params(TASKS, archived=None) == [(BY_ID,), (ARCHIVED, BY_ID)]

    def test_open_or_archived_tasks_are_one_list(self) -> None:
        """Planhat lists the open ones by default."""
        assert params(TASKS, archived=False) == [(BY_ID,)]
        assert params(TASKS, archived=True) == [(ARCHIVED, BY_ID)]

    def test_tickets_are_filtered_by_planhat(self) -> None:
        """Filters have their documented names; `None` is ignored, and a blank filter is refused."""
        assert params(TICKETS, search="refund", email="a@b.c", status="open", company_id=id_of(1)) == [
            (("companyId", id_of(1)), ("status", "open"), ("email", "a@b.c"), ("search", "refund"), BY_ID)
        ]
        assert params(TICKETS, status=None, email=None, company_id=None) == [(BY_ID,)]
        with pytest.raises(ValueError, match=r"^email must not be blank"):
            params(TICKETS, email=" ")

    def test_notes_and_tasks_are_filtered_by_company(self) -> None:
        """One id or several may be given in any iterable; each is sent once."""
        assert params(NOTES, company_id="extid-7") == [(("companyId", "extid-7"), BY_ID)]
        joined = ",".join(map(id_of, "213"))
        assert params(NOTES, company_id=(id_of(i) for i in "2123")) == [(("companyId", joined), BY_ID)]
        assert params(TASKS, company_id={id_of("2")}, enduser_ids=map(id_of, "213"), archived=False) == [
            (("companyId", id_of("2")), ("enduserIds", joined), BY_ID)
        ]

    def test_every_company_is_combined_with_every_end_user(self) -> None:
        """Both lists may be too long for one call, for open and archived tasks."""
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
    def test_an_empty_list_of_ids_makes_no_query(self, name: str) -> None:
        """It selects no records, not all of them."""
        assert params(TASKS, **{name: []}) == []

    @given(st.lists(st.text("abc-0", min_size=1, max_size=700).map(extid), max_size=30))
    def test_long_lists_of_ids_are_split(self, ids: list[str]) -> None:
        """Every id is sent once, in order, in as few calls as possible."""
        groups = [dict(one)["companyId"] for one in params(NOTES, company_id=ids)]
        assert [one for group in groups for one in group.split(",")] == list(dict.fromkeys(ids))
        assert all(len(group) <= MAX_IDS_LENGTH for group in groups)
        heads = [group.split(",")[0] for group in groups[1:]]
        assert all(len(f"{group},{head}") > MAX_IDS_LENGTH for group, head in zip(groups, heads, strict=False))

    @given(st.lists(OWN_KEYS), st.lists(st.integers(0, 99).map("{:024x}".format), max_size=100))
    def test_two_filters_share_the_length_of_a_call(self, companies: list[str], users: list[str]) -> None:
        """Every company is combined with every end user, and no call is longer than one filter alone may make it."""
        asked = [dict(one) for one in params(TASKS, company_id=companies, enduser_ids=users, archived=False)]
        assert all(len(one["companyId"]) + len(one["enduserIds"]) <= MAX_IDS_LENGTH for one in asked)
        pairs = [(a, b) for one in asked for a in one["companyId"].split(",") for b in one["enduserIds"].split(",")]
        assert sorted(pairs) == sorted((a, b) for a in set(companies) for b in set(users))

    def test_ids_fill_a_call_completely(self) -> None:
        """80 ids of 24 characters and their commas have 1,999 characters."""
        ids = [f"{i:024x}" for i in range(81)]
        groups = [dict(one)["companyId"] for one in params(NOTES, company_id=ids)]
        assert groups == [",".join(ids[:80]), ids[80]]
        exact = ["extid-" + "a" * 994, "srcid-" + "b" * 993]
        assert len(params(NOTES, company_id=exact)) == 1
        assert len(params(NOTES, company_id=[*exact[:1], "srcid-" + "b" * 994])) == 2

    def test_ids_are_measured_as_quoted_in_a_url(self) -> None:
        """A letter outside ASCII takes at least six characters there."""
        ids = [f"extid-東京{n}" for n in range(200)]
        groups = [dict(one)["companyId"] for one in params(NOTES, company_id=ids)]
        assert ",".join(groups) == ",".join(ids)
        assert max(len(quote(group, safe=",")) for group in groups) <= MAX_IDS_LENGTH
        assert len(groups) == 3

    def test_an_id_longer_than_a_call_is_sent_alone(self) -> None:
        """Planhat may refuse it."""
        assert params(NOTES, company_id=["extid-" + "a" * 3000, "extid-b"]) == [
            (("companyId", "extid-" + "a" * 3000), BY_ID),
            (("companyId", "extid-b"), BY_ID),
        ]

    @pytest.mark.parametrize("name", ["company_id", "enduser_ids"])
    @pytest.mark.parametrize("bad", ["", " ", "1,2"])
    def test_an_id_with_a_comma_or_a_blank_id_is_refused(self, name: str, bad: str) -> None:
        """A comma would split it, and a blank id might select all records."""
        with pytest.raises(ValueError, match=f"^{name}: a key in a list must not be blank or hold a comma: "):
            params(TASKS, **{name: [id_of(1), bad]})
        with pytest.raises(ValueError, match=f"^{name}: "):
            params(TASKS, **{name: bad})

    @pytest.mark.parametrize("name", ["company_id", "enduser_ids"])
    @pytest.mark.parametrize("bare", ["acme", "crm-1", "6" * 23, f"{'6' * 24} "])
    def test_an_unprefixed_external_key_is_refused(self, name: str, bare: str) -> None:
        """Planhat would return an empty list; the message shows how to write an id of another system."""
        with pytest.raises(ValueError, match="is not an _id") as caught:
            params(TASKS, **{name: ["extid-1", bare]})
        taken = "an _id, extid-KEY or srcid-KEY"
        assert str(caught.value) == f"{bare!r} is not an _id (24 hex digits): {name} takes {taken}"

    @pytest.mark.parametrize("ids", [[7], [None], b"12", 5])
    def test_an_id_must_be_text(self, ids: Any) -> None:
        """The message names its type."""
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
        """Planhat would silently ignore it and list everything."""
        with pytest.raises(TypeError) as caught:
            params(model, **{name: "x"})
        assert str(caught.value) == message

    def test_the_message_for_a_dissimilar_option_lists_all_options(self) -> None:
        """No option has a similar name."""
        with pytest.raises(TypeError, match=r"has no option 'zzz'; it has after, company_id, .*, type$"):
            params(NOTES, zzz=1)

    @pytest.mark.parametrize(("model", "name"), [(NOTES, "status"), (TASKS, "type"), (TICKETS, "archived")])
    def test_an_option_of_another_model_is_unknown(self, model: Model, name: str) -> None:
        """Each model has its own filters."""
        with pytest.raises(TypeError, match=f"has no option '{name}'"):
            params(model, **{name: None})

    def test_options_of_reading_are_not_parameters(self) -> None:
        """Page size, maximum and concurrency are used by the reader."""
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
        """Either spelling and either direction work."""
        assert params(TASKS, archived=False, sort=sort) == [(("sort", wire),)]

    @pytest.mark.parametrize("options", [{"sort": "updatedat"}, {"sort": "-"}, {"select": ["updatedat"]}])
    def test_an_unknown_field_is_refused(self, options: dict[str, Any]) -> None:
        """Planhat is case-sensitive and would ignore it."""
        with pytest.raises(ValueError, match=r"^Task has no field"):
            params(TASKS, **options)

    def test_fields_are_selected_in_either_spelling(self) -> None:
        """Each is selected once, the `_id` first, because pages are joined by it."""
        select = ["company_id", "companyId", "custom.Phase", "id"]
        assert params(TICKETS, select=select) == [(BY_ID, ("select", "_id,companyId,custom.Phase"))]
        assert params(TICKETS, select=[]) == [(BY_ID, ("select", "_id"))]
        assert params(TICKETS, select=None) == [(BY_ID,)]

    def test_fields_required_by_a_filter_are_selected_too(self) -> None:
        """Notes are recognised by their type, archived tasks by their flag."""
        assert params(NOTES, select=["date"]) == [(BY_ID, ("select", "_id,date,type,isCustomType"))]
        assert params(NOTES, select=["date"], type="call") == [(BY_ID, ("select", "_id,date,type"))]
        assert params(NOTES, select=["date"], type=None) == [(BY_ID, ("select", "_id,date"))]
        assert params(TASKS, select=["action"]) == [
            (BY_ID, ("select", "_id,action")),
            (ARCHIVED, BY_ID, ("select", "_id,action,isArchived")),
        ]

    def test_fields_required_only_by_a_filter_are_removed_again(self) -> None:
        """A record has only the selected fields and the `_id`."""
        row = {"_id": "1", "date": "2024", "type": "note", "isCustomType": False}
        for select in (["date"], ["id", "date"]):
            (query,) = queries_of(NOTES, {"select": select})
            assert wanted(query, [row, {"_id": "2", "type": "email"}]) == encoded([{"_id": "1", "date": "2024"}])

    def test_rows_are_not_rewritten_for_their_id(self) -> None:
        """Every selection contains it, so without fields for a filter no field has to be removed."""
        for query in (
            *queries_of(TICKETS, {"select": ["title"]}),
            *queries_of(NOTES, {"select": ["date"], "type": None}),
        ):
            assert (query.fetched_only, query.project(b'{ "_id" : 1 }')) == (frozenset(), b'{ "_id" : 1 }')

    def test_a_single_name_is_not_a_list_of_names(self) -> None:
        """Its letters would be taken for names."""
        with pytest.raises(
            TypeError, match=r"^select must be an iterable of field names, such as \['subject', 'date'\], not 'date'$"
        ):
            params(NOTES, select="date")

    def test_names_may_come_from_an_iterator(self) -> None:
        """Otherwise archived tasks would lack their fields."""
        first, second = params(TASKS, select=iter(["action"]))
        assert dict(first)["select"] == "_id,action"
        assert dict(second)["select"] == "_id,action,isArchived"

    def test_a_selected_name_with_a_comma_is_refused(self) -> None:
        """It would be two unknown names."""
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
    def test_notes_are_distinguished_from_other_conversations(self, options: dict[str, Any], kept: list[int]) -> None:
        """Notes have the type `note` or a custom one, or the requested type; rows are unchanged."""
        (query,) = queries_of(NOTES, options)
        assert wanted(query, [*self.ROWS]) == encoded(self.ROWS[i] for i in kept)

    def test_archived_tasks_are_distinguished_from_open_ones(self) -> None:
        """Planhat does not document whether its list of archived tasks contains the open ones."""
        rows: list[dict[str, Any]] = [{"_id": "1", "isArchived": True}, {"_id": "2", "isArchived": False}, {"_id": "3"}]
        open_tasks, archived_tasks = queries_of(TASKS, {})
        assert wanted(open_tasks, rows) == encoded(rows)
        assert wanted(archived_tasks, rows) == encoded(rows[:1])

    def test_every_ticket_is_kept(self) -> None:
        """Planhat has filtered the tickets."""
        (query,) = queries_of(TICKETS, {"status": "open"})
        assert wanted(query, [*self.ROWS]) == encoded(self.ROWS)

    def test_a_row_that_is_not_an_object_is_an_error(self) -> None:
        """Skipping it would lose it silently."""
        (query,) = queries_of(NOTES, {})
        with pytest.raises(DecodeError, match="a row cannot be read"):
            query.select_row(b"7")

    @pytest.mark.parametrize("endusers", [["x", None, {"id": 7}, {"id": ["y"]}], "x", {"id": "u1"}, None])
    def test_invalid_end_users_do_not_count_as_a_match(self, endusers: Any) -> None:
        """The task is kept: a repeated task is better than a lost one."""
        people = [f"{n:024x}" for n in range(100)]
        *_, last = queries_of(TASKS, {"enduser_ids": people, "archived": False})
        row = {"_id": "1", "endusers": endusers}
        assert wanted(last, [row]) == encoded([row])
        assert wanted(last, [{"_id": "1", "endusers": [{"id": people[0]}]}]) == []


@pytest.mark.parametrize("n_ids", [0, 1])
def test_external_keys_of_end_users_must_fit_one_call(n_ids: int) -> None:
    """A task contains only the `_id`s of its end users, so two groups of other keys would yield it twice."""
    people = [*(f"{n:024x}" for n in range(n_ids)), *(extid(f"user-{n:0200}") for n in range(20))]
    with pytest.raises(ValueError, match=r"^enduser_ids: more ids than one call holds must each be an _id$"):
        queries_of(TASKS, {"enduser_ids": people})
    assert len(queries_of(TASKS, {"enduser_ids": people[:5], "archived": False})) == 1


def test_a_record_of_a_company_named_in_two_ways_is_yielded_once() -> None:
    """It belongs to the first group that finds it; a record without a company is kept."""
    companies = ["extid-acme", *(f"{n:024x}" for n in range(100))]
    first, second = queries_of(TICKETS, {"company_id": companies})
    rows = [{"_id": "1", "companyId": "a"}, {"_id": "2", "companyId": "b"}, {"_id": "3"}]
    assert wanted(first, rows[:1]) == encoded(rows[:1])
    assert wanted(second, rows) == encoded(rows[1:])


def test_a_company_named_in_two_ways_changes_no_other_filter() -> None:
    """The field of the company is fetched, because the reader needs it."""
    companies = ["extid-acme", *(f"{n:024x}" for n in range(100))]
    queries = queries_of(TASKS, {"company_id": companies, "archived": True, "select": ["action"]})
    rows = [{"companyId": "a", "isArchived": False}, {"companyId": "b", "isArchived": True, "action": "call"}]
    assert [wanted(query, rows) for query in queries] == [encoded([{"action": "call"}]), []]
    assert {query.select for query in queries} == {("_id", "action", "companyId", "isArchived")}


@pytest.mark.parametrize("archived", [False, True])
def test_a_task_of_end_users_in_two_groups_is_yielded_once(archived: bool) -> None:
    """It comes with the first of them; the end users are fetched for this and not yielded."""
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


def test_companies_named_in_one_way_are_not_fetched() -> None:
    """Different ids are different companies then."""
    queries = queries_of(TICKETS, {"company_id": [f"{n:024x}" for n in range(100)], "select": ["title"]})
    assert [(query.row_filter, query.select) for query in queries] == [(None, ("_id", "title"))] * 2


def test_the_newest_record_has_its_own_query() -> None:
    """It has the same filters and a descending order, and selects only the `_id`."""
    (query,) = queries_of(TICKETS, {"status": "open", "select": ["title"], "sort": "title"})
    assert query.newest_params == (("status", "open"), ("sort", "-_id"), ("select", "_id"))


def test_a_selected_name_must_be_text() -> None:
    """The message names its type."""
    with pytest.raises(TypeError, match=r"^a field's name is text, not a whole number$"):
        params(NOTES, select=[7])


def test_rows_without_an_answer_are_looked_for_among_hidden_records_too() -> None:
    """A list that leaves out archived records does not prove that a row is missing."""
    model = attrs.evolve(TICKETS, filters=(HiddenFilter(),))
    assert model.everything == {"archived": None}
    assert _verification_lists(model) == [(("archived", "true"),)]
    assert _verification_lists(TICKETS) == [()]
