"""What an upsert's answer says of its rows: decisions only.

Planhat answers with counts, with error lists of undocumented form, and for tickets with two counts only. This
module turns that into an account in which every row sent is in exactly one outcome. A row is blamed only where
an error names its key; everything else is a count.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from planhat_async.batching.chunking import Chunk, Row
from planhat_async.errors import PlanhatError
from planhat_async.results import ChunkResult, Outcome, Problem, ranges_of

_logger = logging.getLogger("planhat_async.upserting")

_COUNTS = {"created": Outcome.CREATED, "updated": Outcome.UPDATED, "nonupdates": Outcome.UNCHANGED}
_ITEMS = {"insertsKeys", "updatesKeys", "modified", "upsertedIds"}
_MAX_REFUSALS = 100
"""After so many refusals of the same chunk its rows are not sent again."""
_MAX_TOO_LARGE = 10
"""After so many single rows that are too large the rest of a chunk is not tried."""
_KEY_NAMES = ("_id", "sourceId", "externalId")


@attrs.frozen(kw_only=True)
class Answer:
    """What came back for one request."""

    status: int
    account: Any
    """The decoded body."""
    follows_unknown: bool = False
    """Whether an earlier attempt may have stored the rows already."""


@attrs.define
class Account:
    """The rows of one chunk, by outcome, filled in answer by answer."""

    chunk: Chunk
    result: ChunkResult = attrs.field(init=False)
    left: list[tuple[Row, ...]] = attrs.field(init=False)
    """Rows that are still to be sent, or being sent: one request each, the next one last."""
    has_left: bool = False
    """Whether the rows that come next may have reached Planhat already."""
    follows_unknown: bool = False
    """Whether an earlier attempt may have stored the rows that an answer is about."""
    n_too_large: int = 0
    n_refusals: int = 0
    """How many times Planhat has refused all for the sake of some."""

    def __attrs_post_init__(self) -> None:
        self.left = [self.chunk.rows]
        invalid = self.chunk.invalid
        everything = [row.position for row in self.chunk.rows] + [problem.position or 0 for problem in invalid]
        self.result = ChunkResult(number=self.chunk.number, positions=ranges_of(everything))
        self._list(invalid)

    def settle(self, rows: Iterable[Row], outcome: Outcome, reason: str) -> None:
        """Put these rows, each by name, into an outcome that is not one of the stored ones."""
        self._list(Problem(outcome=outcome, reason=reason, position=row.position, key=row.key) for row in rows)

    def fail(self, rows: Iterable[Row], error: PlanhatError, outcome: Outcome) -> None:
        """Put these rows into an outcome because of an error."""
        self.result.error = error
        self.settle(rows, outcome, str(error))

    def leave(self, has_left: bool) -> None:
        """Note whether the next rows have left, or it turned out that nothing of them was processed."""
        self.has_left = has_left

    def give_up(self) -> None:
        """Settle the rows that nothing more will be heard of."""
        if self.left and self.has_left:
            self.settle(self.left.pop(), Outcome.UNKNOWN, "given up before its answer came")
        for rows in self.left:
            self.settle(rows, Outcome.UNSENT, "given up before it was sent")
        self.left.clear()

    def refuse_as_too_large(self) -> None:
        """Note that a single row was too large; where many are, the rest is not tried one by one."""
        self.n_too_large += 1
        if self.n_too_large >= _MAX_TOO_LARGE:
            for rows in self.left[:-1]:
                self.settle(rows, Outcome.UNSENT, f"not sent: {self.n_too_large} single rows beside it were too large")
            del self.left[:-1]

    def read(self, rows: Sequence[Row], answer: Answer) -> tuple[Row, ...]:
        """Take an answer into account; returns the rows to send again, without those it blames."""
        if not isinstance(answer.account, Mapping):
            self.settle(rows, Outcome.UNKNOWN, f"answered {answer.status} with something else than an account")
            return ()
        errors = _errors_in(answer.account)
        blamed, unattributed = _attribute(errors, rows)
        self.follows_unknown = answer.follows_unknown
        if answer.status in {400, 403}:
            return self._read_refusal(rows, answer, blamed, unattributed)
        self._read_success(rows, answer.account, blamed, unattributed)
        return ()

    def _read_success(
        self, rows: Sequence[Row], answer: Mapping[str, Any], blamed: dict[int, str], unattributed: list[str]
    ) -> None:
        left = [row for row in rows if row.position not in blamed]
        self._blame(rows, blamed)
        n_left = self._count(answer, unattributed, len(left))
        self._keep(answer)
        if not n_left:
            return
        if not any(name in answer for name in _COUNTS):
            self._some(left, n_left, Outcome.UNKNOWN, "the answer tells no counts")
        elif "nonupdates" not in answer:
            self.result.count(Outcome.UNREPORTED, n_left)
        else:
            self._some(_unnamed(left, answer), n_left, Outcome.DROPPED, "the answer leaves it out")

    def _read_refusal(
        self,
        rows: Sequence[Row],
        answer: Answer,
        blamed: dict[int, str],
        unattributed: list[str],
    ) -> tuple[Row, ...]:
        """Read a 400 or 403: what it did to the rows it does not blame is not documented."""
        self._blame(rows, blamed)
        left = tuple(row for row in rows if row.position not in blamed)
        self.n_refusals += 1
        if blamed and all(row.keys for row in left) and self.n_refusals < _MAX_REFUSALS:
            return left
        n_left = self._count(answer.account, unattributed, len(left))
        self._keep(answer.account)
        self._some(left, n_left, Outcome.UNKNOWN, f"answered {answer.status}, which says nothing about this row")
        return ()

    def _count(self, answer: Mapping[str, Any], unattributed: list[str], n_left: int) -> int:
        """Count what the answer counts, never more than was sent; returns how many rows are left over."""
        self._list(Problem(outcome=Outcome.REJECTED, reason=reason) for reason in unattributed[:n_left])
        n_left -= min(n_left, len(unattributed))
        for name, outcome in _COUNTS.items():
            told = answer.get(name)
            n_rows = told if isinstance(told, int) and told > 0 else 0
            if n_rows > n_left:
                _logger.warning("chunk %d: answer counts %d %s, %d rows left", self.chunk.number, n_rows, name, n_left)
            self.result.count(outcome, min(n_rows, n_left))
            n_left -= min(n_rows, n_left)
        return n_left

    def _blame(self, rows: Sequence[Row], blamed: dict[int, str]) -> None:
        self._list(
            Problem(
                # A row that an earlier attempt may have stored is not known to be missing.
                outcome=Outcome.UNKNOWN if self.follows_unknown else Outcome.REJECTED,
                reason=blamed[row.position],
                position=row.position,
                key=row.key,
            )
            for row in rows
            if row.position in blamed
        )

    def _some(self, rows: Sequence[Row], n_rows: int, outcome: Outcome, reason: str) -> None:
        """Put `n_rows` of these rows into an outcome, by name only if that is all of them."""
        if len(rows) == n_rows:
            self.settle(rows, outcome, reason)
        else:
            nameless = Problem(outcome=outcome, reason=reason)
            self._list([nameless] * n_rows)

    def _list(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.result.problems.append(problem)
            self.result.count(problem.outcome)

    def _keep(self, answer: Mapping[str, Any]) -> None:
        """Keep the keys that Planhat made, and whatever nobody here knows."""
        inserted, updated = (_objects(answer.get(name)) for name in ("insertsKeys", "updatesKeys"))
        listed = answer.get("upsertedIds")
        ids = listed if isinstance(listed, list) else [one.get("_id") for one in inserted]
        self.result.created_ids += tuple(one for one in ids if isinstance(one, str))
        for one in (*inserted, *updated):
            for name in ("sourceId", "externalId"):
                if isinstance(one.get(name), str) and isinstance(one.get("_id"), str):
                    self.result.ids_by_key[one[name]] = one["_id"]
        for name in answer.keys() - _COUNTS.keys() - _ITEMS:
            before = self.result.answer.get(name)
            both = isinstance(before, list) and isinstance(answer[name], list)
            self.result.answer[name] = [*before, *answer[name]] if both else answer[name]  # type: ignore[misc]


def tells_of_rows(answer: Any) -> bool:
    """Whether an answer says something of single rows: errors, or how many were stored."""
    if not isinstance(answer, Mapping):
        return False
    return bool(_errors_in(answer)) or any(answer.get(name) for name in _COUNTS)


def _errors_in(answer: Mapping[str, Any]) -> list[Any]:
    """All errors: any key that ends in `Errors` is a list of them."""
    lists = (value for name, value in answer.items() if name.endswith("Errors"))
    return [error for value in lists for error in (value if isinstance(value, list) else [value]) if error]


def _attribute(errors: list[Any], rows: Sequence[Row]) -> tuple[dict[int, str], list[str]]:
    """Errors by the position of the row they name, and those that name none."""
    by_key = {key: row.position for row in rows for key in row.keys}
    blamed: dict[int, str] = {}
    unattributed = []
    for error in errors:
        named = _keys_named_in(error) if isinstance(error, Mapping) else []
        position = next((by_key[key] for key in named if key in by_key), None)
        if position is None:
            unattributed.append(_words(error))
        else:
            blamed.setdefault(position, _words(error))
    return blamed, unattributed


def _keys_named_in(element: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The keys in an element of a list; a ticket's `sourceId` comes back as `externalId`."""
    keys = [(name, element[name]) for name in _KEY_NAMES if isinstance(element.get(name), str)]
    return keys + [("sourceId", value) for name, value in keys if name == "externalId"]


def _unnamed(rows: Sequence[Row], answer: Mapping[str, Any]) -> list[Row]:
    """Rows whose keys the answer's lists do not name; all of them, where they name none."""
    lists = (_objects(answer.get(listed)) for listed in ("insertsKeys", "updatesKeys"))
    named = {key for elements in lists for one in elements for key in _keys_named_in(one)}
    return [row for row in rows if named.isdisjoint(row.keys)]


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _words(error: Any) -> str:
    if isinstance(error, Mapping):
        for name in ("error", "message", "reason"):
            if isinstance(error.get(name), str):
                where = f"{error['el']}: " if isinstance(error.get("el"), str) else ""
                return where + str(error[name])
    return error if isinstance(error, str) else repr(error)
