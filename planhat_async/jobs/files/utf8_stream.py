"""Text in any encoding, as a stream of UTF-8."""

from __future__ import annotations

import codecs
import io
import json
from typing import BinaryIO

from planhat_async.jobs.source_error import SourceError

_PIECE_BYTES = 1 << 17
_MARKS = {
    "utf-8": (codecs.BOM_UTF8,),
    "utf-16-le": (codecs.BOM_UTF16_LE,),
    "utf-16-be": (codecs.BOM_UTF16_BE,),
    "utf-32-le": (codecs.BOM_UTF32_LE,),
    "utf-32-be": (codecs.BOM_UTF32_BE,),
}
_WITH_MARK = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""Encodings that may begin with a mark, and what they are without one."""


class Utf8Stream(io.RawIOBase):
    """The text of a file, encoded as UTF-8, without a byte order mark.

    UTF-8 itself is passed on unchecked: only the rows that hold other bytes cannot be read. The same is true of other
    encodings of single bytes. UTF-16 and UTF-32 end at the first bytes that cannot be decoded.

    Args:
        file: A buffered file.
        encoding: That of its text; UTF-16 and UTF-32 are recognised, by their mark or by the zeros of ASCII characters,
            also where UTF-8 is said.

    Raises:
        SourceError: The text is not in UTF-16 or UTF-32.
    """

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file = file
        head = file.read(4)
        self._encoding = actual_encoding(head, encoding)
        mark = next((one for one in _MARKS.get(self._encoding, ()) if head.startswith(one)), b"")
        is_wide = self._encoding.startswith(("utf-16", "utf-32"))
        self._is_utf8 = self._encoding == "utf-8"
        self._decoder = codecs.getincrementaldecoder(self._encoding)("strict" if is_wide else "surrogateescape")
        self.failure: str = ""
        """Why nothing is read any more, although the file goes on."""
        begun = head.removeprefix(mark)
        self._piece = begun if self._is_utf8 else self._decoded(begun, is_end=False)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer."""
        if not self._piece:
            self._piece = self._next_piece()
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size

    def _next_piece(self) -> bytes:
        piece: bytes
        while not self.failure and (piece := self._file.read1(_PIECE_BYTES)):  # type: ignore[attr-defined]
            if text := piece if self._is_utf8 else self._decoded(piece, is_end=False):
                return text
        return b"" if self.failure or self._is_utf8 else self._decoded(b"", is_end=True)

    def _decoded(self, piece: bytes, *, is_end: bool) -> bytes:
        try:
            text = self._decoder.decode(piece, final=is_end)
        except UnicodeDecodeError as error:
            self.failure = f"the text cannot be decoded as {self._encoding}: {error.reason}"
            text = error.object[: error.start].decode(self._encoding)
        # A byte outside the encoding becomes bytes that are never UTF-8.
        return text.encode("utf-8", "surrogatepass")


def actual_encoding(head: bytes, encoding: str) -> str:
    """The encoding of a JSON text, by its first four bytes and the encoding that was said.

    Raises:
        SourceError: UTF-16 or UTF-32 is said, and the text has no zero bytes, which every ASCII character has there.
    """
    said = codecs.lookup(encoding).name
    said = _WITH_MARK.get(said, said)
    if not said.startswith("utf") or said == "utf-7":
        return said
    seen = _WITH_MARK.get(seen := json.detect_encoding(head), seen)
    if head.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        seen = seen.replace("-le", "-be")
    if seen != "utf-8" and (_has_mark(head) or _begins_json(head.decode(seen, "replace"))):
        return seen
    if said != "utf-8" and head:
        raise SourceError(f"it is not {encoding}: leave out --encoding, or say another")
    return said


def _has_mark(head: bytes) -> bool:
    return any(head.startswith(mark) for marks in _MARKS.values() for mark in marks)


def _begins_json(text: str) -> bool:
    """Whether these may be the first characters of a list or an object."""
    return text[:1] in set("{[ \t\r\n") and text.isascii()
