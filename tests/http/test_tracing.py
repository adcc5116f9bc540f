"""Test the spans of calls, with OpenTelemetry's own packages and an exporter in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import TOKEN, FakeTransport

from planhat_async import Analytics, BadRequestError, NotSentError, RetryPolicy, Session
from planhat_async._http.routes import route_of
from planhat_async._http.wire import Response
from planhat_async.sandbox import Sandbox

UUID = "0b54aee7-1a2b-4c3d-9e8f-0123456789ab"
SOON = RetryPolicy(attempts=2, wait_initial=0.001)


@pytest.fixture(scope="module")
def exported() -> Iterator[Any]:
    """Yield an exporter in memory, which is that of the process: there can be one provider only."""
    reason = "OpenTelemetry is not installed: .ci/engines installs it"
    trace = pytest.importorskip("opentelemetry.trace", reason=reason)
    sdk = pytest.importorskip("opentelemetry.sdk.trace", reason=reason)
    exporting = pytest.importorskip("opentelemetry.sdk.trace.export")
    exporter = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter").InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(exporting.SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def spans(exported: Any) -> Any:
    exported.clear()
    return exported


@pytest.mark.engines
async def test_a_call_is_one_span_with_the_names_of_the_conventions(spans: Any) -> None:
    """Around all of its attempts; its name and its template have no key, and nothing has the query."""
    names = {
        name: value
        for module in ("http", "server", "url")
        for name, value in vars(pytest.importorskip(f"opentelemetry.semconv.attributes.{module}_attributes")).items()
    }
    answers: list[Response | Exception | None] = [Response(status=503), Response(status=200, body=b"{}")]
    url = "https://api-us4.planhat.com"
    async with Session(TOKEN, base_url=url, transport=FakeTransport(answers), retry=SOON) as session:
        await session.request("GET", "/companies/extid-acme", params={"email": "ada@acme.example"})
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind.name, span.status.status_code.name) == ("GET /companies/{id}", "CLIENT", "UNSET")
    assert dict(span.attributes) == {
        names["HTTP_REQUEST_METHOD"]: "GET",
        names["HTTP_RESPONSE_STATUS_CODE"]: 200,
        names["HTTP_REQUEST_RESEND_COUNT"]: 1,
        names["SERVER_ADDRESS"]: "api-us4.planhat.com",
        names["SERVER_PORT"]: 443,
        names["URL_FULL"]: f"{url}/companies/extid-acme",
        "url.template": "/companies/{id}",
    }
    assert span.instrumentation_scope.name == "planhat_async"


@pytest.mark.engines
@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (
            Response(status=400, body=b'"Private"'),
            BadRequestError,
            {"error.type": "400", "http.response.status_code": 400},
        ),
        (NotSentError("no"), NotSentError, {"error.type": "planhat_async.errors.NotSentError"}),
    ],
)
async def test_a_failed_call_has_the_type_of_its_error(
    spans: Any, answer: Response | Exception, error: type[Exception], said: dict[str, Any]
) -> None:
    """The message, which may quote rows, is in no attribute, status or event."""
    async with Session(TOKEN, transport=FakeTransport([answer]), retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(error):
            await session.request("POST", "/tasks", json={})
    (span,) = spans.get_finished_spans()
    assert said.items() <= dict(span.attributes).items()
    assert (span.status.status_code.name, span.status.description, span.events) == ("ERROR", None, ())


@pytest.mark.engines
async def test_spans_of_aiohttp_are_within_that_of_the_call(spans: Any) -> None:
    """Each attempt is one of them; the call's own parent is the caller's span."""
    trace = pytest.importorskip("opentelemetry.trace")
    of_aiohttp = pytest.importorskip("opentelemetry.instrumentation.aiohttp_client").AioHttpClientInstrumentor()
    of_aiohttp.instrument(url_filter=lambda url: str(url.with_query(None)))
    try:
        async with (
            Sandbox(TOKEN, faults="http_503@1") as planhat,
            Session(TOKEN, base_url=planhat.url, retry=SOON) as session,
        ):
            with trace.get_tracer("test").start_as_current_span("service"):
                await session.request("GET", "/tasks", params={"limit": 1})
    finally:
        of_aiohttp.uninstrument()
    found = spans.get_finished_spans()
    by_id = {span.context.span_id: span.name for span in found}
    parents = [(span.name, by_id.get(span.parent.span_id) if span.parent else None) for span in found]
    assert parents == [("GET", "GET /tasks"), ("GET", "GET /tasks"), ("GET /tasks", "service"), ("service", None)]
    assert not any(secret in str(span.to_json()) for span in found for secret in (TOKEN, "limit"))


@pytest.mark.engines
async def test_calls_at_the_same_time_have_spans_of_their_own(spans: Any) -> None:
    """None is the parent of another."""
    answers: list[Response | Exception | None] = [Response(status=200, body=b"{}")] * 5
    async with Session(TOKEN, transport=FakeTransport(answers)) as session:
        await asyncio.gather(*(session.request("GET", "/tasks") for _ in range(5)))
    assert [span.parent for span in spans.get_finished_spans()] == [None] * 5


@pytest.mark.engines
async def test_the_tenant_uuid_is_in_no_span(spans: Any) -> None:
    """Neither in the name nor in the URL."""
    async with Sandbox(tenant_uuid=UUID) as planhat, Analytics(None, UUID, host=planhat.url) as analytics:
        await analytics.send_metrics([{"dimension_id": "a", "value": 1, "external_id": "b"}])
    (span,) = spans.get_finished_spans()
    assert (span.name, UUID in span.to_json()) == ("POST /dimensiondata/{tenantUUID}", False)


@pytest.mark.slow
def test_without_opentelemetry_nothing_of_it_is_loaded() -> None:
    """Neither by the import nor by a call."""
    program = """
import asyncio, sys
from planhat_async import Session, Tasks
from planhat_async.sandbox import Sandbox
async def main():
    async with Sandbox() as planhat, Session(planhat.token, base_url=planhat.url) as session:
        await Tasks(session).all()
asyncio.run(main())
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/tasks", "/tasks"),
        ("/tasks/5fd76c4daf9f4601dd313b05", "/tasks/{id}"),
        ("/companies/extid-acme", "/companies/{id}"),
        ("/endusers/ada%40acme.example", "/endusers/{id}"),
        ("/timeentries/duplicate", "/timeentries/duplicate"),
        ("/analytics/bulk/{tenantUUID}", "/analytics/bulk/{tenantUUID}"),
        ("/tasks/abcdefabcdefabcdefabcdef", "/tasks/{id}"),
    ],
)
def test_a_route_has_no_key(path: str, route: str) -> None:
    """Words of the API stay."""
    assert route_of(path) == route
