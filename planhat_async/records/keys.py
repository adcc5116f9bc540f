"""The keys that name a record: `_id`s, external ids and source ids."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote

EXTID = "extid-"
SRCID = "srcid-"
PREFIXES = (EXTID, SRCID)
"""The prefixes of keys made from ids of another system."""
_RECORD_ID = re.compile(r"[0-9A-Fa-f]{24}")


def is_record_id(text: str) -> bool:
    """Whether a text has the form of an `_id`: 24 hex digits in either case."""
    return _RECORD_ID.fullmatch(text) is not None


def extid(external_id: str) -> str:
    """The key of the record with this external id, which must not be blank.

    Planhat accepts it in place of an `_id` in paths and as a `company_id`. Except for companies, an external id is
    unique within one company only, so the key may be ambiguous ("Bulk upsert" in Planhat's documentation).
    """
    return f"{EXTID}{_not_blank(external_id)}"


def srcid(source_id: str) -> str:
    """The key of the record with this source id, which must not be blank and is unique per model."""
    return f"{SRCID}{_not_blank(source_id)}"


def checked_key(key: str, *, by: str, prefixes: Collection[str] = PREFIXES) -> str:
    """The key as Planhat accepts it: an `_id` in lower case, or a prefixed key unchanged.

    Args:
        key: An `_id`, or a result of `extid` or `srcid`.
        by: The call or option that accepts it, for the message.
        prefixes: The prefixes it accepts.

    Raises:
        ValueError: The key is blank, or is neither an `_id` nor a key with one of these prefixes.
        TypeError: The key is not a string.
    """
    if is_record_id(_not_blank(key)):
        return key.lower()
    for prefix in PREFIXES:
        if key.startswith(prefix):
            _not_blank(key.removeprefix(prefix))
            if prefix in prefixes:
                return key
    accepted = ["an _id", *(f"{prefix}KEY" for prefix in PREFIXES if prefix in prefixes)]
    others = [f"{prefix}KEY" for prefix in PREFIXES if prefix not in prefixes]
    kinds = " or ".join(filter(None, [", ".join(accepted[:-1]), accepted[-1]]))
    kinds += f", not {' or '.join(others)}" if others else ""
    raise ValueError(f"{key!r} is not an _id (24 hex digits): {by} takes {kinds}")


def path_segment(key: str, *, by: str = "a path", prefixes: Collection[str] = PREFIXES) -> str:
    """The checked key as one segment of a path; see `checked_key`.

    Ids of other systems are free text: quoted, they cannot name another path. A blank key is refused because
    `GET path/` is the list and `PUT path/` a bulk upsert.
    """
    return quote(checked_key(key, by=by, prefixes=prefixes), safe="")


def _not_blank(key: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key is a string, not {type(key).__name__}: {key!r}")
    if not key.strip():
        raise ValueError("a key must not be blank")
    return key
