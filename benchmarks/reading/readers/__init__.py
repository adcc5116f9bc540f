"""Ways to read a whole list: each module has `read`, which examines every row and returns their number.

A module imports its subject at the top, so that importing is not measured.
"""

PAGE_SIZE = 10_000
"""Rows a call, if the caller of a reader can choose."""

N_AT_A_TIME = 4
"""Pages in flight, if a reader has more than one."""

TOKEN = "any"  # noqa: S105 - the server asks for none


def page_params(offset: int) -> dict[str, str | int]:
    """Return the parameters of the page at an offset."""
    return {"sort": "_id", "limit": PAGE_SIZE, "offset": offset}
