"""Imitations of killed jobs in one process: a copy of the journal is the state that a kill leaves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field

from planhat_async import RetryPolicy, Session, Timeouts, UpsertResult
from planhat_async._http.transport import AiohttpTransport
from planhat_async._http.wire import Request, Response, Token
from planhat_async.jobs.upsert_job import run_upsert
from planhat_async.repositories import Upserts
from planhat_async.sandbox import Sandbox

ONCE = RetryPolicy(attempts=1)


def saved(journal: Path, copy: Path) -> Path:
    """Copy a journal from the disk while it is in use."""
    for ending in ("", "-wal"):
        if journal.with_name(journal.name + ending).exists():
            shutil.copy(journal.with_name(journal.name + ending), copy.with_name(copy.name + ending))
    return copy


@define
class Watched:
    """A network that calls back before each bulk write and after its answer."""

    url: str
    before: Callable[[int], None] = lambda _: None
    after: Callable[[int], None] = lambda _: None
    """Both get the number of earlier writes."""
    n_writes: int = 0
    _network: AiohttpTransport = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._network = AiohttpTransport(self.url, max_connections=50)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Send the request between the two calls."""
        if request.method != "PUT":
            return await self._network.send(request, token=token, timeouts=timeouts)
        number, self.n_writes = self.n_writes, self.n_writes + 1
        self.before(number)
        answer = await self._network.send(request, token=token, timeouts=timeouts)
        self.after(number)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._network.close()


def session_on(planhat: Sandbox, network: Watched | None = None) -> Session:
    """Return a session without retries."""
    return Session(planhat.token, base_url=planhat.url, transport=network or Watched(planhat.url), retry=ONCE)


async def upsert_on(
    planhat: Sandbox,
    repository: type[Upserts[Any]],
    rows: Any,
    journal: Path,
    network: Watched | None = None,
    **options: Any,
) -> UpsertResult:
    """Run a job on a session of its own; by default it sends chunks of two rows one after another."""
    async with session_on(planhat, network) as session:
        return await run_upsert(
            repository(session), rows, journal=journal, **{"chunk_size": 2, "concurrency": 1} | options
        )
