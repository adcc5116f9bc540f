"""The calls of a repository, for a thread without an event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from planhat_async.repositories import UpdatedSince
from planhat_async.sync import call_shapes as shapes
from planhat_async.sync.blocking_run import BlockingRun
from planhat_async.sync.iteration import RECORDS_A_BLOCK, ROWS_A_BLOCK, Iteration, UpdatedWalk
from planhat_async.sync.loop_thread import LoopThread
from planhat_async.sync.row_feed import RowFeed, feed_of

P = ParamSpec("P")
T = TypeVar("T")
RunT = TypeVar("RunT", bound=shapes.AsyncRun)
A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class BlockingRepository(Generic[A_co]):
    """The calls of a repository of the async API: the same names, parameters, errors and promises.

    Each call returns what the call of the async API returns when it is awaited. A call that the model does not have is
    an `AttributeError`, and an error for type checkers.

    Args:
        thread: Runs the calls.
        repository: The repository.
    """

    def __init__(self, thread: LoopThread, repository: A_co) -> None:
        self._thread = thread
        self.repository: A_co = repository
        """The repository of the async API, for functions that take one."""

    def __repr__(self) -> str:
        return f"<blocking {self.repository!r}>"

    @property
    def get(self: BlockingRepository[shapes.HasGet[P, T]]) -> Callable[P, T]:
        """See `Gets.get`."""
        return self._awaited(self.repository.get)

    @property
    def get_many(self: BlockingRepository[shapes.HasGetMany[P, T]]) -> Callable[P, T]:
        """See `Gets.get_many`."""
        return self._awaited(self.repository.get_many)

    @property
    def create(self: BlockingRepository[shapes.HasCreate[P, T]]) -> Callable[P, T]:
        """See `Creates.create`."""
        return self._awaited(self.repository.create)

    @property
    def update(self: BlockingRepository[shapes.HasUpdate[P, T]]) -> Callable[P, T]:
        """See `Updates.update`."""
        return self._awaited(self.repository.update)

    @property
    def delete(self: BlockingRepository[shapes.HasDelete[P, T]]) -> Callable[P, T]:
        """See `Deletes.delete`."""
        return self._awaited(self.repository.delete)

    @property
    def delete_many(self: BlockingRepository[shapes.HasDeleteMany[P, T]]) -> Callable[P, T]:
        """See `Deletes.delete_many`."""
        return self._awaited(self.repository.delete_many)

    @property
    def duplicate(self: BlockingRepository[shapes.HasDuplicate[P, T]]) -> Callable[P, T]:
        """See `TimeEntries.duplicate`."""
        return self._awaited(self.repository.duplicate)

    @property
    def page(self: BlockingRepository[shapes.HasPage[P, T]]) -> Callable[P, T]:
        """See `Lists.page`."""
        return self._awaited(self.repository.page)

    @property
    def all(self: BlockingRepository[shapes.HasAll[P, T]]) -> Callable[P, T]:
        """See `Lists.all`."""
        return self._awaited(self.repository.all)

    @property
    def iter(self: BlockingRepository[shapes.HasIter[P, T]]) -> Callable[P, Iteration[T]]:
        """See `Lists.iter`; records cross between the threads in blocks of 50."""
        return self._iterated(self.repository.iter, block=RECORDS_A_BLOCK)

    @property
    def iter_json(self: BlockingRepository[shapes.HasIterJson[P, T]]) -> Callable[P, Iteration[T]]:
        """See `Lists.iter_json`; records cross between the threads in blocks of 500."""
        return self._iterated(self.repository.iter_json, block=ROWS_A_BLOCK)

    @property
    def pages(self: BlockingRepository[shapes.HasPages[P, T]]) -> Callable[P, Iteration[T]]:
        """See `Lists.pages`."""
        return self._iterated(self.repository.pages)

    @property
    def to_arrow(self: BlockingRepository[shapes.HasToArrow[P, T]]) -> Callable[P, T]:
        """See `ArrowLists.to_arrow`."""
        return self._awaited(self.repository.to_arrow)

    @property
    def arrow_batches(self: BlockingRepository[shapes.HasArrowBatches[P, T]]) -> Callable[P, Iteration[T]]:
        """See `ArrowLists.arrow_batches`."""
        return self._iterated(self.repository.arrow_batches)

    @property
    def iter_updated_since(self: BlockingRepository[shapes.HasIterUpdated[P, T]]) -> Callable[P, UpdatedWalk[T]]:
        """See `ListsUpdated.iter_updated_since`."""
        return self._walked(self.repository.iter_updated_since)

    @property
    def iter_json_updated_since(
        self: BlockingRepository[shapes.HasIterJsonUpdated[P, T]],
    ) -> Callable[P, UpdatedWalk[T]]:
        """See `ListsUpdated.iter_json_updated_since`."""
        return self._walked(self.repository.iter_json_updated_since)

    @property
    def upsert_many(self: BlockingRepository[shapes.HasUpsertMany[P, T]]) -> Callable[P, T]:
        """See `Upserts.upsert_many`. An iterator of rows is read in this thread, while it waits.

        To know the outcome of every row after Ctrl-C, use `upserting`.
        """
        return self._fed(self.repository.upsert_many)

    @property
    def upsert_chunks(self: BlockingRepository[shapes.HasUpsertChunks[P, T]]) -> Callable[P, Iteration[T]]:
        """See `Upserts.upsert_chunks`. An iterator of rows is read in this thread, while it waits."""
        return self._iterated(self.repository.upsert_chunks)

    @property
    def upserting(self: BlockingRepository[shapes.HasUpserting[P, RunT]]) -> Callable[P, BlockingRun[RunT]]:
        """See `Upserts.upserting`. An iterator of rows is read in this thread, while it waits."""
        make = self.repository.upserting

        @wraps(make)
        def call(*args: P.args, **kwargs: P.kwargs) -> BlockingRun[RunT]:
            return self._started(make, *args, **kwargs)

        return call

    def run(
        self: BlockingRepository[A],
        function: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of any async function whose first argument is the repository.

        For example `session.tickets.run(run_upsert, source, journal="job.db")`. The function, its callbacks and the
        iterators among its arguments run on the session's event loop, so these must not call a blocking session.

        Args:
            function: An async function of `planhat_async.jobs`, or of your own.
            *args: Its other arguments.
            **kwargs: Its keyword arguments.
        """
        return self._thread.run(function(self.repository, *args, **kwargs))

    def open(
        self: BlockingRepository[A], make: Callable[Concatenate[A, P], RunT], *args: P.args, **kwargs: P.kwargs
    ) -> BlockingRun[RunT]:
        """A job for `with`: `session.tickets.open(UpsertJob, source, journal="job.db")`.

        An iterator of rows is read in this thread, while it waits.

        Args:
            make: The class of the job, whose first argument is the repository.
            *args: Its other arguments.
            **kwargs: Its keyword arguments.
        """

        def made(*args: P.args, **kwargs: P.kwargs) -> RunT:
            return make(self.repository, *args, **kwargs)

        return self._started(made, *args, **kwargs)

    def _awaited(self, method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
        @wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return self._thread.run(_called(method, args, kwargs))

        return call

    def _fed(self, method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
        @wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            coroutine, feed = _called_with_feed(method, args, kwargs)
            if feed is None:
                return self._thread.run(coroutine)
            try:
                return self._thread.run(coroutine, feed.requests)
            finally:
                feed.close()

        return call

    def _started(self, make: Callable[P, RunT], *args: P.args, **kwargs: P.kwargs) -> BlockingRun[RunT]:
        run, feed = _called_with_feed(make, args, kwargs)
        return BlockingRun(self._thread, run, feed)

    def _iterated(self, method: Callable[P, AsyncGenerator[T, None]], *, block: int = 1) -> Callable[P, Iteration[T]]:
        @wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> Iteration[T]:
            items, feed = _called_with_feed(method, args, kwargs)
            return Iteration(self._thread, items, block=block, feed=feed)

        return call

    def _walked(self, method: Callable[P, UpdatedSince[T]]) -> Callable[P, UpdatedWalk[T]]:
        @wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> UpdatedWalk[T]:
            return UpdatedWalk(self._thread, method(*args, **kwargs))

        return call


def _called(method: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
    """Call a method; iterators among its arguments are read in the waiting thread: they may use the session."""
    given = (list(one) if isinstance(one, Iterator) else one for one in args)
    return method(*given, **{name: list(one) if isinstance(one, Iterator) else one for name, one in kwargs.items()})


def _called_with_feed(
    make: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[T, RowFeed | None]:
    """Call a method with a feed in place of an iterator of rows; returns the feed too."""
    feed = feed_of(kwargs["rows"] if "rows" in kwargs else args[0] if args else None)
    if feed is None:
        return make(*args, **kwargs), None
    if "rows" in kwargs:
        return make(*args, **{**kwargs, "rows": feed}), feed
    return make(feed, *args[1:], **kwargs), feed
