"""`planhat-async models` and `fields`: the facts about models, and the fields of one."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from planhat_async._convert import fields_of, type_in_words
from planhat_async.cli import console
from planhat_async.cli.exit_codes import refusals
from planhat_async.cli.parameters import ALL_MODELS, AnyModel
from planhat_async.records import UNKNOWN_LIMITS
from planhat_async.records.documentation import documentation_of
from planhat_async.repositories import Creates, Deletes, Gets, Lists, Repository, Updates, Upserts

_CALLS: dict[str, type[Repository[Any]]] = {
    "list": Lists,
    "get": Gets,
    "create": Creates,
    "update": Updates,
    "delete": Deletes,
    "upsert": Upserts,
}


MODEL_COLUMNS = ("model", "path", "calls", "records in a page", "keys", "rows of an upsert match on", "filters")
FIELD_COLUMNS = ("field", "in Planhat", "type", "meaning")


def models(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list with an object for each model.")] = False
) -> None:
    """List all models, with their calls, keys and filters.

    If the output is not a terminal, each model is a line of cells separated by tabs, without headings: model, path,
    calls, records in a page, keys, rows of an upsert match on, filters.
    """
    every = [facts_of(repository) for repository in ALL_MODELS.values()]
    with refusals():
        if as_json:
            sys.stdout.write(json.dumps(every) + "\n")
            sys.stdout.flush()
            return
        console.show_facts("Models", MODEL_COLUMNS, map(_cells, every))


def _cells(facts: dict[str, Any]) -> tuple[str, ...]:
    cells = facts["name"], facts["path"], " ".join(facts["calls"]), _page(facts), _keys(facts)
    return (*cells, ", ".join(facts["match"]), ", ".join(facts["filters"]))


def facts_of(repository: type[Repository[Any]]) -> dict[str, Any]:
    """What Planhat documents of a model, as JSON values; nothing about a call that it does not have."""
    model = repository.model
    calls = [name for name, capability in _CALLS.items() if issubclass(repository, capability)]
    prefixes = {"get": model.get_keys, "update": model.update_keys, "delete": model.delete_keys}
    limits = model.limits if "list" in calls else None
    return {
        "name": model.name,
        "path": model.path,
        "calls": calls,
        "page": {"default": limits.default, "max": limits.most} if limits and limits != UNKNOWN_LIMITS else None,
        "is_whole_list": "list" in calls and limits is None,
        "keys": {call: ["_id", *accepted] for call, accepted in prefixes.items() if call in calls},
        "match": list(model.match) if "upsert" in calls else [],
        "filters": [one.option for one in model.filters] if "list" in calls else [],
    }


def _page(facts: dict[str, Any]) -> str:
    if "list" not in facts["calls"]:
        return ""
    if facts["is_whole_list"]:
        return "all"
    limits = facts["page"]
    return f"{limits['default']:,}, at most {limits['max']:,}" if limits else "not documented"


def _keys(facts: dict[str, Any]) -> str:
    """The keys of each call; calls with the same keys are named together."""
    calls: dict[str, list[str]] = {}
    for call, keys in facts["keys"].items():
        calls.setdefault(", ".join(keys), []).append(call)
    return "; ".join(f"{', '.join(names)}: {keys}" for keys, names in calls.items())


def fields(
    model: AnyModel,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list with an object for each field.")] = False,
) -> None:
    """List the fields of a model, with both spellings, type and meaning.

    If the output is not a terminal, each field is a line of cells separated by tabs, without headings: field, in
    Planhat, type, meaning.
    """
    record = ALL_MODELS[model].model.record
    meanings = documentation_of(record)
    listed = [
        {
            "field": field.name,
            "in_planhat": field.wire,
            "type": type_in_words(field.type),
            "is_writable": field.is_writable,
            "meaning": " ".join(meanings.get(field.name, "").split()),
        }
        for field in fields_of(record).values()
    ]
    with refusals():
        if as_json:
            sys.stdout.write(json.dumps(listed) + "\n")
            sys.stdout.flush()
            return
        console.show_facts(f"Fields of {model}", FIELD_COLUMNS, map(_field_cells, listed))


def _field_cells(facts: dict[str, Any]) -> tuple[str, ...]:
    note = "" if facts["is_writable"] else "(filled in by Planhat) "
    return facts["field"], facts["in_planhat"], facts["type"], (note + facts["meaning"]).strip()
