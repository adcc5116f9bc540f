"""Test batches of rows that an engine repeats after a failure."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest
from fakes import TOKEN
from hypothesis import given
from hypothesis import strategies as st
from made_ids import id_of

from planhat_async import Outcome, Problem, RetryPolicy, Session, Tasks, UpsertError
from planhat_async.engines.upsert_sink import UpsertSink, reasons_by_position
from planhat_async.sandbox import MemorySandbox
from planhat_async.sync import BlockingSession
from planhat_async.testing import SandboxTransport

COMPANY = id_of(1)


def sink_on(planhat: MemorySandbox, rejects: Path) -> UpsertSink:
    session = Session(TOKEN, transport=SandboxTransport(planhat), retry=RetryPolicy(attempts=1))
    return UpsertSink(Tasks, BlockingSession(session), rejects)


def rows(n: int) -> list[dict[str, Any]]:
    return [{"source_id": f"crm-{number}", "company_id": COMPANY, "action": str(number)} for number in range(n)]


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_batch_is_stored_by_one_call(tmp_path: Path) -> None:
    """Without refused rows there is no file of them."""
    planhat = MemorySandbox(token=TOKEN)
    sink_on(planhat, tmp_path / "rejected.jsonl").store(rows(5000))
    assert [call.n_rows for call in planhat.requests] == [5000]
    assert len(planhat.records("tasks")) == 5000
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("fault", ["reset_after", "http_500_after", "http_503", "reset_before"])
def test_a_batch_without_an_answer_fails_and_can_be_repeated(fault: str, tmp_path: Path) -> None:
    """No row is stored twice."""
    planhat = MemorySandbox(token=TOKEN)
    sink = sink_on(planhat, tmp_path / "rejected.jsonl")
    planhat.inject(f"{fault}=1")
    for _ in range(3):
        with pytest.raises(UpsertError, match="9 of 9 rows were not stored: 9 unknown"):
            sink.store(rows(9))
    planhat.inject()
    sink.store(rows(9))
    assert [task["sourceId"] for task in planhat.records("tasks")] == [f"crm-{number}" for number in range(9)]


def test_a_wrong_token_fails_the_batch(tmp_path: Path) -> None:
    """The rows are not refused one by one: they can be sent once the token is right."""
    with pytest.raises(UpsertError, match="stopped by AuthenticationError"):
        sink_on(MemorySandbox(token="another"), tmp_path / "rejected.jsonl").store(rows(3))
    assert [*tmp_path.iterdir()] == []


def test_refused_rows_go_to_a_file_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The others are stored; a repeated batch adds no line again, another reason does."""
    planhat = MemorySandbox(token=TOKEN)
    path = tmp_path / "rejected.jsonl"
    sink = sink_on(planhat, path)
    batch = [*rows(2), {"source_id": "crm-2", "company_id": "acme"}, {"action": "no key", "company_id": COMPANY}]
    batch += [{"source_id": "crm-4", "colour": "red"}, {"source_id": " ", "company_id": COMPANY}]
    with caplog.at_level(logging.WARNING):
        sink.store(batch)
        sink.store(batch)
    assert [task["sourceId"] for task in planhat.records("tasks")] == ["crm-0", "crm-1"]
    refused = written(path)
    assert [{**row, **found} for row, found in zip(batch[2:], refused, strict=True)] == refused
    reasons = [found["not stored because"] for found in refused]
    assert [reason.split(":")[0] for reason in reasons] == ["invalid"] * 4
    assert reasons[1] == "invalid: it has no id or source_id"
    assert caplog.messages[0].startswith(f"4 of 6 tasks were refused: see {path}; the first because: company_id 'acme'")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("fault", ["rows_206", "rows_400", "rows_403", "rows_dropped"])
def test_rows_that_planhat_refuses_do_not_fail_the_batch(fault: str, tmp_path: Path) -> None:
    """The rows that are not stored are those in the file."""
    planhat = MemorySandbox(token=TOKEN, faults=f"{fault}:2@1")
    path = tmp_path / "rejected.jsonl"
    sink_on(planhat, path).store(rows(10))
    stored = [task["sourceId"] for task in planhat.records("tasks")]
    refused = [row["source_id"] for row in written(path)]
    assert len(refused) == 2
    assert sorted([*stored, *refused]) == [f"crm-{number}" for number in range(10)]


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_a_value_that_json_lacks_is_kept_as_text(value: object, tmp_path: Path) -> None:
    """The row is refused, so it must be in the file."""
    path = tmp_path / "rejected.jsonl"
    sink_on(MemorySandbox(token=TOKEN), path).store([{"source_id": "1", "company_id": COMPANY, "custom": {"a": value}}])
    assert written(path)[0]["custom"] == str({"a": value})


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    """Another user may have put it there."""
    path = tmp_path / "rejected.jsonl"
    path.symlink_to(tmp_path / "other")
    (tmp_path / "other").touch()
    with pytest.raises(ValueError, match="is a link"):
        sink_on(MemorySandbox(token=TOKEN), path).store([{"action": "no key"}])


@given(st.integers(1, 9), st.lists(st.one_of(st.none(), st.integers(0, 8))))
def test_every_row_that_may_be_refused_has_a_reason(n_rows: int, positions: list[int | None]) -> None:
    """An error without a row may be about any row that has no error of its own."""
    known = {position for position in positions if position is not None and position < n_rows}
    problems = [
        Problem(outcome=Outcome.REJECTED, reason="wrong", position=position)
        for position in positions
        if position is None or position < n_rows
    ]
    expected = dict.fromkeys(known, "rejected: wrong")
    if None in positions:
        expected |= {number: "perhaps rejected: wrong" for number in range(n_rows) if number not in known}
    assert reasons_by_position(n_rows, problems) == expected
