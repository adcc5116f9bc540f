"""A job's identity: its model, its server, its input and how rows are cut: decisions only."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from planhat_async.batching.upsert_run import ChunkOptions
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.journal_file import JournalError
from planhat_async.repositories import Deletes, UpsertOptions, Upserts

Source = Iterable[Any] | AsyncIterable[Any]
HOW_TO_START_OVER = "put back what it was, or begin another job with another journal"

_ORDER = ("model", "base_url", "format", "bytes", "", "chunk_size", "max_bytes")
"""The order in which differences are named; those with any other name take the place of ""."""
_NAMES = {"bytes": "size in bytes"}
"""How messages call what a journal calls otherwise."""
CHANGED_ONLY = "changed_only"
"""The name under which a journal holds the job's mark in the file of rows that earlier jobs have stored."""
IDS = "ids"
"""The name under which a journal holds the ids that the job's first run has looked up."""
REJECTS = "rejects"
"""The name under which a journal holds what it knows about the file of rejects."""
INPUT = "input"
"""The name under which a journal holds the name of the file that its first run has read."""
_WRITTEN_LATER = {IDS, INPUT, REJECTS, "n_chunks", "n_rows", "digest"}
_WORKS = {"upsert": "an upsert", "delete": "a deletion"}


@runtime_checkable
class DescribesItself(Protocol):
    """A source that describes itself, so that a journal can distinguish it from another."""

    def description(self) -> Mapping[str, Any]:
        """The properties that a rerun must find unchanged, as JSON values; no rows."""
        ...


def deletion_of(repository: Deletes[Any], source: Source) -> dict[str, Any]:
    """The properties that a rerun of a deletion must find unchanged."""
    return {
        "work": "delete",
        "model": repository.model.name,
        "base_url": repository.session.base_url,
        **(source.description() if isinstance(source, DescribesItself) else {}),
    }


def job_of(
    repository: Upserts[Any], source: Source, options: UpsertOptions, *, changed_only: str | None = None
) -> dict[str, Any]:
    """The properties that a rerun must find unchanged.

    Args:
        repository: Where the rows go.
        source: The rows.
        options: How they are cut.
        changed_only: The job's mark in the file of rows that earlier jobs have stored, if there is such a file.
    """
    defaults = ChunkOptions()
    return {
        "model": repository.model.name,
        "base_url": repository.session.base_url,
        "chunk_size": options.get("chunk_size", defaults.chunk_size),
        "max_bytes": options.get("max_bytes", defaults.max_bytes),
        **({} if changed_only is None else {CHANGED_ONLY: changed_only}),
        **(source.description() if isinstance(source, DescribesItself) else {}),
    }


def input_named(source: Source) -> dict[str, str]:
    """The name of the source, if it has one, for a journal; a rerun may have another."""
    name = getattr(source, "name", None)
    return {INPUT: name} if isinstance(name, str) and name else {}


def refuse_without_state(path: object, job: Mapping[str, Any]) -> None:
    """Refuse to skip rows in a job that began without.

    Raises:
        JournalError: The journal at `path` holds such a job.
    """
    if job and CHANGED_ONLY not in job:
        raise JournalError(
            f"{path} is the journal of a job that began without changed_only: leave that out, or begin another job "
            "with another journal"
        )


def refuse_other_job(journal: Journal, job: Mapping[str, Any]) -> None:
    """Refuse a journal that belongs to another job; a new one belongs to none.

    Raises:
        JournalError: The message names the differences.
    """
    works = [_WORKS.get(one.get("work", "upsert"), "another job") for one in (journal.job, job)]
    if journal.job and works[0] != works[1]:
        raise JournalError(f"{journal.path} is the journal of {works[0]}, not of {works[1]}: name another file")
    before = {name: value for name, value in journal.job.items() if name not in _WRITTEN_LATER}
    if journal.job and (differences := list(_differences(before, job))):
        raise JournalError(
            f"{journal.path} is the journal of another job: {'; '.join(differences)}. {HOW_TO_START_OVER.capitalize()}"
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], where: str = "") -> Iterator[str]:
    for name in sorted({*before, *now}, key=lambda name: (_ORDER.index(name if name in _ORDER else ""), name)):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{name} ")
        elif old != new:
            yield f"{where}{_NAMES.get(name, name)} is {_shown(new)}, was {_shown(old)}"


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    return f"{value:,}" if type(value) is int else str(value)
