"""A deletion that is killed at any instant, and run again, ends as if nothing had happened."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from planhat_async.sandbox import Sandbox

pytestmark = pytest.mark.slow

N_RECORDS = 300
N_KILLS = 4
CONCURRENCY = 3


def n_deletions(planhat: Sandbox) -> int:
    return sum(call.method == "DELETE" for call in planhat.requests)


async def run(planhat: Sandbox, folder: Path, draw: random.Random | None) -> tuple[int, str]:
    """Run the job; kill it some calls later, or a little after. Returns its code, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "planhat_async", "delete", "tickets", "keys.txt", "--yes", "--json"),
        *("--journal", "job.db", "--concurrency", str(CONCURRENCY), "--per-minute", "10000"),
        cwd=folder,
        env={**os.environ, "PLANHAT_BASE_URL": planhat.url, "PLANHAT_API_TOKEN": planhat.token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if draw is not None:
        n_calls = n_deletions(planhat) + draw.randrange(0, 40)
        while n_deletions(planhat) < n_calls and process.returncode is None:  # noqa: ASYNC110 - what arrives sets no event
            await asyncio.sleep(0.0005)
        await asyncio.sleep(draw.uniform(0.0, 0.01))
        if process.returncode is None:
            process.kill()
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_a_deletion_that_is_killed_again_and_again_deletes_everything_once(
    planhat: Sandbox, tmp_path: Path
) -> None:
    """No other record is deleted, none is left, and only what was in flight at a kill is sent a second time."""
    rows = ({"sourceId": f"t{n}", "email": "a@b.example", "domains": ["b.example"]} for n in range(N_RECORDS))
    ids = [str(planhat.add("tickets", row)["_id"]) for row in rows]
    kept, keys = ids[:10], [*ids[10:], "f" * 24]
    (tmp_path / "keys.txt").write_text("\n".join(keys))
    draw = random.Random(7)
    codes = [(await run(planhat, tmp_path, draw))[0] for _ in range(N_KILLS)]
    assert codes == [-signal.SIGKILL] * N_KILLS
    code, out = await run(planhat, tmp_path, None)
    told: dict[str, Any] = json.loads(out)
    assert (code, told["rows"], told["ok"], told["problems"]) == (0, len(keys), True, [])
    assert (told["deleted"], told["missing"]) in {(len(keys) - 1, 1), (len(keys), 0)}
    assert [ticket["_id"] for ticket in planhat.records("tickets")] == kept
    sent = Counter(call.path.rpartition("/")[2] for call in planhat.requests if call.method == "DELETE")
    assert sent.keys() == set(keys)
    assert sent.total() <= len(keys) + N_KILLS * CONCURRENCY
