"""How far a stream of new records is: decisions only.

New records have greater `_id`s than older ones, apart from those of the same few seconds, because Planhat's servers
make them independently of each other. So a stream goes no further than to the records of some seconds ago.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Place:
    """A place in a list."""

    last: str = ""
    """The greatest `_id` before the place; empty at the beginning of the list."""
    n_before: int = 0
    """At most so many records are before it, as far as is known; it saves calls, and nothing depends on it."""


Places = Mapping[str, Place]
"""A place in each of a model's lists, by the lists' numbers."""


def offset_of(places: Places) -> dict[str, Any]:
    """The places as JSON values, as Spark keeps them."""
    return {name: attrs.asdict(place) for name, place in sorted(places.items())}


def places_of(offset: Mapping[str, Any]) -> dict[str, Place]:
    """The places in what Spark has kept."""
    return {name: Place(**place) for name, place in offset.items()}


def settled_place(before: Place, newest: str | None, *, now: float, settle_seconds: float) -> Place:
    """The place up to which a list may be read.

    Args:
        before: The last such place.
        newest: The greatest `_id` in the list, if it has any records.
        now: Seconds since 1970.
        settle_seconds: For how long `_id`s may come in another order than their own.
    """
    if newest is None:
        return before
    last = min(newest, _first_id_of(now - settle_seconds)) if settle_seconds else newest
    return before if last <= before.last else attrs.evolve(before, last=last)


def _first_id_of(seconds: float) -> str:
    """An `_id` that is less than all that are made in this second or later."""
    return f"{max(0, int(seconds)):08x}" + "0" * 16
