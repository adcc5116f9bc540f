"""Input that is not what it should be: each a clear message, and the rows around it are read."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from planhat_async.jobs.mapping import FieldMapping, SourceError
from planhat_async.jobs.sources import STANDARD_INPUT, FileSource
from planhat_async.jobs.threaded_source import ThreadedSource
from planhat_async.models import Ticket
from planhat_async.results import Unreadable


def source(path: Path, content: bytes = b"", **options: Any) -> FileSource:
    if content:
        path.write_bytes(content)
    return FileSource(path, FieldMapping.parse(Ticket, **options))


def titles(rows: Any) -> list[Any]:
    return [row.reason if isinstance(row, Unreadable) else row["title"] for row in rows]


@pytest.mark.parametrize(
    ("content", "read"),
    [
        pytest.param(b"source_id,title\n1,a\n2", ["a", "line 3: 1 cell, but the header has 2"], id="half a line"),
        pytest.param(
            b'source_id,title\n1,a\n2,"b', ["a", "line 3: a quote is opened there and never closed"], id="half a quote"
        ),
        pytest.param(b"source_id,title\r\n1,a\n2,b\r\n3,c\n", ["a", "b", "c"], id="mixed line ends"),
        pytest.param(b"\xef\xbb\xbfsource_id,title\n1,a\n", ["a"], id="byte order mark"),
        pytest.param(
            b"source_id,title\n1,a\n2,b\0b\n3,c\n", ["a", "line 3: column 'title' holds a NUL character", "c"], id="NUL"
        ),
        pytest.param(
            b"source_id,title\n1,a\n2\n3\n4,d\n",
            ["a", *(f"line {n}: 1 cell, but the header has 2" for n in (3, 4)), "d"],
            id="missing columns halfway",
        ),
    ],
)
def test_csv_is_read_around_what_is_wrong_with_it(tmp_path: Path, content: bytes, read: list[str]) -> None:
    """Each line is a row, or says why it is not."""
    assert titles(source(tmp_path / "t.csv", content)) == read


@pytest.mark.parametrize(
    ("content", "read"),
    [
        pytest.param(b'{"title":"a"}\n{"title":"b', ["a", "line 2: not JSON in UTF-8"], id="half a line"),
        pytest.param(b'{"title":"a"}\r\n{"title":"b"}\n\r\n{"title":"c"}', ["a", "b", "c"], id="mixed line ends"),
        pytest.param(b'\xef\xbb\xbf{"title":"a"}\n', ["a"], id="byte order mark"),
        pytest.param(
            b'{"title":"a"}\n{"title":"\0"}\n{"title":"c"}\n',
            ["a", "line 2: not JSON in UTF-8: it holds a NUL", "c"],
            id="NUL",
        ),
    ],
)
def test_jsonl_is_read_around_what_is_wrong_with_it(tmp_path: Path, content: bytes, read: list[str]) -> None:
    """Each line is a row, or says why it is not."""
    assert titles(source(tmp_path / "t.jsonl", content)) == read


@pytest.mark.slow
def test_fifty_megabytes_in_one_cell_are_one_row(tmp_path: Path) -> None:
    """Too large for a call, which is said of it alone when chunks are cut; the rows around it are read."""
    content = b'source_id,title\n1,a\n2,"' + b"x" * 50_000_000 + b'"\n3,c\n'
    assert [len(title) for title in titles(source(tmp_path / "t.csv", content))] == [1, 50_000_000, 1]


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"9,z\n")


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def rewrite(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (grow, "was written to while it was read"),
        (rewrite, "was written to while it was read"),
        (replace, "was replaced by another file while it was read"),
        (Path.unlink, "was removed while it was read"),
        (cut_short, "was written to while it was read"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    """Before its last rows are taken: what is half written is not taken for a row."""
    path = tmp_path / "t.csv"
    rows = iter(source(path, b"source_id,title\n" + b"".join(b"%d,%s\n" % (n, b"x" * 1000) for n in range(500))))
    assert len(titles([next(rows)])) == 1
    change(path)
    n_read = 1
    with pytest.raises(SourceError, match=f"t.csv {said}: its last rows were not read"):  # noqa: PT012
        for _ in rows:
            n_read += 1
    assert 1 < n_read < 500


@pytest.mark.parametrize("name", ["t.csv.gz", "t.CSV.GZ"])
def test_gzip_is_known_by_its_ending(tmp_path: Path, name: str) -> None:
    """The ending before it says what is in it."""
    made = source(tmp_path / name, gzip.compress(b"source_id,title\n1,a\n"))
    assert titles(made) == ["a"]
    assert made.bytes_read == made.total_bytes


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-9], lambda packed: b"PK" + packed[2:], lambda packed: packed[:20] + b"\xff" * 9]
)
def test_a_damaged_gzip_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """It is named."""
    lines = b"".join(b"%d,title %d\n" % (n, n) for n in range(1000))
    made = source(tmp_path / "t.csv.gz", damage(gzip.compress(b"source_id,title\n" + lines)))
    with pytest.raises(SourceError, match=r"t\.csv\.gz is not a complete gzip file: "):
        list(made)


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning is checked, and not lost by that."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"source_id,title\n1,a\n2,b\n"))))
    made = FileSource(STANDARD_INPUT, FieldMapping.parse(Ticket), format="csv")
    made.check_beginning()
    assert titles(made) == ["a", "b"]
    assert made.total_bytes is None


@pytest.mark.parametrize(
    ("format_", "message"),
    [
        (None, "say how standard input is written"),
        ("parquet", "Parquet is read from its end, which standard input does not allow"),
    ],
)
def test_standard_input_has_a_format(format_: Any, message: str) -> None:
    """One that can be read from its beginning."""
    with pytest.raises(SourceError, match=message):
        FileSource(STANDARD_INPUT, FieldMapping.parse(Ticket), format=format_)


async def test_what_makes_its_reader_wait_is_read_in_a_thread() -> None:
    """In order, and with the error it ends with."""

    def rows() -> Any:
        yield from range(250)
        raise SourceError("gone")

    read = []
    with pytest.raises(SourceError, match="gone"):  # noqa: PT012
        async for row in ThreadedSource(rows(), {}):
            read.append(row)  # noqa: PERF401 - what was read before the error counts
    assert read == list(range(250))
    assert [row async for row in ThreadedSource(range(250), {})] == list(range(250))


def table(path: Path, columns: dict[str, list[Any]]) -> Path:
    parquet.write_table(pa.table(columns), path, row_group_size=2)
    return path


def test_parquet_is_read_by_row_groups(tmp_path: Path) -> None:
    """Nulls are left out, times and lists are what they are, and only the columns that are mapped are read."""
    at = datetime(2024, 5, 31, tzinfo=UTC)
    path = table(
        tmp_path / "t.parquet",
        {"ID": ["1", "2", "3"], "Tags": [["a"], None, []], "At": [at, at, None], "X": [b"", b"", b""]},
    )
    made = source(path, maps=["source_id=ID", "tags=Tags", "custom.at=At"])
    made.check_beginning()
    assert list(made) == [
        {"source_id": "1", "tags": ["a"], "custom": {"at": at}},
        {"source_id": "2", "custom": {"at": at}},
        {"source_id": "3", "tags": []},
    ]
    assert made.bytes_read == made.total_bytes


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    """Also a file that is cut short, and columns that do not fit."""
    with pytest.raises(SourceError, match=r"t\.parquet is not a Parquet file that can be read"):
        source(tmp_path / "t.parquet", b"source_id\n1\n").check_beginning()
    path = table(tmp_path / "u.parquet", {"titel": ["a"]})
    with pytest.raises(SourceError, match=r"u\.parquet: column 'titel': Ticket has no field 'titel'"):
        source(path).check_beginning()
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(SourceError, match="is not a Parquet file"):
        source(path).check_beginning()


def test_what_was_jsonl_is_the_same_as_parquet(tmp_path: Path) -> None:
    """Row for row."""
    rows = [{"source_id": str(n), "title": f"t{n}"} for n in range(5)]
    lines = source(tmp_path / "t.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    path = table(tmp_path / "t.parquet", {name: [row[name] for row in rows] for name in rows[0]})
    assert list(lines) == list(source(path)) == rows


@pytest.mark.parametrize("change", [rewrite, replace, cut_short])
def test_a_parquet_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Before a row of what is there now is taken."""
    path = tmp_path / "t.parquet"
    columns = {"source_id": [str(n) for n in range(5000)], "title": ["x" * 100] * 5000}
    parquet.write_table(pa.table(columns), path, row_group_size=1000)
    rows = iter(source(path))
    assert len(titles([next(rows)])) == 1
    change(path)
    with pytest.raises(SourceError, match=r"t\.parquet was (written to|replaced by another file) while it was read"):
        list(rows)
