"""A sandbox on loopback for tests without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs

from planhat_async import RetryPolicy, Session
from planhat_async.sandbox import Sandbox

T = TypeVar("T")


@attrs.frozen
class SandboxThread:
    """A sandbox on an event loop in a thread of its own."""

    planhat: Sandbox
    loop: asyncio.AbstractEventLoop

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine in that loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def records(self, model: str) -> list[Any]:
        """Return the records of a model, while calls may still be carried out."""

        async def read() -> list[Any]:
            return self.planhat.records(model)

        return self.run(read())

    def session(self) -> Session:
        """Return a closed session on the sandbox, with short waits."""
        retry = RetryPolicy(attempts=2, wait_initial=0.01, wait_max=0.01)
        return Session(self.planhat.token, base_url=self.planhat.url, retry=retry)


@contextmanager
def sandbox_thread(planhat: Sandbox) -> Iterator[SandboxThread]:
    """Run a sandbox."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox")
    thread.start()
    running = SandboxThread(planhat, loop)
    try:
        running.run(planhat.start())
        yield running
    finally:
        running.run(planhat.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
