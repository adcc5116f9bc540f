"""Plausible records of a customer-success team, for tests and demonstrations."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import attrs

from planhat_async._convert import Field, fields_of
from planhat_async.models import ALL, Note, Task, Ticket
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
_STEPS = ("Prepare the material", "Book a room", "Invite everybody", "Write the minutes", "Tell the owner")
_FIRST_DAY = datetime(2024, 1, 1, 8, tzinfo=UTC)
_N_COMPANIES = 200
_NOT_MADE = {"id", "custom", "type", "repeat", "status", "out_date", "use_subject"}
"""Fields whose values depend on how a tenant is configured, and those of conversations that notes lack."""
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
    domain = f"company-{_company(draw)}.example"
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


def _draw(kind: str, number: int, seed: int) -> random.Random:
    return random.Random(f"{kind}/{number}/{seed}")  # noqa: S311 - test data


def _company(draw: random.Random) -> int:
    return draw.randrange(1, _N_COMPANIES)


def _company_id(draw: random.Random) -> str:
    return extid(f"company-{_company(draw)}")


def _moment(draw: random.Random) -> datetime:
    return _FIRST_DAY + timedelta(minutes=draw.randrange(2 * 365 * 24 * 60))


def make_record(cls: type[R], number: int = 1, *, seed: int = 0, **fields: Any) -> R:
    """A record of any model, with a plausible value in each field that may be written.

    Args:
        cls: The record's class.
        number: Records of different numbers are different, and have different keys.
        seed: The same number under the same seed makes the same record.
        fields: Values of your own.
    """
    draw = _draw(cls.__name__, number, seed)
    writable = [field for field in fields_of(cls).values() if field.is_writable and field.name not in _NOT_MADE]
    made = {field.name: _value(field, f"{cls.__name__}-{number}", draw) for field in writable}
    model = next(repository.model for repository in ALL if repository.model.record is cls)
    if model.company_field is not None and model.company_field in made:
        company = f"{_company(draw):024x}" if not model.company_keys else _company_id(draw)
        made[model.company_field] = company if model.company_field == "company_id" else [company]
    made |= _CHOICES.get(model.name, {})
    return cls(**{name: value for name, value in (made | fields).items() if value is not None})


def _value(field: Field, key: str, draw: random.Random) -> Any:
    if field.name.endswith(("source_id", "external_id", "ext_id")):
        return key
    if field.name.endswith("_id") or field.name in _NOT_MADE:
        return None
    if field.name.endswith("email"):
        return f"{draw.choice(_NAMES).lower()}.{key.lower()}@company-{_company(draw)}.example"
    made: dict[Any, Callable[[], Any]] = {
        str: lambda: f"{field.name.replace('_', ' ').capitalize()} of {draw.choice(_NAMES)} ({key})",
        int: lambda: draw.randrange(1, 6),
        float: lambda: float(draw.randrange(100, 10_000)),
        bool: lambda: draw.random() < 0.5,
        datetime: lambda: _moment(draw),
        date: lambda: _moment(draw).date(),
    }
    return made[field.type]() if field.type in made else None
