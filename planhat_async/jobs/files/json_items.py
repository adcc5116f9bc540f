"""The rows of JSON that is not one object a line: the items of lists, and objects one after another.

A list of a gigabyte is cut into its items without being read as a whole. Where an item ends is known only as long as
everything before it was JSON: a quote too many turns the texts behind it inside out, so that a customer's text could be
taken for a row. Therefore:

- An item that is JSON is a row: no beginning of a JSON object is a JSON object itself.
- An item that a lenient reader would accept (NaN, a key twice, half a character) has a certain end. It is an invalid
  row, and the items after it are read.
- Behind anything else nothing is read; the rest of the input is one invalid row.

Finding the end of an item by its brackets and quotes takes several times as long as decoding it. But programs put the
same bytes between any two items, up to the name of the first key: what is before these is decoded at once, and only if
that fails, the end is found by its brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from planhat_async.jobs.files.json_fault import fault_in, is_one_value
from planhat_async.jobs.files.json_object import UNDECODED, decoded

MAX_ROW_BYTES: int = 32 * 2**20
"""A larger row is not read: it would fill memory, and Planhat takes no call of that size."""
TOO_LARGE: str = f"it is larger than {MAX_ROW_BYTES // 2**20} MiB"
_PIECE_BYTES = 1 << 17
_BLANKS = re.compile(rb"[ \t\r\n]*+")
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_SCALAR = re.compile(rb'[^ \t\r\n,:"{}\[\]]++')
_NEXT_OF_LIST = re.compile(rb'\}([ \t\r\n]*+,[ \t\r\n]*+)\{[ \t\r\n]*+"[^"\\]*+"')
_NEXT_OBJECT = re.compile(rb'\}([ \t\r\n]*+)\{[ \t\r\n]*+"[^"\\]*+"')
_CUT_OFF = "the list is not closed, so the file was cut off"
_OPENING, _CLOSING = b"{[", b"}]"


class JsonItem(NamedTuple):
    """An item: JSON, or what is to be reported in its place."""

    number: int
    """Counted from 1."""
    line: int
    """The line on which it begins."""
    text: bytes
    """The item; of a rest its beginning."""
    value: Any = UNDECODED
    """What it is; `UNDECODED` if it is not JSON."""
    fault: str = ""
    """Why neither the item nor anything after it is read; empty for an item whose end is certain."""


class JsonItems:
    """Cuts JSON into the items of its lists and its other objects.

    Args:
        read: Returns up to so many more bytes, of UTF-8; none at the end.
        begun: The bytes before those.
        line: The number of their first line.
        number: The number of the first item.
    """

    def __init__(self, read: Callable[[int], bytes], *, begun: bytes = b"", line: int = 1, number: int = 1) -> None:
        self._read = read
        self._buffer, self._at = begun, 0
        self._line, self._number = line, number
        self._joint = b""
        """What stands between items, from the end of one to the name of the first key of the next."""
        self._gap = 0
        """The size of what stands between them only."""
        self._usual_bytes = 0

    def __iter__(self) -> Iterator[JsonItem]:
        try:
            yield from self._all_items()
        except _RestError as rest:
            text = self._buffer[self._at :]
            yield JsonItem(number=self._number, line=self._line, text=text, fault=str(rest))

    def rest(self) -> Iterator[bytes]:
        """The bytes after the beginning of a rest, to be copied."""
        while piece := self._read(_PIECE_BYTES):
            yield piece

    def _all_items(self) -> Iterator[JsonItem]:
        while found := self._next_byte():
            if found == b"[":
                self._at += 1
                self._joint = b""
                yield from self._items_of_list()
                self._joint = b""
            elif found == b"{":
                yield from self._usual_items()
                yield self._item_by_brackets(_NEXT_OBJECT)
            else:
                raise _RestError("something that is not a list or object")

    def _items_of_list(self) -> Iterator[JsonItem]:
        while (found := self._next_byte()) != b"]":
            if not found:
                raise _RestError(_CUT_OFF)
            yield from self._usual_items()
            yield self._item_by_brackets(_NEXT_OF_LIST)
            if (found := self._next_byte()) == b",":
                self._at += 1
            elif found != b"]":
                raise _RestError("a comma is missing" if found else _CUT_OFF)
        self._at += 1

    def _usual_items(self) -> Iterator[JsonItem]:
        """Items up to one that is not followed by the usual bytes: that begins here."""
        while self._joint and (end := self._end_of_usual()) >= 0:
            text = self._buffer[self._at : end]
            value = decoded(text)
            if value is UNDECODED:
                return
            yield self._passed(text, value)
            self._advance(self._gap)

    def _end_of_usual(self) -> int:
        """The end of an item that is followed by the usual bytes; negative if they are not found nearby."""
        for _ in range(2):
            # Nothing far away is searched, in case the next items are unlike.
            end = self._buffer.find(self._joint, self._at, self._at + 4 * self._usual_bytes + 1000)
            if end >= 0:
                return end + 1
            if len(self._buffer) - self._at > 4 * self._usual_bytes + 1000 or not self._fill():
                return -1
        return -1

    def _item_by_brackets(self, joint: re.Pattern[bytes]) -> JsonItem:
        """The item that begins here."""
        size = self._size_by_brackets() if self._buffer[self._at] in b'{["' else self._size_of_scalar()
        text = self._buffer[self._at : self._at + size]
        value = decoded(text)
        if value is UNDECODED and not is_one_value(text):
            raise _RestError(fault_in(text, line=self._line))
        if found := joint.match(self._buffer, self._at + size - 1):
            self._joint, self._gap = found[0], found.end(1) - found.start(1)
        return self._passed(text, value)

    def _passed(self, text: bytes, value: Any) -> JsonItem:
        """An item that begins here; what is next comes after it."""
        item = JsonItem(self._number, self._line, text, value)
        self._number += 1
        self._usual_bytes = len(text)
        self._advance(len(text))
        return item

    def _size_by_brackets(self) -> int:
        """The size of the list, object or text that begins here."""
        depth = size = 0
        while True:
            start = self._at
            for token in _TOKEN.finditer(self._buffer, start + size):
                kind = self._buffer[token.start()]
                if kind in _OPENING:
                    depth += 1
                elif kind in _CLOSING:
                    depth -= 1
                elif token.end() - token.start() == 1:
                    size = token.start() - start  # a quote: the rest of the text is not here yet
                    break
                if depth <= 0:
                    return token.end() - start
            else:
                size = len(self._buffer) - start
            self._more_of_item()

    def _size_of_scalar(self) -> int:
        while True:
            found = _SCALAR.match(self._buffer, self._at)
            if found is None:
                raise _RestError(fault_in(self._buffer[self._at : self._at + _PIECE_BYTES], line=self._line))
            if found.end() < len(self._buffer) or not self._fill():
                return found.end() - found.start()

    def _more_of_item(self) -> None:
        if len(self._buffer) - self._at > MAX_ROW_BYTES:
            raise _RestError(TOO_LARGE)
        if not self._fill():
            raise _RestError(fault_in(self._buffer[self._at :], line=self._line))

    def _next_byte(self) -> bytes:
        """The next byte that is not blank, which is not consumed; none at the end."""
        while True:
            blanks = _BLANKS.match(self._buffer, self._at)
            self._advance(0 if blanks is None else blanks.end() - self._at)
            if self._at < len(self._buffer) or not self._fill():
                return self._buffer[self._at : self._at + 1]

    def _advance(self, size: int) -> None:
        end = self._at + size
        self._line += self._buffer.count(b"\n", self._at, end)
        self._at = end

    def _fill(self) -> bool:
        """Read more, without what is consumed; returns whether there was more."""
        # Twice as much each time, so that a long item is not searched over and over.
        piece = self._read(max(_PIECE_BYTES, len(self._buffer) - self._at))
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return bool(piece)


class _RestError(Exception):
    """Why nothing from here on can be read."""
