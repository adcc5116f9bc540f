"""Test a session on virtual time, with a transport in memory."""

import asyncio
import logging
import pickle
import random
import traceback
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from itertools import chain
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
    Tasks,
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
    """A server in memory: its answers are a function of time, and each attempt takes a tenth of a second."""

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


def test_two_hundred_tasks_get_one_429() -> None:
    """The session pauses once for the given time; then every task gets an answer without another 429."""

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
    """No request is sent for that many seconds or until that date; an invalid value means one second."""

    async def main() -> None:
        refusal = Response(status=429, headers={"retry-after": retry_after, "date": formatdate(1_000_000, usegmt=True)})
        answers = iter([refusal])
        server = Server(lambda _: next(answers, OK))
        async with Session("t", transport=server) as session:
            assert await get(session) == OK
        first, second = server.arrived
        assert second - first - 0.1 == pytest.approx(seconds, abs=0.01)

    virtual_time.run(main())


def test_a_pause_longer_than_the_patience_fails_at_once() -> None:
    """With a pause of an hour and five minutes of patience, the error comes at once and contains the hour."""

    async def main() -> None:
        server = Server(lambda _: Response(status=429, headers={"retry-after": "3600"}))
        async with Session("t", transport=server) as session:
            error = await get(session)
        assert isinstance(error, RateLimitedError)
        assert error.retry_after == 3600.0
        assert asyncio.get_running_loop().time() < 1

    virtual_time.run(main())


def test_calls_give_up_after_their_patience() -> None:
    """A server that always refuses is given up after `RetryPolicy.total`, with few calls until then."""

    async def main() -> None:
        server = Server(lambda _: REFUSED)
        async with Session("t", transport=server, retry=RetryPolicy(total=300)) as session:
            assert isinstance(await get(session), RateLimitedError)
        assert 200 < asyncio.get_running_loop().time() < 300
        assert len(server.arrived) == 10

    virtual_time.run(main())


@pytest.mark.slow
def test_one_failure_in_four_is_sustainable() -> None:
    """Every call succeeds for half an hour although every fourth attempt fails: successes pay for retries."""

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
def test_the_budget_ends_a_storm_of_retries() -> None:
    """During half an hour of failures, retries end for good, the error says so, and calls cost one attempt each."""

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


def test_the_last_answer_is_kept_if_a_later_attempt_gets_none() -> None:
    """The error has both the 503 and the lost answer."""

    async def main() -> None:
        lost = UnknownOutcomeError("lost")
        answers: Iterator[Response | PlanhatError] = iter([Response(status=503, body=b"down"), lost, lost])
        async with Session("t", transport=Server(lambda _: next(answers)), retry=RetryPolicy(attempts=3)) as session:
            error = await get(session)
        assert isinstance(error, UnknownOutcomeError)
        assert (error.attempts, error.last_status, error.last_body) == (3, 503, "down")

    virtual_time.run(main())


def test_a_retry_does_not_overtake_a_lost_attempt() -> None:
    """A retry after a lost answer waits at least `wait_initial`, because the first attempt may still be processed."""

    async def main() -> None:
        answers: Iterator[Response | PlanhatError] = iter([UnknownOutcomeError("lost")])
        server = Server(lambda _: next(answers, OK))
        async with Session("t", transport=server, retry=RetryPolicy(wait_initial=2.0)) as session:
            await get(session)
        assert server.arrived[1] - server.arrived[0] >= 2.1

    virtual_time.run(main())


@pytest.mark.parametrize(("latency", "expected"), [(60.0, UnknownOutcomeError), (0.1, NotSentError)])
def test_a_deadline_ends_the_whole_call(latency: float, expected: type[PlanhatError]) -> None:
    """A call in flight is unknown when its deadline expires; a call that waits was never sent."""

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
def test_a_cancelled_call_releases_everything(n_steps: int) -> None:
    """A call may be cancelled anywhere: its slot, its pause and its attempt are released, and the next call works."""

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
    """Each retry and each pause is one line, without token, body or values of the query."""

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


def test_the_remaining_calls_of_planhat_are_respected() -> None:
    """After an answer with 0 remaining calls, the next call waits until the minute is over."""

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
    """Two sessions on one token share the rate limits."""

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


def test_plain_http_requires_an_option() -> None:
    """This prevents sending a token unencrypted by mistake."""
    with pytest.raises(ValueError, match="would send the token unencrypted"):
        Session("t", base_url="http://planhat.internal")
    session = Session("t", base_url="http://planhat.internal", allow_plain_http=True)
    assert repr(session) == "<Session http://planhat.internal closed>"


def test_a_session_cannot_be_pickled() -> None:
    """The pickle would contain its token."""
    with pytest.raises(TypeError, match="a token cannot be pickled"):
        pickle.dumps(Session("t", transport=Server(lambda _: OK))._token)


def test_a_call_that_waits_when_its_session_closes_is_not_sent() -> None:
    """Its error says that it was not sent, and no request arrives after the close."""

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
def test_no_call_waits_for_hours_while_every_call_is_refused(retry_after: str | None) -> None:
    """Any number of waiting calls end within their patience, with an error that contains the reason."""

    async def main() -> None:
        headers = {} if retry_after is None else {"retry-after": retry_after}
        server = Server(lambda _: Response(status=429, headers=headers))
        async with Session("t", transport=server) as session:
            errors = await asyncio.gather(*(get(session) for _ in range(200)))
        assert all(isinstance(error, RateLimitedError) for error in errors)
        assert asyncio.get_running_loop().time() <= 301
        assert len(server.arrived) <= 60

    virtual_time.run(main())


def test_no_attempt_starts_after_the_total() -> None:
    """The rate limit may cause the delay instead of the backoff."""

    async def main() -> None:
        server = Server(lambda _: Response(status=503))
        policy, limits = RetryPolicy(total=10), RateLimits(per_minute=1)
        async with Session("t", transport=server, retry=policy, limits=limits) as session:
            assert isinstance(await get(session), ServerError)
        assert len(server.arrived) == 1

    virtual_time.run(main())


def test_waiting_for_the_first_slot_uses_no_patience() -> None:
    """After five minutes behind other calls, a failed request is still retried."""

    async def main() -> None:
        answers = iter([OK] * 4 + [Response(status=503)])
        server = Server(lambda _: next(answers, OK))
        policy, limits = RetryPolicy(total=90), RateLimits(per_minute=1)
        async with Session("t", transport=server, retry=policy, limits=limits) as session:
            assert await asyncio.gather(*(get(session) for _ in range(5))) == [OK] * 5
        assert len(server.arrived) == 6

    virtual_time.run(main())


def test_retry_after_of_a_503_is_honoured() -> None:
    """`Retry-After` is used for every status."""

    async def main() -> None:
        answers = iter([Response(status=503, headers={"retry-after": "30"})])
        server = Server(lambda _: next(answers, OK))
        async with Session("t", transport=server) as session:
            assert await get(session) == OK
        assert server.arrived[1] - server.arrived[0] == pytest.approx(30.1, abs=0.01)

    virtual_time.run(main())


def test_rows_that_may_be_stored_stay_unknown_when_the_session_closes() -> None:
    """Rows that one attempt may have stored are not unsent because the next one was not sent."""

    async def main() -> None:
        server = Server(lambda _: UnknownOutcomeError("lost"))
        async with Session("t", transport=server, retry=RetryPolicy(wait_initial=5.0)) as session:
            rows = [{"source_id": "1", "email": "a@b.c", "domains": ["b.c"]}]
            writing = asyncio.create_task(Tickets(session).upsert_many(rows))
            await asyncio.sleep(1)
        assert (await writing).unknown == 1
        assert len(server.arrived) == 1

    virtual_time.run(main())


def test_a_chunk_refused_with_a_429_is_unsent() -> None:
    """A 429 proves that no row was processed, even if the run ends during the pause."""

    async def main() -> None:
        server = Server(lambda _: REFUSED)
        rows = [{"company_id": "5f4e3d2c1b0a998877665544"}]
        async with Session("t", transport=server) as session, Notes(session).upserting(rows) as run:
            waiting = asyncio.create_task(anext(run))
            await asyncio.sleep(0.5)
            waiting.cancel()
        assert (run.result.unsent, run.result.unknown) == (1, 0)

    virtual_time.run(main())


def test_a_deadline_counts_the_attempt_in_flight() -> None:
    """One attempt was made, although it did not end."""

    async def main() -> None:
        async with Session("t", transport=Server(lambda _: OK, latency=60), timeouts=Timeouts(deadline=1)) as session:
            error = await get(session)
        assert isinstance(error, UnknownOutcomeError)
        assert error.attempts == 1

    virtual_time.run(main())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_error_of_an_unreadable_answer_to_a_write_has_the_request(method: str) -> None:
    """Planhat answered, so it may have processed the write."""

    async def main() -> None:
        async with Session("t", transport=Server(lambda _: Response(status=200, body=b"<html>"))) as session:
            with pytest.raises(DecodeError) as caught:
                await session.request(method, "/tasks", json={"a": 1})
        assert (caught.value.may_have_been_processed, caught.value.sent) == (True, b'{"a":1}')

    virtual_time.run(main())


def locals_of(error: BaseException) -> str:
    """Return the text of a traceback with local variables, without the test's own frame."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(repr(frame.locals) for frame in shown.stack if "/tests/" not in frame.filename)


@pytest.mark.parametrize("token", ["secret-token\nx", b"secret-token"])
@pytest.mark.parametrize("is_callable", [False, True])
def test_no_frame_contains_a_refused_token(token: Any, is_callable: bool) -> None:
    """Tools that print local variables do not print the token."""

    async def main() -> None:
        async with Session((lambda: token) if is_callable else token, base_url=URL) as session:
            await session.check()

    with pytest.raises(ValueError, match="the Planhat token") as caught:
        asyncio.run(main())
    assert "secret" not in locals_of(caught.value)


def test_a_kept_answer_contains_no_token() -> None:
    """A proxy's error page with the request precedes a lost answer."""

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


def test_a_timeout_of_the_token_function_is_not_a_deadline() -> None:
    """Exceptions of the function for the token are raised unchanged."""

    def token() -> str:
        raise TimeoutError("vault")

    async def main() -> None:
        async with Session(token, base_url=URL, timeouts=Timeouts(deadline=5)) as session:
            await session.check()

    with pytest.raises(TimeoutError, match=r"^vault$"):
        asyncio.run(main())


def test_a_call_during_a_long_pause_fails_at_once() -> None:
    """It need not be refused itself."""

    async def main() -> None:
        server = Server(lambda _: Response(status=429, headers={"retry-after": "300"}))
        async with Session("t", transport=server, retry=RetryPolicy(total=100)) as session:
            await get(session)
            error = await get(session)
        assert isinstance(error, RateLimitedError)
        assert (error.retry_after, len(server.arrived)) == (100.0, 1)
        assert asyncio.get_running_loop().time() < 1

    virtual_time.run(main())


def test_a_deletion_with_an_unreadable_answer_may_be_processed() -> None:
    """The record may be deleted."""

    async def main() -> None:
        async with Session("t", transport=Server(lambda _: Response(status=200, body=b"<html>"))) as session:
            with pytest.raises(DecodeError) as caught:
                await Notes(session).delete("5f" * 12)
        assert caught.value.may_have_been_processed

    virtual_time.run(main())


def test_a_short_token_is_not_replaced_within_words() -> None:
    """A sandbox accepts `any`, which is part of `company`."""

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


@pytest.mark.parametrize("headers", [{}, {"retry-after": "1"}])
def test_patience_counts_every_wait_if_every_call_is_refused(headers: dict[str, str]) -> None:
    """This includes the wait for the minute: calls end in time even if other clients have used the minute."""

    async def main() -> None:
        refusing_from = 1.5
        clock = asyncio.get_running_loop().time
        server = Server(lambda now: OK if now < refusing_from else Response(status=429, headers=headers))
        limits = RateLimits(per_minute=20, per_second=150, reserve=0)
        async with Session("t", transport=server, limits=limits, retry=RetryPolicy(total=5.0)) as session:
            await asyncio.gather(*(get(session) for _ in range(12)))
            await asyncio.sleep(refusing_from)
            began = clock()
            results = await asyncio.gather(*(get(session) for _ in range(30)))
            assert {type(one) for one in results} == {RateLimitedError}
            assert clock() - began < 6.5
            late = clock()
            assert type(await get(session)) is RateLimitedError
            assert clock() - late < 6.5

    virtual_time.run(main())


def test_a_retry_does_not_wait_for_the_rate_limit_beyond_its_patience() -> None:
    """This holds after other failures too; the error says why no retry was made."""

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        server = Server(lambda _: Response(status=503))
        patient = RetryPolicy(total=5.0, wait_initial=0.1)
        limits = RateLimits(per_minute=1, reserve=0)
        async with Session("t", transport=server, limits=limits, retry=patient) as session:
            error = await get(session)
            assert isinstance(error, ServerError)
            assert "no other attempt could start before RetryPolicy.total ended" in str(error)
            assert clock() == pytest.approx(5.1, abs=0.2)
            assert "0 in flight" in repr(session._pacer)

    virtual_time.run(main())


def test_a_first_attempt_waits_for_the_rate_limit_indefinitely() -> None:
    """This is normal: a backfill waits for most of its calls."""

    async def main() -> None:
        server = Server(lambda _: OK)
        limits = RateLimits(per_minute=1, reserve=0)
        async with Session("t", transport=server, limits=limits, retry=RetryPolicy(total=5.0)) as session:
            assert await asyncio.gather(*(get(session) for _ in range(3))) == [OK] * 3


@attrs.define
class Records(Server):
    """Answers each call as documented, and records for each whether it was a bulk call."""

    answer: Callable[[float], Response | PlanhatError] = attrs.field(default=lambda _: OK)
    classes: list[bool] = attrs.field(factory=list)
    bodies: dict[str, bytes] = attrs.field(factory=dict)
    """Answers by method and path; other calls get a record."""

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        self.classes.append(request.is_bulk)
        await super().send(request, token=token, timeouts=timeouts)
        body = self.bodies.get(f"{request.method} {request.path}", b'{"_id":"5f5792","deletedCount":1}')
        return Response(status=200, body=body)


KEYS = [f"{number:024x}" for number in range(1000)]


@pytest.mark.parametrize(("n_keys", "classes"), [(1, [False]), (2, [True, True]), (7, [True] * 7)])
@pytest.mark.parametrize("name", ["get_many", "delete_many"])
def test_calls_for_many_keys_are_bulk(name: str, n_keys: int, classes: list[bool]) -> None:
    """A single key is a single call."""

    async def main() -> None:
        server = Records()
        async with Session("t", transport=server) as session:
            assert len(await getattr(Tasks(session), name)(KEYS[:n_keys])) == n_keys
        assert server.classes == classes

    virtual_time.run(main())


@pytest.mark.parametrize("name", ["get_many", "delete_many"])
def test_a_get_does_not_wait_behind_calls_for_many_keys(name: str) -> None:
    """With a thousand keys in progress, of which a minute takes 180, single calls are sent at once."""

    async def main() -> None:
        async with Session("t", transport=Records()) as session:
            many = asyncio.create_task(getattr(Tasks(session), name)(KEYS))
            clock = asyncio.get_running_loop().time
            for _ in range(100):
                await asyncio.sleep(5)
                asked = clock()
                await Tasks(session).get(KEYS[0])
                assert clock() - asked < 1
            await many

    virtual_time.run(main())


@pytest.mark.parametrize("name", ["get_many", "delete_many"])
def test_calls_for_many_keys_start_in_a_window(name: str) -> None:
    """There are at most as many tasks as slots in flight, for any number of keys; a cancellation ends them at once."""

    async def main() -> None:
        server, n_before = Records(), len(asyncio.all_tasks())
        async with Session("t", transport=server) as session:
            many = asyncio.create_task(getattr(Tasks(session), name)(KEYS * 10))
            await asyncio.sleep(30)
            assert len(asyncio.all_tasks()) - n_before <= 1 + 50
            many.cancel()
            for _ in range(10):
                await asyncio.sleep(0)
            assert many.cancelled()
            assert len(asyncio.all_tasks()) == n_before
            assert server.n_under_way == 0

    virtual_time.run(main())


def test_after_an_error_no_other_key_is_requested() -> None:
    """Calls that wait for the rate limit are dropped, and the error is raised unchanged."""

    async def main() -> None:
        server = Server(lambda _: Response(status=400))
        async with Session("t", transport=server) as session:
            with pytest.raises(StatusError):
                await Tasks(session).delete_many(KEYS)
            n_sent = len(server.arrived)
            await asyncio.sleep(600)
        assert len(server.arrived) == n_sent <= 50

    virtual_time.run(main())


@pytest.mark.parametrize("keys", [KEYS * 10, (key for key in KEYS * 10)])
def test_other_tasks_run_while_many_keys_are_validated(keys: Iterable[str]) -> None:
    """All keys are validated before the first call, 500 in each turn of the event loop."""

    async def main() -> None:
        server, n_turns = Records(), 0

        async def others() -> None:
            nonlocal n_turns
            while True:
                n_turns += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(others())
        async with Session("t", transport=server) as session:
            with pytest.raises(ValueError, match="blank"):
                await Tasks(session).get_many(chain(keys, [""]))
        ticking.cancel()
        assert n_turns >= 20
        assert server.classes == []

    virtual_time.run(main())


ACME = "5f4e3d2c1b0a998877665544"
KEYED = [{"source_id": str(number), "company_id": ACME, "action": "a"} for number in range(9)]
KEYLESS = [{"company_id": ACME, "action": "a"}] * 9
INVALID: list[dict[str, Any]] = [{"action": "a"}] * 9


@pytest.mark.parametrize(
    ("rows", "classes"),
    [
        (KEYED[:1], [False]),
        (KEYED[:3], [False]),
        (KEYLESS[:3], [False]),
        (KEYED[:3] + INVALID[:2], [False]),
        (INVALID[:5] + KEYED[:1], [False]),
        (KEYED[:5], [True, True]),
        (KEYED[:4], [True]),  # full, and the input may not have ended
        (KEYED[:2] + KEYED[:2], [True, True]),
        (KEYED[:1] + KEYLESS[:1], [True, True]),
        (KEYED[:9], [True] * 3),
        ([], []),
    ],
)
def test_an_upsert_of_one_call_is_a_single_call(rows: list[dict[str, Any]], classes: list[bool]) -> None:
    """Its input ends before a chunk is full; every other upsert is bulk."""

    async def main() -> None:
        server = Records(bodies={"PUT /tasks": b"{}"})
        async with Session("t", transport=server) as session:
            await Tasks(session).upsert_many(rows, chunk_size=4)
        assert server.classes == classes

    virtual_time.run(main())


def test_halves_of_a_single_chunk_are_bulk() -> None:
    """An upsert that needs more calls than expected is not a single call."""

    async def main() -> None:
        classes: list[bool] = []

        class Small(Server):
            async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
                classes.append(request.is_bulk)
                await super().send(request, token=token, timeouts=timeouts)
                return Response(status=413 if len(request.body or b"") > 80 else 200, body=b"{}")

        async with Session("t", transport=Small(lambda _: OK)) as session:
            await Tasks(session).upsert_many(KEYED[:2])
        assert classes == [False, True, True]

    virtual_time.run(main())


def test_first_pages_are_single_calls() -> None:
    """The first pages of open and archived tasks may be the whole lists, so they are single calls; others are bulk."""

    async def main() -> None:
        server = Records(bodies={"GET /tasks": b"[]"})
        async with Session("t", transport=server) as session:
            assert [task async for task in Tasks(session).iter()] == []
            assert server.classes == [False, False]
        classes: list[bool] = []

        class Listed(Server):
            async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
                classes.append(request.is_bulk)
                await super().send(request, token=token, timeouts=timeouts)
                asked = dict(request.params)
                rows = [b'{"_id":"%024x"}' % number for number in range(1000)]
                rows = rows[::-1] if asked["sort"] == "-_id" else rows
                start = int(asked.get("offset", 0))
                return Response(status=200, body=b"[" + b",".join(rows[start : start + int(asked["limit"])]) + b"]")

        async with Session("t", transport=Listed(lambda _: OK)) as session:
            assert len([task async for task in Tasks(session).iter(archived=False, page_size=300)]) == 1000
        assert classes[0] is False
        assert len(classes) > 4
        assert all(classes[1:])

    virtual_time.run(main())


def test_a_listing_by_many_ids_is_bulk_except_for_its_first_pages() -> None:
    """It reads many lists, whose first pages would displace single calls."""

    async def main() -> None:
        server = Records(bodies={"GET /tasks": b"[]"})
        async with Session("t", transport=server) as session:
            ids = [f"{number:024x}" for number in range(1000)]
            assert [task async for task in Tasks(session).iter(company_id=ids, archived=False)] == []
        assert server.classes[:2] == [False, False]
        assert len(server.classes) > 3
        assert all(server.classes[2:])

    virtual_time.run(main())


def test_one_get_does_not_slow_upserts() -> None:
    """Forty upserts of one ticket each are as fast after a single call as before."""

    async def main() -> None:
        row = {"source_id": "1", "email": "a@b.c", "domains": ["b.c"]}
        clock = asyncio.get_running_loop().time
        async with Session("t", transport=Records(latency=0.0)) as session:
            await Tasks(session).get(KEYS[0])
            began = clock()
            await asyncio.gather(*(Tickets(session).upsert_many([row]) for _ in range(40)))
            assert clock() - began < 0.05
            began = clock()
            await Tickets(session).upsert_many([{**row, "source_id": str(n)} for n in range(40)], chunk_size=1)
            assert clock() - began < 0.5

    virtual_time.run(main())
