"""What the options of a listing come down to: decisions only.

One listing may need several of Planhat's lists: archived tasks are a list of their own, and long lists of
companies make URLs too long. What Planhat cannot filter is filtered here, row by row.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

import attrs

from planhat_async._checks import Check, choice, flag, several, text, whole
from planhat_async._convert import RowFlags, row_flags, wire_path, without_fields
from planhat_async.keys import EXTID, PREFIXES, SRCID, checked_key
from planhat_async.listing_options import ListingOptions, NoteListingOptions, TaskListingOptions, TicketListingOptions
from planhat_async.models import Note, Record, Task, Ticket

MAX_IDS_LENGTH = 2000
"""Characters of ids that one URL holds; where two filters have many, each gets half of them at least."""
_ID_FILTERS = {"company_id": "companyId", "enduser_ids": "enduserIds"}
"""Options that take many ids, with Planhat's names."""

LISTING_ONLY = frozenset({*ListingOptions.__annotations__, "type"})
"""Options that a single page cannot have."""

_CHECKS: Mapping[str, Check] = {
    "page_size": whole(1, or_none=True),
    "max_records": whole(0, or_none=True),
    "concurrency": whole(1),
    "start_offset": whole(0),
    "on_bad_record": choice("raise", "skip"),
    "archived": flag(or_none=True),
    **dict.fromkeys(("type", "status", "email", "search"), text(or_none=True)),  # a blank filter may mean none
}
"""What the values of options have to be; ids, `sort` and `select` are checked where they are translated."""

Params = tuple[tuple[str, str], ...]
Keep = Callable[[RowFlags], bool]
Options = Mapping[str, Any]

ID = "_id"


@attrs.frozen(kw_only=True)
class Query:
    """One list of Planhat's, and which of its rows are wanted."""

    filters: Params = ()
    sort: str = ID
    select: tuple[str, ...] = ()
    """Fields to fetch, by Planhat's names; all where there are none."""
    hidden_fields: frozenset[str] = frozenset()
    """Fields among them that only a filter needs; never the `_id`."""
    keep: Keep | None = None
    """Which rows are wanted; all where it is `None`."""

    @property
    def params(self) -> Params:
        """The query's parameters, but for its place in the list."""
        order = ("sort", self.sort)
        return (*self.filters, order, *((("select", ",".join(self.select)),) if self.select else ()))

    @property
    def newest_params(self) -> Params:
        """The parameters of the same list from its other end, `_id`s alone."""
        return (*self.filters, ("sort", f"-{ID}"), ("select", ID))

    def wanted(self, row: bytes) -> bytes | None:
        """The row as it is wanted, or `None` where it is not.

        Raises:
            DecodeError: It cannot be read.
        """
        if self.keep is not None and not self.keep(row_flags(row)):
            return None
        return self.shown(row)

    def shown(self, row: bytes) -> bytes:
        """The row without what nobody selected.

        Raises:
            DecodeError: It cannot be read.
        """
        return without_fields(row, self.hidden_fields) if self.hidden_fields else row


@attrs.frozen(kw_only=True)
class Endpoint:
    """Where a model's endpoint is, and how it lists ("List" in Planhat's documentation of each model)."""

    path: str
    record: type[Record]
    default_limit: int
    """Records in an answer to a list that names no limit."""
    max_limit: int
    """Records that one call may ask for."""
    options: type
    """The options its listings take."""
    key_prefixes: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """For each method, the prefixes of the keys that it takes in a path; every method takes an `_id`."""
    lists: Callable[[Options], Iterator[tuple[Params, Keep | None, tuple[str, ...]]]]
    """Options to the filters of each list, which rows to keep, and the fields that needs."""

    def queries(self, options: Options, *, call: str = "iter", needs: tuple[str, ...] = ()) -> list[Query]:
        """All lists that the options come down to, in the order to read them.

        Args:
            options: What the caller asks for.
            call: The method that was called, for messages.
            needs: Fields that are needed whatever is selected.

        Raises:
            TypeError: An unknown option (Planhat would ignore it silently), or one of the wrong type.
            ValueError: An unknown field, a key that is neither an `_id` nor a prefixed one, a blank filter.
        """
        check_options(options, self.options, call=f"{self.record.__name__}s.{call}()")
        options = {name: _kept(value) for name, value in options.items()}
        sort = self._sort(options)
        groups = list(_id_groups("company_id", options))
        lists = list(self.lists(options))
        # Only then may one company be in two groups, under two names.
        is_mixed = len({one.startswith(PREFIXES) for group in groups for _, ids in group for one in ids.split(",")}) > 1
        seen: dict[str, int] = {}
        return [
            Query(
                filters=(*group, *filters),
                sort=sort,
                keep=_of_companies_first_met(number, seen, keep) if is_mixed and len(groups) > 1 else keep,
                **self._selection(options, (*needs, *kept_by, *(("company_id",) if is_mixed else ()))),
            )
            for (number, group), (filters, keep, kept_by) in itertools.product(enumerate(groups), lists)
        ]

    def _sort(self, options: Options) -> str:
        sort = options.get("sort", "id")
        sort = "id" if sort is None or sort == "" else sort
        if not isinstance(sort, str):
            raise TypeError(f"sort must be the name of a field, not {sort!r}")
        minus, name = ("-", sort[1:]) if sort.startswith("-") else ("", sort)
        return minus + wire_path(self.record, name)

    def _selection(self, options: Options, needs: tuple[str, ...]) -> dict[str, Any]:
        """What to fetch, and what of that is not to be handed on."""
        select = options.get("select")
        if select is None:
            return {}
        names = several("select", select, of="field names, such as ['subject', 'date']")
        wanted = [wire_path(self.record, name) for name in names]
        fetched = dict.fromkeys([ID, *wanted, *(wire_path(self.record, name) for name in needs)])
        return {"select": tuple(fetched), "hidden_fields": frozenset(fetched) - {ID, *wanted}}


def check_options(options: Options, known: type, *, call: str) -> None:
    """Refuse options that a call does not have, and values that cannot be meant.

    Args:
        options: What the caller passed.
        known: The options that the call has, as a `TypedDict`.
        call: The call, for messages.

    Raises:
        TypeError: An unknown option, or a value of the wrong type.
        ValueError: A value out of bounds.
    """
    names = known.__annotations__  # those of its bases included, as it is a TypedDict
    for name in options:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(names))}"
            raise TypeError(f"{call} has no option {name!r}; {hint}")
    for name, check in _CHECKS.items():
        if name in options:
            check(name, options[name])


def _kept(value: Any) -> Any:
    """An option's value, an iterator's as a tuple: it is read more than once."""
    return tuple(value) if isinstance(value, Iterator) else value


def _note_lists(options: Options) -> Iterator[tuple[Params, Keep | None, tuple[str, ...]]]:
    wanted = options.get("type", "note")
    if wanted is None:
        yield (), None, ()
    elif wanted == "note":
        yield (), lambda row: row.type == "note" or row.is_custom_type is True, ("type", "is_custom_type")
    else:
        yield (), lambda row: row.type == wanted, ("type",)


def _task_lists(options: Options) -> Iterator[tuple[Params, Keep | None, tuple[str, ...]]]:
    archived = options.get("archived")
    before: frozenset[str] = frozenset()
    for group in _id_groups("enduser_ids", options):
        needs = ("endusers",) if before else ()
        if not archived:
            yield group, partial(_is_new, before) if before else None, needs
        if archived is not False:
            # Whether `isArchived=true` answers the open ones as well is not documented.
            yield (*group, ("isArchived", "true")), partial(_is_archived, before), ("is_archived", *needs)
        before = before.union(*(ids.split(",") for _, ids in group))


def _is_new(before: frozenset[str], row: RowFlags) -> bool:
    """Whether none of a task's end users were asked for before: then it has been there already."""
    people = row.endusers if isinstance(row.endusers, list) else ()
    ids = (person.get("id") for person in people if isinstance(person, Mapping))
    return all(not isinstance(one, str) or one not in before for one in ids)


def _is_archived(before: frozenset[str], row: RowFlags) -> bool:
    return row.is_archived is True and _is_new(before, row)


def _of_companies_first_met(number: int, seen: dict[str, int], keep: Keep | None) -> Keep:
    """Keeps a group's rows unless their company was in a group before: it may be named in two ways."""

    def is_first(row: RowFlags) -> bool:
        is_new = not isinstance(row.company_id, str) or seen.setdefault(row.company_id, number) == number
        return is_new and (keep is None or keep(row))

    return is_first


def _ticket_lists(options: Options) -> Iterator[tuple[Params, Keep | None, tuple[str, ...]]]:
    names = ("status", "email", "search")
    filters = tuple((name, options[name]) for name in names if options.get(name) is not None)
    yield filters, None, ()


def _id_groups(name: str, options: Options) -> Iterator[Params]:
    """Ids joined by commas, in as many groups as keep what one URL holds of them within `MAX_IDS_LENGTH`."""
    ids = _ids(name, options)
    if ids is None:
        yield ()
        return
    others = sum(_length(_ids(other, options) or ()) for other in _ID_FILTERS if other != name)
    room = MAX_IDS_LENGTH - min(others, MAX_IDS_LENGTH // 2)
    group: list[str] = []
    n_characters = 0
    for one in ids:
        n_more = _length([one]) + 1  # with its comma, of which there is one fewer
        if group and n_characters + n_more - 1 > room:
            yield ((_ID_FILTERS[name], ",".join(group)),)
            group, n_characters = [], 0
        group.append(one)
        n_characters += n_more
    if group:
        yield ((_ID_FILTERS[name], ",".join(group)),)


def _length(ids: Iterable[str]) -> int:
    """Characters they take in a URL."""
    return len(quote(",".join(ids), safe=","))


def _ids(name: str, options: Options) -> list[str] | None:
    """The ids of a filter, each once; `None` where there is no such filter."""
    ids = options.get(name)
    if ids is None:
        return None
    checked = dict[str, None]()
    for one in [ids] if isinstance(ids, str) else several(name, ids, of='keys, or one key such as extid("…")'):
        if not isinstance(one, str):
            raise TypeError(f"{name}: a key is a string, not {type(one).__name__}: {one!r}")
        if not one.strip() or "," in one:
            raise ValueError(f"{name}: a key in a list must not be blank or hold a comma: {one!r}")
        checked[checked_key(one, by=name)] = None
    return list(checked)


NOTES = Endpoint(
    path="/conversations",
    record=Note,
    default_limit=30,
    max_limit=2000,
    options=NoteListingOptions,
    key_prefixes={"GET": (EXTID,), "PUT": (EXTID, SRCID)},
    lists=_note_lists,
)
TASKS = Endpoint(
    path="/tasks",
    record=Task,
    default_limit=500,
    max_limit=10_000,
    options=TaskListingOptions,
    key_prefixes={"GET": (SRCID,), "PUT": (SRCID,)},
    lists=_task_lists,
)
TICKETS = Endpoint(
    path="/tickets",
    record=Ticket,
    default_limit=500,
    max_limit=10_000,
    options=TicketListingOptions,
    lists=_ticket_lists,
)
