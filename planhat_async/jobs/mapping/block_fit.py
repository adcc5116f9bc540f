"""Fits blocks of texts to a model, by a function that is generated for a mapping and a header: decisions only.

It makes the same rows as `FieldMapping.apply_to_text`, in a quarter of the time. Its texts hold no NUL, and no bytes of
another encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from planhat_async._convert.codegen import generated_function
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.field_readers import FieldReader
from planhat_async.jobs.mapping.nested_values import MISSING

BlockFit: TypeAlias = Callable[[Iterable[Sequence[str]]], list[Any]]
"""Makes a list of rows from a list of their cells, each of which ends with one cell more than the header has. A row
that is blank is `None`, and one with a cell that cannot be read is the reason."""
_CUSTOM = "custom."


def block_fit(mapping: FieldMapping, header: Sequence[str]) -> BlockFit | None:
    """The function for a mapping of these columns; `None` if it needs more than the cells of a row."""
    is_plain = mapping.columns and not (mapping.lookups or mapping.defaults or mapping.empties_nulls)
    has_custom = any(name.startswith(_CUSTOM) for name in mapping.columns)
    if not is_plain or any(name.startswith(_CUSTOM) for name in mapping.constants):
        return None
    if has_custom and "custom" in (*mapping.columns, *mapping.constants):
        return None
    lines = ["rows = []", f"for {', '.join(_cells(mapping, header))}, _ in row:", "    try:"]
    lines += [f"        made = {'dict(constants)' if mapping.constants else '{}'}"]
    lines += ["        custom = {}"] if has_custom else []
    names: dict[str, Any] = {"MISSING": MISSING, "constants": mapping.constants}
    for number, (name, column) in enumerate(mapping.columns.items()):
        reader = mapping.readers.reader(name)
        names |= {f"name{number}": name.removeprefix(_CUSTOM), f"read{number}": reader.read}
        target = f"{'custom' if name.startswith(_CUSTOM) else 'made'}[name{number}]"
        lines += _lines_for_cell(f"cell{header.index(column)}", f"read{number}", target, reader)
    lines += ["        if custom: made['custom'] = custom"] if has_custom else []
    used = sorted({header.index(column) for column in mapping.columns.values()})
    has_value = " or ".join(f"cell{place} and not cell{place}.isspace()" for place in used)
    lines += [f"        rows.append(made if {has_value} else None)", "    except ValueError as error:"]
    lines += ["        rows.append(str(error))", "return rows"]
    return generated_function(lines, names, name=f"rows of {mapping.record.__name__} from {len(header)} columns")


def _cells(mapping: FieldMapping, header: Sequence[str]) -> Iterator[str]:
    """The name of each column's variable."""
    used = {header.index(column) for column in mapping.columns.values()}
    return (f"cell{place}" if place in used else "_" for place in range(len(header)))


def _lines_for_cell(cell: str, read: str, target: str, reader: FieldReader) -> Iterator[str]:
    """Lines that set a field to the value of its cell, if there is one."""
    if str in reader.unchanged:
        yield f"        if {cell}: {target} = {cell}"
        return
    yield f"        if {cell} and not {cell}.isspace():"
    yield f"            value = {read}({cell})"
    yield f"            if value is not MISSING: {target} = value"
