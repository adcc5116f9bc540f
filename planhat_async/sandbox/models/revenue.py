"""Yearly revenue, which follows from monthly revenue."""

from __future__ import annotations

from collections.abc import Callable

from planhat_async.sandbox.store import Record


def yearly(**fields: str) -> Callable[[Record], Record]:
    """The fields of yearly revenue, each computed from the field of monthly revenue given, where that was sent."""

    def derive(sent: Record) -> Record:
        months = {year: sent.get(month) for year, month in fields.items()}
        return {year: value * 12 for year, value in months.items() if isinstance(value, int | float)}

    return derive
