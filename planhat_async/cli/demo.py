"""The demo: writes tickets to a sandbox, reads them back, and compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from planhat_async._http.pace import RateLimits
from planhat_async.jobs.job_progress import in_words
from planhat_async.models import Ticket, Tickets
from planhat_async.results import UpsertResult
from planhat_async.sandbox import Sandbox
from planhat_async.session import Session
from planhat_async.testing.samples import make_ticket

_COMPARED = ("source_id", "source", "email", "name", "title", "description", "status", "product", "domains")


@attrs.frozen(kw_only=True)
class DemoReport:
    """The outcome of the demo."""

    first: UpsertResult
    second: UpsertResult
    """The result of writing all tickets again."""
    n_rows: int
    n_exported: int
    n_equal: int
    """Exported tickets that equal a written one."""
    n_twice: int
    """Exported tickets that came before."""
    calls: int

    @property
    def ok(self) -> bool:
        """Whether every ticket was stored exactly once, although it was sent twice."""
        written = self.first.ok and self.second.ok and self.first.created == self.n_rows and self.second.created == 0
        return written and self.n_rows == self.n_exported == self.n_equal and self.n_twice == 0


def make_tickets(n_rows: int, *, seed: int = 0) -> Iterator[Ticket]:
    """Tickets like those of a help desk: long texts, line breaks, many scripts; the same for the same seed."""
    return (make_ticket(number, seed=seed) for number in range(1, n_rows + 1))


async def run_demo(n_rows: int, *, show: Callable[[str], None], seed: int = 0) -> DemoReport:
    """Write `n_rows` tickets to a sandbox twice, export them, and compare."""
    async with (
        Sandbox(token="demo-token", seed=seed) as planhat,  # noqa: S106 - opens nothing but this sandbox
        Session(planhat.token, base_url=planhat.url, limits=RateLimits()) as session,
    ):
        tickets = Tickets(session)
        show(f"A sandbox listens on {planhat.url}, with Planhat's own limits.")
        first = await tickets.upsert_many(make_tickets(n_rows, seed=seed))
        show(
            f"Wrote {in_words(n_rows, 'ticket')}: {first.created:,} created, {first.rows - first.stored:,} not stored."
        )
        second = await tickets.upsert_many(make_tickets(n_rows, seed=seed))
        show(f"Wrote them again: {second.created:,} created, {second.rows - second.stored:,} not stored.")
        seen: set[str | None] = set()
        expected = {ticket.source_id: _compared(ticket) for ticket in make_tickets(n_rows, seed=seed)}
        n_exported = n_equal = 0
        async for ticket in tickets.iter():
            n_exported += 1
            n_equal += ticket.source_id not in seen and expected.get(ticket.source_id) == _compared(ticket)
            seen.add(ticket.source_id)
        n_twice = n_exported - len(seen)
        show(f"Read back {in_words(n_exported, 'ticket')}: {n_equal:,} as they were written, {n_twice:,} twice.")
        return DemoReport(
            first=first,
            second=second,
            n_rows=n_rows,
            n_exported=n_exported,
            n_equal=n_equal,
            n_twice=n_twice,
            calls=session.stats.calls,
        )


def _compared(ticket: Ticket) -> tuple[Any, ...]:
    return tuple(getattr(ticket, name) for name in _COMPARED)
