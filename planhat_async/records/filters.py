"""The filters that a model's lists can have, one for each option.

A filter turns the value of its option into branches: one of Planhat's lists each, read one after another. What Planhat
cannot filter is filtered here, row by row; a branch names the fields of a row that this requires.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

import attrs

from planhat_async.records.arguments import flag, several, text, whole
from planhat_async.records.keys import PREFIXES, checked_key

Params = tuple[tuple[str, str], ...]
"""Parameters of a query, by Planhat's names."""
RowFilter = Callable[[Any], bool]
"""Whether a row is wanted, given an object with the branch's `required_fields` as attributes."""

_EPOCH = date(1970, 1, 1)
ANY = "any"
"""The text for `None`: select everything."""
_FLAGS = {"true": True, "false": False, ANY: None}
MAX_IDS_LENGTH = 2000
"""Characters of ids in one URL; if two filters have many ids, each gets at least half of them."""


@attrs.frozen(kw_only=True)
class Branch:
    """One of the lists that hold the records that a filter selects."""

    params: Params = ()
    row_filter: RowFilter | None = None
    """Which of its rows are wanted; all if `None`."""
    required_fields: tuple[str, ...] = ()
    """The fields of a row that `row_filter` reads, in snake_case."""


@attrs.frozen(kw_only=True)
class Filter(ABC):
    """An option of lists that selects records."""

    option: str
    """Its name in Python."""
    default: Any = None
    """Its value in a listing unless the caller gives one."""
    is_for_pages: ClassVar[bool] = True
    """Whether a single page has the option; filtering row by row is for listings only."""
    partition_field: str | None = None
    """The boolean field by which Planhat splits the records into two lists, `False` first."""
    hides: ClassVar[bool] = False
    """Whether its default leaves out records that an export must hold; `None` adds them."""

    @abstractmethod
    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:
        """The lists to read, in order, for the value of the option; `None` selects everything.

        `room` is the number of characters that ids may take in one URL.

        Raises:
            TypeError: A value of the wrong type.
            ValueError: A value that Planhat would misread or ignore.
        """

    def value_of(self, texts: Sequence[str]) -> Any:
        """The option's value that texts of a command line stand for; `branches` checks it.

        Raises:
            ValueError: Several texts for an option with one value, or a text that is not a value of the option.
        """
        if len(texts) != 1:
            raise ValueError(f"{self.option} takes one value, not {' and '.join(map(repr, texts))}")
        return self._value_of_text(texts[0])

    def _value_of_text(self, text: str) -> Any:
        return text

    def page_params(self, value: Any) -> Params | None:
        """The parameters for a single page; `None` if the value selects nothing.

        Raises as `branches` does, and ValueError if one call cannot hold the value.
        """
        branches = self.branches(value)
        if len(branches) > 1:
            raise ValueError("too many ids for one call: list them with iter, pages or all")
        return branches[0].params if branches else None


@attrs.frozen(kw_only=True)
class TextFilter(Filter):
    """A text that Planhat compares with a field."""

    wire: str
    """The parameter's name."""

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """One list."""
        text(or_none=True)(self.option, value)  # Planhat may ignore a blank one
        return [Branch() if value is None else Branch(params=((self.wire, value),))]


@attrs.frozen(kw_only=True)
class TextsFilter(TextFilter):
    """One text, or several that Planhat takes joined by commas."""

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:
        """One list; no list if there are no texts."""
        if value is None or isinstance(value, str):
            return super().branches(value, room=room)
        texts = list(dict.fromkeys(several(self.option, value, of="texts")))
        for one in texts:
            text()(self.option, one)
            if "," in one:
                raise ValueError(f"{self.option}: a text in a list must not hold a comma: {one!r}")
        return [Branch(params=((self.wire, ",".join(texts)),))] if texts else []

    def value_of(self, texts: Sequence[str]) -> list[str]:
        """All texts; each may hold several, separated by commas."""
        return _separated(texts)


@attrs.frozen(kw_only=True)
class NumberFilter(Filter):
    """A whole number that Planhat compares."""

    wire: str
    """The parameter's name."""
    without: int | None = None
    """The number that is sent if the caller gives none, if the parameter must always be sent."""

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """One list."""
        whole(0, or_none=True)(self.option, value)
        sent = self.without if value is None else value
        return [Branch(params=() if sent is None else ((self.wire, str(sent)),))]

    def _value_of_text(self, text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"{self.option} must be a whole number of at least 0, not {text!r}")
        return int(text)


@attrs.frozen(kw_only=True)
class DayFilter(Filter):
    """A day, sent as `YYYY-MM-DD` or as the number of days since 1970-01-01."""

    wire: str
    """The parameter's name."""
    is_day_number: bool = False
    """Whether it is sent as a number of days."""

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """One list."""
        if value is None:
            return [Branch()]
        if isinstance(value, datetime) or not isinstance(value, date | str):
            raise TypeError(f"{self.option} must be a date, or text such as '2024-05-31', not {value!r}")
        try:
            day = value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{self.option} must be a day such as '2024-05-31', not {value!r}") from None
        return [Branch(params=((self.wire, str((day - _EPOCH).days) if self.is_day_number else day.isoformat()),))]


@attrs.frozen(kw_only=True)
class TypeFilter(Filter):
    """The type of conversations, by which Planhat cannot filter."""

    default: str = "note"
    """The type in a listing unless the caller gives one; rows of custom types belong to it."""
    is_for_pages: ClassVar[bool] = False

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """One list, of which the rows of this type are kept."""
        text(or_none=True)(self.option, value)
        if value is None:
            return [Branch()]
        if value == self.default:
            fields = ("type", "is_custom_type")
            return [
                Branch(row_filter=lambda row: row.type == value or row.is_custom_type is True, required_fields=fields)
            ]
        return [Branch(row_filter=lambda row: bool(row.type == value), required_fields=("type",))]

    def _value_of_text(self, text: str) -> str | None:
        return None if text == ANY else text


@attrs.frozen(kw_only=True)
class ArchivedFilter(Filter):
    """Open and archived records, which Planhat lists separately; a single page holds open ones by default."""

    option: str = "archived"
    wire: str = "isArchived"
    partition_field: str = "is_archived"

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """The list of open records, that of archived ones, or both."""
        flag(or_none=True)(self.option, value)
        # It is not documented whether the list of archived records holds open ones as well.
        archived = Branch(
            params=((self.wire, "true"),),
            row_filter=lambda row: getattr(row, self.partition_field) is True,
            required_fields=(self.partition_field,),
        )
        return [*([] if value else [Branch()]), *([] if value is False else [archived])]

    def page_params(self, value: Any) -> Params | None:
        """Open records if the value is `None`."""
        return super().page_params(False if value is None else value)

    def _value_of_text(self, text: str) -> bool | None:
        return _flag_of(self.option, text)


@attrs.frozen(kw_only=True)
class HiddenFilter(Filter):
    """Archived records of a list that hides them unless asked: `False` leaves them out, `None` adds them."""

    option: str = "archived"
    default: bool | None = False
    is_for_pages: ClassVar[bool] = False
    hides: ClassVar[bool] = True
    wire: str = "archived"
    """The parameter that adds archived records."""
    field: str = "archived"
    """The field of a row that says whether it is archived."""

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """One list; of archived records only, if the value is `True`."""
        flag(or_none=True)(self.option, value)
        if value is False:
            return [Branch()]
        if value is None:
            return [Branch(params=((self.wire, "true"),))]
        return [Branch(params=((self.wire, "true"),), row_filter=self._is_archived, required_fields=(self.field,))]

    def _value_of_text(self, text: str) -> bool | None:
        return _flag_of(self.option, text)

    def _is_archived(self, row: Any) -> bool:
        return getattr(row, self.field) is True


@attrs.frozen(kw_only=True)
class IdFilter(Filter):
    """Ids joined by commas, split into several lists if they are too long for one URL.

    A row in several of those lists is kept in the first one only.
    """

    wire: str
    """The parameter's name."""
    field: str
    """The field of a row that is compared: it holds an `_id`, or with `is_list` a list of `_id`s or of `{id}`."""
    is_list: bool = False
    is_many: bool = True
    """Whether Planhat documents several ids in one call; otherwise each id is a list of its own."""
    prefixes: tuple[str, ...] = PREFIXES
    """Prefixes of keys that it accepts besides an `_id`."""

    def value_of(self, texts: Sequence[str]) -> list[str]:
        """All keys; each text may hold several, separated by commas."""
        return _separated(texts)

    def ids(self, value: Any) -> list[str]:
        """The ids without duplicates.

        Raises:
            TypeError: A key that is not text.
            ValueError: A key that is blank, holds a comma, or is neither an `_id` nor a prefixed key.
        """
        checked = dict[str, None]()
        of = 'keys, or one key such as extid("…")'
        for one in [value] if isinstance(value, str) else several(self.option, value, of=of):
            if not isinstance(one, str):
                raise TypeError(f"{self.option}: a key is a string, not {type(one).__name__}: {one!r}")
            if not one.strip() or "," in one:
                raise ValueError(f"{self.option}: a key in a list must not be blank or hold a comma: {one!r}")
            checked[checked_key(one, by=self.option, prefixes=self.prefixes)] = None
        return list(checked)

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:
        """A list for each group of ids that fits a URL; an empty result if there are no ids.

        Raises:
            ValueError: With `is_list`, more ids than one URL holds, some of which are not an `_id`: records hold
                nothing else, so one that is in two lists could not be recognised.
        """
        if value is None:
            return [Branch()]
        groups = list(_groups(self.ids(value), room if self.is_many else 1))
        return [
            Branch(
                params=((self.wire, ",".join(group)),),
                row_filter=row_filter,
                required_fields=(self.field,) if row_filter else (),
            )
            for group, row_filter in zip(groups, self._row_filters(groups), strict=True)
        ]

    def _row_filters(self, groups: list[list[str]]) -> Sequence[RowFilter | None]:
        """For each group, the filter that drops rows which belong to an earlier group too."""
        ids = itertools.chain.from_iterable(groups)
        prefixes = {next((prefix for prefix in PREFIXES if one.startswith(prefix)), "") for one in ids}
        if len(groups) < 2 or not (self.is_list or len(prefixes) > 1):
            return [None] * len(groups)
        if not self.is_list:
            first_of: dict[str, int] = {}
            return [partial(self._is_first_met, number, first_of) for number in range(len(groups))]
        if prefixes != {""}:
            raise ValueError(f"{self.option}: more ids than one call holds must each be an _id")
        group_of = {one: number for number, group in enumerate(groups) for one in group}
        return [partial(self._is_new, number, group_of) if number else None for number in range(len(groups))]

    def _is_first_met(self, number: int, first_of: dict[str, int], row: Any) -> bool:
        """Whether no earlier group returned rows with this `_id`: it may be given under two names."""
        value = getattr(row, self.field)
        return not isinstance(value, str) or first_of.setdefault(value, number) == number

    def _is_new(self, number: int, group_of: Mapping[str, int], row: Any) -> bool:
        """Whether no earlier group holds any of a row's ids."""
        held = getattr(row, self.field)
        ids = (one.get("id") if isinstance(one, Mapping) else one for one in held) if isinstance(held, list) else ()
        return all(not isinstance(one, str) or group_of.get(one, number) >= number for one in ids)


def _separated(texts: Iterable[str]) -> list[str]:
    return [one.strip() for text in texts for one in text.split(",")]


def _flag_of(option: str, text: str) -> bool | None:
    if text.lower() not in _FLAGS:
        raise ValueError(f"{option} must be true, false or {ANY}, not {text!r}")
    return _FLAGS[text.lower()]


def length_of(ids: Iterable[str]) -> int:
    """The number of characters that ids take in a URL."""
    return len(quote(",".join(ids), safe=","))


def _groups(ids: list[str], room: int) -> Iterator[list[str]]:
    group: list[str] = []
    left = room
    for one in ids:
        length = length_of([one])
        if group and length > left:
            yield group
            group, left = [], room
        group.append(one)
        left -= length + 1  # with the comma before the next one
    if group:
        yield group
