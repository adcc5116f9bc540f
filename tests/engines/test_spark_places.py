"""Test how far a stream of new records goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planhat_async.engines.spark_places import Place, offset_of, places_of, settled_place

IDS = st.integers(0, 99).map(lambda seconds: f"{seconds:08x}" + "ab" * 8)


def test_places_are_kept_as_json() -> None:
    """In a steady order, because Spark compares the text."""
    places = {"1": Place(), "0": Place(last="a", n_before=3)}
    assert [*offset_of(places)] == ["0", "1"]
    assert places_of(offset_of(places)) == places


@given(IDS | st.just(""), IDS | st.none(), st.integers(0, 120), st.integers(0, 20))
def test_a_stream_goes_forward_to_what_is_settled(last: str, newest: str | None, now: int, settle_seconds: int) -> None:
    """It ends before records of the last seconds, and never goes back."""
    before = Place(last=last, n_before=7)
    place = settled_place(before, newest, now=now, settle_seconds=settle_seconds)
    assert place.n_before == 7
    assert place.last >= last
    if place == before:
        return
    assert newest is not None
    assert place.last <= newest
    assert settle_seconds == 0 or int(place.last[:8], 16) <= max(0, now - settle_seconds)


@given(IDS, st.integers(100, 200))
def test_a_stream_reaches_the_newest_record_in_the_end(newest: str, now: int) -> None:
    """Once it is old enough."""
    assert settled_place(Place(), newest, now=now + 10, settle_seconds=10) == Place(last=newest)
    assert settled_place(Place(), newest, now=0, settle_seconds=0) == Place(last=newest)
