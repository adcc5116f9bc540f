"""Requests and answers as plain values, independent of the transport."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import define, field, frozen

JSON = "application/json"


@frozen
class AppliedFault:
    """A fault that applies to one call."""

    name: str
    """Its name in `planhat_async.sandbox.faults.KINDS`."""
    amount: float = 0.0
    """Seconds, rows or bytes; 0.0 if it has no amount."""
    draw: float = field(default=0.0, eq=False)
    """A random number from 0 to 1, drawn for this call."""


NO_FAULT = AppliedFault("")


@define
class RefusedError(Exception):
    """The reason why Planhat answers 400, or blames a row."""

    field: str
    """The field or parameter at fault, empty if it is the whole."""
    reason: str
    """The text in the answer."""
    is_missing: bool = False
    """Whether a required field is missing."""


@frozen
class ApiRequest:
    """A request as the rules see it."""

    method: str
    """In capitals."""
    segments: tuple[str, ...]
    """The percent-decoded parts of the path: `("tasks", "extid-a/b")`; `("tasks", "")` for `/tasks/`."""
    query: tuple[tuple[str, str], ...] = ()
    """Names and values in order; the last value of a repeated name counts."""
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    """Only `Authorization` is used."""
    body: bytes = field(default=b"", repr=False)
    """The JSON text."""
    now: float = 0.0
    """When it arrived, Unix seconds."""
    n_parallel: int = 1
    """Requests under way when it arrived, with this one."""
    fault: AppliedFault = NO_FAULT
    """The fault that applies to it."""

    @property
    def path(self) -> str:
        """The path, each segment percent-encoded."""
        return "/" + "/".join(quote(segment, safe="") for segment in self.segments)


@frozen
class ApiResponse:
    """An answer: its status, its body, and its headers except for the content type."""

    status: int
    body: bytes
    headers: dict[str, str] = field(factory=dict)
    content_type: str = JSON


@frozen
class LoggedRequest:
    """One line of the request log; the token is not in it."""

    method: str
    """In capitals."""
    path: str
    """Each segment percent-encoded, `/tasks/extid-a%2Fb`."""
    query: dict[str, str]
    """The parameters; the last value of a repeated name."""
    n_rows: int | None
    """Rows in the body of a bulk upsert that was read, else `None`."""
    status: int
    """The status of the answer, even if a fault kept it from the client; 0 without an answer."""
    at: float
    """When it arrived, Unix seconds."""
    fault: str | None = None
    """The name of the fault that was applied to it."""
    is_carried_out: bool = True
    """Whether it reached the rules: `False` if the token, a limit or a fault prevented that."""
