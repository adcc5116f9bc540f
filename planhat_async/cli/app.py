"""The command line: options in, exit codes out."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from planhat_async.cli import console
from planhat_async.cli.delete_command import delete
from planhat_async.cli.demo import DemoReport, run_demo
from planhat_async.cli.exit_codes import NOT_ALL_STORED, refusals
from planhat_async.cli.export_command import export
from planhat_async.cli.job_commands import jobs, report
from planhat_async.cli.mapping_command import mapping
from planhat_async.cli.metrics_command import metrics
from planhat_async.cli.model_commands import fields, models
from planhat_async.cli.operation import operated
from planhat_async.cli.pace_command import pace
from planhat_async.cli.signals import run, signals_handled
from planhat_async.cli.tenant_demo import TenantReport, run_tenant_demo
from planhat_async.cli.upsert_command import upsert
from planhat_async.sandbox import Sandbox
from planhat_async.sandbox.faults import described

app: typer.Typer = typer.Typer(
    help="Read and write Planhat's records in bulk. "
    "The token comes from PLANHAT_API_TOKEN or --token-file, the server from PLANHAT_BASE_URL or --base-url. "
    "Metrics need the tenant UUID instead: PLANHAT_TENANT_UUID or --tenant-file.",
    epilog="Exit codes: 0 success, 1 some rows were not stored, 2 wrong usage or an unusable file, "
    "3 Planhat could not be used, 130 interrupted, 141 the output was closed.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)


app.command()(operated(upsert))
app.command()(mapping)
app.command()(operated(delete))
app.command()(operated(export, has_grace=False))
app.command()(models)
app.command()(operated(metrics, model="metrics"))
app.command()(fields)
app.command()(pace)
app.command()(report)
app.add_typer(jobs, name="jobs")


@app.command()
def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free port.")] = 8765,
    per_minute: Annotated[int, typer.Option(min=0, help="Calls allowed per minute; 0 for no limit.")] = 200,
    per_second: Annotated[int, typer.Option(min=0, help="Calls allowed per second; 0 for no limit.")] = 150,
    max_parallel: Annotated[int, typer.Option(min=0, help="Calls allowed at once; 0 for no limit.")] = 0,
    window: Annotated[
        float, typer.Option(min=0.001, metavar="SECONDS", help="How long its minute is; less than 60 for quick tests.")
    ] = 60.0,
    faults: Annotated[
        str, typer.Option(metavar="NAME[:AMOUNT][=RATE or @NUMBER],...", help="Faults to inject: see --list-faults.")
    ] = "",
    list_faults: Annotated[bool, typer.Option("--list-faults", help="List all faults, and exit.")] = False,
    load: Annotated[
        list[str] | None,
        typer.Option(metavar="[MODEL=]FILE", help="Records at the start: JSONL, from --save or an export."),
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Write all records to this file at the end.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same ids and the same faults.")] = 0,
) -> None:
    """Run a local Planhat on loopback, to try things out.

    Without --save its records are lost when it stops. Its token is PLANHAT_API_TOKEN; if that is not set, it accepts
    any token. It is the analytics host as well, with PLANHAT_TENANT_UUID, or else any tenant UUID.
    """
    if list_faults:
        console.out.print(described())
        return
    with refusals():
        if save is not None and not save.parent.is_dir():
            raise ValueError(f"--save {save}: there is no folder {save.parent}")
        planhat = Sandbox(
            os.environ.get("PLANHAT_API_TOKEN") or None,
            port=port,
            per_minute=per_minute or None,
            per_second=per_second or None,
            max_parallel=max_parallel or None,
            window=window,
            faults=faults,
            seed=seed,
            tenant_uuid=os.environ.get("PLANHAT_TENANT_UUID") or None,
        )
        for source in load or ():
            model, _, path = source.rpartition("=")
            planhat.load(path, model=model or None)
        run(_serve(planhat, port))
        if save is not None:
            planhat.save(save)


async def _serve(planhat: Sandbox, port: int) -> None:
    stopped = asyncio.Event()
    with signals_handled(lambda _: stopped.set()):
        try:
            async with planhat:
                token = "" if os.environ.get("PLANHAT_API_TOKEN") else " PLANHAT_API_TOKEN=any"
                sys.stdout.write(f"listening on {planhat.url}\n")
                sys.stdout.write(f"in another terminal: export PLANHAT_BASE_URL={planhat.url}{token}\n")
                sys.stdout.flush()
                await stopped.wait()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise ValueError(f"--port: {port} is in use; choose another, or 0 for any free port") from None


@app.command()
def demo(
    *,
    rows: Annotated[int | None, typer.Option(min=1, help="Tickets to write; 20,000 by default.")] = None,
    tenant: Annotated[bool, typer.Option("--tenant", help="Write records of every model instead.")] = False,
    companies: Annotated[int | None, typer.Option(min=1, help="Companies of the tenant; 2,000 by default.")] = None,
) -> None:
    """Write tickets to a sandbox twice, read them back, and compare; needs no account and no network.

    With --tenant: companies, their end users, and records of every other model that can be written in bulk, once.
    """
    with refusals():
        if (rows if tenant else companies) is not None:
            raise ValueError("--companies needs --tenant" if companies is not None else "--rows is not for --tenant")
        started = time.monotonic()
        report: DemoReport | TenantReport
        if tenant:
            report = run(run_tenant_demo(companies or 2_000, show=console.out.print))
        else:
            report = run(run_demo(rows or 20_000, show=console.out.print))
        seconds = time.monotonic() - started
    verdict = "Everything arrived exactly once" if report.ok else "Something was lost, doubled or changed"
    console.out.print(f"{verdict}: {report.calls} calls, {seconds:.1f} s.")
    raise typer.Exit(0 if report.ok else NOT_ALL_STORED)
