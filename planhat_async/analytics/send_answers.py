"""What an answer of the analytics host says of the rows that were sent: decisions only.

The answer to metrics counts those that were processed, and lists the others with their reasons. Such a list names no
position, so each of its items is compared with the rows. Nothing is documented about the answer to activities; a
success without counts means that Planhat has received all of them and checks them later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice
from typing import Any, TypeAlias

import attrs

from planhat_async._convert import (
    acknowledgement_in,
    decode_json,
    encode_plain,
    printable,
    read_time,
    split_object,
    split_rows,
)
from planhat_async.analytics.outgoing_chunks import Part
from planhat_async.analytics.send_result import SendCounts, SendOutcome
from planhat_async.errors import DecodeError

_DATE = "date"
_MAX_REASON = 300
_ROWS_A_STEP = 200
"""Rows or errors that are looked at in one step."""
_SMALL_BYTES = 1000
"""The largest values that are decoded to find out whether an answer reports an error."""

_Values: TypeAlias = tuple[Any, ...]
_Item: TypeAlias = tuple[_Values | None, datetime | None]
"""The values of an item that are compared, and its date."""


@attrs.frozen(kw_only=True)
class ItemFields:
    """The fields by which an item of an answer is recognised as a row."""

    names: tuple[str, ...]
    """Planhat's names, without the date."""
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    """The values that Planhat fills in."""

    def values_of(self, item: Mapping[str, Any]) -> _Values | None:
        """The values that are compared; a missing one is its default. `None` if one is a list or an object."""
        held = tuple(self.defaults.get(name) if item.get(name) is None else item[name] for name in self.names)
        return None if any(isinstance(value, list | dict) for value in held) else held


METRIC_FIELDS = ItemFields(names=("dimensionId", "value", "externalId", "model"), defaults={"model": "Company"})
ACTIVITY_FIELDS = ItemFields(
    names=("email", "externalId", "euExtId", "name", "companyExternalId", "action", "weight", "count"),
    defaults={"weight": 1, "count": 1},
)


@attrs.frozen(kw_only=True)
class Answer:
    """A success, as far as it is about rows."""

    n_processed: int | None = None
    """The number of rows that were processed, if the answer says so."""
    errors: bytes = b"[]"
    """The JSON array of the rows that were not."""
    hide: Callable[[bytes], bytes] = bytes
    """Removes the credential from a reason, which may quote the request."""


def answer_in(body: bytes) -> Answer:
    """What a 2xx answer says.

    Raises:
        DecodeError: It is not a success: it reports an error of the whole request, or is a page of HTML.
    """
    try:
        held = split_object(body) if body.strip() else None
    except DecodeError:
        if body.lstrip()[:1] in {b"{", b"[", b'"'}:
            raise  # half of an answer, and no word such as OK
        held = None
    if held is None:
        acknowledgement_in(body)
        return Answer()
    others = {name: value for name, value in held.items() if name not in {"processed", "errors"}}
    acknowledgement_in(encode_plain({name: _small(value) for name, value in others.items()}))
    processed, errors = decode_json(held.get("processed", b"null")), held.get("errors", b"[]").strip()
    if errors == b"null":
        errors = b"[]"
    if not errors.startswith(b"["):
        raise DecodeError("its errors are not a list")
    is_count = isinstance(processed, int) and not isinstance(processed, bool) and processed >= 0
    return Answer(n_processed=processed if is_count else None, errors=errors)


def account_of(answer: Answer, part: Part, fields: ItemFields, account: SendCounts) -> Iterator[None]:
    """Count the rows of a part by what the answer says of them; yields where other tasks may run.

    Every row is counted in exactly one outcome, even if the answer contradicts itself.

    Args:
        answer: The answer.
        part: The rows that were sent.
        fields: The fields by which its items are recognised.
        account: Counts the rows.
    """
    finder = _RowFinder(fields, answer.hide)
    for errors in split_rows([answer.errors]):
        for start in range(0, len(errors), _ROWS_A_STEP):
            for error in errors[start : start + _ROWS_A_STEP]:
                finder.add_error(error)
            yield
    if finder.has_named:
        yield from _look_at_rows(finder, part)
    n_left = part.n_rows
    # A row may have more than one error: an error without a row of its own rejects none that is counted as processed.
    most = min(part.n_rows, max(finder.n_found, part.n_rows - (answer.n_processed or 0), 1))
    for positions, reason in islice(finder.problems(), most):
        account.refuse(SendOutcome.REJECTED, reason, positions, n_nameless=not positions)
        n_left -= 1
        if n_left % _ROWS_A_STEP == 0:
            yield
    n_processed = min(answer.n_processed or 0, n_left)
    account.accept(SendOutcome.PROCESSED, n_processed)
    account.accept(SendOutcome.RECEIVED, n_left - n_processed)


def _look_at_rows(finder: _RowFinder, part: Part) -> Iterator[None]:
    positions = chain.from_iterable(part.positions)
    for rows in split_rows([part.body]):
        for start in range(0, len(rows), _ROWS_A_STEP):
            for row in rows[start : start + _ROWS_A_STEP]:
                finder.look_at(next(positions), row)
            yield
    yield from finder.look_at_undated()


@attrs.define
class _RowFinder:
    """Finds the rows that errors are about, by comparing their items with the rows.

    Rows with the same values cannot be distinguished; the first of them gets the first error. An answer may hold as
    many errors as rows, so an error creates few objects that Python's garbage collector has to look at.
    """

    _fields: ItemFields
    _hide: Callable[[bytes], bytes]
    _reasons: dict[_Item, str | deque[str]] = attrs.field(factory=dict)
    """The reasons whose row is not found yet, by their items."""
    _nameless: list[str] = attrs.field(factory=list)
    """The reasons of errors that name no row."""
    _undated: list[tuple[_Values | None, int]] = attrs.field(factory=list)
    """Rows without a date: in the answer they may have one that Planhat filled in."""
    _found: list[tuple[int, str]] = attrs.field(factory=list)

    @property
    def n_found(self) -> int:
        """The number of rows found."""
        return len(self._found)

    @property
    def has_named(self) -> bool:
        """Whether a row is still to be found."""
        return bool(self._reasons)

    def add_error(self, error: bytes) -> None:
        """Take an element of the answer's list of errors."""
        held = decode_json(error)
        item: Any = held.get("item") if isinstance(held, dict) else None
        reason = printable(self._hide(_reason_in(held)).decode("utf-8", "replace"), _MAX_REASON)
        values = self._fields.values_of(item) if isinstance(item, dict) else None
        if values is None:
            self._nameless.append(reason)
            return
        named = (values, _moment(item.get(_DATE)))
        known = self._reasons.get(named)
        if known is None:
            self._reasons[named] = reason
        elif isinstance(known, deque):
            known.append(reason)
        else:
            self._reasons[named] = deque([known, reason])

    def look_at(self, position: int, row: bytes) -> None:
        """Compare a row with the errors, in the order of the input."""
        held = decode_json(row)
        named = (self._fields.values_of(held), _moment(held.get(_DATE)))
        if named in self._reasons:
            self._take(named, position)
        elif named[1] is None:
            self._undated.append((named[0], position))

    def look_at_undated(self) -> Iterator[None]:
        """Compare the rows without a date once more; yields where other tasks may run."""
        dated: dict[_Values | None, deque[_Item]] = {}
        for number, item in enumerate(self._reasons, 1):
            dated.setdefault(item[0], deque()).append(item)
            if number % _ROWS_A_STEP == 0:
                yield
        for number, (values, position) in enumerate(self._undated, 1):
            items = dated.get(values)
            if items:
                self._take(items[0], position)
                if items[0] not in self._reasons:
                    items.popleft()
            if number % _ROWS_A_STEP == 0:
                yield

    def problems(self) -> Iterator[tuple[tuple[range, ...], str]]:
        """Yield the reason of each error, with the position of its row if that was found."""
        for position, reason in self._found:
            yield (range(position, position + 1),), reason
        left = (reasons if isinstance(reasons, deque) else (reasons,) for reasons in self._reasons.values())
        for reason in chain(chain.from_iterable(left), self._nameless):
            yield (), reason

    def _take(self, item: _Item, position: int) -> None:
        reasons = self._reasons[item]
        if isinstance(reasons, deque) and len(reasons) > 1:
            self._found.append((position, reasons.popleft()))
        else:
            self._found.append((position, reasons[0] if isinstance(reasons, deque) else reasons))
            del self._reasons[item]


def _reason_in(error: Any) -> bytes:
    said = error.get("error", error.get("message")) if isinstance(error, dict) else error
    if isinstance(said, str):
        return said.encode("utf-8", "replace") or b"Planhat gives no reason"
    return encode_plain(error if said is None else said)


def _moment(date: Any) -> datetime | None:
    """A date as it is compared: Planhat may write it in another form than it was sent in."""
    try:
        return read_time(date)
    except (TypeError, ValueError):
        return None


def _small(value: bytes) -> Any:
    """A value that may say that a request failed; a large one counts as some value."""
    return decode_json(value) if len(value) <= _SMALL_BYTES else True
