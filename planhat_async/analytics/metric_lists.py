"""The list of metrics, which is on the main host."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import date

from planhat_async.analytics.metric import Metric
from planhat_async.records import DayFilter, Model, PageLimits, TextFilter
from planhat_async.records.keys import checked_key
from planhat_async.repositories import Lists

PAGE_SIZE = 2000


class MetricLists(Lists[Metric]):
    """Lists metrics (`GET /dimensiondata`)."""

    model = Model(
        name="metrics",
        record=Metric,
        path="/dimensiondata",
        # Neither is documented. No page is short of a default of 1, so only an empty page, or the newest metric that
        # there was at the beginning, ends a list.
        limits=PageLimits(default=1, most=10_000),
        filters=(
            TextFilter(option="company_id", wire="cId"),
            TextFilter(option="dimension_id", wire="dimid"),
            DayFilter(option="since", wire="from", is_day_number=True),
            DayFilter(option="until", wire="to", is_day_number=True),
        ),
        company_field=None,
    )

    def read(
        self,
        *,
        company_id: str | None,
        dimension_id: str | None,
        since: date | str | None,
        until: date | str | None,
        page_size: int,
        max_records: int | None,
        concurrency: int,
    ) -> AsyncGenerator[Metric, None]:
        """See `Analytics.read_metrics`."""
        if company_id is not None:
            company_id = checked_key(company_id, by="company_id", prefixes=())
        return self.iter(
            company_id=company_id,
            dimension_id=dimension_id,
            since=since,
            until=until,
            page_size=page_size,
            max_records=max_records,
            concurrency=concurrency,
        )
