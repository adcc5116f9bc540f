"""Test the output of the command line: a table, the first problems by reason, and the error that ended a run."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from planhat_async.cli import console
from planhat_async.errors import NotSentError
from planhat_async.results import ChunkResult, Outcome, Problem, UpsertResult
from planhat_async.session import SessionStats


def result_of(*problems: Problem, **counts: int) -> UpsertResult:
    """Return a result with these problems and counts of other rows."""
    result = UpsertResult()
    chunk = ChunkResult(number=0, problems=list(problems))
    for name, n_rows in counts.items():
        chunk.count(Outcome(name), n_rows)
    for problem in problems:
        chunk.count(problem.outcome)
    result.add(chunk)
    return result


def invalid(*positions: int | None, reason: str = "email is missing", key: str | None = None) -> list[Problem]:
    """Return problems of rows that were not sent, all for one reason."""
    return [Problem(outcome=Outcome.INVALID, reason=reason, position=at, key=key) for at in positions]


def shown(
    result: UpsertResult, capsys: pytest.CaptureFixture[str], ended_by: BaseException | None = None
) -> tuple[str, list[str]]:
    """Return standard output and the lines of standard error."""
    console.show_result(result, seconds=1.26, ended_by=ended_by)
    captured = capsys.readouterr()
    return captured.out, captured.err.splitlines()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return the output to a terminal on standard error."""
    sent = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=sent, force_terminal=True, width=200, soft_wrap=True))
    return sent


@pytest.mark.parametrize(("n_rows", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows")])
def test_the_tables_title_counts_rows(n_rows: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The singular is used for one row."""
    out, _ = shown(result_of(created=n_rows), capsys)
    assert out.splitlines()[0].strip() == f"{said} in 1.3 s"


def test_the_table_has_only_outcomes_with_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """Other outcomes would only make it longer."""
    out, err = shown(result_of(created=12_345, unreported=2), capsys)
    title, *_ = out.splitlines()
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    assert title.strip() == "12,347 rows in 1.3 s"
    assert cells == [
        ["created", "12,345", "new records"],
        ["unreported", "2", "accepted; Planhat does not say whether changed"],
    ]
    assert err == []


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_explained(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> None:
    """The explanation is not just its name."""
    out, _ = shown(result_of(**{outcome.value: 1}), capsys)
    ((name, n_rows, meaning),) = [line.split("│")[1:-1] for line in out.splitlines() if "│" in line]
    assert (name.strip(), n_rows.strip()) == (outcome.value, "1")
    assert meaning.strip() not in {"", outcome.value}


@pytest.mark.parametrize(
    ("problems", "line"),
    [
        (invalid(0), "row 1 invalid: email is missing"),
        (invalid(4, key="DESK-5"), "row 5 (DESK-5) invalid: email is missing"),
        (invalid(0, 2, 1, 7), "rows 1–3, 8 invalid: email is missing"),  # noqa: RUF001
        (invalid(*range(0, 12, 2)), "rows 1, 3, 5, 7, 9 ... invalid: email is missing"),
        (invalid(None), "1 row (Planhat does not say which) invalid: email is missing"),
        (invalid(None, None), "2 rows (Planhat does not say which) invalid: email is missing"),
        (invalid(0, reason="[bold] :smile:"), "row 1 invalid: [bold] :smile:"),
    ],
)
def test_rows_with_one_reason_are_named_together(
    problems: list[Problem], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows are counted from 1, a single row has its key, and markup in a reason is escaped."""
    assert shown(result_of(*problems), capsys)[1] == [line]


def test_rows_without_a_position_are_counted_beside_named_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """Three rows are not shown as one."""
    one = shown(result_of(*invalid(None, 0, None, key="DESK-1")), capsys)[1]
    some = shown(result_of(*invalid(0, 1, None)), capsys)[1]
    assert one == ["row 1 (DESK-1) and 2 rows (Planhat does not say which) invalid: email is missing"]
    assert some == ["rows 1–2 and 1 row (Planhat does not say which) invalid: email is missing"]  # noqa: RUF001


def test_each_reason_has_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    """They are in the order of their first problems."""
    result = result_of(*invalid(3, reason="b"), *invalid(1, reason="a"), *invalid(2, reason="b"), created=1)
    assert shown(result, capsys)[1] == ["rows 3–4 invalid: b", "row 2 invalid: a"]  # noqa: RUF001


def test_ten_reasons_are_shown_and_the_rest_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand lines would hide the summary."""
    problems = [problem for at in range(11) for problem in invalid(at, reason=f"reason {at}")]
    err = shown(result_of(*problems), capsys)[1]
    assert err[:10] == [f"row {at + 1} invalid: reason {at}" for at in range(10)]
    assert err[10:] == ["11 problems in all; --json shows more of them"]
    assert len(shown(result_of(*problems[:10]), capsys)[1]) == 10


def test_any_number_of_rows_with_one_reason_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """This includes rows beyond the first thousand, whose problems a result does not keep."""
    err = shown(result_of(*invalid(*range(1001))), capsys)[1]
    assert err == [
        "rows 1–1001 invalid: email is missing",  # noqa: RUF001
    ]


def test_the_error_that_ended_a_run_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    """It is in the last line, not repeated for each row."""
    ended_by = NotSentError("no connection")
    unsent = Problem(outcome=Outcome.UNSENT, reason="no connection", position=0)
    err = shown(result_of(unsent, *invalid(1)), capsys, ended_by)[1]
    assert err == ["row 1 unsent: see below", "row 2 invalid: email is missing", "planhat-async: no connection"]


def test_json_has_the_whole_result(capsys: pytest.CaptureFixture[str]) -> None:
    """It has ten counts by name, and problems with rows counted from 1."""
    stats = SessionStats(calls=3, attempts=4, retries=1)
    result = result_of(*invalid(0, None, reason="naïve"), created=2, unsent=1)
    console.print_json(result, stats, seconds=0.12345, ended_by=NotSentError("no connection"))
    line = capsys.readouterr().out
    assert line.endswith("}\n")
    assert json.loads(line) == {
        "rows": 5,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "unreported": 0,
        "skipped": 0,
        "rejected": 0,
        "invalid": 2,
        "dropped": 0,
        "unknown": 0,
        "unsent": 1,
        "ok": False,
        "stopped_by": "no connection",
        "calls": 3,
        "attempts": 4,
        "seconds": 0.123,
        "problems": [{"n_rows": 2, "rows": [[1, 1]], "outcome": "invalid", "reason": "naïve"}],
        "n_problems": 2,
        "not_stored": {"invalid": [[1, 1]]},
        "remarks": [],
    }


def test_json_of_a_complete_run_has_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The value is `null`, not the text None."""
    console.print_json(result_of(created=1), SessionStats(), seconds=1, ended_by=None)
    parsed = json.loads(capsys.readouterr().out)
    assert (parsed["ok"], parsed["stopped_by"], parsed["problems"]) == (True, None, [])
    assert (parsed["n_problems"], parsed["not_stored"]) == (0, {})


def test_json_of_a_run_that_ended_early_is_not_ok(capsys: pytest.CaptureFixture[str]) -> None:
    """This holds even if all rows taken so far were stored."""
    console.print_json(result_of(created=1), SessionStats(), seconds=1, ended_by=NotSentError("no connection"))
    parsed = json.loads(capsys.readouterr().out)
    assert (parsed["ok"], parsed["created"], parsed["rows"]) == (False, 1, 1)


def test_json_has_the_positions_of_all_rows_that_were_not_stored(capsys: pytest.CaptureFixture[str]) -> None:
    """This includes rows beyond the first thousand, whose problems are not kept."""
    unknown = Problem(outcome=Outcome.UNKNOWN, reason="timed out", position=2000)
    console.print_json(result_of(*invalid(*range(1001), 1002), unknown), SessionStats(), seconds=1, ended_by=None)
    parsed = json.loads(capsys.readouterr().out)
    assert parsed["n_problems"] == 1003
    assert parsed["problems"] == [
        {"n_rows": 1002, "rows": [[1, 1001], [1003, 1003]], "outcome": "invalid", "reason": "email is missing"},
        {"row": 2001, "key": None, "outcome": "unknown", "reason": "timed out"},
    ]
    assert parsed["not_stored"] == {"invalid": [[1, 1001], [1003, 1003]], "unknown": [[2001, 2001]]}


def test_json_has_a_shared_reason_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong token refuses every row with the same reason; a single row has its key."""
    refused = [Problem(outcome=Outcome.REJECTED, reason="401: no", position=n, key=f"k{n}") for n in range(600)]
    other = Problem(outcome=Outcome.REJECTED, reason="too long", position=600, key="k600")
    console.print_json(result_of(*refused, other), SessionStats(), seconds=1, ended_by=None)
    out = capsys.readouterr().out
    assert out.count("401: no") == 1
    assert json.loads(out)["problems"] == [
        {"n_rows": 600, "rows": [[1, 600]], "outcome": "rejected", "reason": "401: no"},
        {"row": 601, "key": "k600", "outcome": "rejected", "reason": "too long"},
    ]


def test_json_can_be_printed_in_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result of hours must not be lost to an encoding error."""
    printed = io.BytesIO()
    out = io.TextIOWrapper(printed, encoding="ascii", write_through=True)
    monkeypatch.setattr("sys.stdout", out)
    console.print_json(result_of(*invalid(0, reason="naïve")), SessionStats(), seconds=1, ended_by=None)
    assert json.loads(printed.getvalue())["problems"][0]["reason"] == "naïve"


def test_progress_is_shown_on_a_terminal(terminal: io.StringIO) -> None:
    """It contains the rows so far and the given note."""
    with console.progress("upsert x.csv", total=100) as advance:
        advance(1234, 50, "about 3 s left")
    with console.progress("export tickets", total=None) as advance:
        advance(5678, None)
    first, second = terminal.getvalue().split("export tickets", 1)
    assert "upsert x.csv" in first
    assert "1,234 rows" in first
    assert "about 3 s left" in first
    assert "5,678 rows" in second
    assert "left" not in second


def test_progress_is_not_shown_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """A progress bar does not belong in a log."""
    with console.progress("upsert x.csv", total=100) as advance:
        advance(1, 1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["tickets{x}.csv", "tickets[bold].csv", "tickets:smile:.csv"])
def test_progress_accepts_any_file_name(name: str, terminal: io.StringIO) -> None:
    """Braces and brackets have no special meaning."""
    with console.progress(name, total=100):
        pass
    assert name in terminal.getvalue()


def test_errors_are_one_line_of_any_length(terminal: io.StringIO) -> None:
    """They begin with the program's name and keep brackets."""
    message = str(Path("x" * 300)) + " [red]"
    console.complain(message)
    assert terminal.getvalue() == f"planhat-async: {message}\n"


def test_a_note_is_one_unchanged_line(terminal: io.StringIO) -> None:
    """Markup has no effect."""
    console.tell("5 tickets exported to out[a]:smile:.jsonl")
    assert terminal.getvalue() == "5 tickets exported to out[a]:smile:.jsonl\n"


@pytest.mark.parametrize("shared", [console.out, console.err])
def test_a_closed_pipe_is_reported_to_the_command(shared: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default, rich would end the program with a misleading exit code."""
    made = type(shared)(stderr=shared.stderr, soft_wrap=True)  # it keeps output that it could not print
    reading, writing = os.pipe()
    os.close(reading)
    gone = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stderr" if made.stderr else "stdout", gone)
    with pytest.raises(BrokenPipeError):
        made.print("anything")
    monkeypatch.undo()
    with pytest.raises(BrokenPipeError):
        gone.close()
