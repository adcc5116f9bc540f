"""Test the dialect of a CSV file: recognised from its header, never from its rows."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.files.csv_dialect import (
    CsvDialect,
    cause_of,
    declared_delimiter,
    is_blank,
    named_delimiter,
    named_escape,
    recognised,
    unseparated,
)

steady = settings(derandomize=True, deadline=None)


def found(*lines: str, known: tuple[str, ...] = (), delimiter: str | None = None) -> CsvDialect:
    return recognised(lines, delimiter=delimiter, escape=None, knows=known.__contains__)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_the_header_shows_what_separates(separator: str, quote: str) -> None:
    """Quotes around its columns change nothing."""
    header = separator.join(f"{quote}{name}{quote}" for name in ("ID", "Title", "E-mail"))
    assert found(f"{header}\r\n") == CsvDialect(delimiter=separator)


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ('"a;b","c"\n', ","),
        ('c,"a;b"\n', ","),
        ('c,"a;b;d;e"\n', ","),
        ('"a,b";"c,d"\n', ";"),
        ('"a|b\n', ","),
        ("title\n", ","),
        ('"a;b"\n', ","),
        ('"say ""x;y"""\t"b"\n', "\t"),
    ],
)
def test_a_separator_within_quotes_separates_nothing(header: str, separator: str) -> None:
    """A header of one column is separated by commas, as its rows may be."""
    assert found(header).delimiter == separator


@pytest.mark.parametrize(
    ("header", "known", "separator"),
    [
        ("Name;Amount, EUR;Date\n", (), ";"),
        ("Name,Tags (a|b|c)\n", ("Name",), ","),
        ("Name,Tags (a|b|c)\n", (), "|"),
        ("a,b;c\n", (), ","),
        ("a;b,c\n", ("a",), ";"),
        ("a;b,c\n", ("c",), ","),
        ("p|q\n", ("p|q",), ","),
    ],
)
def test_of_several_separators_the_one_with_known_columns_is_chosen(
    header: str, known: tuple[str, ...], separator: str
) -> None:
    """Then the one with more columns, then the comma."""
    assert found(header, known=known).delimiter == separator


def test_rows_show_nothing() -> None:
    """A column of texts would mislead."""
    assert found("title\n", "a;b;c\n", "d;e;f\n").delimiter == ","


def test_a_header_may_have_line_breaks() -> None:
    """Within quotes they belong to a name."""
    assert found('"a\n', 'b";c\n', "1,2\n").delimiter == ";"


@pytest.mark.parametrize(
    ("line", "separator"),
    [
        ("sep=;\r\n", ";"),
        ("SEP=,\n", ","),
        ('"sep=|"\n', "|"),
        ("sep=\t\n", "\t"),
        ("sep=^", "^"),
        ("sep=\n", None),
        ("sep=ab\n", None),
        ("sep=a\n", None),
        ('sep="\n', None),
        ("a,sep=;\n", None),
    ],
)
def test_a_first_line_may_declare_what_separates(line: str, separator: str | None) -> None:
    """Excel writes and reads it."""
    assert declared_delimiter(line) == separator


def test_a_named_separator_is_used() -> None:
    """Whatever the header holds."""
    assert found("a;b\n", delimiter=",") == CsvDialect()


def test_a_header_with_quotes_behind_blanks_is_recognised() -> None:
    """The rows of such a file are written in the same way."""
    assert found('"a", "b;c"\n') == CsvDialect(skips_blanks=True)
    assert found('"a"; "b"\n') == CsvDialect(delimiter=";", skips_blanks=True)
    assert found("a, b\n") == CsvDialect()


@pytest.mark.parametrize(
    ("text", "character"),
    [("tab", "\t"), ("TAB", "\t"), (r"\t", "\t"), ("\t", "\t"), (";", ";"), (" ", " "), ("¦", "¦")],
)
def test_a_separator_is_named_by_a_character_or_a_word(text: str, character: str) -> None:
    """A tab is hard to type on a command line."""
    assert named_delimiter(text) == character


def test_an_escape_character_is_named_by_a_character_or_a_word() -> None:
    """A backslash is hard to quote on a command line."""
    assert [named_escape(text) for text in ("backslash", "\\", "^")] == ["\\", "\\", "^"]


@pytest.mark.parametrize("text", ["", ";;", "a", "7", '"', "\n", "\0", "comma"])
def test_what_cannot_separate_is_refused(text: str) -> None:
    """The message names the option and the value."""
    with pytest.raises(ValueError, match="--delimiter is one character, or tab; it is not a letter, digit, "):
        named_delimiter(text)


@pytest.mark.parametrize(
    ("line", "delimiter", "expected"),
    [("\r\n", None, True), (" \t\n", None, True), (",,;|\n", None, True), ("a\n", None, False), ("|\n", ",", False)],
)
def test_a_line_without_names_is_no_header(line: str, delimiter: str | None, expected: bool) -> None:
    """Spreadsheets write empty rows before it."""
    assert is_blank(line, delimiter) == expected


@pytest.mark.parametrize(
    ("columns", "delimiter", "expected"),
    [
        (["a;b"], ",", "';': if that separates columns, say --delimiter ';'"),
        (["a\tb"], ",", "tab: if that separates columns, say --delimiter tab"),
        (["a:b"], ",", "':': if that separates columns, say --delimiter ':'"),
        (["a,b"], "\t", "',': if that separates columns, say --delimiter ','"),
    ],
)
def test_a_header_of_one_column_may_hold_another_separator(columns: list[str], delimiter: str, expected: str) -> None:
    """The message names it."""
    assert unseparated(columns, CsvDialect(delimiter=delimiter)) == f"the header is one column that holds {expected}"


@pytest.mark.parametrize("columns", [["title"], ["a;b", "c"], []])
def test_another_header_holds_no_other_separator(columns: list[str]) -> None:
    """Then the message about its columns is the better one."""
    assert unseparated(columns, CsvDialect()) is None


def test_the_cause_of_an_error_says_what_to_do() -> None:
    """Python's own words are replaced."""
    (mid,) = (raised('"a"b'),)
    assert cause_of(mid, ['"a"b\n'], CsvDialect()) == (
        "a quote is closed in the middle of a cell: correct it, and run this again"
    )
    assert cause_of(raised('"a'), ['"a'], CsvDialect(delimiter=";")) == (
        "a quote in that row is never closed: correct it, and run this again"
    )
    assert cause_of(mid, [r'"a\"b' + "\n"], CsvDialect()) == (
        "a quote is closed in the middle of a cell: if a backslash stands before quotes, say --escape backslash, or "
        "else correct the line"
    )


def raised(line: str) -> Exception:
    with pytest.raises(csv.Error) as caught:
        list(CsvDialect().reader([line]))
    return caught.value


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        (r'"a \"b\" c",d', ['a "b" c', "d"]),
        (r'"C:\new\\x",\t', ["C:\\new\\x", "\\t"]),
        (r"a\,b,\N", ["a,b", "\\N"]),
        ('"a\\\r\nb",c', ["a\r\nb", "c"]),
        ("a\\\r\nb,c\r\n", ["a\r\nb", "c"]),
        ("a,b\\", ["a", "b\\"]),
    ],
)
def test_an_escape_character_before_other_characters_is_text(line: str, cells: list[str]) -> None:
    """`csv` would drop it, and change what a customer wrote."""
    lines = io.StringIO(line, newline="")
    assert list(CsvDialect(escape="\\").reader(lines)) == [cells]


CELLS = st.text(st.sampled_from('ab,;\\" \r\n'), max_size=8)


@pytest.mark.slow
@steady
@given(st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=5), st.sampled_from([",", ";", "\t"]), st.booleans())
def test_what_a_dialect_writes_it_reads(rows: list[list[str]], delimiter: str, is_escaped: bool) -> None:
    """Rows that were not stored are copied in the dialect of their file, to be read again."""
    dialect = CsvDialect(delimiter=delimiter, escape="\\" if is_escaped else None)
    out = io.StringIO(newline="")
    dialect.writer(out).writerows(rows)
    out.seek(0)
    assert list(dialect.reader(out)) == rows


@steady
@given(CELLS, CELLS, st.booleans())
def test_a_quoted_text_may_be_written_in_parts(before: str, after: str, is_escaped: bool) -> None:
    """It is read as one cell."""
    dialect = CsvDialect(escape="\\" if is_escaped else None)
    text = f'"{dialect.quoted(before)}{dialect.quoted(after)}"\r\n'
    assert list(dialect.reader(io.StringIO(text, newline=""))) == [[before + after]]
