"""The reference of the command line, from its own help."""

from __future__ import annotations

import re
from typing import Any

import typer
from site_page import SitePage, code, table

from planhat_async.cli.app import app

PROGRAM = "planhat-async"
_LONG_CHOICE = re.compile(r"[<\[{][^\s|]+(\|[^\s|]+){6,}[>\]}]")
"""The names of all models, which `models` lists."""


def command_page() -> SitePage:
    """The page of all commands, each with its help, its arguments and its options."""
    group: Any = typer.main.get_command(app)
    parts = [
        f"# Command line\n\n{group.help}\n\n{_paragraphs(group.epilog)}",
        *(_section(command, f"{PROGRAM} {name}") for name, command in _commands(group)),
    ]
    text = "\n\n".join(part.strip() for part in parts) + "\n"
    return SitePage("reference/command-line.md", "Command line", text)


def _commands(group: Any, before: str = "") -> list[tuple[str, Any]]:
    """The commands of a group and of the groups within, in their order."""
    found = []
    for name, command in group.commands.items():
        within = getattr(command, "commands", None)
        found += [(f"{before}{name}", command)] if within is None else _commands(command, f"{before}{name} ")
    return found


def _section(command: Any, name: str) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    parts = [f"## {name.removeprefix(PROGRAM).strip()}", f"```console\n$ {usage}\n```", _paragraphs(command.help)]
    panels: dict[str, list[tuple[str, ...]]] = {}
    for one in command.params:
        record = None if getattr(one, "hidden", False) else one.get_help_record(context)
        if record:
            title = "Arguments" if one.param_type_name == "argument" else "Options"
            panels.setdefault(getattr(one, "rich_help_panel", None) or title, []).append(_row(*record))
    for title, rows in panels.items():
        parts += [f"**{title}**", table((title.lower().removesuffix("s"), "meaning"), rows)]
    return "\n\n".join([*parts, _paragraphs(command.epilog)])


def _row(names: str, meaning: str) -> tuple[str, str]:
    """The row of a parameter: the names as code, the meaning as text."""
    return code(_LONG_CHOICE.sub("", names).strip()), _text(meaning)


def _text(text: str) -> str:
    """Help as Markdown: no angle bracket or star is a mark-up."""
    return re.sub(r"([<>*_\[\]])", r"\\\1", " ".join(text.split()))


def _paragraphs(text: str | None) -> str:
    r"""A help text as Markdown; a paragraph behind `\b`, or one of indented lines, keeps its lines."""
    paragraphs = []
    for one in (text or "").replace("\f", "").split("\n\n"):
        is_kept = one.lstrip("\n").startswith("\b") or all(line.startswith("  ") for line in one.splitlines())
        lines = one.replace("\b", "").strip("\n")
        paragraphs.append(f"```console\n{lines}\n```" if is_kept and lines else _text(lines))
    return "\n\n".join(filter(None, paragraphs))
