"""Random requests, both valid and invalid; the same draw gives the same requests."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote

import msgspec

from planhat_async.sandbox.models import ALL

METHODS = ("GET", "GET", "PUT", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "X-Y")
PATHS = (
    *(rules.path for rules in ALL if rules.path is not None for _ in range(3)),
    "notes",
    "",
    ".",
    "..",
    "companies",
    "Tasks",
    "tasks%00",
    "é",
    "x" * 300,
)
PREFIXES = ("", "", "extid-", "srcid-", "extid-srcid-")
QUERIES = [
    *("limit", "offset", "sort", "select", "x"),
    *sorted({one.parameter for rules in ALL for one in rules.filters}),
]
FIELDS = sorted({field for rules in ALL for field in rules.writable} | {"_id", "nobody", "__v"})
TEXTS = [
    *("", "a", "0", "-1", "1e9", "true", "null", "_id", "-_id", "-custom.a", "custom.", "custom.a.b", "a,b,,"),
    *("é\u0000\n", "9" * 30, "\\", '"', "%00", "x" * 200, "\U0001f600"),
    *("2022-07-05T14:02:16.181Z", "2022-99-99", "0001-01-01T00:00:00+23:59"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 3, 1.5, 2**63, -(2**64), 1e308, [], {}, [[]], [{}], {"a": 1}, {"a": {"b": [1, 2]}}),
    [None, 1, "a", {"id": "a"}, {"id": ["a"]}, {"id": None}],
    [{"status": "open", "time": "2020"}],
]
RAW = [
    *(b"", b"{", b"[", b"\xff\xfe", b"nul", b'"\\ud800"', b"1e999", b"[" * 5000, b'{"a":' * 3000),
    *(b"[]]", b"[null]", b'{"_id":null}'),
]


class RequestsAtRandom:
    """Draws requests; keys sometimes belong to existing records.

    Args:
        draw: The source of every decision.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self.ids = ["0" * 24]

    def method(self) -> str:
        return self._draw.choice(METHODS)

    def segments(self) -> list[str]:
        path = self._draw.choice(PATHS)
        more = self._draw.choice((0, 0, 1, 1, 1, 2))
        return [path, *(self._draw.choice(PREFIXES) + self.text() for _ in range(more))]

    def query(self) -> list[tuple[str, str]]:
        n_pairs = self._draw.choice((0, 0, 1, 2, 5))
        return [(self._draw.choice(QUERIES), self.text()) for _ in range(n_pairs)]

    def body(self) -> bytes:
        kind = self._draw.random()
        if kind < 0.1:
            return self._draw.choice(RAW)
        if kind < 0.2:
            return msgspec.json.encode(self.value())
        rows = [self.row() for _ in range(self._draw.choice((1, 1, 2, 5, 50)))]
        return msgspec.json.encode(rows if kind < 0.7 else rows[0])

    def row(self) -> Any:
        if self._draw.random() < 0.05:
            return self.value()
        good = {"companyId": "c", "type": "note", "email": "a@b.c", "sourceId": str(self._draw.randrange(50))}
        row: dict[str, Any] = good if self._draw.random() < 0.6 else {}
        for field in self._draw.sample(FIELDS, self._draw.choice((0, 1, 2, 6))):
            row[field] = self.value()
        return row

    def value(self) -> Any:
        return self.text() if self._draw.random() < 0.5 else self._draw.choice(VALUES)

    def text(self) -> str:
        return self._draw.choice(self.ids) if self._draw.random() < 0.3 else self._draw.choice(TEXTS)

    def wire(self) -> bytes:
        """Return a whole request as it is sent over a connection; one in fifty is not HTTP."""
        if self._draw.random() < 0.02:
            return self._draw.choice(
                (b"GET\r\n\r\n", b": /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\r\n\r\n")
            )
        target = "/" + "/".join(quote(segment, safe="%") for segment in self.segments())
        pairs = "&".join(f"{name}={quote(value, safe='%')}" for name, value in self.query())
        body = self.body()
        token = self._draw.choice(("Bearer t", "Bearer t", "Bearer t", "Bearer t", "Basic t", "", "Bearer \xff"))
        encoding = "Content-Encoding: gzip\r\n" if self._draw.random() < 0.02 else ""
        head = f"{self.method()} {target}?{pairs} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n{encoding}"
        return head.encode("latin-1", "replace") + b"Content-Length: %d\r\n\r\n" % len(body) + body
