"""Test names that hold the day of the run."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from planhat_async.jobs.files.dated_name import dated_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tasks-{date}.parquet", "tasks-2026-11-30.parquet"),
        ("s3://bucket/{date}/{time}-{date}.csv.gz", "s3://bucket/2026-11-30/233005-2026-11-30.csv.gz"),
        ("{day}{}.jsonl", "{day}{}.jsonl"),
    ],
)
def test_the_day_and_the_time_are_in_utc(name: str, expected: str) -> None:
    """Where the run is on the first of December already."""
    assert dated_name(name, datetime(2026, 12, 1, 3, 30, 5, tzinfo=timezone(timedelta(hours=4)))) == expected


def test_by_default_it_is_now() -> None:
    """Midnight may pass between the two."""
    days = {f"{datetime.now(UTC):%Y-%m-%d}"}
    name = dated_name("{date}")
    assert name in days | {f"{datetime.now(UTC):%Y-%m-%d}"}
