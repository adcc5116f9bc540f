"""The tenant UUID, which is the credential of the analytics host and part of each path there."""

from __future__ import annotations

import re

from planhat_async._http.wire import Token, without_blanks

PLACEHOLDER = "{tenantUUID}"
"""Stands for the UUID in every path that is shown."""
HIDDEN = b"<tenant UUID>"
_GROUPS = (8, 4, 4, 4, 12)
_UUID = re.compile("-".join(f"[0-9a-f]{{{n}}}" for n in _GROUPS), re.IGNORECASE)
_HYPHEN = rb"(?:-|%2d|\\u002d)?"
"""How an answer may write a hyphen: as it is, as in a URL, as in JSON, or not at all."""


class TenantUuid(Token):
    """A tenant UUID. It never appears in reprs, messages or tracebacks, and cannot be pickled.

    Requests name it by `PLACEHOLDER`; only the transport puts it in. White space around it is ignored, as for a token.

    Raises:
        ValueError: It does not look like a UUID. The message does not quote it.
    """

    __slots__ = ("_pattern",)

    def __init__(self, uuid: str) -> None:
        uuid = without_blanks(uuid)
        problem = _problem_of(uuid)
        if problem is None:
            super().__init__(uuid)
            groups = [group.encode() for group in uuid.split("-")]
            self._pattern = re.compile(_HYPHEN.join(groups), re.IGNORECASE)
        del uuid  # tracebacks may show local variables
        if problem is not None:
            raise ValueError(problem)

    def __repr__(self) -> str:
        return "<TenantUuid>"

    def header(self) -> str:
        """Empty: the path contains the credential, and no header is needed."""
        return ""

    def address(self, path: str) -> str:
        """The path with the UUID in place of its placeholder."""
        return path.replace(PLACEHOLDER, self._text())

    def hidden_in(self, body: bytes) -> bytes:
        """An answer's body without the UUID, in either case, with or without hyphens."""
        return self._pattern.sub(HIDDEN, body)


def contains_uuid(text: str) -> bool:
    """Whether a text contains a UUID, which may be a tenant's."""
    return _UUID.search(text) is not None


def _problem_of(uuid: object) -> str | None:
    """Why this cannot be a tenant UUID, or `None`; the text itself is not quoted."""
    if not isinstance(uuid, str):
        return f"the tenant UUID must be text, not {type(uuid).__name__}"
    if not uuid:
        return "the tenant UUID is empty: pass one, or set PLANHAT_TENANT_UUID"
    if _UUID.fullmatch(uuid):
        return None
    if contains_uuid(uuid):
        return "the tenant UUID has text around it (a URL, braces, spaces?): pass the UUID alone"
    found = "-".join(str(len(group)) for group in uuid.split("-")[:9])
    return (
        "the tenant UUID does not look like one: it must be 32 hexadecimal digits in groups of 8-4-4-4-12 characters, "
        f"and this has groups of {found}"
    )
