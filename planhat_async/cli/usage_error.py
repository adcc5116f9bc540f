"""Errors of usage in one line that names the option and says what to do: decisions only."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches

_UNKNOWN = re.compile(r"No such (?P<kind>option|command):? '?(?P<name>[^\s']+)'?.*", re.DOTALL)
_WORDS = (
    (re.compile(r"Missing \w+ '(?P<name>[^']+)'.*", re.DOTALL), "{name} is missing: {see}"),
    (re.compile(r"Missing command\.?"), "a command is missing: {see}"),
    (re.compile(r"Option '(?P<name>[^']+)' requires an argument\.?"), "{name} needs a value: {see}"),
    (re.compile(r"Option '(?P<name>[^']+)' does not take a value\.?"), "{name} takes no value: leave it out"),
    (
        re.compile(r"Got unexpected extra arguments? ?(?:\(s\) )?\((?P<name>.*)\)", re.DOTALL),
        "unexpected {name!r}: {see}",
    ),
    (
        re.compile(r"Invalid value for '?(?P<name>[^:]*?)'?: (?:Value error, )?(?P<reason>.*?)\.?", re.DOTALL),
        "{name}: {reason}",
    ),
)
"""Messages of the parser, and what is said instead."""


def usage_error_in_words(message: str, *, command: str, names: Collection[str]) -> str:
    """The message of the option parser in this program's words; an unknown one as it is.

    Args:
        message: The message of the parser.
        command: The command as it is typed, such as `planhat-async upsert`.
        names: The names of its options and commands.
    """
    see = f"see {command} --help"
    if found := _UNKNOWN.fullmatch(message):
        meant = similar_to(found["name"], names)
        return f"there is no {found['kind']} {found['name']}: {f'did you mean {meant}?' if meant else see}"
    for pattern, words in _WORDS:
        if found := pattern.fullmatch(message):
            return words.format(
                see=see, **{key: text.replace("' / '", ", ") for key, text in found.groupdict().items()}
            )
    return message


def similar_to(text: str, names: Collection[str]) -> str | None:
    """The name that this text is probably meant to be; `None` if no name is similar."""
    return next(iter(get_close_matches(text, names, n=1, cutoff=0.75)), None)
