"""Where a Redis is, as a URL says; the password is never shown."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import attrs

from planhat_async._convert import printable

REDIS_IS_MISSING = "a window in Redis needs one more package: pip install 'planhat-async[redis]'"
SCHEMES = frozenset({"redis", "rediss", "unix"})
_TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_FORM = "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss://... or unix://[USER:PASSWORD@]/PATH"
_PORT = 6379


@attrs.frozen(kw_only=True)
class RedisUrl:
    """A Redis, and what is done while it is away."""

    shown: str
    """The URL without user, password and options."""
    on_outage: str | None
    """`share` or `closed`, if the URL says so: what a session does while Redis is away."""
    options: dict[str, Any] = attrs.field(repr=False)
    """Arguments of a connection."""
    is_unix: bool
    has_tls: bool


def is_redis_url(text: str) -> bool:
    """Whether a text has the scheme of a URL of Redis."""
    return _scheme_of(text) in SCHEMES


def _scheme_of(text: str) -> str:
    """The scheme in lower case."""
    return text.partition("://")[0].lower() if "://" in text else ""


def parsed_redis_url(url: str) -> RedisUrl:
    """The parts of a URL.

    Raises:
        ValueError: It is malformed. The message shows nothing of it: what looks like a path may be a password.
    """
    scheme = _scheme_of(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:
        raise _malformed(scheme) from None
    if scheme not in SCHEMES or parts.fragment or "@" in parts.path or bool(host) is (scheme == "unix"):
        raise _malformed(scheme)
    asked = _options(parts, scheme)
    on_outage = asked.pop("on_outage", None)
    checked_policy(on_outage)
    options: dict[str, Any] = {**asked, "db": _database(parts, scheme, asked.pop("db", None))}
    for name, value in (("username", parts.username), ("password", parts.password)):
        if value:
            options[name] = unquote(value)
    if scheme == "unix":
        if not parts.path.strip("/"):
            raise _malformed(scheme)
        options["path"] = unquote(parts.path)
        return RedisUrl(
            shown=f"unix://{options['path']}", on_outage=on_outage, options=options, is_unix=True, has_tls=False
        )
    options |= {"host": unquote(host or ""), "port": port}
    shown_host = f"[{host}]" if ":" in (host or "") else host
    return RedisUrl(
        shown=f"{scheme}://{shown_host}:{port}/{options['db']}",
        on_outage=on_outage,
        options=options,
        is_unix=False,
        has_tls=scheme == "rediss",
    )


def checked_policy(on_outage: str | None) -> str:
    """What a session does while Redis is away.

    Raises:
        ValueError: It is neither.
    """
    if on_outage not in {None, "share", "closed"}:
        raise ValueError(f"on_outage must be 'share' or 'closed', not {printable(on_outage)!r}")  # pyright: ignore[reportArgumentType]
    return on_outage or "share"


def _options(parts: SplitResult, scheme: str) -> dict[str, str]:
    """What follows the question mark."""
    known = {"on_outage", "db"} | (_TLS_OPTIONS if scheme == "rediss" else set())
    try:
        asked = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise _malformed(scheme) from None
    if not asked.keys() <= known:
        raise ValueError(f"{scheme}://... has an option other than {', '.join(sorted(known))}")
    return asked


def _database(parts: SplitResult, scheme: str, asked: str | None) -> int:
    """The number of the database."""
    in_path = "" if scheme == "unix" else parts.path.strip("/")
    number = asked if asked is not None else in_path or "0"
    if not re.fullmatch(r"[0-9]{1,9}", number):
        raise _malformed(scheme)
    return int(number)


def _malformed(scheme: str) -> ValueError:
    return ValueError(
        f"{scheme}://... is not {_FORM}: write / ? # @ % : in a user or password as %2F %3F %23 %40 %25 %3A"
    )
