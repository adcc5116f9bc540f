"""Explains why there is no connection, and what to check."""

from __future__ import annotations

import errno
import os
import socket
import ssl

from planhat_async._convert import printable

_NOT_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER_FAILURE")
_PROXY_ORIGIN = "It is that of proxy= or HTTPS_PROXY"
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}


def reason_of(error: BaseException, *, is_proxy: bool = False) -> str:
    """The reason in parentheses, followed by what to check.

    Args:
        error: The error of the system or of the TLS library.
        is_proxy: Whether the connection was to a proxy, not to the server.
    """
    where = "the proxy cannot be reached: " if is_proxy else ""
    hint = _tls_hint(error) if isinstance(error, ssl.SSLError) else _hint(error, is_proxy=is_proxy)
    return f"({where}{_text_of(error)}){hint and f': {hint}'}"


def _tls_hint(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.CertificateError):
        return "the certificate is not trusted; name that of its issuer with ca_file (--ca-file), if you trust it"
    is_plain = any(name in f"{error.reason} {error}".upper().replace(" ", "_") for name in _NOT_TLS)
    return "the port does not speak TLS; is it one for http?" if is_plain else "the TLS handshake failed"


def _hint(error: BaseException, *, is_proxy: bool) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, socket.gaierror):
        is_unknown = number in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
        host = f"is the host of the proxy right? {_PROXY_ORIGIN}" if is_proxy else "is the host of the base URL right?"
        return host if is_unknown else "is there a network?"
    if isinstance(error, ConnectionRefusedError) or number == errno.ECONNREFUSED:
        whose = f"the proxy's host and port right? {_PROXY_ORIGIN}" if is_proxy else "host and port right?"
        return f"nothing listens there; are {whose}"
    if isinstance(error, ConnectionResetError | ConnectionAbortedError):
        return "the server hung up while connecting"
    return "is there a network, or a proxy to go through?" if number in _UNREACHABLE else ""


def proxy_reason(status: int) -> str:
    """The reason, if a proxy answered CONNECT with this status."""
    hints = {
        403: "it does not allow this host",
        407: "it wants credentials, or others: http://USER:PASSWORD@HOST:PORT as the proxy",
    }
    return f"(the proxy refused the tunnel with {status}): {hints.get(status, 'it did not reach the host')}"


def _text_of(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError | socket.gaierror):  # their numbers are not the system's
        return printable(error.strerror or str(error) or type(error).__name__, 200)
    number = error.errno if isinstance(error, OSError) else None
    known = os.strerror(number) if number and number > 0 else getattr(error, "strerror", None)
    return printable(known or type(error).__name__, 200)
