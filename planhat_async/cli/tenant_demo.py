"""The demo of a tenant: writes records of every model to a sandbox, reads all of them back, and compares.

`planhat-async sandbox --companies` begins with the same records.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import attrs

from planhat_async._convert import fields_of
from planhat_async._http.pace import RateLimits
from planhat_async.analytics import Analytics
from planhat_async.jobs.job_progress import in_words
from planhat_async.records import Model, Part, Record
from planhat_async.records.keys import EXTID
from planhat_async.repositories import KeyLookup
from planhat_async.results import UpsertResult
from planhat_async.sandbox import Sandbox, Snapshot
from planhat_async.session import Session
from planhat_async.testing.made_up_tenant import MadeUpTenant, references, repositories

_NO_LIMITS = RateLimits(per_minute=1_000_000, per_second=1_000_000)
_METRICS_PER_PAGE = 10_000
_COMPUTED = {
    ("notes", "snippet"),
    ("tasks", "snippet"),
    ("tickets", "snippet"),
    ("time_entries", "date"),
}
"""Fields of models that Planhat does not keep as they are sent: it cuts them from a text, or to a day."""


@attrs.define
class ModelReport:
    """The outcome for one model."""

    name: str
    n_rows: int
    """Records to write."""
    n_written: int = 0
    n_read: int = 0
    n_equal: int = 0
    """Records that were read back once with every value that was sent."""
    different: set[str] = attrs.field(factory=set)
    """Fields that came back with another value."""
    calls: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every record was written and read back exactly once, unchanged."""
        return self.n_rows == self.n_written == self.n_read == self.n_equal

    def __str__(self) -> str:
        line = f"{self.name:<14}{self.n_written:>7,} written{self.n_read:>8,} read back"
        line += f"{self.calls:>5,} calls{self.seconds:>6.1f} s"
        if self.ok:
            return line
        fields = f", other values of {', '.join(sorted(self.different))}" if self.different else ""
        return f"{line}  of {self.n_rows:,}, {self.n_equal:,} unchanged{fields}"


@attrs.frozen
class TenantReport:
    """The outcome of the demo of a tenant."""

    models: list[ModelReport]

    @property
    def ok(self) -> bool:
        """Whether that holds for every model."""
        return all(model.ok for model in self.models)

    @property
    def calls(self) -> int:
        """Calls of the API and of the analytics host."""
        return sum(model.calls for model in self.models)


async def run_tenant_demo(n_companies: int, *, show: Callable[[str], object], seed: int = 0) -> TenantReport:
    """Write a made-up tenant to a sandbox without rate limit, read it back, and compare.

    After a model whose records are not all stored, nothing more is written, because others name its records.
    """
    tenant = MadeUpTenant(n_companies=n_companies, seed=seed)
    async with (
        Sandbox(token="demo-token", per_minute=None, per_second=None, seed=seed) as planhat,  # noqa: S106 - as in `demo`
        Session(planhat.token, base_url=planhat.url, limits=_NO_LIMITS) as session,
        Analytics(session, planhat.tenant_uuid, host=planhat.url) as analytics,
    ):
        show(f"A sandbox listens on {planhat.url}, without rate limits.")
        demo = _TenantDemo(tenant, session, analytics)
        await demo.write()
        n_written = sum(report.n_written for report in demo.reports.values())
        show(f"Wrote {in_words(n_written, 'record')} of a made-up tenant. Reading them back:")
        async for report in demo.read():
            show(str(report))
        return TenantReport(list(demo.reports.values()))


async def made_up_records(n_companies: int, *, seed: int) -> Snapshot:
    """The records of a made-up tenant, as a sandbox stores them."""
    tenant = MadeUpTenant(n_companies=n_companies, seed=seed)
    ids: dict[str, Mapping[str, str]] = {}
    async with (
        Sandbox(per_minute=None, per_second=None, seed=seed) as planhat,
        Session(planhat.token, base_url=planhat.url, limits=_NO_LIMITS) as session,
    ):
        for each in repositories():
            await _write_model(each(session), tenant, ids)
        return planhat.snapshot()


async def _write_model(repository: Any, tenant: MadeUpTenant, ids: dict[str, Mapping[str, str]]) -> UpsertResult:
    """Write a model's records, and look up their `_id`s if other records name them."""
    model: Model = repository.model
    result: UpsertResult = await repository.upsert_many(tenant.records(model, ids))
    if result.ok and model.name in _models_named():
        ids[model.name] = await KeyLookup.load(repository, by="external_id")
    return result


@cache
def _models_named() -> frozenset[str]:
    """The models whose records others name."""
    return frozenset({"companies", *(one.target.name for each in repositories() for one in references(each.model))})


@attrs.define
class _TenantDemo:
    tenant: MadeUpTenant
    session: Session
    analytics: Analytics
    ids: dict[str, Mapping[str, str]] = attrs.field(factory=dict)
    """By the name of a model that others name, the `_id`s of its records by external id."""
    reports: dict[str, ModelReport] = attrs.field(factory=dict)

    async def write(self) -> None:
        """Write the records, and look up the `_id`s by which others name them."""
        for each in repositories():
            self.reports[each.model.name] = ModelReport(each.model.name, self.tenant.count(each.model))
        self.reports["metrics"] = ModelReport("metrics", sum(1 for _ in self.tenant.metrics()))
        for each in repositories():
            with self._measured(each.model.name) as report:
                report.n_written = (await _write_model(each(self.session), self.tenant, self.ids)).created
                if report.n_written < report.n_rows:
                    return
        with self._measured("metrics") as report:
            report.n_written = (await self.analytics.send_metrics(self.tenant.metrics())).processed

    async def read(self) -> AsyncGenerator[ModelReport, None]:
        """Read what was written, and yield the report of each model."""
        for each in repositories():
            with self._measured(each.model.name) as report:
                if report.n_written:
                    await self._read_records(each, report)
            yield report
        with self._measured("metrics") as report:
            if report.n_written:
                await self._read_metrics(report)
        yield report

    async def _read_records(self, repository: type[Any], report: ModelReport) -> None:
        model: Model = repository.model
        sent = [self._as_stored(model, record) for record in self.tenant.records(model, self.ids)]
        fields = _sent_fields(model, sent)
        key = _key_field(sent, fields)
        expected = {getattr(record, key): record for record in sent}
        everything = {one.option: None for one in model.filters if one.hides}
        # A list of users holds 15 of their fields unless others are selected.
        async for record in repository(self.session).iter(select=fields, **everything):
            report.n_read += 1
            twin = expected.pop(getattr(record, key), None)
            if twin is not None:
                different = {name for name in fields if not _holds(getattr(record, name), getattr(twin, name))}
                report.different |= different
                report.n_equal += not different

    def _as_stored(self, model: Model, record: Record) -> Record:
        """The record with its company by `_id`, as it is read; written are `_id`s or external ids."""
        field = model.company_field
        if field is None or not model.company_keys:
            return record
        companies, key = self.ids["companies"], getattr(record, field)
        is_list = isinstance(key, list)
        found = [companies[one.removeprefix(EXTID)] for one in (key if is_list else [key])]
        company: Any = found if is_list else found[0]
        return attrs.evolve(record, **{field: company})

    async def _read_metrics(self, report: ModelReport) -> None:
        models = {"Company": "companies", "EndUser": "endusers"}
        expected = Counter(
            (one.model, one.dimension_id, self.ids[models[one.model or ""]][one.external_id or ""], one.date, one.value)
            for one in self.tenant.metrics()
        )
        read = Counter[Any]()
        async for one in self.analytics.read_metrics(page_size=_METRICS_PER_PAGE):
            read[one.model, one.dimension_id, one.parent_id, one.time, one.value] += 1
        report.n_read, report.n_equal = read.total(), (expected & read).total()

    @contextmanager
    def _measured(self, name: str) -> Iterator[ModelReport]:
        """Add the calls and seconds of the block to a model's report."""
        report = self.reports[name]
        calls, started = self._calls, time.perf_counter()
        try:
            yield report
        finally:
            report.calls += self._calls - calls
            report.seconds += time.perf_counter() - started

    @property
    def _calls(self) -> int:
        return self.session.stats.calls + self.analytics.stats.calls


def _sent_fields(model: Model, sent: Collection[Record]) -> list[str]:
    """The fields in which a value was sent, except for those that Planhat computes."""
    names = [one.name for one in fields_of(model.record).values() if (model.name, one.name) not in _COMPUTED]
    return [name for name in names if any(getattr(record, name) not in (None, {}) for record in sent)]


def _key_field(sent: Collection[Record], fields: Collection[str]) -> str:
    """A field that tells the records apart: an id of another system, or else a text."""
    keys_first = sorted(fields, key=lambda name: not name.endswith(("external_id", "source_id")))
    texts = {name: {value for one in sent if isinstance(value := getattr(one, name), str)} for name in keys_first}
    return next(name for name, values in texts.items() if len(values) == len(sent))


def _holds(stored: Any, sent: Any) -> bool:
    """Whether a value that was read has everything in it that was sent; Planhat adds names to people, for example."""
    if isinstance(sent, Part):
        names = (one.name for one in attrs.fields(type(sent)))
        return type(stored) is type(sent) and all(_holds(getattr(stored, name), getattr(sent, name)) for name in names)
    if isinstance(sent, dict):
        return isinstance(stored, dict) and all(_holds(stored.get(key), value) for key, value in sent.items())
    if isinstance(sent, list) and isinstance(stored, list):
        return len(stored) == len(sent) and all(map(_holds, stored, sent))
    return sent is None or bool(stored == sent)
