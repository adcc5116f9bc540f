"""Names of files that hold the day of the run: decisions only."""

from __future__ import annotations

from datetime import UTC, datetime

DATE, TIME = "{date}", "{time}"


def dated_name(name: str, now: datetime | None = None) -> str:
    """The name with the day of the run in place of `{date}`, as 2026-11-30, and its time for `{time}`, as 013000.

    Both are in UTC, by this machine's clock. Other braces stay.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return name.replace(DATE, f"{moment:%Y-%m-%d}").replace(TIME, f"{moment:%H%M%S}")
