"""Test which rows of a chunk without an answer exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeded, thoroughly

from planhat_async._convert import Fingerprint
from planhat_async.batching.chunks import Row
from planhat_async.batching.verification import (
    N_NEWEST,
    ClaimedIds,
    DescendingScan,
    Floor,
    Horizon,
    Seen,
    UnreadableListError,
    are_shown,
    floor_below,
)


def record(n: int) -> Seen:
    return f"{n:024x}", ((n,), ())


def keyless(position: int, *values: Any) -> Row:
    return Row(position, (), b"1", (values, ()))


def descend(floor: int, page_size: int, read: Callable[[int, int], list[Seen]]) -> tuple[set[str], int]:
    """Read a list down to the floor; return the records found and the number of calls."""
    scan, n_calls = DescendingScan(floor=record(floor)[0], page_size=page_size), 0
    while not scan.is_done:
        n_calls += 1
        scan.take_page(read(scan.offset, page_size))
    return set(scan.records), n_calls


@seeded
@given(st.integers(0, 40), st.integers(0, 45), st.integers(2, 9))
def test_an_unchanged_list_is_read_down_to_the_floor(n_records: int, floor: int, page_size: int) -> None:
    """Every record above it is read, no other, at the cost of its pages and one call."""
    ids = [record(n) for n in range(n_records, 0, -1)]
    found, n_calls = descend(floor, page_size, lambda offset, limit: ids[offset : offset + limit])
    assert found == {one for one, _ in ids if one > record(floor)[0]}
    assert n_calls <= max(0, n_records - floor) // (page_size - 1) + 2


@pytest.mark.slow
@thoroughly
@given(
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 40), max_size=3)), max_size=20),
    st.integers(2, 9),
)
def test_no_surviving_record_is_missed_while_others_come_and_go(
    n_records: int, changes: list[tuple[int, list[int]]], page_size: int
) -> None:
    """Records may be created or deleted between any two pages."""
    there = list(range(n_records, 0, -1))
    deleted: set[int] = set()
    next_id, left = n_records + 1, list(changes)

    def read(offset: int, limit: int) -> list[Seen]:
        nonlocal next_id
        if offset and left:
            n_created, gone = left.pop()
            deleted.update(set(gone) & set(there))
            there[:] = [n for n in there if n not in gone]
            there[:0] = range(next_id + n_created - 1, next_id - 1, -1)
            next_id += n_created
        return [record(n) for n in there[offset : offset + limit]]

    found, _ = descend(0, page_size, read)
    assert found >= {record(n)[0] for n in range(1, n_records + 1) if n not in deleted}


def test_pages_may_be_shorter_than_requested() -> None:
    """A capped page does not end the list."""
    ids = [record(n) for n in range(20, 0, -1)]
    found, _ = descend(0, 10, lambda offset, _: ids[offset : offset + 3])
    assert len(found) == 20


@pytest.mark.parametrize(
    "read",
    [
        lambda _, limit: [record(n) for n in range(1, limit + 1)],
        lambda _, limit: [record(9)] * limit,
        lambda offset, limit: [record(n + limit) for n in range(limit, 0, -1)] if not offset else [],
        lambda offset, limit: [record(n + offset) for n in range(100 + limit, 100, -1)],
    ],
    ids=["ascending", "the same row", "a gap that stays", "ever newer"],
)
def test_an_inconsistent_list_is_given_up(read: Callable[[int, int], list[Seen]]) -> None:
    """Its records are not trusted."""
    scan = DescendingScan(floor=record(0)[0], page_size=4)
    with pytest.raises(UnreadableListError):  # noqa: PT012 - which page it is does not matter
        for _ in range(200):
            scan.take_page(read(scan.offset, 4))


def test_a_server_that_ignores_the_offset_is_detected() -> None:
    """A repeated first page proves nothing about the records below it."""
    scan = DescendingScan(floor=record(0)[0], page_size=4)
    page = [record(n) for n in range(20, 16, -1)]
    with pytest.raises(UnreadableListError):  # noqa: PT012 - which page it is does not matter
        for _ in range(200):
            scan.take_page(page)
            assert not scan.is_done


@pytest.mark.parametrize(
    ("newest", "floor"),
    [
        ("6b0690ab314fb7dfd82c07ce", "6b06906f0000000000000000"),
        ("0000000a314fb7dfd82c07ce", "000000000000000000000000"),
        ("", ""),
        ("no object id", ""),
    ],
)
def test_the_floor_lies_a_minute_below_the_newest_record(newest: str, floor: str) -> None:
    """Without a valid newest `_id`, every record is above the floor."""
    assert floor_below(newest) == floor


NOW = 0x6B0690AB


@pytest.mark.slow
@seeded
@given(
    n_before=st.integers(0, 1200),
    n_ahead=st.integers(0, N_NEWEST - 1),
    seconds=st.integers(0, 40),
    is_named=st.booleans(),
)
def test_new_records_lie_above_the_floor_although_some_ids_lie_in_the_future(
    n_before: int, n_ahead: int, seconds: int, *, is_named: bool
) -> None:
    """Fewer than a thousand `_id`s do; clocks of machines that create `_id`s may differ by up to a minute."""
    before = [f"{NOW - n:08x}" + "0" * 16 for n in range(n_before)]
    ahead = [f"ffff{n:020x}" for n in range(n_ahead)]
    newest = sorted(before + ahead, reverse=True)[:N_NEWEST]
    horizon = Horizon(frozenset(newest))
    assert horizon.floor.id < f"{NOW - 59 + seconds:08x}" + "0" * 16
    assert horizon.floor.known == set(newest)
    if is_named:
        horizon.note_created([f"{NOW + seconds:08x}" + "1" * 16, f"{NOW:08x}" + "1" * 16])
        assert horizon.floor.id == f"{NOW + seconds - 60:08x}" + "0" * 16


def test_a_list_of_few_records_has_no_floor() -> None:
    """All of its records may be imported ones from the future."""
    newest = [f"{NOW + n:08x}" + "0" * 16 for n in range(N_NEWEST)]
    assert Horizon(frozenset(newest[1:])).floor == Floor("", frozenset(newest[1:]))
    assert Horizon(frozenset(newest)).floor.id == f"{NOW - 60:08x}" + "0" * 16


def test_a_record_is_claimed_once() -> None:
    """Two rows of the same fingerprint need two records."""
    claimed = ClaimedIds()
    rows = [keyless(0, "a"), keyless(1, "a"), keyless(2, "b")]
    first = claimed.match(rows, [("1", (("a",), ())), ("2", (("c",), ()))])
    assert ([(row.position, one) for row, one in first.found], [row.position for row in first.missing]) == (
        [(0, "1")],
        [1, 2],
    )
    second = claimed.match(first.missing, [("1", (("a",), ())), ("3", (("b",), ()))])
    assert second == ([(rows[2], "3")], (rows[1],), (rows[1],))


def test_a_missing_row_is_ambiguous_if_an_equal_one_was_found_in_a_list() -> None:
    """The record that was found may be the missing row's: only an answer proves whose it is."""
    claimed = ClaimedIds()
    claimed.claim(["1"])
    rows = (keyless(0, "a"), keyless(1, "b"))
    assert claimed.match(rows, [("1", (("a",), ()))]).ambiguous == ()
    assert claimed.match([keyless(2, "b")], [("2", (("b",), ()))]).ambiguous == ()
    assert claimed.match(rows, [("1", (("a",), ())), ("2", (("b",), ()))]) == ([], rows, rows[1:])


def test_a_record_named_in_an_answer_is_claimed() -> None:
    """It is a row of another chunk."""
    claimed = ClaimedIds()
    claimed.claim(["2", "1"])
    assert claimed.match([keyless(0, "a")], [("1", (("a",), ()))]) == ([], (keyless(0, "a"),), ())


def test_claims_below_every_floor_are_dropped() -> None:
    """No later search reads that far down."""
    claimed = ClaimedIds()
    claimed.claim(["1", "2", "3"])
    claimed.forget_below("3")
    assert claimed == ClaimedIds({"3": None}, claimed._order)


@pytest.mark.slow
@seeded
@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abcd"), max_size=8))
def test_as_many_rows_are_found_as_there_are_records(fingerprints: list[str], there: list[str]) -> None:
    """This holds for each fingerprint; every row is either found or missing."""
    rows = [keyless(n, fingerprint) for n, fingerprint in enumerate(fingerprints)]
    found, missing, _ = ClaimedIds().match(
        rows, [(str(n), ((fingerprint,), ())) for n, fingerprint in enumerate(there)]
    )
    assert sorted([row for row, _ in found] + list(missing), key=lambda row: row.position) == rows
    for fingerprint in "abc":
        assert sum(row.fingerprint == ((fingerprint,), ()) for row, _ in found) == min(
            fingerprints.count(fingerprint), there.count(fingerprint)
        )
    assert len({one for _, one in found}) == len(found)


@pytest.mark.parametrize(
    ("fingerprints", "shown"),
    [
        ([], True),
        ([(("x", None), ("note",))], False),
        ([((None, None), ("note",)), (("x", None), ("note",)), ((None, 7), ("note",))], True),
        ([((None, None), ("email",))], True),
        ([((None, None), ("email",)), ((None, 7), ("note",))], False),
    ],
)
def test_fields_that_are_never_returned_prove_nothing(fingerprints: list[Fingerprint], *, shown: bool) -> None:
    """The listed records show which fields are returned."""
    assert are_shown([Row(0, (), b"1", (("a", 1), ("note",)))], fingerprints) is shown
