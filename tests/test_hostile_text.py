"""Test that texts of Planhat and of files reach terminals, journals and rejects files as one plain line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Desk, run
from fakes import TOKEN, FakeTransport

from planhat_async import Session, Tasks
from planhat_async._convert import encode_json, printable
from planhat_async._http.wire import Response
from planhat_async.cli import console
from planhat_async.errors import AuthenticationError
from planhat_async.jobs.entries import Entry, Group, Run, groups_of
from planhat_async.jobs.job_summary import problem_groups
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.report import page
from planhat_async.jobs.upsert_job import JobCost, run_upsert
from planhat_async.results import ChunkResult, Outcome, Problem, UpsertResult

HOSTILE = "bad\x1b[2J\x9b31m\nstored\t1-9\tall\r\u2028well \u202etxt [red]x[/red]"
PLAIN = r"bad\x1b[2J\x9b31m\nstored\t1-9\tall\r\u2028well \u202etxt [red]x[/red]"


def task(n: int) -> dict[str, Any]:
    return {"sourceId": f"t{n}", "companyId": "5f4e3d2c1b0a998877665544"}


@pytest.mark.parametrize(
    "body",
    [
        {"createdErrors": [{"sourceId": "t0", "error": f"{HOSTILE} {TOKEN}"}]},
        {"permissionErrors": [f"{HOSTILE} {TOKEN}"]},
        {"updatedErrors": [{"el": HOSTILE, "error": TOKEN}]},
        {"validationErrors": [{"sourceId": "t0", HOSTILE: TOKEN}]},
    ],
)
@pytest.mark.parametrize("status", [200, 206, 400, 403])
async def test_planhats_message_about_a_row_is_one_plain_line_without_the_token(status: int, body: Any) -> None:
    """Neither the status of the answer nor the place in the error matters."""
    transport = FakeTransport([Response(status=status, body=encode_json({"created": 0, "updated": 0, **body}))] * 3)
    async with Session(TOKEN, transport=transport) as session:
        result = await Tasks(session).upsert_many([task(0)])
    reasons = [problem.reason for problem in result.problems]
    assert reasons
    for reason in reasons:
        assert reason == printable(reason)
        assert TOKEN not in reason
        assert "<token>" in reason
        assert r"bad\x1b[2J" in reason or r"bad\\x1b[2J" in reason  # the latter if a whole object is shown


def hostile_result(ended_by: BaseException | None = None) -> UpsertResult:
    result = UpsertResult()
    said = HOSTILE if ended_by is None else str(ended_by)
    problems = [Problem(outcome=Outcome.REJECTED, reason=said, position=n, key=HOSTILE) for n in range(600)]
    result.add(ChunkResult(number=0, rejected=600, problems=problems[:600]))
    return result


def test_a_terminal_receives_no_foreign_sequences_or_line_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    """Markup has no effect either."""
    one = UpsertResult()
    one.add(ChunkResult(number=0, rejected=1, problems=hostile_result().problems[:1]))
    console.show_result(one, seconds=1, ended_by=ValueError(f"{HOSTILE}!"))
    console.tell(HOSTILE)
    console.complain(HOSTILE)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"row 1 ({printable(HOSTILE, 100)}) rejected: {PLAIN}",
        f"planhat-async: {PLAIN}!",
        PLAIN,
        f"planhat-async: {PLAIN}",
    ]


def test_the_error_that_ended_a_run_is_in_json_once(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not repeated for each row."""
    error = AuthenticationError("401: the token is wrong", status=401)
    console.print_json(hostile_result(error), JobCost(), seconds=1, ended_by=error)
    out = capsys.readouterr().out
    assert out.count("the token is wrong") == 1
    assert [(one["n_rows"], one["reason"]) for one in json.loads(out)["problems"]] == [(600, "see stopped_by")]


async def test_a_journal_keeps_and_shows_plain_lines(tmp_path: Path) -> None:
    """An earlier version or another program may have written other texts."""
    problem = Problem(outcome=Outcome.REJECTED, reason=HOSTILE, position=0)
    assert [group.reason for group in groups_of([problem], keeps_values=True)] == [PLAIN]
    raw = Group(Outcome.REJECTED, HOSTILE, (range(1),), key=HOSTILE)
    entry = Entry(number=0, n_rows=1, digest="", is_keyed=True, counts={"rejected": 1}, groups=(raw,))
    async with await Journal.open(tmp_path / "job.db") as journal:
        await journal.save(entry)
        await journal.save_run(Run(number=1, started=1.0, seen=2.0, ended=2.0, ended_by=HOSTILE))
        await journal.save_job({"model": HOSTILE})
    shown = await Journal.load(tmp_path / "job.db")
    assert [(group.reason, group.key) for group in problem_groups(shown)] == [(PLAIN, PLAIN)]
    html = page(shown, name=HOSTILE)
    assert not {"\x1b", "\x9b", "\u202e", "\u2028", "\r", "\t"} & {*html}
    assert html.count(r"bad\x1b[2J") >= 4


async def test_the_error_that_ended_a_run_is_a_plain_line_in_its_journal(tmp_path: Path) -> None:
    """An exception of the caller's iterator may contain any text."""

    def failing() -> Any:
        yield task(0)
        raise OSError(HOSTILE)

    async with Session(TOKEN, transport=FakeTransport([])) as session:
        with pytest.raises(OSError, match="bad"):
            await run_upsert(Tasks(session), failing(), journal=tmp_path / "job.db")
    assert (await Journal.load(tmp_path / "job.db")).runs[0].ended_by == PLAIN


def test_problems_are_one_line_a_reason_with_three_columns(desk: Desk) -> None:
    """A file may contain text that looks like another row of the table; so may its name."""
    name = "r\x1b[31mows.jsonl"
    rows = [{**task(0), "repeat": HOSTILE, "nope\n\x1b[2J": 1}, {**task(1), "startTime": HOSTILE}]
    desk.file(name, "".join(json.dumps(row) + "\n" for row in rows))
    ended = run("upsert", "tasks", name, "--journal", "job.db", "--rejects", "bad.jsonl", "--keep-values")
    problems = run("jobs", "problems", "job.db")
    assert problems.out
    for line in problems.out.split("\n")[:-1]:
        assert len(line.split("\t")) == 3
    for text in (*ended.err, ended.out, problems.out, *run("jobs", "status", "job.db").err):
        assert "\x1b" not in text
        assert "\u202e" not in text
    reasons = [json.loads(line)[REASON_COLUMN] for line in (desk.folder / "bad.jsonl").read_text().split("\n")[:-1]]
    assert len(reasons) == len(rows)
    assert reasons == [printable(reason) for reason in reasons]


@pytest.mark.slow
@pytest.mark.usefixtures("desk")
def test_a_missing_file_is_reported_on_one_plain_line() -> None:
    """Its name may contain any bytes, even invalid text."""
    for name in ("\x1b[2J\n.csv", "\udcff.csv"):
        ended = run("upsert", "tasks", name)
        assert (ended.code, len(ended.err)) == (2, 1)
        assert ended.err[0].startswith(f"planhat-async: {printable(name)}")
