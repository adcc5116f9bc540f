"""A shared window in memory, on the clock of the test's event loop plus an offset."""

from __future__ import annotations

import asyncio

import attrs

from planhat_async._http.shared_messages import Message, Reply, Standing
from planhat_async._http.shared_pace import SharedPace
from planhat_async._http.shared_window import SharedWindowError


@attrs.define(eq=False)
class MemoryWindow:
    """Several pacers of one event loop may share it; it can be away, and it can forget everything."""

    is_instant: bool = False
    max_places: int = 1
    waits_while_away: bool = False
    seconds: float = 0.0
    """How long a message takes to arrive, and its reply to come back, each."""
    offset: float = 0.0
    """The window's clock, compared with the event loop's."""
    is_away: bool = False
    state: SharedPace = attrs.field(factory=lambda: SharedPace(epoch=1))
    n_exchanges: int = 0
    is_closed: bool = False

    async def exchange(self, message: Message) -> Reply:
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if self.is_away:
            raise SharedWindowError("the window is away")
        self.n_exchanges += 1
        reply = self.state.exchange(message, asyncio.get_running_loop().time() + self.offset)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return reply

    async def standing(self, seconds: float) -> Standing:
        return self.state.standing(asyncio.get_running_loop().time() + self.offset, seconds)

    async def close(self) -> None:
        self.is_closed = True

    def forget(self) -> None:
        """Lose all state, as a server that starts again."""
        self.state = SharedPace(epoch=self.state.epoch + 1)
