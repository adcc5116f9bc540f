"""Imitations of killed runs in one process: from a chosen step on, nothing works any more."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_async.sandbox import MemorySandbox
from planhat_async.testing import SandboxTransport


class Killed(BaseException):
    """The end of a process."""


class Killer:
    """Ends a run at one of its steps: a call, or something that the disk is asked for, before or after it."""

    n_left: int | None = None
    """Steps until the end; `None` for a run that lives."""

    @property
    def has_killed(self) -> bool:
        """Return whether the run has ended."""
        return self.n_left == 0

    def step(self) -> None:
        """Count a step; at the last one, and from then on, nothing works any more."""
        if self.n_left is not None:
            self.n_left = max(0, self.n_left - 1)
            if self.has_killed:
                raise Killed

    def guard(self, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        """Make a function two steps: before and after it."""
        original = getattr(owner, name)

        def guarded(*arguments: Any, **options: Any) -> Any:
            self.step()
            result = original(*arguments, **options)
            self.step()
            return result

        patch.setattr(owner, name, guarded)


class Calls(SandboxTransport):
    """A network on which each call is two steps."""

    def __init__(self, planhat: MemorySandbox, killer: Killer) -> None:
        super().__init__(planhat)
        self._killer = killer

    async def send(self, request: Any, **options: Any) -> Any:
        """Make one attempt."""
        self._killer.step()
        answer = await super().send(request, **options)
        self._killer.step()
        return answer
