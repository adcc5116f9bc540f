"""Bulk work on files: what the command line's jobs are made of, usable without it."""

from planhat_async.jobs.entries import Entry
from planhat_async.jobs.exports import MissingExtraError, export_records, left_over, whole_file, writer_class
from planhat_async.jobs.journal import JournalError
from planhat_async.jobs.leftovers import Leftover
from planhat_async.jobs.mapping import FieldMapping, SourceError
from planhat_async.jobs.mapping_files import MappingFile
from planhat_async.jobs.planning import Plan, plan_upsert
from planhat_async.jobs.pumping import Pumped
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.runner import Described, Effort, Source, UpsertJob, run_upsert
from planhat_async.jobs.sources import FileSource
from planhat_async.jobs.writers import Writer

__all__ = [
    "Described",
    "Effort",
    "Entry",
    "FieldMapping",
    "FileSource",
    "JournalError",
    "Leftover",
    "MappingFile",
    "MissingExtraError",
    "Plan",
    "Pumped",
    "Rejects",
    "Source",
    "SourceError",
    "UpsertJob",
    "Writer",
    "export_records",
    "left_over",
    "plan_upsert",
    "run_upsert",
    "whole_file",
    "writer_class",
]
