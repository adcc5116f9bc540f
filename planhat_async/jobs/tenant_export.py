"""A whole tenant into a folder: a file for each model that has a list, one after another."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from planhat_async._convert import decode_json, encode_json, printable
from planhat_async.errors import DecodeError, NotFoundError, PermissionDeniedError, StatusError
from planhat_async.jobs.export_checkpoint import ExportCheckpoint
from planhat_async.jobs.exports import checkpoint_of, export_records, writer_class
from planhat_async.jobs.files.formats import Format
from planhat_async.jobs.files.whole_file import part_of, whole_file
from planhat_async.jobs.files.writers import CsvLayout
from planhat_async.jobs.selection_record import remove_part
from planhat_async.repositories import Lists
from planhat_async.session import Session

MANIFEST = "export.json"
"""The file in the folder that says which models are complete: only those are left alone by a resumed export."""


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
    n_formulas: int = 0
    """The cells of CSV that a spreadsheet would run as a formula."""


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
    layout: CsvLayout = attrs.field(factory=CsvLayout)
    """How CSV is written."""
    resumes: bool = False
    """Whether models that an earlier run has completed are left alone, and others resumed (JSONL) or begun again."""
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
            ValueError: There is no export to resume, it is of another server or format, or a `.part` is not part of it.
            MissingExtraError: Parquet's package is not installed.
            OSError: A file cannot be written.
        """
        manifest, repositories = self._manifest(), list(repositories)
        for repository in repositories if not self.resumes else ():
            # Left by an earlier export: if this one is interrupted, it must not be resumed from there.
            remove_part(self.file_of(repository))
        for repository in repositories:
            path, name = self.file_of(repository), repository.model.name
            has_part = part_of(path).is_file()
            if name in manifest["complete"] and path.is_file() and not has_part:
                yield ModelExport(name=name, file=path, was_complete=True)
                continue
            resumes = self.resumes and has_part and self.format == "jsonl"
            if not resumes:
                remove_part(path)
            checkpoint = checkpoint_of(path, repository.model) if resumes else ExportCheckpoint()
            on_progress(name, checkpoint.n_rows)
            ended = await self._export(repository, checkpoint, partial(on_progress, name))
            if ended.refused is None and name not in manifest["complete"]:
                manifest["complete"].append(name)
                self._save(manifest)
            yield ended

    def _manifest(self) -> dict[str, Any]:
        """The record of the models that this export has completed: that of an earlier run if it is resumed.

        Raises:
            ValueError: There is nothing to resume, or it is of another server, format or layout.
        """
        mine: dict[str, Any] = {"base_url": self.session.base_url, "format": self.format, "complete": []}
        if self.format == "csv":
            mine |= attrs.asdict(self.layout)
        if not self.resumes:
            self._save(mine)
            return mine
        path = self.folder / MANIFEST
        try:
            held = decode_json(path.read_bytes(), is_input=True)
        except FileNotFoundError:
            raise ValueError(f"{self.folder} holds no export to resume: leave out --resume") from None
        except DecodeError:
            held = None
        if not isinstance(held, dict) or not isinstance(held.get("complete"), list):
            raise ValueError(f"{path} is not of an export")  # noqa: TRY004 - the file is wrong
        for name in mine:
            if name != "complete" and held.get(name) != mine[name]:
                raise ValueError(f"{self.folder} holds an export whose {name} is {held.get(name)}, not {mine[name]}")
        return held

    def _save(self, manifest: dict[str, Any]) -> None:
        with whole_file(self.folder / MANIFEST) as out:
            out.write(encode_json(manifest))

    async def _export(
        self, repository: type[Lists[Any]], checkpoint: ExportCheckpoint, on_progress: Callable[[int], object]
    ) -> ModelExport:
        path, name = self.file_of(repository), repository.model.name
        make_writer, n_bytes = writer_class(self.format, layout=self.layout), 0
        try:
            with whole_file(path, keep_bytes=checkpoint.n_bytes) as out:
                writer = make_writer(out, repository.model.record)
                try:
                    n_records = await export_records(
                        repository(self.session),
                        writer,
                        checkpoint=checkpoint,
                        concurrency=self.concurrency,
                        on_progress=on_progress,
                    )
                finally:
                    n_bytes = out.tell()
        except (PermissionDeniedError, NotFoundError) as error:
            if is_of_another_server(error):
                raise
            kept = ""
            if self.format == "jsonl" and n_bytes:
                kept = f"; {part_of(path)} holds what was read before"
            else:
                part_of(path).unlink(missing_ok=True)
            return ModelExport(name=name, file=path, refused=printable(str(error)) + kept)
        return ModelExport(name=name, file=path, n_records=n_records, n_formulas=writer.n_formulas)


def is_of_another_server(error: StatusError) -> bool:
    """Whether a refusal is a page of HTML: of a proxy, or of a server that is not Planhat."""
    return error.body.lstrip().startswith("<")
