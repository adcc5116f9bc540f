"""Requests, responses and tokens as values, and the error for each status."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Never, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlsplit

import attrs

from planhat_async._convert import excerpt, printable
from planhat_async.errors import (
    AuthenticationError,
    BadRequestError,
    NoAnswerError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    StatusError,
)

E = TypeVar("E", bound=NoAnswerError)

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
HINTS: Mapping[int, str] = {
    401: "the token is wrong, or belongs to another region than this base URL",
    403: "the token may not do this; it may still do other things",
    429: "over the limit of calls, and waiting longer would outlast RetryPolicy.total",
}


@attrs.frozen(kw_only=True)
class Request:
    """One call of the API; as text its method and path."""

    method: str
    path: str
    """The quoted path below the base URL, with a leading slash."""
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = attrs.field(default=None, repr=False)
    is_keyed: bool = False
    """Whether everything it writes has a key, so that a repeated PUT has the same result."""
    is_bulk: bool = False
    """Whether it is one of many: bulk calls leave part of the pace to single calls."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def failure(self, error: type[E], problem: str) -> E:
        """The error of a request without a usable answer."""
        return error(f"{self}: {problem}", method=self.method, path=self.path)


def _in_pieces(body: bytes | Iterable[bytes]) -> tuple[bytes, ...]:
    return (body,) if isinstance(body, bytes) else tuple(body)


@attrs.frozen(kw_only=True)
class Response:
    """One answer."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    """Names in lower case. A `Location` may quote the request, which is why the repr has none."""
    pieces: tuple[bytes, ...] = attrs.field(default=(b"",), alias="body", converter=_in_pieces, repr=False)
    """The body as it came from the network: joining a large one would block the event loop."""
    follows_unknown: bool = attrs.field(default=False, eq=False, repr=False)
    """Whether Planhat may have processed an earlier attempt."""

    @property
    def body(self) -> bytes:
        """The whole body; each access joins the pieces again."""
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)

    @property
    def n_bytes(self) -> int:
        """The body's size."""
        return sum(map(len, self.pieces))

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


def error_from(
    request: Request, response: Response, *, base_url: str, now: float, hints: Mapping[int, str] = HINTS
) -> StatusError:
    """The error for an answer that is not 2xx.

    Args:
        request: The request.
        response: The answer.
        base_url: The server, for the message.
        now: Seconds since the epoch.
        hints: What to check, by status.
    """
    status = response.status
    cls = ServerError if status >= 500 else _BY_STATUS.get(status, StatusError)
    body = excerpt(response.body)
    quoted = f": {printable(body.strip(), 200)}" if body.strip() else ""
    hint = f" ({hints[status]})" if status in hints else ""
    wait = retry_after(response, now=now)
    if wait is not None:
        hint += f"; Retry-After: {wait:.0f} s"
    if 300 <= status < 400:
        hint = " (redirects are not followed; is the base URL right?)"
    return cls(
        f"{request.method} {base_url}{request.path} answered {status}{hint}{quoted}",
        status=status,
        method=request.method,
        path=request.path,
        body=body,
        retry_after=wait,
    )


def query_value(value: str | float | bool) -> str:
    """A value of the query, in its JSON form."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise TypeError(f"a query parameter must be text or a number, not {type(value).__name__}")
    return str(value)


def retry_after(response: Response, *, now: float) -> float | None:
    """Seconds to wait by `Retry-After`, which holds seconds or a date; `None` if it holds neither.

    A date is compared with the answer's own `Date`, because clocks differ, and with `now` without one.
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
    """The server's time by the answer's `Date`, in seconds since 1970."""
    return _timestamp(response.headers.get("date", ""))


def _timestamp(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def calls_left(response: Response) -> tuple[int | None, int | None]:
    """How many calls are left, and the limit, by Planhat's headers; each `None` if the header is missing or invalid."""
    names = ("x-rate-limit-remaining", "x-rate-limit-limit")
    remaining, limit = (response.headers.get(name, "").strip() for name in names)
    return _count(remaining), _count(limit)


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def checked_path(path: str) -> str:
    """A caller's path, quoted.

    Raises:
        ValueError: It does not begin with a slash, has a `..` segment in any spelling (`..%2f`, `%5c`, `%252e`, `..;`),
            or has a query, a fragment or control characters.
    """
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"a path must begin with one slash: {path!r}")
    if re.search(r"[?#\\\x00-\x1f\x7f]", path):
        raise ValueError(
            f"a path must not contain a query, fragment, backslash or control character (use params): {path!r}"
        )
    if _climbs(path):
        raise ValueError(f"a path must not have a '.' or '..' segment: {path!r}")
    return quote(path, safe=_SAFE_IN_PATH)


def _climbs(path: str) -> bool:
    """Whether a segment of a path is `.` or `..` to any proxy or server.

    They decode a path once or more, before or after they split it. Some read a backslash as a slash, and ignore what
    follows a semicolon in a segment. So every form that decoding can produce is checked.
    """
    while True:
        if any(segment.split(";")[0] in {".", ".."} for segment in re.split(r"[/\\]", path)):
            return True
        decoded = unquote(path)
        if decoded == path:
            return False
        path = decoded


def checked_base_url(
    base_url: str,
    *,
    allow_plain_http: bool = False,
    example: str = DEFAULT_BASE_URL,
    option: str = "--base-url or PLANHAT_BASE_URL",
    secret: str = "the token",  # noqa: S107 - a word for messages
) -> str:
    """The base URL without a trailing slash.

    Args:
        base_url: The URL.
        allow_plain_http: Whether unencrypted HTTP to another machine is allowed.
        example: A valid URL, for messages.
        option: Where the URL is set, for messages.
        secret: What requests contain, for messages.

    Raises:
        ValueError: It is not an http(s) URL of a host and an optional path, or it would send the token unencrypted to
            another machine.
    """
    if "@" in base_url:
        raise ValueError("the base URL must not contain a user or password")
    if _PLANHAT_HOST.fullmatch(base_url):
        raise ValueError(f"{base_url!r} has no scheme: did you mean https://{base_url}?")
    parts = _split(base_url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        # It may be the token, passed by mistake: quote it only if it begins like a URL.
        shown = f", not {base_url!r}" if base_url.startswith("http") else ""
        raise ValueError(f"the base URL must look like {example}{shown}: see {option}")
    if parts.scheme == "http" and not (allow_plain_http or is_loopback(parts.hostname)):
        raise ValueError(f"{base_url!r} would send {secret} unencrypted: use https")
    return base_url.rstrip("/")


def _split(url: str) -> SplitResult | None:
    """The parts of a URL that can be a base for paths."""
    if re.search(r"[?#\\\x00-\x20\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return None
    return None if _climbs(parts.path) else parts


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Token:
    """An API token. It never appears in reprs, messages or tracebacks.

    White space around it is ignored: a mounted secret ends with a line break. A function holds it, because tracebacks
    may show local variables.

    Raises:
        ValueError: It is empty, or contains a space, a control character or a character outside ASCII.
    """

    __slots__ = ("_text",)

    def __init__(self, token: str) -> None:
        token = without_blanks(token)
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
        raise TypeError("a token cannot be pickled")

    def header(self) -> str:
        """The value of `Authorization`; empty if the header is not sent."""
        return f"Bearer {self._text()}"

    def address(self, path: str) -> str:
        """The path of a request as it is sent: a token that belongs in the path replaces its placeholder there."""
        return path

    def hidden_in(self, body: bytes) -> bytes:
        """An answer's body without the token: an error page of a proxy may quote the request."""
        # A token of a sandbox may be so short that it is part of ordinary words.
        text = self._text().encode()
        return body.replace(text, b"<token>") if len(text) >= _SHORTEST_TOKEN else body


def without_blanks(secret: Any) -> Any:
    """A secret without white space around it; what is not text, as it is."""
    return secret.strip() if isinstance(secret, str) else secret


def _token_problem(token: object) -> str | None:
    if not isinstance(token, str):
        return f"the Planhat token must be text, not {type(token).__name__}"
    if not token:
        return "the Planhat token is missing or empty: set PLANHAT_API_TOKEN, or pass token=… (--token-file)"
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        return "the Planhat token contains a space, a line break or another invalid character"
    return None
