"""The form in which a file writes its times: decisions only."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from planhat_async.jobs.mapping.cell_numbers import shown

_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_READ = frozenset("aAbBdfGHIjmMpSuVwyYzZ%")
_UTC_TEXT = re.compile(r"(?<![A-Za-z])(?:UTC|GMT|Z)(?![A-Za-z])", re.IGNORECASE)
_OFFSET_TEXT = re.compile(r"(?:UTC|GMT)\s*[+-]\s*\d", re.IGNORECASE)
_UTC_NAMES = ("UTC", "GMT", "Z")
_INSTEAD = {
    "s": ": seconds since 1970 are the type 'epoch seconds'",
    "c": ": write out its parts",
    "x": ": write out its parts",
    "X": ": write out its parts",
    "U": ": weeks are %G, %V and %u",
    "W": ": weeks are %G, %V and %u",
}


def _check(_: object, __: object, form: str) -> None:
    """Refuse a form that Python does not read, or reads without a part of the text."""
    found = set(_DIRECTIVE.findall(form))
    if unknown := found - _READ:
        first = min(unknown)
        raise ValueError(f"%{first} is not read{_INSTEAD.get(first, '')}")
    if not found & {"Y", "y", "G"}:
        raise ValueError("it names no year: add %Y")
    for part, others in (("d", "mbB"), ("G", "V"), ("V", "G"), ("G", "uwaA"), ("I", "p"), ("p", "I")):
        if part in found and not found & {*others}:
            raise ValueError(f"%{part} means nothing without {' or '.join('%' + one for one in others)}")
    if {"z", "Z"} <= found:
        raise ValueError("it has %z and %Z: %z alone tells the zone")
    if _OFFSET_TEXT.search(_DIRECTIVE.sub("\0", form)):
        raise ValueError("it holds an offset as text: write %z in place of it")
    try:
        datetime.strptime("", _forms_of(form)[0])  # noqa: DTZ007 - to find out whether it can be read
    except (ValueError, re.error) as error:
        if "does not match format" not in str(error):
            raise ValueError(str(error)) from None


def _forms_of(form: str) -> list[str]:
    """The forms that Python reads: `%Z`, which it would read and forget, becomes each name of UTC."""
    if "Z" not in _DIRECTIVE.findall(form):
        return [form]
    return [_DIRECTIVE.sub(_named(name), form) for name in _UTC_NAMES]


def _named(zone: str) -> Callable[[re.Match[str]], str]:
    return lambda match: zone if match[1] == "Z" else match[0]


@attrs.frozen
class TimeFormat:
    """A form of `strptime`.

    The texts UTC, GMT and Z in it mean UTC, and `%Z` reads these three. Names of months and weekdays are English. Of
    two-digit years, 69 to 99 are before 2000.

    Raises:
        ValueError: Python cannot read it, or would forget a part of it.
    """

    form: str = attrs.field(validator=_check)
    _forms: list[str] = attrs.field(init=False, repr=False, eq=False)
    _is_utc: bool = attrs.field(init=False, repr=False, eq=False)

    @_forms.default  # pyright: ignore[reportAttributeAccessIssue] - attrs' own way
    def _made_forms(self) -> list[str]:
        return _forms_of(self.form)

    @_is_utc.default  # pyright: ignore[reportAttributeAccessIssue] - attrs' own way
    def _says_utc(self) -> bool:
        return bool(_UTC_TEXT.search(_DIRECTIVE.sub("\0", self._forms[0])))

    @property
    def names_zone(self) -> bool:
        """Whether every time in this form has a zone."""
        return self._is_utc or "z" in _DIRECTIVE.findall(self.form)

    def read(self, value: Any, name: str) -> Any:
        """The time that a text, or a number that is written without separators, stands for; other values as they are.

        Raises:
            ValueError: The text has another form.
        """
        if type(value) is not str and type(value) is not int:
            return value
        text = str(value).strip()
        for form in self._forms:
            try:
                time = datetime.strptime(text, form)  # noqa: DTZ007 - its zone comes next
            except ValueError:
                continue
            return time.replace(tzinfo=UTC) if self._is_utc and time.tzinfo is None else time
        only = ", and %Z reads UTC, GMT and Z only" if len(self._forms) > 1 else ""
        raise ValueError(f"{name}: {shown(str(value))} is not a time of the form {self.form}{only}")
