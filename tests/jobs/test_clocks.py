"""Test that keyless rows are verified by Planhat's own `_id`s, independent of the local clock."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from fakes import TOKEN
from killed_jobs import ONCE, saved

from planhat_async import Notes, Session, Timeouts, UpsertResult
from planhat_async._http.wire import Request, Response, Token
from planhat_async.errors import UnknownOutcomeError
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.upsert_job import UpsertJob, run_upsert

FAR_AHEAD = "f" * 24


@define
class Planhat:
    """Notes on a server with a different clock; the second write is processed or lost, and gets no answer."""

    seconds_behind: float = 0.0
    loses: bool = False
    """Whether the second write is lost before it arrives."""
    refuses_lists: bool = False
    names_ids: bool = True
    notes: dict[str, str] = field(factory=dict)
    calls: list[str] = field(factory=list)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Answer like Planhat."""
        assert token.header()
        assert timeouts.total
        self.calls.append(request.method)
        if request.method == "GET":
            return Response(status=403) if self.refuses_lists else Response(status=200, body=self._page(request))
        is_second = self.calls.count("PUT") == 2
        made = [] if is_second and self.loses else [self._create(row) for row in json.loads(request.body or b"")]
        if is_second:
            raise UnknownOutcomeError("no answer", method="PUT", path="/conversations")
        named = {"insertsKeys": [{"_id": one} for one in made]} if self.names_ids else {}
        return Response(status=200, body=json.dumps({"created": len(made), "updated": 0, **named}).encode())

    async def close(self) -> None:
        """Do nothing."""

    def add(self, record_id: str, subject: str = "old") -> None:
        """Add an existing record."""
        self.notes[record_id] = subject

    def _create(self, row: dict[str, Any]) -> str:
        made = f"{int(time.time() - self.seconds_behind):08x}{len(self.notes):016x}"
        self.notes[made] = row["subject"]
        return made

    def _page(self, request: Request) -> bytes:
        query = dict(request.params)
        assert query["sort"] == "-_id"
        first, limit = int(query.get("offset", 0)), int(query["limit"])
        ids = sorted(self.notes, reverse=True)[first : first + limit]
        return json.dumps([{"_id": one, "type": "note", "subject": self.notes[one]} for one in ids]).encode()


def rows(n: int) -> list[dict[str, Any]]:
    return [{"companyId": "5f4e3d2c1b0a998877665544", "subject": f"note {one}"} for one in range(n)]


def stored(planhat: Planhat) -> Counter[str]:
    return Counter(subject for subject in planhat.notes.values() if subject != "old")


ONCE_EACH = Counter(row["subject"] for row in rows(40))
VERIFIED: dict[str, Any] = {"verify_by": ["subject"], "verify_wait": 0.0}
planted = pytest.mark.parametrize("ahead", [[], [FAR_AHEAD], [f"ffff{n:020x}" for n in range(300)]])


async def killed(planhat: Planhat, path: Path, **options: Any) -> None:
    """Run a job of 40 notes in 4 chunks and kill it during the second chunk."""
    whole = path.with_name("whole.db")
    async with (
        Session(TOKEN, transport=planhat, retry=ONCE) as session,
        UpsertJob(Notes(session), rows(40), journal=whole, chunk_size=10, concurrency=1, **options) as job,
    ):
        async for chunk in job:
            if chunk.number == 0:
                saved(whole, path)
                break


async def run(planhat: Planhat, given: list[dict[str, Any]], path: Path, **options: Any) -> UpsertResult:
    async with Session(TOKEN, transport=planhat, retry=ONCE) as session:
        return await run_upsert(Notes(session), given, journal=path, **options)


async def run_again(planhat: Planhat, path: Path) -> UpsertResult:
    return await run(planhat, rows(40), path, chunk_size=10, concurrency=1, **VERIFIED)


@planted
@pytest.mark.parametrize("seconds_behind", [-7200.0, 0.0, 7200.0, 86_400.0])
@pytest.mark.parametrize("loses", [True, False])
async def test_a_lost_answer_is_verified_with_any_difference_of_clocks(
    ahead: list[str], seconds_behind: float, *, loses: bool
) -> None:
    """One run suffices, with few records and with `_id`s in the future."""
    planhat = Planhat(seconds_behind, loses=loses)
    for one in ahead:
        planhat.add(one)
    async with Session(TOKEN, transport=planhat, retry=ONCE) as session:
        result = await Notes(session).upsert_many(rows(40), chunk_size=10, concurrency=1, **VERIFIED)
    assert (result.created, stored(planhat)) == (40, ONCE_EACH)


@planted
@pytest.mark.parametrize("seconds_behind", [-7200.0, 7200.0])
@pytest.mark.parametrize("is_verified_before", [True, False])
async def test_a_resumed_job_verifies_its_rows_with_any_difference_of_clocks(
    tmp_path: Path, ahead: list[str], seconds_behind: float, *, is_verified_before: bool
) -> None:
    """The journal holds the floor before the first keyless chunk is sent, whether that run verifies or not."""
    planhat = Planhat(seconds_behind)
    for one in ahead:
        planhat.add(one)
    await killed(planhat, tmp_path / "job.db", **(VERIFIED if is_verified_before else {}))
    result = await run_again(planhat, tmp_path / "job.db")
    assert (result.created, stored(planhat)) == (40, ONCE_EACH)


async def test_the_whole_list_is_read_for_a_journal_without_a_floor(tmp_path: Path) -> None:
    """A run whose token may not list sends its rows all the same; a later run finds them."""
    planhat = Planhat(7200.0, refuses_lists=True)
    await killed(planhat, tmp_path / "job.db")
    assert planhat.calls.count("GET") == 1
    planhat.refuses_lists = False
    assert ((await run_again(planhat, tmp_path / "job.db")).created, stored(planhat)) == (40, ONCE_EACH)


@pytest.mark.parametrize("names_ids", [True, False])
async def test_a_floor_rises_with_the_created_ids(tmp_path: Path, *, names_ids: bool) -> None:
    """A long job does not read back to its start; without `_id`s in answers, the floor stays."""
    planhat = Planhat(7200.0, names_ids=names_ids)
    for n in range(1000):
        planhat.add(f"4fffffff{n:016x}")
    await run(planhat, rows(10), tmp_path / "job.db", chunk_size=5, concurrency=1)
    journal = await Journal.load(tmp_path / "job.db")
    first, second = (journal.entries[n].floor or "" for n in (0, 1))
    assert first == "4fffffc3" + "0" * 16
    assert (second > first) is names_ids
    assert int(second[:8], 16) < time.time() - 7200 or not names_ids
    assert planhat.calls == ["GET", "PUT", "PUT"]


async def test_an_earlier_record_is_not_a_row_of_this_run(tmp_path: Path) -> None:
    """It has the same values, but this run did not store the row, and sends it."""
    planhat = Planhat(loses=True)
    for row in rows(40):
        planhat._create(row)
    await run_again(planhat, tmp_path / "job.db")
    assert stored(planhat) == Counter(dict.fromkeys(ONCE_EACH, 2))


async def test_a_job_of_keyed_rows_reads_no_list(tmp_path: Path) -> None:
    """Keyed rows need no verification, and a finished job needs none either."""
    for name, given, n_lists in (("keyed", [{"id": "5" * 24, "subject": "s"}], 0), ("keyless", rows(4), 1)):
        planhat = Planhat()
        for _ in range(2):
            await run(planhat, given, tmp_path / name)
        assert planhat.calls.count("GET") == n_lists
