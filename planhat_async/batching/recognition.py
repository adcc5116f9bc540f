"""Recognises rows that were read before: by the order of `_id`s, or one by one in a list without that order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import le

import attrs

from planhat_async.batching.page import Id, Page, Row

TAIL_ROWS = 50
"""The rows read last by which a page is recognised."""
_ENOUGH = 10
"""This many of them in a row are taken as proof."""


def is_ascending(page: Page[Row]) -> bool:
    """Whether a page's `_id`s are ascending."""
    if len(page.ids) != len(page.rows):
        return False
    return all(map(le, page.ids, page.ids[1:]))  # equal where a row without an `_id` has that of the row before


def without(seen: Sequence[Id], page: Page[Row]) -> Page[Row]:
    """The page without the rows that were yielded shortly before."""
    known = set(seen)
    if known.isdisjoint(page.ids):
        return page
    kept = [(row, one) for row, one in zip(page.rows, page.ids, strict=True) if one not in known]
    return attrs.evolve(page, rows=[row for row, _ in kept], ids=[one for _, one in kept])


def keeps_order(tail: Sequence[Id], ids: Sequence[Id]) -> bool:
    """Whether the rows that were yielded before come in the same order again."""
    places = {one: place for place, one in enumerate(tail)}
    again = [places[one] for one in ids[: 2 * TAIL_ROWS] if one in places]
    return again == sorted(again)


def index_behind(tail: Sequence[Id], ids: Sequence[Id]) -> int | None:
    """The index after the rows that were yielded before, or `None` if the page does not hold them.

    They count if they begin the page or are many in a row: a single one may have moved there.
    """
    known, enough, end = frozenset(tail), max(1, min(_ENOUGH, len(tail) // 2)), 0
    for is_known, run in groupby(ids, known.__contains__):
        n_run = sum(1 for _ in run)
        end += n_run
        if is_known and (end == n_run or n_run >= enough):
            return end
    return None
