"""The rows to write: tickets like a help desk's export, 450 to 900 bytes of JSON each, one after another.

The dicts and the records are equal. Each row is created anew with its texts, like rows of a file or a database:
texts that were sent before would be encoded faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from planhat_async import Ticket

N_SHAPES = 96
"""The number of tickets that differ by more than their numbers."""

_OPTIONAL = ("source", "name", "title", "description", "url", "status", "timeSpent", "email", "domains")
_NAMES = ("Niklas Berg", "Sarah Cole", "Diego Paz", "Åsa Öberg", "José Lima", "Mette Holm", "Jürgen Kurz", "Ines Roth")
_DOMAINS = ("grand-hotels.example", "soder.example", "acme.example", "daimler.example", "cafe-muller.example")
_TITLES = ("Cannot sign in", "Invoice shows the wrong total", "Export stops half way", "How do I add a colleague?")
_STATUSES = ("open", "pending", "solved")
_SENTENCES = (
    "Since the update on Tuesday this happens to all of us, in every browser that we have tried.",
    "We have cleared the cache, signed out and in again, and asked our own people: nothing helped.",
    'The page says "Something went wrong", shows a number, and offers to go back to where I came from.',
    "It is not urgent for me, but my colleagues in Malmö wait for it, and the quarter ends on Friday.",
)

_SHAPES = tuple(
    (
        _NAMES[n % 8],
        _DOMAINS[n % 5],
        _TITLES[n % 4],
        _STATUSES[n % 3],
        "\n".join(_SENTENCES[(n + k) % 4] for k in range(2 + n % 5)),
    )
    for n in range(N_SHAPES)
)


def dicts(n_rows: int) -> Iterator[dict[str, Any]]:
    """Yield tickets as mappings, with Planhat's names."""
    for n in range(n_rows):
        name, domain, title, status, text = _SHAPES[n % N_SHAPES]
        yield {
            "sourceId": f"zd-{n:07d}",
            "source": "zendesk",
            "email": f"user{n % 50_000}@{domain}",
            "name": name,
            "domains": [domain],
            "title": title,
            "description": f"Hello, this is {name}, ticket {n}.\n{text}",
            "url": f"https://acme.zendesk.example/agent/tickets/{n}",
            "status": status,
            "timeSpent": n % 90,
        }


def in_any_order(n_rows: int) -> Iterator[dict[str, Any]]:
    """Yield the same tickets with keys in no order."""
    for n, row in enumerate(dicts(n_rows)):
        row["sourceId"] = f"zd-{n * 2_654_435_761 % 2**32:010}"
        yield row


def of_any_shape(n_rows: int) -> Iterator[dict[str, Any]]:
    """Yield the same tickets, each without some of its fields: 512 combinations, none twice in a row."""
    for n, row in enumerate(dicts(n_rows)):
        chosen = n * 2_654_435_761 >> 7
        for place, name in enumerate(_OPTIONAL):
            if chosen >> place & 1:
                del row[name]
        yield row


def records(n_rows: int) -> Iterator[Ticket]:
    """Yield the same tickets as records."""
    for n in range(n_rows):
        name, domain, title, status, text = _SHAPES[n % N_SHAPES]
        yield Ticket(
            source_id=f"zd-{n:07d}",
            source="zendesk",
            email=f"user{n % 50_000}@{domain}",
            name=name,
            domains=[domain],
            title=title,
            description=f"Hello, this is {name}, ticket {n}.\n{text}",
            url=f"https://acme.zendesk.example/agent/tickets/{n}",
            status=status,
            time_spent=n % 90,
        )
