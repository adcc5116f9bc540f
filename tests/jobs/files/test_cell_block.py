"""Test that plain rows of CSV are found, and have the cells that `csv` finds."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planhat_async.jobs.files.cell_block import MAX_COLUMNS, PlainRows

steady = settings(derandomize=True, deadline=None, max_examples=600)
TEXTS = st.text(st.sampled_from('",;\r\n aé'), max_size=40) | st.lists(
    st.sampled_from(['"', '""', ",", "\n", "\r\n", "a", ' "', '",', '"\n', "a,b\n", '"a","b"\n', '"a\nb",\n']),
    max_size=12,
).map("".join)


def found(text: str, *, delimiter: str = ",", n_columns: int = 2) -> tuple[list[tuple[str, ...]], str]:
    """Return the cells of the plain rows at the beginning of a text, and the text behind them."""
    block = PlainRows(delimiter, n_columns, ()).block(text, 1)
    if block is None:
        return [], text
    return [cells[:-1] for cells in block.cells], text[block.n_chars :]


@pytest.mark.slow
@steady
@given(TEXTS, st.sampled_from([",", ";", " "]), st.integers(2, 3))
@example('"a""b","c\r\nd"\na,b\n', ",", 2)
@example('"",""\n', ",", 2)
@example('a","b"\n', ",", 2)
@example('a,b"",\n', ",", 2)
def test_plain_rows_are_what_csv_reads(text: str, delimiter: str, n_columns: int) -> None:
    """The text behind them begins with another row."""
    cells, rest = found(text, delimiter=delimiter, n_columns=n_columns)
    plain = text[: len(text) - len(rest)]
    lines = io.StringIO(plain, newline="")
    assert [tuple(row) for row in csv.reader(lines, strict=True, delimiter=delimiter)] == cells
    assert {len(row) for row in cells} <= {n_columns}


@pytest.mark.slow
@steady
@given(st.lists(st.tuples(st.text("a,\" \n\r'é"), st.text("b, \n")), max_size=5), st.booleans())
def test_all_rows_that_csv_writes_are_plain(rows: list[tuple[str, str]], is_quoted: bool) -> None:
    """In the usual dialects; their cells are what was written."""
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL).writerows(rows)
    assert found(out.getvalue()) == (rows, "")


@pytest.mark.parametrize(
    "row",
    [
        "a\n",
        "a,b,c\n",
        'a,"b\n',
        '"a" ,b\n',
        '"a"b,c\n',
        'a, "b"\n',
        'a"b,c\n',
        "a,b\r",
        "a,b",
        "\n",
        "\r\n",
        "a\rb,c\n",
    ],
)
def test_other_rows_are_not_plain(row: str) -> None:
    """Of the wrong size, with quotes within cells, with other line ends, or without one: `csv` reads them."""
    assert found(f"1,2\n{row}") == ([("1", "2")], row)
    assert found(row) == ([], row)


@pytest.mark.parametrize("character", ["\0", "\udc80"])
def test_text_with_nul_or_of_another_encoding_has_no_plain_rows(character: str) -> None:
    """A cell with one is refused with a reason."""
    assert found(f"1,2\né,{character}\n")[0] == []


def test_a_row_that_may_be_a_header_ends_a_block() -> None:
    """Whether it is one, its other cells say."""
    block = PlainRows(",", 2, {"id"}).block('a,"1\n2"\nb,2\n"id",3\nc,4\n', 1)
    assert block is not None
    assert ([cells[0] for cells in block.cells], block.n_lines, block.n_chars) == (["a", "b"], 3, 12)
    assert PlainRows(",", 2, {"id"}).block("id,1\na,2\n", 1) is None


def test_a_block_knows_the_line_of_each_row() -> None:
    """Line breaks in cells count, of every kind."""
    block = PlainRows(",", 2, ()).block('1,2\r\n"\r\n",3\n"\r","\n"\n4,5\n', 7)
    assert block is not None
    assert [block.where(number) for number in range(4)] == ["line 7", "line 8", "line 10", "line 13"]
    assert block.n_lines == 7


def test_rows_that_are_not_plain_are_found_in_time() -> None:
    """Whatever is tried, no expression tries it twice."""
    rows = PlainRows(",", MAX_COLUMNS, ())
    text = ",".join(['"' + '""' * 200 + '"'] * (MAX_COLUMNS - 1)) + ',"' + '""' * 10_000 + "\n"
    started = time.process_time()
    assert rows.block(text, 1) is None
    assert time.process_time() - started < 0.5
