"""Metrics under every fault of the sandbox: nothing is lost, and nothing is sent twice."""

from __future__ import annotations

import pytest
import virtual_time
from analytics_server import metric

from planhat_async import Analytics, SendOutcome, SendResult, Timeouts
from planhat_async.sandbox import MemorySandbox, Sandbox
from planhat_async.sandbox.faults import KINDS, Scope
from planhat_async.testing import SandboxTransport

ANY = [name for name, kind in KINDS.items() if kind.scope is Scope.ANY]
N_ROWS = 200


def check(result: SendResult, stored: list[float]) -> None:
    """Compare the outcomes with what the server has; a run that ends early takes no more rows from the input."""
    n_rows = N_ROWS if result.stopped_by is None else result.rows
    assert result.rows == sum(result.counts().values()) == n_rows
    assert len(stored) == len(set(stored)), "a row was sent twice"
    positions = {outcome: {n for one in ranges for n in one} for outcome, ranges in result.not_accepted.items()}
    unsent, unknown = positions.get(SendOutcome.UNSENT, set()), positions.get(SendOutcome.UNKNOWN, set())
    assert unsent.isdisjoint(stored)
    assert set(range(n_rows)) - unsent - unknown <= set(stored)
    assert result.processed + result.received == n_rows - len(unsent) - len(unknown)


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("fault", ANY)
def test_every_row_is_accounted_for(fault: str, concurrency: int) -> None:
    """Half of the calls have the fault."""

    async def main() -> tuple[SendResult, list[float]]:
        planhat = MemorySandbox(latency=0.01, faults=f"{fault}=0.5", seed=3)
        transport, timeouts = SandboxTransport(planhat), Timeouts(read=5.0)
        async with Analytics(None, planhat.tenant_uuid, transport=transport, timeouts=timeouts) as analytics:
            result = await analytics.send_metrics(map(metric, range(N_ROWS)), chunk_size=10, concurrency=concurrency)
        await planhat.settled()
        assert any(call.fault == fault for call in planhat.requests) or fault == "refuse"
        assert len(planhat.requests) < 200
        return result, [one["value"] for one in planhat.metrics]

    check(*virtual_time.run(main()))


@pytest.mark.parametrize("fault", ["reset_after@2", "reset_before@2", "reset_during@2", "late@2", "json_truncated@2"])
async def test_a_lost_answer_over_a_socket(fault: str) -> None:
    """Its chunk is unknown, whether Planhat has it or not; the others are processed."""
    async with (
        Sandbox(faults=fault) as planhat,
        Analytics(None, planhat.tenant_uuid, host=planhat.analytics_url) as analytics,
    ):
        result = await analytics.send_metrics(map(metric, range(N_ROWS)), chunk_size=50)
        await planhat.settled()
        stored = [one["value"] for one in planhat.metrics]
    check(result, stored)
    assert result.not_accepted == {SendOutcome.UNKNOWN: (range(50, 100),)}
    assert len(stored) == (150 if fault == "reset_before@2" else 200)
