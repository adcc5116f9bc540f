"""Requests and responses as values, and what a status means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Never
from urllib.parse import SplitResult, quote, unquote, urlsplit

import attrs

from planhat_async._convert import excerpt, printable
from planhat_async.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    StatusError,
)

DEFAULT_BASE_URL = "https://api.planhat.com"
_PLANHAT_HOST = re.compile(r"[a-z0-9.-]+\.planhat\.com(/.*)?")
_SHORTEST_TOKEN = 8
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._"
_BY_STATUS: dict[int, type[StatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: RequestTimeoutError,
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
    pieces: tuple[bytes, ...] = attrs.field(default=(b"",), alias="body", converter=_in_pieces, repr=False)
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
    said = f": {printable(body.strip(), 200)}" if body.strip() else ""
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


def refused(seconds: float) -> Response:
    """What a call that was never sent is answered while everything is refused, for so many seconds."""
    return Response(status=429, headers={"retry-after": f"{seconds:.0f}"})


def query_value(value: str | float | bool) -> str:
    """A value of the query, as JSON spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise TypeError(f"a value of the query is text or a number, not {type(value).__name__}")
    return str(value)


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
        ValueError: It does not begin with a slash, climbs in any spelling (`..%2f`, `%5c`, `%252e`, `..;`), or holds
            a query, a fragment or control characters.
    """
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"a path begins with one slash: {path!r}")
    if re.search(r"[?#\\\x00-\x1f\x7f]", path):
        raise ValueError(f"a path holds no query, fragment, backslash or control character (use params): {path!r}")
    if _climbs(path):
        raise ValueError(f"a path must not climb: {path!r}")
    return quote(path, safe=_SAFE_IN_PATH)


def _climbs(path: str) -> bool:
    """Whether a segment of a path is `.` or `..`, as anything between here and the API may read it.

    Proxies and servers decode a path once or more, before or after they split it; some take a backslash for a slash,
    and leave out what follows a semicolon in a segment. So each form that decoding can make of it is looked at.
    """
    while True:
        if any(segment.split(";")[0] in {".", ".."} for segment in re.split(r"[/\\]", path)):
            return True
        decoded = unquote(path)
        if decoded == path:
            return False
        path = decoded


def checked_base_url(base_url: str, *, allow_plain_http: bool = False) -> str:
    """The base URL without a slash at the end.

    Raises:
        ValueError: It is not an http(s) URL of a host alone with an optional path, or it would send the token in
            the clear to another machine.
    """
    if "@" in base_url:
        raise ValueError("the base URL must not hold a user or password")
    if _PLANHAT_HOST.fullmatch(base_url):
        raise ValueError(f"{base_url!r} has no scheme: did you mean https://{base_url}?")
    parts = _split(base_url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        # The token may be here by mistake: show only what begins like a URL.
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
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return None
    return None if _climbs(parts.path) else parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Token:
    """An API token. It appears in no repr, message or traceback.

    It is kept behind a call, because tracebacks may show what local variables hold.

    Raises:
        ValueError: It is empty, or holds a space, a control character or one outside ASCII.
    """

    __slots__ = ("_text",)

    def __init__(self, token: str) -> None:
        self._text: Callable[[], str] = lambda: token
        problem = _token_problem(token)
        if problem is not None:
            del token, self._text
            raise ValueError(problem)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self._text() == other._text()

    def __hash__(self) -> int:
        return hash(self._text())

    def __repr__(self) -> str:
        return "<Token>"

    def __reduce__(self) -> Never:
        raise TypeError("a token is not to be pickled")

    def header(self) -> str:
        """The value of `Authorization`."""
        return f"Bearer {self._text()}"

    def hidden_in(self, body: bytes) -> bytes:
        """An answer's body without the token: proxies have pages that show the request they could not pass on."""
        # A token shorter than any real one, as a sandbox takes, would be found within words.
        text = self._text().encode()
        return body.replace(text, b"<token>") if len(text) >= _SHORTEST_TOKEN else body


def _token_problem(token: object) -> str | None:
    if not isinstance(token, str):
        return f"the Planhat token is text, not {type(token).__name__}"
    if not token:
        return "the Planhat token is empty: pass one, or set PLANHAT_API_TOKEN"
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        return "the Planhat token holds a space, a line break or another character no token has"
    return None
