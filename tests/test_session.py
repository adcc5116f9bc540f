"""Test the life of a session and of a request."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from fakes import TOKEN, FakeTransport, ScriptedServer, reply

from planhat_async import (
    AuthenticationError,
    DecodeError,
    NotFoundError,
    NotSentError,
    Pacer,
    PermissionDeniedError,
    PlanhatError,
    RateLimitedError,
    RateLimits,
    RetryPolicy,
    ServerError,
    Session,
    SessionStats,
    StatusError,
    UnknownOutcomeError,
)
from planhat_async._http.wire import Request, Response

URL = "https://api.example.com"
AT_ONCE = RetryPolicy(wait_initial=0)
REFUSED = Response(status=429, headers={"retry-after": "0"})
GET = Request(method="GET", path="/tasks")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove settings from the environment."""
    monkeypatch.delenv("PLANHAT_API_TOKEN", raising=False)
    monkeypatch.delenv("PLANHAT_BASE_URL", raising=False)


def ok(body: bytes = b"[]", status: int = 200) -> Response:
    """Return an answer."""
    return Response(status=status, body=body)


def lost() -> UnknownOutcomeError:
    """Return the error of a lost answer."""
    return UnknownOutcomeError("no answer", method="GET", path="/tasks")


def unreached() -> NotSentError:
    """Return the error of a failed connection."""
    return NotSentError("no connection", method="GET", path="/tasks")


def fake(*answers: Response | Exception | None, **options: Any) -> tuple[Session, FakeTransport]:
    """Return a session that retries without waiting, and its transport."""
    transport = FakeTransport(list(answers))
    options = {"base_url": URL, "retry": AT_ONCE, **options}
    return Session(options.pop("token", TOKEN), transport=transport, **options), transport


class TestRequest:
    async def test_a_request_is_sent_unchanged(self) -> None:
        """It has path, query and body, with the token and the types in its headers; the answer is decoded."""
        session, transport = fake(ok(b'{"a":[1.5,null]}'))
        async with session:
            answer = await session.request("PUT", "/companies", params={"limit": 2, "sort": "-é"}, json=[{"n": "☃"}])
        assert answer == {"a": [1.5, None]}
        (sent,) = transport.sent
        params = (("limit", "2"), ("sort", "-é"))
        body = '[{"n":"☃"}]'.encode()
        assert sent.request == Request(method="PUT", path="/companies", params=params, body=body)
        assert sent.authorization == f"Bearer {TOKEN}"

    @pytest.mark.parametrize(
        ("method", "sent"),
        [
            ("get", Request(method="GET", path="/users")),
            ("HEAD", Request(method="HEAD", path="/users")),
            ("Options", Request(method="OPTIONS", path="/users")),
            ("delete", Request(method="DELETE", path="/users")),
            ("post", Request(method="POST", path="/users")),
            ("put", Request(method="PUT", path="/users")),
            ("PATCH", Request(method="PATCH", path="/users")),
        ],
    )
    async def test_the_method_is_sent_in_capitals_and_is_not_keyed(self, method: str, sent: Request) -> None:
        """The effect of a PUT to any path is unknown; without a body none is sent."""
        session, transport = fake(ok())
        async with session:
            await session.request(method, "/users")
        assert [one.request for one in transport.sent] == [sent]

    @pytest.mark.parametrize("body", [b"", b" \r\n"])
    async def test_an_empty_answer_is_none(self, body: bytes) -> None:
        """A 204 has no body, for example."""
        session, _ = fake(ok(body, 204))
        async with session:
            assert await session.request("DELETE", "/users/1") is None

    async def test_an_answer_that_is_not_json_is_unreadable(self) -> None:
        """A login page is an example; the request is not repeated."""
        session, transport = fake(ok(b"<html>"))
        async with session:
            with pytest.raises(DecodeError, match="<html>"):
                await session.request("GET", "/users")
        assert len(transport.sent) == 1

    async def test_a_falsy_body_is_a_body(self) -> None:
        """An empty list is not the same as no body."""
        session, transport = fake(ok(), ok())
        async with session:
            await session.request("PUT", "/users", json=[])
            await session.request("PUT", "/users", json=0)
        assert [sent.request.body for sent in transport.sent] == [b"[]", b"0"]

    async def test_a_path_is_quoted(self) -> None:
        """Existing quoting is kept."""
        session, transport = fake(ok())
        async with session:
            await session.request("GET", "/users/é x/a%2Fb")
        assert transport.sent[0].request.path == "/users/%C3%A9%20x/a%2Fb"

    @pytest.mark.parametrize(
        ("path", "json"), [("users", None), ("/../x", None), ("/users?x=1", None), ("/users", {"a": object()})]
    )
    async def test_misuse_is_detected_before_any_call(self, path: str, json: object) -> None:
        """The error is a `ValueError`."""
        session, transport = fake()
        async with session:
            with pytest.raises(ValueError, match=r"a path|not expressible"):
                await session.request("GET", path, json=json)
        assert (transport.sent, session.stats) == ([], SessionStats())

    async def test_a_boolean_in_the_query_is_written_as_in_json(self) -> None:
        """A bool is an int in Python, so the signature accepts it."""
        session, transport = fake(ok())
        async with session:
            await session.request("GET", "/tasks", params={"isArchived": True})
        assert transport.sent[0].request.params == (("isArchived", "true"),)

    async def test_other_values_in_the_query_are_refused(self) -> None:
        """`None` would be sent as the text None."""
        session, transport = fake()
        async with session:
            with pytest.raises(TypeError, match=r"^a query parameter must be text or a number, not NoneType$"):
                await session.request("GET", "/tasks", params={"companyId": None})  # type: ignore[dict-item]
        assert transport.sent == []


class TestRetries:
    async def test_a_get_is_retried_until_it_is_answered(self) -> None:
        """Repeating it is safe."""
        session, transport = fake(lost(), ok(status=503), unreached(), REFUSED, ok(b"[1]"))
        async with session:
            assert await session.request("GET", "/tasks") == [1]
        assert [sent.request for sent in transport.sent] == [GET] * 5

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
    @pytest.mark.parametrize("happened", [lost(), ok(status=500), ok(status=502), ok(status=503), ok(status=504)])
    async def test_a_request_that_may_be_processed_is_never_repeated(
        self, method: str, happened: Response | Exception
    ) -> None:
        """The error says that it may have been processed."""
        session, transport = fake(happened, ok())
        async with session:
            with pytest.raises(PlanhatError) as caught:
                await session.request(method, "/tasks", json={})
        assert caught.value.may_have_been_processed
        assert len(transport.sent) == 1

    @pytest.mark.parametrize("happened", [unreached(), REFUSED])
    async def test_an_unprocessed_request_is_repeated(self, happened: Response | Exception) -> None:
        """This includes a POST."""
        session, transport = fake(happened, ok(b"{}"))
        async with session:
            assert await session.request("POST", "/tasks", json={}) == {}
        assert len(transport.sent) == 2

    async def test_a_repeatable_put_is_repeated(self) -> None:
        """Its creator declares it idempotent."""
        request = Request(method="PUT", path="/tasks/1", body=b"{}", is_keyed=True)
        session, transport = fake(lost(), ok(b"[1]"))
        async with session:
            assert await session.send(request) == ok(b"[1]")
        assert [sent.request for sent in transport.sent] == [request] * 2

    @pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 413, 422, 501])
    async def test_a_client_error_is_not_retried(self, status: int) -> None:
        """The error has its status, its body and the host."""
        session, transport = fake(ok(b'"no"', status))
        async with session:
            with pytest.raises(StatusError, match=f"^GET {URL}/tasks answered {status}") as caught:
                await session.request("GET", "/tasks")
        assert (caught.value.status, caught.value.body, len(transport.sent)) == (status, '"no"', 1)

    async def test_the_last_failure_is_raised(self) -> None:
        """It is raised after the last attempt and has the number of attempts."""
        session, transport = fake(ok(status=503), *[lost() for _ in range(4)])
        async with session:
            with pytest.raises(UnknownOutcomeError, match=r"^no answer \(5 attempts in \d+\.\d s\)$") as caught:
                await session.request("GET", "/tasks")
        assert (caught.value.attempts, len(transport.sent)) == (5, 5)

    async def test_a_server_error_is_raised_after_the_last_attempt(self) -> None:
        """The error has the status."""
        session, transport = fake(*[ok(status=502)] * 2, retry=RetryPolicy(attempts=2, wait_initial=0))
        async with session:
            with pytest.raises(ServerError, match="answered 502"):
                await session.request("GET", "/tasks")
        assert len(transport.sent) == 2

    async def test_refusals_do_not_use_up_attempts(self) -> None:
        """A 429 only delays the request."""
        session, transport = fake(REFUSED, ok(b"[1]"), retry=RetryPolicy(attempts=1))
        async with session:
            assert await session.request("POST", "/tasks") == [1]
        assert len(transport.sent) == 2

    @pytest.mark.parametrize(("headers", "named"), [({}, None), ({"retry-after": "3600"}, 3600.0)])
    async def test_a_long_pause_ends_the_request(self, headers: Mapping[str, str], named: float | None) -> None:
        """A pause longer than the remaining time ends the request at once."""
        answer = Response(status=429, headers=headers)
        session, transport = fake(answer, retry=RetryPolicy(total=0.5))
        async with session:
            with pytest.raises(RateLimitedError) as caught:
                await session.request("GET", "/tasks")
        assert (caught.value.retry_after, len(transport.sent)) == (named, 1)

    async def test_a_404_after_a_lost_answer_to_a_deletion_is_a_success(self) -> None:
        """The attempt with the lost answer deleted the record."""
        session, _ = fake(lost(), REFUSED, ok(b'"gone"', 404))
        async with session:
            assert await session.request("DELETE", "/tasks/1") is None

    async def test_a_deletion_of_a_missing_record_is_an_error(self) -> None:
        """A 404 for the first processed attempt means that the record did not exist."""
        session, _ = fake(unreached(), ok(status=404))
        async with session:
            with pytest.raises(NotFoundError):
                await session.request("DELETE", "/tasks/1")

    async def test_accepted_statuses_are_answers(self) -> None:
        """A caller that handles a 400 gets the whole answer; other statuses remain errors."""
        session, _ = fake(ok(b'{"updatedErrors":[]}', 400), ok(status=403))
        async with session:
            assert (
                await session.send(GET, accepts=lambda answer: answer.status == 400)
            ).body == b'{"updatedErrors":[]}'
            with pytest.raises(PermissionDeniedError):
                await session.send(GET, accepts=lambda answer: answer.status == 400)

    async def test_a_waiting_retry_holds_no_slot(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Other requests are sent while one waits for its next attempt."""
        monkeypatch.setattr("random.random", lambda: 1.0)
        patient = RetryPolicy(wait_initial=60.0, wait_max=60.0)
        session, transport = fake(lost(), ok(b"[1]"), retry=patient, limits=RateLimits(max_in_flight=1))
        async with session:
            first = asyncio.ensure_future(session.request("GET", "/tasks"))
            await transport.has_sent.wait()
            assert await session.request("GET", "/tasks") == [1]
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first


class TestPlaces:
    LIMITS = RateLimits(max_in_flight=1)

    @pytest.mark.parametrize("n_steps", range(6))
    async def test_a_cancelled_request_releases_its_slot(self, n_steps: int) -> None:
        """It may be cancelled anywhere; the next request succeeds."""
        session, transport = fake(None, ok(b"[1]"), limits=self.LIMITS)
        async with session:
            first = asyncio.ensure_future(session.request("GET", "/tasks"))
            for _ in range(n_steps):
                await asyncio.sleep(0)
            first.cancel()
            with suppress(asyncio.CancelledError):
                await first
            if not transport.sent:
                transport.answers.pop(0)
            assert await session.request("GET", "/tasks") == [1]

    async def test_an_unexpected_error_releases_its_slot(self) -> None:
        """It is raised unchanged: a mistake in a transport is not retried."""
        session, _ = fake(ZeroDivisionError(), ok(b"[1]"), limits=self.LIMITS)
        async with session:
            with pytest.raises(ZeroDivisionError):
                await session.request("GET", "/tasks")
            assert await session.request("GET", "/tasks") == [1]

    async def test_sessions_may_share_a_pacer(self) -> None:
        """Two sessions on one token then share the rate limits."""
        pacer = Pacer(self.LIMITS)
        (first, holding), (second, waiting) = fake(None, pacer=pacer), fake(ok(), pacer=pacer)
        async with first, second:
            held = asyncio.ensure_future(first.request("GET", "/tasks"))
            await holding.has_sent.wait()
            behind = asyncio.ensure_future(second.request("GET", "/tasks"))
            for _ in range(10):
                await asyncio.sleep(0)
            assert waiting.sent == []
            held.cancel()
            assert await behind == []
            with pytest.raises(asyncio.CancelledError):
                await held


class TestStats:
    async def test_calls_and_bodies_are_counted(self) -> None:
        """Bodies count each time they are sent; failed calls count too."""
        session, _ = fake(ok(b"[1,2]"), REFUSED, ok(b"{}"), ok(b"no", 404))
        async with session:
            await session.request("GET", "/tasks")
            await session.request("POST", "/tasks", json={"a": 1})
            with pytest.raises(NotFoundError):
                await session.request("GET", "/tasks/1")
        assert session.stats.seconds_waited >= 0
        session.stats.seconds_waited = 0.0
        assert session.stats == SessionStats(
            calls=3, attempts=4, retries=1, refusals=1, bytes_sent=14, bytes_received=9
        )


class TestTokens:
    def test_a_token_is_required(self) -> None:
        """The constructor raises, not the first call."""
        with pytest.raises(ValueError, match="PLANHAT_API_TOKEN"):
            Session()

    @pytest.mark.parametrize("token", ["secret token", "secret-token\nx", "secret-tøken"])
    def test_an_invalid_token_is_refused(self, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its source does not matter; the message does not contain it."""
        with pytest.raises(ValueError, match="the Planhat token contains") as caught:
            Session(token)
        assert "secret" not in str(caught.value)
        monkeypatch.setenv("PLANHAT_API_TOKEN", token)
        with pytest.raises(ValueError, match="the Planhat token contains"):
            Session()

    async def test_the_environment_may_contain_the_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is used if the caller passes none."""
        monkeypatch.setenv("PLANHAT_API_TOKEN", "from-environment")
        for given, used in ((None, "from-environment"), (TOKEN, TOKEN)):
            session, transport = fake(ok(), token=given)
            async with session:
                await session.request("GET", "/tasks")
            assert transport.sent[0].authorization == f"Bearer {used}"

    async def test_a_callable_is_called_before_each_attempt(self) -> None:
        """A token may be renewed between attempts."""
        tokens = iter(["first", "second", "third"])
        session, transport = fake(lost(), ok(), ok(), token=lambda: next(tokens))
        async with session:
            await session.request("GET", "/tasks")
            await session.request("GET", "/tasks")
        authorizations = [sent.authorization for sent in transport.sent]
        assert authorizations == ["Bearer first", "Bearer second", "Bearer third"]

    async def test_an_invalid_token_of_a_callable_is_refused(self) -> None:
        """The error comes with the call and does not contain it; the next attempt may have a valid token."""
        tokens = iter([f"{TOKEN}\nx", TOKEN])
        session, transport = fake(ok(), token=lambda: next(tokens), limits=RateLimits(max_in_flight=1))
        async with session:
            with pytest.raises(ValueError, match="the Planhat token contains") as caught:
                await session.request("GET", "/tasks")
            assert TOKEN not in "".join(traceback.format_exception(caught.value))
            assert transport.sent == []
            assert await session.request("GET", "/tasks") == []

    @pytest.mark.parametrize("token", [TOKEN, lambda: TOKEN])
    async def test_the_token_is_in_no_repr_of_a_session(self, token: Any) -> None:
        """The reprs of its attributes do not contain it either."""
        async with Session(token) as session:
            parts = [session, *vars(session).values()]
            shown = [repr(session), str(session), repr(vars(session))]
            shown += [repr(vars(part)) for part in parts if hasattr(part, "__dict__")]
        assert not any(TOKEN in text for text in shown)

    @pytest.mark.parametrize("happened", [ok(status=400), ok(status=401), ok(b"<html>"), lost(), unreached()])
    async def test_the_token_is_in_no_error(self, happened: Response | Exception) -> None:
        """Neither the traceback nor the attributes of the error contain it."""
        session, transport = fake(happened, retry=RetryPolicy(attempts=1))
        async with session:
            with pytest.raises(PlanhatError) as caught:
                await session.request("GET", "/tasks")
        error = caught.value
        assert transport.sent[0].authorization.endswith(TOKEN)
        assert TOKEN not in "".join([repr(error), repr(vars(error)), *traceback.format_exception(error)])

    @pytest.mark.parametrize("status", [200, 401, 502])
    async def test_the_token_is_removed_from_an_answer_that_repeats_it(self, status: int) -> None:
        """Error pages of proxies may contain the request."""
        session, _ = fake(ok(f"cannot pass on: Bearer {TOKEN}".encode(), status), retry=RetryPolicy(attempts=1))
        async with session:
            with pytest.raises(PlanhatError) as caught:
                await session.request("GET", "/tasks")
        assert TOKEN not in repr(caught.value) + repr(vars(caught.value))


class TestLife:
    async def test_a_session_must_be_open(self) -> None:
        """No request is sent before it is opened or after it is closed."""
        session, transport = fake(ok())
        with pytest.raises(RuntimeError, match="not open: use it in `async with`"):
            await session.request("GET", "/tasks")
        async with session as opened:
            assert opened is session
        assert transport.is_closed
        with pytest.raises(RuntimeError, match="not open"):
            await session.check()
        assert (transport.sent, session.stats) == ([], SessionStats())

    async def test_an_error_inside_closes_the_session(self) -> None:
        """The error is raised unchanged."""
        session, transport = fake()
        with pytest.raises(ZeroDivisionError):
            async with session:
                raise ZeroDivisionError
        assert transport.is_closed

    async def test_a_session_may_be_opened_again(self) -> None:
        """It gets new connections."""
        async with ScriptedServer([reply()]) as server:
            session = Session(TOKEN, base_url=server.url)
            for _ in range(2):
                async with session:
                    assert await session.request("GET", "/tasks") == []
        assert [received.connection for received in server.received] == [1, 2]

    async def test_a_session_can_be_closed_without_being_opened(self) -> None:
        """Closing it has no effect."""
        session = Session(TOKEN)
        await session.close()
        assert repr(session) == "<Session https://api.planhat.com closed>"

    async def test_the_repr_of_a_session_has_its_base_url(self) -> None:
        """It also shows whether the session is open."""
        session, _ = fake()
        assert repr(session) == f"<Session {URL} closed>"
        async with session:
            assert repr(session) == f"<Session {URL} open>"

    async def test_a_custom_client_is_used(self) -> None:
        """It stays open."""
        async with (
            ScriptedServer([reply(body=b"[1]")]) as server,
            aiohttp.ClientSession(headers={"X-Mine": "1"}) as client,
        ):
            async with Session(TOKEN, base_url=server.url, client_session=client) as session:
                assert await session.request("GET", "/tasks") == [1]
            assert not client.closed
        assert server.received[0].headers["x-mine"] == "1"

    @pytest.mark.parametrize(
        ("given", "environment", "used"),
        [
            (None, None, "https://api.planhat.com"),
            (None, "https://api-eu1.planhat.com/", "https://api-eu1.planhat.com"),
            ("http://localhost:8765/", "https://api-eu1.planhat.com", "http://localhost:8765"),
        ],
    )
    def test_the_source_of_the_base_url(
        self, given: str | None, environment: str | None, used: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The caller's takes precedence, then the environment's; Planhat's is the default."""
        if environment:
            monkeypatch.setenv("PLANHAT_BASE_URL", environment)
        assert Session(TOKEN, base_url=given).base_url == used

    def test_an_invalid_base_url_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """This includes the environment."""
        monkeypatch.setenv("PLANHAT_BASE_URL", "http://api.planhat.com")
        with pytest.raises(ValueError, match="unencrypted"):
            Session(TOKEN)


class TestCheck:
    @pytest.mark.parametrize("answer", [ok(), ok(b'{"error":"no tasks for you"}', 403)])
    async def test_a_known_token_is_valid(self, answer: Response) -> None:
        """The check costs one call; permission to read tasks does not matter."""
        session, transport = fake(answer)
        async with session:
            await session.check()
        request = Request(method="GET", path="/tasks", params=(("limit", "1"),))
        assert [sent.request for sent in transport.sent] == [request]

    @pytest.mark.parametrize(
        ("answer", "cls"),
        [
            (ok(status=401), AuthenticationError),
            (ok(b"<html>Welcome</html>"), DecodeError),
            (ok(b""), DecodeError),
            (ok(status=404), NotFoundError),
            (ok(b"<html>Blocked by your proxy</html>", 403), PermissionDeniedError),
            (ok(status=302), StatusError),
            (unreached(), NotSentError),
            (lost(), UnknownOutcomeError),
        ],
    )
    async def test_the_error_shows_the_cause(self, answer: Response | Exception, cls: type[PlanhatError]) -> None:
        """Causes are a wrong token or region, another site, or a missing server."""
        session, _ = fake(answer, retry=RetryPolicy(attempts=1))
        async with session:
            with pytest.raises(PlanhatError) as caught:
                await session.check()
        assert type(caught.value) is cls

    async def test_an_answer_that_is_not_a_list_is_an_error(self) -> None:
        """Planhat's answer would be a list of tasks."""
        session, _ = fake(ok(b'{"status":"ok"}'))
        async with session:
            with pytest.raises(DecodeError):
                await session.check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeouts": 3}, r"Timeouts\(…\) is needed, not 3"),
        ({"retry": 5}, r"RetryPolicy\(…\) is needed, not 5"),
        ({"limits": 200}, r"RateLimits\(…\) is needed, not 200"),
    ],
)
def test_options_of_a_wrong_type_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    """A number where a class is meant is found before the first call."""
    with pytest.raises(TypeError, match=message):
        Session(TOKEN, **options)
