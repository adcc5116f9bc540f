"""Requests and answers as plain values, the same for every door to the rules."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


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
    """

    method: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    now: float = 0.0
    n_parallel: int = 1


@frozen
class ApiResponse:
    """An answer: its status, its JSON text, its headers."""

    status: int
    body: bytes
    headers: dict[str, str] = field(factory=dict)


@frozen
class LoggedRequest:
    """One line of the request log; the token is not in it.

    Attributes:
        method: In capitals.
        path: Each segment percent-encoded, `/tasks/extid-a%2Fb`.
        query: The parameters; of a name that comes twice the last counts.
        n_rows: Rows in the body of a bulk upsert that was read, else None.
        status: Of the answer.
        at: When it arrived, Unix seconds.
    """

    method: str
    path: str
    query: dict[str, str]
    n_rows: int | None
    status: int
    at: float
