"""Test how benchmarks evaluate their measurements."""

from __future__ import annotations

import pytest

from benchmarks.chart import chart
from benchmarks.measurement import Measurement
from benchmarks.pacing.outcome import Outcome
from benchmarks.pacing.outcome import chart as pacing_chart
from benchmarks.pacing.outcome import table as pacing_table
from benchmarks.reading.subjects import CRUDS, FLOOR, RAW_JSON, RECORDS, SUBJECTS
from benchmarks.reading.table import table
from benchmarks.reading.targets import targets
from benchmarks.results import Result, Results, Setting
from benchmarks.subjects import Subject
from benchmarks.targets import Target


def result(subject: Subject, cpu: float, *, is_ticking: bool = False, stall: float | None = None) -> Result:
    return Result(
        subject=subject,
        setting=Setting(n_rows=1000, is_ticking=is_ticking),
        n_round=1,
        n_calls=1,
        server_cpu=0.0,
        measured=Measurement(cpu=cpu, wall=1.0, peak_bytes=10**6, longest_stall=stall, p999_stall=stall),
    )


@pytest.fixture
def results() -> Results:
    made = Results()
    for cpu in (0.003, 0.009, 0.004):
        made.add(result(RECORDS, cpu))
    made.add(result(CRUDS, 0.01))
    made.add(result(RAW_JSON, 0.003))
    made.add(result(FLOOR, 0.001))
    made.add(result(RECORDS, 0.0, is_ticking=True, stall=0.02))
    return made


@pytest.mark.parametrize(
    ("value", "line"),
    [(0.5, "met           a: 0.5, at most 0.5"), (0.6, "NOT MET       a: 0.6, at most 0.5"), (None, "not measured  a")],
)
def test_a_target_is_met_or_missed(value: float | None, line: str) -> None:
    """Without a measurement, the result is unknown."""
    assert Target("a", value, 0.5).line().startswith(line)


def test_targets_use_medians(results: Results) -> None:
    """They are ratios within one run."""
    lines = list(targets(results, 1000, 2000))
    assert "met           CPU of iter / cruds: 0.4, at most 0.55" in lines
    assert "NOT MET       CPU of iter_json / bytes-alone: 3, at most 2.5" in lines
    assert "not measured  CPU of iter / httpx+pydantic: at most 0.55" in lines


def test_a_missing_measurement_has_no_bar(results: Results) -> None:
    """A bar of length zero would look like the best."""
    drawn = chart(results, SUBJECTS, 1000, title="t")
    assert [drawn.count(f">{one.name}<") for one in (RECORDS, CRUDS, RAW_JSON)] == [2, 1, 1]
    assert "httpx" not in drawn


def test_a_table_has_a_line_for_each_subject(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing measurements are blank."""
    monkeypatch.setattr(Subject, "versions", lambda _: "1.0")
    first = table(results, (RECORDS, CRUDS), 1000, 2000).splitlines()[1:3]
    assert [line.split()[:4] for line in first] == [["iter", "4.00", "-", "0.40"], ["cruds", "10.00", "-", "1.00"]]


CALLS = [(0.0, 200, "a"), (5.9, 200, "a"), (6.0, 429, "b"), (6.5, 200, "b"), (6.6, 200, "a")]
PACED = Outcome(
    method="Redis", most_in_window=4, most_in_second=4, n_refused=1, n_failed=2, shares=(3, 1, 0), per_window=2.0
)


def test_an_outcome_counts_what_the_server_saw() -> None:
    """Refused calls count as arrivals, and for no share; a process without calls has a share of 0."""
    assert Outcome.of("Redis", CALLS, ["a", "b", "c"], 2, window=6.0, seconds=12.0) == PACED


def test_outcomes_are_a_table_and_a_chart() -> None:
    """The head stands above the first line only."""
    head, line = pacing_table([PACED], 6.0, 20, has_head=True).splitlines()
    assert head.split() == [
        "most",
        "in",
        "6",
        "s",
        "in",
        "a",
        "second",
        "refused",
        "failed",
        "calls/6",
        "s",
        "(of",
        "20)",
        "shares",
    ]
    assert line.split() == ["Redis", "4", "4", "1", "2", "2", "3", "1", "0"]
    assert pacing_table([PACED], 6.0, 20, has_head=False) == line
    assert pacing_chart([PACED], 6.0, 20).count('class="ours"') == 3
