"""Time entries: what is special about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fakes import TOKEN, FakeTransport
from made_ids import id_of

from planhat_async import DecodeError, Session, TimeEntries, TimeEntry, UnknownOutcomeError
from planhat_async._http.wire import Response
from planhat_async.sandbox import Sandbox


async def duplicate(answer: bytes, *keys: str) -> tuple[tuple[str, ...], list[Any]]:
    """The result of a call with this answer, and the calls."""
    transport = FakeTransport([Response(status=200, body=answer)])
    async with Session(TOKEN, transport=transport) as session:
        named = await TimeEntries(session).duplicate(keys or [id_of("a")])
    return named, transport.sent


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (b"", ()),
        (b"OK", ()),
        (b'{"created":2,"upsertedIds":["1","2"]}', ("1", "2")),
        (b'[{"_id":"1"},{"_id":"2"}]', ("1", "2")),
        (b'["1","2"]', ("1", "2")),
    ],
)
async def test_any_success_names_the_copies_that_it_names(answer: bytes, named: tuple[str, ...]) -> None:
    """Planhat does not document the answer."""
    assert (await duplicate(answer))[0] == named


@pytest.mark.parametrize("answer", [b'{"error":"boom"}', b'{"ok":0}', b'{"success":false}', b"<html></html>"])
async def test_an_error_is_not_a_success(answer: bytes) -> None:
    """Even with the status 200."""
    with pytest.raises(DecodeError, match="does not say that the time entries were duplicated"):
        await duplicate(answer)


async def test_copies_are_made_once() -> None:
    """A call without an answer is not repeated; no ids make no call; other keys are refused."""
    transport = FakeTransport([UnknownOutcomeError("timed out")])
    async with Session(TOKEN, transport=transport) as session:
        entries = TimeEntries(session)
        with pytest.raises(UnknownOutcomeError):
            await entries.duplicate([id_of("a")])
        assert await entries.duplicate([]) == ()
        with pytest.raises(ValueError, match=r"TimeEntries\.duplicate\(\) takes an _id"):
            await entries.duplicate(["extid-7"])
        with pytest.raises(ValueError, match="at most 5,000 time entries at once, not 5,001"):
            await entries.duplicate([id_of("a")] * 5001)
    assert len(transport.sent) == 1


async def test_the_sandbox_duplicates() -> None:
    """The copies have ids of their own."""
    async with Sandbox() as planhat, Session(planhat.token, base_url=planhat.url) as session:
        entries = TimeEntries(session)
        made = await entries.create(TimeEntry(date=datetime(2026, 1, 5, 10, tzinfo=UTC), hours=1.5))
        named = await entries.duplicate([made.id or ""])
        assert {one.id for one in await entries.all()} == {made.id, *named}
        assert len(named) == 1


@pytest.mark.parametrize("name", ["date"])
async def test_a_time_that_is_cut_to_its_day_recognises_no_row(name: str) -> None:
    """It would be looked for in vain, and the row sent again."""
    async with Session(TOKEN) as session:
        with pytest.raises(ValueError, match="verify_by: Planhat changes date, so rows cannot be recognised by it"):
            TimeEntries(session).upserting([], verify_by=[name, "description"])
