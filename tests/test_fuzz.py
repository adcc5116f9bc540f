"""Test that damaged files are read safely, and that the benchmark which shows it would notice if they were not."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from benchmarks.fuzz import Tally, made, table, tallies_of
from benchmarks.fuzzing.seeds import seeds
from benchmarks.fuzzing.slow_readers import INVALID, csv_rows, json_rows
from benchmarks.fuzzing.verdict import verdict
from planhat_async.jobs.files import csv_dialect
from planhat_async.jobs.files.row_fitter import FittedRow, RowFitter
from planhat_async.jobs.files.table_reader import TableReader


def failures(tallies: Mapping[str, Tally]) -> list[str]:
    return [what for tally in tallies.values() for _, what in tally.failures]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_files_are_read_safely(seed: int) -> None:
    """Each of some hundred inputs, which are the same every time."""
    tallies = tallies_of(seed, range(250))
    assert failures(tallies) == []
    assert sum(tally.counts["compared"] for tally in tallies.values()) > 700


def test_undamaged_files_are_read_as_they_are(tmp_path: Any) -> None:
    """No seed fails by itself, and independent readers confirm each of its rows where they can."""
    for number, seed in enumerate(seeds()):
        reading = verdict(seed, seed.data, tmp_path / f"{number}{seed.suffix}")
        assert (reading.faults, reading.refusal, INVALID in reading.rows) == ([], None, False), seed.name
        is_compared = seed.name not in {"csv backslashes", "csv declared", "json objects", "packed .zst", "xlsx"}
        assert reading.n_compared == is_compared * len(reading.rows), seed.name


@pytest.mark.slow
def test_a_row_made_out_of_a_cell_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader makes it that is not strict about quotes."""
    options = csv_dialect.CsvDialect._options
    monkeypatch.setattr(csv_dialect.CsvDialect, "reader", lambda self, lines: csv.reader(lines, **options(self)))
    assert any("is read as" in what for what in failures(tallies_of(1, range(250))))


@pytest.mark.slow
def test_a_lost_row_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a reader loses it that leaves out each tenth row."""
    lists = RowFitter.lists

    def some_rows(self: RowFitter, reader: TableReader, **options: Any) -> Iterator[Sequence[FittedRow]]:
        rows = itertools.chain.from_iterable(lists(self, reader, **options))
        return ((row,) for number, row in enumerate(rows, 1) if number % 10)

    monkeypatch.setattr(RowFitter, "lists", some_rows)
    assert any("are counted" in what for what in failures(tallies_of(1, range(100))))


def test_an_input_is_known_by_its_number() -> None:
    """It can be made again, to be looked at."""
    assert made(1, 7) == made(1, 7)
    assert made(1, 7) != made(2, 7)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('a,b\n1,"x, ""y"""\r\n\n,\n2,3,\n4\n', [{"a": "1", "b": 'x, "y"'}, {"a": "2", "b": "3"}, INVALID]),
        ('a,b\n1,"x" y\n2,3\n', [INVALID]),
        ('a,b\n1,"x\n2,3\n', [INVALID]),
        ("a,b\n1,\0\na,b\n2,\n", [INVALID, {"a": "2"}]),
        ('a,b\n"",""\n1,"', [INVALID]),
    ],
)
def test_the_slow_reader_of_csv_is_strict(text: str, rows: list[Any]) -> None:
    """It stops at an error of quotes."""
    assert csv_rows(text, ["a", "b"], ",", ["a", "b"]).rows == rows


@pytest.mark.parametrize(
    ("text", "rows", "is_whole"),
    [
        ('[{"a":"1"}, {"a":null}, 7]\n', [{"a": "1"}, INVALID], True),
        ('[{"a":"1"} {"a":"2"}]', [{"a": "1"}], False),
        ('[{"a":"1"},{"a":NaN}]', [{"a": "1"}], False),
        ('{"a":"1"}\n\n{"a":"2","a":"3"}\n{"a":"\\ud83d"}\n', [{"a": "1"}, INVALID, INVALID], True),
        ('{"a":"1"}\n{\n"a":"2"}', [{"a": "1"}], False),
    ],
)
def test_the_slow_reader_of_json_says_how_far_it_knows(text: str, rows: list[Any], is_whole: bool) -> None:
    """What it does not know is not compared."""
    found = json_rows(text, None)
    assert ([*found.rows], found.is_whole) == (rows, is_whole)


def test_a_table_has_a_line_for_each_format() -> None:
    """With the number of failures."""
    tally = Tally(failures=[(3, "lost")])
    tally.counts.update(inputs=2, rows=1000)
    assert table({"csv": tally}).splitlines()[1].split() == ["csv", "2", "0", "1,000", "0", "0", "0", "1"]
