"""Requests and responses as values, and what a status means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import quote, unquote, urlsplit

import attrs

from planhat_async._convert import excerpt
from planhat_async.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    StatusError,
)

DEFAULT_BASE_URL = "https://api.planhat.com"
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"
_BY_STATUS: dict[int, type[StatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: PayloadTooLargeError,
    429: RateLimitedError,
}
_HINTS = {
    401: "the token is wrong, or belongs to another region than this base URL",
    403: "the token may not do this; it may still do other things",
    429: "over the limit of calls, and the retries are used up",
}


@attrs.frozen(kw_only=True)
class Request:
    """One call of the API."""

    method: str
    path: str
    """Quoted, from the base URL on, with a slash in front."""
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = attrs.field(default=None, repr=False)
    is_repeatable: bool = False
    """Whether carrying it out twice is the same as once."""
    is_bulk: bool = False
    """Whether it is one of many, which leaves single calls their part of the pace."""


@attrs.frozen(kw_only=True)
class Response:
    """One answer."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Names in lower case."""
    body: bytes = attrs.field(default=b"", repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 2xx."""
        return 200 <= self.status < 300


def error_from(request: Request, response: Response, *, base_url: str) -> StatusError:
    """The error for an answer that is not 2xx."""
    status = response.status
    cls = ServerError if status >= 500 else _BY_STATUS.get(status, StatusError)
    body = excerpt(response.body)
    said = f": {excerpt(response.body, 200).strip()}" if body.strip() else ""
    hint = f" ({_HINTS[status]})" if status in _HINTS else ""
    if 300 <= status < 400:
        hint = " (redirects are not followed; is the base URL right?)"
    return cls(
        f"{request.method} {base_url}{request.path} answered {status}{hint}{said}",
        status=status,
        method=request.method,
        path=request.path,
        body=body,
        retry_after=retry_after(response, now=None),
    )


def retry_after(response: Response, *, now: float | None) -> float | None:
    """Seconds to wait as `Retry-After` names them, in seconds or as a date; `None` where it does not.

    Args:
        response: The answer.
        now: The time since the epoch, to subtract from a date; `None` takes the answer's own `Date`.
    """
    value = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value).timestamp()
        since = parsedate_to_datetime(response.headers.get("date", "")).timestamp() if now is None else now
    except (TypeError, ValueError):
        return None
    return max(0.0, until - since)


def calls_left(response: Response) -> tuple[int | None, int | None]:
    """How many calls Planhat says are left, and of how many; each `None` where it does not say."""
    names = ("x-rate-limit-remaining", "x-rate-limit-limit")
    remaining, limit = (response.headers.get(name, "").strip() for name in names)
    return (int(remaining) if remaining.isdecimal() else None, int(limit) if limit.isdecimal() else None)


def checked_path(path: str) -> str:
    """A caller's path, quoted where it must be.

    Raises:
        ValueError: It does not begin with a slash, climbs, or holds a query, a fragment or control characters.
    """
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"a path begins with one slash: {path!r}")
    if re.search(r"[?#\\\x00-\x1f\x7f]", path):
        raise ValueError(f"a path holds no query, fragment, backslash or control character (use params): {path!r}")
    if any(unquote(segment) in {".", ".."} for segment in path.split("/")):
        raise ValueError(f"a path must not climb: {path!r}")
    return quote(path, safe=_SAFE_IN_PATH)


def checked_base_url(base_url: str) -> str:
    """The base URL without a slash at the end.

    Raises:
        ValueError: It is no http(s) URL of a host alone with an optional path, or it would send the token in
            the clear to another machine.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"the base URL must look like {DEFAULT_BASE_URL}, not {base_url!r}")
    if parts.username or parts.password:
        raise ValueError("the base URL must not hold a user or password")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(f"{base_url!r} would send the token unencrypted: use https")
    return base_url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def checked_token(token: str) -> str:
    """The token, if it can travel in a header.

    Raises:
        ValueError: It is empty, or holds a space, a control character or one outside ASCII. The message does
            not show it.
    """
    if not token:
        raise ValueError("the Planhat token is empty: pass one, or set PLANHAT_API_TOKEN")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError("the Planhat token holds a space, a line break or another character no token has")
    return token
