"""Test the demo: the main job from scratch, and its report."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator
from typing import Any, Unpack

import attrs
import pytest

from planhat_async.cli import demo
from planhat_async.cli.demo import DemoReport, make_tickets, run_demo
from planhat_async.models import Ticket, TicketListingOptions, Tickets
from planhat_async.results import UpsertResult

GOOD = DemoReport(
    first=UpsertResult(created=3),
    second=UpsertResult(unreported=3),
    n_rows=3,
    n_exported=3,
    n_equal=3,
    n_twice=0,
    calls=4,
)


async def test_every_ticket_arrives_exactly_once() -> None:
    """Tickets are written, written again, read back and compared; each step is reported."""
    printed: list[str] = []
    report = await run_demo(300, show=printed.append, seed=7)
    assert report.ok
    assert (report.first.counts()["created"], report.second.counts()["unreported"]) == (300, 300)
    assert (report.n_rows, report.n_exported, report.n_equal, report.n_twice) == (300, 300, 300, 0)
    assert report.calls >= 3
    assert printed[0].startswith("A sandbox listens on http://127.0.0.1:")
    assert printed[1:] == [
        "Wrote 300 tickets: 300 created, 0 not stored.",
        "Wrote them again: 0 created, 0 not stored.",
        "Read back 300 tickets: 300 as they were written, 0 twice.",
    ]


async def test_a_changed_ticket_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every written field is compared."""

    def written_otherwise(n_rows: int, *, seed: int = 0) -> list[Ticket]:
        calls.append(None)
        tickets = list(make_tickets(n_rows, seed=seed))
        return [attrs.evolve(tickets[0], title="Changed"), *tickets[1:]] if len(calls) == 3 else tickets

    calls: list[None] = []
    monkeypatch.setattr(demo, "make_tickets", written_otherwise)
    report = await run_demo(3, show=lambda _: None)
    assert (report.n_exported, report.n_equal, report.ok) == (3, 2, False)


async def test_a_duplicate_ticket_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as equal only once."""

    class Doubling(Tickets):
        async def iter(self, **options: Unpack[TicketListingOptions]) -> AsyncGenerator[Ticket, None]:  # type: ignore[override]
            async for ticket in super().iter(**options):
                yield ticket
                if ticket.source_id == "DESK-1":
                    yield ticket

    monkeypatch.setattr(demo, "Tickets", Doubling)
    report = await run_demo(3, show=lambda _: None)
    assert (report.n_exported, report.n_equal, report.n_twice, report.ok) == (4, 3, 1, False)


@pytest.mark.parametrize(
    "change",
    [
        {"first": UpsertResult(created=3, rejected=1)},
        {"first": UpsertResult(created=2, unreported=1)},
        {"first": UpsertResult(created=2)},
        {"second": UpsertResult(unreported=2, unknown=1)},
        {"second": UpsertResult(unreported=2, created=1)},
        {"n_rows": 4},
        {"n_exported": 4},
        {"n_exported": 2},
        {"n_equal": 2},
        {"n_twice": 1},
    ],
)
def test_a_report_is_not_ok_after_any_failure(change: dict[str, Any]) -> None:
    """Each of its numbers suffices."""
    assert GOOD.ok
    assert not attrs.evolve(GOOD, **change).ok


def test_the_same_seed_creates_the_same_tickets() -> None:
    """Another seed creates others; a longer run begins like a shorter one."""
    assert list(make_tickets(20, seed=1)) == list(make_tickets(20, seed=1)) == list(make_tickets(30, seed=1))[:20]
    assert list(make_tickets(20, seed=1)) != list(make_tickets(20, seed=2))


def test_the_tickets_are_realistic() -> None:
    """Each has its own key, an address and a company; texts have line breaks and non-ASCII characters."""
    tickets = list(make_tickets(200))
    assert [ticket.source_id for ticket in tickets] == [f"DESK-{number}" for number in range(1, 201)]
    assert len({ticket.email for ticket in tickets}) == 200
    assert all(ticket.domains and ticket.status and ticket.product for ticket in tickets)
    assert all("\n" in (ticket.description or "") for ticket in tickets)
    assert not all((ticket.name or "").isascii() for ticket in tickets)


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_demo_ends_in_development_mode_with_warnings_as_errors(loop: str) -> None:
    """This includes uvloop, whose shutdown hangs on a warning about an open resource."""
    pytest.importorskip(loop)
    program = f"""
import asyncio, {loop}
from planhat_async.cli.demo import run_demo
with asyncio.Runner(loop_factory={loop}.new_event_loop) as runner:
    print(runner.run(run_demo(3_000, show=print)).ok)
"""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.endswith("True\n")
    assert "Traceback" not in done.stderr
