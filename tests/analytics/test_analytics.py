"""The calls of the analytics host over a socket, and that the tenant UUID is shown nowhere."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import virtual_time
from analytics_server import UUID, AnalyticsServer, analytics_server, metric
from fakes import HANG_UP, SILENCE, Reply, ScriptedServer, reply

from planhat_async import (
    Activity,
    Analytics,
    AuthenticationError,
    DecodeError,
    Metric,
    NotSentError,
    PlanhatError,
    RetryPolicy,
    SendError,
    SendOutcome,
    ServerError,
    Timeouts,
    UnknownOutcomeError,
)
from planhat_async.sandbox import MemorySandbox
from planhat_async.testing import SandboxTransport

QUICK = RetryPolicy(wait_initial=0.001, wait_max=0.01)
ONCE = RetryPolicy(attempts=1)
METRICS = f"/dimensiondata/{UUID}"
ACTIVITIES = f"/analytics/bulk/{UUID}"
ACTIVITY = f"/analytics/{UUID}"


def on(server: AnalyticsServer | ScriptedServer, **options: Any) -> Analytics:
    return Analytics(None, UUID, host=server.url, **{"retry": QUICK, **options})


def lines_of(server: ScriptedServer) -> list[str]:
    return [one.line for one in server.received]


class TestMetrics:
    async def test_metrics_are_sent_in_chunks(self) -> None:
        """Without a header of authorisation, as JSON, in the order of the input."""
        async with analytics_server() as server, on(server) as analytics:
            rows: list[Any] = [Metric(dimension_id="active", value=0, external_id="acme-0"), *map(metric, range(1, 25))]
            result = await analytics.send_metrics(rows, chunk_size=10)
        assert (result.processed, result.ok, result.n_chunks) == (25, True, 3)
        assert [(path, len(body)) for path, body in server.received] == [(METRICS, 10), (METRICS, 10), (METRICS, 5)]
        assert server.bodies[0][0] == {"dimensionId": "active", "value": 0, "externalId": "acme-0"}
        assert not any("Authorization" in headers for headers in server.headers)
        assert server.headers[0]["Content-Type"] == "application/json"
        assert (analytics.stats.calls, analytics.stats.attempts) == (3, 3)

    async def test_rejected_rows_are_named(self) -> None:
        """By the items of the answer."""
        async with analytics_server() as server, on(server) as analytics:
            rows = [metric(n, prefix="gone" if n % 7 == 3 else "acme") for n in range(20)]
            result = await analytics.send_metrics(iter(rows), chunk_size=8)
        assert [(one.position, one.reason) for one in result.problems] == [
            (3, "no such record"),
            (10, "no such record"),
            (17, "no such record"),
        ]
        assert (result.processed, result.rejected) == (17, 3)
        with pytest.raises(SendError, match="3 of 20 rows were not accepted: 3 rejected; row 3: no such record"):
            result.raise_for_problems()

    async def test_a_smaller_limit_of_the_server(self) -> None:
        """A body that is refused with 413 is sent in halves."""
        async with analytics_server(max_rows=3) as server, on(server) as analytics:
            result = await analytics.send_metrics(map(metric, range(10)))
        assert result.processed == 10
        assert [len(body) for body in server.bodies] == [10, 5, 2, 3, 5, 2, 3]

    @pytest.mark.parametrize(
        "rows",
        ["text", b"bytes", {"value": 1}, Metric(), io.StringIO("a\n"), io.BytesIO(b"a\n")],
        ids=lambda rows: type(rows).__name__,
    )
    async def test_what_is_not_rows_is_refused(self, rows: Any) -> None:
        """Before anything is sent."""
        async with analytics_server() as server, on(server) as analytics:
            with pytest.raises(TypeError, match="rows are an iterable of records or mappings"):
                await analytics.send_metrics(rows)
        assert server.received == []

    async def test_an_unknown_option_is_refused(self) -> None:
        """With the nearest name."""
        async with analytics_server() as server, on(server) as analytics:
            with pytest.raises(TypeError, match=r"Analytics.send_metrics\(\) has no option 'chunksize'; did you mean"):
                await analytics.send_metrics([], chunksize=5)  # type: ignore[call-arg]
            with pytest.raises(ValueError, match="chunk_size must be"):
                await analytics.send_metrics([], chunk_size=0)


class TestActivities:
    async def test_one_activity_goes_to_the_call_for_one(self) -> None:
        """As a record or a mapping; the body is an object."""
        async with analytics_server() as server, on(server) as analytics:
            date = datetime(2026, 1, 15, 8, tzinfo=UTC)
            first = await analytics.track(Activity(external_id="person-1", action="Logged in", date=date))
            await analytics.track({"email": "a@b.example", "euExtId": "person-1"})
        assert first.counts() == {**dict.fromkeys(first.counts(), 0), "received": 1}
        assert server.received == [
            (ACTIVITY, {"externalId": "person-1", "action": "Logged in", "date": "2026-01-15T08:00:00.000Z"}),
            (ACTIVITY, {"email": "a@b.example", "externalId": "person-1"}),
        ]

    @pytest.mark.parametrize(
        "activities",
        [
            Activity(external_id="1", count=2),
            {"external_id": "1", "count": 2},
            [{"externalId": "1", "count": 2}],
            iter([Activity(external_id="1", count=2)]),
        ],
    )
    async def test_several_go_to_the_bulk_call(self, activities: Any) -> None:
        """And so does one with a count, which the call for one does not have."""
        async with analytics_server() as server, on(server) as analytics:
            assert (await analytics.track(activities)).received == 1
        assert server.received == [(ACTIVITIES, [{"euExtId": "1", "count": 2}])]

    async def test_an_invalid_activity_is_not_sent(self) -> None:
        """Alone or among others."""
        async with analytics_server() as server, on(server) as analytics:
            alone = await analytics.track(Activity(action="x"))
            among = await analytics.track([Activity(action="x"), Activity(email="a@b.example")])
        assert [one.reason for one in alone.problems] == ["email or external_id is required"]
        assert (among.invalid, among.received, len(server.received)) == (1, 1, 1)

    async def test_identify_sends_no_action(self) -> None:
        """So nothing appears in the event stream."""
        async with analytics_server() as server, on(server) as analytics:
            await analytics.identify(email="cara@alder.example.com", name="Cara", company_external_id="alder")
            with pytest.raises(ValueError, match="email or external_id is required"):
                await analytics.identify(name="Cara")
        body = {"email": "cara@alder.example.com", "name": "Cara", "companyExternalId": "alder"}
        assert server.received == [(ACTIVITY, body)]

    async def test_a_run_of_activities_keeps_its_result(self) -> None:
        """Chunk by chunk."""
        async with (
            analytics_server() as server,
            on(server) as analytics,
            analytics.tracking([Activity(email=f"{n}@b.example") for n in range(5)], chunk_size=2) as run,
        ):
            chunks = [chunk async for chunk in run]
        assert [(chunk.number, chunk.positions, chunk.received) for chunk in chunks] == [
            (0, range(2), 2),
            (1, range(2, 4), 2),
            (2, range(4, 5), 1),
        ]
        assert run.result.received == 5


class TestRetries:
    @pytest.mark.parametrize(
        "lost",
        [HANG_UP, reply(500), reply(502), reply(503), reply(504), reply(408), reply(520), reply(200, b'{"error":"x"}')],
    )
    async def test_nothing_is_repeated_that_planhat_may_have(self, lost: Reply) -> None:
        """A reset, an error of a server or a gateway, a success that is none."""
        async with ScriptedServer([lost, reply(body=b"")]) as server, on(server) as analytics:
            result = await analytics.send_metrics(map(metric, range(4)), chunk_size=2)
        assert (result.not_accepted, result.received) == ({SendOutcome.UNKNOWN: (range(2),)}, 2)
        assert len(server.received) == 2

    async def test_a_timeout_is_unknown(self) -> None:
        """The server has the body, and says nothing."""
        timeouts = Timeouts(read=0.05)
        async with ScriptedServer([SILENCE]) as server, on(server, timeouts=timeouts) as analytics:
            assert (await analytics.send_metrics([metric(1)])).unknown == 1
            with pytest.raises(UnknownOutcomeError) as caught:
                await analytics.identify(email="a@b.example")
        assert caught.value.may_have_been_processed
        assert len(server.received) == 2

    async def test_a_429_is_sent_again(self) -> None:
        """Planhat has processed nothing."""
        async with (
            ScriptedServer([reply(429), reply(429), reply(body=b"")]) as server,
            on(server, retry=RetryPolicy(total=60)) as analytics,
        ):
            result = await analytics.send_metrics([metric(1)])
        assert (result.received, len(server.received), analytics.stats.refusals) == (1, 3, 2)

    async def test_no_connection_is_tried_again_and_then_unsent(self) -> None:
        """And nothing else is tried."""
        async with ScriptedServer([reply()]) as server:
            url = server.url
        async with Analytics(None, UUID, host=url, retry=QUICK) as analytics:
            result = await analytics.send_metrics(map(metric, range(4)), chunk_size=2)
        assert (result.unsent, analytics.stats.attempts) == (4, 5)
        assert isinstance(result.stopped_by, NotSentError)

    @pytest.mark.slow
    async def test_calls_are_not_paced(self) -> None:
        """Three hundred in a row, where the API allows two hundred a minute."""
        async with analytics_server() as server, on(server) as analytics:
            async with asyncio.timeout(20):
                result = await analytics.send_metrics(map(metric, range(300)), chunk_size=1, concurrency=4)
        assert (result.processed, len(server.received)) == (300, 300)
        assert analytics.stats.seconds_waited < 5

    @pytest.mark.parametrize("status", [401, 403, 404])
    async def test_a_wrong_uuid_ends_the_run(self, status: int) -> None:
        """The hint is about the UUID, not about a token."""
        async with ScriptedServer([reply(status)]) as server, on(server) as analytics:
            result = await analytics.send_metrics(map(metric, range(40)), chunk_size=2)
        assert (result.rejected, len(server.received)) == (0 if status == 401 else 2, 1)
        assert "is the tenant UUID right?" in str(result.stopped_by)
        assert "token" not in str(result.stopped_by)


class TestLife:
    async def test_it_must_be_open(self) -> None:
        """Before and after."""
        async with analytics_server() as server:
            analytics = on(server)
            for _ in range(2):
                with pytest.raises(RuntimeError, match="is not open"):
                    await analytics.identify(email="a@b.example")
                with pytest.raises(RuntimeError, match="is not open"):
                    await analytics.send_metrics([metric(1)])
                assert repr(analytics) == f"<Analytics {server.url} closed>"
                async with analytics:
                    assert repr(analytics) == f"<Analytics {server.url} open>"
                    await analytics.identify(email="a@b.example")

    async def test_a_client_session_of_the_caller_is_used_and_not_closed(self) -> None:
        """For a proxy, TLS, tracing."""
        async with analytics_server() as server, aiohttp.ClientSession(headers={"x-own": "1"}) as own:
            async with on(server, client_session=own) as analytics:
                await analytics.identify(email="a@b.example")
            assert not own.closed
        assert server.headers[0]["x-own"] == "1"

    def test_it_moves_to_another_event_loop(self) -> None:
        """Once the first one is closed."""

        async def use(analytics: Analytics | None) -> Analytics:
            async with analytics_server() as server:
                analytics = analytics or on(server)
                await analytics.__aenter__()
                return analytics

        analytics = asyncio.run(use(None))
        asyncio.run(use(analytics))

    @pytest.mark.slow
    @pytest.mark.parametrize("concurrency", [1, 2])
    def test_it_works_after_any_cancellation(self, concurrency: int) -> None:
        """What arrived is not called unsent, what was not sent did not arrive; in virtual time."""
        ended = set()

        async def main() -> None:
            planhat = MemorySandbox(latency=0.01)
            async with Analytics(None, planhat.tenant_uuid, transport=SandboxTransport(planhat)) as analytics:
                for step in range(40):
                    n_before = len(planhat.metrics)
                    run = analytics.sending_metrics(map(metric, range(60)), chunk_size=5, concurrency=concurrency)
                    task = asyncio.ensure_future(_consumed(run))
                    await asyncio.sleep(step * 0.004)
                    task.cancel()
                    await asyncio.wait([task])
                    await planhat.settled()
                    arrived = {one["value"] for one in planhat.metrics[n_before:]}
                    held = {
                        outcome: {n for one in run.result.not_accepted.get(outcome, ()) for n in one}
                        for outcome in SendOutcome
                    }
                    unsent, unknown = held[SendOutcome.UNSENT], held[SendOutcome.UNKNOWN]
                    assert unsent.isdisjoint(arrived)
                    assert run.result.processed == len(arrived - unknown)
                    assert run.result.processed + len(unknown) + len(unsent) == run.result.rows
                    ended.add((bool(run.result.processed), bool(unknown), bool(unsent)))
                assert (await analytics.send_metrics([metric(1)])).processed == 1

        virtual_time.run(main())
        assert {(False, True, True), (True, True, True), (True, False, False)} <= ended


async def _consumed(run: Any) -> None:
    async with run:
        async for _ in run:
            pass


class TestArguments:
    def test_the_environment_is_the_fallback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """For the UUID and the host."""
        monkeypatch.setenv("PLANHAT_TENANT_UUID", UUID)
        monkeypatch.delenv("PLANHAT_ANALYTICS_URL", raising=False)
        assert Analytics(None).host == "https://analytics.planhat.com"
        monkeypatch.setenv("PLANHAT_ANALYTICS_URL", "https://eu.example.com/")
        assert Analytics(None).host == "https://eu.example.com"
        assert Analytics(None, host="https://us.example.com").host == "https://us.example.com"
        monkeypatch.delenv("PLANHAT_TENANT_UUID")
        with pytest.raises(ValueError, match="set PLANHAT_TENANT_UUID"):
            Analytics(None)

    @pytest.mark.parametrize(
        ("host", "problem"),
        [
            ("http://analytics.planhat.com", "would send the tenant UUID unencrypted: use https"),
            ("analytics.planhat.com", "has no scheme: did you mean https://analytics.planhat.com?"),
            (
                "ftp://x",
                "must look like https://analytics.planhat.com: see --analytics-url or PLANHAT_ANALYTICS_URL",
            ),
            (f"https://analytics.planhat.com/analytics/{UUID}", "must not contain a UUID"),
            (UUID, "must not contain a UUID"),
        ],
    )
    def test_a_wrong_host_is_refused(self, host: str, problem: str) -> None:
        """Without quoting a UUID."""
        with pytest.raises(ValueError, match=r"the|has no scheme") as caught:
            Analytics(None, UUID, host=host)
        assert problem in str(caught.value)
        assert UUID not in shown_by(caught.value)

    def test_plain_http_must_be_allowed(self) -> None:
        """But for loopback."""
        Analytics(None, UUID, host="http://127.0.0.1:1")
        Analytics(None, UUID, host="http://mock.example.com", allow_plain_http=True)

    @pytest.mark.parametrize("uuid", [UUID[:-1], f"{UUID} x", "secret-secret"])
    def test_a_wrong_uuid_is_not_shown(self, uuid: str) -> None:
        """Neither in the message nor in the traceback."""
        with pytest.raises(ValueError, match="the tenant UUID") as caught:
            Analytics(None, uuid)
        assert uuid not in shown_by(caught.value)


def shown_by(error: BaseException) -> str:
    """Everything that an error shows: with its tracebacks and their local variables, and pickled."""
    texts = [repr(error), str(error), repr(vars(error)), repr(error.args)]
    if isinstance(error, PlanhatError):
        texts.append(repr(pickle.dumps(error)))
    chain: BaseException | None = error
    while chain is not None:
        shown = traceback.TracebackException.from_exception(chain, capture_locals=True)
        frames = [frame for frame in shown.stack if frame.filename != __file__]
        texts += [f"{frame.name} {frame.locals}" for frame in frames]
        texts += shown.format_exception_only()
        chain = chain.__cause__ or chain.__context__
    return "\n".join(texts)


ECHO = f"POST /dimensiondata/{UUID} of {UUID.upper()} ({UUID.replace('-', '')})".encode()
ECHOES: dict[str, Reply] = {
    "hang up": HANG_UP,
    "silence": SILENCE,
    "500": reply(500, ECHO),
    "400": reply(400, b'{"error":"%b"}' % ECHO),
    "401": reply(401, b"<html>%b</html>" % ECHO),
    "404": reply(404, ECHO * 100),
    "413": reply(413, ECHO),
    "429": reply(429, ECHO),
    "302": reply(302, ECHO, Location=f"/dimensiondata/{UUID}"),
    "error": reply(200, b'{"error":"%b"}' % ECHO),
    "html": reply(200, b"<html>%b</html>" % ECHO),
    "half": reply(200, b'{"processed":1,"errors":["%b' % ECHO),
    "rejected": reply(
        200,
        json.dumps(
            {"processed": 0, "errors": [{"item": {"url": ECHO.decode()}, "error": ECHO.decode()}, ECHO.decode()]}
        ).encode(),
    ),
    "no HTTP": Reply(b"HELLO %b\r\n\r\n" % ECHO, closes=True),
    "short": Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n%b" % ECHO, closes=True),
}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What is logged, at every level, by everyone."""
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(f"{record.name} {record.getMessage()} {record.args}" for record in caplog.records)


class TestSecret:
    @pytest.mark.parametrize("kind", ECHOES)
    async def test_the_uuid_is_shown_nowhere(self, kind: str, logged: Callable[[], str]) -> None:
        """In no error, result, log or local variable, if the server quotes it."""
        timeouts = Timeouts(read=0.1, deadline=5)
        policy = RetryPolicy(attempts=1, total=0.0)
        shown = []
        async with (
            ScriptedServer([ECHOES[kind]]) as server,
            on(server, timeouts=timeouts, retry=policy) as analytics,
            analytics.sending_metrics([metric(1), metric(2)]) as run,
        ):
            async for chunk in run:
                shown += [repr(chunk), *map(str, chunk.problems)]
            result = run.result
            shown += [
                repr(result),
                *map(str, result.problems),
                *map(str, result.problem_groups),
                repr(vars(analytics)),
                repr(vars(analytics._connection)),
            ]
            shown += [shown_by(error) for error in (result.error, result.stopped_by) if error is not None]
            if not result.ok:
                with pytest.raises(SendError) as caught:
                    result.raise_for_problems()
                shown.append(shown_by(caught.value))
            if kind != "rejected":
                with pytest.raises(PlanhatError) as raised:
                    await analytics.identify(email="a@b.example")
                shown.append(shown_by(raised.value))
                assert "{tenantUUID}" in str(raised.value)
        assert UUID in server.received[0].line
        for text in [*shown, logged()]:
            assert UUID not in text.lower()
            assert UUID.replace("-", "") not in text.lower()
        assert not result.ok

    async def test_the_path_of_an_error_has_a_placeholder(self) -> None:
        """For a program that groups errors by path."""
        async with ScriptedServer([reply(401), reply(500)]) as server, on(server) as analytics:
            with pytest.raises(AuthenticationError) as refused:
                await analytics.identify(email="a@b.example")
            with pytest.raises(ServerError) as failed:
                await analytics.identify(email="a@b.example")
        assert refused.value.path == failed.value.path == "/analytics/{tenantUUID}"
        assert f"POST {server.url}/analytics/{{tenantUUID}} answered 500" in str(failed.value)

    async def test_an_answer_too_large_does_not_show_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where aiohttp's response, which knows its URL, is a local variable."""
        monkeypatch.setattr("planhat_async.analytics.host_connection.MAX_ANSWER_BYTES", 10)
        async with ScriptedServer([reply(200, b"x" * 100)]) as server, on(server) as analytics:
            with pytest.raises(DecodeError, match="larger than 10 bytes") as caught:
                await analytics.identify(email="a@b.example")
        assert UUID not in shown_by(caught.value)

    async def test_a_cancellation_does_not_show_it(self) -> None:
        """Nor does the timeout of a caller."""
        async with ScriptedServer([SILENCE]) as server, on(server) as analytics:
            task = asyncio.ensure_future(analytics.identify(email="a@b.example"))
            await server.has_received.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as cancelled:
                await task
            with pytest.raises(TimeoutError) as late:
                async with asyncio.timeout(0.05):
                    await analytics.identify(email="a@b.example")
        assert UUID not in shown_by(cancelled.value)
        assert UUID not in shown_by(late.value)

    def test_it_is_not_pickled(self) -> None:
        """With what holds it."""
        with pytest.raises(TypeError):
            pickle.dumps(Analytics(None, UUID))
