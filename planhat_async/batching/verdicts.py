"""What one answer makes of the rows it is about: decisions only.

Rows that the answer settles go into the chunk's account; the others are sent again. A row may then be blamed that an
earlier answer has stored: what that one has named as stored stays so, and a row that it may have stored without
naming it is unknown, not rejected.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from planhat_async.batching.answers import Account, Answer, as_unknown
from planhat_async.batching.attribution import (
    attributed,
    errors_in,
    named_as_stored,
    objects_in,
    texts_in,
    unnamed,
)
from planhat_async.batching.chunking import Row, Rows, key_of
from planhat_async.batching.parts import Part
from planhat_async.batching.statements import (
    COUNTS,
    count_in,
    earlier_of,
    has_counts,
    is_itemised,
    n_listed,
    n_stated,
    recalled,
)
from planhat_async.results import Outcome, Problem

_logger = logging.getLogger("planhat_async.upserting")

_ITEMS = {*COUNTS.values(), "insertsKeys", "updatesKeys", "modified", "upsertedIds"}
_REFUSALS = {400, 403}
_LACKS = "the answer does not count it as updated, and it lacks what a creation needs: stored only if Planhat has it"
_NOT_CREATED = "the answer does not count it as created"
_MAX_REFUSALS = 100
"""After so many refusals of the same chunk its rows are not sent again."""


def read_answer(account: Account, part: Part, answer: Answer) -> list[Part]:
    """Take an answer into account; returns the parts that are still to be sent. They may have been stored already."""
    if not isinstance(answer.account, Mapping):
        account.doubt(part.rows, f"answered {answer.status} with something else than an account")
        return []
    part.follows_unknown = part.follows_unknown or answer.follows_unknown
    return _Verdict(account, part, answer.account, answer.status).parts()


@attrs.frozen
class _Verdict:
    account: Account
    part: Part
    answer: Mapping[str, Any]
    status: int

    @property
    def _is_refusal(self) -> bool:
        return self.status in _REFUSALS

    def parts(self) -> list[Part]:
        """Settle the rows that the answer settles; returns the others."""
        errors = errors_in(self.answer)
        blamed, unattributed = attributed(errors, self.part.rows) if errors else ({}, [])
        rest = tuple(row for row in self.part.rows if row.position not in blamed) if blamed else self.part.rows
        self._blame(blamed)
        self._keep()
        if again := self._to_send_again(rest, blamed, unattributed):
            named = named_as_stored(self.answer, rest)
            # What a refusal did to the rows it does not blame is not documented; one that blames none has counted them.
            is_complete = not (self._is_refusal and (blamed or not is_itemised(self.answer)))
            earlier = earlier_of(self.answer, rest, named.values(), is_complete=is_complete)
            self.account.named = named | self.account.named  # what was said first: later a row comes back as unchanged
            return [self.part.of(rows, earlier=earlier) for rows in again]
        self._end(rest, unattributed)
        return []

    def _to_send_again(self, rows: Rows, blamed: Mapping[int, str], unattributed: Sequence[str]) -> list[Rows]:
        """The rows that the answer does not settle, in as many parts as are to be sent."""
        if unattributed and (halves := self.account.halve(rows)):
            return halves
        if not self._is_refusal:
            return []
        self.account.n_refusals += 1
        is_repeated = blamed and all(row.keys for row in rows) and self.account.n_refusals < _MAX_REFUSALS
        return [rows] if rows and is_repeated else []

    def _blame(self, blamed: Mapping[int, str]) -> None:
        """Settle the rows that the answer blames by name."""
        if not blamed:
            return
        rows = tuple(row for row in self.part.rows if row.position in blamed)
        rows = self.account.settle_named(rows, self.part.earlier)
        contradicted = named_as_stored(self.answer, rows)
        refused = [
            Problem(outcome=Outcome.REJECTED, reason=blamed[row.position], position=row.position, key=row.key)
            for row in rows
        ]
        self._reject([problem for problem in refused if problem.position not in contradicted])
        self.account.add_problems(as_unknown(problem) for problem in refused if problem.position in contradicted)

    def _reject(self, problems: Sequence[Problem]) -> None:
        """Settle rows that the answer refuses: one that an earlier request may have stored is not known to be missing.

        Where the answers to come may tell, it is left open until they have.
        """
        if self.part.follows_unknown or not all(one.is_complete for one in self.part.earlier):
            self.account.add_problems(map(as_unknown, problems))
        elif self.part.earlier:
            self.account.refused += [(problem, self.part.earlier) for problem in problems]
        else:
            self.account.add_problems(problems)

    def _end(self, rows: Rows, unattributed: list[str]) -> None:
        """Settle rows that are not sent again."""
        known = self.account.settle_named(rows, self.part.earlier)
        n_left = self._count(known, unattributed, n_named=len(rows) - len(known))
        if not n_left:
            return
        if self._is_refusal:
            self._some(known, n_left, Outcome.UNKNOWN, f"answered {self.status}, which says nothing about this row")
        elif not has_counts(self.answer):
            self._some(unnamed(known, self.answer), n_left, Outcome.UNKNOWN, "the answer tells no counts")
        elif count_in(self.answer, Outcome.UNCHANGED) is None:
            self._leave_unreported(unnamed(known, self.answer), n_left)
        else:
            # What this answer leaves out, an earlier attempt may have stored.
            is_dropped = is_itemised(self.answer) and not (self.part.follows_unknown or self.part.may_be_stored)
            outcome = Outcome.DROPPED if is_dropped else Outcome.UNKNOWN
            self._some(unnamed(known, self.answer), n_left, outcome, "the answer leaves it out")

    def _count(self, rows: Rows, unattributed: list[str], *, n_named: int) -> int:
        """Count what the answer states, never more than was sent; returns how many rows are left over.

        Args:
            rows: The rows that are not settled yet.
            unattributed: Errors that name no row.
            n_named: Rows of the part that are settled: the answer counts them too, or has errors for them.
        """
        counted = {outcome: n_stated(self.answer, outcome, self.part.rows) for outcome in COUNTS}
        stated = {**counted}
        for outcome in (Outcome.UNCHANGED, Outcome.UPDATED):
            n_again = min(n_named, stated[outcome])
            stated[outcome] -= n_again
            n_named -= n_again
        n_left = len(rows)
        n_left -= self._refuse_nameless(unattributed[n_named:], n_left, sum(stated.values()))
        for outcome, n_rows in stated.items():
            if n_rows > n_left:
                name, number = COUNTS[outcome], self.account.chunk.number
                _logger.warning("chunk %d: answer counts %d %s, %d rows left", number, n_rows, name, n_left)
            n_left -= self._count_as(outcome, min(n_rows, n_left))
        for outcome in (Outcome.CREATED, Outcome.UPDATED) if n_left else ():
            # A record that is listed is there, whatever the counts are.
            n_more = max(0, n_listed(self.answer, outcome, rows) - counted[outcome])
            n_left -= self._count_as(outcome, min(n_more, n_left))
        return n_left

    def _refuse_nameless(self, reasons: list[str], n_left: int, n_stored: int) -> int:
        """Count a rejected row for each error that names none; returns how many.

        A row may have more than one error: what the answer counts as stored is not called refused.
        """
        n_rows = min(len(reasons), n_left, max(1, n_left - n_stored))
        if n_rows < len(reasons):
            number = self.account.chunk.number
            _logger.warning("chunk %d: %d errors name no row, %d rows left", number, len(reasons), n_left)
            reasons = [*reasons[: n_rows - 1], "; ".join(reasons[n_rows - 1 :])] if n_rows else []
        self._reject([Problem(outcome=Outcome.REJECTED, reason=reason) for reason in reasons])
        return n_rows

    def _count_as(self, outcome: Outcome, n_rows: int) -> int:
        """Count rows as what they were the first time, if an earlier answer has stated them; returns how many."""
        if outcome is not Outcome.CREATED:
            for one in self.part.earlier:
                one.n_found += n_rows
        for first, n_first in recalled(self.part.earlier, outcome, n_rows).items():
            self.account.result.count(first, n_first)
        return n_rows

    def _leave_unreported(self, rows: Sequence[Row], n_rows: int) -> None:
        """Settle so many of these rows, which a short answer leaves open: accepted, unless Planhat cannot have them.

        A row that would have to be created, and is not counted as created, is not called stored.
        """
        doubtful = [row for row in rows if row.is_partial or not row.keys]
        n_doubtful = min(n_rows, len(doubtful))
        reason = _LACKS if self.account.chunk.is_keyed else _NOT_CREATED
        if len(rows) == n_rows:
            self.account.doubt(doubtful, reason)
        else:
            self.account.add_problems([Problem(outcome=Outcome.UNKNOWN, reason=reason)] * n_doubtful)
        self._count_as(Outcome.UNREPORTED, n_rows - n_doubtful)

    def _some(self, rows: Sequence[Row], n_rows: int, outcome: Outcome, reason: str) -> None:
        """Put `n_rows` of these rows into an outcome, by name only if that is all of them."""
        if len(rows) == n_rows and outcome is Outcome.UNKNOWN:
            self.account.doubt(rows, reason)
        elif len(rows) == n_rows:
            self.account.settle(rows, outcome, reason)
        else:
            self.account.add_problems([Problem(outcome=outcome, reason=reason)] * n_rows)

    def _keep(self) -> None:
        """Keep the keys that Planhat made, and whatever nobody here knows."""
        answer, result = self.answer, self.account.result
        inserted, updated = (objects_in(answer.get(name)) for name in ("insertsKeys", "updatesKeys"))
        listed = answer.get("upsertedIds")
        ids = listed if isinstance(listed, list) else [one.get("_id") for one in inserted]
        result.created_ids += tuple(texts_in(ids))
        for one in (*inserted, *updated):
            self._keep_id(one)
        for name in answer.keys() - _ITEMS:
            before = result.answer.get(name)
            both = isinstance(before, list) and isinstance(answer[name], list)
            result.answer[name] = [*before, *answer[name]] if both else answer[name]  # type: ignore[misc]

    def _keep_id(self, element: Mapping[str, Any]) -> None:
        """Keep a record's `_id` by its other keys; what was sent as a ticket's `sourceId` comes as `externalId`."""
        record_id, source_id, external_id = (element.get(name) for name in ("_id", "sourceId", "externalId"))
        if not isinstance(record_id, str):
            return
        if isinstance(external_id, str):
            self.account.result.ids_by_external_id[external_id] = record_id
            if source_id is None and key_of("sourceId", external_id) in self.account.chunk.keys:
                source_id = external_id
        if isinstance(source_id, str):
            self.account.result.ids_by_source_id[source_id] = record_id
