"""What a pacer needs of a window that several sessions share."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from planhat_async._http.shared_messages import Message, Reply, Standing


class SharedWindowError(Exception):
    """The window could not be reached; the message says why, and what to do.

    A pacer goes on with its share of the limits, and tries again.
    """


class SharedWindowUnusableError(SharedWindowError):
    """The window cannot be used at all: a pacer goes on with a pace of its own."""


@runtime_checkable
class SharedWindow(Protocol):
    """A window of places that sessions on one token share: in processes of one machine, or of many.

    What it decides is decided by `SharedPace.exchange`, or by the same rule in another language.
    """

    is_instant: bool
    """Whether an exchange that is cancelled has not reached the window: one that waits only for its turn."""
    waits_while_away: bool
    """Whether a pacer waits while the window cannot be reached, instead of going on with its share."""

    @property
    def max_places(self) -> int:
        """Places of each class that are asked for at once: more than one if an exchange takes long."""
        ...

    async def exchange(self, message: Message) -> Reply:
        """Tell the window what a member did, and ask for places; one exchange of a pacer at a time.

        Raises:
            SharedWindowError: The window could not be reached in time, or is unusable.
        """
        ...

    async def standing(self, seconds: float) -> Standing:
        """Who is on the window now, and what they used in this many seconds, without joining them.

        Raises:
            SharedWindowError: See `exchange`.
        """
        ...

    async def close(self) -> None:
        """Release what it holds open; a later exchange opens it again, in any event loop."""
        ...
