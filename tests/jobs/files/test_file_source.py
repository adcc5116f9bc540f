"""Test rows from files: an unreadable row is reported, and the rows after it are read."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from planhat_async.jobs.files.file_source import STANDARD_INPUT, FileSource
from planhat_async.jobs.files.formats import Format
from planhat_async.jobs.files.steady_file import SteadyFile
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Ticket
from planhat_async.results import Unreadable

steady = settings(derandomize=True, deadline=None, max_examples=60)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


def made(path: Path, content: str | bytes | None = None, *, maps: tuple[str, ...] = (), **options: Any) -> FileSource:
    """Return a source for a file, with this content if given."""
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return FileSource(path, FieldMapping.parse(Ticket, maps=maps), **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose files may be overwritten by each example of hypothesis."""
    return tmp_path_factory.mktemp("sources")


def read(folder: Path, content: str | bytes, *, name: str = "tickets.csv", **options: Any) -> list[Any]:
    """Return the rows of a file with this content."""
    return list(made(folder / name, content, **options))


def titles(rows: Any) -> list[Any]:
    return [row.reason if isinstance(row, Unreadable) else row["title"] for row in rows]


def refused(folder: Path, content: str | bytes, *, name: str = "tickets.csv", **options: Any) -> str:
    """Return the message about an unusable file, which is the same before and while it is read."""
    with pytest.raises(SourceError) as checked:
        made(folder / name, content, **options).check_beginning()
    with pytest.raises(SourceError) as caught:
        read(folder, content, name=name, **options)
    assert str(caught.value) == str(checked.value)
    return str(caught.value).replace(f"{folder}{os.sep}", "")


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8"])
def test_a_csv_has_any_mark_and_line_ends(folder: Path, mark: bytes, end: str, encoding: str) -> None:
    """A byte order mark is not part of the first column's name, and the last line needs no line break."""
    content = mark + end.join(["title,email", "Ärger,a@b.example", "x,c@d.example"]).encode()
    expected = [{"title": "Ärger", "email": "a@b.example"}, {"title": "x", "email": "c@d.example"}]
    assert read(folder, content, encoding=encoding) == expected


def test_a_quoted_cell_may_contain_anything(folder: Path) -> None:
    """Commas, doubled quotes and every kind of line break are preserved."""
    rows = read(folder, 'title,status\n"a, ""b""\nc\r\nd\re",open\nnext,closed\n')
    assert rows == [{"title": 'a, "b"\nc\r\nd\re', "status": "open"}, {"title": "next", "status": "closed"}]


def test_quotes_inside_an_unquoted_cell_are_literal(folder: Path) -> None:
    """They need no escaping there."""
    assert read(folder, 'title\n5" disk\n') == [{"title": '5" disk'}]


def test_blank_lines_are_ignored(folder: Path) -> None:
    """CSV and JSONL may contain them anywhere; the lines after them keep their numbers."""
    assert read(folder, "title,url\n\na,b\n\r\n\nc\n\n") == [
        {"title": "a", "url": "b"},
        Unreadable("line 6: 1 cell, but the header has 2"),
    ]
    assert read(folder, b'\n{"a":1}\n  \n5\n\n', name="t.jsonl") == [
        {"a": 1},
        Unreadable("line 4: not a JSON object but a number"),
    ]


@pytest.mark.parametrize(("line", "cells"), [("1", "1 cell"), ("1,2,3", "3 cells"), ("1,2,,4", "4 cells")])
def test_a_row_of_another_length_is_reported(folder: Path, line: str, cells: str) -> None:
    """It is unclear which cell is missing or redundant; the rows around it are read."""
    rows = read(folder, f'title,url\n"a\nb",c\n{line}\nd,e\n')
    assert rows == [
        {"title": "a\nb", "url": "c"},
        Unreadable(f"line 4: {cells}, but the header has 2"),
        {"title": "d", "url": "e"},
    ]


def test_a_cell_of_the_wrong_type_affects_only_its_row(folder: Path) -> None:
    """The message names the line, the field and the value."""
    rows = read(folder, "title,timeSpent\na,1\nb,soon\nc,3\n")
    assert rows == [
        {"title": "a", "timeSpent": 1.0},
        Unreadable("line 3: time_spent: 'soon' is not a number"),
        {"title": "c", "timeSpent": 3.0},
    ]


def test_bytes_of_another_encoding_affect_only_their_row(folder: Path) -> None:
    """One missing row is better than a whole file in the wrong encoding."""
    rows = read(folder, "title\ncafé\n".encode() + "café\n".encode("latin-1") + "thé\n".encode())
    assert rows == [
        {"title": "café"},
        Unreadable("line 3: column 'title' holds bytes of another encoding than utf-8: say --encoding, such as cp1252"),
        {"title": "thé"},
    ]


def test_bytes_of_another_encoding_are_ignored_in_other_columns(folder: Path) -> None:
    """Only columns that are sent must be readable."""
    assert read(folder, b"Subject,Notes\na,\xff\n", maps=("title=Subject",)) == [{"title": "a"}]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_a_csv_is_read_in_the_given_encoding(folder: Path, encoding: str) -> None:
    """Byte order marks are recognised if the encoding has them."""
    assert read(folder, "title\ncafé\n".encode(encoding), encoding=encoding) == [{"title": "café"}]


@pytest.mark.parametrize(
    ("content", "maps", "message"),
    [
        ("Größe,title\n1,2\n".encode("latin-1"), (),
         ": line 1: the header is not utf-8: say --encoding, such as cp1252"),
        ("title,url\n".encode("utf-16-le"), (),
         ": line 1: the header is probably UTF-16: say --encoding utf-16-le"),
        (b"", (), ": the file is empty: it has no header"),
        (b"title,url,title\n", (), ": title is given twice: by the column 'title', and by another or --set"),
        (b"Subject,ID,Subject\n", ("title=Subject",), ": the file has the column 'Subject' twice"),
        (b"Subject,ID\na,1\n", ("title=Titel",),
         ": --map title=Titel: the file has no such column; it has Subject, ID"),
        (b"titel\na\n", (),
         ": column 'titel': Ticket has no field 'titel'; did you mean title? (say --map FIELD='titel')"),
        (b'"title\na\n', (),
         ": line 1: the header cannot be read: a quote in that row is never closed: correct it, and run this again"),
    ],
)  # fmt: skip
def test_an_unusable_csv_is_refused(folder: Path, content: bytes, maps: tuple[str, ...], message: str) -> None:
    """Its encoding, columns or header are wrong; no row is read."""
    assert refused(folder, content, maps=maps) == f"tickets.csv{message}"


def test_a_csv_that_is_not_utf_16_is_refused(folder: Path) -> None:
    """Its header cannot be read."""
    said = refused(folder, b"title\na\n", encoding="utf-16")
    assert said.startswith("tickets.csv: the header cannot be read: ")  # the rest is Python's own


def test_a_decoding_error_of_utf_16_ends_the_file_and_is_reported(folder: Path) -> None:
    """The next character of UTF-16 cannot be found."""
    content = ("title\n" + "a\n" * 9000).encode("utf-16") + b"\x00\xd8" * 2 + "b\n".encode("utf-16-le")
    rows = read(folder, content, encoding="utf-16")
    assert len(rows) > 4000
    assert rows[-1].reason.startswith(f"line {len(rows) + 1} and all after it: not read, because it is not utf-16 (")
    assert all(row == {"title": "a"} for row in rows[:-1])


@pytest.mark.parametrize("encoding", ["klingon", "hex", ""])
def test_an_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    """Python's encodings of bytes are refused too."""
    with pytest.raises(SourceError) as caught:
        FileSource(tmp_path / "tickets.csv", FieldMapping(record=Ticket), encoding=encoding)
    assert str(caught.value) == f"unknown encoding {encoding!r}"


def test_columns_that_are_not_read_may_share_a_name(folder: Path) -> None:
    """A mapping selects the relevant columns."""
    assert read(folder, "Subject,,\na,,\n", maps=("title=Subject",)) == [{"title": "a"}]


@pytest.mark.parametrize(("name", "content"), [("t.csv", b"title,url\n"), ("t.jsonl", b"")])
def test_a_file_without_rows_is_valid(folder: Path, name: str, content: bytes) -> None:
    """Reading it yields no rows and raises no error."""
    source = made(folder / name, content)
    source.check_beginning()
    assert list(source) == []


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_value_may_be_huge(folder: Path, name: str) -> None:
    """Python's limit of 128 KiB for a cell is lifted."""
    text = "x" * 1_000_000
    content = f"title\n{text}\n" if name == "t.csv" else f'{{"title":"{text}"}}'
    assert read(folder, content, name=name) == [{"title": text}]


@pytest.mark.parametrize("name", ["gone.csv", "gone.jsonl"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    """The constructor raises, before any row is sent."""
    with pytest.raises(SourceError) as caught:
        FileSource(tmp_path / name, FieldMapping(record=Ticket))
    assert str(caught.value) == f"{tmp_path / name}: No such file or directory"


def test_a_file_that_is_removed_later_is_refused(tmp_path: Path) -> None:
    """The error is raised when reading begins."""
    source = made(tmp_path / "t.csv", "title\n")
    source.path.unlink()
    with pytest.raises(SourceError) as caught:
        source.check_beginning()
    assert str(caught.value) == f"{tmp_path / 't.csv'}: No such file or directory"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """The constructor raises for any format."""
    with pytest.raises(SourceError) as caught:
        FileSource(tmp_path, FieldMapping(record=Ticket), format="csv")
    assert str(caught.value) == f"{tmp_path} is a directory: name a file in it"


@pytest.mark.parametrize("name", ["tickets.doc", "tickets", ".csv", "tickets.gz"])
def test_a_suffix_that_implies_no_format_is_refused(tmp_path: Path, name: str) -> None:
    """The message lists the suffixes that do."""
    with pytest.raises(SourceError) as caught:
        made(tmp_path / name, "title\n")
    said = str(caught.value).removeprefix(f"{tmp_path / name}: ")
    endings = ".csv, .jsonl, .ndjson, .parquet, .json, .tsv, .tab, .xlsx, .xlsm, .xlsb, .xls, .ods"
    assert said == f"the name must end in {endings}, or the format be given"


@pytest.mark.parametrize(
    ("name", "given_format", "format_"),
    [("a.CSV", None, "csv"), ("a.JsonL", None, "jsonl"), ("a.txt", "csv", "csv"), ("a.csv", "jsonl", "jsonl")],
)
def test_the_format_is_given_or_implied_by_the_suffix(
    tmp_path: Path, name: str, given_format: Format | None, format_: Format
) -> None:
    """A given format takes precedence."""
    assert made(tmp_path / name, "", format=given_format).format == format_


@pytest.mark.slow
def test_the_position_in_the_file_is_available_while_it_is_read(tmp_path: Path) -> None:
    """It is zero at first and the size of the file at the end."""
    source = made(tmp_path / "t.jsonl", b'{"a":1}\n' * 100_000)
    at_first = source.bytes_read
    rows = iter(source)
    next(rows)
    assert (at_first, source.total_bytes) == (0, 800_000)
    assert 0 < source.bytes_read < 800_000
    assert len(list(rows)) == 99_999
    assert source.bytes_read == 800_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_file_is_read_in_few_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each read holds Python's global lock, which a job's journal needs."""
    pieces: list[int] = []
    readinto = SteadyFile.readinto

    def counted(self: SteadyFile, buffer: memoryview) -> int:
        pieces.append(readinto(self, buffer))
        return pieces[-1]

    monkeypatch.setattr(SteadyFile, "readinto", counted)
    content = '{"title": "a"}\n' * 100_000 if name == "t.jsonl" else "title\n" + "some title\n" * 100_000
    assert len(list(made(tmp_path / name, content))) == 100_000
    assert sum(pieces) == len(content)
    assert len(pieces) < 20


def test_a_source_may_be_read_again(tmp_path: Path) -> None:
    """Each reading starts at the beginning, for example after a check."""
    source = made(tmp_path / "t.csv", "title\na\nb\n")
    source.check_beginning()
    assert list(source) == list(source) == [{"title": "a"}, {"title": "b"}]


def test_a_csv_file_is_closed(folder: Path) -> None:
    """Otherwise programs that turn warnings into errors could not read CSV files."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made(folder / "t.csv", "title\na\nb\n").check_beginning()
        read(folder, "title\na\n")
    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_a_pipe_is_refused(format_: Format) -> None:
    """The check would consume its content: `zcat x.gz | planhat-async upsert tickets /dev/stdin` would lose rows."""
    reading, writing = os.pipe()
    try:
        with pytest.raises(SourceError) as caught:
            FileSource(Path(f"/dev/fd/{reading}"), FieldMapping(record=Ticket), format=format_)
    finally:
        os.close(reading)
        os.close(writing)
    assert str(caught.value) == f"/dev/fd/{reading} is not a regular file: a pipe's rows must be in a file first"


def test_a_file_that_is_redirected_is_read_from_its_beginning(tmp_path: Path) -> None:
    """For example, `upsert tickets /dev/stdin --format csv < tickets.csv` names a regular file."""
    path = tmp_path / "tickets.csv"
    path.write_text("title\na\n")
    with path.open("rb") as file:
        source = FileSource(Path(f"/dev/fd/{file.fileno()}"), FieldMapping(record=Ticket), format="csv")
        source.check_beginning()
        assert list(source) == [{"title": "a"}]


@steady
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=8), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_csv_written_by_a_program_is_read_unchanged(
    folder: Path, table: list[tuple[str, str, str]], quoting: Any
) -> None:
    """The texts may be any; empty ones are omitted, and so is a row of blanks."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=quoting)
    writer.writerows([("title", "description", "custom.X"), *table])
    rows = read(folder, out.getvalue())
    expected = []
    for title, description, custom in table:
        row = {name: text for name, text in (("title", title), ("description", description)) if text}
        if (title + description + custom).strip():
            expected.append({**row, "custom": {"X": custom}} if custom else row)
    assert rows == expected


@steady
@given(st.lists(st.integers(0, 9) | st.sampled_from(["a,b,c", "a", "a,b,,c", "\xff,c", "x,y\x00,"])))
def test_no_good_row_of_a_csv_is_lost_among_bad_ones(folder: Path, lines: list[int | str]) -> None:
    """Good rows are read in order, and each bad line is one unreadable row."""
    text = [line if isinstance(line, str) else f'{line},"{line}\n"' for line in lines]
    rows = read(folder, "\n".join(["title,url", *text]).encode("latin-1"))
    expected = [None if isinstance(line, str) else {"title": str(line), "url": f"{line}\n"} for line in lines]
    assert [None if isinstance(row, Unreadable) else row for row in rows] == expected


def test_rows_of_csv_are_made_a_few_at_a_time(tmp_path: Path) -> None:
    """However many are found together: the event loop waits for them. Those that cannot be read keep their lines."""
    lines = [f"{number},{'x' * (number % 70 != 8)}" for number in range(2000)]
    source = made(tmp_path / "t.csv", "\n".join(["title,time_spent", *lines]))
    read_before, reasons = 0, []
    for row in source:
        assert source.rows_read - read_before <= 64
        read_before = source.rows_read
        reasons += [row.reason] if isinstance(row, Unreadable) else []
    assert len(reasons) == len(lines) - len(lines[8::70])
    assert reasons[0] == "line 2: time_spent: 'x' is not a number"
    assert reasons[-1] == "line 2001: time_spent: 'x' is not a number"


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_rows_are_counted_as_they_are_read(tmp_path: Path, name: str) -> None:
    """The count includes unusable rows."""
    path = tmp_path / name
    path.write_bytes(b"title\na\nb,c\nd\n" if name == "t.csv" else b'{"title":"a"}\n7\n{"title":"d"}\n')
    rows = FileSource(path, FieldMapping.parse(Ticket))
    assert (len(list(rows)), rows.rows_read) == (3, 3)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("t.csv", b"title\r\na\nb\r\nc\n", ["a", "b", "c"]),
        ("t.csv", b"title\na\nb\0b\nc\n", ["a", "line 3: column 'title' holds a NUL character", "c"]),
        ("t.csv", b"title,url\na,b\nc", ["a", "line 3: 1 cell, but the header has 2"]),
        ("t.jsonl", b'{"title":"a"}\r\n{"title":"b"}\n\r\n{"title":"c"}', ["a", "b", "c"]),
        ("t.jsonl", b'{"title":"a"}\n{"title":"b',
         ["a", "line 2: a text that begins at column 10: it is not closed by a quote"]),
        ("t.jsonl", b'{"title":"a"}\n{"title":"\0"}\n{"title":"c"}\n',
         ["a", "line 2: a NUL character at column 11", "c"]),
    ],
)  # fmt: skip
def test_mixed_line_ends_half_a_line_and_a_nul_are_accepted(
    folder: Path, name: str, content: bytes, expected: list[str]
) -> None:
    """Each line is either a row or an error."""
    assert titles(read(folder, content, name=name)) == expected


@pytest.mark.slow
def test_sixteen_megabytes_in_one_cell_are_one_row(tmp_path: Path) -> None:
    """The row is too large for a call and is refused on its own; the rows around it are read."""
    content = b'source_id,title\n1,a\n2,"' + b"x" * 16_000_000 + b'"\n3,c\n'
    assert [len(title) for title in titles(made(tmp_path / "t.csv", content))] == [1, 16_000_000, 1]


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
    ("change", "message"),
    [
        (grow, "was written to while it was read"),
        (rewrite, "was written to while it was read"),
        (replace, "was replaced by another file while it was read"),
        (Path.unlink, "was removed while it was read"),
        (cut_short, "was written to while it was read"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    """The error is raised before its last rows are yielded, so that half a row is not taken for a row."""
    path = tmp_path / "t.csv"
    rows = iter(made(path, b"source_id,title\n" + b"".join(b"%d,%s\n" % (n, b"x" * 1000) for n in range(500))))
    assert len(titles([next(rows)])) == 1
    change(path)
    n_read = 1
    with pytest.raises(SourceError, match=f"t.csv {message}: its last rows were not read"):  # noqa: PT012
        for _ in rows:
            n_read += 1
    assert 1 < n_read < 500


@pytest.mark.parametrize("name", ["t.csv.gz", "t.CSV.GZ"])
def test_gzip_is_recognised_by_its_suffix(tmp_path: Path, name: str) -> None:
    """The suffix before it implies the format."""
    source = made(tmp_path / name, gzip.compress(b"source_id,title\n1,a\n"))
    assert titles(source) == ["a"]
    assert source.bytes_read == source.total_bytes


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-9], lambda packed: b"PK" + packed[2:], lambda packed: packed[:20] + b"\xff" * 9]
)
def test_a_damaged_gzip_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """The message names the file."""
    lines = b"".join(b"%d,title %d\n" % (n, n) for n in range(1000))
    source = made(tmp_path / "t.csv.gz", damage(gzip.compress(b"source_id,title\n" + lines)))
    with pytest.raises(SourceError, match=r"t\.csv\.gz is not a complete gzip file: "):
        list(source)


def test_standard_input_is_read_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of its beginning loses no rows."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"source_id,title\n1,a\n2,b\n"))))
    source = FileSource(STANDARD_INPUT, FieldMapping.parse(Ticket), format="csv")
    source.check_beginning()
    assert titles(source) == ["a", "b"]
    assert source.total_bytes is None


@pytest.mark.parametrize(
    ("format_", "message"),
    [
        (None, "say how standard input is written"),
        ("parquet", "Parquet is read from its end, which standard input does not allow"),
    ],
)
def test_standard_input_needs_a_format(format_: Any, message: str) -> None:
    """The format must be readable from the beginning."""
    with pytest.raises(SourceError, match=message):
        FileSource(STANDARD_INPUT, FieldMapping.parse(Ticket), format=format_)


def table(path: Path, columns: dict[str, list[Any]]) -> Path:
    parquet.write_table(pa.table(columns), path, row_group_size=2)
    return path


def test_parquet_is_read_by_row_groups(tmp_path: Path) -> None:
    """A null leaves its field out, times and lists keep their types, and only mapped columns are read."""
    at = datetime(2024, 5, 31, tzinfo=UTC)
    path = table(
        tmp_path / "t.parquet",
        {"ID": ["1", "2", "3"], "Tags": [["a"], None, []], "At": [at, at, None], "X": [b"", b"", b""]},
    )
    source = made(path, maps=("source_id=ID", "tags=Tags", "custom.at=At"))
    source.check_beginning()
    assert list(source) == [
        {"source_id": "1", "tags": ["a"], "custom": {"at": at}},
        {"source_id": "2", "custom": {"at": at}},
        {"source_id": "3", "tags": []},
    ]
    assert source.bytes_read == source.total_bytes


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    """A truncated file and wrong columns are refused too."""
    with pytest.raises(SourceError, match=r"t\.parquet: it is not a Parquet file that can be read"):
        made(tmp_path / "t.parquet", b"source_id\n1\n").check_beginning()
    path = table(tmp_path / "u.parquet", {"titel": ["a"]})
    with pytest.raises(SourceError, match=r"u\.parquet: column 'titel': Ticket has no field 'titel'"):
        made(path).check_beginning()
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(SourceError, match="is not a Parquet file"):
        made(path).check_beginning()


def test_jsonl_and_parquet_have_the_same_rows(tmp_path: Path) -> None:
    """They are equal row by row."""
    rows = [{"source_id": str(n), "title": f"t{n}"} for n in range(5)]
    lines = made(tmp_path / "t.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    path = table(tmp_path / "t.parquet", {name: [row[name] for row in rows] for name in rows[0]})
    assert list(lines) == list(made(path)) == rows


@pytest.mark.parametrize("change", [rewrite, replace, cut_short])
def test_a_parquet_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """The error is raised before a row of the new content is read."""
    path = tmp_path / "t.parquet"
    columns = {"source_id": [str(n) for n in range(5000)], "title": ["x" * 100] * 5000}
    parquet.write_table(pa.table(columns), path, row_group_size=1000)
    rows = iter(made(path))
    assert len(titles([next(rows)])) == 1
    change(path)
    with pytest.raises(SourceError, match=r"t\.parquet was (written to|replaced by another file) while it was read"):
        list(rows)


def checked(path: Path, content: bytes, **options: Any) -> FileSource:
    """Return a source of this content whose beginning was checked, and that was read to its end."""
    source = made(path, content, **options)
    source.check_beginning()
    list(source)
    return source


@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.ndjson"])
@pytest.mark.parametrize("content", [b'[{"title":"a"},{"title":"b"}]', b'{"title":"a"}\n{"title":"b"}\n'])
def test_the_form_of_json_is_recognised_by_its_content(tmp_path: Path, name: str, content: bytes) -> None:
    """Both names stand for every form."""
    assert titles(checked(tmp_path / name, content)) == ["a", "b"]


def test_json_is_read_in_the_given_encoding(folder: Path) -> None:
    """It is not ignored."""
    content = '{"title":"café"}\n'
    assert read(folder, content.encode("latin-1"), name="t.jsonl", encoding="latin-1") == [{"title": "café"}]
    assert read(folder, content.encode("utf-16"), name="t.jsonl") == [{"title": "café"}]
    said = refused(folder, content.encode(), name="t.jsonl", encoding="utf-16")
    assert said == "t.jsonl: it is not utf-16: leave out --encoding, or say another"


ODD = b'{"id":"1","subject":"a"}\n{oops\n{"id":"2","subject":"b"}\n'


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_a_mapped_column_that_no_row_has_is_refused(tmp_path: Path, name: str) -> None:
    """The message has the keys that there are, and the nearest spelling. Rows that cannot be read have none."""
    with pytest.raises(SourceError) as caught:
        made(tmp_path / name, ODD, maps=("title=Subject",)).check_beginning()
    said = str(caught.value).removeprefix(f"{tmp_path / name}: ")
    assert said == "--map title=Subject: the file has no such column; it has id, subject; did you mean subject?"


@pytest.mark.parametrize("rows", [1001, 1])
def test_a_mapped_column_that_may_be_in_later_rows_is_a_remark(tmp_path: Path, rows: int) -> None:
    """No more than a thousand rows, or a megabyte, are read before anything is sent."""
    line = b'{"id":"1"}\n' if rows > 1 else b'{"id":"%s"}\n{"id":"2"}\n' % (b"x" * 2**20)
    source = checked(tmp_path / "t.jsonl", line * rows + b"{}\n", maps=("source_id=id", "title=Subject"))
    assert source.remarks == ["1 blank row left out", "no row had the column 'Subject' (--map title=Subject)"]
    late = checked(tmp_path / "t.jsonl", line * rows + b'{"Subject":"a"}', maps=("source_id=id", "title=Subject"))
    assert late.remarks == []


def test_standard_input_is_read_ahead_without_losing_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only until every mapped column was seen: a program may write one row an hour."""
    lines = [b'{"id":"%d"}\n' % number for number in range(20)] + [b'{"id":"20","Subject":"a"}\n', b"never read"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"".join(lines)))))
    source = FileSource(
        STANDARD_INPUT, FieldMapping.parse(Ticket, maps=["source_id=id", "title=Subject"]), format="json"
    )
    source.check_beginning()
    n_ahead = source.rows_read
    rows = list(source)
    assert (n_ahead, source.rows_read, len(rows)) == (21, 22, 22)
    assert rows[19:21] == [{"source_id": "19"}, {"source_id": "20", "title": "a"}]
    assert rows[21] == Unreadable("line 22: an unexpected 'never' at column 1")


def test_a_check_does_not_count_rows_twice(tmp_path: Path) -> None:
    """They are read once more."""
    assert checked(tmp_path / "t.jsonl", ODD, maps=("source_id=id",)).rows_read == 3


@pytest.mark.parametrize("maps", [(), ("source_id=id",)])
def test_an_object_that_holds_the_rows_in_a_list_is_refused(folder: Path, maps: tuple[str, ...]) -> None:
    """It would be one invalid row, or one without any value. The message shows the way."""
    for indent in (None, 2):
        content = json.dumps({"count": 2, "tickets": [{"id": "1"}, {"id": "2"}]}, indent=indent)
        with pytest.raises(
            SourceError, match=r"it is one object with a list in 'tickets', .* with jq -c '\.tickets\[\]'"
        ):
            made(folder / "t.json", content, maps=maps).check_beginning()


def test_columns_that_are_not_used_are_a_remark_for_every_format(tmp_path: Path) -> None:
    """A mapping may have forgotten them."""
    said = ["2 columns are not used: Notes, Status"]
    maps = ("source_id=ID",)
    assert checked(tmp_path / "t.csv", b"ID,Notes,Status\n1,a,b\n", maps=maps).remarks == said
    assert checked(tmp_path / "t.jsonl", b'{"ID":"1","Notes":1}\n{"Status":1,"ID":"2"}', maps=maps).remarks == said
    path = table(tmp_path / "t.parquet", {"ID": ["1"], "Notes": ["a"], "Status": [None]})
    assert checked(path, path.read_bytes(), maps=maps).remarks == said


@pytest.mark.parametrize("empties", [False, True])
def test_null_means_the_same_in_every_format(tmp_path: Path, empties: bool) -> None:
    """An empty cell, a null of Parquet and one of JSON leave the field alone, or empty it, and are then counted."""
    (tmp_path / "t.csv").write_text("source_id,title,status\n1,,open\n")
    (tmp_path / "t.json").write_text('[{"source_id": "1", "title": null, "status": "open"}]')
    table(tmp_path / "t.parquet", {"source_id": ["1"], "title": pa.array([None], pa.string()), "status": ["open"]})
    row = {"source_id": "1", "status": "open"} | ({"title": None} if empties else {})
    for name in ("t.csv", "t.json", "t.parquet"):
        source = FileSource(tmp_path / name, FieldMapping(record=Ticket, empties_nulls=empties))
        assert list(source) == [row], name
        assert source.remarks == (["1 missing value empties its field: title 1"] if empties else [])


def test_a_path_reaches_into_the_structs_of_parquet(tmp_path: Path) -> None:
    """A path that no struct has is refused, as for JSON."""
    path = table(tmp_path / "t.parquet", {"id": ["1", "2"], "requester": [{"email": "a@x.example"}, None]})
    source = made(path, maps=("source_id=id", "email=requester.email"))
    source.check_beginning()
    assert list(source) == [{"source_id": "1", "email": "a@x.example"}, {"source_id": "2"}]
    with pytest.raises(
        SourceError, match=r"--map email=requester\.mail: the file has no such column; it has id, requester"
    ):
        made(path, maps=("source_id=id", "email=requester.mail")).check_beginning()
