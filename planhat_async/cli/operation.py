"""The options that every command has for those who operate it: its log, its metrics, its end."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from planhat_async.cli.exit_codes import refusals
from planhat_async.cli.interruptions import DEFAULT_GRACE, grace_set
from planhat_async.cli.library_notices import notices_shown
from planhat_async.cli.metrics_file import metrics_written
from planhat_async.cli.number_options import seconds_of
from planhat_async.cli.run_log import LogFormat, log, logging_as

_UNEXPECTED = 1
_PANEL = "Logs and signals"

LogFormatOption = Annotated[
    LogFormat,
    typer.Option(
        "--log-format",
        metavar="|".join(LogFormat),
        help="The form of what is written to standard error; json is one object per line, without contents of rows.",
        rich_help_panel=_PANEL,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print problems and errors only.", rich_help_panel=_PANEL)]
MetricsPath = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        metavar="FILE.prom",
        help="Write counts to this file, every ten seconds and at the end, for Prometheus' node exporter.",
        rich_help_panel=_PANEL,
    ),
]
Grace = Annotated[
    float | None,
    typer.Option(
        "--grace",
        metavar="SECONDS",
        parser=seconds_of(0),
        help=f"Time for the calls in flight after a signal. [default: {DEFAULT_GRACE:g} after SIGTERM, unlimited after "
        "Ctrl-C]",
        rich_help_panel=_PANEL,
    ),
]

_LOG = {"log_format": (LogFormatOption, LogFormat.TEXT), "quiet": (Quiet, False)}
_METRICS = {"metrics_path": (MetricsPath, None)}
_GRACE = {"grace": (Grace, None)}


def operated(
    command: Callable[..., None],
    *,
    name: str | None = None,
    model: str | None = None,
    has_metrics: bool = True,
    has_grace: bool = True,
) -> Callable[..., None]:
    """A command with these options added.

    Args:
        command: The command; a parameter `model` names the model of each run.
        name: Its name in logs; by default that of the function.
        model: The model of all runs, if there is no such parameter.
        has_metrics: Whether it writes a file of counts.
        has_grace: Whether it finishes what is in flight at a signal; other commands end at once.
    """
    added = _LOG | (_METRICS if has_metrics else {}) | (_GRACE if has_grace else {})

    def with_options(**options: Any) -> None:
        settings = {name: options.pop(name, default) for name, (_, default) in added.items()}
        named = options.get("model") or model
        with _operation(name or command.__name__, None if named is None else str(named), settings):
            command(**options)

    functools.update_wrapper(with_options, command)
    del with_options.__wrapped__  # type: ignore[attr-defined]  # else its annotations are read
    signature = inspect.signature(command, eval_str=True)
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in added.items()
    ]
    with_options.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *parameters]
    )
    with_options.__annotations__ = {
        **{name: parameter.annotation for name, parameter in signature.parameters.items()},
        **{name: annotation for name, (annotation, _) in added.items()},
        "return": None,
    }
    return with_options


@contextmanager
def _operation(command: str, model: str | None, settings: dict[str, Any]) -> Iterator[None]:
    """Run a command with these settings; its log begins and ends with an event of its own."""
    with (
        logging_as(settings["log_format"], is_quiet=settings["quiet"]),
        notices_shown(),
        grace_set(settings.get("grace")),
        refusals(),
        metrics_written(settings.get("metrics_path"), command=command, model=model) as end,
    ):
        log.write("start", command=command, model=model)
        code = _UNEXPECTED
        try:
            yield
            code = 0
        except typer.Exit as ended:
            code = ended.exit_code
            raise
        finally:
            end(code)
            log.write("end", command=command, model=model, exit_code=code, level=_level_of(code))


def _level_of(exit_code: int) -> int:
    return logging.INFO if exit_code == 0 else logging.WARNING
