"""Translates the options of a listing into queries: decisions only.

One listing may need several of Planhat's lists: archived tasks are a list of their own, and many company ids make a
URL too long. Filters that Planhat does not have are applied here, row by row.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, get_type_hints

from planhat_async._convert import wire_path
from planhat_async.batching.query import ID, Query
from planhat_async.records import Branch, IdFilter, Model, RowFilter
from planhat_async.records.arguments import Check, choice, several, whole
from planhat_async.records.filters import MAX_IDS_LENGTH, length_of
from planhat_async.repositories.options import ListingOptions, PageOptions

Options = Mapping[str, Any]

_CHECKS: Mapping[str, Check] = {
    "page_size": whole(1, or_none=True),
    "max_records": whole(0, or_none=True),
    "concurrency": whole(1),
    "start_offset": whole(0),
    "on_bad_record": choice("raise", "skip"),
}
"""Checks of the options' values; filters, `sort` and `select` are checked where they are translated."""


def queries_of(model: Model, options: Options, *, call: str = "", required_fields: tuple[str, ...] = ()) -> list[Query]:
    """The queries that the options of a listing translate to, in the order to read them.

    Args:
        model: The model whose records are listed.
        options: The options of the call.
        call: The call, for messages: `Tasks.iter()`.
        required_fields: Fields to fetch in any case.

    Raises:
        TypeError: An unknown option (Planhat would ignore it silently), or a value of the wrong type.
        ValueError: An unknown field, a key that is neither an `_id` nor a prefixed one, a blank filter.
    """
    check_options(options, known_options(model, ListingOptions), call=call)
    options = {name: _reusable(value) for name, value in options.items()}
    sort = _sort(model, options)
    choices = list(_branches(model, options))
    return [_query(model, combined, sort, options, required_fields) for combined in itertools.product(*choices)]


def page_query(model: Model, options: Options, *, call: str = "") -> Query | None:
    """The query of a single page; `None` if no record can be in it.

    Raises:
        TypeError: As `queries_of`; also an option of listings only.
        ValueError: As `queries_of`; also more ids than one call holds.
    """
    on_pages = [one for one in model.filters if one.is_for_pages]
    known = {*PageOptions.__annotations__, *(one.option for one in on_pages)}
    for name in options.keys() - known & known_options(model, ListingOptions):
        raise TypeError(f"{name} is an option of iter, iter_json, pages and all, not of page")
    check_options(options, known, call=call)
    options = {name: _reusable(value) for name, value in options.items()}
    filters: list[tuple[str, str]] = []
    for one in on_pages:
        params = one.page_params(options.get(one.option))
        if params is None:
            return None
        filters += params
    return _query(model, (Branch(params=tuple(filters)),), _sort(model, options), options, ())


def known_options(model: Model, kind: type) -> set[str]:
    """The options of a kind of list of this model: those of the `TypedDict`, and its filters."""
    return {*get_type_hints(kind), *(one.option for one in model.filters)}


def check_options(options: Options, known: Collection[str], *, call: str) -> None:
    """Refuse options that a call does not have, and values out of bounds.

    Args:
        options: What the caller passed.
        known: The names of the options that the call has.
        call: The call, for messages.

    Raises:
        TypeError: An unknown option, or a value of the wrong type.
        ValueError: A value out of bounds.
    """
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known))}"
            raise TypeError(f"{call} has no option {name!r}; {hint}")
    for name, check in _CHECKS.items():
        if name in options:
            check(name, options[name])


def _branches(model: Model, options: Options) -> Iterator[list[Branch]]:
    """For each filter, the lists that its value translates to; filters of ids share the length of a URL."""
    given = [(one, options.get(one.option)) for one in model.filters if isinstance(one, IdFilter)]
    ids = {one.option: one.ids(value) for one, value in given if value is not None}
    for one in model.filters:
        others = sum(length_of(held) for option, held in ids.items() if option != one.option)
        room = MAX_IDS_LENGTH - min(others, MAX_IDS_LENGTH // 2)
        yield one.branches(options.get(one.option, one.default), room=room)


def _query(
    model: Model, branches: tuple[Branch, ...], sort: str, options: Options, required_fields: tuple[str, ...]
) -> Query:
    names = dict.fromkeys([*required_fields, *(name for branch in branches for name in branch.required_fields)])
    required = tuple((name, wire_path(model.record, name)) for name in names)
    return Query(
        filters=tuple(itertools.chain.from_iterable(branch.params for branch in branches)),
        sort=sort,
        required_fields=required,
        row_filter=_all_of([branch.row_filter for branch in branches if branch.row_filter is not None]),
        **_selection(model, options, [wire for _, wire in required]),
    )


def _all_of(row_filters: list[RowFilter]) -> RowFilter | None:
    if len(row_filters) < 2:
        return row_filters[0] if row_filters else None
    return lambda row: all(row_filter(row) for row_filter in row_filters)


def _sort(model: Model, options: Options) -> str:
    sort = options.get("sort", "id")
    sort = "id" if sort is None or sort == "" else sort
    if not isinstance(sort, str):
        raise TypeError(f"sort must be the name of a field, not {sort!r}")
    minus, name = ("-", sort[1:]) if sort.startswith("-") else ("", sort)
    return minus + wire_path(model.record, name)


def _selection(model: Model, options: Options, required: Iterable[str]) -> dict[str, Any]:
    """The fields to fetch, and those among them that only a filter needs."""
    select = options.get("select")
    if select is None:
        return {}
    names = several("select", select, of="field names, such as ['subject', 'date']")
    selected = [wire_path(model.record, name) for name in names]
    fetched = dict.fromkeys([ID, *selected, *required])
    return {"select": tuple(fetched), "fetched_only": frozenset(fetched) - {ID, *selected}}


def _reusable(value: Any) -> Any:
    """An option's value; an iterator becomes a tuple, because it is read more than once."""
    return tuple(value) if isinstance(value, Iterator) else value
