"""Test a running upsert: what is sent, in which order, and the outcome of every row."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import attrs
import pytest
from event_loops import counts_steps
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeded

from planhat_async.batching.answers import Answer
from planhat_async.batching.chunks import Row
from planhat_async.batching.upsert_run import ChunkOptions, UpsertRun
from planhat_async.errors import (
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotFoundError,
    NotSentError,
    PayloadTooLargeError,
    PermissionDeniedError,
    PlanhatError,
    RateLimitedError,
    ServerError,
    StatusError,
    UnknownOutcomeError,
)
from planhat_async.results import ChunkResult, Outcome, UpsertResult

Said = tuple[int, Any] | Exception
TOO_LARGE = PayloadTooLargeError("too large", status=413)
LOST = UnknownOutcomeError("no answer")


def prepare(position: int, item: Any) -> Row:
    """Text is a keyed row, `None` a keyless one; a number is invalid, and any other object raises."""
    if item is not None and not isinstance(item, str):
        raise {int: ValueError, float: TypeError}.get(type(item), LookupError)("wrong")
    return Row(position=position, keys=(f"sourceId={item}",) if item else (), data=str(position).encode())


def accept(rows: list[int]) -> Said:
    return 200, {"created": len(rows), "updated": 0, "nonupdates": 0}


@attrs.define
class Planhat:
    """Records bodies, and answers each as the test says once the gate is open."""

    answer: Callable[[list[int]], Said] = accept
    turns: list[int] = attrs.field(factory=lambda: [1])
    """The turns of the event loop that requests take, in a cycle."""
    gate: asyncio.Event = attrs.field(factory=asyncio.Event)
    pace: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Holds requests back before they are sent."""
    sent: list[list[int]] = attrs.field(factory=list)
    keyed: list[bool] = attrs.field(factory=list)
    in_flight: list[list[int]] = attrs.field(factory=list)
    crowds: list[list[list[int]]] = attrs.field(factory=list)
    """The number of requests in flight whenever a request began."""

    def __attrs_post_init__(self) -> None:
        self.gate.set()
        self.pace.set()

    async def send(self, body: bytes, *, is_keyed: bool, on_sent: Callable[[], None], **_others: object) -> Answer:
        rows: list[int] = json.loads(body)
        n_turns = self.turns[len(self.sent) % len(self.turns)]
        self.sent.append(rows)
        self.keyed.append(is_keyed)
        self.in_flight.append(rows)
        self.crowds.append(list(self.in_flight))
        try:
            await self.pace.wait()
            on_sent()
            await self.gate.wait()
            for _ in range(n_turns):
                await asyncio.sleep(0)
        finally:
            self.in_flight.remove(rows)
        answer = self.answer(rows)
        if isinstance(answer, Exception):
            raise answer
        status, counts = answer
        return Answer(status=status, body=counts)

    def run(self, rows: Iterable[Any] | AsyncIterable[Any], **options: Any) -> UpsertRun:
        chosen = ChunkOptions(**{"chunk_size": 2, "concurrency": 2, **options})
        return UpsertRun(rows, prepare=prepare, send=self.send, options=chosen)


@attrs.define
class Source:
    """An input that counts the rows taken from it."""

    items: list[Any]
    fails_with: BaseException | None = None
    n_taken: int = 0
    n_turns: int = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            self.n_taken += 1
            yield item
        if self.fails_with is not None:
            raise self.fails_with

    async def stream(self) -> AsyncGenerator[Any, None]:
        for item in self.items:
            for _ in range(self.n_turns):
                await asyncio.sleep(0)
            self.n_taken += 1
            yield item
        if self.fails_with is not None:
            raise self.fails_with


def scripted(*answers: Said | None) -> Callable[[list[int]], Said]:
    """Return these answers in order, `None` for a good one; then good ones for ever."""
    left = list(answers)
    return lambda rows: (left.pop(0) if left else None) or accept(rows)


def counted(result: UpsertResult | ChunkResult) -> dict[str, int]:
    return {name: n_rows for name, n_rows in result.counts().items() if n_rows}


def positions(chunks: Iterable[ChunkResult]) -> list[int]:
    return sorted(position for chunk in chunks for part in chunk.positions for position in part)


async def finish(run: UpsertRun) -> list[ChunkResult]:
    async with asyncio.timeout(60), run:
        return [chunk async for chunk in run]


async def note_chunks(run: UpsertRun, chunks: list[ChunkResult]) -> None:
    async for chunk in run:
        chunks.append(chunk)  # noqa: PERF401 - a comprehension would lose them


async def settle(n_turns: int = 20) -> None:
    """Run everything that can run."""
    for _ in range(n_turns):
        await asyncio.sleep(0)


def others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


# Sending.


@pytest.mark.parametrize(("n_rows", "sent"), [(0, []), (1, [[0]]), (2, [[0, 1]]), (3, [[0, 1], [2]])])
@pytest.mark.parametrize("is_async", [True, False])
async def test_rows_are_sent_in_chunks(n_rows: int, sent: list[list[int]], *, is_async: bool) -> None:
    """Any iterable works, sync or async, empty or not."""
    planhat = Planhat()
    source = Source([str(n) for n in range(n_rows)])
    run = planhat.run(source.stream() if is_async else source)
    chunks = await finish(run)
    assert planhat.sent == sent
    assert (run.result.counts()["created"], run.result.rows, run.result.n_chunks) == (n_rows, n_rows, len(sent))
    assert [chunk.rows for chunk in chunks] == [len(rows) for rows in sent]


async def test_keyed_and_keyless_rows_are_sent_separately() -> None:
    """`send` receives whether the body may be repeated."""
    planhat = Planhat()
    await finish(planhat.run(["a", None, "b", None, None]))
    assert list(zip(planhat.sent, planhat.keyed, strict=True)) == [([0, 2], True), ([1, 3], False), ([4], False)]


async def test_invalid_rows_are_not_sent_and_have_a_reason() -> None:
    """A ValueError or TypeError while a row is prepared refuses the row, not the run."""
    planhat = Planhat()
    run = planhat.run(["a", 1, 2.0, "b"])
    await finish(run)
    assert (planhat.sent, counted(run.result)) == ([[0, 3]], {"created": 2, "invalid": 2})
    assert run.result.not_stored == {Outcome.INVALID: (range(1, 3),)}
    assert {problem.reason for problem in run.result.problems} == {"wrong"}


async def test_an_input_without_a_valid_row_sends_nothing() -> None:
    """Its rows are reported, chunk by chunk."""
    planhat = Planhat()
    run = planhat.run([1] * 5)
    chunks = await finish(run)
    assert (planhat.sent, counted(run.result)) == ([], {"invalid": 5})
    assert [counted(chunk) for chunk in chunks] == [{"invalid": 2}, {"invalid": 2}, {"invalid": 1}]


@pytest.mark.parametrize("concurrency", [1, 2, 3])
async def test_as_many_chunks_are_in_flight_as_allowed(concurrency: int) -> None:
    """The bound is reached and never exceeded."""
    planhat = Planhat(turns=[5, 1, 3])
    await finish(planhat.run(map(str, range(24)), concurrency=concurrency))
    assert max(map(len, planhat.crowds)) == concurrency
    assert sorted(position for rows in planhat.sent for position in rows) == list(range(24))


async def test_the_input_waits_for_the_network() -> None:
    """A bounded number of rows is taken from an input of any length while no request is answered."""
    planhat = Planhat()
    planhat.gate.clear()
    source = Source([str(n) for n in range(1000)])
    run = planhat.run(source)
    task = asyncio.create_task(finish(run))
    await settle(100)
    # Two chunks are in flight, and two are cut.
    assert (planhat.sent, source.n_taken) == ([[0, 1], [2, 3]], 8)
    planhat.gate.set()
    await task
    assert (run.result.created, source.n_taken) == (1000, 1000)


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize(("n_rows", "n_bytes", "n_turns"), [(1000, 10, 9), (20, 300_000, 19)])
async def test_other_tasks_run_while_rows_are_prepared(
    n_rows: int, n_bytes: int, n_turns: int, *, is_async: bool
) -> None:
    """They run after a number of rows or bytes, whether a chunk is full or not."""
    turns, seen = 0, []

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def prepare_large(position: int, item: str) -> Row:
        seen.append(turns)
        return Row(position, (), b'"' + item.encode() + b'"')

    class Reread(Source, Sequence[str]):
        """A sequence, which is validated before the run."""

        def __getitem__(self, index: Any) -> Any:
            return self.items[index]

        def __len__(self) -> int:
            return len(self.items)

    source = Reread(["1" * n_bytes] * n_rows)
    options = ChunkOptions(max_bytes=30_000_000, on_invalid="raise")
    rows: Any = source.stream() if is_async else source
    run = UpsertRun(rows, prepare=prepare_large, send=Planhat().send, options=options)
    counter = asyncio.create_task(count())
    await finish(run)
    counter.cancel()
    assert seen[n_rows - 1] - seen[0] >= n_turns
    assert is_async or seen[-1] - seen[n_rows] >= n_turns


async def test_the_input_waits_for_the_reader() -> None:
    """A slow reader of chunks slows the input."""
    planhat = Planhat()
    source = Source([str(n) for n in range(1000)])
    async with planhat.run(source) as run:
        await anext(run)
        await settle()
        n_sent, n_taken = len(planhat.sent), source.n_taken
        await settle(100)
        assert (len(planhat.sent), source.n_taken) == (n_sent, n_taken)
    assert n_taken < 20


@pytest.mark.slow
@seeded
@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=30),
    st.lists(st.integers(0, 6), min_size=1, max_size=5),
    st.integers(1, 4),
    st.integers(1, 4),
)
async def test_writes_to_one_key_arrive_in_order(
    items: list[str | None], turns: list[int], chunk_size: int, concurrency: int
) -> None:
    """No two requests in flight share a key, and each key's rows are sent in the order of the input."""
    planhat = Planhat(turns=turns)
    await finish(planhat.run(items, chunk_size=chunk_size, concurrency=concurrency))
    for crowd in planhat.crowds:
        keys = [items[position] for rows in crowd for position in rows if items[position]]
        assert len(set(keys)) == len(keys)
    for key in "abcd":
        sent = [position for rows in planhat.sent for position in rows if items[position] == key]
        assert sent == [position for position, item in enumerate(items) if item == key]
    assert sorted(position for rows in planhat.sent for position in rows) == list(range(len(items)))


async def test_a_chunk_is_sent_as_soon_as_it_is_cut() -> None:
    """An input that pauses, perhaps for ever, does not delay a complete chunk."""
    planhat = Planhat()
    pause = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        for n in range(3):
            yield str(n)
        await pause.wait()

    task = asyncio.create_task(finish(planhat.run(slowly())))
    await settle()
    sent = list(planhat.sent)
    pause.set()
    await task
    assert sent == [[0, 1]]


# Outcomes.

MIXED: list[Callable[[list[int]], Said]] = [
    accept,
    lambda _: LOST,
    lambda _: ServerError("down", status=503),
    lambda _: TOO_LARGE,
    lambda _: DecodeError("not JSON"),
    lambda _: NotSentError("refused"),
    lambda _: AuthenticationError("no", status=401),
    lambda _: NotFoundError("no", status=404),
    lambda _: (200, {"created": 1, "updated": 0}),
    lambda _: (206, {"created": 0, "nonupdates": 0, "newErrors": ["x"]}),
    lambda rows: (400, {"createdErrors": [{"sourceId": "abcd"[rows[0] % 4], "error": "no"}]}),
    lambda _: (403, {"error": "no"}),
    lambda _: (200, "odd"),
]


@pytest.mark.slow
@seeded
@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", None, 1]), max_size=24),
    st.lists(st.sampled_from(range(len(MIXED))), max_size=8),
    st.integers(1, 4),
    st.integers(1, 3),
)
async def test_rows_are_conserved_under_any_answers(
    items: list[Any], script: list[int], chunk_size: int, concurrency: int
) -> None:
    """In total and per chunk, every row taken has exactly one outcome, for any answer."""
    left = [MIXED[number] for number in script]
    planhat = Planhat(answer=lambda rows: left.pop(0)(rows) if left else accept(rows), turns=[2, 0, 1])
    source = Source(items)
    run = planhat.run(source, chunk_size=chunk_size, concurrency=concurrency)
    chunks = await finish(run)
    assert run.result.rows == sum(chunk.rows for chunk in chunks) == source.n_taken
    assert positions(chunks) == list(range(source.n_taken))
    assert all(chunk.rows == len(positions([chunk])) for chunk in chunks)
    assert source.n_taken == len(items) or run.result.stopped_by is not None


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UnknownOutcomeError("lost"), "unknown"),
        (ServerError("down", status=500), "unknown"),
        (BadRequestError("no", status=400), "rejected"),
        (TOO_LARGE, "rejected"),
    ],
)
@pytest.mark.parametrize("key", ["a", None])
async def test_an_error_of_one_chunk_does_not_affect_the_others(
    error: PlanhatError, outcome: str, key: str | None
) -> None:
    """Its rows have an outcome, the chunk holds the error, no row is repeated, and the next chunk is sent."""
    planhat = Planhat(answer=scripted(error))
    run = planhat.run([key, 1, "b" if key else None], chunk_size=1, concurrency=1)
    chunks = await finish(run)
    assert planhat.sent == [[0], [2]]
    assert counted(run.result) == {outcome: 1, "invalid": 1, "created": 1}
    assert ([chunk.error for chunk in chunks if chunk.error], run.result.stopped_by) == ([error], None)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (AuthenticationError("no", status=401), "unsent"),
        (PermissionDeniedError("no", status=403), "rejected"),
        (NotFoundError("no", status=404), "rejected"),
        (StatusError("moved", status=302), "rejected"),
        (NotSentError("unreachable"), "unsent"),
        (RateLimitedError("slow", status=429), "unsent"),
    ],
)
async def test_a_refused_token_stops_the_run(error: PlanhatError, outcome: str) -> None:
    """No more rows are sent or read; the rows already taken are unsent, and the result holds the error."""
    planhat = Planhat(answer=scripted(error))
    source = Source([str(n) for n in range(1000)])
    run = planhat.run(source, chunk_size=1, concurrency=1)
    chunks = await finish(run)
    assert (planhat.sent, run.result.stopped_by) == ([[0]], error)
    assert counted(chunks[0]) == {outcome: 1}
    assert sum(chunk.unsent for chunk in chunks[1:]) == run.result.rows - 1 == source.n_taken - 1
    assert source.n_taken < 10
    assert run.result.problems[-1].reason == "not sent: an error had stopped the run before"


async def test_the_first_refusal_is_reported() -> None:
    """Chunks in flight beside it end normally and do not change the reported error."""
    first, second = AuthenticationError("first", status=401), AuthenticationError("second", status=401)
    planhat = Planhat(answer=scripted(first, second))
    run = planhat.run(map(str, range(4)))
    await finish(run)
    assert (run.result.stopped_by, counted(run.result)) == (first, {"unsent": 4})


async def test_a_chunk_that_is_too_large_is_halved() -> None:
    """Halves are sent in order, and halved again while Planhat refuses them."""
    planhat = Planhat(answer=lambda rows: TOO_LARGE if len(rows) > 1 else accept(rows))
    run = planhat.run(map(str, range(5)), chunk_size=5)
    (chunk,) = await finish(run)
    assert planhat.sent == [[0, 1, 2, 3, 4], [0, 1], [0], [1], [2, 3, 4], [2], [3, 4], [3], [4]]
    assert (counted(chunk), chunk.error) == ({"created": 5}, None)


async def test_a_single_row_that_is_too_large_is_rejected() -> None:
    """The rest of its chunk is stored."""
    planhat = Planhat(answer=lambda rows: TOO_LARGE if 1 in rows else accept(rows))
    run = planhat.run(map(str, range(3)), chunk_size=3)
    (chunk,) = await finish(run)
    assert (counted(chunk), chunk.not_stored) == ({"created": 2, "rejected": 1}, {Outcome.REJECTED: (range(1, 2),)})


@pytest.mark.parametrize("is_keyed", [True, False])
async def test_rows_that_a_refusal_does_not_blame_are_sent_again(*, is_keyed: bool) -> None:
    """Keyed rows are sent again; the outcome of keyless rows is unknown."""
    blames = (400, {"createdErrors": [{"sourceId": "1", "error": "no"} if is_keyed else "no"]})
    planhat = Planhat(answer=scripted(blames))
    run = planhat.run([str(n) if is_keyed else None for n in range(3)], chunk_size=3)
    await finish(run)
    assert planhat.sent == ([[0, 1, 2], [0, 2]] if is_keyed else [[0, 1, 2]])
    assert counted(run.result) == {"rejected": 1, "created" if is_keyed else "unknown": 2}


async def test_a_chunk_is_refused_at_most_a_hundred_times() -> None:
    """Every row has an outcome after 100 refusals: only the first row is certainly not stored."""

    def blame_first(rows: list[int]) -> Said:
        return 400, {"createdErrors": [{"sourceId": str(rows[0]), "error": "no"}]}

    planhat = Planhat(answer=blame_first)
    run = planhat.run(map(str, range(150)), chunk_size=150)
    await finish(run)
    assert (len(planhat.sent), counted(run.result)) == (100, {"rejected": 1, "unknown": 149})


async def test_rows_of_a_refused_body_that_are_not_sent_again_are_unsent() -> None:
    """A 413 processes no row: rows without another request by the end are unsent."""
    planhat = Planhat(answer=scripted(TOO_LARGE, RuntimeError("fault")))
    run = planhat.run([None] * 4, chunk_size=4)
    with pytest.raises(RuntimeError, match="fault"):
        await finish(run)
    assert (planhat.sent, counted(run.result)) == ([[0, 1, 2, 3], [0, 1]], {"unknown": 2, "unsent": 2})


# Exceptions.


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("n_good", [0, 1, 4, 7])
async def test_an_exception_of_the_input_reaches_the_caller(n_good: int, *, is_async: bool) -> None:
    """It is raised unchanged, once every row taken before it has an outcome."""
    source = Source([str(n) for n in range(n_good)], fails_with=LookupError("broken file"))
    run = Planhat().run(source.stream() if is_async else source)
    with pytest.raises(LookupError, match="broken file"):
        await finish(run)
    assert (run.result.rows, run.result.created + run.result.unsent) == (n_good, n_good)
    assert others() == set()


async def test_a_cancelled_input_is_not_an_exhausted_input() -> None:
    """A cancellation inside the input, for example of a task it awaits, does not end it normally."""
    run = Planhat().run(Source(["a", "b", "c"], fails_with=asyncio.CancelledError()).stream())
    with pytest.raises(asyncio.CancelledError):
        await finish(run)
    assert run.result.rows == 3


@pytest.mark.parametrize("rows", [7, None])
async def test_an_input_that_is_not_iterable_is_a_type_error(rows: Any) -> None:
    """No row is sent."""
    planhat = Planhat()
    with pytest.raises(TypeError, match="not iterable"):
        await finish(planhat.run(rows))
    assert planhat.sent == []


async def test_an_unexpected_exception_of_a_row_is_reported() -> None:
    """The exception reaches the caller, and the row has an outcome like the others."""
    run = Planhat().run(["a", object(), "b"])
    with pytest.raises(LookupError):
        await finish(run)
    assert run.result.rows == 2


async def test_an_exception_of_send_reaches_the_caller() -> None:
    """It is raised once all chunks in flight have ended; its row is unknown, rows never sent are unsent."""
    planhat = Planhat(answer=lambda rows: RuntimeError("fault") if rows == [0] else accept(rows), turns=[1, 5])
    source = Source([str(n) for n in range(1000)])
    run = planhat.run(source, chunk_size=1)
    with pytest.raises(RuntimeError, match="fault"):
        await finish(run)
    assert planhat.sent == [[0], [1]]
    assert counted(run.result) == {"unknown": 1, "created": 1, "unsent": source.n_taken - 2}
    assert run.result.problems[-1].reason == "not sent: the run ended first"


async def test_results_come_before_the_exception() -> None:
    """The reader gets the result of every chunk, then the exception, once, then the end."""
    planhat = Planhat(answer=scripted(RuntimeError("fault")))
    run = planhat.run(["a", "b", "c"], chunk_size=1, concurrency=1)
    chunks: list[ChunkResult] = []
    with pytest.raises(RuntimeError, match="fault"):
        await note_chunks(run, chunks)
    assert (positions(chunks), [chunk async for chunk in run]) == ([0, 1, 2], [])


async def test_the_first_of_two_exceptions_reaches_the_caller() -> None:
    """The other one is not logged as never retrieved."""
    planhat = Planhat(answer=scripted(RuntimeError("first"), RuntimeError("second")))
    with pytest.raises(RuntimeError, match="first"):
        await finish(planhat.run(["a", "b"], chunk_size=1))


# The end of a run.


async def test_iterating_after_the_end_yields_nothing() -> None:
    """Each chunk's result is yielded once."""
    planhat = Planhat()
    run = planhat.run(map(str, range(7)))
    first = await finish(run)
    assert (sorted(chunk.number for chunk in first), [chunk async for chunk in run]) == ([0, 1, 2, 3], [])


async def test_closing_again_changes_nothing() -> None:
    """A run that has ended does not change."""
    run = Planhat().run(["a", "b", "c"])
    await finish(run)
    before = attrs.asdict(run.result)
    await run.aclose()
    assert attrs.asdict(run.result) == before


async def test_a_run_without_iteration_reads_no_input() -> None:
    """Creating and closing it touches neither the input nor the network."""
    planhat, source = Planhat(), Source(["a"])
    async with planhat.run(source) as run:
        pass
    assert (source.n_taken, planhat.sent, run.result) == (0, [], UpsertResult())


async def test_a_run_that_was_closed_does_not_start() -> None:
    """Leaving the block ends a run, even if it never began."""
    planhat = Planhat()
    async with planhat.run(["a"]) as run:
        pass
    with suppress(RuntimeError):
        await finish(run)
    assert planhat.sent == []


@counts_steps
async def test_closing_early_ends_the_run() -> None:
    """Rows in flight are unknown, other rows are unsent, and no task is left running."""
    planhat = Planhat(turns=[0, 50])
    source = Source([str(n) for n in range(1000)])
    async with planhat.run(source) as run:
        first = await anext(run)
    assert (positions([first]), planhat.sent, others()) == ([0, 1], [[0, 1], [2, 3]], set())
    assert counted(run.result) == {"created": 2, "unknown": 2, "unsent": source.n_taken - 4}
    assert run.result.not_stored == {Outcome.UNKNOWN: (range(2, 4),), Outcome.UNSENT: (range(4, source.n_taken),)}


@pytest.mark.parametrize("is_async", [True, False])
async def test_closing_early_closes_the_input(*, is_async: bool) -> None:
    """Resources of a generator, such as a file, are closed by the time the run has ended."""
    closed = []

    def rows() -> Iterator[str]:
        try:
            yield from map(str, range(1000))
        finally:
            closed.append("sync")

    async def stream() -> AsyncIterator[str]:
        try:
            for row in map(str, range(1000)):
                yield row
        finally:
            closed.append("async")

    generator = stream() if is_async else rows()
    async with Planhat().run(generator) as run:
        await anext(run)
    assert closed == ["async" if is_async else "sync"]


async def test_rows_that_wait_for_the_rate_limit_are_unsent() -> None:
    """Planhat never received a request that was cancelled before it was sent."""
    planhat = Planhat()
    planhat.pace.clear()
    run = planhat.run([None, "a"])
    task = asyncio.create_task(finish(run))
    await settle()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert (sorted(planhat.sent), counted(run.result)) == ([[0], [1]], {"unsent": 2})


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ([TOO_LARGE], {"unsent": 4}),
        ([TOO_LARGE, LOST], {"unknown": 2, "unsent": 2}),
        ([TOO_LARGE, None], {"created": 2, "unsent": 2}),
        ([(400, {"createdErrors": [{"sourceId": "a", "error": "no"}]})], {"rejected": 1, "unknown": 3}),
    ],
)
async def test_the_rest_of_a_chunk_is_unknown_only_if_it_may_be_stored(
    first: list[Said | None], expected: dict[str, int]
) -> None:
    """The chunk's next request waits for the rate limit at the end; its previous requests decide."""
    planhat = Planhat()
    said = scripted(*first)

    def answer(rows: list[int]) -> Said:
        if len(planhat.sent) == len(first):
            planhat.pace.clear()
        return said(rows)

    planhat.answer = answer
    run = planhat.run("abcd", chunk_size=4)
    task = asyncio.create_task(finish(run))
    await settle()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert (len(planhat.sent), counted(run.result)) == (len(first) + 1, expected)


async def test_a_row_larger_than_a_body_is_invalid() -> None:
    """It is not sent and is reported; the rows beside it are sent."""
    planhat = Planhat()

    def prepare_large(position: int, item: str) -> Row:
        return Row(position=position, keys=(f"sourceId={item}",), data=str(position).encode().rjust(10 * position + 1))

    options = ChunkOptions(max_bytes=12)
    run = UpsertRun("abc", prepare=prepare_large, send=planhat.send, options=options)
    await finish(run)
    assert (planhat.sent, counted(run.result)) == ([[0]], {"created": 1, "invalid": 2})
    assert [(problem.position, problem.key) for problem in run.result.problems] == [(1, "b"), (2, "c")]


async def test_results_of_a_closed_run_can_still_be_read() -> None:
    """They are yielded as if the run had gone on to its end."""
    async with Planhat().run(map(str, range(9))) as run:
        first = await anext(run)
    rest = [chunk async for chunk in run]
    assert positions([first, *rest]) == list(range(run.result.rows))


async def test_a_chunk_cancelled_before_it_starts_is_unsent() -> None:
    """The chunk starts in the turn of the event loop in which the reader stops."""
    planhat = Planhat()
    source = Source(["a", 1, 1, 1, "a", 1, 1, 1])
    # The first chunk to end holds invalid rows only and is cut just before a chunk that may be sent.
    async with planhat.run(source, chunk_size=3, concurrency=3) as run:
        await anext(run)
    assert (planhat.sent, run.result.rows, run.result.unsent) == ([], source.n_taken, 2)


async def cancel_after(n_turns: int, task: asyncio.Task[None]) -> None:
    """Cancel after this many turns of the event loop."""
    for _ in range(n_turns):
        await asyncio.sleep(0)
    is_late = not task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled() is not is_late


ITEMS: list[Any] = ["a", None, "b", 1, "a", "c", 1, 1, None, "d", "e", 1, "b", None, "f"]


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("concurrency", [1, 3])
async def test_rows_are_conserved_wherever_the_run_is_cancelled(concurrency: int, *, is_async: bool) -> None:
    """At every await, each row taken has an outcome, and no task is left running."""
    for n_turns in range(90):
        planhat = Planhat(turns=[3, 1, 2])
        source = Source(ITEMS, n_turns=1)
        stream = source.stream()
        run = planhat.run(stream if is_async else source, concurrency=concurrency)

        async def read(run: UpsertRun = run) -> None:
            async with run:
                async for _ in run:
                    await asyncio.sleep(0)

        await cancel_after(n_turns, asyncio.create_task(read()))
        await stream.aclose()
        assert (n_turns, run.result.rows, others()) == (n_turns, source.n_taken, set())
        sent = {position for rows in planhat.sent for position in rows}
        unsent = {n for part in run.result.not_stored.get(Outcome.UNSENT, ()) for n in part}
        assert sent.isdisjoint(unsent)


async def test_rows_are_conserved_when_closing_is_cancelled() -> None:
    """Closing early and being cancelled meanwhile loses no row and leaves no task running."""
    for n_turns in range(40):
        planhat = Planhat(turns=[3, 1, 2])
        source = Source(ITEMS * 3)
        run = planhat.run(source)

        async def read(run: UpsertRun = run) -> None:
            async with run:
                async for _ in run:
                    break

        await cancel_after(n_turns, asyncio.create_task(read()))
        left = others()
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        assert (n_turns, run.result.rows, left) == (n_turns, source.n_taken, set())


async def test_a_reader_may_stop_waiting_and_come_back() -> None:
    """A cancelled wait loses no row and no result."""
    planhat = Planhat()
    planhat.gate.clear()
    async with asyncio.timeout(60), planhat.run(map(str, range(8))) as run:
        for _ in range(5):
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await anext(run)
            await settle(5)
        planhat.gate.set()
        chunks = [chunk async for chunk in run]
    assert (positions(chunks), counted(run.result)) == (list(range(8)), {"created": 8})


async def test_a_cancelled_request_does_not_end_the_run() -> None:
    """If the run did not cancel it, its rows are unknown, and the other chunks continue."""
    planhat = Planhat()

    async def send(body: bytes, *, is_keyed: bool, on_sent: Callable[[], None], **_others: object) -> Answer:
        if body == b"[0]":
            on_sent()
            raise asyncio.CancelledError
        return await planhat.send(body, is_keyed=is_keyed, on_sent=on_sent)

    run = UpsertRun(["a", "b"], prepare=prepare, send=send, options=ChunkOptions(chunk_size=1))
    await finish(run)
    assert counted(run.result) == {"unknown": 1, "created": 1}


@pytest.mark.parametrize(
    "wrong",
    [{"chunk_size": 0}, {"chunk_size": 5001}, {"max_bytes": 0}, {"max_bytes": 30_000_001}, {"concurrency": 0}],
)
def test_options_out_of_bounds_are_refused(wrong: Any) -> None:
    """Planhat's bounds are 5,000 rows and 30 MB, and at least one chunk must be in flight."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ChunkOptions(**wrong)


async def test_an_input_that_ignores_cancellation_ends_with_its_next_chunk() -> None:
    """The input swallows the cancellation; the run ends all the same."""

    async def stubborn() -> AsyncGenerator[int, None]:
        for number in itertools.count():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            yield number

    async with asyncio.timeout(60), Planhat().run(stubborn()) as run:
        async for _ in run:
            break
    assert run.result.rows > 0


async def test_an_unseen_error_of_the_input_is_raised_on_close() -> None:
    """Closing early does not hide the error."""

    async def leave_early() -> None:
        async with Planhat().run(Source([0, 1, 2], fails_with=OSError("gone"))) as run:
            await anext(run)
            await settle()

    with pytest.raises(OSError, match="gone"):
        await leave_early()


# Inputs.


@attrs.define
class Walk(AsyncIterator[str]):
    """An asynchronous iterator with `aclose` that is not a generator, like the one of `iter_updated_since`."""

    n_left: int = 100
    is_closed: bool = False

    async def __anext__(self) -> str:
        self.n_left -= 1
        if self.n_left < 0:
            raise StopAsyncIteration
        return str(self.n_left)

    async def aclose(self) -> None:
        self.is_closed = True


@attrs.define
class Walks:
    """An iterable whose iterator is another object."""

    walk: Walk = attrs.field(factory=Walk)

    def __aiter__(self) -> Walk:
        return self.walk


@pytest.mark.parametrize("n_chunks", [None, 0, 1])
@pytest.mark.parametrize("wraps", [True, False])
async def test_an_input_that_can_be_closed_is_closed(n_chunks: int | None, *, wraps: bool) -> None:
    """It is closed at the end, when the run is closed early, and if it never began; any iterator will do."""
    walk = Walk()
    if n_chunks == 0 and wraps:
        return  # no iterator has been created
    async with Planhat().run(Walks(walk) if wraps else walk) as run:
        if n_chunks is None:
            assert len([chunk async for chunk in run]) == 50
        elif n_chunks:
            await anext(run)
    assert walk.is_closed


async def test_a_generator_that_has_begun_is_closed_too() -> None:
    """It is closed even if no row is taken from it."""
    stream = Source(["a", "b", "c"]).stream()
    assert await anext(stream) == "a"
    async with Planhat().run(stream):
        pass
    assert [item async for item in stream] == []


def prepare_records(position: int, item: Any) -> Row:
    """Accepts numbers only: a text is not a row."""
    if not isinstance(item, int):
        raise TypeError(f"a record, not {type(item).__name__}")
    return Row(position=position, keys=(f"sourceId={item}",), data=b"1")


@pytest.mark.parametrize("text", ["email", b"email", bytearray(b"x")])
@pytest.mark.parametrize("options", [{}, {"on_invalid": "raise"}])
@pytest.mark.parametrize("kind", [list, iter])
async def test_an_input_of_texts_stops_the_run(text: Any, options: dict[str, Any], kind: Any) -> None:
    """It stops at the first text: an input of column names or lines has only invalid rows."""
    planhat = Planhat()
    chosen = ChunkOptions(chunk_size=2, **options)
    run = UpsertRun(kind([1, text, text, 2]), prepare=prepare_records, send=planhat.send, options=chosen)
    with pytest.raises(TypeError, match=rf"^row 1 is {type(text).__name__}, not a record or a mapping: "):
        await finish(run)
    is_checked_before = options and kind is list
    assert (planhat.sent, counted(run.result)) == ([], {} if is_checked_before else {"invalid": 1, "unsent": 1})
