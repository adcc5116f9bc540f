"""The name under which sessions with the same server and the same token meet."""

from __future__ import annotations

import hashlib

from planhat_async._http.wire import Token


def window_name(base_url: str, token: str | Token) -> str:
    """A digest of both, which tells neither."""
    secret = (token if isinstance(token, Token) else Token(token)).header()
    return hashlib.sha256(f"{base_url}\n{secret}".encode()).hexdigest()[:32]
