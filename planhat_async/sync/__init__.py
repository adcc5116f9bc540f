"""Planhat without `async`, for scripts and notebooks.

    with sync.Session() as session:
        for task in session.tasks.iter(archived=False):
            print(task.action)

There is no second implementation: an event loop runs in a thread of its own, and each call waits for a call of the
async API. Nor is there a generated copy of its classes: type checkers derive the parameters and results of
`session.tasks.iter` from `Tasks.iter` (`call_shapes.py`), so a model, option or method of the async API is known here
as soon as it exists there. Whatever has no method of its own is reached with `session.run(coroutine)`,
`session.iterate(async_iterator)` and `session.of(repository)`.
"""

from planhat_async.sync.blocking_repository import BlockingRepository
from planhat_async.sync.blocking_run import BlockingRun
from planhat_async.sync.blocking_session import BlockingSession, Session
from planhat_async.sync.iteration import Iteration, UpdatedWalk

__all__ = ["BlockingRepository", "BlockingRun", "BlockingSession", "Iteration", "Session", "UpdatedWalk"]
