"""What an answer states of rows as a whole: decisions only.

An answer may have three counts, lists of what was created and updated, and lists of errors. Each is optional
("Bulk upsert" in Planhat's documentation): where a count is missing, the list counts; where `nonupdates` is missing,
as for tickets, nobody knows of unchanged rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from planhat_async.batching.attribution import objects_in, texts_in
from planhat_async.batching.chunking import Row, key_of
from planhat_async.results import Outcome

COUNTS: dict[Outcome, str] = {Outcome.CREATED: "created", Outcome.UPDATED: "updated", Outcome.UNCHANGED: "nonupdates"}
"""Names of the counts, in the order in which they are believed."""
_COUNT = re.compile("[0-9]{1,7}")
_MAX_COUNT = 10_000_000
_LISTS = {
    Outcome.CREATED: ("insertsKeys", "upsertedIds"),
    Outcome.UPDATED: ("updatesKeys",),
    Outcome.UNCHANGED: (),
}


def count_in(answer: Mapping[str, Any], outcome: Outcome) -> int | None:
    """The number of rows that an answer counts, also where it is text or a float; `None` where it is no such number."""
    count = answer.get(COUNTS[outcome])
    if isinstance(count, str):
        return int(count) if _COUNT.fullmatch(count) else None
    if not isinstance(count, int | float) or isinstance(count, bool) or not 0 <= count <= _MAX_COUNT or count % 1:
        return None
    return int(count)


def n_listed(answer: Mapping[str, Any], outcome: Outcome, rows: Sequence[Row]) -> int:
    """How many records an answer's lists name as created, or as updated."""
    if outcome is Outcome.UNCHANGED:
        return 0
    keys_list, *ids_lists = _LISTS[outcome]
    elements = objects_in(answer.get(keys_list))
    ids = {one["_id"] for one in elements if isinstance(one.get("_id"), str)}
    for name in ids_lists:
        ids.update(texts_in(answer.get(name)))
    if outcome is Outcome.UPDATED and (modified := texts_in(answer.get("modified"))):
        # Not one of the lists that count, but it may name a row by its key.
        keys = {key for row in rows for key in row.keys}
        ids.update(one for one in modified if key_of("_id", one) in keys)
    return max(len(elements), len(ids))


def n_stated(answer: Mapping[str, Any], outcome: Outcome, rows: Sequence[Row]) -> int:
    """How many rows an answer states to have had this outcome: what it counts, else what it lists."""
    count = count_in(answer, outcome)
    return n_listed(answer, outcome, rows) if count is None else count


def has_counts(answer: Mapping[str, Any]) -> bool:
    """Whether an answer counts anything."""
    return any(count_in(answer, outcome) is not None for outcome in COUNTS)


def is_itemised(answer: Mapping[str, Any]) -> bool:
    """Whether an answer states all three, so that it has dropped what it leaves out."""
    return count_in(answer, Outcome.UNCHANGED) is not None and all(
        count_in(answer, outcome) is not None or any(isinstance(answer.get(name), list) for name in _LISTS[outcome])
        for outcome in (Outcome.CREATED, Outcome.UPDATED)
    )


@attrs.define(kw_only=True)
class Earlier:
    """What an answer stated of rows that were sent again after it."""

    created: int = 0
    updated: int = 0
    n_stored: int = 0
    """Rows it stated to be stored."""
    n_found: int = 0
    """Rows that an answer after it has stated to be stored before."""
    is_complete: bool = True
    """Whether it states each row it stored; a refusal need not."""

    @property
    def leaves_doubt(self) -> bool:
        """Whether a row that was refused afterwards may be stored all the same."""
        return not self.is_complete or self.n_found < self.n_stored


def earlier_of(
    answer: Mapping[str, Any], rows: Sequence[Row], named: Iterable[Outcome], *, is_complete: bool
) -> Earlier:
    """What an answer states of rows that are sent again.

    Args:
        answer: The answer.
        rows: The rows it does not blame.
        named: The outcomes of those that it names as stored: they are known by name.
        is_complete: Whether each of them that it has stored is among what it states, if it counts anything.
    """
    stated = {outcome: min(len(rows), n_stated(answer, outcome, rows)) for outcome in COUNTS}
    by_name = Counter(named)
    return Earlier(
        created=max(0, stated[Outcome.CREATED] - by_name[Outcome.CREATED]),
        updated=max(0, stated[Outcome.UPDATED] - by_name[Outcome.UPDATED]),
        n_stored=min(len(rows), sum(stated.values())),
        is_complete=is_complete and has_counts(answer),
    )


def recalled(earlier: Sequence[Earlier], outcome: Outcome, n_rows: int) -> Mapping[Outcome, int]:
    """What rows are in the end, whose last answer states an outcome: what was stored before comes back unchanged.

    Nobody knows which rows those were, so what was stated before is used up.
    """
    if outcome is Outcome.CREATED or not earlier:
        return {outcome: n_rows}
    n_created = 0
    for one in earlier:  # a row is created once, so no two of them speak of the same
        n_here = min(n_rows - n_created, one.created)
        one.created -= n_here
        n_created += n_here
    n_updated = min(n_rows - n_created, max(one.updated for one in earlier))
    for one in earlier:
        one.updated -= min(n_updated, one.updated)
    return Counter({outcome: n_rows - n_created - n_updated}) + Counter(
        {Outcome.CREATED: n_created, Outcome.UPDATED: n_updated}
    )
