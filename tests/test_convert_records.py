"""Test that records decoded from bytes equal those decoded by way of a dict."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async import DecodeError, Note, Person, Record, Task
from planhat_async._convert import decode_json, decode_record, decode_records, encode_json, fields_of
from planhat_async._convert.records import _MAX_LEARNED, RowReader, _struct, converter
from planhat_async.models import ALL

TIMES = st.sampled_from(["2024-05-31T09:30:00.123Z", "2024-05-31T09:30:00+02:00", "2024-05-31T09:30:00", "soon", ""])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
PEOPLE = st.lists(st.dictionaries(st.sampled_from(["id", "name", "isOwner", "email"]), SCALARS | TEXTS), max_size=3)
VALUES = SCALARS | TEXTS | TIMES | PEOPLE | st.dictionaries(TEXTS, SCALARS, max_size=2) | st.lists(SCALARS, max_size=2)
MODELS = [repository.model.record for repository in ALL]


def row_of(**fields: Any) -> bytes:
    return encode_json(fields)


def as_dict_gives_it(cls: type[Record], row: bytes) -> Record:
    return converter.structure(decode_json(row), cls)


def rows_of(cls: type[Record]) -> st.SearchStrategy[bytes]:
    names = st.sampled_from([field.wire for field in fields_of(cls).values()]) | TEXTS
    return st.dictionaries(names, VALUES, max_size=8).map(encode_json)


@pytest.mark.slow
@pytest.mark.parametrize("cls", MODELS)
def test_a_record_from_bytes_equals_one_from_a_dict(cls: type[Record]) -> None:
    """Names learned from other rows do not matter."""
    reader = RowReader(cls)
    n_straight = 0

    @settings(max_examples=100, deadline=None)
    @given(row=rows_of(cls))
    def check(row: bytes) -> None:
        nonlocal n_straight
        by_dict = as_dict_gives_it(cls, row)
        for _ in range(2):  # again, when its fields are learned
            try:
                record = reader.read(row)
            except ValueError:
                reader.learn(by_dict)
            else:
                assert record == by_dict
                assert type(record) is cls
                n_straight += 1

    check()
    assert n_straight > 10


def test_an_undocumented_field_is_learned_at_once() -> None:
    row = row_of(_id="1", nps=3, users=[{"id": "2", "mood": "good"}])
    reader = RowReader(Task)
    with pytest.raises(ValueError, match="unknown field"):
        reader.read(row)
    reader.learn(as_dict_gives_it(Task, row))
    assert reader.read(row) == Task(id="1", extra={"nps": 3}, users=[Person(id="2", extra={"mood": "good"})])
    assert reader.read(row_of(_id="3")) == Task(id="3")
    assert reader.read(row_of(_id="4", nps=None)) == Task(id="4", extra={"nps": None})


def test_a_known_field_with_an_unusual_value_is_not_learned() -> None:
    row = row_of(_id="1", createdAt="soon")
    reader = RowReader(Task)
    reader.learn(as_dict_gives_it(Task, row))
    with pytest.raises(ValueError, match="datetime"):
        reader.read(row)


@pytest.mark.parametrize("name", ['"', "\\", "a\nb", "\x00", "", "\xa0", "\x7f", "é"])
def test_any_field_name_is_accepted(name: str) -> None:
    row = row_of(_id="1", **{name: 1})
    for _ in range(2):
        assert decode_record(Note, row) == Note(id="1", extra={name: 1})
    assert decode_record(Note, row_of(_id="2")) == Note(id="2")


def test_a_row_may_be_deeply_nested() -> None:
    row = b'{"_id":"1","custom":%b%b}' % (b"[" * 100_000, b"]" * 100_000)
    with pytest.raises(RecursionError):
        RowReader(Note).read(row)


def test_the_number_of_learned_names_is_limited() -> None:
    reader = RowReader(Note)
    for n in range(0, 2 * _MAX_LEARNED, 50):
        for _ in range(1000):
            reader.learn(Note(extra={f"field {n + k}": n for k in range(50)}))
    assert reader.read(row_of(_id="1", **{f"field {_MAX_LEARNED - 1}": 1})).extra == {f"field {_MAX_LEARNED - 1}": 1}
    with pytest.raises(ValueError, match="unknown field"):
        reader.read(row_of(_id="1", **{f"field {_MAX_LEARNED}": 1}))


def test_new_names_are_not_learned_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning takes time and blocks the event loop."""
    reader, n_structs = RowReader(Note), [0]

    def struct(cls: type, learned: dict[type, tuple[str, ...]]) -> type[msgspec.Struct]:
        n_structs[0] += cls is Note
        return _struct(cls, learned)

    monkeypatch.setattr("planhat_async._convert.records._struct", struct)
    for n in range(190):
        reader.learn(Note(extra={f"field {n}": n}))
    assert n_structs[0] == 3
    for _ in range(300):
        reader.learn(Note(extra={"later": 1}))
    assert reader.read(row_of(_id="1", later=1)).extra == {"later": 1}


def test_another_thread_may_learn_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A struct and the code that fills a record from it use the same list of names."""
    reader = RowReader(Note)

    def struct(cls: type, learned: dict[type, tuple[str, ...]]) -> type[msgspec.Struct]:
        monkeypatch.setattr("planhat_async._convert.records._struct", _struct)
        reader.learn(Note(extra={"of another thread": 1}))
        return _struct(cls, learned)

    monkeypatch.setattr("planhat_async._convert.records._struct", struct)
    reader.learn(Note(extra={"own": 1}))
    assert reader.read(row_of(_id="1", own="value")).extra == {"own": "value"}


def test_records_share_no_values() -> None:
    reader = RowReader(Note)
    one, other = reader.read(row_of(_id="1")), reader.read(row_of(_id="1"))
    one.custom["a"] = one.extra["b"] = 1
    assert other == Note(id="1")


def test_rows_are_decoded_as_they_are_asked_for() -> None:
    """Unusual ones in their places, and those that cannot be read are reported by their positions."""
    rows = [b'{"_id":"a"}', b'{"_id":"b","startTime":"soon"}', b"7", b'{"_id":"d","new":1}', b"[", b'{"_id":"f"}']
    errors: list[DecodeError] = []
    records = decode_records(Task, rows, position=10, on_bad=errors.append)
    assert next(records).id == "a"
    assert next(records).extra == {"startTime": "soon"}
    assert errors == []
    assert [record.id for record in records] == ["d", "f"]
    assert [error.position for error in errors] == [12, 14]
