"""Requests and answers as plain values, the same for every door to the rules."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import field, frozen

JSON = "application/json"


@frozen
class AppliedFault:
    """A fault that befalls a call.

    Attributes:
        name: Which one, of `planhat_async.sandbox.faults.KINDS`.
        amount: How much of it: seconds, rows or bytes, 0.0 if that is no question.
        draw: A number from 0 to 1 that belongs to this call, for whatever else there is to decide.
    """

    name: str
    amount: float = 0.0
    draw: float = field(default=0.0, eq=False)


@frozen
class ApiRequest:
    """A request as the rules see it.

    Attributes:
        method: In capitals.
        segments: The path between its slashes, each percent-decoded: `("tasks", "extid-a/b")`. Those of `/tasks/` are
            `("tasks", "")`.
        query: Names and values in their order; of a name that comes twice the last counts.
        headers: Of which only `Authorization` is read.
        body: The JSON text.
        now: When it arrived, Unix seconds.
        n_parallel: Requests under way when it arrived, with this one.
        fault: The fault that befalls it.
    """

    method: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    now: float = 0.0
    n_parallel: int = 1
    fault: AppliedFault | None = None

    @property
    def path(self) -> str:
        """The path, each segment percent-encoded."""
        return "/" + "/".join(quote(segment, safe="") for segment in self.segments)


@frozen
class ApiResponse:
    """An answer: its status, its text, its headers but for the type of that text."""

    status: int
    body: bytes
    headers: dict[str, str] = field(factory=dict)
    content_type: str = JSON


@frozen
class LoggedRequest:
    """One line of the request log; the token is not in it.

    Attributes:
        method: In capitals.
        path: Each segment percent-encoded, `/tasks/extid-a%2Fb`.
        query: The parameters; of a name that comes twice the last counts.
        n_rows: Rows in the body of a bulk upsert that was read, else None.
        status: Of the answer, also of one that a fault kept from its client; 0 where none was made.
        at: When it arrived, Unix seconds.
        fault: The name of the fault that befell it.
        is_carried_out: Whether what it asked for was tried: False where the token, a limit or a fault was in the way.
    """

    method: str
    path: str
    query: dict[str, str]
    n_rows: int | None
    status: int
    at: float
    fault: str | None = None
    is_carried_out: bool = True
