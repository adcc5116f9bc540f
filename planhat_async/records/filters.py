"""What a list can be filtered by: values that a model's file names, one for each option.

A filter turns the value of its option into branches: one of Planhat's lists each, read one after another. What Planhat
cannot filter is filtered here, row by row; a branch says which fields of a row that takes.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

import attrs

from planhat_async.keys import PREFIXES, checked_key
from planhat_async.records.arguments import flag, several, text

Params = tuple[tuple[str, str], ...]
"""Parameters of a query, by Planhat's names."""
Keep = Callable[[Any], bool]
"""Whether a row is wanted, given an object that has the fields that its branch needs as attributes."""

_EPOCH = date(1970, 1, 1)
MAX_IDS_LENGTH = 2000
"""Characters of ids that one URL holds; where two filters have many, each gets half of them at least."""


@attrs.frozen(kw_only=True)
class Branch:
    """One of the lists that a filter's value comes down to."""

    params: Params = ()
    keep: Keep | None = None
    """Which of its rows are wanted; all where it is `None`."""
    needs: tuple[str, ...] = ()
    """The fields of a row that `keep` looks at, by our names."""


@attrs.frozen(kw_only=True)
class Filter(ABC):
    """An option of lists that says which records are wanted."""

    option: str
    """Its name in Python."""
    default: Any = None
    """What a listing takes where the caller gives no value."""
    is_for_pages: ClassVar[bool] = True
    """Whether a single page takes it; one that is filtered row by row does not."""

    @property
    def partition_field(self) -> str | None:
        """The boolean field that says which of two lists holds a record, `False` first; `None` if there are not two."""
        return None

    @abstractmethod
    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:
        """The lists that hold what is wanted, in the order to read them; `None` wants everything.

        Args:
            value: What the caller gave.
            room: Characters that the ids of one URL may take.

        Raises:
            TypeError: A value of the wrong type.
            ValueError: A value that Planhat would take for another, or for none.
        """

    def page_params(self, value: Any) -> Params | None:
        """The parameters for a single page; `None` where nothing is wanted.

        Raises:
            TypeError: As `branches`.
            ValueError: As `branches`, or one call cannot hold the value.
        """
        branches = self.branches(value)
        if len(branches) > 1:
            raise ValueError("too many ids for one call: list them with iter, pages or all")
        return branches[0].params if branches else None


@attrs.frozen(kw_only=True)
class TextFilter(Filter):
    """A text that Planhat compares."""

    wire: str
    """The parameter's name."""

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """One list."""
        text(or_none=True)(self.option, value)  # Planhat may take a blank one for no filter
        return [Branch() if value is None else Branch(params=((self.wire, value),))]


@attrs.frozen(kw_only=True)
class DayFilter(Filter):
    """A day, which Planhat takes as `YYYY-MM-DD`, or as the number of days since 1970-01-01."""

    wire: str
    """The parameter's name."""
    is_day_number: bool = False
    """Whether it is a number of days."""

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """One list."""
        if value is None:
            return [Branch()]
        day = self._day(value)
        return [Branch(params=((self.wire, str((day - _EPOCH).days) if self.is_day_number else day.isoformat()),))]

    def _day(self, value: Any) -> date:
        if isinstance(value, datetime) or not isinstance(value, date | str):
            raise TypeError(f"{self.option} must be a date, or text such as '2024-05-31', not {value!r}")
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{self.option} must be a day such as '2024-05-31', not {value!r}") from None


@attrs.frozen(kw_only=True)
class TypeFilter(Filter):
    """The kind of conversation, which Planhat cannot filter."""

    default: str = "note"
    """The type that is wanted where the caller names none; rows of a custom type belong to it."""
    is_for_pages: ClassVar[bool] = False

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """One list, of which the rows of this type are kept."""
        text(or_none=True)(self.option, value)
        if value is None:
            return [Branch()]
        if value == self.default:
            return [Branch(keep=self._is_default, needs=("type", "is_custom_type"))]
        return [Branch(keep=lambda row: bool(row.type == value), needs=("type",))]

    def _is_default(self, row: Any) -> bool:
        return bool(row.type == self.default) or row.is_custom_type is True


@attrs.frozen(kw_only=True)
class ArchivedFilter(Filter):
    """Open and archived records, of which Planhat has a list each; a single page holds open ones by default."""

    option: str = "archived"
    wire: str = "isArchived"
    field: str = "is_archived"
    """The field of a row that says whether it is archived."""

    @property
    def partition_field(self) -> str:
        """The field that says whether a record is archived: open records are read first."""
        return self.field

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:  # noqa: ARG002 - as the base has it
        """The list of open records, or that of archived ones, or the first and then the second."""
        flag(or_none=True)(self.option, value)
        # It is not documented whether the list of archived records holds open ones as well.
        archived = Branch(params=((self.wire, "true"),), keep=self._is_archived, needs=(self.field,))
        return [*([] if value else [Branch()]), *([] if value is False else [archived])]

    def page_params(self, value: Any) -> Params | None:
        """Open records where no value is given."""
        return super().page_params(False if value is None else value)

    def _is_archived(self, row: Any) -> bool:
        return getattr(row, self.field) is True


@attrs.frozen(kw_only=True)
class IdFilter(Filter):
    """Ids joined by commas, in as many lists as keep what one URL holds of them within `MAX_IDS_LENGTH`.

    A row may belong to several of those lists. Each comes once: with the first.
    """

    wire: str
    """The parameter's name."""
    field: str
    """The field of a row that names what is asked for: an `_id`, or with `is_list` a list of objects with an `id`."""
    is_list: bool = False
    is_many: bool = True
    """Whether Planhat takes several ids in one call."""

    def ids(self, value: Any) -> list[str]:
        """The ids, each once.

        Raises:
            TypeError: A key that is not text.
            ValueError: A key that cannot travel in a list, or is neither an `_id` nor a prefixed key.
        """
        checked = dict[str, None]()
        of = 'keys, or one key such as extid("…")'
        for one in [value] if isinstance(value, str) else several(self.option, value, of=of):
            if not isinstance(one, str):
                raise TypeError(f"{self.option}: a key is a string, not {type(one).__name__}: {one!r}")
            if not one.strip() or "," in one:
                raise ValueError(f"{self.option}: a key in a list must not be blank or hold a comma: {one!r}")
            checked[checked_key(one, by=self.option)] = None
        return list(checked)

    def branches(self, value: Any, *, room: int = MAX_IDS_LENGTH) -> list[Branch]:
        """A list for each group of ids; none where there are no ids.

        Raises:
            ValueError: More ids than one URL holds, of which records may have several, and not all are an `_id`:
                a record holds nothing else, so one that belongs to two lists could not be recognised.
        """
        if value is None:
            return [Branch()]
        groups = list(_groups(self.ids(value), room if self.is_many else 1))
        needs = (self.field,)
        return [
            Branch(params=((self.wire, ",".join(group)),), keep=keep, needs=needs if keep else ())
            for group, keep in zip(groups, self._keeps(groups), strict=True)
        ]

    def _keeps(self, groups: list[list[str]]) -> list[Keep | None]:
        """For each group what leaves out the rows that came with a group before it."""
        kinds = {_kind_of(one) for group in groups for one in group}
        if len(groups) < 2 or not (self.is_list or len(kinds) > 1):
            return [None] * len(groups)
        if not self.is_list:
            first_of: dict[str, int] = {}
            return [partial(self._is_first_met, number, first_of) for number in range(len(groups))]
        if kinds != {""}:
            raise ValueError(f"{self.option}: more ids than one call holds must each be an _id")
        return [
            partial(self._is_new, frozenset(itertools.chain(*groups[:number]))) if number else None
            for number in range(len(groups))
        ]

    def _is_first_met(self, number: int, first_of: dict[str, int], row: Any) -> bool:
        """Whether what a row belongs to has not come with a group before: it may be asked for under two names."""
        value = getattr(row, self.field)
        return not isinstance(value, str) or first_of.setdefault(value, number) == number

    def _is_new(self, before: frozenset[str], row: Any) -> bool:
        """Whether none of a row's ids was asked for before: otherwise the row has come already."""
        held = getattr(row, self.field)
        ids = (one.get("id") for one in held if isinstance(one, Mapping)) if isinstance(held, list) else ()
        return all(not isinstance(one, str) or one not in before for one in ids)


def length_of(ids: Iterable[str]) -> int:
    """The number of characters that ids take in a URL."""
    return len(quote(",".join(ids), safe=","))


def _kind_of(key: str) -> str:
    return next((prefix for prefix in PREFIXES if key.startswith(prefix)), "")


def _groups(ids: list[str], room: int) -> Iterator[list[str]]:
    group: list[str] = []
    n_characters = 0
    for one in ids:
        n_more = length_of([one]) + 1  # with its comma, of which there is one fewer
        if group and n_characters + n_more - 1 > room:
            yield group
            group, n_characters = [], 0
        group.append(one)
        n_characters += n_more
    if group:
        yield group
