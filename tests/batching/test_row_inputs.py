"""Test that inputs that do not yield rows are refused before they are read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from planhat_async.batching.row_inputs import refusal_of_text, refuse_what_is_not_rows
from planhat_async.models import Ticket
from planhat_async.records import Record


class _Columns:
    """Iterating over it yields the names of its columns, as a pandas table does."""

    columns = ("source_id", "email")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


class Pandas(_Columns):
    def to_dict(self, orient: str) -> list[dict[str, str]]:
        return [{"orient": orient}]


class Polars(_Columns):
    def iter_rows(self, *, named: bool = False) -> Iterator[Any]:
        yield named

    def to_dicts(self) -> list[Any]:
        return []


class OldPolars(_Columns):
    def to_dicts(self) -> list[Any]:
        return []


class Arrow:
    column_names = ("source_id",)

    def to_pylist(self) -> list[Any]:
        return []


class Exchange(_Columns):
    def __dataframe__(self) -> None: ...


class Stream:
    def __arrow_c_stream__(self) -> None: ...


class Model(_Columns):
    """Iterating over a model of pydantic yields its fields."""

    model_fields: dict[str, str] = {}  # noqa: RUF012 - as pydantic has it


@pytest.mark.parametrize(
    ("rows", "way"),
    [
        (Pandas(), 'hand in rows.to_dict("records")'),
        (Polars(), "hand in rows.iter_rows(named=True)"),
        (OldPolars(), "hand in rows.to_dicts()"),
        (Arrow(), "hand in rows.to_pylist()"),
        (Exchange(), "hand in a list of mappings"),
        (Stream(), "hand in a list of mappings"),
        (io.StringIO("a,b"), "csv.DictReader(file)"),
        (io.BytesIO(b"{}"), "json.loads(line) for line in file"),
        ("text", "not one str"),
        (b"text", "not one bytes"),
        (bytearray(b"text"), "not one bytearray"),
        ({"source_id": "1"}, "not one dict"),
        (Ticket(source_id="1"), "not one Ticket"),
        (Model(), "not one Model"),
    ],
)
def test_an_input_without_rows_is_refused_with_a_hint(rows: Any, way: str) -> None:
    """Tables are recognised by their shape, from any library; so are files, texts and a single record."""
    with pytest.raises(TypeError) as caught:
        refuse_what_is_not_rows(rows, Record)
    assert str(caught.value).startswith("rows are an iterable of records or mappings, not ")
    assert way in str(caught.value)


class LazyFrame:
    def collect(self) -> None: ...

    def collect_schema(self) -> None: ...

    @property
    def columns(self) -> None:
        raise AssertionError("polars would warn that this is slow")


def test_a_query_that_has_not_run_is_refused() -> None:
    """As polars has it; it is not run, and not asked for its columns."""
    with pytest.raises(TypeError, match=r"^rows are a query that has not run \(LazyFrame\): hand in rows.collect\(\)$"):
        refuse_what_is_not_rows(LazyFrame(), Record)


def test_a_file_on_disk_is_refused(tmp_path: Path) -> None:
    """Iterating over a file yields lines."""
    (tmp_path / "t.csv").write_text("a,b\n")
    with (tmp_path / "t.csv").open() as file, pytest.raises(TypeError, match="not a file"):
        refuse_what_is_not_rows(file, Record)


@attrs.define
class Result:
    """A database result, which has columns and yields rows."""

    columns: tuple[str, ...] = ("a",)

    def __iter__(self) -> Iterator[dict[str, str]]:
        yield {"a": "1"}


class Series:
    """A column of mappings."""

    dtype = object

    def __arrow_c_stream__(self) -> None: ...

    def to_dict(self) -> dict[int, Any]:
        return {}


class Guessing:
    """Has every attribute."""

    def __getattr__(self, name: str) -> Any:
        return print


@pytest.mark.parametrize(
    "rows",
    [[], (), [{}], iter([{}]), ({} for _ in "a"), {"a"}, range(3), Result(), Series(), Guessing(), map(dict, [])],
)
def test_an_input_that_may_yield_rows_is_accepted(rows: Any) -> None:
    """Each row is checked on its own."""
    refuse_what_is_not_rows(rows, Record)


@pytest.mark.parametrize("row", [{}, None, 7, ("a",), ["a"], Ticket()])
def test_any_other_row_is_checked_on_its_own(row: Any) -> None:
    """A wrong row is one invalid row."""
    assert refusal_of_text(0, row) is None
