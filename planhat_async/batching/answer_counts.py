"""The rows that an answer counts: decisions only.

An answer may have three counts, lists of created and updated records, and lists of errors. Each is optional
("Bulk upsert" in Planhat's documentation): without a count the length of the list counts; without `nonupdates`, as
for tickets, unchanged rows are not reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from planhat_async.batching.attribution import objects_in, texts_in
from planhat_async.batching.chunks import Row, key_of
from planhat_async.results import Outcome

COUNTS: dict[Outcome, str] = {Outcome.CREATED: "created", Outcome.UPDATED: "updated", Outcome.UNCHANGED: "nonupdates"}
"""Names of the counts, in the order in which they apply."""
_COUNT = re.compile("[0-9]{1,7}")
_MAX_COUNT = 10_000_000
_LISTS = {
    Outcome.CREATED: ("insertsKeys", "upsertedIds"),
    Outcome.UPDATED: ("updatesKeys",),
    Outcome.UNCHANGED: (),
}


def count_in(answer: Mapping[str, Any], outcome: Outcome) -> int | None:
    """The count of an outcome, which may also be text or a float; `None` if it is not a whole number."""
    count = answer.get(COUNTS[outcome])
    if isinstance(count, str):
        return int(count) if _COUNT.fullmatch(count) else None
    if not isinstance(count, int | float) or isinstance(count, bool) or not 0 <= count <= _MAX_COUNT or count % 1:
        return None
    return int(count)


def n_listed(answer: Mapping[str, Any], outcome: Outcome, rows: Sequence[Row]) -> int:
    """The number of records that an answer lists as created or as updated."""
    if outcome is Outcome.UNCHANGED:
        return 0
    keys_list, *ids_lists = _LISTS[outcome]
    elements = objects_in(answer.get(keys_list))
    ids = {one["_id"] for one in elements if isinstance(one.get("_id"), str)}
    for name in ids_lists:
        ids.update(texts_in(answer.get(name)))
    if outcome is Outcome.UPDATED and (modified := texts_in(answer.get("modified"))):
        # This list does not count rows, but it may name a row by its key.
        keys = {key for row in rows for key in row.keys}
        ids.update(one for one in modified if key_of("_id", one) in keys)
    return max(len(elements), len(ids))


def n_stated(answer: Mapping[str, Any], outcome: Outcome, rows: Sequence[Row]) -> int:
    """The number of rows that an answer states for an outcome: its count, or the length of its list."""
    count = count_in(answer, outcome)
    return n_listed(answer, outcome, rows) if count is None else count


def has_counts(answer: Mapping[str, Any]) -> bool:
    """Whether an answer counts anything."""
    return any(count_in(answer, outcome) is not None for outcome in COUNTS)


def is_itemised(answer: Mapping[str, Any]) -> bool:
    """Whether an answer states all three outcomes, so that rows missing from it were dropped."""
    return count_in(answer, Outcome.UNCHANGED) is not None and all(
        count_in(answer, outcome) is not None or any(isinstance(answer.get(name), list) for name in _LISTS[outcome])
        for outcome in (Outcome.CREATED, Outcome.UPDATED)
    )


@attrs.frozen(kw_only=True)
class EarlierAnswer:
    """The statements of an answer about rows that were sent again, without those that later answers account for."""

    created: int = 0
    updated: int = 0
    n_stored: int = 0
    """Rows that it stated as stored."""
    n_found: int = 0
    """Rows that later answers stated as stored before."""
    is_complete: bool = True
    """Whether it states every row that it stored; a refusal need not."""

    @property
    def leaves_doubt(self) -> bool:
        """Whether a row that a later answer refuses may be stored."""
        return not self.is_complete or self.n_found < self.n_stored

    def with_found(self, n_rows: int) -> EarlierAnswer:
        """The same after a later answer has stated that `n_rows` were stored before."""
        return attrs.evolve(self, n_found=self.n_found + n_rows)


def earlier_answer(
    answer: Mapping[str, Any], rows: Sequence[Row], named: Iterable[Outcome], *, is_complete: bool
) -> EarlierAnswer:
    """The statements of an answer about rows that are sent again.

    Args:
        answer: The answer.
        rows: The rows that it does not blame.
        named: The outcomes of the rows among them that it names as stored.
        is_complete: Whether it states every row that it has stored, if it counts any.
    """
    stated = {outcome: min(len(rows), n_stated(answer, outcome, rows)) for outcome in COUNTS}
    by_name = Counter(named)
    return EarlierAnswer(
        created=max(0, stated[Outcome.CREATED] - by_name[Outcome.CREATED]),
        updated=max(0, stated[Outcome.UPDATED] - by_name[Outcome.UPDATED]),
        n_stored=min(len(rows), sum(stated.values())),
        is_complete=is_complete and has_counts(answer),
    )


def first_outcomes(
    earlier: Sequence[EarlierAnswer], outcome: Outcome, n_rows: int
) -> tuple[Mapping[Outcome, int], tuple[EarlierAnswer, ...]]:
    """The outcomes of rows by the first answer that stored them: a second answer calls them unchanged or updated.

    Args:
        earlier: The earlier answers about these rows.
        outcome: Their outcome in the last answer.
        n_rows: The number of rows.

    Returns:
        Rows by outcome, and the earlier answers without these rows.
    """
    if outcome is Outcome.CREATED or not earlier:
        return {outcome: n_rows}, tuple(earlier)
    left = [one.with_found(n_rows) for one in earlier]
    n_created = 0
    for index, one in enumerate(left):  # a row is created once, so no two answers state the same creation
        n_here = min(n_rows - n_created, one.created)
        left[index] = attrs.evolve(one, created=one.created - n_here)
        n_created += n_here
    n_updated = min(n_rows - n_created, max(one.updated for one in left))
    left = [attrs.evolve(one, updated=max(0, one.updated - n_updated)) for one in left]
    outcomes = Counter({outcome: n_rows - n_created - n_updated})
    return outcomes + Counter({Outcome.CREATED: n_created, Outcome.UPDATED: n_updated}), tuple(left)
