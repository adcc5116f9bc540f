"""The methods that both sandboxes share, with or without a socket."""

from __future__ import annotations

import asyncio
import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable, Mapping
from datetime import datetime
from os import PathLike
from typing import Any, TypedDict, TypeVar

from planhat_async.sandbox.analytics_host import PLACEHOLDER_UUID
from planhat_async.sandbox.api import Admission, Api
from planhat_async.sandbox.choices import DEFAULT, Choices
from planhat_async.sandbox.faults import Faults, FaultsLike
from planhat_async.sandbox.limits import Limits
from planhat_async.sandbox.messages import ApiRequest, LoggedRequest
from planhat_async.sandbox.models import Company, EndUser, User
from planhat_async.sandbox.state import Snapshot, State
from planhat_async.sandbox.store import Record

PLACEHOLDER_TOKEN = "sandbox-token"  # noqa: S105  # accepted because every token is
_T = TypeVar("_T")

N_PIECES = 10
"""Pieces of a slow answer."""
UNREAD = frozenset({"refuse", "reset_before"})
"""The faults that keep a request from being read."""


class Options(TypedDict, total=False):
    """The keyword arguments of `Planhat`."""

    per_minute: int | None
    per_second: int | None
    max_parallel: int | None
    window: float
    seed: int
    companies: Iterable[Company]
    users: Iterable[User]
    endusers: Iterable[EndUser]
    choices: Choices
    faults: FaultsLike
    tenant_uuid: str | None


class Planhat(ABC):
    """A sandbox without its transport.

    Args:
        token: The only token it accepts; None accepts every token that is not empty.
        per_minute: Requests a token may make in any 60 seconds; None for no limit, here and below.
        per_second: Requests a token may make in any second.
        max_parallel: Requests that may be under way at once.
        window: Seconds of its minute: less than 60 for tests that cannot wait for a real one. Give the session
            `RateLimits(window=...)` too.
        seed: Determines the generated `_id`s and the calls that faults apply to.
        companies: The companies registered from the start. Without any, every company is accepted.
        users: The users registered from the start: records that name one by `_id` get the name.
        endusers: The same for end users; a ticket names one by e-mail address.
        choices: The behaviour where Planhat's is unknown.
        faults: The faults, as text or one by one: see `planhat_async.sandbox.faults`.
        tenant_uuid: The only tenant UUID that the analytics host accepts; None accepts every UUID.

    Raises:
        ValueError: A limit, a fault or the tenant UUID is invalid.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        per_minute: int | None = 200,
        per_second: int | None = 150,
        max_parallel: int | None = None,
        window: float = 60.0,
        seed: int = 0,
        companies: Iterable[Company] = (),
        users: Iterable[User] = (),
        endusers: Iterable[EndUser] = (),
        choices: Choices = DEFAULT,
        faults: FaultsLike = (),
        tenant_uuid: str | None = None,
    ) -> None:
        limits = Limits(per_minute=per_minute, per_second=per_second, max_parallel=max_parallel, window=window)
        for name, kind, given in (
            ("companies", Company, companies),
            ("users", User, users),
            ("endusers", EndUser, endusers),
        ):
            if isinstance(given, str | int | kind):
                raise TypeError(f"{name} are a list of {kind.__name__}, not {given!r}")
        self._state = State(seed, [*companies, *users, *endusers])
        self._api = Api(token, limits=limits, choices=choices, state=self._state, tenant_uuid=tenant_uuid)
        self._seed = seed
        self._token = PLACEHOLDER_TOKEN if token is None else token
        self._n_parallel = 0
        self._pending: set[asyncio.Task[Any]] = set()
        self._api.faults = Faults(faults, seed=seed)

    @property
    def token(self) -> str:
        """A token it accepts."""
        return self._token

    @property
    def tenant_uuid(self) -> str:
        """A tenant UUID that its analytics host accepts."""
        return self._api.analytics.tenant_uuid or PLACEHOLDER_UUID

    @property
    def metrics(self) -> list[Record]:
        """Copies of the metrics it stored, as it lists them, oldest first.

        Like the other lists of the analytics host they are not part of `snapshot` and `save`.
        """
        return copy.deepcopy(self._api.analytics.metrics)

    @property
    def failed_metrics(self) -> list[Record]:
        """Copies of the metrics that name an unknown company or end user, as they were sent."""
        return copy.deepcopy(self._api.analytics.failed_metrics)

    @property
    def activities(self) -> list[Record]:
        """Copies of the activities it received, as they were sent."""
        return copy.deepcopy(self._api.analytics.activities)

    @property
    def segments(self) -> list[Record]:
        """Copies of what `/dock/segment` received, as it was sent."""
        return copy.deepcopy(self._api.analytics.segments)

    @property
    def requests(self) -> list[LoggedRequest]:
        """The last 100,000 requests that were answered, or lost to a fault, oldest first."""
        return list(self._api.log)

    def inject(self, faults: FaultsLike = ()) -> None:
        """Apply these faults, and no others, from the next call on; calls are counted from 1 again.

        Raises:
            ValueError: A fault is invalid.
        """
        self._api.faults = Faults(faults, seed=self._seed)
        self._prepare_for_the_first()

    async def settled(self) -> None:
        """Wait until every call that a fault delays is carried out, and connections are accepted again."""
        while self._pending:
            await asyncio.wait(set(self._pending))  # if this is cancelled, the tasks go on

    def records(self, name: str) -> list[Record]:
        """Copies of the records of a model, in `_id` order.

        The models have Planhat's plurals in snake case: `"tasks"`, `"custom_fields"`, `"nps"`. `"notes"` are the
        conversations of type `note` and of custom types, `"conversations"` all of them; `"lean_companies"` are the
        companies.
        """
        return self._state.records(name)

    def add(self, name: str, record: Mapping[str, Any], *, created: datetime | None = None) -> Record:
        """Put a record straight into the store, without applying any rule; returns a copy of it as stored.

        Only a missing `_id` is filled in, and a missing `type` of a note or a ticket. A company, a user or an end user
        replaces the one that has its `_id`.

        Args:
            name: The name of its model, as for `records`.
            record: Its fields as the API spells them.
            created: The time in the `_id` that is filled in; None for now.

        Raises:
            ValueError: Another record has this `_id`, or there is no model of this name.
        """
        return self._state.add(name, record, now=self.now(), created=created)

    def add_company(
        self,
        company_id: str,
        *,
        external_id: str | None = None,
        source_id: str | None = None,
        name: str = "",
        domains: Iterable[str] = (),
    ) -> None:
        """Register a company: from the first one on, records that name an unregistered one are refused."""
        self._state.register(Company(company_id, external_id, source_id, name, domains))

    def add_user(self, user_id: str, *, name: str) -> None:
        """Register a user: a record that names it from now on gets its name."""
        self._state.register(User(user_id, name))

    def add_enduser(self, enduser_id: str, *, name: str, email: str = "") -> None:
        """Register an end user: a record that names it from now on, a ticket by its `email`, gets its name."""
        self._state.register(EndUser(enduser_id, name, email))

    def snapshot(self) -> Snapshot:
        """All records as they are now, to be restored; their texts are shared."""
        return self._state.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Return to the records of a snapshot; the log, the limits and the faults are unaffected."""
        self._state.restore(snapshot)

    def save(self, path: str | PathLike[str]) -> None:
        """Write all records to a JSONL file for `load`. A new file is readable by its owner only."""
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.writelines(self._state.lines())

    def load(self, path: str | PathLike[str], *, model: str | None = None) -> int:
        """Add the records in a JSONL file.

        Args:
            path: A file that `save` wrote, or one with a record in each line, as `planhat-async export` writes it.
            model: The model of the records in such an export, as for `records`.

        Returns:
            The number of records in the file.

        Raises:
            ValueError: A line is invalid or repeats the `_id` of a record; the records before it are added.
        """
        with open(path, "rb") as file:
            return self._state.load(file, now=self.now(), model=model)

    @abstractmethod
    def _prepare_for_the_first(self) -> None:
        """Stop listening if the first call with these faults is to be refused."""

    @abstractmethod
    def now(self) -> float:
        """Its clock: seconds since the epoch."""

    def _keep(self, coroutine: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Run a coroutine in the background, and keep a reference to its task."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        return task

    async def _answer_later(self, seconds: float, request: ApiRequest, admission: Admission) -> None:
        await asyncio.sleep(seconds)
        self._api.answer(request, admission)

    async def _drop_pending(self) -> None:
        for task in self._pending:
            task.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)
