"""Test that the encoding of a text is that of its byte order mark, or the given one."""

from __future__ import annotations

import codecs

import pytest

from planhat_async.jobs.files.text_encoding import encoding_of, normalised


@pytest.mark.parametrize(
    ("beginning", "given", "expected"),
    [
        (b"titl", "utf-8", "utf-8"),
        (b"titl", "UTF8", "utf-8"),
        (b"", "cp1252", "cp1252"),
        (codecs.BOM_UTF8 + b"t", "utf-8", "utf-8-sig"),
        (codecs.BOM_UTF8 + b"t", "cp1252", "utf-8-sig"),
        (codecs.BOM_UTF16_LE + b"t\0", "utf-8", "utf-16"),
        (codecs.BOM_UTF16_LE + b"t\0", "utf-16-le", "utf-16"),
        (codecs.BOM_UTF16_BE + b"\0t", "utf-8", "utf-16"),
        (codecs.BOM_UTF32_LE, "utf-8", "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-8", "utf-32"),
    ],
)
def test_a_byte_order_mark_takes_precedence(beginning: bytes, given: str, expected: str) -> None:
    """It is in no other text; that of UTF-32 begins with that of UTF-16."""
    assert encoding_of(beginning, given) == expected


@pytest.mark.parametrize("encoding", ["klingon", "", "hex", "rot13", "undefined", "utf-8\0", "idna", "punycode"])
def test_what_is_no_encoding_of_text_is_refused(encoding: str) -> None:
    """Python has encodings of bytes, of names of hosts, and one that fails always."""
    with pytest.raises(LookupError):
        normalised(encoding)
