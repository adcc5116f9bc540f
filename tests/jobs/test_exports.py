"""Test exports of whole lists to files."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from each_model import with_capability
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from planhat_async import Model, Notes, RateLimits, Session, Tasks, Tickets, repositories
from planhat_async._convert import fields_of
from planhat_async.errors import MissingExtraError
from planhat_async.jobs.export_checkpoint import ExportCheckpoint
from planhat_async.jobs.exports import checkpoint_of, export_records, writer_class
from planhat_async.jobs.files.parquet_writer import ParquetWriter
from planhat_async.jobs.files.whole_file import part_named, whole_file
from planhat_async.jobs.files.writers import CsvWriter, ExportWriter, JsonlWriter
from planhat_async.models import Ticket
from planhat_async.records import ArchivedFilter
from planhat_async.sandbox import Sandbox
from planhat_async.testing import make_record

AnyRepository = Notes | Tasks | Tickets


class Lists:
    """A repository in memory with one list, or with two like tasks."""

    model = Tickets.model

    def __init__(self, *lists: list[str]) -> None:
        self.lists = lists

    async def iter_json(self, *, after: str = "", archived: bool | None = None, **_: Any) -> AsyncIterator[bytes]:
        """Yield the rows after `after`."""
        for is_archived, ids in enumerate(self.lists):
            if archived in {None, bool(is_archived)}:
                for id_ in (one for one in ids if one > after):
                    yield json.dumps({"_id": id_, "isArchived": bool(is_archived)}).encode()


class Collector(ExportWriter):
    """Records the calls, and the threads of slow ones."""

    def __init__(self, n_full: int = 1_000_000) -> None:
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.n_full, self.n_held = n_full, 0

    @property
    def is_full(self) -> bool:
        return self.n_held >= self.n_full

    def write(self, row: bytes) -> None:
        self.calls.append(json.loads(row)["_id"])
        self.n_held += 1

    def flush(self) -> None:
        self.threads.add(threading.get_ident())
        self.calls.append("flush")
        self.n_held = 0

    def close(self) -> None:
        self.threads.add(threading.get_ident())
        self.calls.append("close")


class Full(JsonlWriter):
    """Fails after this many records, like a full disk."""

    def __init__(self, out: BinaryIO, n_rows: int) -> None:
        super().__init__(out)
        self.n_left = n_rows

    def write(self, row: bytes) -> None:
        if not self.n_left:
            raise OSError(28, "No space left on device")
        self.n_left -= 1
        super().write(row)


async def export(repository: Any, path: Path, *, resumes: Model | None = None, n_rows: int = -1) -> int:
    """Export to JSONL on a disk with space for `n_rows`; an earlier export may be resumed."""
    checkpoint = checkpoint_of(path, resumes) if resumes else ExportCheckpoint()
    with whole_file(path, keep_bytes=checkpoint.n_bytes) as out:
        return await export_records(repository, Full(out, n_rows), checkpoint=checkpoint, page_size=7)


# Records in a writer.


async def test_a_writer_gets_every_record_and_is_closed_once() -> None:
    """It is closed at the end; the count is the number of records."""
    writer = Collector()
    repository: Any = Lists(["1", "2"])
    assert await export_records(repository, writer) == 2
    assert writer.calls == ["1", "2", "close"]


async def test_slow_writes_run_in_a_thread() -> None:
    """This happens when the writer is full, and at the end."""
    writer = Collector(n_full=2)
    repository: Any = Lists(["1", "2", "3"])
    await export_records(repository, writer)
    assert writer.calls == ["1", "2", "flush", "3", "close"]
    assert threading.get_ident() not in writer.threads


async def test_the_writer_of_an_interrupted_export_is_not_closed() -> None:
    """Its output would look complete."""

    class Broken(Collector):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    writer = Broken(n_full=1)
    repository: Any = Lists(["1", "2"])
    with pytest.raises(OSError, match="No space left"):
        await export_records(repository, writer)
    assert writer.calls == ["1"]


@pytest.mark.parametrize("n_cancellations", [1, 2, 3])
async def test_a_cancellation_waits_until_the_thread_has_written(n_cancellations: int) -> None:
    """The event loop runs meanwhile; further cancellations wait too."""
    loop, has_begun, may_end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    class Slow(Collector):
        def flush(self) -> None:
            loop.call_soon_threadsafe(has_begun.set)
            may_end.wait(60)
            super().flush()

    writer = Slow(n_full=1)
    repository: Any = Lists(["1", "2"])
    task = asyncio.ensure_future(export_records(repository, writer))
    await has_begun.wait()
    for _ in range(n_cancellations):
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
    loop.call_later(0, may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert writer.calls == ["1", "flush"]


async def test_progress_is_reported_in_thousands() -> None:
    """The count includes the records of the resumed export."""
    counts: list[int] = []
    ids = [f"{number:04}" for number in range(1500)]
    repository: Any = Lists(ids)
    checkpoint = ExportCheckpoint(last_id=ids[499], n_of_list=500, n_rows=500)
    assert await export_records(repository, Collector(), checkpoint=checkpoint, on_progress=counts.append) == 1500
    assert counts == [1000]


# Resuming.

_IDS = st.lists(st.text("0123456789abcdef", min_size=1, max_size=3), unique=True, max_size=8).map(sorted)


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.booleans(), _IDS, _IDS, st.integers(0), st.sets(st.integers(0, 15)))
def test_an_export_cut_anywhere_is_resumed_completely(
    is_two_lists: bool, first: list[str], second: list[str], cut: int, gone: set[int]
) -> None:
    """Records deleted since are missing only if they were not written before."""
    lists = [first, [id_ for id_ in second if id_ not in first]] if is_two_lists else [first]
    model = (Tasks if is_two_lists else Tickets).model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.jsonl"
        asyncio.run(export(Lists(*lists), path))
        whole = path.read_bytes()
        begun = whole[: cut % (len(whole) + 1)]
        (Path(folder) / "all.jsonl.part").write_bytes(begun)
        n_kept = begun.count(b"\n")
        lines = [
            line for index, line in enumerate(whole.splitlines(keepends=True)) if index < n_kept or index not in gone
        ]
        ids = [id_ for one in lists for id_ in one]
        left = Lists(*([id_ for id_ in one if ids.index(id_) not in gone] for one in lists))
        assert asyncio.run(export(left, path, resumes=model)) == len(lines)
        assert path.read_bytes() == b"".join(lines)


@pytest.fixture
async def session(planhat: Sandbox) -> AsyncIterator[Session]:
    """Yield a session whose deletions do not space its bulk calls."""
    async with Session(planhat.token, base_url=planhat.url, limits=RateLimits(per_minute=10_000, reserve=0)) as opened:
        yield opened


@pytest.fixture
async def repository(request: pytest.FixtureRequest, session: Session) -> AnyRepository:
    """Return a repository with more records than a page holds."""
    numbers = [str(number) for number in range(30)]
    tickets = [{"source_id": number, "email": "a@b.example", "domains": ["b.example"]} for number in numbers]
    await Tickets(session).upsert_many(tickets)
    await Notes(session).upsert_many(
        {"company_id": "5f4e3d2c1b0a998877665544", "subject": number} for number in numbers
    )
    await Tickets(session).upsert_many([{**ticket, "source_id": f"x{ticket['source_id']}"} for ticket in tickets])
    await Tasks(session).upsert_many(
        {"company_id": "5f4e3d2c1b0a998877665544", "action": number, "is_archived": int(number) % 2 == 0}
        for number in numbers
    )
    if request.param not in (Notes, Tasks, Tickets):
        record = request.param.model.record
        await request.param(session).upsert_many(make_record(record, number) for number in range(30))
    made: AnyRepository = request.param(session)
    return made


def listed(planhat: Sandbox) -> list[tuple[str | None, int]]:
    """Return the lists that were read, with their offsets."""
    pages = [call.query for call in planhat.requests if call.method == "GET" and call.query["sort"] == "_id"]
    return [(page.get("isArchived"), int(page.get("offset", 0))) for page in pages]


EACH = pytest.mark.parametrize(
    "repository", with_capability(repositories.Lists, repositories.Deletes, repositories.Upserts), indirect=True
)


@EACH
@pytest.mark.parametrize("n_rows", [1, 8, 15, 16, 29])
async def test_a_resumed_export_equals_an_uninterrupted_one(
    repository: AnyRepository, n_rows: int, tmp_path: Path
) -> None:
    """The interruption may be among open or archived tasks, or among notes and other conversations."""
    model, whole, path = repository.model, tmp_path / "whole.jsonl", tmp_path / "resumed.jsonl"
    n_all = await export(repository, whole)
    with pytest.raises(OSError, match="No space left"):
        await export(repository, path, n_rows=n_rows)
    assert not path.exists()
    with path.with_name("resumed.jsonl.part").open("ab") as part:
        part.write(b'{"_id":"6')
    assert await export(repository, path, resumes=model) == n_all
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["resumed.jsonl", "whole.jsonl"]


@EACH
@pytest.mark.parametrize("n_rows", [8, 22])
async def test_records_deleted_meanwhile_cause_no_gaps_or_repeats(
    repository: AnyRepository, n_rows: int, tmp_path: Path
) -> None:
    """Written records stay, the others are missing."""
    model, path = repository.model, tmp_path / "all.jsonl"
    await export(repository, path)
    lines = path.read_bytes().splitlines(keepends=True)
    with pytest.raises(OSError, match="No space left"):
        await export(repository, path, n_rows=n_rows)
    gone = {n_rows + 1, *range(n_rows - 7, n_rows)}
    assert all(await repository.delete_many([json.loads(lines[index])["_id"] for index in gone]))
    await export(repository, path, resumes=model)
    assert path.read_bytes() == b"".join(line for index, line in enumerate(lines) if index != n_rows + 1)


@EACH
async def test_parquet_read_back_equals_the_records(repository: AnyRepository) -> None:
    """Every column is equal, over row groups of a few records each."""
    out = io.BytesIO()
    record = repository.model.record
    n_rows = await export_records(repository, ParquetWriter(out, record, max_rows=7), page_size=10)
    file = pq.ParquetFile(io.BytesIO(out.getvalue()))
    assert file.num_row_groups == -(-n_rows // 7)
    rows = file.read().to_pylist()
    everything: Any = {one.option: None for one in repository.model.filters if one.hides}
    records = await repository.all(**everything)
    assert [row["_id"] for row in rows] == [one.id for one in records]
    company = repository.model.company_field
    if company is not None:
        wire = fields_of(record)[company].wire
        assert [row[wire] for row in rows] == [getattr(one, company) for one in records]
    assert [json.loads(row["extra"] or "{}") for row in rows] == [one.extra for one in records]


@pytest.mark.parametrize("repository", [Tasks], indirect=True)
async def test_written_pages_are_not_read_again(repository: AnyRepository, planhat: Sandbox, tmp_path: Path) -> None:
    """Open tasks are not read again either if all of them were written."""
    with pytest.raises(OSError, match="No space left"):
        await export(repository, tmp_path / "all.jsonl", n_rows=25)
    n_before = len(listed(planhat))
    await export(repository, tmp_path / "all.jsonl", resumes=Tasks.model)
    assert listed(planhat)[n_before:] == [("true", 9)]


async def test_an_interrupted_resumption_can_be_resumed(tmp_path: Path) -> None:
    """This works any number of times."""
    lists = Lists(list("0123456789abcdef"))
    path = tmp_path / "all.jsonl"
    await export(lists, path)
    whole = path.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        await export(lists, path, n_rows=3)
    for _ in range(4):
        with pytest.raises(OSError, match="No space left"):
            await export(lists, path, resumes=Tickets.model, n_rows=3)
    assert await export(lists, path, resumes=Tickets.model, n_rows=1) == 16
    assert path.read_bytes() == whole


def test_resuming_without_a_part_is_refused(tmp_path: Path) -> None:
    """The message says what to do instead."""
    path = tmp_path / "all.jsonl"
    with pytest.raises(ValueError, match=r"there is no .*all\.jsonl\.part to resume: leave out --resume"):
        checkpoint_of(path, Tickets.model)


def test_a_part_that_is_not_an_export_is_refused_and_not_changed(tmp_path: Path) -> None:
    """The message names the file and the line."""
    part = tmp_path / "all.jsonl.part"
    part.write_bytes(b"_id,sourceId\n")
    with pytest.raises(ValueError, match=r"all\.jsonl\.part is not part of such an export: line 1: not JSON"):
        checkpoint_of(tmp_path / "all.jsonl", Tickets.model)
    assert part.read_bytes() == b"_id,sourceId\n"


def test_the_archive_is_the_one_that_the_model_declares(tmp_path: Path) -> None:
    """An export resumes with the option and the field of the model's own filter."""
    model = Model(
        name="jobs",
        record=Ticket,
        path="/jobs",
        limits=Tickets.model.limits,
        filters=(ArchivedFilter(option="opened", wire="onlyOpen", partition_field="is_open"),),
    )
    (tmp_path / "all.jsonl.part").write_bytes(b'{"_id":"1","isArchived":true}\n{"_id":"2"}\n')
    assert checkpoint_of(tmp_path / "all.jsonl", model).listings() == [
        {"after": "2", "start_offset": 2, "opened": False},
        {"opened": True},
    ]
    (tmp_path / "all.jsonl.part").write_bytes(b'{"_id":"2"}\n{"_id":"1","isOpen":true}\n')
    assert checkpoint_of(tmp_path / "all.jsonl", model).listings() == [
        {"after": "1", "start_offset": 1, "opened": True}
    ]


def test_the_part_is_beside_the_target_of_a_link(tmp_path: Path) -> None:
    """The part was written there."""
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "file.jsonl")
    (tmp_path / "file.jsonl.part").write_bytes(b'{"_id":"1"}\n')
    assert checkpoint_of(link, Tickets.model).last_id == "1"


# Formats.


def test_each_format_has_a_writer() -> None:
    """The writer gets a file and a model."""
    made = [writer_class(name)(io.BytesIO(), Ticket) for name in ("csv", "jsonl", "parquet")]
    assert [type(writer) for writer in made] == [CsvWriter, JsonlWriter, ParquetWriter]


def test_a_missing_package_is_reported_with_its_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet requires an extra."""
    monkeypatch.delitem(sys.modules, "planhat_async.jobs.files.parquet_writer")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingExtraError, match=r"Parquet needs one more package: pip install 'planhat-async\[parquet\]'"
    ):
        writer_class("parquet")


def test_another_missing_module_raises_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is raised unchanged."""
    monkeypatch.delitem(sys.modules, "planhat_async.jobs.files.parquet_writer")
    monkeypatch.setitem(sys.modules, "planhat_async.jobs.files.writers", None)
    with pytest.raises(ModuleNotFoundError, match="writers"):
        writer_class("parquet")


# Files.


@pytest.mark.parametrize(
    ("is_resumable", "how"),
    [(True, "the same command with --resume goes on from there"), (False, "only uncompressed JSONL can be resumed")],
)
def test_an_error_of_an_export_names_the_part(how: str, tmp_path: Path, *, is_resumable: bool) -> None:
    """It also says whether the export can be resumed."""
    path = tmp_path / "all"
    path.with_name("all.part").write_bytes(b"1\n")
    with pytest.raises(OSError, match="full") as caught, part_named(path, is_resumable=is_resumable):
        raise OSError("full")
    assert caught.value.__notes__ == [f"{path}.part holds what was read so far: {how}"]


def test_an_error_of_an_empty_export_names_no_part(tmp_path: Path) -> None:
    """It cannot be resumed."""
    path = tmp_path / "all"
    with pytest.raises(OSError, match="full") as caught, part_named(path, is_resumable=True), whole_file(path):
        raise OSError("full")
    assert not hasattr(caught.value, "__notes__")


def test_the_kept_bytes_of_a_part_stay_and_the_rest_is_removed(tmp_path: Path) -> None:
    """New output is appended to them."""
    path = tmp_path / "all"
    path.with_name("all.part").write_bytes(b"1\n2\nhal")
    with whole_file(path, keep_bytes=4) as out:
        out.write(b"3\n")
    assert path.read_bytes() == b"1\n2\n3\n"


def test_only_a_complete_file_gets_its_name(tmp_path: Path) -> None:
    """Until then its name ends with `.part`."""
    path = tmp_path / "tickets.jsonl"
    with whole_file(path) as out:
        out.write(b"1\n")
        assert os.listdir(tmp_path) == ["tickets.jsonl.part"]
    assert os.listdir(tmp_path) == ["tickets.jsonl"]
    assert path.read_bytes() == b"1\n"


def test_a_complete_file_replaces_an_older_one(tmp_path: Path) -> None:
    """The part of an earlier failure is removed too."""
    path = tmp_path / "tickets.jsonl"
    path.write_bytes(b"old\n")
    path.with_name("tickets.jsonl.part").write_bytes(b"a long left-over of an earlier failure\n")
    with whole_file(path) as out:
        out.write(b"new\n")
    assert os.listdir(tmp_path) == ["tickets.jsonl"]
    assert path.read_bytes() == b"new\n"


def test_a_failure_keeps_the_older_file(tmp_path: Path) -> None:
    """The incomplete output stays beside it."""
    path = tmp_path / "tickets.jsonl"
    path.write_bytes(b"old\n")

    def fail() -> None:
        with whole_file(path) as out:
            out.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old\n"
    assert path.with_name("tickets.jsonl.part").read_bytes() == b"half"


def test_a_pipe_is_written_to_directly(tmp_path: Path) -> None:
    """Its reader would never see a file of that name."""
    path = tmp_path / "tickets.jsonl"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with whole_file(path) as out:
            out.write(b"1\n")
        assert os.read(reading, 10) == b"1\n"
    finally:
        os.close(reading)
    assert path.is_fifo()
    assert os.listdir(tmp_path) == ["tickets.jsonl"]


def test_a_device_is_written_to_directly() -> None:
    """It is not replaced by a file."""
    with whole_file(Path(os.devnull)) as out:
        out.write(b"1\n")
    assert Path(os.devnull).is_char_device()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The content is written to its target, as other programs do."""
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"old\n")
    link.symlink_to(file)
    with whole_file(link) as out:
        out.write(b"new\n")
    assert (link.is_symlink(), file.read_bytes()) == (True, b"new\n")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """Nothing is written beside it."""
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(IsADirectoryError, match="folder"), whole_file(path):
        pass
    assert os.listdir(tmp_path) == ["folder"]


def test_an_error_of_writing_names_the_file(tmp_path: Path) -> None:
    """The error is the operating system's own."""
    with pytest.raises(FileNotFoundError, match="gone"), whole_file(tmp_path / "gone" / "tickets.jsonl"):
        pass


def test_a_part_that_another_export_has_replaced_gets_no_name(tmp_path: Path) -> None:
    """It would be called complete with the records that the other one has written so far."""
    path = tmp_path / "all.jsonl"
    part = tmp_path / "all.jsonl.part"

    def write() -> None:
        with whole_file(path) as first:
            first.write(b"whole\n")
            part.unlink()
            part.write_bytes(b"half")

    with pytest.raises(FileExistsError, match=r"all\.jsonl\.part was replaced meanwhile"):
        write()
    assert (path.exists(), part.read_bytes()) == (False, b"half")
