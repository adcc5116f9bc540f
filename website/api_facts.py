"""What is known of Planhat's API and how sure that is, in sentences; the facts are those that the tests use."""

from __future__ import annotations

import json
import re
from typing import Any

from repository_links import ROOT

_ALL = json.loads((ROOT / "tests" / "data" / "models.json").read_text(encoding="utf-8"))
FACTS: dict[str, dict[str, Any]] = {one["path"]: one for one in _ALL["models"].values()}
"""The facts about each model, by its path."""

CERTAINTY = {
    "D": "documented",
    "G": "documented for all models",
    "L": "seen live",
    "C": "another client does so",
    "?": "unknown",
}
"""How sure a fact is, by its mark."""

SOURCES: dict[str, str] = _ALL["sources"]
COMMON: dict[str, Any] = _ALL["common"]
AVOID: list[dict[str, str]] = _ALL["avoid"]

_ASPECTS = {
    "path": "the path",
    "list.default": "the records of a list without `limit`",
    "list.max": "the highest `limit`",
    "get_keys": "the keys of `get`",
    "update_keys": "the keys of `update`",
    "delete_keys": "the keys of `delete`",
    "bulk_keys": "the keys on which rows match",
    "bulk_max": "the rows of one bulk upsert",
    "create_needs": "what a new record needs",
}


def certainty(mark: str) -> str:
    """How sure a fact with this mark is."""
    return CERTAINTY[mark]


def facts_in_words(facts: dict[str, Any]) -> str:
    """What is known of a model beyond its calls and fields, as a list, and where it is known from."""
    lines = [
        f"- {_sentence(one['fact'])} *({certainty(one['mark'])})*" for one in facts["specials"] if _is_for_readers(one)
    ]
    aspects: dict[str, list[str]] = {}
    for name, mark in _marks(facts):
        aspects.setdefault(mark, []).append(name)
    summary = [f"- {_sentence(certainty(mark))}: {', '.join(names)}." for mark, names in aspects.items()]
    sources = "; ".join(SOURCES[name] for name in facts["sources"])
    return "\n".join([*lines, *summary]) + f"\n\nSources: {sources}. [What the words mean](../planhat-api.md)."


def _is_for_readers(special: dict[str, str]) -> bool:
    return "REFERENCE.md" not in special["fact"]


def _sentence(text: str) -> str:
    """With a capital at its beginning, unless that is a name such as `lineItems`."""
    is_word = re.match(r"[a-z]+(?:-[a-z]+)*(?:[ :,]|$)", text) is not None
    return f"{text[:1].upper()}{text[1:]}" if is_word else text


def _marks(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The aspects that the client relies on, with their marks; not those that a model does not have."""
    marks, calls = facts["marks"], facts["calls"]
    found = [(f"`{call}`", mark) for call, mark in marks["calls"].items() if calls.get(call)]
    for name, words in _ASPECTS.items():
        call = name.partition("_")[0].partition(".")[0]
        if calls.get(call, True) and marks.get(name) in CERTAINTY:
            found.append((words, marks[name]))
    return found
