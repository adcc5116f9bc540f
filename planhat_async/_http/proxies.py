"""The proxy of a server: the caller's, or that of the environment."""

from __future__ import annotations

import urllib.request
from typing import NamedTuple
from urllib.parse import urlsplit

from planhat_async._http.wire import is_loopback

_SCHEMES = {"http", "https"}


class Proxy(NamedTuple):
    """A proxy; its repr and its text do not show the password."""

    url: str
    """It may contain a user and a password."""

    def __repr__(self) -> str:
        parts = urlsplit(self.url)
        port = "" if parts.port is None else f":{parts.port}"
        return f"<Proxy {parts.scheme}://{parts.hostname}{port}>"


def checked_proxy(url: str, *, base_url: str, allow_plain_http: bool = False, named: str = "the proxy") -> Proxy:
    """A proxy for calls of a server.

    Args:
        url: The URL of the proxy, such as `http://proxy:3128` or `http://user:password@proxy:3128`.
        base_url: The server.
        allow_plain_http: Whether the token may be sent to the proxy without encryption.
        named: Where the URL comes from, for messages.

    Raises:
        ValueError: It is not the URL of an HTTP proxy, or the proxy would see the token. No message quotes a password.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        _ = parts.port  # raises if it is not a number
    except ValueError:
        raise ValueError(f"{named} must look like http://HOST:PORT") from None
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{named} must be one for http or https, not {parts.scheme}")
    if not parts.hostname or parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError(f"{named} must look like http://HOST:PORT")
    if base_url.startswith("http://") and not (allow_plain_http or is_loopback(parts.hostname)):
        raise ValueError(f"{named} would see the token, because {base_url!r} is not encrypted: use https")
    return Proxy(f"{parts.scheme}://{parts.netloc}")


def proxy_of_environment(base_url: str, *, allow_plain_http: bool = False) -> Proxy | None:
    """The proxy that `HTTPS_PROXY` (or `HTTP_PROXY`) names for a server, unless `NO_PROXY` leaves the server out.

    A server on loopback has none: a proxy on another machine could not reach it, and would see the token.

    Raises:
        ValueError: See `checked_proxy`.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if is_loopback(host):
        return None
    url = urllib.request.getproxies().get(parts.scheme)
    if not url or urllib.request.proxy_bypass(parts.netloc if parts.port else host):
        return None
    return checked_proxy(
        url, base_url=base_url, allow_plain_http=allow_plain_http, named=f"{parts.scheme.upper()}_PROXY"
    )
