"""Test that the lines of a record are remembered, and limited."""

from __future__ import annotations

import io
import itertools
import re

import pytest

from planhat_async.jobs.files import record_lines
from planhat_async.jobs.files.record_lines import RecordLines, RecordTooLongError, TextLines, count_lines


def text_of(content: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content.encode()), newline="", encoding="utf-8")


def test_only_line_feeds_and_carriage_returns_end_lines() -> None:
    """Others, which `str.splitlines` splits at, belong to cells."""
    content = "a\x0b\x0c\x1c\x85\u2028\u2029b\nc\rd\r\ne"
    assert list(iter(TextLines(text_of(content)))) == ["a\x0b\x0c\x1c\x85\u2028\u2029b\n", "c\r", "d\r\n", "e"]


@pytest.mark.parametrize("size", range(1, 7))
def test_what_is_taken_and_put_back_divides_no_line(size: int) -> None:
    """Of any text, at any place, also between the two characters of a line end."""
    for content in map("".join, itertools.product("a\r\n", repeat=size)):
        for n_chars in range(1, size + 1):
            lines = TextLines(text_of(content))
            lines.put_back(lines.take(n_chars))
            assert [*lines] == io.StringIO(content, newline="").readlines(), (content, n_chars)


def test_the_lines_of_a_record_are_remembered_until_they_are_cleared() -> None:
    """Those that were read ahead come first."""
    lines = RecordLines(["a\n"], iter(["b\n", "c\n"]))
    passed = iter(lines)
    assert [next(passed), next(passed), [*lines.record]] == ["a\n", "b\n", ["a\n", "b\n"]]
    lines.record.clear()
    assert [next(passed), lines.record] == ["c\n", ["c\n"]]


@pytest.mark.parametrize("content", ["x" * 110 + "\n", "x" * 400, "x\n" * 3])
def test_a_record_is_limited(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """One line may be too long, or many lines."""
    monkeypatch.setattr(record_lines, "MAX_RECORD", 100)
    with pytest.raises(RecordTooLongError, match=re.escape("a row has more than 100 bytes, perhaps by an open quote")):
        list(RecordLines([], iter(TextLines(text_of(content)))))


def test_many_short_records_are_not_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is that of one."""
    monkeypatch.setattr(record_lines, "MAX_RECORD", 100)
    lines, n_lines = RecordLines([], iter(TextLines(text_of("12345678\n" * 50)))), 0
    for _ in lines:
        n_lines += 1
        lines.record.clear()
    assert n_lines == 50


def test_the_rest_begins_with_the_record() -> None:
    """Nothing is lost between the two."""
    lines = RecordLines([], iter(TextLines(text_of("a\nb\nc\nd"))))
    passed = iter(lines)
    next(passed)
    lines.record.clear()
    next(passed)
    assert list(lines.rest()) == ["b\n", "c\n", "d"]


@pytest.mark.parametrize(
    ("parts", "n_lines"), [([], 0), (["a\n"], 1), (["a"], 1), (["a\n", "b"], 2), (["a", "b\r\n", "\r"], 2)]
)
def test_lines_are_counted_by_their_ends(parts: list[str], n_lines: int) -> None:
    """The last one needs none, and a long one comes in parts."""
    assert count_lines(parts) == n_lines
