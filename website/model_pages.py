"""A page for each model: its calls, its keys, and every field of its records, from the classes themselves."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Collection
from typing import Any

from api_facts import FACTS, facts_in_words
from site_page import SitePage, code, codes, table

import planhat_async
from planhat_async._convert import fields_of, type_in_words
from planhat_async.cli.model_commands import facts_of
from planhat_async.models import ALL
from planhat_async.records import Model
from planhat_async.records.documentation import documentation_of
from planhat_async.repositories import Lists, Repository

_FROM_PLANHAT = "Read only"


def model_pages() -> list[SitePage]:
    """A page for each model, in the order of their names."""
    pages = [_page(repository) for repository in ALL]
    return sorted(pages, key=lambda page: page.title)


def _page(repository: type[Repository[Any]]) -> SitePage:
    record = repository.model.record
    parts = [
        f"# {repository.__name__}",
        f"[](){{#planhat_async.{record.__name__}}}\n[](){{#planhat_async.{repository.__name__}}}",
        f"`from planhat_async import {record.__name__}, {repository.__name__}`",
        _markdown(record.__doc__),
        "## Calls",
        _markdown(repository.__doc__),
        table(("", "in this model"), _facts(repository)),
        *_options(repository),
        "## Fields",
        _fields(record),
        "## What is known of it",
        facts_in_words(FACTS[repository.model.path]),
    ]
    text = "\n\n".join(part.strip() for part in parts if part) + "\n"
    return SitePage(f"reference/models/{repository.model.name}.md", repository.__name__, text)


def _facts(repository: type[Repository[Any]]) -> list[tuple[str, ...]]:
    model, facts = repository.model, facts_of(repository)
    limits, keys = facts["page"], facts["keys"]
    in_one_call = "all records" if facts["is_whole_list"] else "not documented"
    rows = [
        ("path", f"`{model.path}`"),
        ("on the command line", f"`{model.name}`"),
        ("calls", ", ".join(facts["calls"])),
        ("keys of single calls", "; ".join(f"{call}: {codes(names)}" for call, names in keys.items())),
        ("rows of an upsert match on", codes(facts["match"])),
        *_needs(model, facts["calls"]),
        (
            "records in one call of a list",
            f"{limits['default']:,}; at most {limits['max']:,}" if limits else in_one_call,
        ),
        ("filters of lists", codes(facts["filters"])),
    ]
    return [(f"**{name}**", value) for name, value in rows if value]


def _needs(model: Model, calls: Collection[str]) -> list[tuple[str, str]]:
    """What a new record needs; for each call by itself where they differ."""
    single, bulk = (", ".join(codes(group, " or ") for group in needs) for needs in (model.needs, model.upsert_needs))
    has_create, has_upsert = "create" in calls, "upsert" in calls
    if has_create and has_upsert and single != bulk:
        return [("a record for `create` needs", single), ("a new row of an upsert needs", bulk)]
    return [("a new record needs", bulk if has_upsert else single if has_create else "")]


def _options(repository: type[Repository[Any]]) -> list[str]:
    """The options of its lists, if they have a type of their own."""
    if not issubclass(repository, Lists):
        return []
    prefixes = (repository.model.record.__name__, repository.__name__)
    names = [name for name in planhat_async.__all__ if name.startswith(prefixes) and name.endswith("Options")]
    return [_option_table(getattr(planhat_async, name)) for name in sorted(names, reverse=True)]


def _option_table(options: type) -> str:
    """All options of a class, with those of its bases."""
    rows = [(code(name), _first_paragraph(meaning)) for name, meaning in _all_options(options).items()]
    return f"### {options.__name__}\n\n{_markdown(options.__doc__)}\n\n{table(('option', 'meaning'), rows)}"


def _all_options(options: type) -> dict[str, str]:
    """The meanings of options by name; a TypedDict forgets its bases, so they are read from its source."""
    (defined,) = ast.parse(textwrap.dedent(inspect.getsource(options))).body
    names = [ast.unparse(base) for base in defined.bases] if isinstance(defined, ast.ClassDef) else []
    namespace = vars(sys.modules[options.__module__])
    found: dict[str, str] = {}
    for name in names:
        if name != "TypedDict":
            found |= _all_options(namespace[name])
    return documentation_of(options) | found


def _first_paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def _fields(record: type) -> str:
    meanings = documentation_of(record)
    rows = [
        (
            f"`{one.name}`",
            "" if one.wire == one.name else f"`{one.wire}`",
            type_in_words(one.type),
            meanings.get(one.name, "") if one.is_writable else f"*{_FROM_PLANHAT}.* {meanings.get(one.name, '')}",
        )
        for one in fields_of(record).values()
    ]
    return table(("field", "Planhat's name", "type", "meaning"), rows)


def _markdown(doc: str | None) -> str:
    return inspect.cleandoc(doc or "")
