"""Test how benchmarks evaluate their measurements."""

from __future__ import annotations

import pytest

from benchmarks.chart import chart
from benchmarks.measurement import Measurement
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
