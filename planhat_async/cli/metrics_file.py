"""A file with the numbers of the running command, for Prometheus' node exporter."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import attrs

from planhat_async._http.session_stats import SessionStats
from planhat_async.cli import console
from planhat_async.cli.prometheus_text import RunNumbers, exposition, families_of

_SECONDS_BETWEEN = 10.0
_BEGINNING = b"# HELP planhat_"
ALL_MODELS = "all"

RowCounts = Callable[[], Mapping[str, Mapping[str, int]]]
"""`() -> {model: {outcome: rows}}`."""


@attrs.define
class MetricsFile:
    """Writes the numbers of a run, each time as a whole; a reader never sees a part of them."""

    path: Path
    command: str
    model: str = ALL_MODELS
    started: float = attrs.field(factory=time.time)
    _rows: RowCounts = dict
    _stats: SessionStats | None = None
    _has_failed: bool = False

    def watch(self, stats: SessionStats, rows: RowCounts) -> None:
        """Take the numbers of the run from here, from now on."""
        self._stats, self._rows = stats, rows

    def write(self, *, exit_code: int | None = None) -> None:
        """Replace the file.

        Raises:
            OSError: It cannot be written, or is there and has no metrics: it may be the input or the output of the run.
        """
        numbers = RunNumbers(
            command=self.command,
            model=self.model,
            started=self.started,
            now=time.time(),
            exit_code=exit_code,
            rows=self._rows(),
            stats=self._stats,
        )
        _refuse_foreign(self.path)
        # The node exporter reads files that end in .prom, which this one does not. Another user may run it: the file
        # has the usual mode, and holds numbers only.
        part = self.path.with_name(f"{self.path.name}.part")
        part.unlink(missing_ok=True)  # a link is not followed
        with part.open("x", encoding="utf-8") as out:
            out.write(exposition(families_of(numbers)))
        os.replace(part, self.path)

    def try_to_write(self, *, exit_code: int | None = None) -> None:
        """Replace the file; a failure is said once, and does not end the run."""
        try:
            self.write(exit_code=exit_code)
        except OSError as error:
            if not self._has_failed:
                reason = f"{self.path} was not written: {error.strerror}"
                console.tell(reason, level=logging.WARNING, event="metrics_file")
            self._has_failed = True


def _refuse_foreign(path: Path) -> None:
    """Refuse to replace a file that is not empty, and does not begin as metrics do."""
    if path.is_file():
        with path.open("rb") as held:
            beginning = held.read(len(_BEGINNING))
        if beginning not in {b"", _BEGINNING}:
            raise FileExistsError(errno.EEXIST, "the file exists, and is not one of metrics", str(path))


_current: MetricsFile | None = None


@contextmanager
def metrics_written(path: Path | None, *, command: str, model: str | None) -> Iterator[Callable[[int], None]]:
    """Keep the numbers of the run in a file; yields `end(exit_code)`, which writes them a last time.

    Raises:
        ValueError: The file cannot be written.
    """
    global _current  # noqa: PLW0603 - a program runs one command
    if path is None:
        yield lambda _: None
        return
    file = MetricsFile(path, command, model or ALL_MODELS)
    try:
        file.write()  # a wrong path is refused before anything is sent
    except OSError as error:
        raise ValueError(f"--metrics {path}: {error.strerror}") from None
    before, _current = _current, file
    try:
        yield lambda exit_code: file.try_to_write(exit_code=exit_code)
    finally:
        _current = before


def watch(stats: SessionStats, rows: RowCounts) -> None:
    """Take the numbers of the running command from here, if they are written."""
    if _current is not None:
        _current.watch(stats, rows)


@asynccontextmanager
async def metrics_refreshed() -> AsyncIterator[None]:
    """Write the numbers every ten seconds within the block, if they are written."""
    if _current is None:
        yield
        return
    refreshing = asyncio.create_task(_refresh(_current))
    try:
        yield
    finally:
        refreshing.cancel()


async def _refresh(file: MetricsFile) -> None:
    while True:
        await asyncio.sleep(_SECONDS_BETWEEN)
        file.try_to_write()
