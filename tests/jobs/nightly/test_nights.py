"""Test ten nights of exports with random changes, kills at any instant and lost states."""

from __future__ import annotations

import json
import os
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes import TOKEN
from killer import Calls, Killed, Killer

from planhat_async import Session, Tasks, Tickets
from planhat_async._convert import write_time
from planhat_async.jobs import export_snapshot, export_updated
from planhat_async.jobs.nightly.state_file import State
from planhat_async.repositories import Lists
from planhat_async.sandbox import MemorySandbox

DAY = 86_400
COMPANY = "5f4e3d2c1b0a998877665544"


class Nights(MemorySandbox):
    """A sandbox whose clock is moved by days."""

    n_days: float = 0

    def now(self) -> float:
        """Return the seconds since 1970."""
        return super().now() + self.n_days * DAY


@pytest.fixture
async def planhat() -> Nights:
    """Return a sandbox in memory."""
    return Nights(token=TOKEN, per_minute=None, per_second=None)


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    """Return what kills runs."""
    killer = Killer()
    for owner, name in ((os, "fsync"), (Path, "replace"), (Path, "unlink")):
        killer.guard(monkeypatch, owner, name)
    return killer


@pytest.fixture
async def session(planhat: Nights, killer: Killer) -> AsyncIterator[Session]:
    """Yield a session on it."""
    async with Session(planhat.token, transport=Calls(planhat, killer)) as opened:
        yield opened


def change(planhat: Nights, name: str, draw: random.Random) -> None:
    """Change, delete and create some records, as Planhat's users would."""
    records = planhat.records(name)
    planhat.restore(MemorySandbox().snapshot())
    for record in records:
        chance = draw.random()
        changed: dict[str, Any] = (
            {"custom": {"Round": draw.random()}, "updatedAt": time_of(planhat)} if chance < 0.2 else {}
        )
        if 0 < chance < 0.1 and name == "tasks":
            changed["isArchived"] = not record.get("isArchived")
        if chance < 0.9:
            planhat.add(name, record | changed)
    for _ in range(draw.randrange(5)):
        planhat.add(name, {"action": "call", "companyId": COMPANY, "updatedAt": time_of(planhat)})


def time_of(planhat: Nights) -> str:
    return write_time(datetime.fromtimestamp(planhat.now(), UTC))


def put_together(files: list[Path]) -> dict[str, Any]:
    """The records that the files hold together: of each the latest version, without those deleted last."""
    copy: dict[str, Any] = {}
    for file in files:
        for line in file.read_text().splitlines():
            record = json.loads(line)
            if record.pop("_change", None) == "deleted":
                copy.pop(record["_id"], None)
            else:
                copy[record["_id"]] = record
    return copy


async def run_night(export: Any, repository: Lists[Any], folder: Path, night: int, killer: Killer, n_kills: int) -> Any:
    """Run one night's export, kill it, and run it again until it ends; returns what it said at its end."""
    draw = random.Random(night * 1000 + n_kills)
    output = folder / f"{night:02}.jsonl"
    for _ in range(n_kills):
        killer.n_left = draw.randrange(1, 30)
        try:
            await export(repository, output, state=folder / "state")
        except (Killed, ValueError):
            assert killer.has_killed or output.exists()
        killer.n_left = None
    try:
        return await export(repository, output, state=folder / "state")
    except ValueError:
        held = State.load(folder / "state")
        assert held is not None
        assert held.file == str(output)  # the last run was killed after its state was written
        return None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("export", "repository"), [(export_updated, Tasks), (export_snapshot, Tasks), (export_snapshot, Tickets)]
)
async def test_ten_nights_put_together_are_the_tenant_each_morning(
    planhat: Nights,
    session: Session,
    killer: Killer,
    tmp_path: Path,
    seed: int,
    export: Any,
    repository: type[Lists[Any]],
) -> None:
    """Runs are killed at any step, and states are lost: then the run says that its file holds everything."""
    draw, name = random.Random(seed), repository.model.name
    begins = 0
    for night in range(10):
        planhat.n_days = night
        change(planhat, name, draw)
        is_lost = night > 0 and draw.random() < 0.1
        if is_lost:
            (tmp_path / "state").unlink()
        planhat.n_days += 0.25
        done = await run_night(export, repository(session), tmp_path, night, killer, draw.randrange(4))
        if night == 0 or is_lost:
            begins = night
            assert done is None or done.is_first
        files = [tmp_path / f"{number:02}.jsonl" for number in range(begins, night + 1)]
        copy = put_together(files)
        tenant = {record["_id"]: record for record in planhat.records(name)}
        if export is export_updated:
            copy = {id_: record for id_, record in copy.items() if id_ in tenant}  # a walk sees no deletions
        assert copy == tenant
