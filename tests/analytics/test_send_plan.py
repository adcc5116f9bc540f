"""What would be sent, without a tenant UUID and without a call."""

from __future__ import annotations

from typing import Any

import pytest
from analytics_server import metric

from planhat_async.analytics.send_plan import plan_metrics
from planhat_async.analytics.send_run import SendSettings


async def test_a_plan_counts_rows_calls_and_bytes() -> None:
    """Invalid rows are listed with their reasons."""
    rows: list[Any] = [*map(metric, range(25)), {"value": 1}]
    plan = await plan_metrics(rows, SendSettings(chunk_size=10))
    assert (plan.n_rows, plan.n_calls, plan.result.rows, plan.result.invalid) == (25, 3, 1, 1)
    assert [(one.position, one.reason) for one in plan.result.problems] == [(25, "dimension_id is required")]
    assert plan.n_bytes > 25 * len('{"dimensionId":"active","value":1,"externalId":"acme-1"}')


async def test_a_plan_of_invalid_rows_has_no_calls() -> None:
    """Nothing would be sent."""
    plan = await plan_metrics([{}], SendSettings())
    assert (plan.n_rows, plan.n_calls, plan.n_bytes, plan.result.invalid) == (0, 0, 0, 1)


async def test_what_is_not_rows_is_refused() -> None:
    """As where it is sent."""
    with pytest.raises(TypeError, match="rows are an iterable"):
        await plan_metrics("text", SendSettings())
