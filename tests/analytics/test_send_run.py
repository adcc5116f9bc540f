"""Rows on their way: what is in flight, what ends a run, and that every row is accounted for."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import event_loops
import pytest
from analytics_server import metric
from attrs import define, field
from event_loops import counts_steps
from hypothesis import given
from hypothesis import strategies as st

from planhat_async import NotSentError, SendOutcome, SendResult, SendRun, UnknownOutcomeError
from planhat_async.analytics.metric import metric_row
from planhat_async.analytics.send_answers import METRIC_FIELDS, Answer
from planhat_async.analytics.send_run import SendSettings, preparing
from planhat_async.errors import AuthenticationError, BadRequestError, PayloadTooLargeError, PlanhatError, ServerError


@define
class Host:
    """Takes bodies as an analytics host does; `fails` decides on an error by the numbers of rows."""

    fails: Callable[[list[int]], PlanhatError | None] = lambda _: None
    n_steps: int = 3
    """Iterations of the event loop before and after a body arrives."""
    arrived: list[int] = field(factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def post(self, body: bytes, *, on_sent: Callable[[], None], on_not_processed: Callable[[], None]) -> Answer:
        values = [row["value"] for row in json.loads(body)]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._wait()
            on_sent()
            await self._wait()
            error = self.fails(values)
            if error is not None:
                if not error.may_have_been_processed:
                    on_not_processed()
                raise error
            self.arrived += values
            await self._wait()
            return Answer(n_processed=len(values))
        finally:
            self.in_flight -= 1

    async def _wait(self) -> None:
        for _ in range(self.n_steps):
            await asyncio.sleep(0)


def run_of(rows: Any, host: Host, **settings: Any) -> SendRun:
    return SendRun(
        rows,
        prepare=preparing(metric_row),
        post=host.post,
        fields=METRIC_FIELDS,
        settings=SendSettings(**{"chunk_size": 10, **settings}),
    )


async def ended(run: SendRun) -> SendRun:
    async with run:
        async for _ in run:
            pass
    return run


async def numbers(n_rows: int) -> AsyncIterator[dict[str, Any]]:
    for n in range(n_rows):
        await asyncio.sleep(0)
        yield metric(n)


@pytest.mark.parametrize(
    "make", [lambda: map(metric, range(45)), lambda: numbers(45), lambda: [*map(metric, range(45))]]
)
async def test_any_iterable_will_do(make: Callable[[], Any]) -> None:
    """A generator, an async one, a list."""
    host = Host()
    run = await ended(run_of(make(), host))
    assert (run.result.processed, run.result.n_chunks, run.came_to_end) == (45, 5, True)
    assert host.arrived == list(range(45))


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_at_most_so_many_calls_are_in_flight(concurrency: int) -> None:
    """And with one, rows arrive in order."""
    host = Host()
    run = await ended(run_of(map(metric, range(95)), host, concurrency=concurrency))
    assert (run.result.processed, host.most_in_flight) == (95, concurrency)
    assert sorted(host.arrived) == list(range(95))
    assert concurrency > 1 or host.arrived == list(range(95))


async def test_an_endless_input_waits_for_the_network() -> None:
    """The producer is a chunk or two ahead, however slow the network is."""
    taken = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal taken
        while True:
            taken += 1
            yield metric(taken)

    host = Host(n_steps=50)
    async with run_of(endless(), host, concurrency=2) as run:
        n_ended = 0
        async for chunk in run:
            n_ended += chunk.rows
            assert taken <= n_ended + (2 + 3) * 10
            if n_ended >= 200:
                break
    assert run.result.rows == taken
    assert not run.came_to_end


async def test_invalid_rows_are_counted_and_not_sent() -> None:
    """With their position and reason; those after them are sent."""
    rows: list[Any] = [metric(0), {"value": 1}, metric(2), 7, metric(4) | {"value": True}]
    host = Host()
    result = (await ended(run_of(rows, host))).result
    assert host.arrived == [0, 2]
    assert [(one.position, one.outcome, one.reason) for one in result.problems] == [
        (1, "invalid", "dimension_id is required"),
        (3, "invalid", "a Metric or a mapping, not int"),
        (4, "invalid", "value: a number, not True"),
    ]


async def test_a_lost_answer_is_unknown_and_not_repeated() -> None:
    """The chunks behind it are sent."""
    host = Host(lambda values: UnknownOutcomeError("reset") if 10 in values else None)
    result = (await ended(run_of(map(metric, range(35)), host))).result
    assert (result.processed, result.not_accepted) == (25, {SendOutcome.UNKNOWN: (range(10, 20),)})
    assert host.arrived == [*range(10), *range(20, 35)]
    assert (result.stopped_by, str(result.error)) == (None, "reset")


async def test_a_server_error_is_unknown() -> None:
    """Planhat may have processed the body."""
    host = Host(lambda _: ServerError("500", status=500))
    assert (await ended(run_of(map(metric, range(15)), host))).result.unknown == 15


@pytest.mark.parametrize("error", [NotSentError("no network"), AuthenticationError("401", status=401)])
async def test_a_refusal_of_everything_ends_the_run(error: PlanhatError) -> None:
    """Nothing more is sent, and nothing is read for long."""
    host = Host(lambda values: error if 10 in values else None)
    taken: list[int] = []
    run = run_of((metric(n) for n in range(10**6) if taken.append(n) is None), host)  # type: ignore[func-returns-value]
    result = (await ended(run)).result
    assert result.stopped_by is error
    assert (result.rows, result.processed) == (len(taken), 10)
    assert len(taken) < 100
    assert result.unsent == len(taken) - 10 - result.rejected


async def test_a_body_too_large_is_halved() -> None:
    """Until it fits; a row that never fits is rejected."""
    error = PayloadTooLargeError("413", status=413)
    host = Host(lambda values: error if len(values) > 3 or 7 in values else None)
    result = (await ended(run_of(map(metric, range(10)), host))).result
    assert (result.processed, result.not_accepted) == (9, {SendOutcome.REJECTED: (range(7, 8),)})
    assert host.arrived == [n for n in range(10) if n != 7]


async def test_the_input_may_fail() -> None:
    """What was taken is sent if it was cut, else unsent; the error is raised at the end."""

    def rows() -> Iterator[dict[str, Any]]:
        yield from map(metric, range(25))
        raise LookupError("the source is gone")

    host = Host()
    run = run_of(rows(), host)
    with pytest.raises(LookupError, match="the source is gone"):
        await ended(run)
    result = run.result
    assert (result.rows, result.processed + result.unsent) == (25, 25)
    assert result.processed == len(host.arrived)
    assert not run.came_to_end


async def test_text_is_no_input_of_rows() -> None:
    """It would make every row invalid."""
    run = run_of(iter(["a", "b"]), Host())
    with pytest.raises(TypeError, match="the input yields text, not rows"):
        await ended(run)
    assert run.result.counts()["invalid"] == 1


async def test_a_run_may_be_stopped() -> None:
    """What is in flight ends; the rest is unsent."""
    host = Host()
    async with run_of(map(metric, range(100)), host) as run:
        async for _ in run:
            run.stop()
    assert run.result.processed == len(host.arrived) < 100
    assert run.result.rows == run.result.processed + run.result.unsent


async def test_a_run_that_is_not_begun_closes_its_input() -> None:
    """A generator ends at once."""
    is_closed = False

    async def rows() -> AsyncIterator[dict[str, Any]]:
        nonlocal is_closed
        try:
            yield metric(0)
            yield metric(1)
        finally:
            is_closed = True

    stream = rows()
    await anext(stream)
    async with run_of(stream, Host()) as run:
        pass
    assert (is_closed, run.result.rows) == (True, 0)


@counts_steps
@pytest.mark.parametrize("concurrency", [1, 2])
async def test_a_cancellation_at_any_await_loses_no_row(concurrency: int) -> None:
    """What arrived is processed or unknown, what is unsent never arrived; no task is left."""
    steps, is_cancelled, result = 0, True, SendResult()
    while is_cancelled:
        taken: list[int] = []
        host = Host()
        rows = (metric(n) for n in range(35) if taken.append(n) is None)  # type: ignore[func-returns-value]
        run = run_of(rows, host, concurrency=concurrency)
        task = asyncio.ensure_future(ended(run))
        for _ in range(steps):
            await asyncio.sleep(0)
        is_cancelled = task.cancel()
        await asyncio.wait([task])
        result = run.result
        assert result.rows == len(taken)
        unsent = {n for one in result.not_accepted.get(SendOutcome.UNSENT, ()) for n in one}
        unknown = {n for one in result.not_accepted.get(SendOutcome.UNKNOWN, ()) for n in one}
        assert unsent.isdisjoint(host.arrived)
        assert set(host.arrived) <= set(taken) - unsent
        assert len(set(host.arrived) - unknown) == result.processed
        assert len(asyncio.all_tasks()) == 1
        steps += 1
    assert result.processed == 35
    assert steps > 20


async def test_a_cancellation_while_it_is_closed() -> None:
    """It is raised once every row has an outcome."""
    never, taken, closing = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stubborn() -> AsyncIterator[dict[str, Any]]:
        yield metric(0)
        try:
            taken.set()
            await never.wait()
        finally:
            closing.set()
            await never.wait()  # until it is cancelled once more

    run = run_of(stubborn(), Host())

    async def leave() -> None:
        async with run:
            waiting = asyncio.ensure_future(anext(run))
            await taken.wait()
            waiting.cancel()

    task = asyncio.ensure_future(leave())
    await closing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.result.counts()["unsent"] == 1


@pytest.mark.slow
async def test_memory_does_not_grow_with_the_input() -> None:
    """A run keeps its chunks in flight, and counts."""
    host = Host(n_steps=1)
    n_objects = []
    async with run_of(map(metric, range(10_000)), host, chunk_size=1000) as run:
        async for _ in run:
            host.arrived.clear()
            gc.collect()
            n_objects.append(len(gc.get_objects()))
    assert run.result.processed == 10_000
    assert max(n_objects[5:]) < n_objects[4] + 2000


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"chunk_size": 0}, ValueError),
        ({"chunk_size": 150_001}, ValueError),
        ({"chunk_size": True}, TypeError),
        ({"max_bytes": 32_000_001}, ValueError),
        ({"max_bytes": 2}, ValueError),
        ({"concurrency": 0}, ValueError),
        ({"concurrency": "2"}, TypeError),
    ],
)
def test_options_out_of_bounds_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    """Before anything is read."""
    with pytest.raises(error, match=next(iter(options))):
        SendSettings(**options)


def test_the_defaults() -> None:
    """A quarter of what Planhat accepts, in the order of the input."""
    assert SendSettings() == SendSettings(chunk_size=10_000, max_bytes=8_000_000, concurrency=1)


ENDINGS = {
    "ok": None,
    "lost": UnknownOutcomeError("reset"),
    "500": ServerError("500", status=500),
    "400": BadRequestError("400", status=400),
    "413": PayloadTooLargeError("413", status=413),
    "no network": NotSentError("no network"),
}


@pytest.mark.slow
@given(
    rows=st.lists(st.booleans(), max_size=40),
    endings=st.lists(st.sampled_from(sorted(ENDINGS)), max_size=20),
    chunk_size=st.integers(1, 10),
    max_bytes=st.integers(20, 400),
    concurrency=st.integers(1, 3),
)
def test_every_row_has_one_outcome(
    rows: list[bool], endings: list[str], chunk_size: int, max_bytes: int, concurrency: int
) -> None:
    """However calls end and rows are cut; a row arrives once at most."""
    left = iter(endings)
    host = Host(lambda _: ENDINGS[next(left, "ok")], n_steps=1)
    items = [metric(n) if is_valid else {"value": n} for n, is_valid in enumerate(rows)]
    settings = {"chunk_size": chunk_size, "max_bytes": max_bytes, "concurrency": concurrency}
    with asyncio.Runner(loop_factory=event_loops.made) as runner:
        result = runner.run(ended(run_of(iter(items), host, **settings))).result
    named = {n: outcome for outcome, ranges in result.not_accepted.items() for one in ranges for n in one}
    assert result.rows == len(named) + result.processed
    assert result.rows == len(rows) or result.stopped_by is not None
    assert len(host.arrived) == len(set(host.arrived)) == result.processed
    assert set(host.arrived).isdisjoint(named)
    assert {n for n in range(result.rows) if not rows[n]} <= {n for n in named if named[n] in {"invalid", "unsent"}}
