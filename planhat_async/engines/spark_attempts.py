"""The folder of reports, and in it the notes of the attempts of a write.

An attempt notes how far it is, in case its result never reaches the driver. It does so only in a folder that the
driver has made: on a machine that does not share the folder nothing is written.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from planhat_async.engines.spark_report import Attempt, Receipt

_logger = logging.getLogger("planhat_async.engines")

_ATTEMPTS = "_attempts"  # Spark leaves out names that begin with an underscore when it reads the folder


@attrs.frozen
class ReportFolder:
    """The folder of the reports of one write; without a path, nothing is written.

    Args:
        path: The folder, as the driver and perhaps the executors see it.
        run: The name of the write.
    """

    path: str | None
    run: str

    @property
    def report(self) -> Path | None:
        """The file of the report."""
        return None if self.path is None else Path(self.path) / f"{self.run}.json"

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            ValueError: They cannot be made.
        """
        if self.path is None:
            return
        try:
            Path(self.path).mkdir(parents=True, exist_ok=True)
            self._attempts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"report {self.path}: {error.strerror}: it must be a folder that can be written to"
            ) from None

    def note(self, receipt: Receipt) -> None:
        """Note how far an attempt is, if the folder is there."""
        if self.path is None or not self._attempts.is_dir():
            return
        by: Attempt = receipt.by
        path = self._attempts / f"{by.partition:05}-{by.task}.json"
        try:
            _write(path.with_suffix(".part"), receipt.described())
            path.with_suffix(".part").replace(path)
        except OSError as error:
            _logger.warning("%s: what this attempt has sent was not noted: %s", path, error)

    def noted(self) -> list[Mapping[str, Any]]:
        """What the attempts noted."""
        return sorted(self._read(), key=lambda one: (one["partition"], one["task"])) if self.path is not None else []

    def write_report(self, report: Mapping[str, Any]) -> bool:
        """Write the report, unless there is one: Spark aborts a write whose commit has failed. Remove the notes.

        Returns:
            Whether it was written.

        Raises:
            OSError: It cannot be written.
        """
        if self.report is None:
            return False
        try:
            _write(self.report, report, flags=os.O_EXCL)
        except FileExistsError:
            return False
        except OSError:
            with suppress(OSError):
                self.report.unlink()  # half a report would be an error in the table of all reports
            raise
        shutil.rmtree(self._attempts, ignore_errors=True)
        with suppress(OSError):
            self._attempts.parent.rmdir()
        return True

    @property
    def _attempts(self) -> Path:
        assert self.path is not None  # noqa: S101 - the callers have checked it
        return Path(self.path) / _ATTEMPTS / self.run

    def _read(self) -> Iterator[Mapping[str, Any]]:
        for path in self._attempts.glob("*.json"):
            with suppress(OSError, ValueError):
                yield json.loads(path.read_text())


def _write(path: Path, values: Mapping[str, Any], *, flags: int = os.O_TRUNC) -> None:
    """Write a line of JSON for the owner alone: it holds keys of customers' data."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | flags, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(json.dumps(values) + "\n")
