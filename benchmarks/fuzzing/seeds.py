"""Valid files in many dialects, from which damaged ones are made."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import attrs
import pyarrow as pa
from pyarrow import parquet

COLUMNS = ("sourceId", "action", "description", "custom.Note")
"""Fields for text, which the mapping does not need."""
FOREIGN_COLUMNS = ("Number", "Title", "Text", "Remark")
MAPS = ("source_id=Number", "action=Title", "description=Text")
_TEXTS = (
    "Call",
    "ok",
    "",
    " ",
    "a, b; c\td|e",
    'She wrote "see below":\n7,mallory,text out of a mail,x',
    'x"',
    '{"sourceId": "7", "action": "out of a mail"}',
    "C:\\new\\",
    "Zoë — € ✓ \U0001f600",
    "line\r\nbreak\rand another\n",
    "=1+1",
    "0012",
    "a" * 300,
)
_N_ROWS = 12


@attrs.frozen(kw_only=True)
class Seed:
    """A valid file."""

    name: str
    data: bytes
    suffix: str
    """The end of its name, which implies its format and compression."""
    is_mapped: bool = False
    """Whether its columns have foreign names, which a mapping translates."""
    options: dict[str, Any] = attrs.field(factory=dict)
    """Those of `FileSource`."""

    @property
    def format(self) -> str:
        """The format of its rows."""
        return self.suffix.split(".")[1]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return FOREIGN_COLUMNS if self.is_mapped else COLUMNS


@cache
def seeds() -> tuple[Seed, ...]:
    """The valid files, always the same."""
    plain = [*_csv_seeds(), *_json_seeds(), *_parquet_seeds()]
    return (*plain, *_packed(plain), *_workbooks())


def _rows(random_: random.Random) -> list[list[str]]:
    """Rows of texts; most have a number."""
    return [
        [str(number) if random_.random() < 0.9 else "", *random_.choices(_TEXTS, k=3)] for number in range(1, _N_ROWS)
    ]


def _objects(random_: random.Random, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    others = [None, 1, 2.5, True, ["a", {"b": None}], 12345678901234567890]
    made = [dict(zip(columns, row, strict=True)) for row in _rows(random_)]
    return [{**row, columns[3]: random_.choice([row[columns[3]], *others])} for row in made]


def _csv_seeds() -> Iterator[Seed]:
    dialects: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("plain", {}, {}),
        ("unix", {"lineterminator": "\n"}, {}),
        ("quoted", {"quoting": csv.QUOTE_ALL, "lineterminator": "\n"}, {}),
        ("semicolons", {"delimiter": ";"}, {"delimiter": ";"}),
        ("tabs", {"delimiter": "\t", "lineterminator": "\n"}, {}),
        ("pipes", {"delimiter": "|", "lineterminator": "\r"}, {}),
        ("backslashes", {"escapechar": "\\", "doublequote": False, "lineterminator": "\n"}, {"escape": "backslash"}),
        ("marked", {}, {"encoding": "utf-8-sig"}),
        ("latin", {"delimiter": ";"}, {"encoding": "cp1252"}),
        ("wide", {"delimiter": "\t"}, {"encoding": "utf-16"}),
    ]
    for number, (name, dialect, options) in enumerate(dialects):
        for is_mapped in (False, True):
            random_ = random.Random(number)
            rows = [FOREIGN_COLUMNS if is_mapped else COLUMNS, *_rows(random_)]
            out = io.StringIO(newline="")
            csv.writer(out, **dialect).writerows(rows)
            data = out.getvalue().encode(options.get("encoding", "utf-8"), "replace")
            yield Seed(name=f"csv {name}", data=data, suffix=".csv", is_mapped=is_mapped, options=options)
    text = ",".join(COLUMNS) + "\n1,a,b,c\n,,,\n \n2,d,e,f\n" + ",".join(COLUMNS) + "\n3,g,h,i\n"
    yield Seed(name="csv repeated", data=text.encode(), suffix=".csv")
    yield Seed(name="csv declared", data=b"sep=;\r\n" + text.replace(",", ";").encode(), suffix=".csv")


def _json_seeds() -> Iterator[Seed]:
    for is_mapped in (False, True):
        columns = FOREIGN_COLUMNS if is_mapped else COLUMNS
        objects = _objects(random.Random(5), columns)
        lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)
        forms = {
            "lines": lines,
            "escaped": "".join(json.dumps(one) + "\r\n" for one in objects),
            "list": json.dumps(objects),
            "compact": json.dumps(objects, separators=(",", ":"), ensure_ascii=False),
            "pretty": json.dumps(objects, indent=2),
            "objects": "\n".join(json.dumps(one, indent=1) for one in objects),
        }
        for name, text in forms.items():
            suffix = ".jsonl" if name == "lines" else ".json"
            yield Seed(name=f"json {name}", data=text.encode(), suffix=suffix, is_mapped=is_mapped)
        yield Seed(name="json wide", data=lines.encode("utf-16"), suffix=".jsonl", is_mapped=is_mapped)


def _parquet_seeds() -> Iterator[Seed]:
    ways: list[dict[str, Any]] = [
        {"compression": "none", "use_dictionary": False},
        {"compression": "none", "write_page_checksum": True},
        {"compression": "snappy", "row_group_size": 5},
        {"compression": "zstd", "data_page_version": "2.0", "row_group_size": 4},
        {"compression": "gzip", "use_dictionary": False, "data_page_size": 64},
    ]
    for number, way in enumerate(ways):
        for is_mapped in (False, True):
            columns = FOREIGN_COLUMNS if is_mapped else COLUMNS
            rows = [[cell or None for cell in row] for row in _rows(random.Random(number))]
            table = pa.table(dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))
            out = io.BytesIO()
            parquet.write_table(table, out, **way)
            yield Seed(name=f"parquet {number}", data=out.getvalue(), suffix=".parquet", is_mapped=is_mapped)


def _packed(plain: list[Seed]) -> Iterator[Seed]:
    """Some of the texts, compressed."""
    packers: dict[str, Any] = {".gz": lambda data: gzip.compress(data, mtime=0), ".bz2": bz2.compress}
    packers |= {".xz": lzma.compress, ".zip": _zipped, ".zst": _zstd}
    for name in ("csv plain", "json lines", "json list"):
        seed = next(one for one in plain if one.name == name)
        for suffix, pack in packers.items():
            if (data := pack(seed.data)) is not None:
                yield attrs.evolve(seed, name=f"packed {suffix}", data=data, suffix=seed.suffix + suffix)


def _zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("t.csv"), data)
    return out.getvalue()


def _zstd(data: bytes) -> bytes | None:
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return None
    packed: bytes = zstandard.ZstdCompressor(write_checksum=True).compress(data)
    return packed


def _workbooks() -> Iterator[Seed]:
    try:
        import openpyxl  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return
    for is_mapped in (False, True):
        book = openpyxl.Workbook()
        for row in [FOREIGN_COLUMNS if is_mapped else COLUMNS, *_rows(random.Random(9))]:
            book.worksheets[0].append([cell.removeprefix("=") for cell in row])  # no formulas: they need a value
        out = io.BytesIO()
        book.save(out)
        # Without compression, damage reaches the XML.
        for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            data = _zipped_again(out.getvalue(), method)
            yield Seed(name="xlsx", data=data, suffix=".xlsx", is_mapped=is_mapped)


def _zipped_again(data: bytes, method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w", method) as after:
        for name in before.namelist():
            after.writestr(zipfile.ZipInfo(name), before.read(name), method)
    return out.getvalue()
