"""Files of tickets of about 500 bytes each, in any format: `python -m benchmarks.jobs.files FORMAT FILE N_ROWS`."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import attrs

_TEXT = "We tried a restart, cleared the cache and signed in again; since Tuesday the page stays blank. "
_ROWS_A_GROUP = 100_000
COLUMNS = ("sourceId", "email", "companyExternalId", "title", "description")


@attrs.frozen
class Format:
    """A format of files."""

    suffix: str
    write: Callable[[Path, int], None]
    """Writes a file of so many tickets."""
    is_loaded_whole: bool = False


def _rows(n_rows: int) -> Iterator[tuple[str, ...]]:
    for number in range(n_rows):
        text = _TEXT * (1 + number * 7919 % 8)
        yield (
            f"T-{number}",
            f"ada.{number}@acme.example",
            "acme",
            f"Blank page {number}",
            f"Hello, this is no. {number}:\n{text}",
        )


def write_csv(file: Path, n_rows: int) -> None:
    """Write CSV."""
    with file.open("w", encoding="utf-8") as out:
        _write_csv(out, n_rows)


def _write_csv(out: TextIO, n_rows: int) -> None:
    out.write(",".join(COLUMNS) + "\n")
    out.writelines(f'{",".join(cells)},"{text}"\n' for *cells, text in _rows(n_rows))


def _write_gzip(file: Path, n_rows: int) -> None:
    with gzip.open(file, "wb", compresslevel=3) as packed, io.TextIOWrapper(packed, encoding="utf-8") as out:
        _write_csv(out, n_rows)


def _objects(n_rows: int) -> Iterator[str]:
    return (json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in _rows(n_rows))


def _write_jsonl(file: Path, n_rows: int) -> None:
    with file.open("w", encoding="utf-8") as out:
        out.writelines(f"{text}\n" for text in _objects(n_rows))


def _write_json(file: Path, n_rows: int) -> None:
    with file.open("w", encoding="utf-8") as out:
        for number, text in enumerate(_objects(n_rows)):
            out.write(f", {text}" if number else f"[{text}")
        out.write("]\n")


def _write_parquet(file: Path, n_rows: int) -> None:
    import pyarrow as pa  # noqa: PLC0415 - each format needs only its own packages
    from pyarrow import parquet  # noqa: PLC0415

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    rows = _rows(n_rows)
    with parquet.ParquetWriter(file, schema) as out:
        while group := [*itertools.islice(rows, _ROWS_A_GROUP)]:
            out.write_table(pa.table([*zip(*group, strict=True)], schema=schema))


def _write_xlsx(file: Path, n_rows: int) -> None:
    import xlsxwriter  # noqa: PLC0415

    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet: Any = book.add_worksheet()
        sheet.write_row(0, 0, COLUMNS)
        for number, row in enumerate(_rows(n_rows), 1):
            sheet.write_row(number, 0, row)


FORMATS: dict[str, Format] = {
    "csv": Format("csv", write_csv),
    "csv.gz": Format("csv.gz", _write_gzip),
    "jsonl": Format("jsonl", _write_jsonl),
    "json": Format("json", _write_json),
    "parquet": Format("parquet", _write_parquet),
    "xlsx": Format("xlsx", _write_xlsx, is_loaded_whole=True),
}


def written(file: Path, format_: Format, n_rows: int) -> None:
    """Write a file in a process of its own: the memory of this one would count as that of each process it begins."""
    command = [sys.executable, "-m", "benchmarks.jobs.files", format_.suffix, str(file), str(n_rows)]
    subprocess.run(command, check=True)  # noqa: S603 - ours


if __name__ == "__main__":
    FORMATS[sys.argv[1]].write(Path(sys.argv[2]), int(sys.argv[3]))
