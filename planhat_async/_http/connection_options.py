"""How connections are made: through which proxy, and which certificates are trusted."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import attrs

from planhat_async._http.proxies import Proxy, checked_proxy, proxy_of_environment


@attrs.frozen(kw_only=True)
class ConnectionOptions:
    """Options of the connections that a session makes itself."""

    proxy: Proxy | None = None
    tls: ssl.SSLContext | None = None
    """`None` for aiohttp's, which trusts what the system trusts."""


def connection_options(
    base_url: str,
    *,
    proxy: str | None,
    trust_env: bool,
    ca_file: Path | str | None,
    allow_plain_http: bool,
    client_session: Any = None,
) -> ConnectionOptions:
    """The options that a caller has given; `Session` documents them.

    Raises:
        ValueError: The proxy is not a URL of one, the file contains no certificate, or there is a `client_session`,
            whose connections are not the session's own.
        OSError: The file cannot be read.
    """
    given = [name for name, value in (("proxy", proxy), ("trust_env", trust_env), ("ca_file", ca_file)) if value]
    if client_session is not None and given:
        raise ValueError(f"{given[0]} is for connections of our own: set it on the client_session")
    chosen = None
    if proxy:
        chosen = checked_proxy(proxy, base_url=base_url, allow_plain_http=allow_plain_http)
    elif trust_env:
        chosen = proxy_of_environment(base_url, allow_plain_http=allow_plain_http)
    return ConnectionOptions(proxy=chosen, tls=None if ca_file is None else trusting(ca_file))


def trusting(ca_file: Path | str) -> ssl.SSLContext:
    """A context that trusts the issuers in a PEM file besides those that the system trusts.

    Raises:
        ValueError: The file contains no certificate.
        OSError: It cannot be read.
    """
    content = Path(ca_file).read_bytes()
    context = ssl.create_default_context()
    try:
        # Comments between certificates are of any language; OpenSSL takes ASCII only.
        context.load_verify_locations(cadata=content.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise ValueError(f"{ca_file} contains no certificate in PEM form") from None
    return context
