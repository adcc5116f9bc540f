"""Test ledgers: they record each chunk before it is sent and after it has ended, and a run resumes from them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from test_upsert_run import LOST, Planhat, accept, counted, finish, prepare, scripted

from planhat_async.batching.chunk_ledger import Recorded
from planhat_async.batching.chunks import Chunk
from planhat_async.batching.upsert_run import ChunkOptions, UpsertRun
from planhat_async.errors import PayloadTooLargeError
from planhat_async.results import ChunkResult


@attrs.define
class Book:
    """A ledger that records its calls and answers as a test says."""

    planhat: Planhat
    known: dict[int, Recorded] = attrs.field(factory=dict)
    fails_at: tuple[str, int] | None = None
    events: list[tuple[str, int, int]] = attrs.field(factory=list)
    """The event, the number of the chunk, and the number of requests so far."""

    async def begin_chunk(self, chunk: Chunk) -> Recorded | None:
        self._note("begin", chunk.number)
        return self.known.get(chunk.number)

    async def end_chunk(self, result: ChunkResult) -> None:
        self._note("end", result.number)

    def _note(self, what: str, number: int) -> None:
        self.events.append((what, number, len(self.planhat.sent)))
        if (what, number) == self.fails_at:
            raise OSError("no space left")

    def run(self, rows: list[Any], **options: Any) -> UpsertRun:
        chosen = ChunkOptions(**{"chunk_size": 2, "concurrency": 1, **options})
        return UpsertRun(rows, prepare=prepare, send=self.planhat.send, options=chosen, ledger=self)


async def test_a_ledger_records_a_chunk_before_it_is_sent_and_after_it_has_ended() -> None:
    """Chunks are recorded in order."""
    book = Book(Planhat())
    await finish(book.run(["a", "b", "c"]))
    assert book.events == [("begin", 0, 0), ("end", 0, 1), ("begin", 1, 1), ("end", 1, 2)]


async def test_a_halved_chunk_is_one_entry() -> None:
    """The number of halvings does not matter."""
    book = Book(Planhat(scripted(PayloadTooLargeError("too large", status=413))))
    await finish(book.run(["a", "b"]))
    assert (book.planhat.sent, book.events) == ([[0, 1], [0], [1]], [("begin", 0, 0), ("end", 0, 3)])


async def test_invalid_rows_are_recorded_too() -> None:
    """Without valid rows, they have a chunk of their own."""
    book = Book(Planhat())
    run = book.run([1, 2])
    await finish(run)
    assert (book.planhat.sent, book.events) == ([], [("begin", 0, 0), ("end", 0, 0)])
    assert counted(run.result) == {"invalid": 2}


async def test_a_recorded_chunk_is_not_sent() -> None:
    """The recorded outcome is the chunk's outcome."""
    book = Book(Planhat(), known={0: Recorded(settled=ChunkResult(number=0, updated=2))})
    run = book.run(["a", "b", "c"])
    await finish(run)
    assert (book.planhat.sent, counted(run.result)) == ([[2]], {"created": 1, "updated": 2})
    assert ("end", 0, 0) not in book.events


@pytest.mark.parametrize("fails_at", [("begin", 1), ("end", 0)])
async def test_no_chunk_is_sent_after_a_ledger_fails(fails_at: tuple[str, int]) -> None:
    """The run raises the error, and every row has an outcome."""
    book = Book(Planhat(accept), fails_at=fails_at)
    run = book.run(["a", "b", "c", "d", "e", "f"])
    with pytest.raises(OSError, match="no space left"):
        await finish(run)
    assert book.planhat.sent == [[0, 1]]
    assert (run.result.created, run.result.unsent) == (2, run.result.rows - 2)


async def test_a_chunk_in_flight_ends_after_a_ledger_fails() -> None:
    """The run waits for the answer and records it."""
    book = Book(Planhat(turns=[9]), fails_at=("begin", 1))
    run = book.run(["a", "b", "c", "d"], concurrency=2)
    with pytest.raises(OSError, match="no space left"):
        await finish(run)
    assert (run.result.created, run.result.unknown) == (2, 0)
    assert book.events[-1][:2] == ("end", 0)


async def test_a_stopped_run_waits_for_the_chunks_in_flight() -> None:
    """It sends no further chunk."""
    book = Book(Planhat(scripted(LOST)))
    run = book.run(["a", "b", "c", "d", "e"])
    async with run:
        assert counted(await anext(run)) == {"unknown": 2}
        run.stop()
        rest = [counted(chunk) async for chunk in run]
    assert rest[0] == {"created": 2}
    assert run.result.rows == 4 + run.result.unsent
