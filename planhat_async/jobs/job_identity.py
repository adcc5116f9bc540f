"""What tells one job from another: its model, its server, its input and how rows are cut: decisions only."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from planhat_async.batching.upsert_run import ChunkOptions
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.journal_file import JournalError
from planhat_async.repositories import UpsertOptions, Upserts

Source = Iterable[Any] | AsyncIterable[Any]
HOW_TO_BEGIN_ANEW = "put back what it was, or begin another job with another journal"

_TELLING = ("model", "base_url", "format", "bytes")
_COMES_LATER = {"n_chunks", "n_rows"}


@runtime_checkable
class DescribesItself(Protocol):
    """A source that says what it is, so that a journal can tell it from another."""

    def description(self) -> Mapping[str, Any]:
        """What a rerun must find unchanged, as JSON values, without the rows themselves."""
        ...


def job_of(repository: Upserts[Any], source: Source, options: UpsertOptions) -> dict[str, Any]:
    """What a rerun must find unchanged."""
    defaults = ChunkOptions()
    return {
        "model": repository.model.name,
        "base_url": repository.session.base_url,
        "chunk_size": options.get("chunk_size", defaults.chunk_size),
        "max_bytes": options.get("max_bytes", defaults.max_bytes),
        **(source.description() if isinstance(source, DescribesItself) else {}),
    }


def refuse_another(journal: Journal, job: Mapping[str, Any]) -> None:
    """Refuse a journal that belongs to another job.

    Raises:
        JournalError: It says what differs.
    """
    before = {name: value for name, value in journal.job.items() if name not in _COMES_LATER}
    differences = list(_differences(before, dict(job)))
    if differences:
        raise JournalError(
            f"{journal.path} is the journal of another job: {'; '.join(differences)}. {HOW_TO_BEGIN_ANEW.capitalize()}"
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], where: str = "") -> Iterator[str]:
    for name in sorted({*before, *now}, key=_telling):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{name} ")
        elif old != new:
            yield f"{where}{name} is {_shown(new)}, was {_shown(old)}"


def _telling(name: str) -> tuple[int, str]:
    """The most telling names first: what is sent and where, then from what file, then how it is read, then cut."""
    if name in _TELLING:
        return _TELLING.index(name), name
    return len(_TELLING) + (name in {"chunk_size", "max_bytes"}), name


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    return f"{value:,}" if type(value) is int else str(value)
