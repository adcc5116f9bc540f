"""Test the particular behaviour of single models."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_door import ACME, NOW, TENET, Answer, Door

from planhat_async.sandbox import Choices, EndUser, User
from planhat_async.sandbox.times import at, written

EXAMPLE = "ada@acme.com"


def _error(reason: str) -> Answer:
    return Answer(400, {"error": reason})


def _only(planhat: Door, name: str) -> dict[str, Any]:
    (record,) = planhat.api.state.records(name)
    return record


def test_an_enduser_finds_its_company_by_its_address() -> None:
    """The domain matches case-insensitively; the address is ignored if the row names a company."""
    planhat = Door(ACME, TENET)
    created = planhat("POST", "endusers", {"email": "ada@ACME.com", "firstName": "Ada", "lastName": "Sample"}).body
    assert (created["companyId"], created["companyName"], created["name"]) == (ACME.company_id, "Acme", "Ada Sample")
    named = planhat("POST", "endusers", {"email": "bob@acme.com", "companyId": "extid-tenet"}).body
    assert named["companyId"] == TENET.company_id


@pytest.mark.parametrize(
    "row",
    [
        {"email": "ada@nowhere.com"},
        {"email": "nonsense"},
        {"sourceId": "s"},
        {"email": "ada@nowhere.com", "companyId": ""},
    ],
)
def test_an_enduser_without_a_company(row: dict[str, Any]) -> None:
    """A creation is refused, and a bulk upsert drops the row silently."""
    planhat = Door(ACME)
    assert planhat("POST", "endusers", row) == _error("companyId is required")
    answer = planhat("PUT", "endusers", [row, {"email": EXAMPLE}])
    counts = {name: answer.body[name] for name in ("created", "updated", "nonupdates", "createdErrors")}
    assert (answer.status, counts) == (200, {"created": 1, "updated": 0, "nonupdates": 0, "createdErrors": []})
    assert _only(planhat, "endusers")["email"] == EXAMPLE


def test_an_enduser_of_an_unknown_company_is_refused() -> None:
    """This holds even if its address would find a company."""
    row = {"email": EXAMPLE, "companyId": "unknown"}
    answer = Door(ACME)("PUT", "endusers", [row])
    assert answer.body["createdErrors"] == [{"email": EXAMPLE, "error": "companyId: no such company"}]


def test_an_existing_enduser_needs_no_company() -> None:
    """Any of its keys matches, and it keeps its company, even if its address changes."""
    planhat = Door(ACME, TENET)
    planhat("PUT", "endusers", [{"email": EXAMPLE, "sourceId": "s", "externalId": "e", "lastName": "Sample"}])
    for key in ({"email": EXAMPLE}, {"sourceId": "s"}, {"externalId": "e"}):
        planhat.now += 1.0
        answer = planhat("PUT", "endusers", [key | {"position": str(planhat.now)}])
        assert (answer.body["updated"], answer.body["createdErrors"]) == (1, []), key
    planhat("PUT", "endusers", [{"sourceId": "s", "email": "ada@tenet.com", "firstName": "Ada"}])
    changed = _only(planhat, "endusers")
    assert (changed["companyId"], changed["name"]) == (ACME.company_id, "Ada Sample")
    assert changed["createDate"] < changed["updatedAt"]


def test_without_registered_companies_every_enduser_is_accepted() -> None:
    """Any company is accepted then, as in all models; the company of an address is unknown."""
    planhat = Door()
    assert planhat("PUT", "endusers", [{"email": EXAMPLE}]).body["created"] == 1
    assert "companyId" not in _only(planhat, "endusers")


def test_an_archived_enduser_is_hidden_from_lists_only() -> None:
    """It can be read and updated, and is listed again when it is no longer archived."""
    planhat = Door()
    key = planhat("POST", "endusers", {"email": EXAMPLE, "companyId": "c", "archived": True}).body["_id"]
    assert (planhat.ids("endusers"), planhat.ids("endusers", archived="true")) == ([], [key])
    assert planhat("GET", f"endusers/{key}").status == 200
    planhat("PUT", "endusers", [{"email": EXAMPLE, "archived": False}])
    assert planhat.ids("endusers") == [key]


def test_an_external_id_is_unique_in_a_company() -> None:
    """Another company may have the same one; in models without a company, it is unique in the model."""
    planhat = Door()
    rows = [{"companyId": company, "externalId": "e"} for company in "aab"]
    assert [planhat("POST", "licenses", row).status for row in rows] == [200, 400, 200]
    assert planhat("POST", "licenses", rows[0]) == _error("externalId duplicated")
    assert [planhat("POST", "products", {"name": "P", "externalId": "e"}).status for _ in range(2)] == [200, 400]
    (first, second) = planhat.ids("licenses")
    assert planhat("PUT", f"licenses/{second}", {"companyId": "a"}).status == 200
    assert planhat("PUT", f"licenses/{first}", {"externalId": "e", "mrr": 1}).status == 200


def test_a_list_of_users_shows_fifteen_fields() -> None:
    """The list has the `_id` too; `select` returns other fields, and get returns all."""
    planhat = Door()
    sent = {"nickName": "Bo", "email": "bo@team.example", "firstName": "Bo", "lastName": "Sample", "custom": {"a": 1}}
    created = planhat("POST", "users", sent).body
    assert created["inactive"] is True
    hidden = {"custom", "roles", "apiTokens", "createDate", "notificationsEnabled"}
    (listed,) = planhat("GET", "users").body
    assert not hidden & listed.keys()
    assert listed == {name: created[name] for name in listed}
    assert {"_id", "email", "nickName", "createdAt", "updatedAt", "inactive"} <= listed.keys()
    assert planhat("GET", "users", select="custom").body == [{"_id": created["_id"], "custom": {"a": 1}}]
    assert planhat("GET", f"users/{created['_id']}").body == created


def test_the_answer_to_an_upsert_of_users_names_their_addresses() -> None:
    """The documented example has this form."""
    row = {"nickName": "Bo", "email": "bo@team.example", "firstName": "Bo", "lastName": "Sample"}
    (key,) = Door()("PUT", "users", [row]).body["insertsKeys"]
    assert key == {"_id": key["_id"], "email": "bo@team.example"}


def test_registered_people_have_paths() -> None:
    """A user and an end user given to the sandbox are listed like any other."""
    planhat = Door(User("u" * 24, "Bo"), EndUser("e" * 24, "Ada", EXAMPLE))
    assert planhat("GET", "users").body == [{"_id": "u" * 24, "nickName": "Bo"}]
    assert planhat.ids("endusers", email=EXAMPLE) == ["e" * 24]
    planhat("PUT", "endusers", [{"email": EXAMPLE, "position": "CEO"}])
    assert _only(planhat, "endusers") == _only(planhat, "endusers") | {"name": "Ada", "position": "CEO"}


def test_an_nps_answer_names_its_enduser() -> None:
    """The e-mail address is used; its company is that of the end user, unless one was sent."""
    planhat = Door(ACME, TENET)
    enduser = planhat("POST", "endusers", {"email": EXAMPLE}).body
    answers = [{"email": EXAMPLE, "score": 0}, {"email": EXAMPLE, "score": 1, "cId": TENET.company_id}]
    answers.append({"email": "unknown@nowhere.com", "score": 10})
    stored = [planhat("POST", "nps", answer).body for answer in answers]
    assert [(one.get("euId"), one.get("cId")) for one in stored] == [
        (enduser["_id"], ACME.company_id),
        (enduser["_id"], TENET.company_id),
        (None, None),
    ]


def test_an_nps_answer_is_hidden_after_360_days() -> None:
    """It is hidden from lists only; a whole number of days lists it again, other values are refused."""
    planhat = Door()
    sent = {"email": EXAMPLE, "score": 7, "sourceId": "s", "dateAnswered": written(at(NOW - 361 * 86_400))}
    key = planhat("POST", "nps", sent).body["_id"]
    assert planhat.ids("nps") == []
    assert planhat("GET", f"nps/{key}").status == 200
    assert planhat.ids("nps", npsExpiryDay="9999999") == [key]
    assert planhat("GET", "nps", npsExpiryDay="never") == _error("npsExpiryDay must be a whole number")


def test_an_nps_answer_may_have_its_live_names() -> None:
    """It is hidden after 360 days too, and an update changes the same fields."""
    planhat = Door(choices=Choices(live_names=True))
    old = {"email": EXAMPLE, "score": 7, "comment": "C", "dateAnswered": written(at(NOW - 361 * 86_400))}
    key = planhat("POST", "nps", old).body["_id"]
    planhat("PUT", f"nps/{key}", {"score": 9})
    assert planhat.ids("nps") == []
    (listed,) = planhat("GET", "nps", npsExpiryDay="9999").body
    live = {"nps": 9, "npsComment": "C", "npsDate": old["dateAnswered"]}
    assert listed == listed | live
    assert not {"score", "comment", "dateAnswered"} & listed.keys()


def test_lean_companies_are_companies() -> None:
    """One list returns all of them with their identifying fields; the model has no other call."""
    planhat = Door()
    state = planhat.api.state
    keys = [
        state.add("companies", {"name": str(number), "status": "lost", "mrr": 7}, now=NOW)["_id"]
        for number in range(150)
    ]
    assert planhat.ids("leancompanies", limit="10", offset="5") == keys
    assert planhat("GET", "leancompanies").body[0] == {"_id": keys[-1], "name": "149"}
    assert planhat("GET", "leancompanies", status="customer").body == []
    for method, path in [("GET", keys[0]), ("PUT", keys[0]), ("DELETE", keys[0]), ("POST", ""), ("PUT", "")]:
        assert planhat(method, f"leancompanies/{path}", {}).status == 405
    assert state.records("lean_companies") == state.records("companies")


def test_an_issue_has_several_companies() -> None:
    """Any key names a company; an unknown one is refused, and the list may become empty."""
    planhat = Door(ACME, TENET)
    planhat.api.state.register(EndUser("e" * 24, "Ada"))
    created = planhat(
        "POST", "issues", {"title": "T", "companyIds": ["extid-acme", "srcid-119"], "enduserIds": ["e" * 24, "else"]}
    ).body
    assert created["companyIds"] == [ACME.company_id, TENET.company_id]
    assert created["companies"] == [{"id": ACME.company_id, "name": "Acme"}, {"id": TENET.company_id, "name": "Tenet"}]
    assert created["endusers"] == [{"id": "e" * 24, "name": "Ada"}]
    assert planhat.ids("issues", companyId="extid-tenet") == [created["_id"]]
    wrong = {"title": "T", "companyIds": [ACME.company_id, "unknown"]}
    assert planhat("POST", "issues", wrong) == _error("companyIds: no such company")
    assert planhat("POST", "issues", {"title": "T", "companyIds": ACME.company_id}) == _error(
        "companyIds: Not valid type"
    )
    emptied = planhat("PUT", f"issues/{created['_id']}", {"companyIds": []}).body
    assert (emptied["companyIds"], emptied["companies"]) == ([], [])


def test_an_invoice_has_names_of_its_own() -> None:
    """They are `cId`, `cName` and `extId`, which `extid-` in a path refers to."""
    planhat = Door(ACME)
    row = {"cId": "extid-acme", "currency": "USD", "invoiceDate": 18_836, "extId": "7"}
    (key,) = planhat("PUT", "invoices", [row]).body["insertsKeys"]
    assert key == {"_id": key["_id"], "extId": "7"}
    invoice = planhat("GET", "invoices/extid-7").body
    assert (invoice["cId"], invoice["cName"], "companyId" in invoice) == (ACME.company_id, "Acme", False)
    assert planhat.ids("invoices", companyId=f"x,{ACME.company_id}") == [key["_id"]]


@pytest.mark.parametrize("day", ["2021-07-28", "18836", 1.5, True])
@pytest.mark.parametrize("name", ["invoiceDate", "dueDate", "paidDate"])
def test_days_of_invoices_are_whole_numbers(name: str, day: object) -> None:
    """This includes line items; a null is not a day."""
    planhat = Door()
    assert planhat("POST", "invoices", {"cId": "c", name: day}) == _error(f"{name}: Not valid type")
    items = [{"dateFrom": day}]
    assert planhat("POST", "invoices", {"cId": "c", "lineItems": items}) == _error("lineItems.dateFrom: Not valid type")
    assert planhat("POST", "invoices", {"cId": "c", name: None, "lineItems": [{"dateTo": None}]}).status == 200


def test_line_items_of_an_invoice_are_returned_in_another_form() -> None:
    """They have an `_id` and no `relatedId`; the same items again are not a change."""
    planhat = Door()
    items: list[Any] = [{"relatedId": "sale-1", "product": "P", "amount": 5, "dateFrom": 18_836}, "nonsense"]
    created = planhat("POST", "invoices", {"cId": "c", "extId": "7", "lineItems": items}).body
    made = created["lineItems"][0]["_id"]
    assert created["lineItems"] == [{"_id": made, "product": "P", "amount": 5, "dateFrom": 18_836}, "nonsense"]
    answer = planhat("PUT", "invoices", [{"extId": "7", "lineItems": items}])
    assert (answer.body["updated"], answer.body["nonupdates"]) == (0, 1)


@pytest.mark.parametrize(
    ("path", "suggested", "row"),
    [
        (
            "licenses",
            ["_currency", "mrr", "fromDate"],
            {"companyId": "c", "_currency": "USD", "mrr": 1, "fromDate": "2021"},
        ),
        (
            "sales",
            ["_currency", "value", "salesDate"],
            {"companyId": "c", "_currency": "USD", "value": 0, "salesDate": "2021"},
        ),
        ("invoices", ["currency", "invoiceDate"], {"cId": "c", "currency": "USD", "invoiceDate": 0}),
        ("issues", ["companyIds"], {"title": "T", "companyIds": ["c"]}),
        ("churn", ["companyId", "value"], {"companyId": "c", "value": 0}),
        ("timesheets", ["dateFrom", "dateTo"], {"dateFrom": 0, "dateTo": 0}),
        ("customfields", ["isHidden"], {"name": "N", "parent": "company", "type": "text", "isHidden": False}),
    ],
)
def test_fields_that_only_the_tables_require(path: str, suggested: list[str], row: dict[str, Any]) -> None:
    """A choice decides whether a creation requires them; a zero is a value."""
    assert Door()("POST", path, row).status == 200
    for name in suggested:
        poorer = {field: value for field, value in row.items() if field != name}
        assert Door()("POST", path, poorer).status == 200
        assert Door(choices=Choices(tables_are_right=True))("POST", path, poorer).status == 400
    assert Door(choices=Choices(tables_are_right=True))("POST", path, row).status == 200


def test_a_date_of_a_time_entry_is_cut_to_midnight() -> None:
    """The time is in UTC, and the cost of the hours is computed again."""
    planhat = Door()
    sent = {"date": "2025-01-30T14:51:01.691-10:00", "hours": 5, "costRate": 2, "billableRate": "n/a"}
    created = planhat("POST", "timeentries", sent).body
    assert (created["date"], created["totalCost"], created["totalBilled"]) == ("2025-01-31T00:00:00.000Z", 10, 0)
    changed = planhat("PUT", f"timeentries/{created['_id']}", {"hours": 7}).body
    assert (changed["totalCost"], changed["date"], changed["timesheetStatus"]) == (14, created["date"], "draft")
    assert planhat("POST", "timeentries", {"date": "soon", "hours": 1}).body["date"] == "soon"


def test_time_entries_are_duplicated() -> None:
    """Writable fields are copied; an unknown `_id` is a separate error."""
    planhat = Door()
    sent = {"date": "2025-01-30T00:00:00.000Z", "hours": 5, "description": "D"}
    key = planhat("POST", "timeentries", sent).body["_id"]
    planhat.now += 1.0
    answer = planhat("POST", "timeentries/duplicate", {"ids": [key, "unknown", 7]})
    assert (answer.status, answer.body["created"], answer.body["validationErrors"]) == (206, 1, [])
    assert [error["_id"] for error in answer.body["updatedErrors"]] == ["unknown", "7"]
    (copied,) = answer.body["upsertedIds"]
    copy = planhat("GET", f"timeentries/{copied}").body
    assert copy.items() >= sent.items()
    assert copy["createdAt"] == written(at(planhat.now))
    assert planhat("POST", "timeentries/duplicate", {"ids": key}) == _error("ids: Not valid type")
    assert planhat("POST", "timesheets/duplicate", {"ids": []}).status == 405
    assert planhat("POST", "timeentries/copy", {"ids": []}).status == 405


def test_rows_without_an_id_are_always_created() -> None:
    """Time entries and timesheets have no other key: the same body twice creates two records."""
    planhat = Door()
    bodies: dict[str, Any] = {"timeentries": {"date": "2025-01-30", "hours": 1}, "timesheets": {"dateFrom": 1}}
    for path, row in bodies.items():
        rows = [row | {"sourceId": "s", "externalId": "e"}]
        assert [planhat("PUT", path, rows).body["created"] for _ in range(2)] == [1, 1]


def test_entries_of_a_timesheet_are_returned_as_ids() -> None:
    """They are sent as objects."""
    entries: list[Any] = [{"_id": "a"}, "b", {"id": "c"}]
    created = Door()("POST", "timesheets", {"timeEntries": entries}).body
    assert (created["timeEntries"], created["status"]) == (["a", "b", {"id": "c"}], "submitted")


@pytest.mark.parametrize("day", ["2021-07-28", True])
def test_days_of_timesheets_are_whole_numbers(day: object) -> None:
    """They have the form of those of invoices."""
    assert Door()("POST", "timesheets", {"dateFrom": day}) == _error("dateFrom: Not valid type")
    answer = Door()("PUT", "timesheets", [{"dateFrom": day}])
    assert (answer.status, answer.body["createdErrors"]) == (206, [{"error": "dateFrom: Not valid type"}])


def test_custom_fields_have_no_bulk_upsert() -> None:
    """The call does not exist."""
    assert Door()("PUT", "customfields", []).status == 405


def test_churn_is_singular() -> None:
    """The plural is not a path."""
    planhat = Door()
    assert [planhat("GET", path).status for path in ("churn", "churns")] == [200, 404]


def test_an_opportunity_is_not_updated_by_its_source_id() -> None:
    """It is read by it, but not matched by a bulk upsert, so the same row again creates a duplicate."""
    planhat = Door()
    row = {"companyId": "c", "sourceId": "s"}
    assert planhat("PUT", "opportunities", [row]).body["created"] == 1
    assert planhat("GET", "opportunities/srcid-s").status == 200
    assert planhat("PUT", "opportunities/srcid-s", {}).status == 404
    assert planhat("PUT", "opportunities", [row]).body["createdErrors"][0]["error"] == "sourceId duplicated"


def test_yearly_revenue_follows_from_monthly_revenue() -> None:
    """This holds for products, deals and line items; in a line item, the reverse holds too."""
    planhat = Door()
    product = planhat("POST", "products", {"name": "P", "mrr": 10, "renewalMrr": 5, "arr": 1}).body
    deal = planhat("POST", "deals", {"companyId": "c", "mrr": 10}).body
    items = [planhat("POST", "lineitems", sent).body for sent in ({"mrr": 10}, {"arr": 120}, {"mrr": "n/a"})]
    assert (product["arr"], product["renewalArr"], deal["arr"]) == (120, 60, 120)
    assert [(item["mrr"], item.get("arr")) for item in items] == [(10, 120), (10, 120), ("n/a", None)]


@pytest.mark.parametrize("reserved", ["email", "chat", "call"])
def test_some_types_of_conversations_are_reserved(reserved: str) -> None:
    """They cannot be created; existing ones can be updated."""
    planhat = Door()
    assert planhat("POST", "conversations", {"companyId": "c", "type": reserved}) == _error(
        f"type: {reserved} is reserved"
    )
    key = planhat.add("conversations", type=reserved, isCustomType=False)
    changed = planhat("PUT", f"conversations/{key}", {"subject": "S", "starred": True}).body
    assert (changed["type"], changed["subject"], changed["starred"]) == (reserved, "S", True)
    assert planhat.api.state.records("notes") == []


def test_a_conversation_without_a_type_may_be_a_note() -> None:
    """This is the case if the page on conversations is correct, and not that on notes."""
    planhat = Door(choices=Choices(conversations_need_type=False))
    created = planhat("POST", "conversations", {"companyId": "c"}).body
    assert (created["type"], planhat.api.state.records("notes")[0]["_id"]) == ("note", created["_id"])


def test_a_conversation_of_a_custom_type_names_its_company_like_a_note() -> None:
    """Its external id works too, whether companies are registered or not."""
    row = {"type": "visit", "companyExternalId": "acme"}
    for planhat in (Door(), Door(ACME)):
        assert planhat("POST", "conversations", row).status == 200
    assert _only(planhat, "conversations")["companyId"] == ACME.company_id
