"""The page on what is known of Planhat's API, and how sure that is."""

from __future__ import annotations

from typing import Any

from api_facts import AVOID, CERTAINTY, FACTS, SOURCES, certainty
from repository_links import ROOT
from site_page import SitePage, table

from planhat_async.models import ALL

_CALLS = ("list", "get", "create", "update", "delete", "bulk")
_NAMES = {repository.model.path: repository.model.name for repository in ALL}
_SHORT = {"D": "yes", "G": "yes", "L": "seen", "C": "others do", "?": "?"}


def api_page() -> SitePage:
    """The page: an essay that is written by hand, then tables from the facts."""
    essay = (ROOT / "website" / "planhat-api.md").read_text(encoding="utf-8")
    certainties = table(("word", "meaning"), [(f"*{word}*", _MEANINGS[mark]) for mark, word in CERTAINTY.items()])
    tables = {
        "certainties": certainties,
        "calls": _calls(),
        "paths": table(
            ("path", "", ""), [(f"`{one['path']}`", one["why"], f"*{certainty(one['mark'])}*") for one in AVOID]
        ),
        "sources": "\n".join(f"- {text}" for text in SOURCES.values()),
    }
    for name, text in tables.items():
        essay = essay.replace(f"<!-- {name} -->\n", text)
    return SitePage("reference/planhat-api.md", "Planhat's API", essay)


_MEANINGS = {
    "D": "A page of Planhat's documentation about this model says so, or an example on it shows it.",
    "G": "A page of Planhat's documentation about all models says so.",
    "L": "A real tenant was seen to do so, by others who published it. This project has never called one.",
    "C": "The source of another client relies on it, and does not say whether that was tried.",
    "?": "Nothing says. The client is right either way, or reports what it cannot know.",
}


def _calls() -> str:
    """Which calls each model has, and how sure that is."""
    rows = []
    for path, facts in FACTS.items():
        marks = facts["marks"]["calls"]
        cells = [_SHORT[marks[call]] if facts["calls"].get(call) else "no" for call in _CALLS]
        rows.append((f"[`{path}`](models/{_NAMES[path]}.md)", *cells, _page(facts)))
    return table(("path", *_CALLS, "page"), rows)


def _page(facts: dict[str, Any]) -> str:
    listed = facts["list"] or {}
    default, most = listed.get("default"), listed.get("max")
    return f"{default or '?'} / {most or '?'}"
