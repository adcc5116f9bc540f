"""Test the demo of a tenant: everything is written, read back and compared."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import attrs
import pytest
from command_line import run

from planhat_async.analytics import Analytics
from planhat_async.cli.tenant_demo import ModelReport, TenantReport, run_tenant_demo
from planhat_async.models import EndUser, Tickets
from planhat_async.records import Model, Record
from planhat_async.sandbox.record_writer import RecordWriter
from planhat_async.testing.made_up_tenant import MadeUpTenant, repositories

GOOD = ModelReport("tickets", n_rows=3, n_written=3, n_read=3, n_equal=3, calls=2, seconds=1.25)


async def demonstrated() -> dict[str, ModelReport]:
    report = await run_tenant_demo(4, show=lambda _: None)
    return {one.name: one for one in report.models}


@pytest.mark.slow
async def test_every_record_of_every_model_is_read_back_as_it_was_written() -> None:
    """A line for each model says so."""
    printed: list[str] = []
    report = await run_tenant_demo(20, show=printed.append)
    assert report.ok
    assert [one.name for one in report.models] == [*(one.model.name for one in repositories()), "metrics"]
    assert printed[1] == "Wrote 824 records of a made-up tenant. Reading them back:"
    assert printed[2:] == [str(one) for one in report.models]
    assert sum(one.n_read for one in report.models) == 824
    assert report.calls == sum(one.calls for one in report.models) > 2 * len(report.models)


async def test_a_changed_value_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the field."""
    create = RecordWriter.create

    def changed(self: RecordWriter, model: Any, row: dict[str, Any], *args: Any, **options: Any) -> Any:
        is_one = row.get("sourceId") == "EndUser-7"
        return create(self, model, {**row, "position": "Janitor"} if is_one else row, *args, **options)

    monkeypatch.setattr(RecordWriter, "create", changed)
    reports = await demonstrated()
    endusers = reports.pop("endusers")
    assert (endusers.n_read, endusers.n_equal, endusers.different) == (40, 39, {"position"})
    assert str(endusers).endswith("of 40, 39 unchanged, other values of position")
    assert all(one.ok for one in reports.values())


@pytest.mark.parametrize(("times", "n_read"), [(0, 19), (2, 21)])
async def test_a_missing_or_repeated_record_is_detected(
    monkeypatch: pytest.MonkeyPatch, times: int, n_read: int
) -> None:
    """It is equal at most once."""
    read = Tickets.iter

    async def differently(self: Tickets, **options: Any) -> AsyncGenerator[Any, None]:
        async for ticket in read(self, **options):
            for _ in range(times if ticket.source_id == "Ticket-3" else 1):
                yield ticket

    monkeypatch.setattr(Tickets, "iter", differently)
    reports = await demonstrated()
    assert (reports["tickets"].n_read, reports["tickets"].n_equal) == (n_read, min(n_read, 20))
    assert [name for name, one in reports.items() if not one.ok] == ["tickets"]


async def test_a_changed_metric_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics are compared as a whole."""
    read = Analytics.read_metrics

    async def differently(self: Analytics, **options: Any) -> AsyncGenerator[Any, None]:
        async for metric in read(self, **options):
            yield attrs.evolve(metric, value=-1.0) if metric.value == 7 else metric

    monkeypatch.setattr(Analytics, "read_metrics", differently)
    reports = await demonstrated()
    assert (reports["metrics"].n_read, reports["metrics"].n_equal) == (20, 19)


async def test_nothing_is_written_after_a_model_that_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others could not name its records; what was written is read back all the same."""
    records = MadeUpTenant.records

    def lacking(self: MadeUpTenant, model: Model, ids: Any) -> Iterator[Record]:
        for record in records(self, model, ids):
            yield (
                attrs.evolve(record, email="x@nowhere.example", company_id=None)
                if isinstance(record, EndUser)
                else record
            )

    monkeypatch.setattr(MadeUpTenant, "records", lacking)
    reports = await demonstrated()
    names = list(reports)
    assert all(one.ok for one in list(reports.values())[: names.index("endusers")])
    assert all(one.n_written == one.n_read == 0 for one in list(reports.values())[names.index("endusers") :])


@pytest.mark.parametrize("change", [{"n_rows": 4}, {"n_written": 2}, {"n_read": 4}, {"n_equal": 2}])
def test_a_report_is_not_ok_after_any_failure(change: dict[str, Any]) -> None:
    """Each of its numbers suffices."""
    assert TenantReport([GOOD]).ok
    assert not TenantReport([GOOD, attrs.evolve(GOOD, **change)]).ok


def test_a_line_shows_records_calls_and_seconds() -> None:
    """One that is not ok shows how many records there are, too."""
    assert str(GOOD) == "tickets             3 written       3 read back    2 calls   1.2 s"
    assert str(attrs.evolve(GOOD, n_equal=2)) == f"{GOOD}  of 3, 2 unchanged"


def test_the_command_ends_with_a_verdict() -> None:
    """The exit code says the same."""
    ended = run("demo", "--tenant", "--companies", "3")
    assert (ended.code, ended.err) == (0, [])
    *lines, verdict = ended.out.splitlines()
    assert len(lines) == 2 + len(repositories()) + 1
    assert re.fullmatch(r"Everything arrived exactly once: \d+ calls, \d+\.\d s\.", verdict)


@pytest.mark.parametrize("options", [["--tenant", "--rows", "3"], ["--companies", "3"]])
def test_options_of_the_other_demo_are_refused(options: list[str]) -> None:
    """They would have no effect."""
    ended = run("demo", *options)
    assert (ended.code, ended.out) == (2, "")
    assert "--tenant" in ended.err[0]
