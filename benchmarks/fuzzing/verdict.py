"""Reads one file as a command does, and compares with what the slow readers find in it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from benchmarks.fuzzing.seeds import MAPS, Seed
from benchmarks.fuzzing.slow_readers import INVALID, Finding, UnknownError, csv_rows, json_rows, parquet_rows, unpacked
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Task
from planhat_async.results import Unreadable

MAPPINGS = {False: FieldMapping.parse(Task), True: FieldMapping.parse(Task, maps=MAPS)}
_FIELDS = dict(pair.split("=")[::-1] for pair in MAPS)
_HEADERS = re.compile(r"([\d,]+) repeated header rows? left out")
_COPIED = 3


@attrs.define(kw_only=True)
class Reading:
    """What the package makes of a file."""

    rows: list[Any]
    """The fields of each row, or `INVALID`."""
    n_blank: int = 0
    n_headers: int = 0
    refusal: str | None = None
    faults: list[str] = attrs.field(factory=list)
    """What must never happen."""
    n_compared: int = 0
    """Rows that an independent reader confirms."""


def verdict(seed: Seed, data: bytes, path: Path) -> Reading:
    """Write a file, read it, and compare."""
    path.write_bytes(data)
    reading = _read(seed, path)
    try:
        found = _independent(seed, data, path)
    except UnknownError:
        found = None
    if found is not None:
        reading.faults += _differences(reading, found, seed)
    if INVALID in reading.rows and reading.refusal is None and seed.format != "xlsx":
        reading.faults += _faults_of_copy(seed, path, reading)
    return reading


def _source(seed: Seed, path: Path) -> FileSource:
    return FileSource(path, MAPPINGS[seed.is_mapped], **seed.options)


def _read(seed: Seed, path: Path) -> Reading:
    reading, source = Reading(rows=[]), None
    try:
        source = _source(seed, path)
        source.description()
        source.check_beginning()
        for row in source:
            reading.rows.append(INVALID if isinstance(row, Unreadable) else row)
            if isinstance(row, Unreadable) and "\n" in row.reason:
                reading.faults.append(f"a reason of several lines: {row.reason!r}")
    except SourceError as error:
        reading.refusal = str(error)
        if not reading.refusal.strip():
            reading.faults.append("a message without words")
    except Exception as error:  # noqa: BLE001 - what is sought
        reading.faults.append(f"{type(error).__name__}: {str(error)[:300]}")
        reading.refusal = str(error)
    if source is not None and reading.refusal is None:
        reading.n_blank = source.n_blank
        if source.rows_read != len(reading.rows):
            reading.faults.append(f"{source.rows_read} rows were counted, {len(reading.rows)} read")
        for remark in source.remarks:
            if match := _HEADERS.fullmatch(remark):
                reading.n_headers = int(match[1].replace(",", ""))
    return reading


def _independent(seed: Seed, data: bytes, path: Path) -> Finding:
    """What the file holds.

    Raises:
        UnknownError: Nobody can say.
    """
    used = seed.columns[:3] if seed.is_mapped else seed.columns
    if seed.format == "parquet":
        return parquet_rows(path, used)
    if seed.format == "xlsx" or "escape" in seed.options:
        raise UnknownError
    if path.suffixes[-1] != f".{seed.format}":
        data = unpacked(data, path.suffixes[-1])
    encoding = seed.options.get("encoding", "utf-16" if seed.name == "json wide" else "utf-8")
    is_wide, is_csv = encoding == "utf-16", seed.format == "csv"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") and not is_wide:
        raise UnknownError
    try:
        text = data.decode(encoding, "strict" if is_wide or not is_csv else "surrogateescape").removeprefix("\ufeff")
    except UnicodeError:
        raise UnknownError from None
    if is_csv:
        return csv_rows(text, seed.columns, _delimiter(seed), used)
    return json_rows(text, used if seed.is_mapped else None)


def _delimiter(seed: Seed) -> str:
    named = {"csv semicolons": ";", "csv latin": ";", "csv tabs": "\t", "csv wide": "\t", "csv pipes": "|"}
    if seed.name == "csv declared":
        raise UnknownError
    return named.get(seed.name, ",")


def _differences(reading: Reading, found: Finding, seed: Seed) -> Iterator[str]:
    """Where the package reads other rows than are there."""
    expected = found.rows
    is_exact = seed.format not in {"json", "jsonl"}
    for number, (read, there) in enumerate(zip(reading.rows, expected, strict=False), 1):
        if not _agree(read, there, seed, is_exact=is_exact):
            yield f"row {number} is read as {_shown(read)}, and is {_shown(there)}"
            return
        reading.n_compared += 1
    if reading.refusal is not None:
        if len(reading.rows) > len(expected) and found.is_whole:
            yield f"{len(reading.rows)} rows were read before {reading.refusal!r}, and there are {len(expected)}"
        return
    counts = len(reading.rows), reading.n_blank, reading.n_headers
    there_are = len(expected), found.n_blank, found.n_headers
    if found.is_whole and counts != there_are:
        yield f"(rows, blank rows, headers) are counted {counts}, and are {there_are}"
    elif not found.is_whole and sum(counts) <= sum(there_are):
        yield f"nothing is said about what follows row {there_are[0]}"


def _agree(read: Any, there: Any, seed: Seed, *, is_exact: bool) -> bool:
    """Whether a row is the one that is there; without types, texts of the known fields are compared."""
    if there is INVALID:
        return read is INVALID
    if read is INVALID:
        return not is_exact and not _is_plain(there)
    fields = {_FIELDS.get(name, name) if seed.is_mapped else name: value for name, value in there.items()}
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    custom = read.get("custom") or {}
    flat = {name: value for name, value in read.items() if name != "custom"}
    if isinstance(custom, dict):
        flat |= {f"custom.{name}": value for name, value in custom.items()}
    return flat == fields if is_exact else texts.items() <= {name: str(value) for name, value in flat.items()}.items()


def _is_plain(there: dict[str, Any]) -> bool:
    """Whether nothing about a JSON object can be invalid."""
    return all(isinstance(value, str) and name in {*_FIELDS, "sourceId", "action"} for name, value in there.items())


def _shown(row: Any) -> str:
    return "invalid" if row is INVALID else repr(row)[:300]


def _faults_of_copy(seed: Seed, path: Path, reading: Reading) -> Iterator[str]:
    """What is wrong with a copy of rejected rows: read again, each must be invalid again, and nothing else be there."""
    positions = [n for n, row in enumerate(reading.rows) if row is INVALID]
    positions = positions[:_COPIED] + positions[_COPIED:][-1:]
    out = io.BytesIO()
    try:
        _source(seed, path).copy([(position, "because") for position in positions], out)
    except Exception as error:  # noqa: BLE001 - what is sought
        yield f"no copy of rejected rows: {type(error).__name__}: {error}"
        return
    copied = path.with_name(f"copied.{'jsonl' if seed.format.startswith('json') else seed.format}")
    copied.write_bytes(out.getvalue())
    options: Sequence[str] = [] if seed.format.startswith("json") else [*seed.options]
    again = _read(attrs.evolve(seed, options={name: seed.options[name] for name in options}), copied)
    with suppress(OSError):
        copied.unlink()
    # What cannot be decoded is not copied: its row has a reason only.
    n_invalid = len(positions) - again.n_blank
    if again.refusal is None and (
        again.rows != [INVALID] * n_invalid or (again.n_blank and n_invalid + 1 < len(positions))
    ):
        yield f"a copy of {len(positions)} rejected rows is read as {[*map(_shown, again.rows)]}"
    # A copy of a few objects may lack a column that the mapping names.
    if again.refusal is not None and not (seed.is_mapped and seed.format.startswith("json")):
        yield f"a copy of {len(positions)} rejected rows is refused: {again.refusal[:300]!r}"
