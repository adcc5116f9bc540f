"""An independent reader works against the sandbox: the streams of Airbyte's `source-planhat`.

Airbyte's connector is a declaration: a path and a page's size for each stream, and how pages follow one another. The
facts of it stand below, and a small reader makes the calls that Airbyte makes from them: its own reader, in version
7.39 of `airbyte-cdk`, made the same ones and got the same records. It is not a package of these tests, because it takes
300 MB. All streams can be read to their end. What a stream misses:

==================  =============================================  =================================================
Stream              The sandbox                                    The fault is
==================  =============================================  =================================================
nps                 hides answers older than 360 days              its own: it sends no `npsExpiryDay`
tasks               lists the open ones                            its own: it sends no `isArchived`
endusers            hides archived ones                            its own: it sends no `archived`
users               shows 15 fields                                its own: it has no `select`, but some 45 fields
tickets             the tickets, also in `conversations`           the documentation's: it says that tickets are
                                                                   conversations, not whether the list has them
any, while records  the newest comes first: each creation shows a  its own, and the documentation's: it sends no
are created         row twice, each deletion hides one             `sort`, and no default order is documented
or deleted
workflows           lists what a test puts there                   the documentation's: it has no such path
==================  =============================================  =================================================
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from attrs import evolve, frozen

from planhat_async.sandbox import Sandbox
from planhat_async.sandbox.models import ALL

STREAMS = {
    "assets": ("/assets", 2_000),
    "churn": ("/churn", 2_000),
    "companies": ("/companies", 5_000),
    "conversations": ("/conversations", 2_000),
    "custom_fields": ("/customfields", 2_000),
    "endusers": ("/endusers", 2_000),
    "invoices": ("/invoices", 2_000),
    "issues": ("/issues", 2_000),
    "licenses": ("/licenses", 2_000),
    "nps": ("/nps", 10_000),
    "objectives": ("/objectives", 2_000),
    "opportunities": ("/opportunities", 2_000),
    "sales": ("/sales", 2_000),
    "tasks": ("/tasks", 10_000),
    "tickets": ("/tickets", 10_000),
    "users": ("/users", 10_000),
    "workflows": ("/workflows", 2_000),
}
"""The path of each stream, and its page size, of version 4.5.3 of the declaration."""
LIMIT, OFFSET = "limit", "offset"
"""The parameters of all streams; the first page has no offset."""
CHECKED = ("companies", "endusers")
"""The streams whose first page says whether the token is good."""
MODELS = {rules.path: rules for rules in ALL}  # the last of two with one path is that of all conversations

each_stream = pytest.mark.parametrize("name", STREAMS)


@frozen
class Reader:
    """Reads streams as Airbyte does, from another URL."""

    http: aiohttp.ClientSession
    url: str
    token: str

    async def read(self, name: str, *, page_size: int | None = None) -> AsyncIterator[list[dict[str, Any]]]:
        """The pages of a stream: the body itself is the list; a page that is not full is the last."""
        path, limit = STREAMS[name]
        limit = page_size or limit
        offset = 0
        while True:
            page = await self._page(path, ({OFFSET: offset} if offset else {}) | {LIMIT: limit})
            yield page
            offset += len(page)
            if len(page) < limit:
                return

    async def records(self, name: str, *, page_size: int | None = None) -> list[dict[str, Any]]:
        """All records of a stream."""
        return [record async for page in self.read(name, page_size=page_size) for record in page]

    @property
    def headers(self) -> dict[str, str]:
        """Those of every call."""
        return {"Authorization": f"Bearer {self.token}"}

    async def _page(self, path: str, query: dict[str, int]) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.url}{path}", params=query, headers=self.headers) as answer:
            answer.raise_for_status()
            body = await answer.json()
            return body if isinstance(body, list) else [body]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(token="right", per_minute=None, per_second=None) as planhat:
        yield planhat


@pytest.fixture
async def airbyte(sandbox: Sandbox) -> AsyncIterator[Reader]:
    async with aiohttp.ClientSession() as http:
        yield Reader(http, sandbox.url, sandbox.token)


def model_of(name: str) -> str:
    """The sandbox's name of a stream's model."""
    return MODELS[STREAMS[name][0].removeprefix("/")].name


def add(sandbox: Sandbox, name: str, n_records: int) -> list[str]:
    """The `_id`s of new records of a stream, the newest first."""
    return [sandbox.add(model_of(name), {})["_id"] for _ in range(n_records)][::-1]


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["_id"] for record in records]


@pytest.mark.parametrize("name", CHECKED)
async def test_its_check_of_a_connection(sandbox: Sandbox, airbyte: Reader, name: str) -> None:
    """The first page comes, even without a record, or else the token is refused."""
    assert await anext(airbyte.read(name)) == []
    with pytest.raises(aiohttp.ClientResponseError, match="401"):
        await anext(evolve(airbyte, token="wrong").read(name))
    assert sandbox.requests[0].query == {"limit": str(STREAMS[name][1])}


@each_stream
async def test_the_pages_of_a_stream(sandbox: Sandbox, airbyte: Reader, name: str) -> None:
    """They are the whole list; after a full page it asks once more."""
    expected = add(sandbox, name, 20)
    pages = [page async for page in airbyte.read(name, page_size=10)]
    assert [len(page) for page in pages] == [10, 10, 0]
    assert ids([record for page in pages for record in page]) == expected
    assert [request.query.get("offset") for request in sandbox.requests] == [None, "10", "20"]


@each_stream
def test_its_pages_are_as_large_as_allowed(name: str) -> None:
    """Larger ones would be cut, and then taken for the last."""
    path, page_size = STREAMS[name]
    assert page_size == MODELS[path.removeprefix("/")].max_limit


@pytest.mark.slow
@each_stream
async def test_more_records_than_a_page_has(sandbox: Sandbox, airbyte: Reader, name: str) -> None:
    """Two calls read them all."""
    expected = add(sandbox, name, STREAMS[name][1] + 1)
    assert ids(await airbyte.records(name)) == expected
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("nps", {"dateAnswered": "2020-01-01T00:00:00.000Z"}),
        ("tasks", {"isArchived": True}),
        ("endusers", {"archived": True}),
    ],
)
async def test_it_does_not_read_what_a_list_hides(
    sandbox: Sandbox, airbyte: Reader, name: str, hidden: dict[str, Any]
) -> None:
    """It sends none of the parameters that show such records."""
    expected = add(sandbox, name, 1)
    sandbox.add(name, hidden)
    assert ids(await airbyte.records(name)) == expected


async def test_the_fields_of_users(sandbox: Sandbox, airbyte: Reader) -> None:
    """A list of users shows few of them unless it is asked for more."""
    sandbox.add("users", {"nickName": "Ada", "createDate": "2021-07-29T00:00:00.000Z", "roles": []})
    (user,) = await airbyte.records("users")
    assert user.keys() == {"_id", "nickName"}


async def test_tickets_are_in_two_streams(sandbox: Sandbox, airbyte: Reader) -> None:
    """That of the tickets, and that of all conversations."""
    (ticket,) = add(sandbox, "tickets", 1)
    assert ids(await airbyte.records("tickets")) == ids(await airbyte.records("conversations")) == [ticket]


async def test_records_that_are_created_while_it_reads(sandbox: Sandbox, airbyte: Reader) -> None:
    """The newest comes first and moves all others, so the last one of a page is the first one of the next."""
    expected = add(sandbox, "assets", 15)
    pages = airbyte.read("assets", page_size=10)
    first = await anext(pages)
    add(sandbox, "assets", 1)
    assert ids([*first, *await anext(pages)]) == [*expected[:10], *expected[9:]]


async def test_records_that_are_deleted_while_it_reads(sandbox: Sandbox, airbyte: Reader) -> None:
    """A record that moves to a page that was read is missed."""
    expected = add(sandbox, "assets", 15)
    pages = airbyte.read("assets", page_size=10)
    first = await anext(pages)
    async with airbyte.http.delete(f"{sandbox.url}/assets/{expected[0]}", headers=airbyte.headers) as answer:
        assert answer.ok
    assert ids([*first, *await anext(pages)]) == [*expected[:10], *expected[11:]]
