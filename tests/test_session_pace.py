"""A session on virtual time, with a transport in memory."""

import asyncio
import logging
import pickle
import random
import traceback
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import attrs
import pytest
import virtual_time

from planhat_async import (
    DecodeError,
    Notes,
    NotSentError,
    Pacer,
    PlanhatError,
    RateLimitedError,
    RateLimits,
    RetryPolicy,
    ServerError,
    Session,
    StatusError,
    Tickets,
    Timeouts,
    UnknownOutcomeError,
)
from planhat_async._http.wire import Request, Response, Token

URL = "http://127.0.0.1:9"
OK = Response(status=200, body=b"[]")
REFUSED = Response(status=429)


@attrs.define
class Server:
    """A server in memory: what it does is a function of the time; each attempt takes a tenth of a second."""

    answer: Callable[[float], Response | PlanhatError]
    latency: float = 0.1
    arrived: list[float] = attrs.field(factory=list)
    n_under_way: int = 0

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:  # noqa: ARG002
        clock = asyncio.get_running_loop().time
        self.arrived.append(clock())
        self.n_under_way += 1
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.n_under_way -= 1
        answer = self.answer(clock())
        if isinstance(answer, PlanhatError):
            raise answer
        return answer

    async def close(self) -> None:
        pass


async def get(session: Session) -> Response | PlanhatError:
    try:
        return await session.send(Request(method="GET", path="/tasks", is_keyed=True))
    except PlanhatError as error:
        return error


def test_two_hundred_tasks_meet_one_429() -> None:
    """The session pauses once, for as long as it was told; nobody is refused again, everybody is answered."""

    async def main() -> None:
        refused = iter([True])
        server = Server(lambda _: Response(status=429, headers={"retry-after": "7"}) if next(refused, False) else OK)
        async with Session("t", transport=server) as session:
            results = await asyncio.gather(*(get(session) for _ in range(200)))
        assert results == [OK] * 200
        assert session.stats.refusals == 1
        first_answers = min(server.arrived) + 0.1
        assert not [at for at in server.arrived if first_answers < at < first_answers + 7 - 0.001]

    virtual_time.run(main())


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("2.5", 2.5),
        ("-3", 1.0),
        ("soon", 1.0),
        ("", 1.0),
        (formatdate(1_000_030, usegmt=True), 30.0),
        (formatdate(999_000, usegmt=True), 0.0),
        ("99999999999999999999", 1.0),
    ],
)
def test_retry_after_is_honoured(retry_after: str, seconds: float) -> None:
    """In seconds or as a date, that long nothing is sent; nonsense counts as nothing said: one second."""

    async def main() -> None:
        refusal = Response(status=429, headers={"retry-after": retry_after, "date": formatdate(1_000_000, usegmt=True)})
        answers = iter([refusal])
        server = Server(lambda _: next(answers, OK))
        async with Session("t", transport=server) as session:
            assert await get(session) == OK
        first, second = server.arrived
        assert second - first - 0.1 == pytest.approx(seconds, abs=0.01)

    virtual_time.run(main())


def test_a_pause_beyond_all_patience_fails_at_once() -> None:
    """With an hour to wait and five minutes of patience, the error comes now and names the hour."""

    async def main() -> None:
        server = Server(lambda _: Response(status=429, headers={"retry-after": "3600"}))
        async with Session("t", transport=server) as session:
            error = await get(session)
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == 3600.0
        assert asyncio.get_running_loop().time() < 1

    virtual_time.run(main())


def test_refusals_end_with_patience() -> None:
    """A server that refuses for ever is given up after `RetryPolicy.total`, having been asked only now and then."""

    async def main() -> None:
        server = Server(lambda _: REFUSED)
        async with Session("t", transport=server, retry=RetryPolicy(total=300)) as session:
            assert isinstance(await get(session), RateLimitedError)
        assert 200 < asyncio.get_running_loop().time() < 300
        assert len(server.arrived) == 10

    virtual_time.run(main())


@pytest.mark.slow
def test_one_failure_in_four_settles_for_ever() -> None:
    """In half an hour with every fourth attempt failing, every call succeeds: successes pay for retries."""

    async def main() -> None:
        draw = random.Random(7)
        server = Server(lambda _: Response(status=503) if draw.random() < 0.25 else OK)
        policy = RetryPolicy(attempts=12)
        async with Session("t", transport=server, retry=policy) as session:
            results: list[object] = []
            while asyncio.get_running_loop().time() < 1800:
                results += await asyncio.gather(*(get(session) for _ in range(20)))
        assert len(results) > 3000
        assert results == [OK] * len(results)

    virtual_time.run(main())


@pytest.mark.slow
def test_the_budget_stops_a_storm_and_says_so() -> None:
    """In half an hour of failures retries stop for good, and calls cost one attempt each."""

    async def main() -> None:
        server = Server(lambda _: Response(status=503))
        async with Session("t", transport=server, retry=RetryPolicy(budget=50)) as session:
            errors: list[object] = []
            while asyncio.get_running_loop().time() < 1800:
                errors += await asyncio.gather(*(get(session) for _ in range(20)))
        assert len(errors) > 3000
        assert session.stats.retries == 50
        assert all(isinstance(error, ServerError) for error in errors)
        assert str(errors[-1]).endswith("(the session's retry budget is used up: too many calls fail)")

    virtual_time.run(main())


def test_the_last_answer_is_kept_when_a_later_attempt_got_none() -> None:
    """A 503 and then silence: the error has both."""

    async def main() -> None:
        lost = UnknownOutcomeError("lost")
        answers: Iterator[Response | PlanhatError] = iter([Response(status=503, body=b"down"), lost, lost])
        async with Session("t", transport=Server(lambda _: next(answers)), retry=RetryPolicy(attempts=3)) as session:
            error = await get(session)
        assert isinstance(error, UnknownOutcomeError)
        assert (error.attempts, error.last_status, error.last_body) == (3, 503, "down")

    virtual_time.run(main())


def test_what_was_given_up_is_not_overtaken() -> None:
    """After a lost answer the same again waits at least `wait_initial`: the first may still be carried out."""

    async def main() -> None:
        answers: Iterator[Response | PlanhatError] = iter([UnknownOutcomeError("lost")])
        server = Server(lambda _: next(answers, OK))
        async with Session("t", transport=server, retry=RetryPolicy(wait_initial=2.0)) as session:
            await get(session)
        assert server.arrived[1] - server.arrived[0] >= 2.1

    virtual_time.run(main())


@pytest.mark.parametrize(("latency", "expected"), [(60.0, UnknownOutcomeError), (0.1, NotSentError)])
def test_a_deadline_ends_the_whole_call(latency: float, expected: type[PlanhatError]) -> None:
    """A call under way is unknown when its deadline passes; one that waits for its turn was never sent."""

    async def main() -> None:
        first = Response(status=429, headers={"retry-after": "20"}) if expected is NotSentError else OK
        server = Server(lambda _: first, latency=latency)
        async with Session("t", transport=server, timeouts=Timeouts(deadline=5.0)) as session:
            error = await get(session)
        assert type(error) is expected
        assert "the deadline passed" in str(error)
        assert asyncio.get_running_loop().time() == pytest.approx(5.0, abs=0.01)

    virtual_time.run(main())


@pytest.mark.parametrize("n_steps", range(40))
def test_a_cancelled_call_leaves_nothing_behind(n_steps: int) -> None:
    """Wherever a call is cancelled, its place, its pause and its attempt are given back: the next call works."""

    async def main() -> None:
        answers = iter([REFUSED, Response(status=503)])
        server = Server(lambda _: next(answers, OK))
        async with Session("t", transport=server) as session:
            call = asyncio.create_task(get(session))
            loop = asyncio.get_running_loop()
            for _ in range(n_steps):
                await asyncio.sleep(0.1)
                if call.done():
                    break
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert server.n_under_way == 0
            before = loop.time()
            assert await get(session) == OK
            assert loop.time() - before < 5
            assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual_time.run(main())


def test_retries_and_pauses_are_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """One line per retry and per pause; no token, no body, no value of the query."""

    async def main() -> None:
        answers = iter([Response(status=503, body=b"private"), REFUSED])
        async with Session("secret-token", transport=Server(lambda _: next(answers, OK))) as session:
            await session.request("GET", "/tasks", params={"email": "ada@acme.example"})

    with caplog.at_level(logging.INFO, logger="planhat_async"):
        virtual_time.run(main())
    assert [(record.levelname, record.getMessage().split(" in ")[0]) for record in caplog.records] == [
        ("INFO", "GET /tasks: attempt 2"),
        ("WARNING", "GET /tasks: answered 429; nothing is sent for 1.0 s"),
        ("INFO", "GET /tasks: attempt 3"),
    ]
    assert not any(word in caplog.text for word in ("secret-token", "private", "acme"))


def test_what_planhat_says_is_left_is_heeded() -> None:
    """With nothing left, says the answer, the next call waits until the minute is over."""

    async def main() -> None:
        used_up = Response(status=200, headers={"x-rate-limit-remaining": "0", "x-rate-limit-limit": "200"})
        answers = iter([used_up])
        server = Server(lambda _: next(answers, OK))
        async with Session("t", transport=server) as session:
            await session.send(Request(method="GET", path="/tasks"))
            await get(session)
            assert session.stats.seconds_waited == pytest.approx(60.0, abs=0.1)
        assert server.arrived[1] - server.arrived[0] == pytest.approx(60.1, abs=0.1)

    virtual_time.run(main())


def test_sessions_may_share_a_pacer() -> None:
    """Two sessions on one token keep its pace together."""

    async def main() -> None:
        pacer = Pacer(RateLimits(per_minute=2))
        server = Server(lambda _: OK)
        async with (
            Session("t", transport=server, pacer=pacer) as one,
            Session("t", transport=server, pacer=pacer) as other,
        ):
            await asyncio.gather(get(one), get(one), get(other))
        assert server.arrived[1] < 1
        assert server.arrived[2] == pytest.approx(60.1, abs=0.1)

    virtual_time.run(main())


def test_plain_http_takes_a_switch() -> None:
    """Nobody sends a token unencrypted by mistake."""
    with pytest.raises(ValueError, match="would send the token unencrypted"):
        Session("t", base_url="http://planhat.internal")
    session = Session("t", base_url="http://planhat.internal", allow_plain_http=True)
    assert repr(session) == "<Session http://planhat.internal closed>"


def test_a_session_is_not_pickled() -> None:
    """Its token would be in the pickle."""
    with pytest.raises(TypeError, match="a token is not to be pickled"):
        pickle.dumps(Session("t", transport=Server(lambda _: OK))._token)


def test_a_call_that_waits_when_its_session_closes_is_not_sent() -> None:
    """It learns that it never left, and nothing arrives after the end."""

    async def main() -> None:
        server = Server(lambda _: OK)
        async with Session("t", transport=server, limits=RateLimits(per_minute=1)) as session:
            await get(session)
            waiting = asyncio.create_task(get(session))
            await asyncio.sleep(1)
        assert isinstance(await waiting, NotSentError)
        assert len(server.arrived) == 1

    virtual_time.run(main())


@pytest.mark.parametrize("retry_after", [None, "3600"])
def test_nobody_waits_for_hours_while_everything_is_refused(retry_after: str | None) -> None:
    """However many calls queue up, each ends within its patience, with the error that says why."""

    async def main() -> None:
        headers = {} if retry_after is None else {"retry-after": retry_after}
        server = Server(lambda _: Response(status=429, headers=headers))
        async with Session("t", transport=server) as session:
            errors = await asyncio.gather(*(get(session) for _ in range(200)))
        assert all(isinstance(error, RateLimitedError) for error in errors)
        assert asyncio.get_running_loop().time() <= 301
        assert len(server.arrived) <= 60

    virtual_time.run(main())


def test_nothing_is_tried_again_after_the_total() -> None:
    """Also where the pace, and not the backoff, made it late."""

    async def main() -> None:
        server = Server(lambda _: Response(status=503))
        policy, limits = RetryPolicy(total=10), RateLimits(per_minute=1)
        async with Session("t", transport=server, retry=policy, limits=limits) as session:
            assert isinstance(await get(session), ServerError)
        assert len(server.arrived) == 1

    virtual_time.run(main())


def test_waiting_for_the_first_place_uses_up_no_patience() -> None:
    """Behind five minutes of other calls a request is still tried again when it fails."""

    async def main() -> None:
        answers = iter([OK] * 4 + [Response(status=503)])
        server = Server(lambda _: next(answers, OK))
        policy, limits = RetryPolicy(total=90), RateLimits(per_minute=1)
        async with Session("t", transport=server, retry=policy, limits=limits) as session:
            assert await asyncio.gather(*(get(session) for _ in range(5))) == [OK] * 5
        assert len(server.arrived) == 6

    virtual_time.run(main())


def test_a_503_that_names_a_time_is_believed() -> None:
    """`Retry-After` counts whatever the status."""

    async def main() -> None:
        answers = iter([Response(status=503, headers={"retry-after": "30"})])
        server = Server(lambda _: next(answers, OK))
        async with Session("t", transport=server) as session:
            assert await get(session) == OK
        assert server.arrived[1] - server.arrived[0] == pytest.approx(30.1, abs=0.01)

    virtual_time.run(main())


def test_what_may_be_stored_stays_unknown_when_the_session_closes() -> None:
    """Rows that one attempt may have stored are not called unsent because the next one never left."""

    async def main() -> None:
        server = Server(lambda _: UnknownOutcomeError("lost"))
        async with Session("t", transport=server, retry=RetryPolicy(wait_initial=5.0)) as session:
            rows = [{"source_id": "1", "email": "a@b.c", "domains": ["b.c"]}]
            writing = asyncio.create_task(Tickets(session).upsert_many(rows))
            await asyncio.sleep(1)
        assert (await writing).unknown == 1
        assert len(server.arrived) == 1

    virtual_time.run(main())


def test_a_chunk_that_was_refused_for_pace_has_not_left() -> None:
    """A 429 proves that nothing was processed, also where the run ends during the pause."""

    async def main() -> None:
        server = Server(lambda _: REFUSED)
        rows = [{"company_id": "c"}]
        async with Session("t", transport=server) as session, Notes(session).upserting(rows) as run:
            waiting = asyncio.create_task(anext(run))
            await asyncio.sleep(0.5)
            waiting.cancel()
        assert (run.result.unsent, run.result.unknown) == (1, 0)

    virtual_time.run(main())


def test_a_deadline_counts_the_attempt_it_cut() -> None:
    """One attempt was made, although it never ended."""

    async def main() -> None:
        async with Session("t", transport=Server(lambda _: OK, latency=60), timeouts=Timeouts(deadline=1)) as session:
            error = await get(session)
        assert isinstance(error, UnknownOutcomeError)
        assert error.attempts == 1

    virtual_time.run(main())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_an_unreadable_answer_to_a_write_says_what_was_sent(method: str) -> None:
    """Planhat answered, so it may have done it."""

    async def main() -> None:
        async with Session("t", transport=Server(lambda _: Response(status=200, body=b"<html>"))) as session:
            with pytest.raises(DecodeError) as caught:
                await session.request(method, "/tasks", json={"a": 1})
        assert (caught.value.may_have_been_processed, caught.value.sent) == (True, b'{"a":1}')

    virtual_time.run(main())


def locals_of(error: BaseException) -> str:
    """Everything that a traceback with local variables shows, but for the test's own frame."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(repr(frame.locals) for frame in shown.stack if "/tests/" not in frame.filename)


@pytest.mark.parametrize("token", ["secret-token\n", b"secret-token"])
@pytest.mark.parametrize("is_callable", [False, True])
def test_no_frame_shows_a_token_that_is_refused(token: Any, is_callable: bool) -> None:
    """Tools that print local variables print no token."""

    async def main() -> None:
        async with Session((lambda: token) if is_callable else token, base_url=URL) as session:
            await session.check()

    with pytest.raises(ValueError, match="the Planhat token") as caught:
        asyncio.run(main())
    assert "secret" not in locals_of(caught.value)


def test_an_answer_that_is_kept_shows_no_token() -> None:
    """A proxy's page with the request it could not pass on, and then a lost answer."""

    async def main() -> None:
        answers: Iterator[Response | PlanhatError] = iter(
            [Response(status=502, body=b"Authorization: Bearer secret-token"), *[UnknownOutcomeError("lost")] * 4]
        )

        class Echo(Server):
            async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
                token.header()
                return await super().send(request, token=token, timeouts=timeouts)

        async with Session("secret-token", transport=Echo(lambda _: next(answers))) as session:
            error = await get(session)
        assert isinstance(error, UnknownOutcomeError)
        assert error.last_body == "Authorization: Bearer <token>"
        assert b"secret" not in pickle.dumps(error)

    virtual_time.run(main())


def test_a_timeout_of_the_callers_own_is_no_deadline() -> None:
    """What the function for the token raises goes back to its owner."""

    def token() -> str:
        raise TimeoutError("vault")

    async def main() -> None:
        async with Session(token, base_url=URL, timeouts=Timeouts(deadline=5)) as session:
            await session.check()

    with pytest.raises(TimeoutError, match=r"^vault$"):
        asyncio.run(main())


def test_a_call_that_comes_while_a_long_pause_holds_fails_at_once() -> None:
    """It need not find out for itself."""

    async def main() -> None:
        server = Server(lambda _: Response(status=429, headers={"retry-after": "300"}))
        async with Session("t", transport=server, retry=RetryPolicy(total=100)) as session:
            await get(session)
            error = await get(session)
        assert isinstance(error, RateLimitedError)
        assert (error.retry_after, len(server.arrived)) == (100.0, 1)
        assert asyncio.get_running_loop().time() < 1

    virtual_time.run(main())


def test_an_unreadable_answer_to_a_deletion_may_mean_that_it_is_done() -> None:
    """The record may be gone."""

    async def main() -> None:
        async with Session("t", transport=Server(lambda _: Response(status=200, body=b"<html>"))) as session:
            with pytest.raises(DecodeError) as caught:
                await Notes(session).delete("5f5792")
        assert caught.value.may_have_been_processed

    virtual_time.run(main())


def test_a_short_token_is_not_looked_for_within_words() -> None:
    """A sandbox takes any, and `any` is in `company`."""

    async def main() -> None:
        class Echo(Server):
            async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
                token.header()
                return await super().send(request, token=token, timeouts=timeouts)

        server = Echo(lambda _: Response(status=404, body=b"no company"))
        async with Session("any", transport=server) as session:
            error = await get(session)
        assert isinstance(error, StatusError)
        assert error.body == "no company"

    virtual_time.run(main())
