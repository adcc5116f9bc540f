"""What a file holds, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from rich.table import Table
from rich.text import Text

from planhat_async._convert import printable
from planhat_async.jobs.input_report import FieldReport, InputReport, SampleCell
from planhat_async.jobs.job_progress import in_words

WIDTH = 80
"""Columns of a table, also if the output is piped: then no terminal says its width."""
_SET = "(every row)"


def report_as_json(report: InputReport) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "fields": [attrs.asdict(one) for one in report.fields],
        "sample": [[attrs.asdict(one) for one in row] for row in report.sample],
    }


def tables_of(report: InputReport) -> Iterator[Table]:
    """The tables of a report: its fields, the values that are converted, and its first rows; none of no rows."""
    fields = report.fields
    if fields and report.n_rows:
        yield _fields_table(fields, report.n_rows)
    if converted := [one for one in fields if one.n_converted]:
        yield _conversions_table(converted)
    if report.sample:
        yield _sample_table(report.sample)


def _fields_table(fields: list[FieldReport], n_rows: int) -> Table:
    table = _table(f"Fields of {in_words(n_rows, 'row')} that could be read", ("field", 3), ("column", 3))
    table.add_column("values", justify="right", no_wrap=True)
    table.add_column("example", ratio=4, overflow="ellipsis", no_wrap=True)
    for one in fields:
        table.add_row(_text(one.field), _column(one.column), f"{one.n_values:,}", _text(one.example))
    return table


def _conversions_table(fields: list[FieldReport]) -> Table:
    table = _table("Values that are converted", ("field", 1))
    table.add_column("values", justify="right", no_wrap=True)
    table.add_column("example", ratio=3, overflow="fold")
    for one in fields:
        table.add_row(_text(one.field), f"{one.n_converted:,}", _text(one.conversion))
    return table


def _sample_table(sample: list[list[SampleCell]]) -> Table:
    table = _table("The first rows", ("column", 2), ("cell", 3), ("field", 2), ("as sent", 3))
    for row in sample:
        for one in row:
            sent = "(not sent)" if one.sent is None else one.sent
            table.add_row(_column(one.column), _text(one.cell or ""), _text(one.field), _text(sent))
        table.add_section()
    return table


def _table(title: str, *columns: tuple[str, int]) -> Table:
    """A table as wide as `WIDTH`, whose columns share it by these ratios; longer texts are shortened."""
    table = Table(title=title, title_justify="left", width=WIDTH)
    for name, ratio in columns:
        table.add_column(name, ratio=ratio, overflow="ellipsis", no_wrap=True)
    return table


def _column(name: str | None) -> Text:
    return _text(_SET if name is None else name)


def _text(text: str) -> Text:
    """A text as it is, not as markup."""
    return Text(printable(text))
