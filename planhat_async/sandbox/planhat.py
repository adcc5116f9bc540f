"""A Planhat and what its owner may do with it, whatever door leads to it."""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterable, Mapping
from datetime import datetime
from os import PathLike
from typing import Any, TypedDict

from planhat_async.sandbox.api import Admission, Api
from planhat_async.sandbox.choices import DEFAULT, Choices
from planhat_async.sandbox.faults import Faults, FaultsLike
from planhat_async.sandbox.limits import Limits
from planhat_async.sandbox.messages import ApiRequest, LoggedRequest
from planhat_async.sandbox.models import Company, EndUser, User
from planhat_async.sandbox.state import Snapshot, State
from planhat_async.sandbox.store import Record

PLACEHOLDER_TOKEN = "sandbox-token"  # noqa: S105  # accepted because every token is
N_PIECES = 10
"""How many pieces a slow answer comes in."""
UNREAD = frozenset({"refuse", "reset_before"})
"""The faults that keep a request from being read."""


class Options(TypedDict, total=False):
    """What a `Planhat` takes by name."""

    per_minute: int | None
    per_second: int | None
    max_parallel: int | None
    seed: int
    companies: Iterable[Company]
    users: Iterable[User]
    endusers: Iterable[EndUser]
    choices: Choices
    faults: FaultsLike


class Planhat(ABC):
    """A Planhat without a door.

    Args:
        token: The only token it accepts; None accepts every token that is not empty.
        per_minute: Requests a token may make in any 60 seconds; None for no limit, here and below.
        per_second: Requests a token may make in any second.
        max_parallel: Requests that may be under way at once.
        seed: Where the generated `_id`s begin, and the luck of the faults.
        companies: The companies registered from the start. While none is, any company is accepted.
        users: The users registered from the start; who names one by `_id` is told the name.
        endusers: The same of end users; a ticket names one by e-mail address.
        choices: What to do where Planhat's behaviour is unknown.
        faults: What goes wrong, as text or one by one: see `planhat_async.sandbox.faults`.

    Raises:
        ValueError: A limit or a fault is none.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        per_minute: int | None = 200,
        per_second: int | None = 150,
        max_parallel: int | None = None,
        seed: int = 0,
        companies: Iterable[Company] = (),
        users: Iterable[User] = (),
        endusers: Iterable[EndUser] = (),
        choices: Choices = DEFAULT,
        faults: FaultsLike = (),
    ) -> None:
        limits = Limits(per_minute=per_minute, per_second=per_second, max_parallel=max_parallel)
        self._state = State(seed, [*companies, *users, *endusers])
        self._api = Api(token, limits=limits, choices=choices, state=self._state)
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
    def requests(self) -> list[LoggedRequest]:
        """The last 100,000 requests that were answered, or lost to a fault, oldest first."""
        return list(self._api.log)

    def inject(self, faults: FaultsLike = ()) -> None:
        """From the next call on let this go wrong, and nothing else; calls are counted from 1 again.

        Raises:
            ValueError: A fault is none.
        """
        self._api.faults = Faults(faults, seed=self._seed)
        self._prepare_for_the_first()

    async def settled(self) -> None:
        """Wait until every call that a fault lets come late is carried out, and connections are accepted again."""
        while self._pending:
            await asyncio.wait(set(self._pending))  # which ends none of them where this is cancelled

    def records(self, name: str) -> list[Record]:
        """Copies of the stored `"notes"`, `"tasks"` or `"tickets"`, or of all `"conversations"`, in `_id` order.

        Notes are the conversations of type `note` and of the custom types.
        """
        return self._state.records(name)

    def add(self, name: str, record: Mapping[str, Any], *, created: datetime | None = None) -> Record:
        """Put a record straight into the store, past all rules; a copy of it as stored comes back.

        Only a missing `_id` is filled in, and a missing `type` of a note or a ticket. The names are those of `records`.

        Args:
            name: What it is.
            record: Its fields as the API spells them.
            created: The time in the `_id` that is filled in; None for now.

        Raises:
            ValueError: There is a record of this `_id`.
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
        """Register a company: from the first one on, records that name none of the registered ones are refused."""
        self._state.register(Company(company_id, external_id, source_id, name, domains))

    def add_user(self, user_id: str, *, name: str) -> None:
        """Register a user: a record that names it from now on gets its name."""
        self._state.register(User(user_id, name))

    def add_enduser(self, enduser_id: str, *, name: str, email: str = "") -> None:
        """Register an end user: a record that names it from now on, a ticket by its `email`, gets its name."""
        self._state.register(EndUser(enduser_id, name, email))

    def snapshot(self) -> Snapshot:
        """All records, companies and people as they are now, to be restored; the texts of records are shared."""
        return self._state.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Hold what was held then, and nothing else; the log, the limits and the faults are left alone."""
        self._state.restore(snapshot)

    def save(self, path: str | PathLike[str]) -> None:
        """Write all records, companies and people to a JSONL file, which `load` reads.

        Where it is new, only its owner can read it.
        """
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.writelines(self._state.lines())

    def load(self, path: str | PathLike[str], *, model: str | None = None) -> int:
        """Add what a JSONL file holds.

        Args:
            path: A file of `save`'s, or one with a record in each line, as `planhat-async export` writes it.
            model: What the records of such a file are: `"notes"`, `"tasks"`, `"tickets"`, `"conversations"`,
                `"companies"`, `"users"` or `"endusers"`.

        Returns:
            How many entries it has.

        Raises:
            ValueError: A line is none, or there is a record of its `_id` already; those before it are added.
        """
        with open(path, "rb") as file:
            return self._state.read(file, now=self.now(), model=model)

    @abstractmethod
    def _prepare_for_the_first(self) -> None:
        """Be away if the first call under these faults is to be refused."""
        ...

    @abstractmethod
    def now(self) -> float:
        """Its clock: seconds since the epoch."""
        ...

    def _keep(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside the calls, and hold on to it."""
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
