"""Test the store of records and its indexes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from planhat_async.sandbox.models.note_rules import NOTES
from planhat_async.sandbox.models.task_rules import TASKS
from planhat_async.sandbox.state import State
from planhat_async.sandbox.store import Collection, ObjectIds, decoded


def test_ids_begin_with_their_time_and_ascend() -> None:
    """An `_id` is 24 hex digits, the first 8 its creation time, and greater than all before, even if time goes back."""
    ids = ObjectIds(seed=0)
    made = [ids.new(now) for now in (1_657_015_336.9, 1_657_015_336.9, 1_657_015_337.0, 5.0)]
    assert [(len(record_id), int(record_id[:8], 16)) for record_id in made] == [
        (24, 1_657_015_336),
        (24, 1_657_015_336),
        (24, 1_657_015_337),
        (24, 1_657_015_337),
    ]
    assert made == sorted(set(made))


def test_the_seed_determines_the_ids() -> None:
    """The same seed creates the same `_id`s, another seed others."""
    assert ObjectIds(seed=1).new(0.0) == ObjectIds(seed=1).new(0.0) != ObjectIds(seed=2).new(0.0)


def test_a_new_id_is_unique() -> None:
    """An `_id` that a caller has added to any collection is skipped."""
    ids = ObjectIds(seed=0)
    state = State(seed=0)
    state.collection(TASKS).insert({"_id": ids.new(0.0)})
    state.collection(NOTES).insert({"_id": ids.new(0.0)})
    assert state.new_id(0.0) == ids.new(0.0)


def test_records_are_in_the_order_of_their_ids() -> None:
    """The order in which they are stored and removed does not matter."""
    collection = Collection()
    records = {name: {"_id": name} for name in "badc"}
    for record in records.values():
        collection.insert(record)
    assert [record["_id"] for record in collection.records()] == ["a", "b", "c", "d"]
    collection.remove(records["d"])
    collection.insert({"_id": "cc"})
    assert [decoded(text)["_id"] for text in collection.texts(descending=True)] == ["cc", "c", "b", "a"]
    assert len(collection) == 4
    assert "d" not in collection


def test_an_emptied_collection_is_empty() -> None:
    """Removing the last record of an unsorted collection empties it."""
    collection = Collection()
    for record_id in "ba":
        collection.insert({"_id": record_id})
    for record_id in "ab":
        record = collection.get(record_id)
        assert record is not None
        collection.remove(record)
    assert list(collection.records()) == []
    collection.insert({"_id": "0"})
    assert list(collection.records()) == [{"_id": "0"}]


def test_records_with_one_external_id_stay_in_order() -> None:
    """Writing an unchanged key does not move a record behind the others with that key."""
    collection = Collection(["externalId"])
    first, second = {"_id": "1", "externalId": "x"}, {"_id": "2", "externalId": "x"}
    collection.insert(first)
    collection.insert(second)
    collection.change(first, {"externalId": "x", "subject": "new"})
    assert _found(collection, "externalId", "x") == ["1", "2"]
    assert first["subject"] == "new"


def _found(collection: Collection, field: str, value: str) -> list[str]:
    """Return all records with a value, in the order in which they are found."""
    rest, ids = collection.copy(), []
    while (record := rest.find(field, value)) is not None:
        ids.append(record["_id"])
        rest.remove(record)
    return ids


def _texts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_OPERATIONS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y", None, 3, ["x", 3, "y", "x"], []]), st.booleans()),
    max_size=40,
)


@given(_OPERATIONS)
def test_the_indexes_agree_with_the_records(operations: list[tuple[str, Any, bool]]) -> None:
    """After any operations, a text finds exactly the records that contain it, alone or in a list."""
    collection = Collection(["sourceId"])
    expected: dict[str, list[Any]] = {}
    for record_id, source_id, is_removal in operations:
        record = collection.get(record_id)
        if record is None:
            collection.insert({"_id": record_id, "sourceId": source_id})
            expected[record_id] = _texts(source_id)
        elif is_removal:
            collection.remove(record)
            del expected[record_id]
        else:
            collection.change(record, {"sourceId": source_id})
            expected[record_id] = _texts(source_id)
    for value in ("x", "y"):
        found = sorted(_found(collection, "sourceId", value))
        assert found == sorted(record_id for record_id, held in expected.items() if value in held)
    assert [record["_id"] for record in collection.records()] == sorted(expected)
