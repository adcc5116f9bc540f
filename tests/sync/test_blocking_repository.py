"""Test the calls of repositories in a thread without an event loop."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from fakes import TOKEN, FakeTransport
from interrupts import interruptible, press_ctrl_c
from made_ids import id_of

from planhat_async import AuthenticationError, CustomModel, NotFoundError, Task, UpsertRun, models
from planhat_async._http.wire import Response
from planhat_async.jobs import UpsertJob, run_delete, run_upsert
from planhat_async.sandbox import MemorySandbox
from planhat_async.sync import BlockingRun, Session
from planhat_async.sync.row_feed import RowFeed
from planhat_async.testing import SandboxTransport


@pytest.fixture
def planhat() -> MemorySandbox:
    return MemorySandbox(token=TOKEN, per_minute=None, per_second=None)


@pytest.fixture
def session(planhat: MemorySandbox) -> Iterator[Session]:
    with Session(TOKEN, transport=SandboxTransport(planhat)) as session:
        yield session


def rows(n_rows: int) -> list[dict[str, Any]]:
    return [{"sourceId": str(n), "companyId": id_of(1), "action": f"Call {n}"} for n in range(n_rows)]


def test_it_has_a_repository_for_each_model(session: Session) -> None:
    """Under the model's name."""
    for repository in models.ALL:
        assert type(getattr(session, repository.model.name).repository) is repository
    assert session.of(partial(CustomModel, path="/orders")).repository.model.path == "/orders"


def test_it_has_every_call_of_the_repository(session: Session) -> None:
    """None of them is left out, so the guide's promise of the same calls holds."""
    for repository in models.ALL:
        calls = {name for name in dir(repository) if not name.startswith("_") and callable(getattr(repository, name))}
        assert [name for name in calls if not hasattr(getattr(session, repository.model.name), name)] == []


def test_lists_as_tables(session: Session) -> None:
    """A table of all records, or batch by batch."""
    session.tasks.upsert_many(rows(3))
    assert session.tasks.to_arrow(select=["action"]).column("action").to_pylist() == ["Call 0", "Call 1", "Call 2"]
    assert [batch.num_rows for batch in session.tasks.arrow_batches(batch_rows=2)] == [2, 1]


def test_single_calls(session: Session) -> None:
    """They return what the async API's return when they are awaited."""
    session.check()
    task = session.tasks.create({"action": "Call", "companyId": id_of(1)})
    assert task.id is not None
    assert session.tasks.update(task.id, {"action": "Write"}).action == "Write"
    assert [one and one.action for one in session.tasks.get_many(iter([task.id, id_of(404)]))] == ["Write", None]
    assert session.tasks.page()[0].id == task.id
    assert session.request("GET", f"/tasks/{task.id}")["action"] == "Write"
    session.tasks.delete(task.id)
    assert session.tasks.delete_many([task.id]) == [False]
    with pytest.raises(NotFoundError):
        session.tasks.get(task.id)
    assert session.stats.calls == 10
    assert session.limits.per_minute == 200
    assert repr(session).startswith("<blocking <Session")
    assert repr(session.tasks).startswith("<blocking Tasks(")


def test_rows_are_taken_in_the_waiting_thread(session: Session, tmp_path: Path) -> None:
    """So a cursor of SQLite works, and a generator that reads from the same session."""
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database:
        database.row_factory = sqlite3.Row
        database.execute("CREATE TABLE calls (sourceId, companyId, action)")
        database.executemany("INSERT INTO calls VALUES (:sourceId, :companyId, :action)", rows(1_100))
        found = map(dict, database.execute("SELECT * FROM calls"))
        result = session.tasks.upsert_many(found, chunk_size=300)
    assert (result.rows, result.created) == (1_100, 1_100)
    changed = ({"sourceId": task.source_id, "status": "done"} for task in session.tasks.iter(archived=False))
    with session.tasks.upserting(changed, chunk_size=500) as run:
        assert [chunk.updated for chunk in run] == [500, 500, 100]
    assert [chunk.unchanged for chunk in session.tasks.upsert_chunks(rows=iter(rows(2)))] == [2]


def test_a_generator_of_rows_is_closed(session: Session) -> None:
    """However the upsert ends, in the waiting thread."""
    closed: list[str] = []

    def endless(name: str) -> Iterator[dict[str, Any]]:
        try:
            while True:
                yield from rows(600)
        finally:
            closed.append(f"{name} in {threading.current_thread().name}")

    with session.tasks.upserting(endless("upserting"), chunk_size=600) as run:
        next(run)
    chunks = session.tasks.upsert_chunks(endless("upsert_chunks"), chunk_size=600)
    next(chunks)
    chunks.close()
    with pytest.raises(ValueError, match="no field"):
        session.tasks.upsert_many(({"nope": 1} for _ in range(3)), on_invalid="raise")
    name = threading.current_thread().name
    assert closed == [f"upserting in {name}", f"upsert_chunks in {name}"]
    assert run.result.rows == sum(run.result.counts().values())


def test_an_error_of_the_rows_keeps_those_before_it(session: Session) -> None:
    """They are sent, and the error is raised."""

    def broken() -> Iterator[Mapping[str, Any]]:
        yield from rows(3)
        raise LookupError("no row 3")

    with pytest.raises(LookupError, match="no row 3"), session.tasks.upserting(broken()) as run:
        for _ in run:
            pass
    assert run.result.rows == 3
    assert run.result.unsent == 3


def test_what_is_not_rows_is_refused(session: Session, tmp_path: Path) -> None:
    """As by the async API: a file is an iterator too."""
    path = tmp_path / "rows.txt"
    path.write_text("a\n")
    with path.open() as file, pytest.raises(TypeError, match="not a file"):
        session.tasks.upsert_many(file)  # type: ignore[arg-type]


def test_ctrl_c_accounts_for_every_row() -> None:
    """Rows in flight are unknown or unsent, and those taken from the iterator and not yet sent are unsent."""
    n_taken = 0

    def many() -> Iterator[dict[str, Any]]:
        nonlocal n_taken
        for row in rows(10_000):
            n_taken += 1
            yield row

    class Interrupting(FakeTransport):
        """Presses Ctrl-C once the first call is in flight, and answers none."""

        async def send(self, request: Any, **options: Any) -> Response:
            asyncio.get_running_loop().call_later(0.05, press_ctrl_c)
            return await super().send(request, **options)

    with (
        interruptible(),
        pytest.raises(KeyboardInterrupt),
        Session(TOKEN, transport=Interrupting([None])) as session,
        session.tasks.upserting(many(), chunk_size=100, concurrency=1) as run,
    ):
        next(run)
    result = run.result
    assert (result.rows, result.unknown, result.unsent) == (n_taken, 100, n_taken - 100)
    assert 500 <= n_taken < 10_000


def test_ctrl_c_within_the_rows_accounts_for_them() -> None:
    """The generator is interrupted itself."""

    def many() -> Iterator[dict[str, Any]]:
        yield from rows(700)
        press_ctrl_c()
        threading.Event().wait()

    with (
        interruptible(),
        pytest.raises(KeyboardInterrupt),
        Session(TOKEN, transport=FakeTransport([None])) as session,
        session.tasks.upserting(many(), chunk_size=600) as run,
    ):
        next(run)
    assert (run.result.rows, run.result.unknown + run.result.unsent) == (700, 700)


@pytest.mark.parametrize("n_calls", [100, 101, 102])
def test_ctrl_c_between_two_rows_accounts_for_them(n_calls: int) -> None:
    """At whichever call within the feed: no row is out of the iterator and not in the account."""
    left, n_taken = n_calls, 0

    def many() -> Iterator[dict[str, Any]]:
        nonlocal n_taken
        for row in rows(400):
            n_taken += 1
            yield row

    def interrupt(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        if event == "c_return" and frame.f_code is RowFeed._take.__code__:
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    with Session(TOKEN, transport=FakeTransport([None])) as session:
        before = sys.getprofile()
        run = session.tasks.upserting(many())
        sys.setprofile(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt), run:
                next(run)
        finally:
            sys.setprofile(before)
    assert n_taken > 0
    assert (run.result.rows, run.result.unsent) == (n_taken, n_taken)


def test_a_refusal_while_rows_are_taken_loses_none(planhat: MemorySandbox) -> None:
    """The upsert ends for a wrong token while the generator makes a row."""
    n_taken = 0

    def slow() -> Iterator[dict[str, Any]]:
        nonlocal n_taken
        for n_taken, row in enumerate(rows(5_000), 1):
            if n_taken == 600:
                refused.wait(5)
            yield row

    class Telling(SandboxTransport):
        async def send(self, *args: Any, **options: Any) -> Response:
            asyncio.get_running_loop().call_later(0.05, refused.set)
            return await super().send(*args, **options)

    refused = threading.Event()
    with Session("wrong", transport=Telling(planhat)) as session:
        result = session.tasks.upsert_many(slow(), chunk_size=100)
    assert isinstance(result.stopped_by, AuthenticationError)
    assert result.rows == n_taken == result.unsent + result.rejected


def test_a_run_can_be_stopped(session: Session) -> None:
    """What is in flight ends; an upsert in `with` keeps its result."""
    with session.tasks.upserting(rows(50), chunk_size=5, concurrency=1) as run:
        assert isinstance(run, BlockingRun)
        assert isinstance(run.run, UpsertRun)
        next(run)
        run.stop()
        assert len(list(run)) < 9
    assert run.result.unsent > 0


def test_jobs(session: Session, planhat: MemorySandbox, tmp_path: Path) -> None:
    """An upsert, as a function and in `with`, and a deletion; each with a journal."""
    journal = tmp_path / "calls.db"
    with session.tasks.open(UpsertJob, iter(rows(30)), journal=journal, chunk_size=10) as job:
        for chunk in job:
            if chunk.number == 1:
                job.stop()
    assert job.run.has_journal
    result = session.tasks.run(run_upsert, rows(30), journal=journal, chunk_size=10)
    assert (result.rows, result.stored) == (30, 30)
    ids = [task.id for task in session.tasks.iter()]
    assert session.tasks.run(run_delete, ids, journal=tmp_path / "gone.db").deleted == 30
    assert planhat.records("tasks") == []


async def test_it_works_within_an_event_loop(session: Session) -> None:
    """A notebook, for example, runs one."""
    assert session.tasks.upsert_many(Task(**one) for one in made()).created == 2
    assert [task.source_id for task in session.tasks.iter()] == ["0", "1"]


def made() -> Iterator[dict[str, Any]]:
    for n in range(2):
        yield {"source_id": str(n), "company_id": id_of(1), "action": "Call"}
