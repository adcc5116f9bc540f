"""Parts of a model's list, to be read independently of each other: by threads, processes or hosts.

Planhat has neither a total nor a filter by range, and parts by offset lose records: what is deleted in one part moves
the others. So a list is cut at `_id`s, which do not move. Each part is a listing of its own with the joins of pages
repaired, from one cut to the next; together they hold every record that exists throughout exactly once, even while
others create and delete.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import pairwise, product
from typing import Any, TypeVar

import attrs

from planhat_async._convert import row_id
from planhat_async.errors import DecodeError
from planhat_async.records import Model, Record
from planhat_async.records.arguments import whole
from planhat_async.repositories import Lists, WholeLists
from planhat_async.repositories.queries import queries_of

R = TypeVar("R", bound=Record)
_NOT_FOR_PARTS = ("sort", "max_records", "start_offset", "after")


@attrs.frozen(kw_only=True)
class Cut:
    """One part of a model's list: plain values, which can be pickled and sent to a worker."""

    after: str | None = None
    """The part holds records with an `_id` beyond this one; from the beginning if `None`."""
    until: str | None = None
    """Up to this `_id`, which belongs to the part; to the end if `None`."""
    start_offset: int = 0
    """About how many records of the list are before the part."""
    n_records: int | None = None
    """About how many records the part has, for a list that was cut; it bounds what is fetched beyond the part's end."""
    options: Mapping[str, Any] = attrs.field(factory=dict)
    """The options of the listing: filters, `select`, and which of Planhat's lists it is."""


@attrs.define
class LengthSearch:
    """Finds how many whole pages a list has, by asking whether there is a record behind a number of pages.

    It doubles the number while there is one, then halves the interval: about 2 · log2(pages) questions.
    """

    low: int = 0
    """There is a record behind this many pages, as far as is known, or the list is shorter than a page."""
    high: int | None = None
    """No record is behind this many pages."""

    @property
    def question(self) -> int | None:
        """The number of pages to ask about; `None` if the length is known."""
        if self.high is None:
            return 2 * self.low or 1
        return (self.low + self.high) // 2 if self.high - self.low > 1 else None

    def note(self, n_pages: int, *, has_record: bool) -> None:
        """Take in an answer."""
        if has_record:
            self.low = n_pages
        else:
            self.high = n_pages


async def plan_cuts(repository: Lists[Any], n: int, **options: Any) -> list[Cut]:
    """Cut a model's list into about `n` parts of similar length.

    Costs about 2 · log2(pages) + n calls of one `_id` each, less for a short list; lists that Planhat answers all at
    once, and lists of many ids, are one part each and cost nothing. Archived records that are a list of their own are
    parts of their own. Records that are created after the call are in no part.

    Args:
        repository: The repository of the model.
        n: The number of parts; there are fewer if the list is short, and more if it consists of several lists.
        **options: The model's filters, `select`, `page_size`, `concurrency` and `on_bad_record`, for the parts.

    Returns:
        The parts in the order of the list.

    Raises:
        TypeError: An unknown option, `sort`, `after`, `start_offset` or `max_records`, or a value of the wrong type.
        ValueError: A number below 1, or a value that the listing refuses.
        RequestError: A call failed, after all retries.
    """
    whole(1)("n", n)
    _refuse_options(options)
    limits = repository.model.limits
    if isinstance(repository, WholeLists) or limits is None:
        return [Cut(options=options)]
    cuts: list[Cut] = []
    for one in single_lists(repository.model, options):
        cuts += await _cuts_of_list(repository, n, one, page_size=options.get("page_size") or limits.most)
    return cuts


def read_part(repository: Lists[R], cut: Cut, **options: Any) -> AsyncGenerator[R, None]:
    """Yield the records of a part in the order of their `_id`s.

    Costs one call per page of the part, and at most a few more. To leave it early, close it.

    Args:
        repository: A repository of the same model.
        cut: The part.
        **options: Options in place of those that the part was planned with; not its filters.

    Raises:
        TypeError: An unknown option, or one that a part cannot have.
        DecodeError: A record cannot be decoded, or the server ignores the order of `_id`s.
        RequestError: A call failed, after all retries; the records before it were yielded.
    """
    return _read(repository.iter, _id_of_record, cut, options)


def read_part_json(repository: Lists[Any], cut: Cut, **options: Any) -> AsyncGenerator[bytes, None]:
    """Like `read_part`, but yields each record's JSON as Planhat sent it, like `iter_json`."""
    return _read(repository.iter_json, row_id, cut, options)


def _refuse_options(options: Mapping[str, Any]) -> None:
    for name in _NOT_FOR_PARTS:
        if name in options:
            raise TypeError(f"a list in parts has no option {name!r}: parts are in the order of _ids")


def single_lists(model: Model, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The options of each list of Planhat's, for the options of a listing that comes down to several."""
    split = [one for one in model.filters if one.partition_field and options.get(one.option) is None]
    for choice in product(*([(one.option, value) for value in (False, True)] for one in split)):
        yield {**options, **dict(choice)}


async def _cuts_of_list(repository: Lists[Any], n: int, options: dict[str, Any], *, page_size: int) -> list[Cut]:
    queries = queries_of(repository.model, options, call=f"{type(repository).__name__} in parts")
    if n == 1 or len(queries) != 1:
        return [Cut(options=options)]
    ids = _IdsByOffset(repository, _filters(repository, options))
    n_records = await _length(ids, page_size)
    offsets = _offsets(n_records, n)
    found = [(offset, await ids.at(offset)) for offset in offsets]
    return _between([(offset, id_) for offset, id_ in found if id_ is not None], await ids.newest(), options)


@attrs.define
class _IdsByOffset:
    """The `_id`s at some places of a list, each read once by a call."""

    repository: Lists[Any]
    filters: Mapping[str, Any]
    known: dict[int, str | None] = attrs.field(factory=dict)

    async def at(self, offset: int) -> str | None:
        """The `_id` behind this many records; `None` past the end."""
        if offset not in self.known:
            self.known[offset] = next(iter(await self._ids(offset, 1, "id")), None)
        return self.known[offset]

    async def newest(self) -> str | None:
        """The greatest `_id`; `None` if the answer does not prove that it is the greatest."""
        ids = await self._ids(0, 2, "-id")
        return ids[0] if len(ids) > 1 and ids[0] > ids[1] else None

    async def _ids(self, offset: int, limit: int, sort: str) -> list[str]:
        found = await self.repository.page(offset=offset, limit=limit, **self.filters, sort=sort, select=["id"])
        return [one.id for one in found if one.id is not None]


async def _length(ids: _IdsByOffset, page_size: int) -> int:
    """The length of a list, to within half a page; 0 if it is no longer than one."""
    search = LengthSearch()
    greatest = ""
    while (n_pages := search.question) is not None:
        found = await ids.at(n_pages * page_size)
        # A server that ignores the offset has a record everywhere: there the list does not advance.
        advances = found is not None and (search.high is not None or found > greatest)
        greatest = max(greatest, found or "")
        search.note(n_pages, has_record=advances)
    return search.low * page_size + page_size // 2 if search.low else 0


def _filters(repository: Lists[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The filters that a single page has too."""
    known = {one.option for one in repository.model.filters if one.is_for_pages}
    return {name: value for name, value in options.items() if name in known}


def _offsets(n_records: int, n: int) -> list[int]:
    """Where a list of about this length is cut into `n` parts."""
    return sorted({number * n_records // n for number in range(1, n)} - {0})


def _between(cuts: Sequence[tuple[int, str]], newest: str | None, options: dict[str, Any]) -> list[Cut]:
    """The parts between these places, each an offset and the `_id` that ends the part before it.

    An `_id` that is not beyond those before it, because records moved between the calls, does not cut.
    """
    places: list[tuple[int, str | None]] = [(0, None)]
    for offset, id_ in cuts:
        last = places[-1][1]
        if (last is None or id_ > last) and (newest is None or id_ < newest):
            places.append((offset, id_))
    parts = [
        Cut(after=after, until=until, start_offset=start, n_records=end - start, options=options)
        for (start, after), (end, until) in pairwise(places)
    ]
    start, after = places[-1]
    return [*parts, Cut(after=after, until=newest, start_offset=start, options=options)]


async def _read(read: Any, id_of: Any, cut: Cut, options: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
    _refuse_options(options)
    after, start, left = cut.after, cut.start_offset, cut.n_records
    chosen = {**cut.options, **options}
    if chosen.get("on_bad_record") == "skip":
        left = None  # skipped records count, and are not seen here
    while True:
        place: dict[str, Any] = {} if after is None else {"after": after, "start_offset": start}
        n_read = 0
        records = read(**chosen, **place, **({} if left is None else {"max_records": left + 1}))
        async with aclosing(records):
            async for record in records:
                id_ = id_of(record)
                if id_ is None:
                    raise DecodeError("a record of a part has no _id")
                if cut.until is not None and id_ > cut.until:
                    return
                n_read, after = n_read + 1, id_
                yield record
        if left is None or n_read <= left:
            return
        # The part has more records than when it was planned.
        start += n_read


def _id_of_record(record: Record) -> str | None:
    id_: str | None = getattr(record, "id", None)
    return id_
