"""Ways to read a whole list: each module has `read`, which looks at every row and says how many it saw.

A module imports what it measures at its top, so that importing is over when measuring begins.
"""

PAGE_SIZE = 10_000
"""Rows a call asks for, where a reader lets its caller choose."""

N_AT_A_TIME = 4
"""Pages in flight, where a reader has more than one."""

TOKEN = "any"  # noqa: S105 - the server asks for none


def page_params(offset: int) -> dict[str, str | int]:
    """What asks for the page at an offset."""
    return {"sort": "_id", "limit": PAGE_SIZE, "offset": offset}
