"""What a mapping changes about the texts of a column before they are read: decisions only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

import attrs

from planhat_async.jobs.mapping.nested_values import MISSING

MAX_SEARCHED = 10_000
"""Characters of a text in which a pattern is looked for. A search cannot be stopped."""
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "strip": (bool, "true or false"),
    "lower": (bool, "true or false"),
    "regex": (str, "text"),
    "split": (str, "text"),
}
TRANSFORMS = (*_KINDS, "default")
"""The names of what can be given."""


def is_blank(value: Any) -> bool:
    """Whether a value is missing: nothing, or text of blanks only."""
    return value is None or (isinstance(value, str) and not value.strip())


@attrs.frozen(kw_only=True)
class Transform:
    """Changes the texts of one column, in the order of its attributes; other values are left as they are."""

    strip: bool = False
    """Remove blanks at both ends."""
    regex: re.Pattern[str] | None = None
    """Take the one group of this pattern, wherever the text has it."""
    lower: bool = False
    """In lower case."""
    split: str | None = None
    """The separator of a list."""
    default: Any = MISSING
    """In place of a missing value, and of a text without the pattern."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """The transform by a table of a mapping file.

        Raises:
            ValueError: A value of the wrong type, or an invalid pattern; the message begins with the key.
        """
        for key, (kind, words) in _KINDS.items():
            if key in given and (type(given[key]) is not kind or given[key] == ""):
                raise ValueError(f"{key} is not {words}")
        if is_blank(given.get("default", 0)):
            raise ValueError("default is blank")
        return cls(**{**given, "regex": _pattern(given["regex"]) if "regex" in given else None})

    def apply(self, value: Any, name: str) -> Any:
        """The changed value; `MISSING` if nothing is left of it.

        Raises:
            ValueError: It does not have the pattern, and there is no default.
        """
        if isinstance(value, str):
            value = self._changed(value, name)
        return self.default if is_blank(value) else value

    def _changed(self, text: str, name: str) -> str | None:
        changed = text.strip() if self.strip else text
        if self.regex is not None and changed.strip():
            if len(changed) > MAX_SEARCHED:
                raise ValueError(
                    f"{name}: {len(changed):,} characters are too many for a regex: {MAX_SEARCHED:,} at most"
                )
            match = self.regex.search(changed)
            if match is None or match[1] is None:
                if self.default is MISSING:
                    raise ValueError(f"{name}: {changed[:80]!r} does not have the regex {self.regex.pattern!r}")
                return None
            changed = match[1].strip() if self.strip else match[1]
        return changed.lower() if self.lower else changed

    def description(self) -> dict[str, Any]:
        """What is given, as JSON values except for the default."""
        held = {name: getattr(self, name) for name in TRANSFORMS}
        given = {name: value for name, value in held.items() if value is not None and value is not MISSING}
        changes = {name: value for name, value in given.items() if name == "default" or value is not False}
        return changes | ({"regex": self.regex.pattern} if self.regex else {})


def _pattern(text: str) -> re.Pattern[str]:
    try:
        found = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"regex is invalid: {error}") from None
    if found.groups != 1:
        raise ValueError(f"regex has {found.groups} groups, not one: put what you want in (), the rest in (?:)")
    return found
