"""The help of a command as lines of text: decisions only."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

import attrs

MAX_WIDTH = 100
"""Longer lines are hard to read, also where a terminal has room for them."""
MIN_WIDTH = 40
_INDENT = 2
_NAME_WIDTH = 24
"""Columns of names; the text of a longer name begins on the next line."""
_BOLD, _CYAN, _PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[0m"


@attrs.frozen
class HelpItem:
    """An argument, an option, a command or a variable, and its meaning."""

    name: str
    text: str


@attrs.frozen
class HelpSection:
    """Items under a title."""

    title: str
    items: tuple[HelpItem, ...]


@attrs.frozen
class Example:
    """A command line, and what it does."""

    purpose: str
    command: str


@attrs.frozen(kw_only=True)
class HelpPage:
    """The parts of a help text, in the order in which they are shown."""

    summary: str
    """One sentence."""
    usage: str
    examples: Sequence[Example] = ()
    sections: Sequence[HelpSection] = ()
    details: Sequence[str] = ()
    """Paragraphs."""

    def lines(self, width: int, *, has_colour: bool = False) -> Iterator[str]:
        """The lines, of at most `width` columns, except for examples and long names, which are not broken."""
        width = max(MIN_WIDTH, min(width, MAX_WIDTH))
        ink = _Ink(has_colour)
        yield from _wrapped(self.summary, width)
        yield ""
        yield f"{ink.bold('Usage:')} {self.usage}"
        if self.examples:
            yield from ("", ink.bold("Examples:"))
            yield from _examples(self.examples)
        for section in self.sections:
            yield from ("", ink.bold(f"{section.title}:"))
            yield from _items(section.items, width, ink)
        for paragraph in self.details:
            yield ""
            yield from _wrapped(paragraph, width)


@attrs.frozen
class _Ink:
    """Colours for a terminal, or none."""

    has_colour: bool

    def bold(self, text: str) -> str:
        return f"{_BOLD}{text}{_PLAIN}" if self.has_colour else text

    def name(self, text: str) -> str:
        return f"{_CYAN}{text}{_PLAIN}" if self.has_colour else text


def _examples(examples: Iterable[Example]) -> Iterator[str]:
    for number, example in enumerate(examples):
        if number:
            yield ""
        yield f"{' ' * _INDENT}# {example.purpose}"
        yield f"{' ' * _INDENT}$ {example.command}"


def _items(items: Sequence[HelpItem], width: int, ink: _Ink) -> Iterator[str]:
    """Names in one column, their texts in another; on a narrow terminal the texts are below the names."""
    longest = max((len(item.name) for item in items if len(item.name) <= _NAME_WIDTH), default=0)
    begin = _INDENT + longest + 2 if width >= 3 * _NAME_WIDTH else 3 * _INDENT
    for item in items:
        first, *others = _wrapped(item.text, width - begin) or [""]
        room = begin - _INDENT - 2
        if len(item.name) <= room:
            yield f"{' ' * _INDENT}{ink.name(item.name)}{' ' * (room - len(item.name) + 2)}{first}".rstrip()
        else:
            yield f"{' ' * _INDENT}{ink.name(item.name)}"
            others = [first, *others] if first else others
        yield from (f"{' ' * begin}{line}" for line in others)


def _wrapped(text: str, width: int) -> list[str]:
    """The lines of a paragraph; a word is never broken."""
    return textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)
