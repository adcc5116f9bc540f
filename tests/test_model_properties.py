"""What holds of every model, whatever the network loses and whatever others do meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import Any

import pytest
import virtual_time
from attrs import define, field
from each_model import changes_of, each, sample_row
from faulted_upserts import LIMITS, RETRY, positions
from faults import FaultyTransport
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async import Outcome, Session, Timeouts, UpsertResult
from planhat_async._convert import requirements_of, wire_path
from planhat_async._http.transport import Transport
from planhat_async._http.wire import Request, Response, Token
from planhat_async.records import Model
from planhat_async.repositories import Lists, Upserts, WholeLists
from planhat_async.sandbox.memory import MemorySandbox
from planhat_async.testing import SandboxTransport

pytestmark = pytest.mark.slow

COMPANY = "5f4e3d2c1b0a998877665544"

# Upserts


@define
class Deliveries:
    """Notes the bodies that may have been processed: all but those that were answered 429."""

    network: Transport
    bodies: list[bytes] = field(factory=list)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt."""
        status = None
        try:
            response = await self.network.send(request, token=token, timeouts=timeouts)
            status = response.status
        finally:
            if status != 429:
                self.bodies.append(request.body or b"")
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self.network.close()


def keyed_row(model: Model, number: int) -> dict[str, Any]:
    """A row that can be created, with every key of the model but its `_id`."""
    row = sample_row(model, number)
    if model.company_field is not None:
        company = wire_path(model.record, model.company_field)
        row[company] = [COMPANY] if isinstance(row.get(company), list) else COMPANY
    return row


def keyless_row(model: Model, number: int) -> dict[str, Any] | None:
    """The same without a key; `None` if every row of the model has one."""
    row = keyed_row(model, number)
    for name in model.match:
        row.pop(wire_path(model.record, name), None)
    try:
        requirements_of(model).check_upsert(row)
    except ValueError:
        assert model.always_has_key or {*model.match} & {name for group in model.upsert_needs for name in group}
        return None
    return row


def rows_of(repository: Any, n_rows: int, draw: random.Random) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """Rows with and without a key, each with a mark of its own; and the numbers of the keys by position."""
    model, rows, keys = repository.model, list[dict[str, Any]](), dict[int, int]()
    has_own_key = model.match != ("id",)
    for n in range(n_rows):
        row = keyless_row(model, n) if not has_own_key or draw.random() < 0.5 else None
        if row is None:
            keys[n] = n_rows + draw.randrange(n_rows)  # a key may come twice
            row = keyed_row(model, keys[n])
        rows.append(row | changes_of(repository, n + 1))
    return rows, keys


async def upsert(
    repository: Any, rows: list[dict[str, Any]], *, seed: int, chunk_size: int
) -> tuple[UpsertResult, Counter[Any], Counter[Any]]:
    """Write rows; returns the result, and how often each mark was delivered and is stored."""
    (mark,) = changes_of(repository)
    planhat = MemorySandbox(per_minute=None, per_second=None)
    transport = Deliveries(FaultyTransport(SandboxTransport(planhat), seed, share=0.4))
    async with Session("token", transport=transport, limits=LIMITS, retry=RETRY) as session:
        result = await repository(session).upsert_many(rows, chunk_size=chunk_size)
    stored = Counter(record.get(mark) for record in planhat.records(repository.model.name))
    return result, Counter(row[mark] for body in transport.bodies for row in json.loads(body)), stored


@each(Upserts)
@settings(max_examples=12)
@given(n_rows=st.integers(1, 60), chunk_size=st.integers(1, 20), seed=st.integers(0, 2**32))
def test_rows_in_are_rows_accounted_for_and_no_keyless_row_is_sent_twice(
    repository: Any, n_rows: int, chunk_size: int, seed: int
) -> None:
    """What is unknown may be there or not, as it was sent once; of every key the last row is there, once."""
    rows, keys = rows_of(repository, n_rows, random.Random(seed))
    result, delivered, stored = virtual_time.run(upsert(repository, rows, seed=seed, chunk_size=chunk_size))
    marks = [changes_of(repository, n + 1).popitem()[1] for n in range(n_rows)]
    unknown = positions(result, Outcome.UNKNOWN)
    assert result.rows == n_rows
    assert {*result.not_stored} <= {Outcome.UNKNOWN}
    last = {key: n for n, key in keys.items()}
    for n, mark in enumerate(marks):
        if n not in keys:
            assert delivered[mark] <= 1
            assert stored[mark] == 1 or (n in unknown and stored[mark] == 0)
        else:
            assert n not in unknown
            assert stored[mark] == (last[keys[n]] == n)


# Lists


@define
class ChangingList:
    """A list in which rows appear at its end and vanish anywhere, before each answer."""

    default: int
    draw: random.Random
    numbers: list[int]
    created: int = 0
    gone: set[int] = field(factory=set)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """A page of the list, as it is when its turn comes."""
        assert (token.header(), timeouts.total > 0) == ("Bearer token", True)
        await asyncio.sleep(self.draw.random())
        self._change()
        query = dict(request.params)
        rows = self.numbers[::-1] if query.get("sort", "-").startswith("-") else self.numbers
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", self.default))
        page = [] if query.get("isArchived") == "true" else rows[offset:][:limit]
        return Response(status=200, body=json.dumps([{"_id": f"{n:024x}", "type": "note"} for n in page]).encode())

    async def close(self) -> None:
        """Do nothing."""

    def _change(self) -> None:
        for _ in range(self.draw.choice((0, 0, 1, 3))):
            self.created += 1
            self.numbers.append(10**6 + self.created)
        for _ in range(self.draw.choice((0, 0, 1, 3))):
            if self.numbers:
                self.gone.add(self.numbers.pop(self.draw.randrange(len(self.numbers))))


async def read(repository: Any, planhat: ChangingList, **options: Any) -> list[int]:
    """The numbers of the records that a listing yields."""
    async with Session("token", transport=planhat, limits=LIMITS) as session:
        return [int(record.id, 16) async for record in repository(session).iter(**options)]


@each(Lists)
@settings(max_examples=8)
@given(
    n_rows=st.integers(0, 60),
    page_size=st.integers(1, 12),
    concurrency=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_every_record_is_listed_once_while_others_come_and_go(
    repository: Any, n_rows: int, page_size: int, concurrency: int, seed: int
) -> None:
    """Each that is there from beginning to end; one that comes or goes meanwhile once or never."""
    limits = repository.model.limits
    planhat = ChangingList(limits.default if limits else 10**6, random.Random(seed), list(range(n_rows)))
    paging = {} if issubclass(repository, WholeLists) else {"page_size": page_size, "concurrency": concurrency}
    listed = virtual_time.run(read(repository, planhat, **paging))
    assert len(listed) == len({*listed})
    assert {*range(n_rows)} - planhat.gone <= {*listed}
    assert listed == sorted(listed, reverse=not paging)
