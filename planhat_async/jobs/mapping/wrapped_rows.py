"""Objects that are not rows but hold a list of them, such as an answer of another system's API: decisions only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def wrapped_rows(values: Mapping[str, Any], uses: Callable[[str], bool], *, is_strict: bool) -> str | None:
    """The name of a list of objects in an object that is not a row itself; `None` if it is a row.

    Args:
        values: The object.
        uses: Whether a mapping uses a column.
        is_strict: Whether a row with any other column is invalid.
    """
    used = [name for name in values if uses(name)]
    if used and not is_strict:
        return None
    return next((name for name, value in values.items() if name not in used and _is_list_of_objects(value)), None)


def how_to_unwrap(name: str) -> str:
    """What to do about a file of one such object."""
    path = f".{name}[]" if _NAME.fullmatch(name) else f".[{json.dumps(name)}][]"
    return (
        f"it is one object with a list in {name!r}, and a row is an object: "
        f"write the objects of the list to a file of their own, with jq -c '{path}'"
    )


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)
