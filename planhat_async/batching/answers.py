"""Decides the outcomes of the rows of a request by its answer: decisions only.

The answer settles some rows; the others are sent again. A later answer may then blame a row that this one has stored: a
row that this answer names as stored counts as stored, and a row that it may have stored without naming it is unknown,
not rejected.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from planhat_async.batching.answer_counts import (
    COUNTS,
    EarlierAnswer,
    count_in,
    earlier_answer,
    first_outcomes,
    has_counts,
    is_itemised,
    n_listed,
    n_stated,
)
from planhat_async.batching.attribution import AnswerKeys, attributed, errors_in, named_as_stored, unnamed
from planhat_async.batching.chunk_part import Part
from planhat_async.batching.chunks import Chunk, Row, Rows, doubtful_in, halves_of
from planhat_async.results import Outcome, Problem

_logger = logging.getLogger("planhat_async.upserting")

_ITEMS = {*COUNTS.values(), "insertsKeys", "updatesKeys", "modified", "upsertedIds"}
_REFUSALS = {400, 403}
INCOMPLETE = "not counted, and without a field that a new record needs: it is stored only if Planhat had it before"
"""The reason of a row that Planhat drops without a word if its record does not exist."""
_NOT_CREATED = "the answer does not count it as created"
_MAX_REFUSALS = 100
"""Refusals of one chunk after which its rows are not sent again."""


@attrs.frozen(kw_only=True)
class Answer:
    """The answer to one request."""

    status: int
    body: Any
    """The decoded JSON."""
    follows_unknown: bool = False
    """Whether an earlier attempt may have stored the rows already."""
    keys: AnswerKeys = attrs.field(factory=AnswerKeys)
    """The names of keys in its lists."""


@attrs.frozen
class ChunkHistory:
    """The decisions of the earlier answers to a chunk."""

    chunk: Chunk
    named: Mapping[int, Outcome] = attrs.field(factory=dict)
    """Rows that an earlier answer has named as stored, by position."""
    earlier: Sequence[EarlierAnswer] = ()
    """The answers that earlier requests with these rows got."""
    can_halve: bool = attrs.field(default=False, kw_only=True)
    """Whether calls may be spent on finding the rows of errors that name no row."""
    n_refusals: int = attrs.field(default=0, kw_only=True)
    """Number of 400 and 403 answers so far."""


@attrs.define
class Verdict:
    """The decisions of one answer: each row of its request is in exactly one field."""

    earlier: tuple[EarlierAnswer, ...]
    """The earlier answers, without the rows that this one counts again."""
    counts: Counter[Outcome] = attrs.field(factory=Counter)
    """Stored rows by outcome."""
    problems: list[Problem] = attrs.field(factory=list)
    """Rows that were not stored."""
    refused: list[Problem] = attrs.field(factory=list)
    """Rows that are refused, and that an earlier request may have stored."""
    doubtful: Sequence[Row] = ()
    """Rows whose outcome the answer does not give."""
    doubt: str = ""
    """The reason for that."""
    resend: list[Rows] = attrs.field(factory=list)
    """Rows to be sent again, by request."""
    as_earlier: EarlierAnswer | None = None
    """The answer's statements about the rows that are sent again."""
    named: Mapping[int, Outcome] = attrs.field(factory=dict)
    """Rows that are sent again although the answer names them as stored, by position."""
    is_halved: bool = False
    """Whether they are sent again in halves, to find the rows that an error is about."""
    is_refusal: bool = False
    """Whether the answer counts as a refusal of the chunk."""


def read_answer(part: Part, answer: Answer, history: ChunkHistory) -> Verdict:
    """Decide the outcomes of the rows of a part by the answer to its request."""
    if not isinstance(answer.body, Mapping):
        why = f"answered {answer.status} with no account of the rows"
        return Verdict(tuple(history.earlier), doubtful=part.rows, doubt=why)
    reading = _Reading(part, answer, history)
    reading.decide()
    return reading.verdict


def tells_of_rows(body: Any) -> bool:
    """Whether an answer is about single rows: it has errors or counts."""
    if not isinstance(body, Mapping):
        return False
    return bool(errors_in(body)) or any(n_stated(body, outcome, ()) for outcome in COUNTS)


def merged_items(before: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The items of an answer that are unknown here, added to those of earlier answers; lists are joined."""
    merged = {}
    for name in body.keys() - _ITEMS:
        both = isinstance(before.get(name), list) and isinstance(body[name], list)
        merged[name] = [*before[name], *body[name]] if both else body[name]
    return merged


def as_unknown(problem: Problem) -> Problem:
    """The same problem for a row that may be stored."""
    return attrs.evolve(problem, outcome=Outcome.UNKNOWN)


class _Reading:
    """Fills the verdict on one answer."""

    def __init__(self, part: Part, answer: Answer, history: ChunkHistory) -> None:
        self.verdict = Verdict(tuple(history.earlier))
        self._part = part
        self._history = history
        self._body: Mapping[str, Any] = answer.body
        self._status = answer.status
        self._keys = answer.keys
        self._is_refusal = answer.status in _REFUSALS
        self._follows_unknown = part.follows_unknown or answer.follows_unknown

    def decide(self) -> None:
        errors = errors_in(self._body)
        rows = self._part.rows
        blamed, unattributed = attributed(errors, rows, self._keys) if errors else ({}, [])
        rest = rows
        if blamed:
            rest = tuple(row for row in rows if row.position not in blamed)
            self._settle_blamed(tuple(row for row in rows if row.position in blamed), blamed)
        verdict = self.verdict
        verdict.resend = self._rows_again(rest, blamed, unattributed)
        if verdict.resend:
            verdict.named = named_as_stored(self._body, rest, self._keys)
            # Undocumented: the fate of rows that a refusal does not blame. One that blames no row has counted them.
            is_complete = not (self._is_refusal and (blamed or not is_itemised(self._body)))
            verdict.as_earlier = earlier_answer(self._body, rest, verdict.named.values(), is_complete=is_complete)
        else:
            self._settle_rest(rest, unattributed)

    def _rows_again(self, rows: Rows, blamed: Mapping[int, str], unattributed: Sequence[str]) -> list[Rows]:
        """The rows that the answer does not settle, by request."""
        if unattributed and len(rows) > 1 and self._history.can_halve:
            self.verdict.is_halved = True
            return halves_of(rows)
        if not self._is_refusal:
            return []
        # Undocumented: the fate of rows that a refusal does not blame.
        self.verdict.is_refusal = True
        is_repeated = blamed and all(row.keys for row in rows) and self._history.n_refusals + 1 < _MAX_REFUSALS
        return [rows] if rows and is_repeated else []

    def _settle_blamed(self, rows: Rows, blamed: Mapping[int, str]) -> None:
        """Settle the rows that the answer blames by name."""
        rows = self._without_named(rows)
        contradicted = {*named_as_stored(self._body, rows, self._keys)}
        if len(self._part.rows) == 1 and any(count_in(self._body, one) for one in (Outcome.CREATED, Outcome.UPDATED)):
            contradicted.update(row.position for row in rows)  # it can count no other row
        refused = [
            Problem(outcome=Outcome.REJECTED, reason=blamed[row.position], position=row.position, key=row.key)
            for row in rows
        ]
        self._reject([problem for problem in refused if problem.position not in contradicted])
        self.verdict.problems += [as_unknown(problem) for problem in refused if problem.position in contradicted]

    def _without_named(self, rows: Rows) -> Rows:
        """Count the rows that an earlier answer has named as stored; returns the others."""
        if not self._history.named:
            return rows
        named = [self._history.named[row.position] for row in rows if row.position in self._history.named]
        if not named:
            return rows
        self.verdict.counts.update(named)
        self.verdict.earlier = tuple(one.with_found(len(named)) for one in self.verdict.earlier)
        return tuple(row for row in rows if row.position not in self._history.named)

    def _reject(self, problems: Iterable[Problem]) -> None:
        """Settle rows that the answer refuses, unless an earlier request may have stored them."""
        if self._follows_unknown or not all(one.is_complete for one in self.verdict.earlier):
            self.verdict.problems += map(as_unknown, problems)
        elif self.verdict.earlier:
            self.verdict.refused += problems
        else:
            self.verdict.problems += problems

    def _settle_rest(self, rows: Rows, unattributed: list[str]) -> None:
        """Settle the rows that are neither blamed nor sent again."""
        known = self._without_named(rows)
        n_left = self._count_rows(known, unattributed, n_named=len(rows) - len(known))
        if not n_left:
            return
        open_rows = unnamed(known, self._body, self._keys)
        if self._is_refusal:
            reason = f"answered {self._status}, which says nothing about this row"
            self._settle_left(known, n_left, Outcome.UNKNOWN, reason)
        elif not has_counts(self._body):
            self._settle_left(open_rows, n_left, Outcome.UNKNOWN, "the answer has no counts")
        elif count_in(self._body, Outcome.UNCHANGED) is None:
            self._settle_unreported(open_rows, n_left)
        else:
            # An earlier attempt may have stored the rows that this answer leaves out.
            is_dropped = is_itemised(self._body) and not (self._follows_unknown or self._part.may_be_stored)
            outcome = Outcome.DROPPED if is_dropped else Outcome.UNKNOWN
            self._settle_left(open_rows, n_left, outcome, "the answer leaves it out")

    def _count_rows(self, rows: Rows, unattributed: list[str], *, n_named: int) -> int:
        """Count the rows that the answer states, at most as many as were sent; returns the number of rows left.

        Args:
            rows: The rows without an outcome.
            unattributed: Errors that name no row.
            n_named: Rows that earlier answers have named; this one counts them too, or has errors for them.
        """
        counted = {outcome: n_stated(self._body, outcome, self._part.rows) for outcome in COUNTS}
        stated = {**counted}
        for outcome in (Outcome.UNCHANGED, Outcome.UPDATED):
            n_again = min(n_named, stated[outcome])
            stated[outcome] -= n_again
            n_named -= n_again
        n_left = len(rows)
        n_left -= self._reject_nameless(unattributed[n_named:], n_left, sum(stated.values()))
        for outcome, n_rows in stated.items():
            if n_rows > n_left:
                name, number = COUNTS[outcome], self._history.chunk.number
                _logger.warning("chunk %d: answer counts %d %s, %d rows left", number, n_rows, name, n_left)
            n_left -= self._count_as(outcome, min(n_rows, n_left))
        for outcome in (Outcome.CREATED, Outcome.UPDATED) if n_left else ():
            # A record that is listed exists, even if the counts leave it out.
            n_more = max(0, n_listed(self._body, outcome, rows) - counted[outcome])
            n_left -= self._count_as(outcome, min(n_more, n_left))
        return n_left

    def _reject_nameless(self, reasons: list[str], n_left: int, n_stored: int) -> int:
        """Count one rejected row per error that names no row; returns the number of rows.

        A row may have more than one error: rows that the answer counts as stored are not rejected.
        """
        n_rows = min(len(reasons), n_left, max(1, n_left - n_stored))
        if n_rows < len(reasons):
            number = self._history.chunk.number
            _logger.warning("chunk %d: %d errors name no row, %d rows left", number, len(reasons), n_left)
            reasons = [*reasons[: n_rows - 1], "; ".join(reasons[n_rows - 1 :])] if n_rows else []
        problems = [Problem(outcome=Outcome.REJECTED, reason=reason) for reason in reasons]
        if n_stored < n_left:
            self._reject(problems)
        else:  # the answer counts as stored what it refuses
            self.verdict.problems += map(as_unknown, problems)
        return n_rows

    def _count_as(self, outcome: Outcome, n_rows: int) -> int:
        """Count rows by their outcome in the first answer that stored them; returns their number."""
        outcomes, self.verdict.earlier = first_outcomes(self.verdict.earlier, outcome, n_rows)
        self.verdict.counts.update(outcomes)
        return n_rows

    def _settle_unreported(self, rows: Sequence[Row], n_rows: int) -> None:
        """Settle `n_rows` of these rows, which an answer without `nonupdates` leaves open.

        They are accepted, except for rows that would have to be created and are not counted as created.
        """
        doubtful = doubtful_in(rows)
        reason = INCOMPLETE if self._history.chunk.is_keyed else _NOT_CREATED
        n_doubtful = min(n_rows, len(doubtful))
        if len(doubtful) == n_doubtful:
            self.verdict.doubtful, self.verdict.doubt = doubtful, reason
        else:
            self.verdict.problems += [Problem(outcome=Outcome.UNKNOWN, reason=reason)] * n_doubtful
        self._count_as(Outcome.UNREPORTED, n_rows - n_doubtful)

    def _settle_left(self, rows: Sequence[Row], n_rows: int, outcome: Outcome, reason: str) -> None:
        """Put `n_rows` of these rows into an outcome, by name only if that is all of them."""
        if len(rows) != n_rows:
            self.verdict.problems += [Problem(outcome=outcome, reason=reason)] * n_rows
        elif outcome is Outcome.UNKNOWN:
            self.verdict.doubtful, self.verdict.doubt = rows, reason
        else:
            self.verdict.problems += [
                Problem(outcome=outcome, reason=reason, position=row.position, key=row.key) for row in rows
            ]
