"""Plausible records of a customer-success team, for tests and demonstrations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import attrs

from planhat_async._convert import Field, fields_of
from planhat_async.models import ALL, Company, Note, Task, Ticket
from planhat_async.records import ChecklistItem, Record
from planhat_async.records.keys import extid

R = TypeVar("R", bound=Record)

_PRODUCTS = ("Northwind CRM", "Tidewater Billing", "Lantern Analytics", "Harbor SSO", "Quill Docs")
_PROBLEMS = ("Cannot sign in", "Invoice shows the wrong total", "Export never ends", "Page stays blank", "Sync is late")
_STATUSES = ("open", "pending", "solved", "closed")
_NAMES = ("Ada", "Björn", "Chiara", "Đặng", "Emil", "Fatima", "Grace", "Hiro", "Inès", "Jürgen")
_MEETINGS = ("Kick-off", "Quarterly review", "Renewal talk", "Training", "Escalation call")
_MOODS = ("is happy with", "has questions about", "wants a discount on", "is about to leave", "wants more seats of")
_ACTIONS = ("Call back", "Send the offer", "Prepare the review", "Check the usage", "Renew the contract")
_STEPS = ("Prepare the material", "Book a room", "Invite the team", "Write the minutes", "Tell the owner")
FIRST_DAY = datetime(2024, 1, 1, 8, tzinfo=UTC)
_N_COMPANIES = 200
_NOT_MADE = {"id", "custom", "type", "repeat", "status", "out_date", "use_subject"}
"""Fields whose values depend on how a tenant is configured, and those of conversations that notes lack."""
_TEXTS = {
    "first_name": _NAMES,
    "last_name": ("Åkesson", "Brown", "García", "Kowalski", "Nguyễn", "O'Brien", "Öztürk", "Rossi", "Schmidt", "山田"),
    "nick_name": _NAMES,
    "position": ("CEO", "Head of IT", "Controller", "Support agent", "Developer"),
    "currency": ("EUR", "GBP", "SEK", "USD"),
    "product": _PRODUCTS,
    "country": ("Sweden", "Germany", "Türkiye", "Việt Nam", "日本"),
    "city": ("Malmö", "Köln", "İzmir", "Đà Nẵng", "東京"),
    "main_type": ("task",),
    "renewal_status": ("ongoing",),
    "renewal_unit": ("month",),
    "notice_unit": ("months",),
    "severity": ("low", "normal", "high"),
}
"""Plausible texts of fields."""
_BOUNDS = {"health": (0, 11), "score": (0, 11), "hours": (1, 9), "tz_offset": (-11, 13)}
"""The least value of a number, and the one after the greatest."""
_CHOICES: dict[str, dict[str, Any]] = {
    "conversations": {"type": "note"},
    "custom_fields": {"type": "text", "parent": "company"},
}
"""Values that every tenant has, of fields that are choices."""


def make_note(number: int = 1, *, seed: int = 0, **fields: Any) -> Note:
    """A note about a meeting.

    Args:
        number: Notes of different numbers are different, and have different external ids.
        seed: The same number under the same seed makes the same note.
        fields: Values of your own.
    """
    draw = _draw("note", number, seed)
    meeting, name, product = draw.choice(_MEETINGS), draw.choice(_NAMES), draw.choice(_PRODUCTS)
    note = Note(
        external_id=f"NOTE-{number}",
        company_id=_company_id(draw),
        type="note",
        subject=f"{meeting} with {name}",
        description=f"<p>{name} {draw.choice(_MOODS)} {product}.</p>" + "<p>More next week.</p>" * draw.randrange(4),
        date=_moment(draw),
        custom={"Seats": draw.randrange(1, 500), "Mood": draw.choice(("good", "bad"))},
    )
    return attrs.evolve(note, **fields)


def make_task(number: int = 1, *, seed: int = 0, **fields: Any) -> Task:
    """A task with a checklist.

    Args:
        number: Tasks of different numbers are different, and have different source ids.
        seed: The same number under the same seed makes the same task.
        fields: Values of your own.
    """
    draw = _draw("task", number, seed)
    task = Task(
        source_id=f"PLAN-{number}",
        company_id=_company_id(draw),
        main_type="task",
        action=f"{draw.choice(_ACTIONS)}: {draw.choice(_NAMES)}",
        description=f"<p>About {draw.choice(_PRODUCTS)}.</p>",
        start_time=_moment(draw),
        status=draw.choice(("To-do", "In-progress", "Waiting")),
        checklist=[ChecklistItem(title=step) for step in draw.sample(_STEPS, draw.randrange(4))],
        custom={"Effort": draw.randrange(1, 9)},
    )
    return attrs.evolve(task, **fields)


def make_ticket(number: int = 1, *, seed: int = 0, **fields: Any) -> Ticket:
    """A ticket of a help desk, with a long text, line breaks and letters beyond ASCII.

    Args:
        number: Tickets of different numbers are different, and have different source ids.
        seed: The same number under the same seed makes the same ticket.
        fields: Values of your own.
    """
    draw = _draw("ticket", number, seed)
    name, product, problem = draw.choice(_NAMES), draw.choice(_PRODUCTS), draw.choice(_PROBLEMS)
    domain = _domain(_company(draw))
    ticket = Ticket(
        source_id=f"DESK-{number}",
        source="demo",
        email=f"{name.lower()}.{number}@{domain}",
        name=name,
        title=f"{problem} ({product})",
        description=f"Hello,\n\n{problem.lower()} since {draw.randrange(1, 29)} March — “{product}”.\n\n"
        + "We tried a restart & cleared the cache.\n" * draw.randrange(1, 12),
        status=draw.choice(_STATUSES),
        product=product,
        domains=[domain],
    )
    return attrs.evolve(ticket, **fields)


def make_record(cls: type[R], number: int = 1, *, seed: int = 0, company: int | None = None, **fields: Any) -> R:
    """A record of any model, with a plausible value in each field that may be written.

    Args:
        cls: The record's class.
        number: Records of different numbers are different, and have different keys.
        seed: The same number under the same seed makes the same record.
        company: The number of its company: its addresses have that company's domain, `make_record(Company, company)`
            is the company itself. Drawn by default. Deals, NPS and time entries name a company by its `_id` only, which
            is made up: give them the `company_id` of a stored company.
        fields: Values of your own.
    """
    draw = _draw(cls.__name__, number, seed)
    drawn = _company(draw)
    company = number if cls is Company else drawn if company is None else company
    times = _times(draw)
    made = {name: _value(field, key_of(cls, number), company, draw, times) for name, field in _made_fields(cls).items()}
    if {"mrr", "arr"} <= made.keys():
        made["arr"] = 12 * made["mrr"]
    model = next(repository.model for repository in ALL if repository.model.record is cls)
    # Only Planhat knows a company's `_id`, so another field that names the company is better.
    is_named = not model.company_keys and "company_external_id" in made
    if model.company_field is not None and fields_of(cls)[model.company_field].is_writable and not is_named:
        key = f"{company:024x}" if not model.company_keys else extid(key_of(Company, company))
        made[model.company_field] = key if model.company_field == "company_id" else [key]
    made |= _CHOICES.get(model.name, {})
    if cls is Ticket:
        made["status"] = draw.choice(_STATUSES)  # any text, of the help desk
    return cls(**{name: value for name, value in (made | fields).items() if value is not None})


def key_of(cls: type[Record], number: int) -> str:
    """The external id, and the source id, of `make_record(cls, number)`."""
    return f"company-{number}" if cls is Company else f"{cls.__name__}-{number}"


def _made_fields(cls: type[Record]) -> dict[str, Field]:
    """The fields that get a value; ids of records are not made up."""
    return {
        name: field
        for name, field in fields_of(cls).items()
        if field.is_writable
        and name not in _NOT_MADE
        and (name.endswith(("source_id", "external_id")) or not name.endswith("_id"))
    }


def _value(field: Field, key: str, company: int, draw: random.Random, times: Iterator[datetime]) -> Any:
    """The value of one field: by its name, else by its type."""
    name = field.name
    made: Any = None
    if name == "company_external_id":
        made = key_of(Company, company)
    elif name.endswith(("source_id", "external_id")):
        made = key
    elif name.endswith("email"):
        made = f"{draw.choice(_NAMES).lower()}.{key.lower()}@{_domain(company)}"
    elif name == "domains":
        made = [_domain(company)]
    elif name == "description":
        made = f"{draw.choice(_PROBLEMS)} ({key}).\n" + "We tried “a restart” & a new cache.\n" * draw.randrange(8)
    elif field.type is str and name in _TEXTS:
        made = draw.choice(_TEXTS[name])
    elif name in _BOUNDS:
        made = field.type(draw.randrange(*_BOUNDS[name]))
    return _value_of_type(field, key, draw, times) if made is None else made


def _value_of_type(field: Field, key: str, draw: random.Random, times: Iterator[datetime]) -> Any:
    made: dict[Any, Callable[[], Any]] = {
        str: lambda: f"{field.name.replace('_', ' ').capitalize()} of {draw.choice(_NAMES)} ({key})",
        int: lambda: draw.randrange(1, 6),
        float: lambda: float(draw.randrange(100, 10_000)),
        bool: lambda: draw.random() < 0.5,
        datetime: lambda: next(times),
        date: lambda: next(times).date(),
    }
    return made[field.type]() if field.type in made else None


def _draw(kind: str, number: int, seed: int) -> random.Random:
    return random.Random(f"{kind}/{number}/{seed}")  # noqa: S311 - test data


def _company(draw: random.Random) -> int:
    return draw.randrange(1, _N_COMPANIES)


def _company_id(draw: random.Random) -> str:
    return extid(key_of(Company, _company(draw)))


def _domain(company: int) -> str:
    return f"company-{company}.example"


def _moment(draw: random.Random) -> datetime:
    return FIRST_DAY + timedelta(minutes=draw.randrange(2 * 365 * 24 * 60))


def _times(draw: random.Random) -> Iterator[datetime]:
    """The times of one record, each later than the one before: what begins also ends."""
    time = _moment(draw)
    while True:
        yield time
        time += timedelta(minutes=draw.randrange(1, 60 * 24 * 60))
