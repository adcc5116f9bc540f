"""Writes Spark's rows to a model; needs pyspark and pyarrow.

A journal would be wrong here: a repeated task may compute its rows in another order. So each attempt sends all rows of
its partition, which is harmless for rows with a key, and hands in a receipt. Spark passes the receipts of the attempts
that it counts to `commit`, which runs in a process of its own: what it has to say is in the report, and in an error.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql.datasource import DataSourceArrowWriter, WriterCommitMessage

from planhat_async._convert import printable
from planhat_async.batching.chunk_ledger import Recorded
from planhat_async.batching.chunks import Chunk
from planhat_async.engines.spark_attempts import ReportFolder
from planhat_async.engines.spark_input import SparkInput
from planhat_async.engines.spark_report import Attempt, KeySampler, Receipt, WriteReport, other_attempts
from planhat_async.engines.spark_session import SparkAccess
from planhat_async.errors import PlanhatError
from planhat_async.jobs.files.threaded_source import ThreadedSource
from planhat_async.repositories import Upserts
from planhat_async.results import ChunkResult

_logger = logging.getLogger("planhat_async.engines")


class SparkWriteError(PlanhatError):
    """Rows were not stored; the message says how many, why, and where the report is."""


class ReceiptMessage(WriterCommitMessage):
    """The receipt of an attempt, on its way to the driver."""

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt


class PlanhatWriter(DataSourceArrowWriter):
    """Sends the rows of each partition in their order, in chunks, one at a time.

    Args:
        access: How Planhat is called.
        columns: The columns of the table.

    Raises:
        ValueError: The table or the options do not fit.
    """

    def __init__(self, access: SparkAccess, columns: Sequence[str]) -> None:
        options = access.options
        self._access = access
        self._columns = list(columns)
        self._repository: type[Upserts[Any]] = options.storing()
        self._input()  # refuses what does not fit, once, before any task starts
        if options.on_problems == "report" and options.report is None:
            raise ValueError("onProblems=report needs report, a folder for the report")
        run = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.urandom(4).hex()}"
        self._folder = ReportFolder(options.report, run)
        self._folder.prepare()

    def write(self, iterator: Iterator[pa.RecordBatch]) -> WriterCommitMessage:
        """Send the rows of a partition; runs on an executor."""
        return ReceiptMessage(asyncio.run(self._send(iterator, _this_attempt())))

    def commit(self, messages: list[WriterCommitMessage | None]) -> None:
        """Write the report.

        Raises:
            SparkWriteError: Rows were not stored, and `onProblems` does not allow it, or there is no report of them.
        """
        report = self._report(messages, is_aborted=False)
        failure = self._failure_to_write(report)
        for warning in report.warnings:
            _logger.warning("%s", warning)
        where = None if failure or self._folder.report is None else str(self._folder.report)
        reports_problems = self._access.options.on_problems == "report" and failure is None
        objection = report.objection(reports_problems=reports_problems, where=where)
        if failure is not None:
            stored = objection or f"all {report.total.rows:,} rows were stored"
            raise SparkWriteError(f"{stored}; the report was not written: {failure}")
        if objection is not None:
            raise SparkWriteError(objection)

    def abort(self, messages: list[WriterCommitMessage | None]) -> None:
        """Write the report, unless it is there: Spark calls this after a commit that has failed, too."""
        failure = self._failure_to_write(self._report(messages, is_aborted=True))
        if failure is not None:
            _logger.warning("the write was aborted, and the report was not written: %s", failure)

    def _failure_to_write(self, report: WriteReport) -> str | None:
        """Write the report, unless it is there; returns why it cannot be written, if it cannot."""
        try:
            is_written = self._folder.write_report(report.described())
        except OSError as error:
            return f"{self._folder.report}: {error.strerror}"
        if is_written and report.is_aborted:
            _logger.warning("the write was aborted: the report is %s", self._folder.report)
        return None

    async def _send(self, batches: Iterator[pa.RecordBatch], by: Attempt) -> Receipt:
        rows = self._input()
        notes = _Notes(rows, Receipt(by=by), self._folder)
        source = ThreadedSource(rows.rows(batches), {})
        async with self._access.session() as session:
            upserting = self._repository(session).upserting(source, ledger=notes, concurrency=1, isolate=True)
            async with upserting as run:
                async for chunk in run:
                    notes.add(chunk)
        return notes.ended(run.result.stopped_by)

    def _input(self) -> SparkInput:
        allow_keyless = self._access.options.allow_keyless
        return SparkInput(self._repository.model, self._columns, allow_keyless=allow_keyless)

    def _report(self, messages: list[WriterCommitMessage | None], *, is_aborted: bool) -> WriteReport:
        receipts = [one.receipt for one in messages if isinstance(one, ReceiptMessage)]
        return WriteReport(
            run=self._folder.run,
            model=self._repository.model.name,
            receipts=receipts,
            lost=other_attempts(self._folder.noted(), receipts),
            has_keyless=self._access.options.allow_keyless,
            is_aborted=is_aborted,
        )


class _Notes:
    """Keeps the receipt of an attempt, and notes it after each step; the ledger of its upsert."""

    def __init__(self, rows: SparkInput, receipt: Receipt, folder: ReportFolder) -> None:
        self._rows = rows
        self._receipt = receipt
        self._folder = folder
        self._keys = KeySampler()
        folder.note(receipt)

    async def begin_chunk(self, chunk: Chunk) -> Recorded | None:
        """Note that rows are about to be sent."""
        self._receipt.n_begun += len(chunk.rows)
        self._keys.add(chunk.keys)
        self._folder.note(self._receipt)
        return None

    async def end_chunk(self, result: ChunkResult) -> None:
        """Do nothing: `add` notes the result."""

    def add(self, chunk: ChunkResult) -> None:
        """Note the outcomes of a chunk."""
        self._receipt.add(chunk, self._rows.keys)
        self._rows.forget(chunk.positions)
        self._folder.note(self._receipt)

    def ended(self, stopped_by: PlanhatError | None) -> Receipt:
        """The receipt at the end."""
        receipt = self._receipt
        receipt.n_blank, receipt.keys, receipt.has_ended = self._rows.n_blank, self._keys.sample(), True
        if stopped_by is not None:
            receipt.stopped_by = f"{type(stopped_by).__name__}: {printable(str(stopped_by))}"
        self._folder.note(receipt)
        return receipt


def _this_attempt() -> Attempt:
    context = TaskContext.get()
    if context is None:
        raise RuntimeError("rows are written by Spark's tasks only")
    return Attempt(
        partition=context.partitionId(),
        attempt=context.attemptNumber(),
        task=context.taskAttemptId(),
        host=socket.gethostname(),
    )
