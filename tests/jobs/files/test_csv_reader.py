"""Test rows of CSV: in any dialect, and none behind an error of quotes."""

from __future__ import annotations

import codecs
import csv
import io
from contextlib import suppress
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planhat_async.jobs.files import csv_reader, record_lines
from planhat_async.jobs.files.cell_block import CellBlock, PlainRows
from planhat_async.jobs.files.csv_reader import CsvReader
from planhat_async.jobs.source_error import SourceError

steady = settings(derandomize=True, deadline=None, max_examples=300)
HEADER = "title,url"
NAMES = ["title", "a b", "x;y", "p|q", 'say "hi"', "1,5", "a\tb", "two\nlines"]
CLOSED = "not read, because a quote is closed in the middle of a cell"
ESCAPED = ": if a backslash stands before quotes, say --escape backslash, or else correct the line"
NAMELESS = "column 4 has no name, but holds '3': name it in the header, or choose columns with --map"
OPEN = "not read, because a quote in that row is never closed"
CORRECT = ": correct it, and run this again"


def made(content: str | bytes, **options: Any) -> CsvReader:
    data = content if isinstance(content, bytes) else content.encode()
    return CsvReader(io.BufferedReader(io.BytesIO(data)), **options)


def rows_of(reader: CsvReader) -> list[Any]:
    """Return the cells of each row, or where it is and why it cannot be read."""
    found: list[Any] = []
    for where, read in reader.rows(reader.columns):
        try:
            found.append(list(read().values()))
        except ValueError as error:
            found.append(f"{where}: {error}")
    return found


def read(content: str | bytes, **options: Any) -> list[Any]:
    return rows_of(made(content, **options))


def said(content: str | bytes, **options: Any) -> list[str]:
    """Return the remarks after all rows were read."""
    reader = made(content, **options)
    rows_of(reader)
    return reader.remarks


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_is_recognised_from_the_header(delimiter: str) -> None:
    """Rows may hold the others."""
    cells = ["a,b", "c;d", "e\tf|g"]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([["x", "y", "z"], cells])
    assert read(out.getvalue()) == [cells]


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\n', "\n\nsep=;\n\n", "SEP=;\r"])
def test_a_first_line_may_declare_the_separator(first: str) -> None:
    """It is neither the header nor a row, also where it comes again; the lines after it keep their numbers."""
    n_lines = len(io.StringIO(first).read().splitlines())
    content = f"{first}a;b\n1,5;2\n{first.strip()}\na;b\n3\n"
    assert read(content) == [["1,5", "2"], f"line {n_lines + 5}: 1 cell, but the header has 2"]


def test_a_named_separator_takes_precedence() -> None:
    """Over the header and over a declaration."""
    assert read("sep=;\na;b,c\n1;2,3\n", delimiter=",") == [["1;2", "3"]]


def test_a_first_column_without_a_name_may_be_the_index_of_a_data_frame() -> None:
    """It is left out and remarked, if it holds whole numbers; any other value is refused, and so is another column."""
    content = ",title,\n0,a,\n17,b,\nx,c,\n,d,5\n"
    held = "has no name, but holds {!r}: name it in the header, or choose columns with --map"
    assert read(content) == [
        ["", "a"],
        ["", "b"],
        "line 4: column 1 " + held.format("x"),
        "line 5: column 3 " + held.format("5"),
    ]
    assert said(content) == ["1 column left out, the index of a data frame: column 1"]
    assert said(",title\n,a\n") == []


@pytest.mark.parametrize("blank", ["\n", "\r\n\r\n", " \t\n", ",,\n", ";\n"])
def test_blank_lines_before_the_header_are_skipped(blank: str) -> None:
    """Spreadsheets write empty rows there; lines keep their numbers."""
    reader = made(f"{blank}a,b\n1\n")
    assert reader.columns == ["a", "b"]
    n_lines = blank.count("\n")
    assert rows_of(reader) == [f"line {n_lines + 2}: 1 cell, but the header has 2"]


@pytest.mark.parametrize(
    "content", [b"", b"\n\r\n", b",,,\n;;\n", b"sep=;\n", b"  ", codecs.BOM_UTF8, codecs.BOM_UTF16_LE]
)
def test_an_empty_file_is_refused(content: bytes) -> None:
    """It is rather a failed export than a job without rows."""
    with pytest.raises(SourceError, match="the file is empty: it has no header"):
        made(content)


def test_byte_order_marks_within_a_file_are_no_part_of_names() -> None:
    """Files that were appended to each other have several."""
    assert made(codecs.BOM_UTF8 * 2 + b'"title",url\n').columns == ["title", "url"]


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_16_without_a_byte_order_mark_is_named(order: str) -> None:
    """Its order is known by the first NUL."""
    with pytest.raises(SourceError, match=f"line 1: the header is probably UTF-16: say --encoding utf-16-{order}"):
        made("title,url\n".encode(f"utf-16-{order}"))


def test_blanks_may_separate() -> None:
    """Then a quote behind one begins a cell anyway."""
    assert read('title url\na "b c"\n', delimiter=" ") == [["a", "b c"]]


def test_a_header_without_rows_is_remarked() -> None:
    """It may be an export of the wrong list."""
    assert said("a,b\n") == ["the file has a header and no rows"]
    assert said("a,b\n1,2\n") == []


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
    ],
)
@pytest.mark.parametrize("said_encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_byte_order_mark_says_the_encoding(encoding: str, mark: bytes, said_encoding: str) -> None:
    """Excel's "Unicode text" is UTF-16 with tabs."""
    content = mark + "title\turl\r\nZoë\tb\r\n".encode(encoding)
    reader = made(content, encoding=said_encoding)
    assert (reader.columns, rows_of(reader)) == (["title", "url"], [["Zoë", "b"]])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('"b"c,d\n7,x\n', f"lines 3 to 4, the last: {CLOSED}{CORRECT}"),
        ('"b"c,d', f"line 3, the last: {CLOSED}{CORRECT}"),
        ('"b,d\n7,x\n"c",e\nf,g\n', f"lines 3 to 6, the last: {CLOSED}{CORRECT}"),
        ('"b" ,d\n7,x', f"lines 3 to 4, the last: {CLOSED}{CORRECT}"),
        ('"b,d', f"line 3, the last: {OPEN}{CORRECT}"),
        ('b,"d\n7,x\n', f"lines 3 to 4, the last: {OPEN}{CORRECT}"),
        ('b,"d\r7,x\r', f"lines 3 to 4, the last: {OPEN}{CORRECT}"),
        ('b, "d\n7,x\n"\n8,y\n', f"lines 3 to 6, the last: {OPEN}{CORRECT}"),
        ('b, "d" e\n8,y\n', f"lines 3 to 4, the last: {CLOSED}{CORRECT}"),
        ('b,"see \\"x\\":\n7,text"\n8,y\n', f"lines 3 to 5, the last: {CLOSED}{ESCAPED}"),
    ],
)
def test_nothing_is_read_behind_an_error_of_quotes(lines: str, expected: str) -> None:
    """A cell's text may look like a row; rows before it are read."""
    assert read(f"{HEADER}\na,b\n{lines}") == [["a", "b"], expected]


def test_nothing_is_read_behind_an_error_of_quotes_while_rows_are_copied() -> None:
    """The rest is then left in the file, for the copy; a row of it would be copied in place of another."""
    reader = made('a,b\n1,x\n2,"y" z\n3,w\n')
    with reader.copying(io.BytesIO()):
        assert len(rows_of(reader)) == 2


def test_the_unread_rest_is_remarked() -> None:
    """It counts as one row, whatever it holds."""
    assert said(f'{HEADER}\na,b\n"c"c,d\n7,x\n8,y\n') == [
        "3 lines were not read, from line 3 on, and counted as one invalid row"
    ]
    assert said(f'{HEADER}\n"c"c,d') == ["1 line was not read, from line 2 on, and counted as one invalid row"]


@pytest.mark.parametrize("content", ["x" * 300, '"' + "x\n" * 200, '"x\n",' * 100])
def test_a_record_is_limited(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """Memory is bounded; behind such a record nothing is read, because it probably has an open quote."""
    monkeypatch.setattr(record_lines, "MAX_RECORD", 100)
    rows = read(f"{HEADER}\na,b\n{content}\nc,d\n")
    assert (rows[0], len(rows)) == (["a", "b"], 2)
    assert "not read, because a row has more than 100 bytes, perhaps by an open quote" in rows[1]


def test_a_header_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole file is not read for it."""
    monkeypatch.setattr(record_lines, "MAX_RECORD", 100)
    with pytest.raises(SourceError, match="line 1: the header cannot be read: a row has more than 100 bytes"):
        made('"title\n' + "x,y\n" * 100)


def test_other_line_separators_do_not_end_rows() -> None:
    """Form feeds, NEL and U+2028 are text; NULs are refused where they are sent."""
    cells = ["a\x0b\x0cb\x1c\x1d\x1e", "\x85\u2028\u2029\0"]
    assert read(f"{HEADER}\n{cells[0]},{cells[1]}\n".encode()) == [cells]


def test_line_ends_may_be_mixed_and_in_cells() -> None:
    """Each kind ends a row, and none does within quotes."""
    assert read('title,url\ra,b\nc,d\r\n"e\rf","g\r\nh\ni"\rj,k') == [
        ["a", "b"],
        ["c", "d"],
        ["e\rf", "g\r\nh\ni"],
        ["j", "k"],
    ]


def test_a_quote_within_an_unquoted_cell_is_text() -> None:
    """So does Excel read it."""
    assert read(f'{HEADER}\n5" disk,ab"c"\n') == [['5" disk', 'ab"c"']]


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('a, "b"', ["a", "b"]),
        ('a,   "b, c"', ["a", "b, c"]),
        (' "a","b"', ["a", "b"]),
        (' a," b"', [" a", " b"]),
        ('a,"b, ""c"""', ["a", 'b, "c"']),
        (' a,"b, ""c"""', [" a", 'b, "c"']),
        ('"a\nb", "c"', ["a\nb", "c"]),
    ],
)
def test_a_quote_behind_blanks_is_a_quote(line: str, cells: list[str]) -> None:
    """Otherwise it would become part of the value; other blanks are kept."""
    assert read(f"{HEADER}\n{line}\n") == [cells]


def test_a_header_with_quotes_behind_blanks_is_that_of_such_a_file() -> None:
    """Then its quoted cells may have line breaks."""
    assert read('"title", "url"\n"a", "b\nc"\n1, d\n') == [["a", "b\nc"], ["1", "d"]]


def test_quotes_may_be_escaped() -> None:
    r"""A cell `\N` has no value, as some databases write it."""
    content = 'title,url\n"a \\"b\\":\n7,x","C:\\new"\n\\N,c\n'
    assert read(content, escape="\\") == [['a "b":\n7,x', "C:\\new"], ["", "c"]]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1,2", ["1", "2", "", ""]),
        ("1,2,", ["1", "2", "", ""]),
        ("1,2,,", ["1", "2", "", ""]),
        ("1,2,,,, ", ["1", "2", "", ""]),
        ("1", "line 2: 1 cell, but the header has 4"),
        (" ", ["", "", "", ""]),
        (",", ["", "", "", ""]),
        ("1,2,,,3", "line 2: 5 cells, but the header has 4"),
        ("1,2,,3", f"line 2: {NAMELESS}"),
    ],
)
def test_columns_without_a_name_must_be_empty(line: str, expected: Any) -> None:
    """A row may lack them, and have more blank cells; no value is lost."""
    reader = made(f"a,b,, \n{line}\n")
    (found,) = [_cells(read, where, reader.columns) for where, read in reader.rows(reader.columns)]
    assert found == expected


def _cells(read: Any, where: str, columns: list[str]) -> Any:
    """Return a row's cells by its header's order, blank ones stripped, or its error."""
    try:
        row = read()
    except ValueError as error:
        return f"{where}: {error}"
    return [row[name].strip() for name in columns]


def test_columns_without_a_name_are_ignored_if_columns_are_chosen() -> None:
    """As all other columns are."""
    reader = made("a,,b\n1,2,3\n")
    assert [row.read()["b"] for row in reader.rows(["b"])] == ["3"]


@pytest.mark.parametrize("again", ["a,b\n", '"a","b"\n', "\ufeffa,b\n", '\ufeff"a",b\n'])
def test_a_header_that_comes_again_is_no_row(again: str) -> None:
    """Exports are appended to each other; the remark counts it."""
    content = f"a,b\n1,2\n{again}3,4\na,c\n"
    assert read(content) == [["1", "2"], ["3", "4"], ["a", "c"]]
    assert said(content) == ["1 repeated header row left out"]
    assert said(content + again) == ["2 repeated header rows left out"]


def test_a_header_with_a_quote_in_a_name_that_comes_again_is_no_row() -> None:
    """In a block, too."""
    header = '"the ""id""",title\n'
    content = f"{header}a,b\nc,d\n{header}e,f\n"
    knows = {"knows": {'the "id"', "title"}.__contains__}
    rows, remarks, n_in_blocks = with_blocks(content, 200, **knows)
    assert (rows, remarks) == without_blocks(content, **knows)
    assert [cells for _, cells in rows] == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert (remarks, n_in_blocks) == (["1 repeated header row left out"], 3)


@pytest.mark.parametrize(
    ("content", "options", "described"),
    [
        (b"a,b\n", {}, {}),
        (codecs.BOM_UTF8 + b"a,b\n", {}, {}),
        (b"a,b\n", {"delimiter": ","}, {}),
        (b"a;b\n", {}, {"delimiter": ";"}),
        (b"a;b\n", {"delimiter": ";"}, {"delimiter": ";"}),
        (b"sep=^\na^b\n", {}, {"delimiter": "^"}),
        (b"a,b\n", {"escape": "\\"}, {"escape": "\\"}),
        (b"a,b\n", {"encoding": "Windows-1252"}, {"encoding": "cp1252"}),
        ("a\tb\n".encode("utf-16"), {}, {"delimiter": "\t", "encoding": "utf-16"}),
    ],
)
def test_the_dialect_is_described_as_it_is_read(content: bytes, options: Any, described: Any) -> None:
    """A rerun is the same job if it reads in the same way, whether an option says so or the header."""
    assert made(content, **options).description() == described


def copied(content: bytes, *positions: int, **options: Any) -> bytes:
    """Return the copy of rows, by their positions."""
    reader, out = made(content, **options), io.BytesIO()
    with reader.copying(out) as copy_row:
        for position, _ in enumerate(reader.rows(reader.columns)):
            if position in positions:
                copy_row(f"reason {position}")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b'title;url\r\n"a;b";c,d\r\n', {}),
        (b"title\turl\r\na;b\tc,d\r\n", {"delimiter": "\t"}),
        (b"sep=^\r\ntitle^url\r\na;b^c,d\r\n", {}),
        ('title|url\r\n"a|b"|Zoë\r\n'.encode("utf-16"), {}),
        ('title|url\r\n"a|b"|Zoë\r\n'.encode("cp1252"), {"encoding": "cp1252"}),
        (codecs.BOM_UTF8 + 'title|url\r\n"a|b"|Zoë\r\n'.encode(), {}),
        (b'title,url\r\n"a\\"b",c\r\n', {"escape": "\\"}),
    ],
)
def test_a_copy_is_in_the_dialect_of_its_file(content: bytes, options: Any) -> None:
    """It is read by the same command, and a second copy is equal."""
    copy = copied(content, 0, **options)
    assert read(copy, **options) == [["reason 0", *row] for row in read(content, **options)]
    assert copied(copy, 0, **options) == copy


def test_the_unread_rest_is_copied_unchanged_and_is_no_row_there() -> None:
    """It is one cell beyond the columns, so that it fits no header."""
    rest = '"b"c\n7\n"x'
    copy = copied(f"title\na\n{rest}".encode(), 0, 1)
    assert list(csv.reader(io.StringIO(copy.decode(), newline=""))) == [
        ["not stored because", "title"],
        ["reason 0", "a"],
        ["reason 1", "", rest],
    ]
    assert read(copy) == [["reason 0", "a"], "line 3: 3 cells, but the header has 2"]


def test_the_rest_that_cannot_be_decoded_is_not_copied() -> None:
    """Its reason says so: what follows the error is unknown."""
    content = "title,url\n".encode("utf-16") + b"\x00\xd8" * 2 + "7,x\n".encode("utf-16-le")
    content = "title,url\n".encode("utf-16") + "a,b\n".encode("utf-16-le") * 9000 + content[-12:]
    reader = made(content)
    rows = rows_of(reader)
    assert all(row == ["a", "b"] for row in rows[:-1])
    assert rows[-1].startswith(f"line {len(rows) + 1} and all after it: not read, because it is not utf-16 (")
    assert reader.remarks == [f"nothing was read from line {len(rows) + 1} on"]
    assert copied(content, len(rows) - 1).decode("utf-16").endswith(f'reason {len(rows) - 1},,,""\r\n')


def test_an_unread_rest_that_cannot_be_decoded_is_reported_and_copied_as_far_as_it_can() -> None:
    """Its number of lines is unknown."""
    content = f'{HEADER}\n"b"c\n'.encode("utf-16") + "x\n".encode("utf-16-le") * 9000 + b"\x00\xd8" * 2
    reader = made(content)
    assert rows_of(reader) == [f"line 2 and all after it: {CLOSED}{CORRECT}"]
    assert reader.remarks == ["nothing was read from line 2 on"]
    assert copied(content, 0).decode("utf-16").startswith(f'not stored because,{HEADER}\r\nreason 0,,,"""b""c\nx\nx\n')


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6) | st.text(
    st.sampled_from('a,;|\t" \\\r\n\u2028'), max_size=6
)


@st.composite
def written(draw: st.DrawFn) -> tuple[list[list[str]], bytes, dict[str, Any]]:
    """A table, starting with its header; its bytes in some dialect and encoding, and the options to read it."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    end = draw(st.sampled_from(["\r\n", "\n", "\r"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    # Older versions of `csv.writer` quote only those characters that end lines.
    allowed = TEXTS if quoting != csv.QUOTE_MINIMAL or end == "\r\n" else TEXTS.map(_without_line_ends)
    rows = draw(st.lists(st.lists(allowed, min_size=len(names), max_size=len(names)), max_size=5))
    is_escaped = draw(st.booleans())
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"] if len(names) > 1 else [","]))
    out = io.StringIO(newline="")
    dialect: dict[str, Any] = {"escapechar": "\\", "doublequote": False} if is_escaped else {}
    if end != "\r\n" and quoting == csv.QUOTE_MINIMAL:
        names = [_without_line_ends(name) for name in names]
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end, **dialect)  # type: ignore[arg-type]
    writer.writerows([names, *rows])
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"]))
    options: dict[str, Any] = {"escape": "\\"} if is_escaped else {}
    if encoding == "utf-16-le":
        options["encoding"] = encoding
    return [names, *rows], out.getvalue().encode(encoding), options


def _without_line_ends(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")


@pytest.mark.slow
@steady
@given(written())
def test_what_a_program_writes_is_read_unchanged(made_up: tuple[list[list[str]], bytes, dict[str, Any]]) -> None:
    """In any dialect, encoding and with any line ends; only repeated headers and blank lines are left out."""
    (names, *rows), content, options = made_up
    reader = made(content, knows=names.__contains__, **options)
    found = [list(row.read().values()) for row in reader.rows(reader.columns)]
    assert reader.columns == names
    assert found == [row for row in rows if row != names]


def with_blocks(content: str | bytes, n_chars: int, **options: Any) -> tuple[list[Any], list[str], int]:
    """As `rows_of` and `said`, where plain rows come in blocks of about so many characters; and their number."""
    found: list[Any] = []
    n_in_blocks = 0
    with mock.patch.multiple(csv_reader, _BLOCK_CHARS=n_chars, _LARGE_BLOCK=1):
        reader = made(content, **options)
        for part in reader.rows_and_blocks(reader.columns):
            if isinstance(part, CellBlock):
                found += [(part.where(number), list(cells[:-1])) for number, cells in enumerate(part.cells)]
                n_in_blocks += len(part.cells)
                continue
            try:
                found.append((part.where, list(part.read().values())))
            except ValueError as error:
                found.append((part.where, str(error)))
    return found, reader.remarks, n_in_blocks


def without_blocks(content: str | bytes, **options: Any) -> tuple[list[Any], list[str]]:
    """As `with_blocks`, where each row comes alone."""
    with mock.patch.object(csv_reader, "MAX_COLUMNS", 0):
        return with_blocks(content, 1, **options)[:2]


@pytest.mark.slow
@steady
@given(written(), st.integers(1, 50))
def test_rows_in_blocks_are_those_that_come_alone(
    made_up: tuple[list[list[str]], bytes, dict[str, Any]], n_chars: int
) -> None:
    """Also their lines, and the remarks, in any dialect, wherever a block ends."""
    (names, *_), content, options = made_up
    options["knows"] = names.__contains__
    assert with_blocks(content, n_chars, **options)[:2] == without_blocks(content, **options)


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=1000)
@given(st.text(st.sampled_from('a,, "\n\n\r"\\'), max_size=60) | st.text(st.sampled_from('a,\n"')), st.integers(1, 20))
@example("title,url\na,b\n", 20)
@example("é,\0\n", 20)
@example("a,b\r\nc,d\r\n", 4)
def test_damaged_rows_in_blocks_are_those_that_come_alone(text: str, n_chars: int) -> None:
    """Nothing is lost, and nothing moves, whatever is damaged."""
    content = f"{HEADER}\n{text}"
    assert with_blocks(content, n_chars)[:2] == without_blocks(content)


def test_most_plain_rows_come_in_blocks() -> None:
    """Only the row in which one ends comes alone."""
    rows = [(f"line {number + 2}", [str(number), "a, b"]) for number in range(1000)]
    content = f"{HEADER}\n" + "".join(f'{cells[0]},"{cells[1]}"\n' for _, cells in rows)
    found, _, n_in_blocks = with_blocks(content, 1000)
    assert found == rows
    assert 970 < n_in_blocks < 1000


@pytest.mark.parametrize("line", ["1,2,3", "1", '1, "2"', "1,2\r"])
def test_rows_that_are_not_plain_are_soon_read_one_by_one(line: str) -> None:
    """To look for plain rows costs nothing then."""
    with mock.patch.object(PlainRows, "block", return_value=None) as block:
        reader = made(f"{HEADER}\n" + f"{line}\n" * 1000)
        assert len(list(reader.rows_and_blocks(None))) == 1000 * (1 + line.endswith("\r")) // (1 + line.endswith("\r"))
    assert block.call_count < 12


@pytest.mark.parametrize(
    ("header", "options"),
    [
        (HEADER, {"escape": "\\"}),
        ("title", {}),
        ("title,,url", {}),
        ('title, "url"', {}),
        (",".join("abcdefghij" * 11), {}),
    ],
)
def test_rows_of_some_files_come_alone(header: str, options: dict[str, Any]) -> None:
    """Those with another dialect, with a single column or with very many, or whose columns have no name."""
    line = ",".join("x" * (header.count(",") + 1))
    assert with_blocks(f"{header}\n{line}\n{line}\n", 100, **options)[2] == 0


def test_rows_in_an_encoding_in_which_bytes_can_be_wrong_come_alone() -> None:
    """None before such bytes is lost."""
    assert with_blocks(f"{HEADER}\na,b\na,b\n".encode("utf-16"), 100)[2] == 0


def reference(text: str) -> tuple[list[list[str]], bool]:
    """Read CSV with commas by characters; returns the records before the first error, and whether there was none.

    A quote begins a cell, perhaps after blanks, or is text within an unquoted one. It ends a quoted cell before a comma
    or the end of a line, and is doubled elsewhere.
    """
    records: list[list[str]] = []
    i = 0
    while i < len(text):
        record: list[str] = []
        while record or text[i] not in "\r\n":
            j = i
            while j < len(text) and text[j] == " ":
                j += 1
            if text[j : j + 1] == '"':
                cell, i = "", j + 1
                while text[i : i + 2] == '""' or (i < len(text) and text[i] != '"'):
                    cell += text[i]
                    i += 2 if text[i] == '"' else 1
                i += 1
                if i > len(text) or (i < len(text) and text[i] not in ",\r\n"):
                    return records, False
            else:
                end = next((n for n in range(i, len(text)) if text[n] in ",\r\n"), len(text))
                cell, i = text[i:end], end
            record.append(cell)
            if text[i : i + 1] != ",":
                break
            i += 1
        i += 2 if text[i : i + 2] == "\r\n" else 1
        records.append(record)
    return records, True


def without_blanks(cells: list[str]) -> list[str]:
    """Return cells without the blanks before them: in a row with a quote behind one, none of them counts."""
    return [cell.lstrip(" ") for cell in cells]


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=1000)
@given(st.text(st.sampled_from('a,, "\n\n\r"\\'), max_size=30))
def test_whatever_is_damaged_each_row_is_one_of_a_strict_parser(text: str) -> None:
    """They come in order and without gaps, up to the first error, which is one row that cannot be read."""
    records, is_whole = reference(text)
    expected = [without_blanks(record) for record in records if record]
    reader = made(f"{HEADER}\n{text}")
    found: list[list[str]] = []
    is_unread = False
    for _ in reader.rows(reader.columns):
        assert not is_unread
        cells = reader._cells
        is_unread = cells is None
        found += [] if cells is None else [without_blanks(cells)]
    assert found == expected[: len(found)]
    assert is_unread or found == expected
    if is_whole and ' "' not in text:
        assert found == expected
    if not is_whole:
        assert is_unread


@steady
@given(st.binary(max_size=60))
def test_any_bytes_are_rows_or_reasons(content: bytes) -> None:
    """No error escapes but that of an unusable file."""
    rows: list[Any] = []
    with suppress(SourceError):
        rows = read(content)
    assert all(isinstance(row, list) or ": " in row for row in rows)
