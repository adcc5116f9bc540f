"""The command line: options in, exit codes out."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planhat_async import __version__
from planhat_async.cli import console
from planhat_async.cli.delete_command import delete
from planhat_async.cli.exit_codes import NOT_ALL_STORED, refusals
from planhat_async.cli.export_command import export
from planhat_async.cli.help_display import CommandGroup, add_commands
from planhat_async.cli.help_page import HelpItem, HelpSection
from planhat_async.cli.job_commands import forget, jobs, problems, report, status
from planhat_async.cli.mapping_command import mapping
from planhat_async.cli.metrics_command import metrics
from planhat_async.cli.model_commands import fields, models
from planhat_async.cli.number_options import seconds_of, whole_number
from planhat_async.cli.operation import operated
from planhat_async.cli.pace_command import pace
from planhat_async.cli.signals import run, signals_handled
from planhat_async.cli.upsert_command import upsert

if TYPE_CHECKING:
    from planhat_async.cli.demo import DemoReport
    from planhat_async.cli.tenant_demo import TenantReport
    from planhat_async.sandbox import Sandbox

# A sandbox and made-up records take a sixth of the time that the program starts in, so only their commands import them.

_LIMITS = "Limits"


class Program(CommandGroup):
    """The program."""

    further_sections: Sequence[HelpSection] = (
        HelpSection(
            "Environment",
            (
                HelpItem("PLANHAT_API_TOKEN", "The API token, instead of --token-file."),
                HelpItem("PLANHAT_BASE_URL", "The URL of Planhat's API in your region, instead of --base-url."),
                HelpItem("PLANHAT_TENANT_UUID", "The tenant UUID for metrics, instead of --tenant-file."),
                HelpItem("PLANHAT_ANALYTICS_URL", "The URL of the analytics host, instead of --analytics-url."),
                HelpItem("PLANHAT_SHARED_PACE", "Which processes share the calls per minute, instead of --shared."),
                HelpItem("HTTPS_PROXY, NO_PROXY", "The proxy, and the hosts that are called without it."),
                HelpItem("NO_COLOR", "If set, the output has no colours."),
            ),
        ),
        HelpSection(
            "Exit codes",
            (
                HelpItem("0", "Success."),
                HelpItem("1", "Some rows are not stored, or some records are not exported."),
                HelpItem("2", "Wrong usage, or a file that cannot be used."),
                HelpItem("3", "Planhat could not be used, or did not answer."),
                HelpItem("130", "Interrupted."),
                HelpItem("141", "The output was closed."),
            ),
        ),
    )


app: typer.Typer = typer.Typer(
    name="planhat-async", cls=Program, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"planhat-async {__version__}")
        raise typer.Exit


@app.callback()
def program(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    """Read and write Planhat's records in bulk."""


def _with_log_options(command: Callable[..., None], *, name: str | None = None) -> Callable[..., None]:
    """A command with `--log-format` and `--quiet`, but without `--metrics` and `--grace`."""
    return operated(command, name=name, has_metrics=False, has_grace=False)


def sandbox(
    *,
    port: Annotated[
        int, typer.Option(metavar="N", parser=whole_number(0, 65_535), help="The port; 0 for any that is free.")
    ] = 8765,
    companies: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            parser=whole_number(1),
            help="Begin with N made-up companies, and records of every other model.",
        ),
    ] = None,
    load: Annotated[
        list[str] | None,
        typer.Option(metavar="[MODEL=]FILE", help="Begin with the records of a file: JSONL of an export or of --save."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all records to this file at the end.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same ids and the same faults.")] = 0,
    faults: Annotated[
        str,
        typer.Option(
            metavar="FAULT,...",
            help="Faults to inject, as NAME[:AMOUNT][=RATE] or NAME[:AMOUNT]@CALL: see --list-faults.",
            rich_help_panel="Faults",
        ),
    ] = "",
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="List all faults, and exit.", rich_help_panel="Faults")
    ] = False,
    per_minute: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=whole_number(0),
            help="Calls allowed per minute; 0 for no limit.",
            rich_help_panel=_LIMITS,
        ),
    ] = 200,
    per_second: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=whole_number(0),
            help="Calls allowed per second; 0 for no limit.",
            rich_help_panel=_LIMITS,
        ),
    ] = 150,
    max_parallel: Annotated[
        int,
        typer.Option(
            metavar="N",
            parser=whole_number(0),
            help="Calls allowed at once. [default: no limit]",
            rich_help_panel=_LIMITS,
        ),
    ] = 0,
    window: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            parser=seconds_of(0.001),
            help="The length of its minute; less than 60 for quick tests.",
            rich_help_panel=_LIMITS,
        ),
    ] = 60.0,
) -> None:
    """Run a local server that behaves like Planhat.

    Its records are lost when it stops, unless --save is given. It accepts the token in PLANHAT_API_TOKEN, or any token
    if that is not set. It is also the analytics host, for the tenant in PLANHAT_TENANT_UUID, or for any tenant.
    """
    from planhat_async.cli.tenant_demo import made_up_records  # noqa: PLC0415
    from planhat_async.sandbox import Sandbox  # noqa: PLC0415
    from planhat_async.sandbox.faults import described  # noqa: PLC0415

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
        if companies is not None:
            planhat.restore(run(made_up_records(companies, seed=seed)))
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


def demo(
    *,
    rows: Annotated[
        int | None, typer.Option(metavar="N", parser=whole_number(1), help="Tickets to write. [default: 20000]")
    ] = None,
    tenant: Annotated[bool, typer.Option("--tenant", help="Write records of every model instead.")] = False,
    companies: Annotated[
        int | None,
        typer.Option(
            metavar="N", parser=whole_number(1), help="With --tenant, the companies to write. [default: 2000]"
        ),
    ] = None,
) -> None:
    """Write tickets to a sandbox twice, read them back and compare.

    It needs no account and no network. With --tenant, it writes companies, their end users and records of every other
    model once.
    """
    from planhat_async.cli.demo import run_demo  # noqa: PLC0415
    from planhat_async.cli.tenant_demo import run_tenant_demo  # noqa: PLC0415

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


add_commands(
    app,
    {
        "Records": {
            "upsert": operated(upsert),
            "mapping": _with_log_options(mapping),
            "export": operated(export, has_grace=False),
            "delete": operated(delete),
            "metrics": operated(metrics, model="metrics"),
        },
        "Jobs": {"report": _with_log_options(report), "pace": _with_log_options(pace)},
        "Models": {"models": models, "fields": fields},
        "To try it out": {"sandbox": sandbox, "demo": demo},
    },
)
app.add_typer(jobs, name="jobs", rich_help_panel="Jobs")
add_commands(
    jobs,
    {
        "Commands": {
            one.__name__: _with_log_options(one, name=f"jobs {one.__name__}") for one in (status, problems, forget)
        }
    },
)
