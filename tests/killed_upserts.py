"""Real `planhat-async upsert` processes that are killed, with a sandbox in this process that counts rows."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import attrs

from planhat_async.jobs.entries import ChunkState
from planhat_async.jobs.journal import Journal
from planhat_async.sandbox import Sandbox

CHUNK_SIZE = 10


@attrs.frozen
class Ended:
    """The end of one run of a job."""

    code: int
    out: str
    n_rows_answered_before: int
    """Rows of chunks that the journal recorded as answered when the run began."""
    n_rows_arrived: int
    """Rows of this run that reached the sandbox."""

    @property
    def was_killed(self) -> bool:
        """Return whether it was killed."""
        return self.code == -signal.SIGKILL


@attrs.define
class KilledJob:
    """A job that is killed repeatedly, at times chosen by a seed, and then runs to its end."""

    planhat: Sandbox
    model: str
    file: Path
    seed: int
    n_kills: int
    runs: list[Ended] = attrs.field(factory=list)
    n_between: int = 0
    """The number of kills during a chunk."""

    @property
    def journal(self) -> Path:
        """Return the path of its journal."""
        return self.file.with_name(f"{self.model}.db")

    async def run(self) -> dict[str, Any]:
        """Run it until it ends by itself; return its JSON output."""
        draw = random.Random(self.seed)
        while True:
            ended = await self._run_once(draw if self.n_kills else None)
            self.runs.append(ended)
            if not ended.was_killed:
                printed: dict[str, Any] = json.loads(ended.out)
                return printed
            self.n_kills -= 1
            self.n_between += bool(await self._rows_in(ChunkState.SENDING))

    async def _run_once(self, draw: random.Random | None) -> Ended:
        n_answered, n_arrived = await self._rows_in(ChunkState.ANSWERED), self._n_rows_arrived()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "planhat_async", "upsert", self.model, str(self.file)),
            *("--journal", str(self.journal), "--chunk-size", str(CHUNK_SIZE), "--concurrency", "3", "--json"),
            *("--per-minute", "10000"),
            env={**os.environ, "PLANHAT_BASE_URL": self.planhat.url, "PLANHAT_API_TOKEN": self.planhat.token},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        killing = None if draw is None else asyncio.create_task(self._kill(process, draw))
        out, _ = await process.communicate()
        if killing is not None:
            killing.cancel()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), n_answered, self._n_rows_arrived() - n_arrived)

    async def _kill(self, process: asyncio.subprocess.Process, draw: random.Random) -> None:
        """Kill it while it starts, or some milliseconds after a number of its calls have arrived."""
        n_calls = len(self.planhat.requests) + draw.randrange(1, 4)
        if draw.random() < 0.1:
            await asyncio.sleep(draw.uniform(0.0, 0.5))
        else:
            while len(self.planhat.requests) < n_calls:  # noqa: ASYNC110 - what arrives sets no event
                await asyncio.sleep(0.0005)
            await asyncio.sleep(draw.uniform(0.0, 0.01))
        if process.returncode is None:
            process.kill()

    async def _rows_in(self, state: ChunkState) -> int:
        if not os.path.exists(self.journal):  # noqa: ASYNC240 - nothing else runs
            return 0
        async with await Journal.open(self.journal) as journal:
            return sum(entry.n_rows for entry in journal.entries.values() if entry.state is state)

    def _n_rows_arrived(self) -> int:
        return sum(call.n_rows or 0 for call in self.planhat.requests if call.method == "PUT")


def written(file: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a JSONL file of these rows."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file
