"""The analytics host: metrics and user activities.

It is another server than that of the API, with other rules. The tenant UUID is the credential and stands in the path;
there is no rate limit; a success means that Planhat has received the rows and checks them later. So an `Analytics` has
connections of its own, and its calls do not wait for the pace of the session.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypedDict, Unpack

from planhat_async._convert import encode_plain
from planhat_async._http.connection_options import connection_options
from planhat_async._http.retries import RetryPolicy
from planhat_async._http.session_stats import SessionStats
from planhat_async._http.tenant_uuid import PLACEHOLDER, TenantUuid, contains_uuid
from planhat_async._http.transport import ClientSession, Timeouts, Transport
from planhat_async.analytics.activity import Activity, activity_row, bulk_activity_row
from planhat_async.analytics.host_connection import DEFAULT_HOST, HostConnection, checked_host
from planhat_async.analytics.metric import Metric, metric_row
from planhat_async.analytics.metric_lists import PAGE_SIZE, MetricLists
from planhat_async.analytics.send_answers import ACTIVITY_FIELDS, METRIC_FIELDS, ItemFields
from planhat_async.analytics.send_result import SendResult
from planhat_async.analytics.send_run import SendRun, SendSettings, preparing
from planhat_async.batching.row_inputs import refuse_what_is_not_rows
from planhat_async.records import Record
from planhat_async.repositories.queries import check_options
from planhat_async.results import Unreadable
from planhat_async.session import Session

MetricRows: TypeAlias = (
    Iterable[Metric | Mapping[str, Any] | Unreadable] | AsyncIterable[Metric | Mapping[str, Any] | Unreadable]
)
"""Metrics, or mappings with keys in either spelling."""
ActivityRows: TypeAlias = (
    Iterable[Activity | Mapping[str, Any] | Unreadable] | AsyncIterable[Activity | Mapping[str, Any] | Unreadable]
)
"""Activities, or mappings with keys in either spelling."""

_METRICS = f"/dimensiondata/{PLACEHOLDER}"
_ACTIVITIES = f"/analytics/bulk/{PLACEHOLDER}"
_ACTIVITY = f"/analytics/{PLACEHOLDER}"


class SendOptions(TypedDict, total=False):
    """The options of sending many rows."""

    chunk_size: int
    """Rows per call; 10,000 by default, at most 150,000."""
    max_bytes: int
    """Bytes per call; 8,000,000 by default, at most 32,000,000."""
    concurrency: int
    """Calls in flight; 1 by default, so that rows arrive in the order of the input."""


class Analytics:
    """A connection to Planhat's analytics host, for use in `async with`.

    Like a session it belongs to the event loop that opened it. Errors, logs and reprs show the tenant UUID as
    `{tenantUUID}`. With a `client_session` of your own its tracing sees the whole URL. The retries are those of
    `retry`, not the session's. (The class is long because its calls are documented here; each has a few lines of code.)

    Args:
        session: The session that reads metrics, from the API's own server. `None` if none are read.
        tenant_uuid: The tenant UUID. Defaults to `PLANHAT_TENANT_UUID`.
        host: The URL of the analytics host, the same in every region. Defaults to `PLANHAT_ANALYTICS_URL`, then to
            `https://analytics.planhat.com`.
        max_in_flight: Calls that may be in flight at once; others wait.
        retry: When calls that provably were not processed (no connection, 429) are sent again. No others are.
        timeouts: For one attempt, and for the whole call.
        proxy: The URL of an HTTP proxy, as for a `Session`; so are `trust_env` and `ca_file`.
        trust_env: Use the proxy of the environment.
        ca_file: A PEM file with issuers to trust besides the system's.
        client_session: Your own `aiohttp.ClientSession` (proxy, TLS, tracing); it is not closed.
        transport: Sends requests in place of aiohttp, for tests.
        allow_plain_http: Allow unencrypted HTTP to another machine, which exposes the tenant UUID.

    Raises:
        ValueError: The UUID is missing or does not look like one, or the host is not a URL. No message quotes a UUID.
    """

    def __init__(
        self,
        session: Session | None,
        tenant_uuid: str | None = None,
        *,
        host: str | None = None,
        max_in_flight: int = 8,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        proxy: str | None = None,
        trust_env: bool = False,
        ca_file: Path | str | None = None,
        client_session: ClientSession | None = None,
        transport: Transport | None = None,
        allow_plain_http: bool = False,
    ) -> None:
        self._session = session
        try:
            uuid = TenantUuid(os.environ.get("PLANHAT_TENANT_UUID", "") if tenant_uuid is None else tenant_uuid)
        finally:
            del tenant_uuid  # tracebacks may show local variables
        given = (os.environ.get("PLANHAT_ANALYTICS_URL") or DEFAULT_HOST) if host is None else host
        del host
        if contains_uuid(given):
            del given
            raise ValueError(f"the analytics host must not contain a UUID: it must look like {DEFAULT_HOST}")
        host_url = checked_host(given, allow_plain_http=allow_plain_http)
        self._connection = HostConnection(
            uuid,
            host_url,
            options=connection_options(
                host_url,
                proxy=proxy,
                trust_env=trust_env,
                ca_file=ca_file,
                allow_plain_http=allow_plain_http,
                client_session=client_session,
            ),
            max_in_flight=max_in_flight,
            policy=retry or RetryPolicy(),
            timeouts=timeouts or Timeouts(),
            client_session=client_session,
            transport=transport,
        )

    @property
    def host(self) -> str:
        """The URL of the analytics host."""
        return self._connection.host

    @property
    def stats(self) -> SessionStats:
        """What was sent so far; calls that read metrics are in the session's."""
        return self._connection.stats

    def __repr__(self) -> str:
        connection: HostConnection | None = getattr(self, "_connection", None)  # missing if an argument was invalid
        if connection is None:
            return "<Analytics>"
        return f"<Analytics {connection.host} {'open' if connection.is_open else 'closed'}>"

    async def __aenter__(self) -> Self:
        await self._connection.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a `client_session` of the caller and the session stay open."""
        await self._connection.close()

    async def send_metrics(self, rows: MetricRows, **options: Unpack[SendOptions]) -> SendResult:
        """Send any number of metrics (`POST /dimensiondata` of the analytics host).

        Each row is checked and encoded once. Costs one call per chunk. Memory is bounded by about `concurrency` + 2
        chunks, however long the input is. A chunk is sent again only if it provably was not processed; it is not
        documented whether Planhat replaces or doubles a metric that it receives twice.

        Planhat checks most of what it receives later: a metric of an unknown `external_id` appears only in the app,
        under failed metrics.

        Args:
            rows: Metrics, or mappings with keys in either spelling.
            **options: See `SendOptions`.

        Returns:
            The outcome of every row. Rejected rows are not raised: check `ok`.

        Raises:
            ValueError: An option out of bounds.
            TypeError: `rows` is not an iterable of rows: a table (pass `df.to_dict("records")`), text, a file of lines.
        """
        return await _to_its_end(self.sending_metrics(rows, **options))

    def sending_metrics(self, rows: MetricRows, **options: Unpack[SendOptions]) -> SendRun:
        """Like `send_metrics`, for `async with`: `run.result` holds all outcomes however the run ends.

        Iterate over the run for the result of each chunk as it ends.
        """
        return self._run(rows, options, Metric, metric_row, _METRICS, METRIC_FIELDS)

    async def track(
        self, activities: Activity | Mapping[str, Any] | ActivityRows, **options: Unpack[SendOptions]
    ) -> SendResult:
        """Send user activities (`POST /analytics` and `POST /analytics/bulk`): one, or any number.

        One activity goes to the call for one, unless it has a `count`; an iterable goes to the bulk call, in chunks.
        That the bulk call takes `info`, and external ids as `euExtId` and `companyExternalId`, is known from other
        clients, not from Planhat's documentation.

        A call is sent again only if it provably was not processed, because an activity that is sent twice counts twice.

        Args:
            activities: One activity or several; mappings may have keys in either spelling.
            **options: See `SendOptions`.

        Returns:
            The outcome of every row. Planhat says nothing of single rows: nearly all are `received`.

        Raises:
            ValueError: An option out of bounds.
            TypeError: Neither an activity nor an iterable of rows.
        """
        given: Any = activities
        if not isinstance(given, Activity | Mapping):
            return await _to_its_end(self.tracking(given, **options))
        count = given.count if isinstance(given, Activity) else given.get("count")
        if count is not None:
            return await _to_its_end(self.tracking([given], **options))
        run = self._run([given], options, Activity, activity_row, _ACTIVITY, ACTIVITY_FIELDS, is_object=True)
        return await _to_its_end(run)

    def tracking(self, activities: ActivityRows, **options: Unpack[SendOptions]) -> SendRun:
        """Like `track` for several, for `async with`: `run.result` holds all outcomes however the run ends.

        Iterate over the run for the result of each chunk as it ends.
        """
        return self._run(activities, options, Activity, bulk_activity_row, _ACTIVITIES, ACTIVITY_FIELDS)

    async def identify(
        self,
        *,
        email: str | None = None,
        external_id: str | None = None,
        name: str | None = None,
        company_external_id: str | None = None,
        info: dict[str, Any] | None = None,
    ) -> None:
        """Tell Planhat of an end user, without an activity in the event stream. Costs one call.

        This is the call for one activity (`POST /analytics`) without an `action`. Planhat documents its fields and that
        `action` is only needed for the event stream; of `/dock/segment`, the other call for this, it documents no
        fields. Whether an activity without an action counts as usage is not documented.

        Args:
            email: The end user's e-mail address; this or `external_id` is required.
            external_id: The end user's external id.
            name: The full name.
            company_external_id: The external id of the company; needed to create an unknown end user in the right one.
            info: More about the end user.

        Raises:
            ValueError: Neither `email` nor `external_id` is given, or a value is blank.
            TypeError: A value of the wrong type.
            RequestError: The call failed. `may_have_been_processed` says whether Planhat may know the end user now.
            DecodeError: The answer is not a success.
        """
        person = Activity(
            email=email, external_id=external_id, name=name, company_external_id=company_external_id, info=info
        )
        await self._connection.post(_ACTIVITY, encode_plain(activity_row(person)))

    def read_metrics(
        self,
        *,
        company_id: str | None = None,
        dimension_id: str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        page_size: int = PAGE_SIZE,
        max_records: int | None = None,
        concurrency: int = 4,
    ) -> AsyncGenerator[Metric, None]:
        """Yield metrics, while pages are fetched ahead (`GET /dimensiondata` of the API's own server).

        The session makes the calls, with its token, pace and retries: one call per page and a few more, because the
        sizes of pages are not documented. In the order of their `_id`s each metric that exists throughout is yielded
        exactly once, as with any list; if Planhat ignores `sort`, which is not documented, the metrics come in its own
        order, and `session.stats.sorts_ignored` counts it. To leave it early, use `contextlib.aclosing`.

        Args:
            company_id: Planhat's `_id` of the company.
            dimension_id: The metric's own id.
            since: The first day, a `date` or text such as `2026-01-31`.
            until: The last day. Whether Planhat includes it is not documented.
            page_size: Metrics per call.
            max_records: The most metrics to yield.
            concurrency: The most pages in flight or in memory.

        Raises:
            ValueError: A malformed id or day, a number out of bounds; raised at once, like `TypeError`.
            TypeError: A value of the wrong type, or an `Analytics` without a session.
            DecodeError: A metric cannot be decoded, or the pages do not advance.
            RequestError: A call failed, after all retries; the metrics before it were yielded.
        """
        if self._session is None:
            raise TypeError("metrics are read with a session: Analytics(session, ...)")
        return MetricLists(self._session).read(
            company_id=company_id,
            dimension_id=dimension_id,
            since=since,
            until=until,
            page_size=page_size,
            max_records=max_records,
            concurrency=concurrency,
        )

    def _run(
        self,
        rows: Any,
        options: SendOptions,
        record: type[Record],
        write: Callable[[Any], dict[str, Any]],
        path: str,
        fields: ItemFields,
        *,
        is_object: bool = False,
    ) -> SendRun:
        refuse_what_is_not_rows(rows, record)
        check_options(options, SendOptions.__annotations__, call=f"Analytics.{_CALLS[path]}()")
        return SendRun(
            rows,
            prepare=preparing(write),
            post=partial(self._connection.post, path, is_object=is_object),
            fields=fields,
            settings=SendSettings(**options),
        )


_CALLS = {_METRICS: "send_metrics", _ACTIVITIES: "track", _ACTIVITY: "track"}


async def _to_its_end(run: SendRun) -> SendResult:
    async with run:
        async for _ in run:
            pass
    return run.result
