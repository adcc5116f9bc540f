"""What a damaged file holds, by slow and strict readers that share no code with the package."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
from pyarrow import parquet

INVALID: Any = object()
"""In place of a row that must not be read."""
_BLANKS = " \t\r\n"


@attrs.frozen(kw_only=True)
class Finding:
    """What a file holds."""

    rows: Sequence[Any]
    """The values of each row by column, or `INVALID`; blank rows are left out."""
    n_blank: int = 0
    n_headers: int = 0
    """Headers that come again."""
    is_whole: bool = True
    """Whether there are no more rows; otherwise it is not known what follows."""


class UnknownError(Exception):
    """A slow reader cannot say what a file holds."""


def unpacked(data: bytes, suffix: str) -> bytes:
    """The bytes within a compressed file.

    Raises:
        UnknownError: It is damaged.
    """
    try:
        if suffix == ".gz":
            return gzip.decompress(data)
        if suffix == ".bz2":
            return bz2.decompress(data)
        if suffix == ".xz":
            return lzma.decompress(data)
        if suffix == ".zip":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                (name,) = archive.namelist()
                return archive.read(name)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, KeyError):
        pass
    raise UnknownError


# CSV.


def csv_rows(text: str, columns: Sequence[str], delimiter: str, used: Sequence[str]) -> Finding:
    """The rows of CSV with doubled quotes.

    Args:
        text: The file.
        columns: Its header, which is not damaged.
        delimiter: What separates cells.
        used: The columns that decide whether a row is blank.

    Raises:
        UnknownError: The header is damaged, or quotes stand behind blanks.
    """
    records = _records(text, delimiter)
    if next(records, None) != [*columns]:
        raise UnknownError
    rows: list[Any] = []
    n_blank = n_headers = 0
    for cells in records:
        if cells is INVALID:
            rows.append(INVALID)
        elif [cells[0].removeprefix("\ufeff"), *cells[1:]] == [*columns]:
            n_headers += 1
        elif not any(map(str.strip, cells)):
            n_blank += 1
        elif any(map(str.strip, cells[len(columns) :])) or len(cells) < len(columns):
            rows.append(INVALID)
        else:
            values = {name: cell for name, cell in zip(columns, cells, strict=False) if name in used}
            n_blank += (is_blank := not any(map(str.strip, values.values())))
            if not is_blank:
                is_text = all("\0" not in one and _is_text(one) for one in values.values())
                rows.append({name: cell for name, cell in values.items() if cell} if is_text else INVALID)
    return Finding(rows=rows, n_blank=n_blank, n_headers=n_headers)


def _records(text: str, delimiter: str) -> Iterator[Any]:
    """The cells of each record that is not an empty line; behind an error one that is invalid, and nothing else.

    Raises:
        UnknownError: Quotes stand behind blanks.
    """
    at, cells = 0, list[str]()
    while at < len(text):
        if text[at] == '"':
            end, cell = _quoted(text, at)
        else:
            end = next((n for n in range(at, len(text)) if text[n] in (delimiter, "\r", "\n")), len(text))
            cell = text[at:end]
            if re.match(' +"', cell):
                raise UnknownError
        if end < len(text) and text[end] not in (delimiter, "\r", "\n"):
            yield INVALID
            return
        is_end = end == len(text) or text[end] != delimiter
        if cells or cell or not is_end or text[at : at + 1] == '"':
            cells.append(cell)
        at = end + (2 if text[end : end + 2] == "\r\n" else 1)
        if is_end and cells:
            yield cells
            cells = []
    if cells:
        yield [*cells, ""]


def _quoted(text: str, at: int) -> tuple[int, str]:
    """The end of a quoted cell, and what it holds; a place that ends no cell if it is not closed."""
    cell = ""
    while (end := text.find('"', at + 1)) >= 0:
        cell += text[at + 1 : end]
        if text[end + 1 : end + 2] != '"':
            return end + 1, cell
        cell, at = cell + '"', end + 1
    return text.index('"'), ""


def _is_text(text: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in text)


# JSON.


def json_rows(text: str, used: Sequence[str] | None) -> Finding:
    """The rows of JSON: those of a list, or one a line.

    Args:
        text: The file.
        used: The columns that decide whether a row is blank; all of them if `None`.

    Raises:
        UnknownError: It has another form, or is nested deep.
    """
    text = text.removeprefix("\ufeff").lstrip(_BLANKS)
    try:
        values, is_whole = _list_values(text) if text.startswith("[") else _line_values(text)
    except RecursionError:
        raise UnknownError from None
    rows = [one if one is INVALID or type(one) is not dict else _without_nulls(one, used) for one in values]
    kept = [INVALID if type(one) is not dict and one is not None else one for one in rows]
    blank = [one for one in kept if one is None]
    return Finding(rows=[one for one in kept if one is not None], n_blank=len(blank), is_whole=is_whole)


def _without_nulls(row: dict[str, Any], used: Sequence[str] | None) -> dict[str, Any] | None:
    """The row; `None` for a blank one."""
    held = row if used is None else {name: row[name] for name in used if name in row}
    is_blank = all(one is None or (type(one) is str and not one.strip()) for one in held.values())
    return None if is_blank else held


def _list_values(text: str) -> tuple[list[Any], bool]:
    """The values of one list, as far as they are strict JSON; nothing but blanks may follow it."""
    values: list[Any] = []
    at = _past_blanks(text, 1)
    while text[at : at + 1] != "]":
        try:
            value, at = _DECODER.raw_decode(text, at)
        except ValueError:
            return values, False
        values.append(_checked(value))
        at = _past_blanks(text, at)
        if text[at : at + 1] == ",":
            at = _past_blanks(text, at + 1)
        elif text[at : at + 1] != "]":
            return values, False
    return values, not text[at + 1 :].strip(_BLANKS)


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def _line_values(text: str) -> tuple[list[Any], bool]:
    """The value of each line, until one may be the beginning of a longer one."""
    values: list[Any] = []
    for line in text.split("\n"):
        content = line.strip(_BLANKS)
        if content[-1:] in {"{", "[", ",", ":"}:
            return values, False
        if content:
            try:
                values.append(_checked(_DECODER.decode(content)))
            except ValueError:
                values.append(INVALID)
    return values, True


def _checked(value: Any) -> Any:
    """The value, or `INVALID` if it is JSON to Python only."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, ValueError):
        return INVALID
    return INVALID if _holds_invalid(value) else value


def _holds_invalid(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_invalid, value.values()))
    if isinstance(value, list):
        return any(map(_holds_invalid, value))
    return value is INVALID or (isinstance(value, float) and not math.isfinite(value))


def _with_each_key_once(pairs: list[tuple[str, Any]]) -> Any:
    made = dict(pairs)
    return made if len(made) == len(pairs) else {"": math.nan}


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_with_each_key_once, parse_constant=_refuse_constant)


# Parquet.


def parquet_rows(path: Path, used: Sequence[str]) -> Finding:
    """The rows of Parquet, read at once.

    Raises:
        UnknownError: pyarrow cannot read them, or the columns are other ones.
    """
    try:
        table = parquet.read_table(path, columns=[*used], partitioning=None)
        columns = [[*map(_text_in, table.column(name))] for name in used]
    except (OSError, pa.ArrowException, ValueError, KeyError, MemoryError):
        raise UnknownError from None
    if any(column.type != pa.string() for column in table.columns):
        raise UnknownError
    rows = [dict(zip(used, values, strict=True)) for values in zip(*columns, strict=True)]
    kept = [row for row in rows if any(one is INVALID or (one or "").strip() for one in row.values())]
    return Finding(
        rows=[
            INVALID if INVALID in row.values() else {name: one for name, one in row.items() if one is not None}
            for row in kept
        ],
        n_blank=len(rows) - len(kept),
    )


def _text_in(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return INVALID
