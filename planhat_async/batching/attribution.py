"""Matches the elements of an answer's lists to rows: decisions only.

The elements are undocumented: objects that name a key, objects that name a field, and plain text were seen. A row is
blamed only if its key is named; an error keeps its own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from planhat_async._convert import printable
from planhat_async.batching.chunks import Key, Row, key_of
from planhat_async.results import Outcome


@attrs.frozen(kw_only=True)
class AnswerKeys:
    """Planhat's names of the keys in an answer's lists."""

    names: tuple[str, ...] = ("_id", "sourceId", "externalId")
    """The names of the keys, as rows have them."""
    returned_as: Mapping[str, str] = attrs.field(factory=dict)
    """Keys with another name in the answer: that name, and the name in the row."""
    source_id: str = "sourceId"
    external_id: str = "externalId"

    def of(self, element: Mapping[str, Any]) -> list[Key]:
        """The keys in an element of a list, as the row may have them."""
        held = [(name, element[name]) for name in self.names if isinstance(element.get(name), str)]
        held += [(sent, element[name]) for name, sent in self.returned_as.items() if isinstance(element.get(name), str)]
        return [key_of(*one) for one in held]


def errors_in(answer: Mapping[str, Any]) -> list[Any]:
    """All errors: any key that ends in `Errors` is a list of them."""
    lists = (value for name, value in answer.items() if name.endswith("Errors"))
    return [error for value in lists for error in (value if isinstance(value, list) else [value]) if error]


def attributed(errors: list[Any], rows: Sequence[Row], keys: AnswerKeys) -> tuple[dict[int, str], list[str]]:
    """Errors by the position of the row that they name, and the errors that name no row."""
    by_key = {key: row.position for row in rows for key in row.keys}
    blamed: dict[int, str] = {}
    unattributed = []
    for error in errors:
        named = keys.of(error) if isinstance(error, dict) else []
        position = next((by_key[key] for key in named if key in by_key), None)
        if position is None and len(rows) == 1:
            position = rows[0].position  # there is no other row
        if position is None:
            unattributed.append(_words(error))
        else:
            blamed.setdefault(position, _words(error))
    return blamed, unattributed


def named_as_stored(answer: Mapping[str, Any], rows: Sequence[Row], keys: AnswerKeys) -> dict[int, Outcome]:
    """The outcomes of the rows that the answer's lists name, by position: created or updated."""
    outcomes = _outcomes_by_key(answer, keys)
    found = ((row.position, outcomes[key]) for row in rows for key in row.keys if key in outcomes) if outcomes else ()
    return dict(found)


def _outcomes_by_key(answer: Mapping[str, Any], keys: AnswerKeys) -> dict[Key, Outcome]:
    outcomes: dict[Key, Outcome] = {}
    for outcome, keys_list, ids_list in (
        (Outcome.UPDATED, "updatesKeys", "modified"),
        (Outcome.CREATED, "insertsKeys", "upsertedIds"),
    ):
        for one in objects_in(answer.get(keys_list)):
            outcomes |= dict.fromkeys(keys.of(one), outcome)
        outcomes |= {key_of("_id", one): outcome for one in texts_in(answer.get(ids_list))}
    return outcomes


def unnamed(rows: Sequence[Row], answer: Mapping[str, Any], keys: AnswerKeys) -> Sequence[Row]:
    """The rows that the answer's lists do not name."""
    named = named_as_stored(answer, rows, keys)
    return [row for row in rows if row.position not in named] if named else rows


def created_ids_in(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """The `_id`s of the records that the answer lists as created."""
    listed = answer.get("upsertedIds")
    ids = listed if isinstance(listed, list) else [one.get("_id") for one in objects_in(answer.get("insertsKeys"))]
    return tuple(texts_in(ids))


def ids_by_key_in(answer: Mapping[str, Any], keys: AnswerKeys) -> tuple[dict[str, str], dict[str, str]]:
    """The `_id`s in the answer's lists, by source id and by external id."""
    by_source_id: dict[str, str] = {}
    by_external_id: dict[str, str] = {}
    for name in ("insertsKeys", "updatesKeys"):
        for element in objects_in(answer.get(name)):
            record_id = element.get("_id")
            if not isinstance(record_id, str):
                continue
            held = {held_name: element.get(held_name) for held_name in (keys.source_id, keys.external_id)}
            if isinstance(external_id := held[keys.external_id], str):
                by_external_id[external_id] = record_id
            for returned, sent in keys.returned_as.items():
                if sent == keys.source_id:
                    held[sent] = held[sent] or element.get(returned)
            if isinstance(source_id := held[keys.source_id], str):
                by_source_id[source_id] = record_id
    return by_source_id, by_external_id


def objects_in(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list that should hold nothing else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def texts_in(value: Any) -> list[str]:
    """The texts in a list that should hold nothing else."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _words(error: Any) -> str:
    """The text of an error, on one line and printable."""
    if isinstance(error, dict):
        for name in ("error", "message", "reason"):
            if isinstance(error.get(name), str):
                where = f"{error['el']}: " if isinstance(error.get("el"), str) else ""
                return printable(where + str(error[name]))
    try:
        return printable(error if isinstance(error, str) else repr(error))
    except RecursionError:
        return "an error that is nested too deep to be shown"
