"""The format and the compression that the name of an output implies: decisions only."""

from __future__ import annotations

from pathlib import PurePath
from typing import get_args

import attrs

from planhat_async.jobs.files.compression import Compression, below_compression, compression_named
from planhat_async.jobs.files.formats import EXCEL_SUFFIXES, SUFFIXES, Format

_SUFFIXES = {suffix: one for suffix, one in SUFFIXES.items() if one in get_args(Format)}
_COMPRESSED = ".gz, .bz2, .xz or .zst"


@attrs.frozen
class OutputKind:
    """How an output is written."""

    format: Format
    compression: Compression | None = None


def output_kind(path: PurePath | None, given: Format | None = None) -> OutputKind:
    """How an export to a path is written; JSONL if neither the name nor an option says so.

    Args:
        path: The path, or that of a URL; `None` for standard output.
        given: The format, if an option names it.

    Raises:
        ValueError: The name contradicts the format, or implies none that is written.
    """
    if path is None or not path.suffix:
        return OutputKind(given or "jsonl")
    compression = compression_named(path)
    if compression is not None and compression.name == "zip":
        raise ValueError(f"{path.name}: zip is not written: end the name in {_COMPRESSED}")
    suffix = below_compression(path).suffix.lower()
    if suffix in EXCEL_SUFFIXES:
        raise ValueError(f"{path.name}: workbooks are read, and not written: end the name in .csv")
    implied = _SUFFIXES.get(suffix)
    if implied is None and given is None and (suffix or compression is None):
        endings = ", ".join(_SUFFIXES)
        raise ValueError(f"{path.name}: the name must end in {endings} (also with {_COMPRESSED}), or --format be given")
    if implied is not None and given not in (None, implied):
        raise ValueError(f"{path.name}: the name says {implied}, and --format says {given}: change one of them")
    format_ = given or implied or "jsonl"
    if format_ == "parquet" and compression is not None:
        raise ValueError(f"{path.name}: Parquet is compressed within: leave out {compression.suffix}")
    return OutputKind(format_, compression)  # pyright: ignore[reportArgumentType]
