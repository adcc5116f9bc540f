"""Rows of JSON: one object a line, lists of objects, or objects one after another."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO, NoReturn

from planhat_async._convert import encode_plain, split_object
from planhat_async.jobs.files.json_items import MAX_ROW_BYTES, TOO_LARGE, JsonItems
from planhat_async.jobs.files.json_object import TEXT_COLUMN, UNDECODED, decoded, exact_object, json_object
from planhat_async.jobs.files.table_reader import CopyRow, FileReader, RawRow
from planhat_async.jobs.files.utf8_stream import Utf8Stream
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.source_error import SourceError

_PIECE_BYTES = 1 << 17
_BLANKS = b" \t\r\n"
_TEXTS = re.compile(rb'"(?:[^"\\]++|\\.)*+"')


class JsonReader(FileReader):
    """Reads JSON in the form it has: by lines while each line is a value of its own, or else by lists and objects.

    A line that cannot be read affects only its own row, because no text in JSON contains a line end. For the other
    forms see `json_items`. Blank lines are ignored.

    Args:
        file: A buffered file.
        encoding: See `Utf8Stream`.

    Raises:
        SourceError: It is not in the encoding.
    """

    n_bytes_taken: int = 0

    def __init__(self, file: BinaryIO, *, encoding: str = "utf-8") -> None:
        self._stream = Utf8Stream(file, encoding)
        self._file = io.BufferedReader(self._stream, _PIECE_BYTES)
        self._text = b""
        """The row that was yielded last."""
        self._more: Iterator[bytes] = iter(())
        """What belongs to it and is not read yet."""
        self._is_rest = False
        """Whether it is everything behind a fault."""

    def rows(self, columns: Sequence[str] | None) -> Iterator[RawRow]:  # noqa: ARG002 - each row names its own
        """Each row in its order."""
        n_lines = self._skip_blanks()
        # Not by `readline`: a whole list may be on one line.
        if self._file.peek(1).startswith(b"["):
            yield from self._items(b"", line=n_lines + 1, number=1)
        else:
            yield from self._lines(n_lines)

    def _skip_blanks(self) -> int:
        """Skip all blanks; returns the number of lines that they fill."""
        n_lines = 0
        while (ahead := self._file.peek(1)) and ahead[:1] in _BLANKS:
            n_lines += self._file.read(len(ahead) - len(ahead.lstrip(_BLANKS))).count(b"\n")
        return n_lines

    def _lines(self, number: int) -> Iterator[RawRow]:
        """The rows of everything from here on, by lines, after so many lines."""
        n_rows = 0
        while line := self._file.readline(MAX_ROW_BYTES):
            number += 1
            self._text = line
            self.n_bytes_taken += len(line)
            if line.endswith(b"}\n"):
                n_rows += 1
                yield RawRow(f"line {number}", partial(json_object, line))
            elif not line.endswith(b"\n") and self._stream.failure:
                yield from self._failure(f"line {number}")
                return
            elif _goes_on(content := line.strip()):
                yield from self._items(line, line=number, number=n_rows + 1)
                return
            elif content:
                n_rows += 1
                yield from self._unusual_line(line, number)
        yield from self._failure(f"line {number + 1}")

    def _unusual_line(self, line: bytes, number: int) -> Iterator[RawRow]:
        """A line that is not an object, or the last one, or one that is too large to be read."""
        if line.endswith(b"\n") or len(line) < MAX_ROW_BYTES:
            yield RawRow(f"line {number}", partial(json_object, line))
            return
        self._more = self._rest_of_line()
        yield RawRow(f"line {number}", partial(_refuse, TOO_LARGE))
        for _ in self._more:
            pass

    def _rest_of_line(self) -> Iterator[bytes]:
        while piece := self._file.readline(_PIECE_BYTES):
            yield piece
            if piece.endswith(b"\n"):
                return

    def _items(self, begun: bytes, *, line: int, number: int) -> Iterator[RawRow]:
        """The rows of everything from here on, by lists and objects."""
        items = JsonItems(self._file.read1, begun=begun, line=line, number=number)
        for item in items:
            self._text = item.text
            self.n_bytes_taken += len(item.text)
            where = f"item {item.number}, line {item.line}"
            if item.fault:
                self._more, self._is_rest = items.rest(), True
                fault = self._stream.failure or item.fault
                yield RawRow(where, partial(_refuse, f"{fault}; nothing from there on was read"))
                return
            yield RawRow(where, partial(json_object, item.text, item.value, line=item.line))
        yield from self._failure("the end")

    def _failure(self, where: str) -> Iterator[RawRow]:
        """What could not be decoded, if there is any, as one row."""
        if self._stream.failure:
            yield RawRow(where, partial(_refuse, f"{self._stream.failure}; nothing from there on was read"))

    @contextmanager
    def copying(self, out: BinaryIO) -> Iterator[CopyRow]:
        """Copy rows as JSONL in UTF-8 with a reason in front; what is not JSON becomes text."""

        def copy_row(reason: str) -> None:
            out.write(b"{" + encode_plain(REASON_COLUMN) + b":" + encode_plain(reason))
            out.writelines(_as_line(self._text, self._more) if self._is_rest else _after_reason(self._text, self._more))
            out.write(b"}\n")

        yield copy_row


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)


def _goes_on(content: bytes) -> bool:
    """Whether a line is the beginning of a value that is laid out over several."""
    if content[:1] not in {b"{", b"["} or content[-1:] not in {b"{", b"[", b",", b":"}:
        return False
    outside = _TEXTS.sub(b"", content)
    n_open = outside.count(b"{") + outside.count(b"[") - outside.count(b"}") - outside.count(b"]")
    return n_open > 0 and b'"' not in outside


def _after_reason(text: bytes, more: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces of a copied row after its reason: the same keys and values, or a text."""
    value = decoded(text)
    if type(value) is not dict:
        if value is UNDECODED:
            yield from _as_line(text, more)
        else:
            yield b"," + encode_plain(TEXT_COLUMN) + b":" + text.strip()
        return
    try:
        exact_object(text, value)
    except ValueError:
        # Such as a key that is there twice: the copy would have one of its values, and would be sent as it is.
        yield from _as_line(text, more)
        return
    for name, held in (split_object(text) or {}).items():
        if name != REASON_COLUMN:
            yield b"," + encode_plain(name) + b":" + held.replace(b"\r", b" ").replace(b"\n", b" ")


def _as_line(text: bytes, more: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces of a text that is not a row, after the reason."""
    yield b"," + encode_plain(TEXT_COLUMN) + b":"
    yield from _as_text(text, more)


def _as_text(text: bytes, more: Iterable[bytes]) -> Iterator[bytes]:
    decoder: Any = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    yield b'"' + _escaped(decoder.decode(text))
    with suppress(SourceError):  # compressed data may be damaged further on: nothing more can be copied
        for piece in more:
            yield _escaped(decoder.decode(piece))
    yield _escaped(decoder.decode(b"", final=True)) + b'"'


def _escaped(text: str) -> bytes:
    return encode_plain(text)[1:-1]
