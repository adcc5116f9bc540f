"""Test that a job killed at any time and run again ends with the same result as an uninterrupted one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killed_upserts import CHUNK_SIZE, KilledJob, written

from planhat_async.sandbox import Sandbox

pytestmark = pytest.mark.slow

N_KILLS = int(os.environ.get("TEST_KILLS", "4"))
"""The number of kills for each model; some dozens on a fast machine take several jobs."""
N_ROWS = 200 * CHUNK_SIZE


def jobs(planhat: Sandbox, model: str, folder: Path, rows: Iterator[dict[str, Any]]) -> Iterator[KilledJob]:
    """Yield jobs with their own rows until enough of them were killed."""
    n_left = number = 0
    while not number or n_left:
        part = folder / f"{model}-{number}"
        part.mkdir()
        file = written(part / "rows.jsonl", [next(rows) for _ in range(N_ROWS)])
        job = KilledJob(planhat, model, file, seed=number, n_kills=n_left if number else N_KILLS)
        yield job
        n_left, number = job.n_kills, number + 1


def tickets() -> Iterator[dict[str, Any]]:
    number = 0
    while True:
        yield {"sourceId": f"t{number}", "email": "a@b.example", "domains": ["b.example"], "title": f"title {number}"}
        number += 1


def notes() -> Iterator[dict[str, Any]]:
    number = 0
    while True:
        yield {"companyId": "5f4e3d2c1b0a998877665544", "subject": f"note {number}"}
        number += 1


async def test_all_tickets_of_killed_jobs_are_stored(planhat: Sandbox, tmp_path: Path) -> None:
    """The store equals the input, and rows answered before a kill were not sent again."""
    ended = []
    for job in jobs(planhat, "tickets", tmp_path, tickets()):
        printed = await job.run()
        assert (printed["rows"], printed["ok"], printed["problems"]) == (N_ROWS, True, [])
        for run in job.runs:
            assert run.n_rows_arrived <= N_ROWS - run.n_rows_answered_before
        ended.append(job)
    rows = tickets()
    expected = {row["sourceId"]: row["title"] for _, row in zip(range(len(ended) * N_ROWS), rows, strict=False)}
    records = planhat.records("tickets")
    assert {ticket["sourceId"]: ticket["title"] for ticket in records} == expected
    assert len(records) == len(expected)
    assert sum(run.was_killed for job in ended for run in job.runs) == N_KILLS
    assert any(job.n_between for job in ended)


async def test_no_note_of_killed_jobs_is_stored_twice(planhat: Sandbox, tmp_path: Path) -> None:
    """Missing notes are among the rows listed as unknown."""
    first, n_between = 0, 0
    missable: set[str] = set()
    for job in jobs(planhat, "notes", tmp_path, notes()):
        printed = await job.run()
        ranges = printed["not_stored"].get("unknown", [])
        unknown = {first + row for start, last in ranges for row in range(start - 1, last)}
        assert (printed["rows"], printed["created"] + len(unknown), printed["unknown"]) == (
            N_ROWS,
            N_ROWS,
            len(unknown),
        )
        missable |= {f"note {number}" for number in unknown}
        first, n_between = first + N_ROWS, n_between + job.n_between
    stored = Counter(note["subject"] for note in planhat.records("notes"))
    assert set(stored.values()) == {1}
    assert {f"note {number}" for number in range(first)} - stored.keys() <= missable
    assert n_between
