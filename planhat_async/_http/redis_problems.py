"""Explains what is wrong with a Redis, and what to do about it."""

from __future__ import annotations

import os
import re
import ssl
from typing import NamedTuple

from planhat_async._convert import printable

_NUMBERED = re.compile(r"Error (\d+) connecting to ")
"""What the package says of an error of the system that it has dropped."""


class RedisProblem(NamedTuple):
    """What is wrong."""

    text: str
    is_lasting: bool
    """Whether it lasts until a person changes something."""


_OF_REPLIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("NOAUTH", "Authentication required"), "it wants a password: redis://:PASSWORD@..."),
    (("WRONGPASS", "invalid password", "Client sent AUTH"), "it refuses the user or the password"),
    (
        ("NOPERM", "no permissions"),
        "its user may not run EVALSHA, EVAL, GET, SET, TIME and PING on planhat-async:pace:*",
    ),
    (("READONLY", "read only replica"), "it is a read-only replica: name its primary"),
    (
        ("WRONGTYPE", "wrong kind of value"),
        "its key for this token holds something else: delete that, or name another database",
    ),
    (("NEWER version",), "the window there is of a newer version of planhat-async"),
    (("DB index", "Invalid Database", "SELECT is not allowed"), "it has no database of this number"),
    (
        ("unknown command", "non deterministic", "cmsgpack"),
        "it is too old, or runs no scripts: Redis 6.2 or Valkey is needed",
    ),
)
"""Parts of replies to a command, and what they mean."""


_OF_ERRORS: tuple[tuple[str, str, bool], ...] = (
    ("MovedError", "it is a node of a cluster: name a Redis without a cluster", True),
    ("BusyLoadingError", "it is loading its data", False),
    ("TimeoutError", "it does not answer", False),
    ("InvalidResponse", "it does not answer as Redis does", True),
    ("ValueError", "it does not answer as Redis does", True),
    ("AuthenticationError", "it refuses the user or the password", True),
)
"""Names of errors, what they mean, and whether that lasts."""


def problem_of(error: Exception) -> RedisProblem:
    """The problem behind an error of the package `redis`."""
    names, said = {one.__name__ for one in type(error).__mro__}, str(error)
    for words, problem in _OF_REPLIES:
        if any(word in said for word in words):
            return RedisProblem(problem, is_lasting=True)
    for name, problem, is_lasting in _OF_ERRORS:
        if name in names:
            return RedisProblem(problem, is_lasting)
    return RedisProblem(_reason(error) if "ConnectionError" in names else printable(said, 200), is_lasting=False)


def _reason(error: BaseException) -> str:
    """Why there is no connection: the system's own words, if it has any."""
    cause = error
    while not isinstance(cause, OSError) and (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
    if isinstance(cause, ssl.CertificateError):
        return "its certificate is not trusted: name its issuer with ?ssl_ca_certs=FILE"
    if isinstance(cause, ssl.SSLError):
        return "it does not speak TLS: say redis:// instead of rediss://"
    if isinstance(cause, OSError):
        number = cause.errno if cause.errno and cause.errno > 0 else None
        return printable(os.strerror(number) if number else cause.strerror or str(cause), 200)
    numbered = _NUMBERED.match(str(error))
    return os.strerror(int(numbered[1])) if numbered else printable(str(error), 200)
