"""What an answer says of the rows that were sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from analytics_server import UUID
from hypothesis import given
from hypothesis import strategies as st

from planhat_async._http.tenant_uuid import TenantUuid
from planhat_async.analytics.outgoing_chunks import Part
from planhat_async.analytics.send_answers import (
    ACTIVITY_FIELDS,
    METRIC_FIELDS,
    Answer,
    ItemFields,
    account_of,
    answer_in,
)
from planhat_async.analytics.send_result import SendCounts, SendOutcome
from planhat_async.errors import DecodeError


def part_of(rows: list[dict[str, Any]], start: int = 0) -> Part:
    body = json.dumps(rows).encode()
    return Part(body=body, n_rows=len(rows), positions=(range(start, start + len(rows)),))


def accounted(rows: list[dict[str, Any]], answer: Any, *, fields: ItemFields = METRIC_FIELDS) -> SendCounts:
    account = SendCounts()
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    for _ in account_of(answer_in(body), part_of(rows), fields, account):
        pass
    return account


def row(n: int, **more: Any) -> dict[str, Any]:
    return {"dimensionId": "active", "value": n, "externalId": f"acme-{n}", **more}


def error(item: Any, reason: Any = "bad") -> dict[str, Any]:
    return {"item": item, "error": reason}


def rejected_at(account: SendCounts) -> list[int]:
    return [problem.position for problem in account.problems if problem.position is not None]


def test_the_documented_answer() -> None:
    """One metric is processed, and one is listed with its reason."""
    rows = [row(0, model="Company", date="2026-01-15T00:00:00.000Z"), {"value": 1, "externalId": "larch-ext"}]
    answer = {
        "processed": 1,
        "errors": [
            {
                "item": {"value": 1, "externalId": "larch-ext", "model": "Company"},
                "error": "dimensionId must be specified",
            }
        ],
    }
    account = accounted(rows, answer)
    assert account.counts() | {"processed": 1, "rejected": 1} == account.counts()
    assert [(one.position, one.reason) for one in account.problems] == [(1, "dimensionId must be specified")]


@pytest.mark.parametrize("body", [b"", b"  ", b"OK", b'"OK"', b"null", b"{}", b"[]", b"true", b'{"ok":1}', b'{"n":3}'])
def test_a_success_without_counts_means_received(body: bytes) -> None:
    """Planhat checks the rows later."""
    assert accounted([row(0), row(1)], body).received == 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"Internal error"}',
        b'{"processed":2,"error":"Internal error"}',
        b'{"ok":0}',
        b"<html><body>Welcome</body></html>",
        b"an error occurred",
        b"false",
        b'{"processed":2,"errors":{"a":1}}',
        b'{"processed":2',
        b'"O',
    ],
)
def test_what_is_no_success_is_not_taken_for_one(body: bytes) -> None:
    """An error of the whole request, a page of HTML, half an answer."""
    with pytest.raises(DecodeError):
        answer_in(body)


@pytest.mark.parametrize(
    ("processed", "n_errors", "counts"),
    [
        (3, 0, {"processed": 3}),
        (2, 1, {"processed": 2, "rejected": 1}),
        (3, 1, {"processed": 2, "rejected": 1}),  # it counts all that it took
        (1, 1, {"processed": 1, "rejected": 1, "received": 1}),  # it says nothing of one
        (0, 0, {"received": 3}),
        (99, 0, {"processed": 3}),
        (None, 1, {"rejected": 1, "received": 2}),
        (True, 0, {"received": 3}),
        (-1, 0, {"received": 3}),
        ("3", 0, {"received": 3}),
    ],
)
def test_counts_that_do_not_add_up(processed: Any, n_errors: int, counts: dict[str, int]) -> None:
    """Each row has one outcome all the same."""
    rows = [row(n) for n in range(3)]
    account = accounted(rows, {"processed": processed, "errors": [error(rows[n]) for n in range(n_errors)]})
    assert {name: n for name, n in account.counts().items() if n} == counts


@pytest.mark.parametrize(
    "item",
    [
        row(1),
        {"externalId": "acme-1", "value": 1.0, "dimensionId": "active"},
        row(1, model="Company"),
        row(1, date="2026-01-20T11:12:13.000Z"),
        row(1, _id="65a4c3f01234567890abcdef", tenant="x"),
        row(1, model=None, date=None),
    ],
)
def test_an_item_is_recognised_although_planhat_changed_it(item: dict[str, Any]) -> None:
    """In another order, with defaults filled in, with fields of its own."""
    rows = [row(0), row(1), row(2)]
    assert rejected_at(accounted(rows, {"processed": 2, "errors": [error(item)]})) == [1]


def test_a_date_in_another_form_is_the_same() -> None:
    """Of two metrics that differ in their dates only, the right one is named."""
    rows = [row(1, date="2026-01-15T00:00:00.000Z"), row(1, date="2026-01-16T00:00:00.000Z")]
    item = row(1, date="2026-01-16T01:00:00+01:00")
    assert rejected_at(accounted(rows, {"processed": 1, "errors": [error(item)]})) == [1]
    other = row(1, date="2026-01-17T00:00:00.000Z")
    account = accounted(rows, {"processed": 1, "errors": [error(other)]})
    assert (rejected_at(account), account.rejected) == ([], 1)


def test_rows_without_a_date_do_not_take_the_error_of_one_with_a_date() -> None:
    """Also if they come first."""
    dated = row(1, date="2026-01-15T00:00:00.000Z")
    filled_in = row(1, date="2026-11-29T12:00:00.000Z")
    answer = {"processed": 0, "errors": [error(dated, "dated"), error(filled_in, "undated")]}
    account = accounted([row(1), dated, row(1)], answer)
    assert [(one.position, one.reason) for one in account.problems] == [(0, "undated"), (1, "dated")]


def test_equal_rows_get_one_error_each() -> None:
    """They cannot be distinguished, so the first ones are named."""
    rows = [row(1), row(2), row(1), row(1)]
    account = accounted(rows, {"processed": 2, "errors": [error(row(1), "a"), error(row(1), "b")]})
    assert [(one.position, one.reason) for one in account.problems] == [(0, "a"), (2, "b")]
    thrice = accounted(rows, {"errors": [error(row(1), "a"), error(row(1), "b"), error(row(1), "c")]})
    assert rejected_at(thrice) == [0, 2, 3]


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        ("too many", "too many"),
        ({"error": "no item"}, "no item"),
        ({"message": "no item"}, "no item"),
        (error(row(9)), "bad"),
        (error([1]), "bad"),
        (error(row(1, externalId=["acme-1"])), "bad"),
        (error(row(9), {"code": 5}), '{"code":5}'),
        ({"code": 7}, '{"code":7}'),
        (error(row(9), ""), "Planhat gives no reason"),
        (None, "null"),
    ],
)
def test_an_error_that_names_no_row_is_counted(element: Any, reason: str) -> None:
    """One row is rejected, and its position is not known."""
    account = accounted([row(0), row(1)], {"processed": 1, "errors": [element]})
    (problem,) = account.problems
    assert (problem.position, problem.reason, account.processed) == (None, reason, 1)


def test_more_errors_than_rows() -> None:
    """No row is rejected twice."""
    errors = [error(row(0)), *(f"error {n}" for n in range(1000))]
    account = accounted([row(0), row(1)], {"processed": 0, "errors": errors})
    assert (account.rows, account.rejected, rejected_at(account)) == (2, 2, [0])


def test_a_reason_does_not_quote_the_tenant_uuid() -> None:
    """In any form, also where it would be cut; and it is one line."""
    said = f"POST /dimensiondata/{UUID} {UUID.upper()} {UUID.replace('-', '')}\n" + "x" * 250 + UUID
    body = json.dumps({"errors": [error(row(0), said), said]}).encode()
    hidden = Answer(errors=answer_in(body).errors, hide=TenantUuid(UUID).hidden_in)
    account = SendCounts()
    for _ in account_of(hidden, part_of([row(0), row(1)]), METRIC_FIELDS, account):
        pass
    for problem in account.problems:
        assert problem.reason.startswith("POST /dimensiondata/<tenant UUID> <tenant UUID> <tenant UUID>\\nxxx")
        assert UUID[:8] not in problem.reason


def test_activities_are_recognised_too() -> None:
    """If Planhat ever answers with errors; its defaults are filled in."""
    rows = [{"euExtId": "1", "action": "a"}, {"euExtId": "1", "action": "b"}]
    item = {"euExtId": "1", "action": "b", "weight": 1, "count": 1}
    assert rejected_at(accounted(rows, {"errors": [error(item)]}, fields=ACTIVITY_FIELDS)) == [1]


ROWS = st.lists(st.builds(row, st.integers(0, 5)), max_size=30)
ERRORS = st.lists(
    st.one_of(st.builds(error, st.builds(row, st.integers(0, 7))), st.text(max_size=5), st.none()), max_size=40
)


@given(ROWS, ERRORS, st.one_of(st.none(), st.integers(-3, 50)))
def test_every_row_has_exactly_one_outcome(
    rows: list[dict[str, Any]], errors: list[Any], processed: int | None
) -> None:
    """Even if the answer contradicts itself; and rows that are named are ones that an error is about."""
    account = accounted(rows, {"processed": processed, "errors": errors})
    assert account.rows == len(rows)
    named = rejected_at(account)
    assert account.rejected == min(len(errors), len(rows), max(len(named), len(rows) - (processed or 0), 1))
    assert len(named) == len(set(named))
    blamed = [one["item"]["externalId"] for one in errors if isinstance(one, dict)]
    for position in named:
        blamed.remove(rows[position]["externalId"])
    assert set(account.not_accepted) <= {SendOutcome.REJECTED}


def test_large_answers_about_rows_without_a_date() -> None:
    """Planhat filled in a date, and half of the errors name no row."""
    rows = [row(n % 500) for n in range(1000)]
    named = [error(row(n % 500, date="2026-11-29T12:00:00Z")) for n in range(500)]
    account = accounted(rows, {"processed": 0, "errors": [*named, *(["nameless"] * 400)]})
    assert (account.rejected, rejected_at(account), account.received) == (900, list(range(500)), 100)


def test_no_list_of_errors() -> None:
    """As good as an empty one."""
    assert accounted([row(0)], {"processed": 1, "errors": None}).processed == 1
    assert accounted([row(0)], {"processed": 1}).processed == 1


def test_an_answer_with_large_values_of_other_names() -> None:
    """They are none of an error."""
    assert accounted([row(0)], {"processed": 1, "rows": ["x" * 100] * 100}).processed == 1
    with pytest.raises(DecodeError):
        answer_in(json.dumps({"error": ["x" * 100] * 100}).encode())


def test_large_answers_are_read_in_steps() -> None:
    """Each step looks at 200 rows or errors at most."""
    rows = [row(n) for n in range(3000)]
    answer = answer_in(json.dumps({"processed": 0, "errors": [error(one) for one in rows]}).encode())
    account = SendCounts()
    assert sum(1 for _ in account_of(answer, part_of(rows), METRIC_FIELDS, account)) >= 3 * 3000 / 200
    assert rejected_at(account) == list(range(1000))
    assert account.not_accepted == {SendOutcome.REJECTED: (range(3000),)}


def test_two_errors_about_one_row_reject_one_row() -> None:
    """The answer counts the others as processed."""
    rows = [row(n) for n in range(5)]
    account = accounted(rows, {"processed": 4, "errors": [error(rows[0], "a"), error(rows[0], "b")]})
    assert (account.processed, account.rejected, rejected_at(account)) == (4, 1, [0])
