"""Batches of rows into a model, for an engine that repeats a batch after any failure.

So a batch may only hold rows with a key, which can be repeated without harm, and may only fail if repeating it is of
use: a row that Planhat refuses would be refused again, and so goes to a file instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from planhat_async._convert import encode_json, printable, row_converter, wire_path
from planhat_async.jobs.files.private_files import make_private, refuse_foreign
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.records import Model
from planhat_async.repositories import Upserts
from planhat_async.results import Outcome, Problem, Unreadable, UpsertResult
from planhat_async.sync import BlockingSession

_logger = logging.getLogger("planhat_async.engines")

BATCH_SIZE = 5_000
"""Rows of one call."""
_REFUSED = (Outcome.REJECTED, Outcome.INVALID, Outcome.DROPPED)


class UpsertSink:
    """Stores batches of keyed rows of one model, one at a time.

    Args:
        repository: The repository's class.
        session: The session that sends the rows.
        rejects: A JSONL file to which refused rows are added, each with the reason; a row that is refused again in
            the same way is not added again.
    """

    def __init__(self, repository: type[Upserts[Any]], session: BlockingSession, rejects: Path) -> None:
        self.model: Model = repository.model
        self._repository = repository
        self._session = session
        self._rejects = rejects

    def store(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store the rows of a batch.

        Raises:
            UpsertError: Some rows were not sent, or their outcomes are unknown: repeat the batch.
            ValueError: The file of refused rows is a link, or another user's.
            OSError: It cannot be written.
        """
        checked = _checking(self.model)
        with self._session:
            result, problems = self._session.run(self._upsert([checked(row) for row in rows]))
        if result.stopped_by is not None or result.unknown or result.unsent:
            result.raise_for_problems()
        refused = [problem for problem in problems if problem.outcome in _REFUSED]
        if refused:
            self._keep(rows, refused)

    async def _upsert(self, rows: list[Any]) -> tuple[UpsertResult, list[Problem]]:
        problems: list[Problem] = []
        repository = self._repository(self._session.session)
        async with repository.upserting(rows, concurrency=1, isolate=True) as run:
            async for chunk in run:
                problems += chunk.problems
        return run.result, problems

    def _keep(self, rows: Sequence[Mapping[str, Any]], refused: list[Problem]) -> None:
        added = list(_lines(rows, reasons_by_position(len(rows), refused)))
        make_private(self._rejects)
        refuse_foreign(self._rejects)
        with self._rejects.open("r+b") as file:
            known = {line.rstrip(b"\n") for line in file}
            file.writelines(line + b"\n" for line in added if line not in known)
        first = refused[0]
        _logger.warning(
            "%d of %d %s were refused: see %s; the first because: %s",
            *(len(refused), len(rows), self.model.name, self._rejects, printable(first.reason)),
        )


def reasons_by_position(n_rows: int, refused: Iterable[Problem]) -> dict[int, str]:
    """For each row that was refused, or may have been, the reason.

    Where Planhat does not name the row of an error, every row that has no error of its own may be the one.
    """
    reasons: dict[int, str] = {}
    unnamed: list[str] = []
    for problem in refused:
        reason = f"{problem.outcome}: {printable(problem.reason)}"
        if problem.position is None:
            unnamed.append(reason)
        else:
            reasons[problem.position] = reason
    if not unnamed:
        return reasons
    return dict.fromkeys(range(n_rows), f"perhaps {unnamed[0]}") | reasons


def _checking(model: Model) -> Callable[[Mapping[str, Any]], Any]:
    """A function that returns a row, or `Unreadable` in place of an invalid one or of one without a key."""
    convert = row_converter(model.record, model.match).to_wire
    keys = [wire_path(model.record, name) for name in model.match]

    def checked(row: Mapping[str, Any]) -> Any:
        try:
            wire = convert(row)
        except (TypeError, ValueError) as error:
            return Unreadable(str(error))
        return row if any(wire.get(key) for key in keys) else Unreadable(f"it has no {' or '.join(model.match)}")

    return checked


def _lines(rows: Sequence[Mapping[str, Any]], reasons: Mapping[int, str]) -> Iterator[bytes]:
    for position, reason in sorted(reasons.items()):
        yield encode_json({**{name: _plain(value) for name, value in rows[position].items()}, REASON_COLUMN: reason})


def _plain(value: Any) -> Any:
    """The value, or its text if JSON cannot express it."""
    try:
        encode_json(value)
    except ValueError:
        return str(value)
    return value
