"""What is wrong with a JSON text, and where: decisions only."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?|(?P<constant>-?\b(?:NaN|Infinity)\b)|(?P<number>-?\b\d[\d.eE+-]*)', re.DOTALL
)
_HALF_CHARACTER = re.compile(
    r"\\[^uU]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_FOREIGN = re.compile("[\udc80-\udcff]")
"""A byte that is not UTF-8, decoded with `surrogateescape`."""
_SPELLINGS = {"True": "true", "False": "false", "None": "null", "nil": "null", "undefined": "null", "NULL": "null"}
_NAMES = {
    "\0": ("a NUL character", ""),
    "'": ("a single quote", "JSON has double quotes"),
    "\ufeff": ("a byte order mark", ""),
}
_WORD = re.compile(r"\w+")
_NO_JSON = {"nan", "NAN", "inf", "infinity"}
_MAX_SHOWN = 40
MAX_DIGITS: int = 400
"""Longer numbers are refused: no system has them, and reading them takes quadratic time."""
_NESTED_TOO_DEEP = "nested too deep"


def fault_in(text: bytes, *, line: int | None = None) -> str:
    """The first fault in a text that is not one strict JSON value in UTF-8, with its place.

    Args:
        text: The text.
        line: The line of the file on which it begins, if it may have several lines; `None` if it is one whole line.
    """
    shown = text.decode("utf-8", "surrogateescape")
    # `min` keeps the first of several faults at one place: the more specific ones are found first.
    at, what, advice = min(_faults(shown), key=lambda fault: fault[0], default=(0, "something that is not JSON", ""))
    if what == _NESTED_TOO_DEEP:
        return what
    return f"{what} {place_in(shown, at, line=line)}{advice and ': '}{advice}"


def place_in(text: str, at: int, *, line: int | None) -> str:
    """The place of a character, for a message; see `fault_in`."""
    n_before = text.count("\n", 0, at)
    if line is None:
        return f"at column {at + 1}"
    if not n_before:
        return f"at its character {at + 1}"
    column = at - text.rindex("\n", 0, at)
    return f"in line {line + n_before}, column {column}"


def is_one_value(text: bytes) -> bool:
    """Whether a text is a JSON value to a lenient reader, so that its end is certain although it cannot be used.

    Allowed are bytes of another encoding and control characters within texts, NaN, Infinity, and halves of characters.
    """
    try:
        json.loads(text.decode("utf-8", "surrogateescape"), strict=False, parse_int=str)
    except (ValueError, RecursionError):
        return False
    return True


def _faults(text: str) -> Iterator[tuple[int, str, str]]:
    """Each kind of fault: its first place, what is there, and what to do."""
    end = len(text)
    if foreign := _FOREIGN.search(text):
        yield foreign.start(), "bytes of another encoding", "see --encoding"
    try:
        json.loads(text, parse_int=str)
    except json.JSONDecodeError as error:
        end = error.pos
        yield _syntax_fault(text, error)
    except RecursionError:
        yield end, _NESTED_TOO_DEEP, ""
    yield from _odd_tokens(text, end)


def _odd_tokens(text: str, end: int) -> Iterator[tuple[int, str, str]]:
    """What Python's reader accepts, and JSON does not have."""
    for token in _TOKEN.finditer(text, 0, end):
        if name := token["constant"]:
            yield token.start(), name, f"JSON has no {name.lstrip('-')}"
            return
        if (number := token["number"]) and (len(number) > MAX_DIGITS or _is_infinite(number)):
            yield token.start(), f"the number {_shorter(number)}", "it is too large"
            return
        if "\\u" in token[0]:
            for found in _HALF_CHARACTER.finditer(token[0]):
                if half := found["half"]:
                    yield token.start() + found.start(), half, "it is half a character"
                    return


def _is_infinite(number: str) -> bool:
    try:
        return math.isinf(float(number)) and not number.lstrip("-").isdecimal()
    except ValueError:  # several numbers, such as those of a date
        return False


def _syntax_fault(text: str, error: json.JSONDecodeError) -> tuple[int, str, str]:
    """The fault that Python's reader reports; its own words depend on the version of Python."""
    at = error.pos
    if "Unterminated string" in error.msg:
        return at, "a text that begins", "it is not closed by a quote"
    found, before = text[at : at + 1], text[:at].rstrip()
    rest = text[at:].lstrip()
    if not rest:
        return len(before), "it ends too early", ""
    if error.msg.startswith("Extra data"):
        is_comma = rest.startswith(",") and not rest[1:].strip()
        return at, "a comma behind the object" if is_comma else "more text behind the object", ""
    if found in "}]" and before.endswith(","):
        return len(before) - 1, f"a comma before {found}", "JSON has none there"
    if found == "," and rest[1:].lstrip()[:1] in {"}", "]"}:
        return at, f"a comma before {rest[1:].lstrip()[0]}", "JSON has none there"
    return at, *_unexpected(text, at)


def _unexpected(text: str, at: int) -> tuple[str, str]:
    """What is at a place where JSON has something else, and what to do."""
    found, word = text[at], _WORD.match(text, at)
    shown = found if word is None else word[0]
    if found in _NAMES:
        return _NAMES[found]
    if found < " ":
        return f"a control character (U+{ord(found):04X})", f"JSON writes {json.dumps(found)[1:-1]} within a text"
    if found == "\\":
        escape = text[at : at + 2]
        return escape if escape.isprintable() else "a backslash", "JSON has no such escape"
    if shown in _SPELLINGS:
        return shown, f"JSON writes {_SPELLINGS[shown]}"
    if shown in _NO_JSON:
        return shown, f"JSON has no {shown}"
    return f"an unexpected {_shorter(shown)!r}", ""


def _shorter(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
