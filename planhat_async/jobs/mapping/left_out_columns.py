"""Columns of a file without a mapping that are not sent, and the rest column of an export: decisions only.

An export that comes back has columns that Planhat fills in, and `extra` for what no column holds. A data frame has an
index without a name. A file is taken for an export if it has `_id`, which only Planhat gives out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from planhat_async._convert import decode_json, fields_of, spellings_of
from planhat_async.errors import DecodeError
from planhat_async.jobs.mapping.cell_values import own_name
from planhat_async.jobs.mapping.missing_values import without_nulls
from planhat_async.jobs.source_error import SourceError
from planhat_async.records import Record

Fit: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any] | None]
"""Makes a row of a model from the values of a file's row; `None` for a blank one."""
_ID, _EXTRA = "_id", "extra"
_FRAME_INDEX = re.compile(r"__index_level_\d+__")
"""The names that pandas gives an index without one."""
_INDEX_READ_AGAIN = re.compile(r"Unnamed: 0(\.\d+)?")
"""The names of such an index once it was written as a column without a name, and read again."""


class LeftOutColumns:
    """Leaves out columns that are not sent, and remembers which for a remark.

    Args:
        record: The model; `None` if a mapping names the columns that are used.
        empties_nulls: Whether a null in `extra` empties its field.
    """

    def __init__(self, record: type[Record] | None, *, empties_nulls: bool = False) -> None:
        self._record = record
        self._empties_nulls = empties_nulls
        self._read_only = frozenset[str]() if record is None else read_only_spellings(record)
        self._filled_in: dict[str, None] = {}
        self._indexes: list[str] = []
        self._read_again: list[str] = []
        """Those of them that may be something else."""
        self._has_extra = False

    @property
    def remarks(self) -> list[str]:
        """What was left out so far, a line each."""
        filled_in = _remark("filled in by Planhat", [*self._filled_in])
        return [*filled_in, *_remark("the index of a data frame", self._indexes)]

    def kept(self, columns: Sequence[str]) -> list[str]:
        """The columns of a header or a schema that are used.

        Raises:
            SourceError: The file is not an export, and Planhat fills in one of its columns.
        """
        if self._record is None:
            return [*columns]
        filled_in = [column for column in columns if column in self._read_only]
        if filled_in and _ID not in columns:
            raise SourceError(_refusal(self._record, filled_in))
        self._filled_in |= dict.fromkeys(filled_in)
        self._read_again = [column for column in columns if _INDEX_READ_AGAIN.fullmatch(column)]
        self._indexes = [column for column in columns if _FRAME_INDEX.fullmatch(column) or column in self._read_again]
        self._has_extra = {_ID, _EXTRA} <= {*columns}
        left_out = {*filled_in, *self._indexes} | ({_EXTRA} if self._has_extra else set())
        return [column for column in columns if column not in left_out]

    def also_read(self) -> list[str]:
        """Columns that are read although the mapping does not use them."""
        return [*self._read_again, *([_EXTRA] if self._has_extra else [])]

    def fitting(self, fit: Fit, *, has_columns: bool) -> Fit:
        """A function that leaves values out of a row and passes the others to `fit`.

        Args:
            fit: Another such function.
            has_columns: Whether `kept` has decided about all columns of the file.
        """
        if self._record is None:
            return fit
        if not has_columns:
            return lambda values: fit(self._writable(values))
        if not (self._filled_in or self._indexes or self._has_extra):
            return fit
        left_out = {*self._filled_in, *self._indexes, *self.also_read()}

        def fit_rest(values: Mapping[str, Any]) -> dict[str, Any] | None:
            self._refuse_other_values(values)
            extra = self._extra_in(values) if self._has_extra else None
            row = fit({name: value for name, value in values.items() if name not in left_out})
            return _with_extra(row, extra) if extra else row

        return fit_rest

    def _refuse_other_values(self, values: Mapping[str, Any]) -> None:
        """Refuse a row with a value that is not of an index, in a column that is named like one.

        Raises:
            ValueError: The value is not a whole number.
        """
        for name in self._read_again:
            text = str(values.get(name) or "").strip()
            if text and not text.isdecimal():
                raise ValueError(
                    f"column {name!r} holds {text[:40]!r}: rename it, or choose columns with --map FIELD=COLUMN"
                )

    def _writable(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values of a row that names its own columns, without those that Planhat fills in.

        Raises:
            ValueError: The row has such a value, but no `_id`.
        """
        if self._read_only.isdisjoint(values):
            return values
        filled_in = [name for name in values if name in self._read_only]
        if _ID not in values and (refused := [name for name in filled_in if values[name] is not None]):
            assert self._record is not None  # noqa: S101 - there are names to leave out
            raise ValueError(_refusal(self._record, refused))
        self._filled_in |= dict.fromkeys(filled_in)
        return {name: value for name, value in values.items() if name not in self._read_only}

    def _extra_in(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that an export could not write into their own columns, as they were.

        Raises:
            ValueError: The model has no such field, or the row has it in a column too.
        """
        held = _rest(values.get(_EXTRA))
        assert self._record is not None  # noqa: S101 - there is a column to leave out
        fields = spellings_of(self._record)
        for name in held:
            if name not in fields:
                raise ValueError(
                    f"{_EXTRA}: {self._record.__name__} has no field {name!r}, so it cannot be sent:"
                    f" remove the column {_EXTRA!r} to leave it out"
                )
            if values.get(name) not in (None, ""):
                raise ValueError(f"{_EXTRA}: {name} is given twice: there, and in the column {name!r}")
        self._filled_in |= dict.fromkeys(name for name in held if name in self._read_only)
        sent = {name: value for name, value in held.items() if name not in self._read_only}
        return sent if self._empties_nulls else without_nulls(sent)


def _with_extra(row: dict[str, Any] | None, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The row with fields of `extra`, which do not say which record they belong to.

    Raises:
        ValueError: The row is blank otherwise, or it has one of the fields already.
    """
    if row is None:
        raise ValueError(f"{_EXTRA} has a value, and no other column has one, so it belongs to no record")
    if twice := [name for name in extra if row.get(name) is not None]:
        raise ValueError(f"{_EXTRA}: {twice[0]} is given twice: there, and by a column or a value for all rows")
    return {**extra, **row, **extra}


def read_only_spellings(record: type[Record]) -> frozenset[str]:
    """The fields of a model that Planhat fills in, in either spelling."""
    fields = fields_of(record).values()
    return frozenset(name for field in fields if not field.is_writable for name in (field.name, field.wire))


def _rest(value: Any) -> Mapping[str, Any]:
    """The object in a cell of `extra`, which may be its text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return {}
    try:
        held = decode_json(value.encode(), is_input=True) if isinstance(value, str) else value
    except (DecodeError, UnicodeEncodeError):
        held = None
    if not isinstance(held, Mapping):
        raise ValueError(f"{_EXTRA}: {str(value)[:80]!r} is not a JSON object")  # noqa: TRY004 - the text is wrong
    return held


def _refusal(record: type[Record], names: Sequence[str]) -> str:
    """The message about a file that is not an export, and has these columns."""
    try:
        own_name(record, names[0])
    except ValueError as error:
        what = f"the column{'s'[: len(names) != 1]} {', '.join(names)}"
        return f"column {names[0]!r}: {error}; remove {what}, or name those to send with --map FIELD=COLUMN"
    raise AssertionError(f"{names[0]} is not filled in by Planhat")


def _remark(what: str, names: Sequence[str]) -> list[str]:
    n_columns = "1 column" if len(names) == 1 else f"{len(names)} columns"
    return [f"{n_columns} left out, {what}: {', '.join(names)}"] if names else []
