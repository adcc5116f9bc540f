"""Ledgers: told of each chunk before it leaves and after it has ended, and what they know is gone on from."""

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
    """A ledger that notes what it is told, and knows what a test says."""

    planhat: Planhat
    known: dict[int, Recorded] = attrs.field(factory=dict)
    fails_at: tuple[str, int] | None = None
    told: list[tuple[str, int, int]] = attrs.field(factory=list)
    """What, of which chunk, after how many requests."""

    async def begin_chunk(self, chunk: Chunk) -> Recorded | None:
        self._note("begin", chunk.number)
        return self.known.get(chunk.number)

    async def end_chunk(self, result: ChunkResult) -> None:
        self._note("end", result.number)

    def _note(self, what: str, number: int) -> None:
        self.told.append((what, number, len(self.planhat.sent)))
        if (what, number) == self.fails_at:
            raise OSError("no space left")

    def run(self, rows: list[Any], **options: Any) -> UpsertRun:
        chosen = ChunkOptions(**{"chunk_size": 2, "concurrency": 1, **options})
        return UpsertRun(rows, prepare=prepare, send=self.planhat.send, options=chosen, ledger=self)


async def test_a_ledger_is_told_before_a_chunk_leaves_and_after_it_has_ended() -> None:
    """In the order of the chunks."""
    book = Book(Planhat())
    await finish(book.run(["a", "b", "c"]))
    assert book.told == [("begin", 0, 0), ("end", 0, 1), ("begin", 1, 1), ("end", 1, 2)]


async def test_the_parts_of_a_chunk_are_one_entry() -> None:
    """However often it is halved."""
    book = Book(Planhat(scripted(PayloadTooLargeError("too large", status=413))))
    await finish(book.run(["a", "b"]))
    assert (book.planhat.sent, book.told) == ([[0, 1], [0], [1]], [("begin", 0, 0), ("end", 0, 3)])


async def test_rows_that_were_refused_beforehand_are_told_of_too() -> None:
    """They have a chunk of their own where nothing else is in it."""
    book = Book(Planhat())
    run = book.run([1, 2])
    await finish(run)
    assert (book.planhat.sent, book.told) == ([], [("begin", 0, 0), ("end", 0, 0)])
    assert counted(run.result) == {"invalid": 2}


async def test_what_a_ledger_knows_is_not_sent() -> None:
    """Its account is the chunk's."""
    book = Book(Planhat(), known={0: Recorded(settled=ChunkResult(number=0, updated=2))})
    run = book.run(["a", "b", "c"])
    await finish(run)
    assert (book.planhat.sent, counted(run.result)) == ([[2]], {"created": 1, "updated": 2})
    assert ("end", 0, 0) not in book.told


@pytest.mark.parametrize("fails_at", [("begin", 1), ("end", 0)])
async def test_where_a_ledger_fails_nothing_more_leaves(fails_at: tuple[str, int]) -> None:
    """The run raises it, with every row accounted for."""
    book = Book(Planhat(accept), fails_at=fails_at)
    run = book.run(["a", "b", "c", "d", "e", "f"])
    with pytest.raises(OSError, match="no space left"):
        await finish(run)
    assert book.planhat.sent == [[0, 1]]
    assert (run.result.created, run.result.unsent) == (2, run.result.rows - 2)


async def test_what_is_in_flight_ends_where_a_ledger_fails() -> None:
    """Its answer is waited for, and told."""
    book = Book(Planhat(turns=[9]), fails_at=("begin", 1))
    run = book.run(["a", "b", "c", "d"], concurrency=2)
    with pytest.raises(OSError, match="no space left"):
        await finish(run)
    assert (run.result.created, run.result.unknown) == (2, 0)
    assert book.told[-1][:2] == ("end", 0)


async def test_a_run_that_is_stopped_ends_what_is_in_flight() -> None:
    """And sends nothing more."""
    book = Book(Planhat(scripted(LOST)))
    run = book.run(["a", "b", "c", "d", "e"])
    async with run:
        assert counted(await anext(run)) == {"unknown": 2}
        run.stop()
        rest = [counted(chunk) async for chunk in run]
    assert rest[0] == {"created": 2}
    assert run.result.rows == 4 + run.result.unsent
