"""Requests and responses as values, and what a status means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Never
from urllib.parse import SplitResult, quote, unquote, urlsplit

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
_SHORTEST_TOKEN = 8
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
    429: "over the limit of calls, and waiting longer would outlast RetryPolicy.total",
}


@attrs.frozen(kw_only=True)
class Request:
    """One call of the API."""

    method: str
    path: str
    """Quoted, from the base URL on, with a slash in front."""
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = attrs.field(default=None, repr=False)
    is_keyed: bool = False
    """Whether everything that it writes has a key, so that a PUT carried out twice is the same as once."""
    is_bulk: bool = False
    """Whether it is one of many, which leaves single calls their part of the pace."""


def _in_pieces(body: bytes | Iterable[bytes]) -> tuple[bytes, ...]:
    return (body,) if isinstance(body, bytes) else tuple(body)


@attrs.frozen(kw_only=True)
class Response:
    """One answer."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Names in lower case."""
    pieces: tuple[bytes, ...] = attrs.field(default=b"", alias="body", converter=_in_pieces, repr=False)
    """The body as it came from the network: joining a large one would hold the event loop."""
    follows_unknown: bool = attrs.field(default=False, eq=False, repr=False)
    """Whether an earlier attempt may have been carried out already."""

    @property
    def body(self) -> bytes:
        """The whole body, joined anew each time."""
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)

    @property
    def n_bytes(self) -> int:
        """The body's size."""
        return sum(map(len, self.pieces))

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 2xx."""
        return 200 <= self.status < 300


def error_from(request: Request, response: Response, *, base_url: str, now: float) -> StatusError:
    """The error for an answer that is not 2xx; `now` is the time since the epoch."""
    status = response.status
    cls = ServerError if status >= 500 else _BY_STATUS.get(status, StatusError)
    body = excerpt(response.body)
    said = f": {excerpt(response.body, 200).strip()}" if body.strip() else ""
    hint = f" ({_HINTS[status]})" if status in _HINTS else ""
    named = retry_after(response, now=now)
    if named is not None:
        hint += f"; Retry-After: {named:.0f} s"
    if 300 <= status < 400:
        hint = " (redirects are not followed; is the base URL right?)"
    return cls(
        f"{request.method} {base_url}{request.path} answered {status}{hint}{said}",
        status=status,
        method=request.method,
        path=request.path,
        body=body,
        retry_after=named,
    )


def retry_after(response: Response, *, now: float) -> float | None:
    """Seconds to wait as `Retry-After` names them, in seconds or as a date; `None` where it does not.

    Args:
        response: The answer. Where it has a `Date`, a date counts from that: clocks differ.
        now: The time since the epoch, for an answer that has none.
    """
    value = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    until = _timestamp(value)
    if until is None:
        return None
    since = answered_at(response)
    return max(0.0, until - (now if since is None else since))


def answered_at(response: Response) -> float | None:
    """The server's time as an answer's `Date` says, in seconds since 1970."""
    return _timestamp(response.headers.get("date", ""))


def _timestamp(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def calls_left(response: Response) -> tuple[int | None, int | None]:
    """How many calls Planhat says are left, and of how many; each `None` where it does not say."""
    names = ("x-rate-limit-remaining", "x-rate-limit-limit")
    remaining, limit = (response.headers.get(name, "").strip() for name in names)
    return (_count(remaining), _count(limit))


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


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


def checked_base_url(base_url: str, *, allow_plain_http: bool = False) -> str:
    """The base URL without a slash at the end.

    Raises:
        ValueError: It is no http(s) URL of a host alone with an optional path, or it would send the token in
            the clear to another machine.
    """
    if "@" in base_url:
        raise ValueError("the base URL must not hold a user or password")
    parts = _split(base_url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        # Somebody may have put the token here: show only what begins like a URL.
        shown = f", not {base_url!r}" if base_url.startswith("http") else ""
        raise ValueError(f"the base URL must look like {DEFAULT_BASE_URL}{shown}: see --base-url or PLANHAT_BASE_URL")
    if parts.scheme == "http" and not (allow_plain_http or _is_loopback(parts.hostname)):
        raise ValueError(f"{base_url!r} would send the token unencrypted: use https")
    return base_url.rstrip("/")


def _split(url: str) -> SplitResult | None:
    """The URL's parts, if it can be a base for paths."""
    if re.search(r"[?#\\\x00-\x20\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError:
        return None
    return None if any(unquote(segment) in {".", ".."} for segment in parts.path.split("/")) else parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Token:
    """The API token, or where to get it; shows itself to nobody.

    It is kept behind a call, because tracebacks may show what local variables hold.

    Raises:
        ValueError: It is empty, or holds a space, a control character or one outside ASCII.
    """

    __slots__ = ("_last", "_source")

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._source = token if callable(token) else (lambda: token)
        self._last = ""
        problem = None if callable(token) else _token_problem(token)
        if problem is not None:
            del token, self._source
            raise ValueError(problem)

    def __repr__(self) -> str:
        return "<Token>"

    def __reduce__(self) -> Never:
        raise TypeError("a token is not to be pickled")

    def header(self) -> str:
        """The value of `Authorization`.

        Raises:
            ValueError: The caller's function returned what no token is.
        """
        token = self._source()
        problem = _token_problem(token)
        if problem is None:
            self._last = token
            return f"Bearer {token}"
        del token
        raise ValueError(problem)

    def hidden_in(self, body: bytes) -> bytes:
        """An answer's body without the token: proxies have pages that show the request they could not pass on."""
        # A token shorter than any real one, as a sandbox takes, would be found within words.
        return body.replace(self._last.encode(), b"<token>") if len(self._last) >= _SHORTEST_TOKEN else body


def _token_problem(token: object) -> str | None:
    if not isinstance(token, str):
        return f"the Planhat token is text, not {type(token).__name__}"
    if not token:
        return "the Planhat token is empty: pass one, or set PLANHAT_API_TOKEN"
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        return "the Planhat token holds a space, a line break or another character no token has"
    return None
