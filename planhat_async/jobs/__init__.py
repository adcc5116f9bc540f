"""Bulk work on files: what the command line's jobs are made of, usable without it."""

from planhat_async.jobs.exports import export_records, whole_file, writer_class
from planhat_async.jobs.journal import JournalError
from planhat_async.jobs.mapping import FieldMapping, SourceError
from planhat_async.jobs.mapping_files import MappingFile
from planhat_async.jobs.planning import Plan, plan_upsert
from planhat_async.jobs.pumping import Pumped
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.runner import Described, Effort, UpsertJob, run_upsert
from planhat_async.jobs.sources import FileSource

__all__ = [
    "Described",
    "Effort",
    "FieldMapping",
    "FileSource",
    "JournalError",
    "MappingFile",
    "Plan",
    "Pumped",
    "Rejects",
    "SourceError",
    "UpsertJob",
    "export_records",
    "plan_upsert",
    "run_upsert",
    "whole_file",
    "writer_class",
]
