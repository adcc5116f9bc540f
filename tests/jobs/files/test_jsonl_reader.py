"""Test rows of JSON with one object a line: a line that cannot be read affects only its own row."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.files import json_reader
from planhat_async.jobs.files.json_reader import JsonReader
from planhat_async.jobs.files.utf8_stream import actual_encoding
from planhat_async.jobs.source_error import SourceError

steady = settings(derandomize=True, deadline=None, max_examples=100)
UTF16 = "the text cannot be decoded as utf-16-le: illegal UTF-16 surrogate; nothing from there on was read"


def read(content: bytes, *, encoding: str = "utf-8") -> list[Any]:
    """Return each row, or in its place the message about it."""
    rows: list[Any] = []
    for where, read_row in JsonReader(io.BufferedReader(io.BytesIO(content)), encoding=encoding).rows(None):
        try:
            rows.append(read_row())
        except ValueError as error:
            rows.append(f"{where}: {error}")
    return rows


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_jsonl_has_any_mark_and_line_ends(mark: bytes, end: str) -> None:
    """A byte order mark is not part of the first row, and the last line needs no line break."""
    lines = ['{"title": "Ärger\\n", "tags": [1]}', ' {"title": null, "tags": []}', ""]
    content = mark + ((end or "\n").join(lines[:2]) + end).encode()
    assert read(content) == [{"title": "Ärger\n", "tags": [1]}, {"title": None, "tags": []}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{broken", "an unexpected 'broken' at column 2"),
        (b'{"a": NaN}', "NaN at column 7: JSON has no NaN"),
        ('{"ä": "NaN", "b": [1, -Infinity]}'.encode(), "-Infinity at column 23: JSON has no Infinity"),
        (b'{"a": nan}', "nan at column 7: JSON has no nan"),
        (rb'{"a": "NaN \ud83d"}', r"\ud83d at column 12: it is half a character"),
        (rb'{"a": "\\ud83d \ud83d\ude00 \ude00"}', r"\ude00 at column 29: it is half a character"),
        (b'{"a": "\xff"}', "bytes of another encoding at column 8: see --encoding"),
        (b'{"a": "\xed\xa0\x80"}', "bytes of another encoding at column 8: see --encoding"),
        (b'{"a": "\0"}', "a NUL character at column 8"),
        (b'{"a": "x\ty"}', r"a control character (U+0009) at column 9: JSON writes \t within a text"),
        (rb'{"a": "C:\x"}', r"\x at column 10: JSON has no such escape"),
        (b'{"a": "C:\\\x01"}', "a backslash at column 10: JSON has no such escape"),
        (b'{"a": 1e400}', "the number 1e400 at column 7: it is too large"),
        (b'{"a": %s}' % (b"1" * 5000), f"the number {'1' * 39}… at column 7: it is too large"),
        (b'{"a": 0.%s}' % (b"1" * 5000), "a number of 5,002 digits"),
        (b'{"a": 1},', "a comma behind the object at column 9"),
        (b'{"a": 1} {"b": 2}', "more text behind the object at column 10"),
        (b'{"a": 1,}', "a comma before } at column 8: JSON has none there"),
        (b'{"a": [1,]}', "a comma before ] at column 9: JSON has none there"),
        (b"{'a': 1}", "a single quote at column 2: JSON has double quotes"),
        (b'{"a": True}', "True at column 7: JSON writes true"),
        (b'{"a": None}', "None at column 7: JSON writes null"),
        (b'{"a": 1', "it ends too early at column 8"),
        (b'{"a": "x}', "a text that begins at column 7: it is not closed by a quote"),
        (b'{"a": "x",', None),
        (b'{"a": "b" "c": 1}', "an unexpected '\"' at column 11"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' is there twice in one object"),
        (b'{"a" : 1, "a" : 1}', "the key 'a' is there twice in one object"),
        (b'{"x": [{"a": {"b": 1, "b": 2}}]}', "the key 'b' is there twice in one object"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (codecs.BOM_UTF8 + b"{}", "a byte order mark at column 1"),
        (b"[1]", "not a JSON object but a list"),
        (b'"text"', "not a JSON object but a text"),
        (b"12", "not a JSON object but a number"),
        (b"true", "not a JSON object but true or false"),
        (b"null", "not a JSON object but null"),
        (b'{"not stored because": "x", "line": "{oops"}',
         "it is a copy of a text that could not be read: put the corrected row in its place"),
    ],
)  # fmt: skip
def test_a_line_that_is_not_an_object_affects_only_its_row(line: bytes, reason: str | None) -> None:
    """The message names the line, the column and what is there.

    A line that goes on in the next one, as far as anyone can tell, is not one of a file with one object a line.
    """
    rows = read(b'{"a":1}\n' + line + b'\n{"a":3}\n')
    if reason is None:
        assert rows[0] == {"a": 1}
        assert rows[1].startswith("item 2, line 2: ")
        assert rows[1].endswith("; nothing from there on was read")
    else:
        assert rows == [{"a": 1}, f"line 2: {reason}", {"a": 3}]


@steady
@given(st.lists(st.integers(0, 9) | st.binary(min_size=1, max_size=12)))
def test_no_good_row_is_lost_among_bad_ones(lines: list[int | bytes]) -> None:
    """Good rows are read in order, with any bytes between them."""
    junk = [b"!" + line.replace(b"\n", b"?") if isinstance(line, bytes) else line for line in lines]
    rows = read(b"\n".join(line if isinstance(line, bytes) else b'{"title":"%d"}' % line for line in junk))
    expected = [None if isinstance(line, bytes) else {"title": str(line)} for line in lines]
    assert [None if isinstance(row, str) else row for row in rows] == expected


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12345678901234567890123", 12345678901234567890123),
        ("-9223372036854775809", -9223372036854775809),
        ("0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("12345678901234567.5", Decimal("12345678901234567.5")),
        ("0.10000000000000001", 0.1),
        ("0.1000000000000000055511151231257827", 0.1),
        ("3.0000000000000000", 3.0),
        ("12345678901234567000.0", 12345678901234567000.0),
        ("1.2345678901234567e+19", 1.2345678901234567e19),
        ("5", 5),
        ("0.1", 0.1),
    ],
)
def test_a_number_is_never_changed_silently(written: str, value: Any) -> None:
    """One that no float holds in the digits that are written is a `Decimal`, which a field accepts or refuses."""
    for content in ('{"a": %s}', '{"a": [%s]}', '{"a": [{"b": [%s]}]}', '{"a": {"b": %s}}'):
        (found,) = read((content % written).encode())
        while isinstance(found, dict | list):
            (found,) = found.values() if isinstance(found, dict) else found
        assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("exponent", ["99999999999999999999", "-99999999999999999999"])
def test_an_endless_exponent_makes_one_invalid_row(exponent: str) -> None:
    """Such a number is zero, but `Decimal` cannot read it."""
    line = b'{"a": 0.1234567890123456789, "b": 0e%s}' % exponent.encode()
    assert read(line + b'\n{"a": 1}') == [f"line 1: the number 0e{exponent}: its exponent is too large", {"a": 1}]


def test_a_text_like_a_key_raises_no_doubt() -> None:
    """The number of colons behind quotes is that of keys, or else the keys are compared."""
    row = {"a": 'x":', "b": {"c": '":":"', "d": [{"e": 1}, {"e": 2}]}}
    assert read(json.dumps(row).encode()) == [row]


OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers() | st.none(), min_size=1))


@pytest.mark.slow
@steady
@given(OBJECTS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]),
       st.booleans())  # fmt: skip
def test_any_encoding_of_unicode_is_read(rows: list[dict[str, Any]], encoding: str, is_said: bool) -> None:
    """It is recognised without being said, and the byte order mark may be missing."""
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    content = text.encode(encoding, "replace")
    expected = [json.loads(line) for line in content.decode(encoding).split("\n") if line]
    assert read(content, encoding=encoding if is_said else "utf-8") == expected


def test_utf_16_without_a_mark_is_read_in_the_order_that_it_has() -> None:
    """Python would take it for little-endian."""
    for encoding in ("utf-16-le", "utf-16-be"):
        assert read('{"a": "é"}\n'.encode(encoding), encoding="utf-16") == [{"a": "é"}]


def test_an_encoding_of_single_bytes_is_obeyed() -> None:
    """A byte that it does not have affects only its row."""
    content = '{"a": "é €"}\n'.encode("cp1252")
    assert read(content, encoding="cp1252") == [{"a": "é €"}]
    assert read(b'{"a": "\xe9"}\n', encoding="latin-1") == [{"a": "é"}]
    rows = read(content + b'{"a": "\xc3\x81"}\n{"a": 2}', encoding="cp1252")
    assert rows == [{"a": "é €"}, "line 2: bytes of another encoding at column 9: see --encoding", {"a": 2}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_utf_8_that_is_said_to_be_something_wider_is_refused(encoding: str) -> None:
    """It would be one long line of Chinese characters."""
    with pytest.raises(SourceError) as caught:
        read(b'{"a": 1}', encoding=encoding)
    assert str(caught.value) == f"it is not {encoding}: leave out --encoding, or say another"
    assert read(b"", encoding=encoding) == []


@pytest.mark.parametrize(
    ("head", "said", "actual"),
    [
        (b"", "utf-8", "utf-8"),
        (b"{", "utf-8", "utf-8"),
        (b"!\0\n{", "utf-8", "utf-8"),
        (b"{\0a:", "utf-8", "utf-8"),
        (b'\0{"a', "latin-1", "iso8859-1"),
        (codecs.BOM_UTF16_BE + b"\0{", "utf-8", "utf-16-be"),
        (codecs.BOM_UTF32_LE, "UTF8", "utf-32-le"),
        (codecs.BOM_UTF16_LE + b"{\0", "utf-16-be", "utf-16-le"),
        (b"{}", "utf-7", "utf-7"),
    ],
)
def test_the_encoding_is_recognised_by_the_first_bytes(head: bytes, said: str, actual: str) -> None:
    """An encoding that is not of Unicode is obeyed."""
    assert actual_encoding(head, said) == actual


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('{"a": 1}\n{"a": 2}', [{"a": 1}, f"line 2: {UTF16}"]),
        ('{"a": 1}\n', [{"a": 1}, f"line 2: {UTF16}"]),
        ("", [f"line 1: {UTF16}"]),
        ('[{"a": 1}, {"b', [{"a": 1}, f"item 2, line 1: {UTF16}"]),
        ('[{"a": 1}]', [{"a": 1}, f"the end: {UTF16}"]),
    ],
)
def test_utf_16_ends_where_it_cannot_be_decoded(content: str, rows: list[Any]) -> None:
    """The place of the next character is unknown. Half a row is not taken for a row."""
    assert (
        read(codecs.BOM_UTF16_LE + content.encode("utf-16-le") + b"\x00\xd8" * 2 + "x\n{}".encode("utf-16-le")) == rows
    )


def test_a_line_that_is_too_large_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory holds no more than the largest row, which is bounded; the rows around it are read."""
    monkeypatch.setattr(json_reader, "MAX_ROW_BYTES", 100)
    content = b'{"a": 1}\n{"a": "%s"}\n{"a": 3}' % (b"x" * 1000)
    assert read(content) == [{"a": 1}, "line 2: it is larger than 32 MiB", {"a": 3}]


@pytest.mark.parametrize("write", [json.dumps, lambda rows: json.dumps(rows, indent=2)])
def test_lists_among_lines_are_none_of_rows(write: Callable[[Any], str]) -> None:
    """A list is read item by item only where it is the first thing, or where it goes on over several lines."""
    rows = read(b'{"a": 1}\n' + write([{"a": 2}]).encode() + b'\n{"a": 3}\n')
    is_one_line = write is json.dumps
    assert rows == [{"a": 1}, "line 2: not a JSON object but a list" if is_one_line else {"a": 2}, {"a": 3}]
