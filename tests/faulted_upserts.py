"""Upserts into a sandbox over a faulty network, and their stored records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from attrs import frozen
from faults import Fault, FaultyTransport

from planhat_async import Notes, Outcome, RateLimits, RetryPolicy, Session, Tickets, UpsertResult
from planhat_async._http.transport import AiohttpTransport
from planhat_async.sandbox import Sandbox

N_TICKETS, N_NOTES = 40_000, 20_000
"""The numbers of rows of a full run."""
SHARE = 0.2
"""The part of attempts that fail."""
_BAD_EVERY = 1000
"""One ticket in this many names an unknown company, so that the answer is a 206."""
LIMITS = RateLimits(per_minute=1_000_000, per_second=100_000, reserve=0)
RETRY = RetryPolicy(attempts=30, wait_initial=0.001, wait_max=0.001, budget=1e6)


@frozen
class Outcomes:
    """The outcomes of a run and the stored records."""

    result: UpsertResult
    n_faults: Counter[Fault]
    expected: Counter[Any]
    """The records that a perfect network would have stored, with their numbers."""
    stored: Counter[Any]

    def missing(self) -> Counter[Any]:
        """Return the records that are missing."""
        return self.expected - self.stored

    def doubled(self) -> Counter[Any]:
        """Return the records that are stored too often."""
        return self.stored - self.expected


def _tickets(n_rows: int) -> Iterator[dict[str, Any]]:
    for n in range(n_rows):
        company = "nobody" if n % _BAD_EVERY == _BAD_EVERY - 1 else "acme"
        # Each row is written twice, the second time later and with another title.
        yield {
            "sourceId": f"t{n * 7919 % n_rows % (n_rows // 2)}",
            "email": "a@acme.example",
            "companyExternalId": company,
            "title": f"version {n}",
        }


async def write_tickets(n_rows: int = N_TICKETS, *, seed: int = 0, chunk_size: int = 5000) -> Outcomes:
    """Write keyed tickets, each key twice; the last valid write of each key should be stored."""
    last = {row["sourceId"]: row["title"] for row in _tickets(n_rows) if row["companyExternalId"] == "acme"}
    async with Sandbox(per_minute=None, per_second=None) as planhat:
        planhat.add_company("c1", external_id="acme")
        transport = FaultyTransport(AiohttpTransport(planhat.url, max_connections=50), seed, SHARE)
        async with Session(planhat.token, transport=transport, limits=LIMITS, retry=RETRY) as session:
            result = await Tickets(session).upsert_many(_tickets(n_rows), chunk_size=chunk_size)
        stored = Counter((ticket["externalId"], ticket["subject"]) for ticket in planhat.records("tickets"))
    return Outcomes(result, transport.n_faults, Counter(last.items()), stored)


def _notes(n_rows: int) -> Iterator[dict[str, Any]]:
    return ({"companyId": "5f4e3d2c1b0a998877665544", "subject": f"note {n}"} for n in range(n_rows))


async def write_notes(
    n_rows: int = N_NOTES, *, seed: int = 0, chunk_size: int = 1000, is_verified: bool = False
) -> Outcomes:
    """Write keyless notes, each with its own subject."""
    async with Sandbox(per_minute=None, per_second=None) as planhat:
        planhat.add("conversations", {"type": "email", "subject": "note 0"})
        transport = FaultyTransport(AiohttpTransport(planhat.url, max_connections=50), seed, SHARE)
        async with Session(planhat.token, transport=transport, limits=LIMITS, retry=RETRY) as session:
            result = await Notes(session).upsert_many(
                _notes(n_rows),
                chunk_size=chunk_size,
                verify_by=("subject",) if is_verified else (),
                verify_wait=0.01,
            )
        stored = Counter(note["subject"] for note in planhat.records("notes"))
    return Outcomes(result, transport.n_faults, Counter(row["subject"] for row in _notes(n_rows)), stored)


def positions(result: UpsertResult, *outcomes: Outcome) -> set[int]:
    """Return the positions of rows with these outcomes."""
    return {position for one in outcomes for part in result.not_stored.get(one, ()) for position in part}
