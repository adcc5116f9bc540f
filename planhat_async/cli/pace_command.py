"""`planhat-async pace`: shows who shares the calls of a token."""

from __future__ import annotations

import json
import math
import os
import sys
from typing import Annotated, Any

import attrs
import typer
from rich.table import Table

from planhat_async._convert import printable
from planhat_async._http.pace import RateLimits
from planhat_async._http.shared_messages import Standing
from planhat_async._http.shared_window import SharedWindow, SharedWindowError
from planhat_async._http.window_choice import NONE, checked_choice, window_of
from planhat_async._http.wire import Token
from planhat_async.cli import console
from planhat_async.cli.exit_codes import refusals
from planhat_async.cli.parameters import BaseUrl, Shared, TokenFile, secret_in, shared_choice
from planhat_async.cli.signals import run
from planhat_async.jobs.job_progress import duration, in_words
from planhat_async.session import Session

_LIMITS = RateLimits()


def pace(
    *,
    shared: Shared = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    token_file: TokenFile = None,
    base_url: BaseUrl = None,
) -> None:
    """Show which processes share the calls per minute of a token.

    It shows what they used in the last minute, and whether they pause after a 429. It sends nothing to Planhat.
    """
    with refusals():
        secret = secret_in(token_file, "token") or os.environ.get("PLANHAT_API_TOKEN", "")
        server = Session(secret, base_url=base_url, shared=NONE).base_url
        window = window_of(checked_choice(shared_choice(shared)), server, Token(secret))
        if window is None:
            raise ValueError("nothing is shared: say --shared host")
        try:
            standing = run(_standing(window))
        except SharedWindowError as error:
            raise ValueError(str(error)) from None
        if as_json:
            sys.stdout.write(json.dumps(_as_json(standing)) + "\n")
        else:
            _show(standing)
        sys.stdout.flush()


async def _standing(window: SharedWindow) -> Standing:
    try:
        return await window.standing(_LIMITS.window)
    finally:
        await window.close()


def _as_json(standing: Standing) -> dict[str, Any]:
    next_free = standing.next_free
    shown = {**attrs.asdict(standing), "next_free": next_free if math.isfinite(next_free) else None}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in shown.items()}


def _show(standing: Standing) -> None:
    title = f"{in_words(len(standing.members), 'session')} on this token"
    table = Table(title=title, title_justify="left")
    for name in ("pid", "host", "since", "single calls", "bulk calls", "waiting"):
        table.add_column(name, justify="left" if name == "host" else "right")
    for one in standing.members:
        counts = (f"{n:,}" for n in (one.n_singles, one.n_bulk, one.n_waiting))
        table.add_row(str(one.pid), printable(one.host), duration(one.since), *counts)
    console.out.print(table if standing.members else title)
    console.out.print(_summary(standing))


def _summary(standing: Standing) -> str:
    """The last minute on one line."""
    strangers = f", {standing.n_strangers:,} of them by others" if standing.n_strangers else ""
    used = f"{standing.n_used:,} of {in_words(_LIMITS.per_minute, 'call')} used in the last minute{strangers}"
    pause = f"after a 429 nothing starts for {duration(standing.pause)}" if standing.pause else "no pause"
    return f"{used}; {pause}"
