"""Test what a snapshot shows of a list that is read again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async.jobs.nightly.snapshot import Snapshot, SnapshotReading

IDS = [f"{number:024x}" for number in (1, 5, 255, 256, 2**95, 2**96 - 1)] + ["a", "B" * 24, "not-an-id", "é"]
Versions = dict[str, int]


def read(before: Snapshot, records: list[tuple[str, int]]) -> tuple[dict[str, str], list[str], Snapshot]:
    """Read a list; return what changed, the `_id`s that are missing, and the snapshot, as it is read from a file."""
    reading = SnapshotReading(before)
    changes: dict[str, str] = {
        id_: change for id_, version in records if (change := reading.take(id_, b"%d" % version))
    }
    return changes, [*reading.missing()], Snapshot.unpack(reading.result().pack())


@given(
    st.dictionaries(st.sampled_from(IDS), st.integers(0, 2)),
    st.dictionaries(st.sampled_from(IDS), st.integers(0, 2)),
    st.randoms(use_true_random=False),
    st.integers(0, 2),
)
def test_a_reading_shows_what_is_new_changed_and_missing(
    old: Versions, new: Versions, draw: random.Random, n_cuts: int
) -> None:
    """The list may be in order, in two lists each in order, or in no order."""
    first = sorted(old.items())
    second = sorted(new.items())
    if n_cuts == 1:
        first, second = first[1::2] + first[::2], second[::2] + second[1::2]
    elif n_cuts == 2:
        draw.shuffle(second)
        draw.shuffle(first)
    changes, missing, snapshot = read(Snapshot(), first)
    assert (changes, missing, len(snapshot)) == (dict.fromkeys(old, "new"), [], len(old))
    changes, missing, after = read(snapshot, second)
    expected = {id_: "new" for id_ in new if id_ not in old}
    expected |= {id_: "changed" for id_ in new.keys() & old.keys() if new[id_] != old[id_]}
    assert (changes, sorted(missing)) == (expected, sorted(old.keys() - new.keys()))
    assert after == read(Snapshot(), sorted(new.items()))[2]


def test_of_a_record_that_comes_twice_the_later_version_counts() -> None:
    """A task that moves between its two lists while they are read is in both."""
    one, two = IDS[:2]
    _, _, snapshot = read(Snapshot(), [(one, 1), (two, 1), (one, 2)])
    assert (len(snapshot), read(snapshot, [(one, 2), (two, 1)])[0]) == (2, {})


def test_many_stretches_in_order_are_sorted() -> None:
    """A list in the opposite order has as many stretches as records."""
    backwards = [(f"{number:024x}", number) for number in range(40, 0, -1)]
    snapshot = read(Snapshot(), backwards)[2]
    assert snapshot == read(Snapshot(), backwards[::-1])[2]
    assert read(snapshot, backwards)[:2] == ({}, [])


def test_a_record_takes_20_bytes() -> None:
    """So that of a million records takes 20 MB."""
    few, many = (len(read(Snapshot(), [(f"{n:024x}", n) for n in range(1, end)])[2].pack()) for end in (2, 102))
    assert many - few == 100 * 20


@pytest.mark.parametrize("content", [b"\0" * 7 + b"\x13" + b"x" * 19 + b"{}", b"\0" * 8 + b"[]", b"x"])
def test_other_content_is_refused(content: bytes) -> None:
    """It is neither records nor an object."""
    with pytest.raises(ValueError, match="not a snapshot"):
        Snapshot.unpack(content)
