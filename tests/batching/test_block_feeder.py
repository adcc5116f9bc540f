"""Test that rows in blocks have the same outcome as rows one by one."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async import Note, Notes, Task, Tasks, Ticket, Tickets
from planhat_async._convert import row_shapes
from planhat_async._convert.row_blocks import BlockEncoder, RowBlock, block_encoder, rows_in_array
from planhat_async.batching.block_feeder import BlockFeeder
from planhat_async.batching.chunker import Chunker
from planhat_async.batching.chunks import Chunk, doubtful_in, ranges_in_order
from planhat_async.batching.input_producer import InputProducer
from planhat_async.records import Model
from planhat_async.results import merged

ID = "507f1f77bcf86cd799439011"
COMPANY = "507f191e810c19729de860ea"


@pytest.fixture(autouse=True)
def learns_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generate the check of a shape when its second row comes."""
    monkeypatch.setattr(row_shapes, "_MIN_SEEN", 1)


async def cut(
    model: Model,
    rows: Any,
    *,
    in_blocks: bool,
    chunk_size: int = 5000,
    max_bytes: int = 8_000_000,
    on_chunk: Callable[[Chunk], object] = lambda _: None,
) -> tuple[list[Chunk], BlockFeeder]:
    """Return the chunks into which rows are cut, also if the input fails."""
    repository: Any = {"Ticket": Tickets, "Task": Tasks, "Note": Notes}[model.record.__name__]
    chunks: list[Chunk] = []
    chunker = Chunker(chunk_size=chunk_size, max_bytes=max_bytes)
    feeder = BlockFeeder(BlockEncoder(row_shapes.RowShapes(model)).fill, chunker)

    async def hand_on(chunk: Chunk) -> None:
        chunks.append(chunk)
        on_chunk(chunk)

    prepare = repository(None)._preparing(None)
    producer = InputProducer(rows, prepare, chunker, hand_on, feeder=feeder if in_blocks else None)
    try:
        await producer.run()
    except OSError:
        chunker.end_input()
        chunks += chunker.due()
    return chunks, feeder


def facts_of(chunk: Chunk) -> tuple[Any, ...]:
    """Everything that a chunk is."""
    rows = [(row.position, row.keys, row.data, row.is_partial) for row in chunk.rows]
    doubtful = [row.position for row in doubtful_in(chunk.rows)]
    return (
        chunk.number, chunk.body, rows, len(chunk.rows), {*chunk.keys}, chunk.invalid, chunk.positions, chunk.is_only,
        doubtful, ranges_in_order(chunk.rows),
    )  # fmt: skip


def assert_same(model: Model, rows: list[Any], **options: Any) -> None:
    """Assert that rows in blocks are cut into the same chunks as rows one by one."""
    expected, _ = asyncio.run(cut(model, copy.deepcopy(rows), in_blocks=False, **options))
    found, _ = asyncio.run(cut(model, copy.deepcopy(rows), in_blocks=True, **options))
    assert [facts_of(one) for one in found] == [facts_of(one) for one in expected]


def ticket(n: int, **more: Any) -> dict[str, Any]:
    return {"sourceId": f"t-{n}", "email": "ada@acme.example", "domains": ["acme.example"], "title": "Hi"} | more


keys = st.sampled_from(["a", "b", "c1", "d", "e", "f", "g", "h", "\u2009", "", "ä", None, 5])
values = {
    "email": st.sampled_from(
        ["ada@acme.example", "b.c@acme.example", "ä@acme.example", "", " x@y.example", "no", None]
    ),
    "domains": st.sampled_from([["a.example"], ["a.example", "b.example"], [" "], [], [1], None, "x"]),
    "title": st.sampled_from(["t", "x" * 90, "\ud800", None, 1, True]),
    "timeSpent": st.sampled_from([1, 1.5, float("nan"), 10**30, None, "1"]),
    "companyId": st.sampled_from([COMPANY, "extid-x", "", None, "nope"]),
    "createDate": st.sampled_from(["2024-01-01T00:00:00.000Z", "yesterday", None]),
    "custom": st.sampled_from([{"a": 1}, {"b": "\ud800"}, {"c": {"d": float("inf")}}, {}, None]),
}
mappings = st.fixed_dictionaries({}, optional={"sourceId": keys, "_id": st.sampled_from([ID, "x", None]), **values})
good = st.builds(ticket, st.integers(0, 8), timeSpent=st.integers(0, 9))
snake = st.builds(
    lambda n: {"source_id": f"s{n}", "email": "ada@acme.example", "company_id": COMPANY}, st.integers(0, 9)
)
records = st.builds(
    lambda n, custom: Ticket(source_id=f"r{n}", email="ada@acme.example", domains=["a.example"], custom=custom),
    st.integers(0, 9),
    st.sampled_from([{}, {"a": 1}, {"a": float("nan")}]),
)
others = st.sampled_from([None, {}, 5, {"nope": 1}, {"sourceId": "a", "source_id": "b"}])


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.lists(good | good | mappings | snake | records | others, max_size=40), st.integers(1, 9), st.integers(80, 900)
)
@pytest.mark.slow
def test_blocks_change_nothing(rows: list[Any], chunk_size: int, max_bytes: int) -> None:
    """Chunks, their bytes, keys and positions, and invalid rows are the same, whatever the rows hold."""
    row_shapes._MIN_SEEN = 1
    assert_same(Tickets.model, rows * 2, chunk_size=chunk_size, max_bytes=max_bytes)


def test_rows_of_one_shape_are_in_blocks() -> None:
    """Rows of one shape are cut into the same chunks, and none of them is made into an object."""
    rows = [ticket(n) for n in range(250)]
    assert_same(Tickets.model, rows, chunk_size=100)
    chunks, _ = asyncio.run(cut(Tickets.model, rows, in_blocks=True, chunk_size=100))
    assert [getattr(chunk.rows, "_made", 0) for chunk in chunks] == [None, None, None]


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (Tasks.model, [{"mainType": "task", "action": f"a{n}", "companyId": COMPANY} for n in range(9)]),
        (Tasks.model, [Task(action=f"a{n}", company_id=COMPANY) for n in range(9)]),
        (Notes.model, [{"companyId": COMPANY, "subject": f"s{n}"} for n in range(9)]),
        (Notes.model, [{"companyId": COMPANY, "subject": f"s{n}", "type": "call"} for n in range(9)]),
        (Notes.model, [Note(company_id=COMPANY, external_id=f"n{n}") for n in range(9)]),
        (Tickets.model, [{"sourceId": f"t{n}", "status": "open"} for n in range(9)]),
        (Tickets.model, [ticket(n % 5) for n in range(90)]),
        (Tickets.model, [ticket(n, title="x" * 10 ** (n % 6)) for n in range(30)]),
    ],
)
def test_rows_of_every_kind(model: Model, rows: list[Any]) -> None:
    """Keyless, partial, repeated and huge rows are cut into the same chunks."""
    assert_same(model, rows, chunk_size=7, max_bytes=20_000)


def test_a_row_may_be_changed_once_the_next_is_asked_for() -> None:
    """An input that yields one dict again and again is sent as it was each time."""

    def rows() -> Iterator[dict[str, Any]]:
        row = ticket(0)
        for n in range(20):
            row["sourceId"] = f"t-{n}"
            row["domains"][0] = f"{n}.example"
            yield row

    (chunk,), _ = asyncio.run(cut(Tickets.model, rows(), in_blocks=True))
    assert rows_in_array(chunk.body)[7] == (
        b'{"sourceId":"t-7","email":"ada@acme.example","domains":["7.example"],"title":"Hi"}'
    )


@pytest.mark.parametrize("is_async", [False, True])
def test_rows_before_a_failure_of_the_input_are_kept(*, is_async: bool) -> None:
    """An input that fails in the middle of a block loses no row."""

    def rows() -> Iterator[dict[str, Any]]:
        yield from (ticket(n) for n in range(20))
        raise OSError

    async def later() -> AsyncIterator[dict[str, Any]]:
        for row in rows():
            yield row

    (chunk,), _ = asyncio.run(cut(Tickets.model, later() if is_async else rows(), in_blocks=True))
    assert chunk.positions == (range(20),)


def test_a_cancellation_loses_no_row_of_a_block() -> None:
    """Rows of a block whose keys repeat, and the row after it, are kept if the run is cancelled among them."""
    rows = iter([*(ticket(n // 2) for n in range(40)), {"sourceId": "x", "nope": 1}, ticket(99)])
    chunks: list[Chunk] = []
    chunker = Chunker(chunk_size=3, max_bytes=8_000_000)
    encoder = BlockEncoder(row_shapes.RowShapes(Tickets.model))

    def fill(block: RowBlock, taken: Iterator[Any], *, max_rows: int, max_bytes: int) -> Any:
        """Fill a block with more rows than a chunk has room for."""
        return encoder.fill(block, taken, max_rows=max_rows * 100, max_bytes=max_bytes)

    async def hand_on(chunk: Chunk) -> None:
        chunks.append(chunk)
        if len(chunks) == 2:
            raise asyncio.CancelledError

    async def run() -> None:
        prepare = cast("Any", Tickets)(None)._preparing(None)
        with pytest.raises(asyncio.CancelledError):
            await InputProducer(rows, prepare, chunker, hand_on, feeder=BlockFeeder(fill, chunker)).run()

    asyncio.run(run())
    assert len(list(rows)) == 1
    chunker.end_input()
    chunks += chunker.due()
    assert merged(one for chunk in chunks for one in chunk.positions) == (range(41),)


def test_a_row_of_a_block_stays_behind_a_waiting_row_of_its_key() -> None:
    """The waiting row has two keys, of which only the other one is in the open chunk."""
    fields = {"companyId": COMPANY, "action": "Call"}
    others = [{"_id": f"{n:024x}", **fields} for n in range(1, 20)]
    rows = [*others, {"sourceId": "a", **fields}, {"_id": ID, "sourceId": "a", **fields}, {"_id": ID, **fields}]
    assert_same(Tasks.model, [*rows, *({"_id": f"{n:024x}", **fields} for n in range(20, 40))])


def test_a_quick_check_that_fails_loses_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row's own checks decide; for example, values nested too deeply for the quick one."""

    def is_plain(value: Any) -> bool:
        if value["n"] in {7, 8}:
            raise RecursionError
        return True

    monkeypatch.setattr(row_shapes, "is_plain", is_plain)
    fields = {"companyId": COMPANY, "action": "Call"}
    assert_same(Tasks.model, [{"sourceId": f"s{n}", **fields, "custom": {"n": n}} for n in range(20)])
    unknown = [{"sourceId": f"t{n}", "custom": {"n": n % 9}, **fields} for n in range(20)]
    assert_same(
        Tasks.model, [row for pair in zip(unknown, map(of_another_shape, unknown), strict=True) for row in pair]
    )


def of_another_shape(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of another shape, so that each row's shape is looked up."""
    return {**row, "sourceId": f"{row['sourceId']}-2", "type": "task"}


def test_upserts_share_no_shape_of_a_last_row() -> None:
    """They may run in several threads; what they have learned of shapes is shared."""
    one, two = (block_encoder(Tasks.model, passes_keyless=True) for _ in range(2))
    assert one is not two
    assert one._shapes is two._shapes


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("options", [{"chunk_size": 10}, {"max_bytes": 800}])
def test_the_input_is_not_read_ahead(options: dict[str, int], *, is_async: bool) -> None:
    """A chunk is handed on as soon as its last row is there, or the first that it has no room for."""

    def seen(*, in_blocks: bool) -> list[int]:
        n_read, at = 0, []

        def rows() -> Iterator[dict[str, Any]]:
            nonlocal n_read
            for n in range(40):
                n_read += 1
                yield ticket(n)

        async def later() -> AsyncIterator[dict[str, Any]]:
            for row in rows():
                yield row

        source = later() if is_async else rows()
        asyncio.run(cut(Tickets.model, source, in_blocks=in_blocks, on_chunk=lambda _: at.append(n_read), **options))
        return at

    assert len(seen(in_blocks=True)) > 3
    assert seen(in_blocks=True) == seen(in_blocks=False)


def test_rows_that_make_no_blocks_go_one_by_one() -> None:
    """Where shapes change from row to row, most rows are not tried in blocks."""
    rows: list[Any] = [{**ticket(n), **({} if n % 2 else {"createDate": "x"})} for n in range(1500)]
    tried = 0

    async def run() -> None:
        nonlocal tried
        chunker = Chunker(chunk_size=5000, max_bytes=8_000_000)
        encoder = BlockEncoder(row_shapes.RowShapes(Tickets.model))

        def fill(block: RowBlock, taken: Iterator[Any], *, max_rows: int, max_bytes: int) -> Any:
            nonlocal tried
            tried += 1
            return encoder.fill(block, taken, max_rows=max_rows, max_bytes=max_bytes)

        async def hand_on(_: Chunk) -> None: ...

        feeder = BlockFeeder(fill, chunker)
        prepare = cast("Any", Tickets)(None)._preparing(None)
        await InputProducer(rows, prepare, chunker, hand_on, feeder=feeder).run()

    asyncio.run(run())
    assert tried == 81  # sixteen at a time, ever more rarely
    assert_same(Tickets.model, rows)


def test_few_shapes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the shapes nor the candidates grow without bound."""
    monkeypatch.setattr(row_shapes, "_MAX_SHAPES", 3)
    monkeypatch.setattr(row_shapes, "_MAX_CANDIDATES", 4)
    monkeypatch.setattr(row_shapes, "_MIN_SEEN", 2)
    shapes = row_shapes.RowShapes(Tickets.model)
    for n in range(20):
        shapes.note((f"x{n}",))
    assert len(shapes._n_seen) <= 4
    for n in range(5):
        shapes.note((f"y{n}",))
        shapes.note((f"y{n}",))
    assert len(shapes.known) == 3
