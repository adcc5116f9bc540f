"""Test rows of JSON in lists and of objects one after another: none is lost, and none is made of something else."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.files import json_items
from planhat_async.jobs.files.json_reader import JsonReader

steady = settings(derandomize=True, deadline=None, max_examples=150)
UNREAD = "; nothing from there on was read"
CUT_OFF = f"the list is not closed, so the file was cut off{UNREAD}"


def read(content: bytes | str, *, encoding: str = "utf-8", buffer: int = 1 << 17) -> list[Any]:
    """Return each row, or in its place the message about it."""
    data = content.encode() if isinstance(content, str) else content
    rows: list[Any] = []
    for where, read_row in JsonReader(io.BufferedReader(io.BytesIO(data), buffer), encoding=encoding).rows(None):
        try:
            rows.append(read_row())
        except ValueError as error:
            rows.append(f"{where}: {error}")
    return rows


def copied(content: bytes, *positions: int) -> list[str]:
    """Return the copies of these rows."""
    out = io.BytesIO()
    reader = JsonReader(io.BufferedReader(io.BytesIO(content)))
    with reader.copying(out) as copy_row:
        for position, _ in enumerate(reader.rows(None)):
            if position in positions:
                copy_row(f"wrong {position}")
    return out.getvalue().decode().splitlines()


def objects_one_after_another(rows: list[Any]) -> str:
    return "\n".join(json.dumps(row, indent=2, ensure_ascii=False) for row in rows)


FORMS: list[Callable[[list[Any]], str]] = [
    json.dumps,
    lambda rows: json.dumps(rows, separators=(",", ":")),
    lambda rows: json.dumps(rows, indent=2, ensure_ascii=False),
    lambda rows: "[" + ",\n".join(map(json.dumps, rows)) + "]\n",
    lambda rows: "\n\n[\n" + "\n,\t".join(map(json.dumps, rows)) + "\r\n]",
    lambda rows: "".join(json.dumps([row], indent=1) for row in rows),
    lambda rows: "\n".join(map(json.dumps, rows)),
    objects_one_after_another,
]
TEXTS = st.sampled_from(["", 'a"b', '},{"id":"x"}', "\\", '"},\n{"id": "evil', "é", "😀", "[", "]", "x:y", ","])
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["t", "u", "custom"]), VALUES), min_size=1, max_size=5).map(
    lambda rows: [{"id": str(number), **row} for number, row in enumerate(rows)]
)


@pytest.mark.slow
@steady
@given(ROWS, st.sampled_from(FORMS), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]),
       st.integers(1, 70))  # fmt: skip
def test_objects_are_read_in_any_form(
    rows: list[dict[str, Any]], form: Callable[[list[Any]], str], encoding: str, buffer: int
) -> None:
    """As a list or several, pretty-printed or not, one after another, by lines, in any Unicode, in any pieces."""
    assert read(form(rows).encode(encoding), buffer=buffer) == rows


@pytest.mark.slow
@steady
@given(ROWS, st.sampled_from(FORMS[:-2]), st.integers(0, 10**6), st.integers(1, 70))
def test_a_truncated_list_holds_the_rows_before(
    rows: list[dict[str, Any]], form: Callable[[list[Any]], str], cut: int, buffer: int
) -> None:
    """Then comes at most one unread rest."""
    content = form(rows).encode()
    found = read(content[: cut % len(content)], buffer=buffer)
    good = [row for row in found if isinstance(row, dict)]
    assert good == rows[: len(good)]
    assert len(found) - len(good) <= 1
    assert found[: len(good)] == good


@pytest.mark.slow
@steady
@given(
    ROWS,
    st.sampled_from(FORMS[:-2]),
    st.integers(0, 10**6),
    st.sampled_from(b'"\\{}[],:x\n\0\xff'),
    st.sampled_from([0, 1]),
)
def test_a_damaged_byte_makes_no_row_of_a_text(
    rows: list[dict[str, Any]], form: Callable[[list[Any]], str], at: int, byte: int, n_lost: int
) -> None:
    """At most one row differs from those that were written, and its text is not another row."""
    content = form(rows).encode()
    at %= len(content)
    found = read(content[:at] + bytes([byte]) + content[at + n_lost :])
    good = [row for row in found if isinstance(row, dict)]
    changed = [row for row in good if row not in rows]
    assert len(changed) <= 1
    kept = [int(row["id"]) for row in good if row in rows]
    assert kept == sorted(set(kept))
    assert all(row.get("id") != "evil" for row in changed)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("[]", []),
        (" [ ] ", []),
        ('[{"a":1},]', [{"a": 1}]),
        ('{\n"a": 1\n}', [{"a": 1}]),
        ('{\n"a": 1\n}{"a":2} {"a":3}\n[{"a":4}]', [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]),
        ('{"a":1}\n{\n"a":2,\n"x":\n{"id":"7"}\n}\n{"a":3}', [{"a": 1}, {"a": 2, "x": {"id": "7"}}, {"a": 3}]),
        ('[{"a":1},\n 5, "x", null, [2], {"a":3}]',
         [{"a": 1}, "item 2, line 2: not a JSON object but a number", "item 3, line 2: not a JSON object but a text",
          "item 4, line 2: not a JSON object but null", "item 5, line 2: not a JSON object but a list", {"a": 3}]),
        ('[{"a":1},\n{"a":\nNaN},\n{"a": 3}]', [{"a": 1}, "item 2, line 2: NaN in line 3, column 1: JSON has no NaN",
                                            {"a": 3}]),
        ('[{"a":1},{"a":NaN},{"a": 3}]', [{"a": 1}, "item 2, line 1: NaN at its character 6: JSON has no NaN",
                                          {"a": 3}]),
        ('[{"a":1},{"a":2,"a":2},{"a": 3}]', [{"a": 1}, "item 2, line 1: the key 'a' is there twice in one object",
                                              {"a": 3}]),
        ('[{"a":1},{"a":"\\ud83d"},{"a": 3}]',
         [{"a": 1}, "item 2, line 1: \\ud83d at its character 7: it is half a character", {"a": 3}]),
        ('[{"a":1},{"a":"\0"},{"a": 3}]', [{"a": 1}, "item 2, line 1: a NUL character at its character 7", {"a": 3}]),
        (b'[{"a":1},{"a":"\xff"},{"a": 3}]',
         [{"a": 1}, "item 2, line 1: bytes of another encoding at its character 7: see --encoding", {"a": 3}]),
        ('[{"a":1},\n{"a":2,},{"a": 3}]',
         [{"a": 1}, f"item 2, line 2: a comma before }} at its character 7: JSON has none there{UNREAD}"]),
        ("[{'a':1}]", [f"item 1, line 1: a single quote at its character 2: JSON has double quotes{UNREAD}"]),
        ('[{"a":1} {"a":2}]', [{"a": 1}, f"item 2, line 1: a comma is missing{UNREAD}"]),
        ('[{"a":1},,{"a":2}]', [{"a": 1}, f"item 2, line 1: an unexpected ',' at its character 1{UNREAD}"]),
        ('[{"a":1}}', [{"a": 1}, f"item 2, line 1: a comma is missing{UNREAD}"]),
        ('[{"a":1', [f"item 1, line 1: it ends too early at its character 7{UNREAD}"]),
        ('[{"a":1},\n', [{"a": 1}, f"item 2, line 2: {CUT_OFF}"]),
        ('[{"a":1}\n', [{"a": 1}, f"item 2, line 2: {CUT_OFF}"]),
        ("[", [f"item 1, line 1: {CUT_OFF}"]),
        ('[{"a":1}]\n5', [{"a": 1}, f"item 2, line 2: something that is not a list or object{UNREAD}"]),
        ('{\n"a":1},{"a":2}', [{"a": 1}, f"item 2, line 2: something that is not a list or object{UNREAD}"]),
        ('[{"a":1}, no, {"a":2}]', [{"a": 1}, f"item 2, line 1: an unexpected 'no' at its character 1{UNREAD}"]),
        ("[" * 100_000 + "]" * 100_000, [f"item 1, line 1: nested too deep{UNREAD}"]),
    ],
)  # fmt: skip
def test_behind_an_item_without_a_certain_end_nothing_is_read(content: bytes | str, rows: list[Any]) -> None:
    """The unread rest is one invalid row. An item that is wrong in itself has an end, and the next ones are read."""
    assert read(content) == rows
    assert read(content, buffer=1) == rows


def test_items_that_differ_from_one_another_are_read() -> None:
    """The bytes between them are learnt again, also after an item that holds them in a list."""
    rows = [
        {"id": "1"},
        {"id": "2", "x": [{"id": "3"}, {"id": "4"}]},
        {"key": "5"},
        {"key": "6"},
        {},
        {"id": "7" * 9999},
    ]
    assert read(json.dumps(rows * 50)) == rows * 50


def test_a_row_that_is_too_large_ends_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory holds no more than the largest row, which is bounded."""
    monkeypatch.setattr(json_items, "MAX_ROW_BYTES", 100_000)
    content = json.dumps([{"a": 1}, {"a": "x" * 400_000}, {"a": 3}])
    assert read(content) == [{"a": 1}, f"item 2, line 1: it is larger than 32 MiB{UNREAD}"]


@pytest.mark.slow
@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_is_not_held_in_memory(tmp_path: Path, indent: int | None) -> None:
    """Ten megabytes of rows take one and a half at most."""
    path = tmp_path / "t.json"
    path.write_text(json.dumps([{"id": str(n), "title": "x" * 200} for n in range(40_000)], indent=indent))
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            n_rows = sum(1 for row in JsonReader(file).rows(None) if row.read())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (n_rows, peak < 1_500_000) == (40_000, True)


def test_rows_are_copied_as_lines() -> None:
    """Their values are those that were written, to the last digit; an earlier reason goes."""
    content = b'[\n {"a": 0.1234567890123456789,\n  "b": {"c":\n 1}}, {"not stored because": "x", "a": 2}, {}, 7]'
    assert copied(content, 0, 1, 2, 3) == [
        '{"not stored because":"wrong 0","a":0.1234567890123456789,"b":{"c":  1}}',
        '{"not stored because":"wrong 1","a":2}',
        '{"not stored because":"wrong 2"}',
        '{"not stored because":"wrong 3","line":7}',
    ]


def test_an_unread_rest_is_copied_to_its_end() -> None:
    """Otherwise who corrects and sends the copy would lose rows."""
    rest = '{"a":"é"x"},{"a":"%s"}]' % ("ü" * 300_000)
    first, second = copied(f'[{{"a":1}},{rest}'.encode(), 0, 1)
    assert first == '{"not stored because":"wrong 0","a":1}'
    assert json.loads(second) == {"not stored because": "wrong 1", "line": rest}


def test_a_copy_that_was_not_corrected_is_no_row() -> None:
    """Its text is kept in a second copy."""
    (copy,) = copied(b'{"a":1}\n{oops\n', 1)
    assert read(copy) == ["line 1: it is a copy of a text that could not be read: put the corrected row in its place"]
    assert copied(copy.encode(), 0) == [copy.replace("wrong 1", "wrong 0")]


@pytest.mark.parametrize(
    ("content", "position", "line"),
    [
        ('[{"a":1,"a":2}]', 0, '{"a":1,"a":2}'),
        ('{"a":1,"b":{"c":1,"c":2}}\n', 0, '{"a":1,"b":{"c":1,"c":2}}\n'),
        ('[{"a":1} {"a":2}', 1, '{"a":2}'),
    ],
)
def test_a_copy_is_never_a_row_that_the_file_did_not_have(content: str, position: int, line: str) -> None:
    """A key that is there twice would lose a value, and what follows a missing comma was not read."""
    (copy,) = copied(content.encode(), position)
    assert json.loads(copy) == {"not stored because": f"wrong {position}", "line": line}
