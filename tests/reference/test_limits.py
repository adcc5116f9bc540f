"""REFERENCE, "Limits, errors, hosts": rate limits, 429s, errors, tokens and hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import attrs
import pytest
import virtual_time
from each_model import each

from planhat_async import (
    AuthenticationError,
    BadRequestError,
    DecodeError,
    Notes,
    NotFoundError,
    PermissionDeniedError,
    PlanhatError,
    RateLimitedError,
    RateLimits,
    RetryPolicy,
    ServerError,
    Session,
    StatusError,
    Tasks,
    Tickets,
    Timeouts,
)
from planhat_async._http.wire import Request, Response, Token
from planhat_async.repositories import Deletes
from reference.conftest import Serve
from reference.page_server import ID, OTHER_ID, TOKEN, Call, PageServer, Said, always, in_turn, says

RECORD = {"_id": ID, "companyId": OTHER_ID}


@attrs.define
class Clocked:
    """A transport that computes each answer from the attempt's number, on the event loop's clock."""

    answer: Callable[[int], Response]
    arrived: list[float] = attrs.field(factory=list)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:  # noqa: ARG002
        self.arrived.append(asyncio.get_running_loop().time())
        number = len(self.arrived)
        await asyncio.sleep(0.05)
        return self.answer(number)

    async def close(self) -> None:
        """Do nothing."""


def timed(answer: Callable[[int], Response], n_calls: int = 1, **options: Any) -> list[float]:
    """Return when the attempts of so many reads arrive, in virtual seconds after the first."""
    planhat = Clocked(answer)

    async def main() -> None:
        async with Session(TOKEN, transport=planhat, **options) as session:
            await asyncio.gather(*(Tasks(session).get(ID) for _ in range(n_calls)))

    virtual_time.run(main())
    return [at - planhat.arrived[0] for at in planhat.arrived]


def found() -> Response:
    return Response(status=200, body=b'{"_id":"%s"}' % ID.encode())


# Rate limits.


def test_the_documented_limits_are_the_default() -> None:
    """D: 200 calls a minute, 150 a second; G: bursts of up to 50 in parallel. They are "soft", hence a setting."""
    limits = RateLimits()
    assert (limits.per_minute, limits.per_second, limits.max_in_flight) == (200, 150, 50)
    assert RateLimits(per_minute=300).per_minute == 300


def test_no_minute_holds_more_calls_than_documented() -> None:
    """D: 200 calls a minute and 150 requests a second."""
    arrived = timed(lambda _: found(), n_calls=450)
    for span, most in ((60.0, 200), (1.0, 150)):
        busiest = max(sum(at <= other < at + span - 1e-3 for other in arrived) for at in arrived)
        assert busiest <= most
    assert arrived[199] < 2.0  # up to there, no call waits


# 429


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "7"}, 7.0, 9.0),
        ({"retry-after": "0"}, 0.0, 2.0),
        ({"retry-after": formatdate(1_000_007, usegmt=True), "date": formatdate(1_000_000, usegmt=True)}, 7.0, 9.0),
        ({}, 0.0, 61.0),
        ({"retry-after": "soon"}, 0.0, 61.0),
    ],
)
def test_a_call_waits_after_a_429(headers: dict[str, str], least: float, most: float) -> None:
    """D: over the limit: 429, and a reset every 60 to 120 s.

    `Retry-After` has not been seen; the client honours seconds or a date. Without it the wait grows.
    """
    arrived = timed(lambda number: Response(status=429, headers=headers) if number == 1 else found())
    assert len(arrived) == 2
    assert least <= arrived[1] <= most


def test_every_call_is_repeated_after_a_429() -> None:
    """D: Planhat processes no request that it answers with 429, so creations and keyless rows are sent again too."""
    answers: list[Response] = [
        Response(status=429),
        found(),
        Response(status=429),
        Response(status=200, body=b'{"created":1,"updated":0,"nonupdates":0}'),
    ]
    planhat = Clocked(lambda number: answers[number - 1])

    async def main() -> None:
        async with Session(TOKEN, transport=planhat) as session:
            assert (await Tasks(session).create({"company_id": OTHER_ID})).id == ID
            assert (await Tasks(session).upsert_many([{"company_id": OTHER_ID}])).created == 1

    virtual_time.run(main())
    assert len(planhat.arrived) == 4


def test_one_429_pauses_every_call_until_a_probe_succeeds() -> None:
    """D: limits are counted per token, so if one call is refused, all would be."""
    refused = Response(status=429, headers={"retry-after": "30"})
    arrived = timed(lambda number: refused if number == 51 else found(), n_calls=120)
    after = [at for at in arrived if at > arrived[50] + 0.06]
    assert min(after) - arrived[50] >= 30
    assert sum(at < min(after) + 0.05 for at in after) == 1


def test_persistent_429s_are_raised() -> None:
    """D: a 429 is an error like any other once patience is used up."""
    with pytest.raises(RateLimitedError):
        timed(lambda _: Response(status=429), retry=RetryPolicy(total=200.0))


def test_the_limit_headers_can_only_lower_the_rate() -> None:
    """D: older docs promise `X-Rate-Limit-Limit` and `X-Rate-Limit-Remaining`; a generous one has no effect."""
    generous = {"x-rate-limit-limit": "100000", "x-rate-limit-remaining": "99999"}
    arrived = timed(lambda _: attrs.evolve(found(), headers=generous), n_calls=250)
    assert arrived[200] >= 59.0
    used_up = {"x-rate-limit-limit": "200", "x-rate-limit-remaining": "0"}
    slowed = timed(lambda _: attrs.evolve(found(), headers=used_up), n_calls=100)
    assert slowed[-1] > arrived[99]


# Errors.


@pytest.mark.parametrize("body", [{"error": "bad thing"}, "bad thing", "<html><h1>bad thing</h1></html>", ""])
@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadRequestError), (401, AuthenticationError), (403, PermissionDeniedError), (404, NotFoundError)],
)
async def test_an_error_body_may_have_any_form(
    page_server: Serve, status: int, error: type[StatusError], body: Any
) -> None:
    """D: an error body is "an object or a string", sometimes HTML; the status decides the error, which has the body."""
    planhat = await page_server(always(body, status))
    with pytest.raises(error) as raised:
        await Tasks(planhat.session).get(ID)
    assert (raised.value.status, len(planhat.calls)) == (status, 1)
    assert ("bad thing" in str(raised.value)) == bool(body)
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failure_of_planhat_is_retried(page_server: Serve, status: int) -> None:
    """D: 502, 503 and 504 occur though undocumented, G: a 500 is Planhat's fault; repeating a read is safe."""
    planhat = await page_server(in_turn(says("<html>", status), says(RECORD)))
    assert (await Tasks(planhat.session).get(ID)).id == ID
    assert len(planhat.calls) == 2


@pytest.mark.parametrize("status", [408, *range(520, 530)])
async def test_a_failure_of_a_gateway_is_retried(page_server: Serve, status: int) -> None:
    """L: 408 and a gateway's 520 to 529 occur though undocumented; they are temporary like 502."""
    planhat = await page_server(in_turn(says("", status), says(RECORD)))
    assert (await Tasks(planhat.session).get(ID)).id == ID
    assert len(planhat.calls) == 2


async def test_a_persistent_failure_is_raised(page_server: Serve) -> None:
    """G: a 500 is Planhat's fault; the client raises it after several attempts."""
    planhat = await page_server(always({"error": "x"}, 500))
    with pytest.raises(ServerError) as raised:
        await Tasks(planhat.session).get(ID)
    assert len(planhat.calls) == raised.value.attempts == 5


async def test_the_message_of_a_401_mentions_the_region(page_server: Serve) -> None:
    """D: a 401 means a bad token **or the wrong region**; it is not retried, and it ends an upsert."""
    planhat = await page_server(always({"error": "Unauthorized"}, 401))
    with pytest.raises(AuthenticationError, match="region"):
        await Tasks(planhat.session).get(ID)
    result = await Tasks(planhat.session).upsert_many([{"company_id": ID}] * 3, chunk_size=1, concurrency=1)
    assert (len(planhat.calls), result.stored, result.unsent) == (2, 0, 3)


async def test_a_token_may_be_refused_for_one_model_only(page_server: Serve) -> None:
    """L: a 403 for one model proves nothing about the others or the token: `check` passes."""

    def no_tasks(call: Call) -> Said:
        return says({"error": "no"}, 403) if call.path.startswith("/tasks") else says(RECORD)

    planhat = await page_server(no_tasks)
    with pytest.raises(PermissionDeniedError):
        await Tasks(planhat.session).get(ID)
    assert (await Notes(planhat.session).get(ID)).id == ID
    await planhat.session.check()


async def _read(planhat: PageServer) -> object:
    return await Tasks(planhat.session).get(ID)


async def _create(planhat: PageServer) -> object:
    return await Tasks(planhat.session).create({"company_id": OTHER_ID})


async def _update(planhat: PageServer) -> object:
    return await Tasks(planhat.session).update(ID, {"action": "a"})


_NO_RECORDS: list[dict[str, Any]] = [{"error": "no"}, {}, {"companyId": OTHER_ID}]


@pytest.mark.parametrize("call", [_read, _create, _update])
@pytest.mark.parametrize("body", [[], None, "OK", *(pytest.param(body) for body in _NO_RECORDS)])
async def test_a_200_without_a_record_is_an_error(page_server: Serve, call: Any, body: Any) -> None:
    """?: a 200 with the body `{"error": …}`, or without the `_id` of a record, is an error."""
    planhat = await page_server(always(body))
    with pytest.raises(PlanhatError):
        await call(planhat)


@each(Deletes)
async def test_a_deletion_answered_with_an_error_fails(page_server: Serve, repository: Any) -> None:
    """?: a 200 with the body `{"error": …}` is an error for a deletion too."""
    planhat = await page_server(always({"error": "no"}))
    with pytest.raises(PlanhatError):
        await repository(planhat.session).delete(ID)


async def test_a_list_answered_with_an_error_is_not_empty(page_server: Serve) -> None:
    """?: a 200 with the body `{"error": …}` is not an empty list."""
    planhat = await page_server(always({"error": "no"}))
    with pytest.raises(DecodeError):
        await Tickets(planhat.session).all()


async def test_an_upsert_answered_with_an_error_has_no_stored_rows(page_server: Serve) -> None:
    """?: a 200 with the body `{"error": …}` describes no rows: no row counts as stored, and the reason is kept."""
    planhat = await page_server(always({"error": "bad thing"}))
    result = await Tickets(planhat.session).upsert_many([{"sourceId": "1", "email": "a@b.c", "companyId": ID}])
    assert result.stored == 0
    assert "bad thing" in result.problems[0].reason


# Tokens and hosts.


async def test_the_token_is_sent_as_a_bearer_token(page_server: Serve) -> None:
    """G: `Authorization: Bearer <token>`."""
    planhat = await page_server(always(RECORD))
    await Tasks(planhat.session).get(ID)
    sent = {name.lower(): value for name, value in planhat.calls[0].headers.items()}
    assert sent["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}\r\n", f" {TOKEN}"])
async def test_white_space_around_a_token_is_not_sent(page_server: Serve, token: str) -> None:
    """L: a token with a trailing newline makes HTTP libraries raise an error that prints it."""
    planhat = await page_server(always(RECORD))
    async with Session(token, base_url=planhat.session.base_url) as session:
        await Tasks(session).get(ID)
    sent = {name.lower(): value for name, value in planhat.calls[0].headers.items()}
    assert sent["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", [f"{TOKEN}\n{TOKEN}", f"{TOKEN} x", "é" + TOKEN])
def test_an_invalid_token_is_not_printed(token: str) -> None:
    """L: the same."""
    with pytest.raises(ValueError, match="token") as raised:
        Session(token)
    assert TOKEN not in str(raised.value)


def test_the_base_url_is_configurable(monkeypatch: pytest.MonkeyPatch) -> None:
    """D: `https://api.planhat.com`; regional ones exist (`api-eu1` … `api-us4`), and a demo cluster."""
    monkeypatch.delenv("PLANHAT_BASE_URL", raising=False)
    assert Session(TOKEN).base_url == "https://api.planhat.com"
    assert Session(TOKEN, base_url="https://api-us4.planhat.com").base_url == "https://api-us4.planhat.com"
    monkeypatch.setenv("PLANHAT_BASE_URL", "https://api-eu1.planhat.com")
    assert Session(TOKEN).base_url == "https://api-eu1.planhat.com"


def test_no_token_is_sent_without_tls() -> None:
    """D: Planhat requires TLS."""
    with pytest.raises(ValueError, match="https"):
        Session(TOKEN, base_url="http://api.planhat.com")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(page_server: Serve, status: int) -> None:
    """D: no redirects are documented; following one could send the body and the token to another host."""
    elsewhere = await page_server(always(RECORD))
    planhat = await page_server(always("", status, location=f"{elsewhere.session.base_url}/tasks/{ID}"))
    with pytest.raises(StatusError, match=str(status)):
        await Tasks(planhat.session).update(ID, {"action": "a"})
    assert (len(planhat.calls), elsewhere.calls) == (1, [])
