"""The encoding of a text: by its byte order mark, or as given. Decisions only."""

from __future__ import annotations

import codecs

MARK_BYTES = 4
"""How many bytes of a text hold the longest byte order mark."""
ALWAYS_DECODED = frozenset({"utf-8", "utf-8-sig", "ascii", "iso8859-1", "cp1252"})
"""Usual encodings in which no bytes are an error, because those of another encoding are decoded as such."""
# The mark of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}


def encoding_of(beginning: bytes, given: str) -> str:
    """The encoding of a text that begins with these bytes; a byte order mark takes precedence over what is given.

    No other text begins with the bytes of a mark: in a Windows code page they would be 'ÿþ' or 'ï»¿'.
    """
    return next((encoding for mark, encoding in _MARKS.items() if beginning.startswith(mark)), normalised(given))


def normalised(encoding: str) -> str:
    """Python's own name of an encoding.

    Raises:
        LookupError: There is no such encoding of text.
    """
    try:
        "".encode(encoding)
        name = codecs.lookup(encoding).name
    except ValueError:  # the name holds a NUL, or the encoding refuses every text
        raise LookupError(encoding) from None
    # Only the encodings that can be read piece by piece: not "idna", for example.
    if codecs.lookup(name).incrementaldecoder is None or name in _OF_NAMES:
        raise LookupError(encoding)
    return name


_OF_NAMES = {"idna", "punycode"}
"""Encodings of domain names."""
