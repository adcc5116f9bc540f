"""The plan of a night: all that one seed decides, as values that can be taken away one by one."""

from __future__ import annotations

import random
from typing import Any

import attrs

from planhat_async.sandbox.choices import Choices
from planhat_async.sandbox.faults import KINDS, Scope

MODELS = ("notes", "tasks", "tickets")
MARKERS = {"notes": "subject", "tasks": "action", "tickets": "title"}
"""By model, the field of a row that says which row of the input it is."""
COMPANY = "5f4e3d2c1b0a998877665544"
NO_COMPANY = "5f4e3d2c1b0a998877665500"
LATE = 0.45
"""Seconds after a reset in which Planhat still carries out a call: less than the least wait before a retry."""
KILLS = frozenset({"kill", "power"})
UNUSED_FAULTS = frozenset({"page_rows", "page_bytes", "offset_ignored", "sort_ignored"})
"""Faults that last for a whole listing; a single call of them is no behaviour of any server."""


@attrs.frozen
class PlannedRow:
    """A row of the input."""

    kind: str
    """`plain`, `invalid` (the client refuses it), `refused` (the server does) or `huge`."""
    key: int | None = None
    """Rows with the same number have the same key."""
    twin: int | None = None
    """Rows with the same number have the same content."""


@attrs.frozen
class PlannedFault:
    """A fault of the sandbox, applied to one of the calls that it fits."""

    name: str
    call: int
    amount: float | None = None
    """Its seconds or rows; `None` for the default."""
    is_of_upserts: bool = False
    """Whether calls other than bulk upserts are not counted, and have no fault."""


@attrs.frozen
class Interruption:
    """The end of one run of a command."""

    kind: str
    """`kill`, `power` (a failure of the machine), `cancel` or `stop`."""
    event: int
    """The boundary at which it happens, counted from 1 in its run."""
    what: str = ""
    """How the boundaries begin that count; empty for all."""
    steps: int = 0
    """Further steps of the event loop before a cancellation."""
    change: int = 0
    """For a kill: if the boundary begins work on the disk, it happens before this change of a file."""
    wait: float = 1.0
    """Seconds before the command is run again."""


@attrs.frozen
class DiskFault:
    """A change of a file that fails."""

    change: int
    """Counted from 1 over all runs."""
    kind: str
    """`error`, `full` for this change alone, or `filled`: from it on no file grows, until a run of the job ends."""


@attrs.frozen(kw_only=True)
class Plan:
    """A night."""

    seed: int
    model: str = "notes"
    rows: tuple[PlannedRow, ...] = ()
    chunk_size: int = 3
    concurrency: int = 2
    verifies: bool = False
    resends_unknown: bool = False
    isolates: bool = False
    per_minute: int = 200
    transit: float = 0.1
    """The longest time that a request takes to arrive, and an answer to come back."""
    delays: tuple[bool, ...] | None = None
    """Which delays of bulk upserts are long, in the order in which they begin; all others are short. `None` if all
    delays, also those of the disk, are drawn."""
    choices: Choices = attrs.field(factory=Choices)
    faults: tuple[PlannedFault, ...] = ()
    duplicates: frozenset[int] = frozenset()
    """Calls, by number, that arrive twice if that is harmless by HTTP."""
    outages: tuple[tuple[float, float], ...] = ()
    """When the server is out of reach, and for how many seconds."""
    clock_jump: tuple[float, float] | None = None
    """When the machine's clock is set, and by how many seconds."""
    interruptions: tuple[Interruption, ...] = ()
    """Of the job: one for each run, in order; the runs after them end by themselves."""
    disk_faults: tuple[DiskFault, ...] = ()
    n_present: int = 0
    """Records of others that are there from the beginning."""
    writes: tuple[tuple[float, str], ...] = ()
    """Writes of others: when, and `create`, `update` or `delete`."""
    exports: bool = False
    export_interruptions: tuple[Interruption, ...] = ()
    singles: tuple[tuple[float, str], ...] = ()
    """Single calls beside the job: when, and `get`, `create` or `update`."""

    def marker(self, position: int) -> str:
        """What says in a row which one of the input it is; rows of the same content share that of the first."""
        twin = self.rows[position].twin
        same = (n for n, row in enumerate(self.rows) if row.twin == twin)
        return f"r{position if twin is None else next(same)}"

    def row(self, position: int) -> dict[str, Any]:
        """A row of the input as a mapping."""
        planned, marker = self.rows[position], self.marker(position)
        row: dict[str, Any] = {MARKERS[self.model]: marker}
        if self.model == "tickets":
            row |= {"email": "a@b.example"}
        row["companyId"] = NO_COMPANY if planned.kind == "refused" else COMPANY
        if self.model == "tasks":
            row["mainType"] = "task"
        if planned.key is not None:
            row["sourceId"] = f"k{planned.key}"
        if planned.kind == "invalid":
            row["nope"] = 1
        if planned.kind == "huge":
            row["description"] = "x" * 5000
        return row


def plan_of(seed: int) -> Plan:
    """The night of a seed."""
    draw = random.Random(f"night {seed}")
    model = draw.choice(MODELS)
    n_rows = draw.choice((1, 2, 3, 4, 6, 9, 12, 24))
    kinds, n_keys, keyed = draw.choice(_MIXTURES), draw.choice((1, 2, 3, 8)), draw.choice((0.0, 0.5, 0.9, 1.0))
    is_keyed = {"notes": 0.0, "tasks": keyed, "tickets": 1.0}[model]  # upserts of notes match `_id` only
    verifies = model != "tickets" and draw.random() < 0.4
    n_twins = draw.choice((0, 0, 1, 2)) if verifies else 0
    made = Plan(
        seed=seed,
        model=model,
        rows=tuple(_row(draw, kinds, n_keys if draw.random() < is_keyed else 0, n_twins) for _ in range(n_rows)),
        chunk_size=draw.choice((1, 2, 3, 5)),
        concurrency=draw.randrange(1, 5),
        verifies=verifies,
        resends_unknown=draw.random() < 0.1,
        isolates=draw.random() < 0.2,
        per_minute=draw.choice((200, 200, 12)),
        transit=draw.choice((0.01, 0.1, 0.8)),
        choices=_choices(draw),
    )
    night = attrs.evolve(made, **_troubles(draw, verifies=verifies), **_company(draw))
    if not (night.verifies and model == "notes"):
        return night
    # Without keys there is no order to keep: what is late may be later than any retry.
    return attrs.evolve(
        night, faults=tuple(attrs.evolve(one, amount=20.0 if one.name == "late" else None) for one in night.faults)
    )


_MIXTURES = ((1, 0, 0, 0), (85, 5, 5, 5), (85, 5, 5, 5), (5, 0, 5, 0), (5, 5, 0, 0), (5, 0, 0, 5))
"""Weights of plain, invalid, refused and huge rows: a night has one of these mixtures."""


def _row(draw: random.Random, weights: tuple[int, ...], n_keys: int, n_twins: int) -> PlannedRow:
    kind = draw.choices(("plain", "invalid", "refused", "huge"), weights)[0]
    if n_keys:
        return PlannedRow(kind, draw.randrange(n_keys))
    is_twin = n_twins and kind == "plain" and draw.random() < 0.7
    return PlannedRow(kind, twin=draw.randrange(n_twins) if is_twin else None)


def _choices(draw: random.Random) -> Choices:
    names = [one.name for one in attrs.fields(Choices)]
    flipped = {name: not getattr(Choices(), name) for name in names if draw.random() < 0.2}
    return Choices(**flipped | {"conversations_need_type": True})


def _troubles(draw: random.Random, *, verifies: bool) -> dict[str, Any]:
    share = draw.choice((0.0, 0.1, 0.4, 0.7))
    names = sorted(set(KINDS) - UNUSED_FAULTS)
    names += [name for name in names if KINDS[name].scope is Scope.BULK] * 3
    # A night has few kinds of faults, each of them often: so two that are rare meet on one chunk.
    names = draw.sample(names, draw.choice((1, 2, 3, 3, len(names))))
    names += ["late", "reset_after"] if verifies else []
    late = draw.choice((0.05, LATE))
    faults = tuple(_fault(draw.choice(names), call, late) for call in range(1, 40) if draw.random() < share)
    n_outages = draw.choice((0, 0, 0, 1))
    return {
        "faults": faults,
        "duplicates": frozenset(call for call in range(1, 40) if draw.random() < 0.1 * share),
        "outages": tuple((draw.uniform(0, 20), draw.choice((5.0, 600.0, 7200.0))) for _ in range(n_outages)),
        "clock_jump": (draw.uniform(0, 10), draw.choice((-7200.0, 3600.0))) if draw.random() < 0.1 else None,
        "interruptions": tuple(_interruption(draw) for _ in range(draw.choice((0, 1, 1, 2, 3)))),
        "disk_faults": tuple(
            DiskFault(draw.randrange(1, draw.choice((60, 400))), draw.choice(("full", "error", "filled", "filled")))
            for _ in range(draw.choice((0, 0, 0, 1)))
        ),
    }


def _fault(name: str, call: int, late: float) -> PlannedFault:
    return PlannedFault(name, call, amount=late if name == "late" else None)


_PLACES = ("", "", "sends", "gets", "gets 429", "begins save", "has done save", "ends")


def _interruption(draw: random.Random) -> Interruption:
    what = draw.choice(_PLACES)
    return Interruption(
        draw.choice(("kill", "power", "power", "cancel", "cancel", "stop")),
        event=draw.randrange(1, draw.choice((2, 4, 9) if what else (12, 30, 80))),
        what=what,
        steps=draw.randrange(8),
        change=draw.choice((0, draw.randrange(1, 12), draw.randrange(1, 300))),
        wait=draw.choice((0.0, 1.0, 600.0)),
    )


def _company(draw: random.Random) -> dict[str, Any]:
    exports = draw.random() < 0.4
    last = draw.choice((1.0, 5.0, 700.0))
    return {
        "n_present": draw.choice((0, 2, 10, 40, 40)) if exports else draw.randrange(3),
        "writes": tuple(
            (draw.uniform(0, last), draw.choice(("create", "update", "delete", "delete")))
            for _ in range(draw.choice((0, 0, 3, 12, 30 if exports else 3)))
        ),
        "exports": exports,
        "export_interruptions": tuple(_interruption(draw) for _ in range(draw.choice((0, 1, 2)))) if exports else (),
        "singles": tuple(
            (draw.uniform(0, 20), draw.choice(("get", "create", "create", "update")))
            for _ in range(draw.choice((0, 1, 4, 8)))
        ),
    }
