"""How a record is named in a path."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote

EXTID = "extid-"
SRCID = "srcid-"
PREFIXES = (EXTID, SRCID)
"""The prefixes of keys made from ids of another system."""
_RECORD_ID = re.compile(r"[0-9A-Fa-f]{24}")
_WRITTEN = {EXTID: 'extid("…")', SRCID: 'srcid("…")'}


def is_record_id(text: str) -> bool:
    """Whether a text has the form of an `_id`: 24 hex digits, in either case."""
    return _RECORD_ID.fullmatch(text) is not None


def extid(external_id: str) -> str:
    """The key of a record by its external id.

    Planhat takes it in place of an `_id` in paths and as a `company_id`. Outside companies an external id is
    unique within one company only, so such a key may be ambiguous ("Bulk upsert" in Planhat's documentation).

    Raises:
        ValueError: The id is blank.
        TypeError: The id is not a string.
    """
    return f"{EXTID}{_not_blank(external_id)}"


def srcid(source_id: str) -> str:
    """The key of a record by its source id, which is unique per model.

    Raises:
        ValueError: The id is blank.
        TypeError: The id is not a string.
    """
    return f"{SRCID}{_not_blank(source_id)}"


def checked_key(key: str, *, by: str, prefixes: Collection[str] = PREFIXES) -> str:
    """The key as Planhat takes it: an `_id` in lower case, as `_id`s are written, or a prefixed key unchanged.

    Args:
        key: An `_id`, or what `extid` or `srcid` made.
        by: The call or option that takes it, for the message.
        prefixes: The prefixes that it takes besides an `_id`.

    Raises:
        ValueError: The key is blank, or is neither an `_id` nor a prefixed key that is taken here.
        TypeError: The key is not a string.
    """
    bare = _not_blank(key)
    if is_record_id(bare):
        return bare.lower()
    for prefix in PREFIXES:
        if bare.startswith(prefix):
            _not_blank(bare.removeprefix(prefix))
            if prefix in prefixes:
                return bare
    raise ValueError(f"{key!r} is not an _id (24 hex digits): {by} takes {_kinds(prefixes)}")


def path_segment(key: str, *, by: str = "a path", prefixes: Collection[str] = PREFIXES) -> str:
    """The key, checked and quoted as one segment of a path.

    External and source ids are free text, so everything in them is quoted: none names another path. A blank key
    would: `GET path/` is the list and `PUT path/` a bulk upsert.

    Raises:
        ValueError: See `checked_key`.
        TypeError: Likewise.
    """
    checked = checked_key(key, by=by, prefixes=prefixes)
    for prefix in PREFIXES:
        if checked.startswith(prefix):
            return prefix + quote(checked.removeprefix(prefix), safe="")
    return checked


def _kinds(prefixes: Collection[str]) -> str:
    """The kinds of key that are taken, and those that are not."""
    taken = ["an _id", *(_WRITTEN[prefix] for prefix in PREFIXES if prefix in prefixes)]
    others = [_WRITTEN[prefix] for prefix in PREFIXES if prefix not in prefixes]
    words = " or ".join(filter(None, [", ".join(taken[:-1]), taken[-1]]))
    return f"{words}, not {' or '.join(others)}" if others else words


def _not_blank(key: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key is a string, not {type(key).__name__}: {key!r}")
    if not key.strip():
        raise ValueError("a key must not be blank")
    return key
