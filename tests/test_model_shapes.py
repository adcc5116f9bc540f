"""Test declarations that a model's file may contain but that few models use today."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest
from fakes import FakeTransport

from planhat_async import DecodeError, Outcome, Session
from planhat_async._http.wire import Response
from planhat_async.records import DayFilter, Model, PageLimits, Record, writable
from planhat_async.records.keys import EXTID
from planhat_async.repositories import Creates, Lists, Updates, Upserts


@attrs.define(kw_only=True, repr=False)
class Bill(Record):
    """Has names and dates like Planhat's invoices."""

    company_id: str | None = writable(wire="cId")
    external_id: str | None = writable(wire="extId")
    currency: str | None = writable()
    issued_on: date | None = writable(wire="invoiceDate", is_day_number=True)


class Bills(Lists[Bill], Creates[Bill], Updates[Bill], Upserts[Bill]):
    model = Model(
        name="bills",
        record=Bill,
        path="/bills",
        limits=PageLimits(default=100, most=2000),
        filters=(
            DayFilter(option="since", wire="from"),
            DayFilter(option="until", wire="to", is_day_number=True),
        ),
        update_keys=(EXTID,),
        match=("id", "external_id"),
        needs=(("company_id",),),
        upsert_needs=(("company_id",), ("currency",)),
        is_answered_with_record=False,
    )


ACME = "5f4e3d2c1b0a998877665544"


def answering(body: Any, status: int = 200) -> FakeTransport:
    return FakeTransport([Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())])


@pytest.mark.parametrize(
    ("since", "until", "params"),
    [
        ("2024-05-31", None, {"from": "2024-05-31"}),
        (date(2024, 5, 31), date(1970, 1, 2), {"from": "2024-05-31", "to": "1"}),
        (None, "1969-12-31", {"to": "-1"}),
    ],
)
async def test_a_day_is_sent_in_planhats_format(since: Any, until: Any, params: dict[str, str]) -> None:
    """The format is a text or a number of days."""
    transport = answering([])
    async with Session("token", transport=transport) as session:
        await Bills(session).all(since=since, until=until)
    sent = dict(transport.sent[0].request.params)
    assert {name: sent[name] for name in ("from", "to") if name in sent} == params


@pytest.mark.parametrize(
    ("since", "error"),
    [
        ("31.5.2024", ValueError),
        ("2024-02-30", ValueError),
        (5, TypeError),
        (datetime(2024, 5, 31, tzinfo=UTC), TypeError),
    ],
)
async def test_an_invalid_day_is_refused(since: Any, error: type[Exception]) -> None:
    """The message has the option's name; a time is not a day, because its zone is not given."""
    transport = answering([])
    async with Session("token", transport=transport) as session:
        with pytest.raises(error, match=r"^since must be a da(y|te)"):
            await Bills(session).all(since=since)
    assert transport.sent == []


async def test_an_upsert_may_need_more_than_a_creation() -> None:
    """A row without a key needs every field; a row with a key may be an update, with an open outcome otherwise."""
    rows = [{"cId": ACME}, {"cId": ACME, "extId": "1"}, {"cId": ACME, "extId": "2", "currency": "EUR"}]
    transport = answering({"created": 1, "updated": 0, "updatesKeys": []})
    async with Session("token", transport=transport) as session:
        result = await Bills(session).upsert_many(rows)
    assert (result.created, result.invalid, result.unknown) == (1, 1, 1)
    assert (result.problems[0].outcome, result.problems[0].reason) == (Outcome.INVALID, "currency is required")
    created = answering({"_id": ACME, "cId": ACME})
    async with Session("token", transport=created) as session:
        assert (await Bills(session).create({"cId": ACME})).id == ACME


@pytest.mark.parametrize("body", [b"", b"OK", {"n": 1, "ok": 1}])
async def test_the_sent_record_replaces_an_answer_without_a_record(body: Any) -> None:
    """Planhat does not document this answer, so any success is accepted."""
    bill = Bill(company_id=ACME, external_id="1", issued_on=date(2024, 5, 31))
    transport = answering(body)
    async with Session("token", transport=transport) as session:
        assert await Bills(session).create(bill) == bill
    assert json.loads(transport.sent[0].request.body or b"") == {"cId": ACME, "extId": "1", "invoiceDate": 19874}
    async with Session("token", transport=answering(body)) as session:
        assert await Bills(session).update("extid-1", {"currency": "EUR"}) == Bill(currency="EUR")


@pytest.mark.parametrize("body", [{"error": "no"}, b"<html></html>", b"false", {"ok": 0}])
async def test_an_answer_with_an_error_is_still_an_error(body: Any) -> None:
    """The record may have been created."""
    async with Session("token", transport=answering(body)) as session:
        with pytest.raises(DecodeError) as caught:
            await Bills(session).create({"cId": ACME})
    assert caught.value.may_have_been_processed
