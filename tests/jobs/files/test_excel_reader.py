"""Test that workbooks are read as a person sees them, and that what cannot be read is named."""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.files.excel_reader import ExcelReader
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.sheet_faults import NO_VALUE, cell_name
from planhat_async.jobs.mapping.column_names import ColumnNames
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.key_column import KeyColumn
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Ticket
from planhat_async.results import ChunkResult, Outcome, Problem, Unreadable

steady = settings(derandomize=True, deadline=None, max_examples=40)
XLS = Path(__file__).parents[2] / "data" / "tickets.xls"
ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"><office:body><office:spreadsheet>
<table:table table:name="Other"><table:table-row><table:table-cell calcext:value-type="error"><text:p>#REF!</text:p>
</table:table-cell></table:table-row></table:table><table:table table:name="Tickets">{}</table:table>
</office:spreadsheet></office:body></office:document-content>"""


def workbook(path: Path, rows: Sequence[Sequence[Any]], **sheets: Sequence[Sequence[Any]]) -> Path:
    """Make a workbook whose first sheet is called Tickets."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, content in {"Tickets": rows, **sheets}.items():
        sheet = book.create_sheet(name)
        for row in content:
            sheet.append(list(row))
    book.save(path)
    return path


def edited(path: Path, part: str, *edits: tuple[str, str]) -> Path:
    """Replace texts in a part of a workbook, such as the values that a spreadsheet saves with formulas."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for old, new in edits:
        assert old.encode() in parts[part], parts[part]
        parts[part] = parts[part].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def open_document(path: Path, *rows: str) -> Path:
    """Make a workbook of OpenDocument from the cells of its rows."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        table = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
        archive.writestr("content.xml", ODS.format(table))
        archive.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
    return path


def source(path: Path, *maps: str, **options: Any) -> FileSource:
    return FileSource(path, FieldMapping.parse(Ticket, maps=maps), **options)


def read(path: Path, *maps: str, **options: Any) -> list[Any]:
    """Return the rows of a workbook; an unusable one is its reason."""
    return [row.reason if isinstance(row, Unreadable) else row for row in source(path, *maps, **options)]


def cells(path: Path, **options: Any) -> list[list[Any]]:
    """Return the values of each row, as the reader has them."""
    with path.open("rb") as file:
        reader = ExcelReader(file, **options)
        return [reader.columns, *([*row.read().values()] for row in reader.rows(None))]


def refused(path: Path, *maps: str, **options: Any) -> str:
    """Return the message about a workbook, without its folder."""
    with pytest.raises(SourceError) as caught:
        read(path, *maps, **options)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_each_kind_of_value_is_read_as_what_it_is(tmp_path: Path) -> None:
    """Whole numbers are whole, dates are dates, and a percentage is the number behind it."""
    values = {
        "text": "hällo\n=1",
        "id": 35436.0,
        "number": 12.5,
        "yes": True,
        "no": False,
        "day": date(2024, 5, 31),
        "time": datetime(2024, 5, 31, 9, 30, 15, 250_000, tzinfo=UTC).replace(tzinfo=None),
        "percentage": 0.25,
        "clock": time(9, 30),
        "duration": timedelta(hours=26, minutes=30),
        "large": 123456789012345.0,
        "too large": 1234567890123456789,
        "digits": "0042",
        "day as text": "2024-05-31",
    }
    header, row = cells(workbook(tmp_path / "t.xlsx", [[*values], [*values.values()]]))
    expected = values | {"id": 35436, "clock": "09:30:00", "duration": "26:30:00", "large": 123456789012345}
    assert dict(zip(header, row, strict=True)) == expected | {"too large": 1.234567890123457e18}
    kinds = [type(value) for name, value in zip(header, row, strict=True) if name in {"id", "yes", "day", "too large"}]
    assert kinds == [int, bool, date, float]


def test_texts_are_parsed_and_other_values_keep_their_types(tmp_path: Path) -> None:
    """A number stored as text is a number where a number is needed, as in CSV."""
    rows: list[list[Any]] = [
        ["source_id", "time_spent", "tags", "custom.ARR", "custom.plan", "custom"],
        ["0042", "1.5", '["vip", 1]', 1200.5, "12", None],
        ["7", 2, '["a"]', True, None, None],
        ["8", "soon", None, None, None, None],
    ]
    assert read(workbook(tmp_path / "t.xlsx", [row[:5] for row in rows])) == [
        {"source_id": "0042", "time_spent": 1.5, "tags": ["vip", 1], "custom": {"ARR": 1200.5, "plan": "12"}},
        {"source_id": "7", "time_spent": 2, "tags": ["a"], "custom": {"ARR": True}},
        "row 4: time_spent: 'soon' is not a number",
    ]


def test_rows_are_named_as_the_spreadsheet_counts_them(tmp_path: Path) -> None:
    """The header is the first row that is not blank; blank rows, and blank columns at the end, are none."""
    rows: list[list[Any]] = [
        [],
        [None, "source_id", "time_spent", None],
        [],
        [None, "1", "x"],
        [None, None, None, None],
        [None, "2", 3],
    ]
    path = workbook(tmp_path / "t.xlsx", rows)
    found = source(path)
    assert [*found] == [Unreadable("row 4: time_spent: 'x' is not a number"), {"source_id": "2", "time_spent": 3}]
    assert found.n_blank == 0
    assert found.bytes_read == found.total_bytes


def test_a_repeated_header_is_no_row(tmp_path: Path) -> None:
    """A sheet that was appended to another begins with one; the rows behind it are copied as what they are."""
    head = ["title", None, "source_id"]
    made = source(workbook(tmp_path / "t.xlsx", [head, ["a", None, "1"], head, ["b", None, "2"], ["title", None, "3"]]))
    assert [row["title"] for row in made if isinstance(row, dict)] == ["a", "b", "title"]
    assert made.remarks == ["1 repeated header row left out"]
    out = io.BytesIO()
    made.copy([(1, "wrong")], out)
    assert out.getvalue().decode("utf-8-sig").splitlines()[1:] == ["wrong,b,2"]


def test_a_row_with_values_in_other_columns_only_is_blank(tmp_path: Path) -> None:
    """It is counted, as in the other formats."""
    found = source(workbook(tmp_path / "t.xlsx", [["ID", "Note"], ["1", "a"], [None, "b"]]), "source_id=ID")
    assert [*found] == [{"source_id": "1"}]
    assert found.remarks == ["1 blank row left out", "1 column is not used: Note"]


def test_a_column_without_a_name_is_called_as_the_spreadsheet_does(tmp_path: Path) -> None:
    """It is refused like any other that is not a field, unless all of its cells are empty."""
    path = workbook(tmp_path / "t.xlsx", [["source_id", None, "title", None], ["1", None, "a", "b"]])
    assert refused(path).startswith("t.xlsx: column 'column D': Ticket has no field 'column D'")
    assert read(path, "title=column D") == [{"title": "b"}]


def test_names_of_columns_may_be_of_any_type(tmp_path: Path) -> None:
    """They become texts."""
    path = workbook(tmp_path / "t.xlsx", [[2024, date(2024, 5, 31), 1.5, True], [1, 2, 3, 4]])
    assert cells(path)[0] == ["2024", "2024-05-31", "1.5", "true"]


ERRORS = ["#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_makes_its_row_invalid(tmp_path: Path, error: str) -> None:
    """The message names the cell; only columns that are used matter."""
    path = workbook(tmp_path / "t.xlsx", [[], ["ID", "Title", "Note"], ["1", error, "a"], ["2", "b", error]])
    assert read(path, "source_id=ID", "title=Title") == [
        f"row 3: Tickets!B3 holds {error}",
        {"source_id": "2", "title": "b"},
    ]


def test_a_row_of_nothing_but_an_error_is_no_blank_one(tmp_path: Path) -> None:
    """It is invalid."""
    path = workbook(tmp_path / "t.xlsx", [["title"], ["#N/A"], ["a"]])
    assert read(path) == ["row 2: Tickets!A2 holds #N/A", {"title": "a"}]


def test_the_text_of_an_error_is_a_text(tmp_path: Path) -> None:
    """Somebody has typed it, or pasted it as a text."""
    path = workbook(tmp_path / "t.xlsx", [["title", "url"], ["N/A", "x"]])
    edited(path, "xl/worksheets/sheet1.xml", ("<t>N/A</t>", "<t>#N/A</t>"))
    assert read(path) == [{"title": "#N/A", "url": "x"}]


@pytest.mark.parametrize(
    ("saved", "expected"),
    [
        ("<v>2</v>", {"title": "a", "time_spent": 2}),
        ('" t="str"|<v></v>', {"title": "a"}),
        ('" t="str"|<v/>', {"title": "a"}),
        ('" t="str"|<v>3</v>', {"title": "a", "time_spent": 3.0}),
        ('" t="e"|<v>#DIV/0!</v>', "row 2: Tickets!B2 holds #DIV/0!"),
        ("<v></v>", f"row 2: Tickets!B2 holds {NO_VALUE}"),
        ("<v/>", f"row 2: Tickets!B2 holds {NO_VALUE}"),
        ("", f"row 2: Tickets!B2 holds {NO_VALUE}"),
    ],
)
def test_a_formula_has_the_value_that_was_saved_with_it(tmp_path: Path, saved: str, expected: Any) -> None:
    """Programs that write formulas do not calculate them, so that the value is missing."""
    path = workbook(tmp_path / "t.xlsx", [["title", "time_spent"], ["a", "=1+1"]])
    kind, _, value = saved.rpartition("|")
    edited(path, "xl/worksheets/sheet1.xml", ("<v />", value), ('r="B2"', f'r="B2{kind or chr(34)}'))
    assert read(path) == [expected]


def test_cells_without_names_are_counted(tmp_path: Path) -> None:
    """Some programs leave out the names of cells and the numbers of rows."""
    path = workbook(tmp_path / "t.xlsx", [["title", "url"], ["a", "#N/A"], ["b", "c"]])
    names = [(f' r="{cell_name(row, column)}"', "") for row in range(3) for column in range(2)]
    edited(path, "xl/worksheets/sheet1.xml", *names, *((f'<row r="{n}"', "<row") for n in (1, 2, 3)))
    assert read(path) == ["row 2: Tickets!B2 holds #N/A", {"title": "b", "url": "c"}]


@pytest.mark.parametrize(
    ("column", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16383, "XFD")]
)
def test_cells_are_named_as_the_spreadsheet_does(column: int, name: str) -> None:
    """Rows and columns are counted from 0."""
    assert cell_name(6, column) == f"{name}7"


def test_of_merged_cells_only_the_first_has_the_value(tmp_path: Path) -> None:
    """A remark says so; cells that are merged in the header or above it do not matter."""
    path = workbook(tmp_path / "t.xlsx", [["title", "url", None], ["a", "x"], ["b", None]])
    book = openpyxl.load_workbook(path)
    book.worksheets[0].merge_cells("B2:B3")
    book.worksheets[0].merge_cells("B1:C1")
    book.save(path)
    found = source(path)
    assert [*found] == [{"title": "a", "url": "x"}, {"title": "b"}]
    assert found.remarks == ["of merged cells only the first has the value (1, such as B2:B3)"]


def test_the_first_sheet_is_read_by_default(tmp_path: Path) -> None:
    """Others that hold something are named; one is chosen by its name."""
    path = workbook(tmp_path / "t.xlsx", [["title"], ["a"]], Empty=[], Second=[["title"], ["b"]], Third=[["x"]])
    found = source(path)
    assert [*found] == [{"title": "a"}]
    assert found.remarks == ["only the sheet 'Tickets' was read; choose another with --sheet: 'Second', 'Third'"]
    chosen = source(path, sheet="Second")
    assert ([*chosen], chosen.remarks) == ([{"title": "b"}], [])


def test_a_hidden_sheet_is_read_only_if_it_is_chosen(tmp_path: Path) -> None:
    """It may hold lists for the others."""
    path = workbook(tmp_path / "t.xlsx", [["x"], ["a"]], Second=[["title"], ["b"]])
    book = openpyxl.load_workbook(path)
    book.worksheets[0].sheet_state = "hidden"
    book.create_chartsheet("Chart", 0)
    book.save(path)
    assert read(path) == [{"title": "b"}]
    assert read(path, "title=x", sheet="Tickets") == [{"title": "a"}]


def test_an_unknown_sheet_is_refused(tmp_path: Path) -> None:
    """The message names the sheets there are."""
    path = workbook(tmp_path / "t.xlsx", [["title"]], Second=[])
    assert refused(path, sheet="tickets") == "t.xlsx: it has no sheet 'tickets'; it has 'Tickets', 'Second'"


def test_other_formats_have_no_sheets(tmp_path: Path) -> None:
    """The option is refused there."""
    (tmp_path / "t.csv").write_text("title\n")
    assert refused(tmp_path / "t.csv", sheet="x") == "t.csv: only Excel has sheets: leave out --sheet"


@pytest.mark.parametrize("rows", [[], [["title"]]])
def test_a_sheet_without_rows_has_none(tmp_path: Path, rows: list[list[str]]) -> None:
    """With a header or without."""
    assert read(workbook(tmp_path / "t.xlsx", rows)) == []


def test_an_old_workbook_is_read(tmp_path: Path) -> None:
    """It does not tell errors from empty cells, which a remark says."""
    path = tmp_path / "t.xls"
    path.write_bytes(XLS.read_bytes())
    assert cells(path) == [
        ["ID", "Day", "At", "Note", "Flag", "Hours"],
        [35436, date(2024, 5, 31), datetime.fromisoformat("2024-05-31T09:30"), "hällo", True, None],
        [2, None, None, "both", None, None],
    ]
    found = source(path, "title=Note")
    assert [*found] == [{"title": "hällo"}, {"title": "both"}]
    assert found.remarks == [
        "only the sheet 'Tickets' was read; choose another with --sheet: 'Other'",
        "errors such as #N/A look like empty cells in this kind of workbook; .xlsx has them",
        "of merged cells only the first has the value (1, such as D5:D6)",
        "5 columns are not used: ID, Day, At, Flag, Hours",
    ]


def test_a_workbook_of_open_document_is_read(tmp_path: Path) -> None:
    """Its errors are found as well, also in repeated cells, and not those of other sheets."""
    text = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'.format
    error = (
        '<table:table-cell {} table:formula="of:=NA()" office:value-type="string" office:string-value="" '
        'calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>'
    ).format
    value = '<table:table-cell office:value-type="{}" office:{}="{}"/>'.format
    path = open_document(
        tmp_path / "t.ods",
        "".join(map(text, ["ID", "Day", "At", "Clock"])),
        value("float", "value", "35436") + value("date", "date-value", "2024-05-31")
        + value("date", "date-value", "2024-05-31T09:30:00") + value("time", "time-value", "PT26H30M00S"),
        text("2") + error('table:number-columns-repeated="2"') + text("a"),
        text("#N/A") + text("") + text("") + text("b"),
    )  # fmt: skip
    maps = ("title=ID", "custom.day=Day", "custom.clock=Clock")
    with path.open("rb") as file:
        first = next(ExcelReader(file, sheet="Tickets").rows(None)).read()
    assert first["At"] == datetime.fromisoformat("2024-05-31T09:30")
    assert read(path, *maps, sheet="Tickets") == [
        {"title": "35436", "custom": {"day": "2024-05-31", "clock": "26:30:00"}},
        "row 3: Tickets!B3 holds #N/A",
        {"title": "#N/A", "custom": {"clock": "b"}},
    ]
    assert read(path, "url=At", sheet="Tickets")[1] == "row 3: Tickets!C3 holds #N/A"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"<html><table><tr><td>ID", "it is HTML or XML, and no workbook: open it in a spreadsheet, and save it as .x"),
        (b"\xef\xbb\xbf\r\n<?xml", "it is HTML or XML, and no workbook: open it in a spreadsheet, and save it as"),
        (b"ID\tTitle\n1\ta\n", "it is a text, and no workbook: name it .csv, or say --format csv"),
        (b"PK\x03\x04" + b"\0" * 99, "it is not a workbook that can be read: "),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 999, "it is not a workbook that can be read: "),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 999 + "EncryptedPackage".encode("utf-16-le"),
         "it is protected by a password: save a copy without one"),
    ],
    ids=range(7),
)  # fmt: skip
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """The message says what it is, and what to do."""
    path = tmp_path / "t.xlsx"
    path.write_bytes(content)
    assert refused(path).startswith(f"t.xlsx: {message}")


@pytest.mark.slow
@steady
@given(st.data())
def test_a_damaged_workbook_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """There is no other error, whatever bytes are damaged."""
    path = workbook(tmp_path_factory.getbasetemp() / "damaged.xlsx", [["title"], ["a"], ["#N/A"]])
    content = bytearray(path.read_bytes())
    at = int(data.draw(st.floats(0, 1)) * (len(content) - 1))  # the size depends on the time
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        assert len(read(path, "title=title")) <= 2
    except SourceError as error:
        assert "\n" not in str(error)  # noqa: PT017 - rows are as good


def test_excel_needs_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to install it."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    said = refused(workbook(tmp_path / "t.xlsx", [["title"]]))
    assert said == "t.xlsx: Excel needs one more package: pip install 'planhat-async[excel]'"


def test_a_workbook_that_changes_meanwhile_is_not_mixed(tmp_path: Path) -> None:
    """It is in memory from the check of its beginning on, and is loaded once for that and the first reading."""
    path = workbook(tmp_path / "t.xlsx", [["title"], ["a"], ["b"]])
    found = source(path)
    found.check_beginning()
    workbook(path, [["url"], ["c"]])
    assert [*found] == [{"title": "a"}, {"title": "b"}]


def test_a_rerun_must_read_the_same_sheet(tmp_path: Path) -> None:
    """The sheet is part of what a journal compares."""
    path = workbook(tmp_path / "t.xlsx", [["title"]], Second=[["title"]])
    facts = {"format": "excel", "bytes": path.stat().st_size, "columns": {}, "constants": {}}
    assert source(path).description() == {**facts, "sheet": None}
    assert source(path, sheet="Second").description() == {**facts, "sheet": "Second"}


def test_rejected_rows_are_copied_as_csv(tmp_path: Path) -> None:
    """Spreadsheets recognise its encoding; the rows can be sent again."""
    day, at = date(2024, 5, 31), datetime.fromisoformat("2024-05-31T09:30")
    rows: list[list[Any]] = [
        ["ID", "Title", "Day", "At", "Flag", None],
        [1, "ä", day, at, True, None],
        [2.5, "#N/A", None, "=1+1", None, 7],
    ]
    path = workbook(tmp_path / "t.xlsx", rows)
    found = source(path, "title=Title", "custom.id=ID", "custom.at=At")
    out = tmp_path / "rejected.csv"
    with Rejects(found, out) as rejects:
        problems = [Problem(outcome=Outcome.INVALID, reason=f"wrong {n}", position=n) for n in (0, 1)]
        rejects.add(ChunkResult(number=0, problems=problems))
        rejects.write()
    with out.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["not stored because", "ID", "Title", "Day", "At", "Flag", "column F"],
            ["invalid: wrong 0", "1", "ä", "2024-05-31", "2024-05-31T09:30:00", "true", ""],
            ["invalid: wrong 1", "2.5", "#N/A", "", "", "", "7"],
        ]
    assert out.read_bytes().startswith("\ufeffnot stored".encode())
    assert len(read(out, "title=Title", "custom.id=ID", "custom.at=At")) == 2


@pytest.mark.parametrize("name", ["r.xlsx", "r.jsonl", "r"])
def test_rejected_rows_are_copied_to_no_other_format(tmp_path: Path, name: str) -> None:
    """The name is refused before any row is sent."""
    with pytest.raises(SourceError) as caught:
        Rejects(source(workbook(tmp_path / "t.xlsx", [["title"]])), tmp_path / name)
    message = "rows of a workbook are copied as CSV: let the name end in .csv"
    assert str(caught.value) == f"{tmp_path / name}: {message}"


def test_keys_and_names_of_columns_are_read_too(tmp_path: Path) -> None:
    """For deletions, and for the proposal of a mapping."""
    path = workbook(tmp_path / "t.xlsx", [["_id", "x"], ["65f0", 1], [None, 2]])
    assert [*FileSource(path, KeyColumn())] == [{"id": "65f0"}, {}]
    names = ColumnNames()
    assert len([*FileSource(path, names)]) == 2
    assert names.names == ["_id", "x"]


TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=9)
VALUES: Sequence[Callable[[], st.SearchStrategy[Any]]] = (
    lambda: TEXTS.filter(lambda text: text.strip() == text and not text.startswith("=") and text not in ERRORS),
    lambda: st.integers(-(10**14), 10**14),
    st.booleans,
    lambda: st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: float(f"{value:.12g}")),
    lambda: st.dates(date(1901, 1, 1), date(9999, 12, 31)),
    st.none,
)


@pytest.mark.slow
@steady
@given(st.lists(st.tuples(*(make() for make in VALUES)), max_size=5))
def test_what_another_program_writes_is_read_unchanged(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[Any, ...]]
) -> None:
    """Texts, numbers, booleans and days keep their values and types."""
    path = tmp_path_factory.getbasetemp() / "table.xlsx"
    header = ["text", "whole", "flag", "number", "day", "nothing"]
    workbook(path, [header, *table])
    expected = [[*row[:3], int(row[3]) if row[3].is_integer() else row[3], row[4]] for row in table]
    found = [row[:5] for row in cells(path)[1:]]
    assert found == expected
    assert [[*map(type, row)] for row in found] == [[*map(type, row)] for row in expected]


def test_times_are_those_of_the_sheet(tmp_path: Path) -> None:
    """They have no zone."""
    at = datetime(2024, 5, 31, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    path = workbook(tmp_path / "t.xlsx", [["custom.at"], [at.replace(tzinfo=None)]])
    assert cells(path)[1:] == [[datetime.fromisoformat("2024-05-31T09:30")]]


def test_the_copy_of_a_workbook_is_not_closed(tmp_path: Path) -> None:
    """Whoever opened the file closes it."""
    found = source(workbook(tmp_path / "t.xlsx", [["title"], ["a"]]))
    out = io.BytesIO()
    found.copy([(0, "wrong")], out)
    assert out.getvalue().decode("utf-8-sig") == "not stored because,title\r\nwrong,a\r\n"


@pytest.mark.parametrize(("first", "is_left_out"), [([0, None, 12], True), ([0, 1.5], False), ([0, "x"], False)])
def test_a_first_column_without_a_name_may_be_the_index_of_a_data_frame(
    tmp_path: Path, first: list[Any], is_left_out: bool
) -> None:
    """It is left out and remarked, if it holds whole numbers only."""
    path = workbook(tmp_path / "t.xlsx", [[None, "title"], *([number, "a"] for number in first)])
    if is_left_out:
        found = source(path)
        assert list(found) == [{"title": "a"}] * len(first)
        assert found.remarks == ["1 column left out, the index of a data frame: column A"]
    else:
        assert refused(path).startswith("t.xlsx: column 'column A': Ticket has no field 'column A'")
