"""Shows the progress of an export: a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

import attrs

from planhat_async.cli import console
from planhat_async.cli.job_display import shown
from planhat_async.cli.metrics_file import watch
from planhat_async.jobs.job_progress import calls_in_words, in_words
from planhat_async.session import Session


@attrs.define
class ExportProgress:
    """The records of each model so far."""

    _session: Session
    _draw: Callable[..., None]
    records: dict[str, int] = attrs.field(factory=dict)
    _name: str = ""
    _n_ended: int = 0

    def begin(self, name: str, n_rows: int) -> None:
        """Note that so many records of a model are in its file; later calls are about this model."""
        self._name = name
        self.advance(n_rows)

    def advance(self, n_rows: int) -> None:
        """Note that so many records of the model are in its file."""
        self.records[self._name] = n_rows
        self._draw(n_rows, self._n_ended, self._name)

    def end(self, name: str, n_rows: int | None) -> None:
        """Note the records of a model that is complete; `None` if they were not counted."""
        self._n_ended += 1
        if n_rows is not None:
            self.records[name] = n_rows

    def shown(self) -> AbstractAsyncContextManager[None]:
        """Show the progress within the block."""
        return shown(lambda: None, self._tell)

    def _tell(self) -> None:
        if not self._name:
            return
        n_rows = self.records[self._name]
        calls = calls_in_words(self._session.calls_left, self._session.stats.members)
        line = f"{self._name}: {in_words(n_rows, 'record')}; {calls}"
        console.tell(line, event="progress", model=self._name, records=n_rows)


@contextmanager
def followed_export(session: Session, title: str, *, total: int | None) -> Iterator[ExportProgress]:
    """The progress of an export, shown and kept among the metrics; `total` is the number of its models."""
    with console.progress(title, total=total) as draw:
        progress = ExportProgress(session, draw)
        watch(session.stats, lambda: {name: {"exported": n_rows} for name, n_rows in progress.records.items()})
        yield progress
