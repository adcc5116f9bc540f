"""A whole tenant into a folder: a file for each model that has a list, one after another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from planhat_async._convert import printable
from planhat_async.errors import NotFoundError, PermissionDeniedError, PlanhatError, StatusError
from planhat_async.jobs.export_checkpoint import ExportCheckpoint
from planhat_async.jobs.exports import checkpoint_of, export_records, part_of, whole_file, writer_class
from planhat_async.jobs.file_formats import Format
from planhat_async.repositories import Lists
from planhat_async.session import Session


@attrs.frozen(kw_only=True)
class ModelExport:
    """How the export of one model ended."""

    name: str
    file: Path
    n_records: int | None = None
    """The records in the file; `None` if it was complete before, and they were not counted."""
    was_complete: bool = False
    """Whether an earlier run has written the file."""
    refused: str | None = None
    """Why there is no file: the token may not read the model, or Planhat does not have it."""


@attrs.frozen(kw_only=True)
class TenantExport:
    """Writes the records of many models to files.

    Records of several models are in several files where their lists overlap: conversations hold notes and tickets, and
    lean companies are the companies.
    """

    session: Session
    folder: Path
    """It must exist."""
    format: Format = "jsonl"
    resumes: bool = False
    """Whether files that are there are left, and a model whose `.part` is there is resumed (JSONL) or begun again."""
    concurrency: int = 4

    def file_of(self, repository: type[Lists[Any]]) -> Path:
        """The file of a model."""
        return self.folder / f"{repository.model.name}.{self.format}"

    async def run(
        self,
        repositories: Iterable[type[Lists[Any]]],
        *,
        on_progress: Callable[[str, int], object] = lambda name, n_rows: None,  # noqa: ARG005 - the default does nothing
    ) -> AsyncGenerator[ModelExport, None]:
        """Export the models, in this order; yields each as it ends.

        Args:
            repositories: The repositories of the models.
            on_progress: Called with the name of a model and the number of its records so far: 0 when it begins, then
                once per thousand.

        Raises:
            PlanhatError: The export of a model failed; its `.part` is left, to be resumed.
            ValueError: A `.part` is not part of such an export.
            MissingExtraError: Parquet's package is not installed.
            OSError: A file cannot be written.
        """
        for repository in repositories:
            path, name = self.file_of(repository), repository.model.name
            has_part = part_of(path).is_file()
            if self.resumes and path.is_file() and not has_part:
                yield ModelExport(name=name, file=path, was_complete=True)
                continue
            resumes = self.resumes and has_part and self.format == "jsonl"
            checkpoint = checkpoint_of(path, repository.model) if resumes else ExportCheckpoint()
            on_progress(name, checkpoint.n_rows)
            yield await self._export(repository, checkpoint, partial(on_progress, name))

    async def _export(
        self, repository: type[Lists[Any]], checkpoint: ExportCheckpoint, on_progress: Callable[[int], object]
    ) -> ModelExport:
        path, name = self.file_of(repository), repository.model.name
        make_writer, has_begun = writer_class(self.format), True
        try:
            with whole_file(path, keep_bytes=checkpoint.n_bytes) as out:
                writer = make_writer(out, repository.model.record)
                n_bytes = out.tell()
                try:
                    n_records = await export_records(
                        repository(self.session),
                        writer,
                        checkpoint=checkpoint,
                        concurrency=self.concurrency,
                        on_progress=on_progress,
                    )
                except PlanhatError:
                    has_begun = checkpoint.n_rows > 0 or out.tell() > n_bytes
                    raise
        except (PermissionDeniedError, NotFoundError) as error:
            if has_begun or is_of_another_server(error):
                raise
            part_of(path).unlink(missing_ok=True)
            return ModelExport(name=name, file=path, refused=printable(str(error)))
        return ModelExport(name=name, file=path, n_records=n_records)


def is_of_another_server(error: StatusError) -> bool:
    """Whether a refusal is a page of HTML: of a proxy, or of a server that is not Planhat."""
    return error.body.lstrip().startswith("<")
