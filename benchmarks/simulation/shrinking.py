"""Makes a night that fails smaller, as long as the same oracle finds fault with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from benchmarks.simulation.night import evidence_of
from benchmarks.simulation.oracles import violations
from benchmarks.simulation.plan import Interruption, Plan
from planhat_async.sandbox.choices import Choices

_LISTS = ("rows", "faults", "interruptions", "export_interruptions", "disk_faults", "writes", "singles", "outages")
_SIMPLE: dict[str, Any] = {
    "duplicates": frozenset(),
    "clock_jump": None,
    "choices": Choices(),
    "exports": False,
    "n_present": 0,
    "concurrency": 1,
    "isolates": False,
    "verifies": False,
    "resends_unknown": False,
    "transit": 0.1,
    "per_minute": 200,
}


def shrunk(plan: Plan, *, max_nights: int = 400, fails: Callable[[Plan, str], bool] | None = None) -> Plan:
    """The smallest night found that fails as this one does; the plan itself if it does not fail.

    Args:
        plan: A night that fails.
        max_nights: How many nights are tried at most.
        fails: Whether a night fails by an oracle of this name.
    """
    oracle = oracle_of(violations(evidence_of(plan))) if fails is None else ""
    fails = fails or (lambda one, name: any(oracle_of([what]) == name for what in violations(evidence_of(one))))
    n_nights, is_smaller = 0, True
    while is_smaller:
        is_smaller = False
        for smaller in _smaller(plan):
            n_nights += 1
            if n_nights > max_nights:
                return plan
            if fails(smaller, oracle):
                plan, is_smaller = smaller, True
                break
    return plan


def oracle_of(found: list[str]) -> str:
    """The name of the oracle that speaks first; empty if none does."""
    return found[0].partition(":")[0] if found else ""


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Nights with less of one thing, those with much less first."""
    for name, value in _SIMPLE.items():
        if getattr(plan, name) != value:
            yield _changed(plan, name, value)
    for name in _LISTS:
        yield from (_changed(plan, name, fewer) for fewer in _fewer(getattr(plan, name)))
    for name in ("interruptions", "export_interruptions"):
        items = getattr(plan, name)
        for place, one in enumerate(items):
            for simpler in _simpler(one):
                yield _changed(plan, name, (*items[:place], simpler, *items[place + 1 :]))
    for place, row in enumerate(plan.rows):
        if row.kind != "plain":
            plain = attrs.evolve(row, kind="plain")
            yield attrs.evolve(plan, rows=(*plan.rows[:place], plain, *plan.rows[place + 1 :]))


def _changed(plan: Plan, name: str, value: Any) -> Plan:
    changes: dict[str, Any] = {name: value}
    return attrs.evolve(plan, **changes)


def _fewer(items: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The items without some that follow each other: first without all, last without one."""
    size = len(items)
    while size:
        for start in range(0, len(items), size):
            yield (*items[:start], *items[start + size :])
        size //= 2


def _simpler(one: Interruption) -> Iterator[Interruption]:
    if one.event > 1:
        yield attrs.evolve(one, event=one.event // 2)
        yield attrs.evolve(one, event=one.event - 1)
    if one.steps:
        yield attrs.evolve(one, steps=0)
    if one.change:
        yield attrs.evolve(one, change=0)
