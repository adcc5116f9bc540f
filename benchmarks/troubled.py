"""A sandbox in its own process, with faults for the calls of one token and none for those of another."""

from __future__ import annotations

import argparse
import asyncio
import sys

from planhat_async.sandbox import Sandbox
from planhat_async.sandbox.faults import Fault
from planhat_async.sandbox.messages import ApiRequest

TROUBLED, CALM = "troubled-token", "calm-token"

FAULTS = {
    "reset_before": 0.03,
    "reset_after": 0.03,
    "reset_during": 0.02,
    "late": 0.02,
    "slow": 0.02,
    "http_500": 0.02,
    "http_503_after": 0.02,
    "html_page": 0.01,
    "json_truncated": 0.01,
    "rows_206": 0.01,
    "rows_400": 0.005,
    "rows_dropped": 0.005,
}
"""The share of calls with each fault: one in five together."""
AMOUNTS = {"slow": 0.2, "rows_206": 3, "rows_400": 2, "rows_dropped": 2}


def is_troubled(request: ApiRequest) -> bool:
    """Return whether a call may have a fault."""
    return any(TROUBLED in value for name, value in request.headers.items() if name.lower() == "authorization")


async def serve(seed: int) -> None:
    """Serve until the standard input ends."""
    faults = [Fault(name, rate=rate, when=is_troubled, amount=AMOUNTS.get(name)) for name, rate in FAULTS.items()]
    async with Sandbox(per_minute=None, per_second=None, seed=seed, faults=faults) as planhat:
        print(planhat.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    asyncio.run(serve(parser.parse_args().seed))
