"""Which row an element of an answer's lists is about: decisions only.

The elements are undocumented: seen are objects that name a key, objects that name a field, and plain texts. A row is
blamed only where its key is named; what an error says is kept in its own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planhat_async._convert import printable
from planhat_async.batching.chunking import Key, Row, key_of
from planhat_async.results import Outcome

_KEY_NAMES = ("_id", "sourceId", "externalId")


def errors_in(answer: Mapping[str, Any]) -> list[Any]:
    """All errors: any key that ends in `Errors` is a list of them."""
    lists = (value for name, value in answer.items() if name.endswith("Errors"))
    return [error for value in lists for error in (value if isinstance(value, list) else [value]) if error]


def attributed(errors: list[Any], rows: Sequence[Row]) -> tuple[dict[int, str], list[str]]:
    """Errors by the position of the row they name, and those that name none."""
    by_key = {key: row.position for row in rows for key in row.keys}
    blamed: dict[int, str] = {}
    unattributed = []
    for error in errors:
        named = _keys_named_in(error) if isinstance(error, dict) else []
        position = next((by_key[key] for key in named if key in by_key), None)
        if position is None and len(rows) == 1:
            position = rows[0].position  # there is no other it could be about
        if position is None:
            unattributed.append(_words(error))
        else:
            blamed.setdefault(position, _words(error))
    return blamed, unattributed


def _keys_named_in(element: Mapping[str, Any]) -> list[Key]:
    """The keys in an element of a list; a ticket's `sourceId` comes back as `externalId`."""
    named = [(name, element[name]) for name in _KEY_NAMES if isinstance(element.get(name), str)]
    return [key_of(*one) for one in named] + [
        key_of("sourceId", value) for name, value in named if name == "externalId"
    ]


def named_as_stored(answer: Mapping[str, Any], rows: Sequence[Row]) -> dict[int, Outcome]:
    """What the answer's lists say of the rows whose keys they name, by position: created, or updated."""
    outcomes = _outcomes_by_key(answer)
    found = ((row.position, outcomes[key]) for row in rows for key in row.keys if key in outcomes) if outcomes else ()
    return dict(found)


def _outcomes_by_key(answer: Mapping[str, Any]) -> dict[Key, Outcome]:
    outcomes: dict[Key, Outcome] = {}
    for outcome, keys_list, ids_list in (
        (Outcome.UPDATED, "updatesKeys", "modified"),
        (Outcome.CREATED, "insertsKeys", "upsertedIds"),
    ):
        for one in objects_in(answer.get(keys_list)):
            outcomes |= dict.fromkeys(_keys_named_in(one), outcome)
        outcomes |= {key_of("_id", one): outcome for one in texts_in(answer.get(ids_list))}
    return outcomes


def unnamed(rows: Sequence[Row], answer: Mapping[str, Any]) -> Sequence[Row]:
    """Rows whose keys the answer's lists do not name; all of them, where they name none."""
    named = named_as_stored(answer, rows)
    return [row for row in rows if row.position not in named] if named else rows


def objects_in(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list that should hold nothing else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def texts_in(value: Any) -> list[str]:
    """The texts in a list that should hold nothing else."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _words(error: Any) -> str:
    """What an error says, on one line that a terminal can show."""
    if isinstance(error, dict):
        for name in ("error", "message", "reason"):
            if isinstance(error.get(name), str):
                where = f"{error['el']}: " if isinstance(error.get("el"), str) else ""
                return printable(where + str(error[name]))
    try:
        return printable(error if isinstance(error, str) else repr(error))
    except RecursionError:
        return "an error that is nested too deep to be shown"
