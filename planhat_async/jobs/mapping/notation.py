"""How a file writes its times, lists and numbers, and what stood out in them: decisions only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from planhat_async._convert.timestamps import placed_in
from planhat_async.jobs.source_error import SourceError

_OTHER_SEPARATORS = (";", "|")


@attrs.define
class ValueRemarks:
    """What stood out in the values read since the last `clear`."""

    single_items: Counter[str] = attrs.field(factory=Counter)
    """By field, the cells with one item that holds a separator other than the chosen one."""
    repeated_times: Counter[str] = attrs.field(factory=Counter)
    """By field, the times that occur twice, because clocks are set back."""
    n_zoned: int = 0
    """Number of times that the zone was applied to."""

    def clear(self) -> None:
        """Begin anew."""
        self.single_items.clear()
        self.repeated_times.clear()
        self.n_zoned = 0

    def lines(self, zone: tzinfo | None) -> Iterator[str]:
        """A line for each."""
        for name, n in self.single_items.items():
            cells = "1 cell holds" if n == 1 else f"{n:,} cells hold"
            yield f"{name}: {cells} ; or | and {'is' if n == 1 else 'are'} read as one item each; see --list-separator"
        for name, n in self.repeated_times.items():
            times = "1 time occurs" if n == 1 else f"{n:,} times occur"
            yield f"{name}: {times} twice in {zone}, where clocks are set back: the first is sent"
        if zone is not None and not self.n_zoned:
            yield f"no time needed the time zone {zone}"


@attrs.frozen(kw_only=True)
class Notation:
    """How a file writes its times, lists and numbers."""

    zone: tzinfo | None = None
    """The zone of times without one."""
    list_separator: str | None = None
    """Between the items of a list in one cell; a comma if not given."""
    decimal_comma: bool = False
    """Whether numbers in texts have a decimal comma."""
    remarks: ValueRemarks = attrs.field(factory=ValueRemarks, eq=False, repr=False)

    @classmethod
    def parse(cls, *, time_zone: str | None, list_separator: str | None, decimal_comma: bool) -> Self:
        """The notation by the options of a mapping.

        Raises:
            SourceError: There is no such zone, or the separator of lists is empty.
        """
        if list_separator == "":
            raise SourceError("list_separator is empty: leave it out to split at commas")
        return cls(zone=_zone_of(time_zone), list_separator=list_separator, decimal_comma=decimal_comma)

    def in_zone(self, naive: datetime, name: str) -> datetime:
        """A time without a zone, in the zone; of two equal ones the first.

        Raises:
            ValueError: There is no zone, or its clocks skip the time. Midnight, which is a day, is moved forward.
        """
        if self.zone is None:
            raise ValueError(f"{name}: {naive} has no time zone: give one with --time-zone, such as --time-zone UTC")
        self.remarks.n_zoned += 1
        try:
            placed, is_repeated = placed_in(self.zone, naive)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        self.remarks.repeated_times.update([name] if is_repeated else [])
        return placed

    def separates(self, text: str, name: str) -> str:
        """The separator of a list in a cell."""
        if self.list_separator is not None:
            return self.list_separator
        if "," not in text and any(one in text for one in _OTHER_SEPARATORS):
            self.remarks.single_items[name] += 1
        return ","


def _zone_of(name: str | None) -> tzinfo | None:
    try:
        return None if name is None else ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError, TypeError):
        raise SourceError(f"time_zone: there is no zone {name!r}; a zone is called Europe/Berlin or UTC") from None
