"""A session for a thread without an event loop, and the repositories that it has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from functools import update_wrapper
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from planhat_async import models
from planhat_async._http.pace import RateLimits
from planhat_async.session import Session as AsyncSession
from planhat_async.session import SessionStats
from planhat_async.sync.blocking_repository import BlockingRepository
from planhat_async.sync.iteration import Iteration
from planhat_async.sync.loop_thread import LoopThread

if TYPE_CHECKING:
    from planhat_async.models import (
        Assets,
        Campaigns,
        Churns,
        Companies,
        Conversations,
        CustomFields,
        Deals,
        EndUsers,
        Invoices,
        Issues,
        LeanCompanies,
        Licenses,
        LineItems,
        Notes,
        Nps,
        Objectives,
        Opportunities,
        Products,
        Projects,
        Sales,
        Tasks,
        Tickets,
        TimeEntries,
        Timesheets,
        Users,
        Workflows,
        Workspaces,
    )

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class _RepositoryOf(Generic[A]):
    """An attribute of a session: the repository of a model, whose module is imported on first use."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, session: None, owner: type) -> Self: ...
    @overload
    def __get__(self, session: BlockingSession, owner: type) -> BlockingRepository[A]: ...

    def __get__(self, session: BlockingSession | None, owner: type) -> Self | BlockingRepository[A]:
        return self if session is None else session.of(getattr(models, self._name))


class BlockingSession:
    """A session of the async API, used without `async`; `Session` makes both.

    Args:
        session: A closed session, which no other code may use meanwhile.
    """

    assets: _RepositoryOf[Assets] = _RepositoryOf("Assets")
    campaigns: _RepositoryOf[Campaigns] = _RepositoryOf("Campaigns")
    churns: _RepositoryOf[Churns] = _RepositoryOf("Churns")
    companies: _RepositoryOf[Companies] = _RepositoryOf("Companies")
    conversations: _RepositoryOf[Conversations] = _RepositoryOf("Conversations")
    custom_fields: _RepositoryOf[CustomFields] = _RepositoryOf("CustomFields")
    deals: _RepositoryOf[Deals] = _RepositoryOf("Deals")
    endusers: _RepositoryOf[EndUsers] = _RepositoryOf("EndUsers")
    invoices: _RepositoryOf[Invoices] = _RepositoryOf("Invoices")
    issues: _RepositoryOf[Issues] = _RepositoryOf("Issues")
    lean_companies: _RepositoryOf[LeanCompanies] = _RepositoryOf("LeanCompanies")
    licenses: _RepositoryOf[Licenses] = _RepositoryOf("Licenses")
    line_items: _RepositoryOf[LineItems] = _RepositoryOf("LineItems")
    notes: _RepositoryOf[Notes] = _RepositoryOf("Notes")
    nps: _RepositoryOf[Nps] = _RepositoryOf("Nps")
    objectives: _RepositoryOf[Objectives] = _RepositoryOf("Objectives")
    opportunities: _RepositoryOf[Opportunities] = _RepositoryOf("Opportunities")
    products: _RepositoryOf[Products] = _RepositoryOf("Products")
    projects: _RepositoryOf[Projects] = _RepositoryOf("Projects")
    sales: _RepositoryOf[Sales] = _RepositoryOf("Sales")
    tasks: _RepositoryOf[Tasks] = _RepositoryOf("Tasks")
    tickets: _RepositoryOf[Tickets] = _RepositoryOf("Tickets")
    time_entries: _RepositoryOf[TimeEntries] = _RepositoryOf("TimeEntries")
    timesheets: _RepositoryOf[Timesheets] = _RepositoryOf("Timesheets")
    users: _RepositoryOf[Users] = _RepositoryOf("Users")
    workflows: _RepositoryOf[Workflows] = _RepositoryOf("Workflows")
    workspaces: _RepositoryOf[Workspaces] = _RepositoryOf("Workspaces")

    def __init__(self, session: AsyncSession) -> None:
        self.session: AsyncSession = session
        """The session of the async API, for functions that take one."""
        self._thread = LoopThread(session)

    def __repr__(self) -> str:
        return f"<blocking {self.session!r}>"

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> Self:
        """Open the session, unless it is open; returns it."""
        self._thread.enter()
        return self

    def close(self) -> None:
        """Close the session, once for each time that it was opened; the last one cancels calls in flight."""
        self._thread.leave()

    @property
    def stats(self) -> SessionStats:
        """Calls, attempts, retries, bytes and waiting so far."""
        return self.session.stats

    @property
    def limits(self) -> RateLimits:
        """The pace of this session."""
        return self.session.limits

    def check(self) -> None:
        """Verify the token and the region with one call; see `planhat_async.Session.check`."""
        self.run(self.session.check())

    def request(
        self, method: str, path: str, *, params: Mapping[str, str | float | bool] | None = None, json: Any = None
    ) -> Any:
        """Call any endpoint; see `planhat_async.Session.request`."""
        return self.run(self.session.request(method, path, params=params, json=json))

    def of(self, make: Callable[[AsyncSession], A]) -> BlockingRepository[A]:
        """The calls of any repository: `session.of(lambda session: CustomModel(session, "/orders"))`.

        Args:
            make: The class of the repository, or a function that makes one of the session of the async API.
        """
        return BlockingRepository(self._thread, make(self.session))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of any coroutine, which runs on the session's event loop; it is cancelled by Ctrl-C."""
        return self._thread.run(coroutine)

    def iterate(self, items: AsyncIterator[T], *, block: int = 1) -> Iteration[T]:
        """The items of any async iterator.

        Args:
            items: The iterator; an async generator is closed at the end.
            block: Items that cross between the threads at a time. With 1 each arrives as soon as it is there; a few
                hundred cost less for each.
        """
        return Iteration(self._thread, items, block=block)


def _with_arguments_of(
    make: Callable[P, AsyncSession],
) -> Callable[[Callable[[Session, AsyncSession], None]], Callable[Concatenate[Session, P], None]]:
    """Give `__init__` the parameters of the session of the async API, which is made of them."""

    def decorate(init: Callable[[Session, AsyncSession], None]) -> Callable[Concatenate[Session, P], None]:
        def init_with(self: Session, /, *args: P.args, **kwargs: P.kwargs) -> None:
            init(self, make(*args, **kwargs))

        update_wrapper(init_with, AsyncSession.__init__)  # for `help` and the editors of notebooks
        return init_with

    return decorate


class Session(BlockingSession):
    """A connection to Planhat for code without `async`, for use in `with`.

    It takes the arguments of `planhat_async.Session`, and has a repository for each model: `session.tasks`,
    `session.companies`, … Its event loop runs in a thread of its own, so it works in a notebook too, where another
    event loop runs. Any number of threads may use it at once; they share its pace. It may be entered several times: the
    last exit closes it. In a notebook, `open` and `close` do the same as `with`.

    Ctrl-C cancels what is in flight, and raises `KeyboardInterrupt` once it has ended; a second one is raised at once.

    Raises:
        RuntimeError: By each call: the session is not open, was closed during the call, or belongs to another process,
            from before a fork.
        ValueError: The token is missing or malformed, the base URL is not a URL, or `shared` names no window.
    """

    @_with_arguments_of(AsyncSession)
    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session)
