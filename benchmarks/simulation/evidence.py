"""What the server and the commands of a night did, as plain values for the oracles."""

from __future__ import annotations

from typing import Any

import attrs

from benchmarks.simulation.plan import Plan


@attrs.frozen
class Arrival:
    """A request as it reached the server."""

    at: float
    process: str
    method: str
    is_copy: bool = False
    """Whether the network delivered it a second time."""


@attrs.frozen
class Applied:
    """A row that the server stored."""

    at: float
    marker: str
    record_id: str
    is_created: bool


@attrs.frozen
class Attempt:
    """An attempt at a call."""

    process: str
    call: int
    """The number of the call, which attempts at it share."""
    at: float
    """When it began."""
    is_counted: bool
    """Whether it counts for the limit of attempts: those answered with 429 do not."""


@attrs.frozen
class Pause:
    """An answer of 429."""

    process: str
    begun: float
    """When its attempt began."""
    at: float
    until: float
    """The end of its `Retry-After`."""


@attrs.define
class Run:
    """One run of the job's command."""

    process: str
    end: str
    """`done`, `stopped` (by Planhat's refusal or an interrupt), `cancelled`, `killed`, or the text of an error."""
    counts: dict[str, int] = attrs.field(factory=dict)
    """The rows of the result by outcome."""
    not_stored: dict[str, list[int]] = attrs.field(factory=dict)
    """Positions by outcome."""
    n_chunks: int = 0
    seen_stored: set[int] = attrs.field(factory=set)
    """Positions that the user saw as stored while it ran."""
    n_told: int | None = None
    """Rows of the chunks that it has handed out; `None` if chunks of earlier runs are among those of the result."""
    told: set[int] = attrs.field(factory=set)
    """Numbers of the chunks that it has handed out, but for those whose rows it has not begun to send."""
    earlier: set[int] = attrs.field(factory=set)
    """Numbers of the chunks that it calls those of earlier runs."""


@attrs.define
class Export:
    """The runs of an export."""

    begun: float = 0.0
    ended: float | None = None
    runs: list[str] = attrs.field(factory=list)
    """How each ended."""
    is_named: bool = False
    """Whether the file had its name at the end of the night."""
    ids: list[str] | None = None
    """The `_id`s in the file; `None` if it is not whole."""
    n_seen_incomplete: int = 0
    """How often the file had its name although it was not whole."""


@attrs.define
class Evidence:
    """What happened in a night."""

    plan: Plan
    runs: list[Run] = attrs.field(factory=list)
    arrivals: list[Arrival] = attrs.field(factory=list)
    applied: list[Applied] = attrs.field(factory=list)
    sent: dict[str, int] = attrs.field(factory=dict)
    """By the marker of a row, how many times a body with it has left."""
    attempts: list[Attempt] = attrs.field(factory=list)
    pauses: list[Pause] = attrs.field(factory=list)
    n_refused: int = 0
    """Rows that answers to bulk upserts have refused: by name, or with the whole body."""
    copied: set[str] = attrs.field(factory=set)
    """Markers of rows that arrived twice, perhaps with two outcomes."""
    stored: dict[str, str] = attrs.field(factory=dict)
    """The marker of each record at the end, by `_id`."""
    key_of: dict[str, str] = attrs.field(factory=dict)
    """The key of each record at the end, by `_id`."""
    lives: dict[str, tuple[float, float]] = attrs.field(factory=dict)
    """When each record was created and deleted."""
    export: Export = attrs.field(factory=Export)
    singles: list[tuple[str, str, str]] = attrs.field(factory=list)
    """Single calls: what, the marker, and how it ended (`ok` or the error's name)."""
    leaks: list[str] = attrs.field(factory=list)
    rejects: list[tuple[list[int], list[int]]] = attrs.field(factory=list)
    """Of each file of rejects: the positions in it, and those in the result."""
    journal_faults: list[str] = attrs.field(factory=list)
    """Rows of the journal that contradict each other."""
    trace: list[str] = attrs.field(factory=list)
    coverage: set[tuple[Any, ...]] = attrs.field(factory=set)
    hours: float = 0.0
    """Simulated time."""
    n_changes: int = 0
    """Changes of files."""
