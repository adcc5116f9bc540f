"""Bulk work on files: what the command line's jobs are made of, usable without it."""

from planhat_async.errors import MissingExtraError
from planhat_async.jobs.delete_job import DeleteJob, plan_delete, run_delete
from planhat_async.jobs.deletions import DeleteOutcome, DeleteResult
from planhat_async.jobs.entries import Entry
from planhat_async.jobs.export_checkpoint import ExportCheckpoint
from planhat_async.jobs.export_selection import ExportSelection
from planhat_async.jobs.exports import checkpoint_of, export_records, writer_class
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.threaded_source import ThreadedSource
from planhat_async.jobs.files.whole_file import whole_file
from planhat_async.jobs.files.writers import CsvLayout, ExportWriter
from planhat_async.jobs.job_identity import DescribesItself, Source
from planhat_async.jobs.journal_file import JournalError
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.mapping.mapping_file import MappingFile
from planhat_async.jobs.nightly.changed_export import (
    ChangedExport,
    ChangedExportOptions,
    export_snapshot,
    export_updated,
)
from planhat_async.jobs.nightly.state_owner import StateError
from planhat_async.jobs.plan import Plan, plan_upsert
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.source_error import SourceError
from planhat_async.jobs.tenant_export import ModelExport, TenantExport
from planhat_async.jobs.upsert_job import JobCost, JobOptions, UpsertJob, run_upsert

__all__ = [
    "ChangedExport",
    "ChangedExportOptions",
    "CsvLayout",
    "DeleteJob",
    "DeleteOutcome",
    "DeleteResult",
    "DescribesItself",
    "Entry",
    "ExportCheckpoint",
    "ExportSelection",
    "ExportWriter",
    "FieldMapping",
    "FileSource",
    "JobCost",
    "JobOptions",
    "JournalError",
    "Lookup",
    "MappingFile",
    "MissingExtraError",
    "ModelExport",
    "Plan",
    "Rejects",
    "Source",
    "SourceError",
    "StateError",
    "TenantExport",
    "ThreadedSource",
    "UpsertJob",
    "checkpoint_of",
    "export_records",
    "export_snapshot",
    "export_updated",
    "plan_delete",
    "plan_upsert",
    "run_delete",
    "run_upsert",
    "whole_file",
    "writer_class",
]
