"""`planhat-async metrics`: sends the metrics in a file to Planhat."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from planhat_async.analytics import Analytics, Metric, SendOptions, SendRun
from planhat_async.analytics.host_connection import DEFAULT_HOST
from planhat_async.analytics.send_plan import plan_metrics
from planhat_async.analytics.send_run import SendSettings
from planhat_async.cli import console
from planhat_async.cli.exit_codes import NOT_ALL_STORED, refusals
from planhat_async.cli.interruptions import CUT_OFF, ENDED_EARLY, Interrupted, code_of, interruptible
from planhat_async.cli.job_display import log_chunk, shown
from planhat_async.cli.metrics_file import watch
from planhat_async.cli.number_options import whole_number
from planhat_async.cli.parameters import (
    PACE,
    Constants,
    DecimalComma,
    Delimiter,
    Encoding,
    Escape,
    InputFormat,
    ListSeparator,
    Maps,
    Sheet,
    SourceFile,
    TimeZone,
    Types,
    mapping_of,
    secret_in,
    source_of,
)
from planhat_async.cli.run_log import log
from planhat_async.cli.send_display import print_send_json, show_send_plan, show_send_result
from planhat_async.cli.signals import run
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.threaded_source import ThreadedSource
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.source_error import SourceError

_DEFAULTS = SendSettings()
_HOST = "Tenant and server"


def metrics(
    file: SourceFile,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count all rows. Sends nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    map_: Maps = None,
    set_: Constants = None,
    type_: Types = None,
    time_zone: TimeZone = None,
    list_separator: ListSeparator = None,
    decimal_comma: DecimalComma = False,
    format_: InputFormat = None,
    encoding: Encoding = "utf-8",
    delimiter: Delimiter = None,
    escape: Escape = None,
    sheet: Sheet = None,
    chunk_size: Annotated[
        int,
        typer.Option(
            metavar="N", parser=whole_number(1, 150_000), help="Rows per call, 1 to 150,000.", rich_help_panel=PACE
        ),
    ] = _DEFAULTS.chunk_size,
    concurrency: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=whole_number(1, 50),
            help="Calls in flight at once, 1 to 50. With 1, rows arrive in order.",
            rich_help_panel=PACE,
        ),
    ] = _DEFAULTS.concurrency,
    tenant_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A file with the tenant UUID. [default: PLANHAT_TENANT_UUID]", rich_help_panel=_HOST
        ),
    ] = None,
    analytics_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=f"The URL of the analytics host. [default: PLANHAT_ANALYTICS_URL, or {DEFAULT_HOST}]",
            rich_help_panel=_HOST,
        ),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.pem",
            help="Certificate authorities to trust in addition to the system's.",
            rich_help_panel=_HOST,
        ),
    ] = None,
) -> None:
    """Send a metric for every row of a file.

    A row needs dimension_id, value and external_id, and may have model and date. Either spelling will do: dimension_id
    or dimensionId. Without --map, every column must be one of these fields.

    No row is sent twice. If an answer is lost, the rows of that call are listed as unknown, because Planhat may have
    received them. The first Ctrl-C finishes the calls in flight, the second stops at once.
    """
    with refusals():
        mapping = mapping_of(
            Metric,
            map_,
            set_,
            types=type_,
            time_zone=time_zone,
            list_separator=list_separator,
            decimal_comma=decimal_comma,
        )
        source = source_of(
            file,
            mapping,
            format_=None if format_ is None else format_.value,
            encoding=encoding,
            delimiter=delimiter,
            escape=escape,
            sheet=sheet,
        )
        source.check_beginning()
        rows = ThreadedSource(source, source.description()) if source.waits else source
        if dry_run:
            plan = run(plan_metrics(rows, SendSettings(chunk_size=chunk_size)))
            show_send_plan(plan, as_json=as_json, remarks=source.remarks)
            sys.stdout.flush()
            raise typer.Exit(NOT_ALL_STORED if plan.result.invalid else 0)
        analytics = Analytics(
            None,
            secret_in(tenant_file, "tenant UUID"),
            host=analytics_url,
            max_in_flight=concurrency,
            trust_env=True,
            ca_file=ca_file,
        )
        options: SendOptions = {"chunk_size": chunk_size, "concurrency": concurrency}
        code = run(_send(analytics, source, rows, options, as_json=as_json))
    raise typer.Exit(code)


async def _send(
    analytics: Analytics,
    source: FileSource,
    rows: Iterable[Any] | AsyncIterable[Any],
    options: SendOptions,
    *,
    as_json: bool,
) -> int:
    """Send the rows and show the result; returns the exit code."""
    started = time.monotonic()
    sending = analytics.sending_metrics(rows, **options)
    error = await _send_all(analytics, source, sending)
    ended_by, seconds = sending.result.stopped_by or error, time.monotonic() - started
    if as_json:
        print_send_json(sending.result, analytics.stats, seconds=seconds, ended_by=ended_by, remarks=source.remarks)
    if log.shows_result(as_json=as_json):
        show_send_result(sending.result, seconds=seconds, ended_by=ended_by, remarks=source.remarks)
    sys.stdout.flush()
    return code_of(ended_by, is_ok=sending.result.ok)


async def _follow(analytics: Analytics, source: FileSource, sending: SendRun) -> None:
    """Send the rows, and show the progress."""
    clock = asyncio.get_running_loop().time
    started = clock()
    watch(analytics.stats, lambda: {"metrics": sending.result.counts()})
    with console.progress(f"metrics {source.path.name}", total=source.total_bytes) as advance:

        def draw() -> None:
            advance(sending.result.rows, source.bytes_read)

        def print_line() -> None:
            counts = console.with_rows(sending.result.counts())
            outcomes = ", ".join(f"{number:,} {name}" for name, number in counts.items())
            line = f"{in_words(sending.result.rows, 'row')}{outcomes and ': '}{outcomes}"
            console.tell(line, event="progress", rows=sending.result.rows, **counts)

        async with analytics, sending, shown(draw, print_line):
            async for chunk in sending:
                log_chunk("metrics", chunk.number, chunk.counts(), seconds=clock() - started)
                draw()


async def _send_all(analytics: Analytics, source: FileSource, sending: SendRun) -> BaseException | None:
    """Send the rows and show the progress; returns the error or interruption that ended the run early."""
    with interruptible(sending) as signals:
        try:
            await _follow(analytics, source, sending)
        except asyncio.CancelledError:
            return None if sending.came_to_end else Interrupted(CUT_OFF)
        except (OSError, SourceError) as error:
            return error
    return Interrupted(ENDED_EARLY) if signals and not sending.came_to_end else None
