"""Test how a file writes its values, and the remarks about them."""

from __future__ import annotations

from datetime import datetime

import pytest

from planhat_async.jobs.mapping.notation import Notation
from planhat_async.jobs.source_error import SourceError


def parsed(time_zone: str | None = None, list_separator: str | None = None) -> Notation:
    return Notation.parse(time_zone=time_zone, list_separator=list_separator, decimal_comma=False)


def test_remarks_name_what_a_user_may_have_meant_otherwise() -> None:
    """Each is a line with its count, until the values are read again."""
    notation = parsed("Europe/Berlin")
    for text in ("a;b", "c|d", "e"):
        assert notation.separates(text, "tags") == ","
    notation.in_zone(datetime(2024, 10, 27, 2, 30), "start_time")  # noqa: DTZ001
    assert [*notation.remarks.lines(notation.zone)] == [
        "tags: 2 cells hold ; or | and are read as one item each; see --list-separator",
        "start_time: 1 time occurs twice in Europe/Berlin, where clocks are set back: the first is sent",
    ]
    notation.remarks.clear()
    assert [*notation.remarks.lines(None)] == []


def test_a_zone_that_no_time_needed_is_a_remark() -> None:
    """The times may have zones of their own, or be in no field of the model."""
    notation = parsed("Europe/Berlin")
    assert [*notation.remarks.lines(notation.zone)] == ["no time needed the time zone Europe/Berlin"]


def test_a_chosen_separator_is_no_remark() -> None:
    """The user has decided."""
    notation = parsed(list_separator=";")
    assert notation.separates("a|b", "tags") == ";"
    assert [*notation.remarks.lines(None)] == []


@pytest.mark.parametrize("zone", ["Mars", "", "../x", "+02:00"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    """Before any row is read."""
    with pytest.raises(SourceError) as caught:
        parsed(zone)
    assert str(caught.value) == f"time_zone: there is no zone {zone!r}; a zone is called Europe/Berlin or UTC"
