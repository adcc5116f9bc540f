"""How a record is named in a path."""

from __future__ import annotations

import re
from urllib.parse import quote

PREFIXES = ("extid-", "srcid-")
"""What keys of one's own begin with."""
_UNRESERVED = re.compile(r"[0-9A-Za-z._~-]+")


def extid(external_id: str) -> str:
    """The key of a record by its external id.

    Planhat takes it in place of an `_id` in paths and as a `company_id`. Outside companies an external id is
    unique within one company only, so such a key may be ambiguous ("Bulk upsert" in Planhat's documentation).

    Raises:
        ValueError: The id is blank.
        TypeError: The id is not a string.
    """
    return f"extid-{_not_blank(external_id)}"


def srcid(source_id: str) -> str:
    """The key of a record by its source id, which is unique per model.

    Raises:
        ValueError: The id is blank.
        TypeError: The id is not a string.
    """
    return f"srcid-{_not_blank(source_id)}"


def is_record_id(text: str) -> bool:
    """Whether this can be an `_id`: 24 hex digits, in either case."""
    try:
        return len(text) == 24 and len(bytes.fromhex(text)) == 12  # spaces, which it skips, make fewer bytes
    except ValueError:
        return False


def path_segment(key: str) -> str:
    """The key, quoted as one segment of a path.

    External and source ids are free text, so everything in them is quoted. A key without a prefix is an `_id`,
    which needs no quoting: anything else there is a mistake that could climb to another path.

    Raises:
        ValueError: The key is blank (`GET path/` is the list and `PUT path/` a bulk upsert), or holds what no
            `_id` holds.
        TypeError: The key is not a string.
    """
    bare = _not_blank(key)
    for prefix in PREFIXES:
        if bare.startswith(prefix):
            return prefix + quote(_not_blank(bare.removeprefix(prefix)), safe="")
    if not _UNRESERVED.fullmatch(bare) or bare in {".", ".."}:
        raise ValueError(f"{key!r} is not an _id: a key of your own is made with extid(...) or srcid(...)")
    return bare


def _not_blank(key: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key is a string, not {type(key).__name__}: {key!r}")
    if not key.strip():
        raise ValueError("a key must not be blank")
    return key
