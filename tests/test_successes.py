"""Test 2xx answers that are not successes, and successes that are not JSON, with a scripted server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fakes import TOKEN, ScriptedServer, reply

from planhat_async import DecodeError, Note, Notes, NotFoundError, Session, Task, Tasks, Tickets

ID = "6b0b34e7314fb7dfd82c07ce"
OTHER_ID = "6b0b34e7314fb7dfd82c07cf"
COMPANY = "5fd76c4daf9f4601dd313b05"
TASK = {"action": "Call", "company_id": COMPANY}
NO_RECORD = [
    (200, b'{"error":"no such company"}'),
    (200, b'{"error":{"message":"no"}}'),
    (200, b'{"error":"not saved","_id":"%b"}' % ID.encode()),
    (200, b'{"data":{"_id":"%b"}}' % ID.encode()),
    (200, b'{"_id":null,"action":"Call"}'),
    (200, b'{"_id":"","action":"Call"}'),
    (200, b'{"_id":7}'),
    (200, b"{}"),
    (200, b'[{"_id":"%b"}]' % ID.encode()),
    (200, b"null"),
    (200, b'"OK"'),
    (200, b"OK"),
    (200, b"<html>Please log in</html>"),
    (200, b""),
    (201, b" \n"),
    (204, b""),
]
CALLS: dict[str, Callable[[Tasks], Awaitable[Any]]] = {
    "get": lambda tasks: tasks.get(ID),
    "create": lambda tasks: tasks.create(TASK),
    "update": lambda tasks: tasks.update(ID, {"action": "Call"}),
}


@asynccontextmanager
async def answering(*answers: tuple[int, bytes]) -> AsyncIterator[tuple[ScriptedServer, Session]]:
    """Yield a session on a server with these answers."""
    replies = [reply(status, body) for status, body in answers]
    async with ScriptedServer(replies) as server, Session(TOKEN, base_url=server.url) as session:
        yield server, session


@pytest.mark.parametrize(("status", "body"), NO_RECORD)
@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_that_is_not_a_record_is_an_error(call: str, status: int, body: bytes) -> None:
    """The error contains the answer, and says that a write may have been processed."""
    async with answering((status, body)) as (server, session):
        with pytest.raises(DecodeError, match=r"^(GET|PUT|POST) /tasks\S*: the answer is not a Task with an _id") as it:
            await CALLS[call](Tasks(session))
        assert len(server.received) == 1
    assert f"(status {status}): {body.decode().strip() or 'it is empty'}" in str(it.value)
    assert it.value.body == body.decode()
    assert it.value.may_have_been_processed is (call != "get")
    assert (it.value.sent is None) is (call == "get")


@pytest.mark.parametrize(
    ("body", "record"),
    [
        ({"_id": ID, "error": None}, Task(id=ID, extra={"error": None})),
        ({"_id": ID}, Task(id=ID)),
        ({"_id": ID, "action": "Call", "error": "bounced"}, Task(id=ID, action="Call", extra={"error": "bounced"})),
    ],
)
@pytest.mark.parametrize("call", CALLS)
async def test_an_object_with_an_id_is_a_record(call: str, body: dict[str, Any], record: Task) -> None:
    """An `error` beside the fields of a record is an undocumented field."""
    async with answering((200, json.dumps(body).encode())) as (_, session):
        assert await CALLS[call](Tasks(session)) == record


async def test_the_calls_of_notes_return_records_too() -> None:
    """All models have the same calls."""
    async with answering((200, b'{"error":"no"}'), (200, b'{"_id":"%b"}' % ID.encode())) as (_, session):
        with pytest.raises(DecodeError, match=r'not a Note with an _id .*"no"'):
            await Notes(session).get(ID)
        assert await Notes(session).get(ID) == Note(id=ID)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"OK"),
        (200, b"Deleted"),
        (200, b'"OK"'),
        (200, b""),
        (200, b"\r\n"),
        (204, b""),
        (202, b"accepted"),
        (200, b"null"),
        (200, b"{}"),
        (200, b'{"error":null}'),
        (200, b'{"n":1,"ok":1,"deletedCount":1}'),
        (200, b'{"ok":1,"n":1}'),
        (200, b'{"_id":"%b","n":0,"ok":0}' % ID.encode()),
        (200, b'{"success":true}'),
    ],
)
async def test_a_deletion_is_confirmed_in_several_ways(status: int, body: bytes) -> None:
    """The answer may be the record, a count, a short text or empty; a deletion of many records continues."""
    async with answering((status, body)) as (server, session):
        await Tasks(session).delete(ID)
        assert await Tickets(session).delete_many([ID, OTHER_ID]) == [True, True]
        assert len(server.received) == 3


@pytest.mark.parametrize("body", [b'{"deletedCount":0}', b'{"n":0,"ok":1}', b'{"n":0,"ok":1,"deletedCount":0}'])
async def test_a_count_of_zero_means_that_the_record_is_missing(body: bytes) -> None:
    """It counts like a 404."""
    async with answering((200, body)) as (_, session):
        with pytest.raises(NotFoundError):
            await Tasks(session).delete(ID)
        assert await Tasks(session).delete_many([ID]) == [False]


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"locked"}',
        b'{"error":{"message":"locked"}}',
        b'{"ok":0}',
        b'{"success":false}',
        b"false",
        b'"Error: locked"',
        b"Error: locked",
        b"<html>Please log in</html>",
        b"\xef\xbb\xbf <!DOCTYPE html>",
        b"x" * 1000,
    ],
)
async def test_a_deletion_with_any_other_answer_is_an_error(body: bytes) -> None:
    """The record may or may not be deleted."""
    async with answering((200, body)) as (server, session):
        with pytest.raises(DecodeError, match=r"DELETE /tasks/\w+: the answer does not say that .* was deleted") as it:
            await Tasks(session).delete(ID)
        assert it.value.may_have_been_processed
        assert len(server.received) == 1


@pytest.mark.parametrize("body", [b'{"error":"try later"}', b"<html>Please log in</html>", b'"OK"', b""])
async def test_the_error_of_an_invalid_list_contains_the_answer(body: bytes) -> None:
    """This holds for reading it completely, by page, or to check the token."""
    for read in (
        lambda session: Tasks(session).all(),
        lambda session: Tasks(session).page(),
        lambda session: session.check(),
    ):
        async with answering((200, body)) as (_, session):
            with pytest.raises(DecodeError, match=r"^GET /tasks: the answer is not a list \(status 200\): ") as it:
                await read(session)
        assert str(it.value).endswith(body.decode() or "it is empty")
        assert not it.value.may_have_been_processed


@pytest.mark.parametrize(
    "body", [b'{"error":"try later"}', b'{"ok":0,"message":"try later"}', b"<html>try later</html>"]
)
async def test_rows_are_unknown_after_an_answer_without_outcomes(body: bytes) -> None:
    """The reason quotes the answer; keyed rows are sent once more, which is safe, and keyless rows never."""
    keyed = {"source_id": "1", **TASK}
    for row, n_sent in ((TASK, 1), (keyed, 2)):
        async with answering((200, body)) as (server, session):
            result = await Tasks(session).upsert_many([row])
            assert (result.unknown, result.rows, len(server.received)) == (1, 1, n_sent)
        (problem,) = result.problems
        assert "PUT /tasks: the answer is not an account of the rows (status 200): " in problem.reason
        assert body.decode() in problem.reason


async def test_outcomes_beside_an_error_are_used() -> None:
    """The rows that it counts are stored."""
    account = {"error": "one failed", "created": 1, "updated": 0, "nonupdates": 0, "createdErrors": []}
    async with answering((206, json.dumps(account).encode())) as (_, session):
        assert (await Tasks(session).upsert_many([TASK])).created == 1


@pytest.mark.parametrize("call", [*CALLS, "delete", "all", "check", "request"])
async def test_no_error_contains_the_token_of_an_answer_that_repeats_it(call: str) -> None:
    """The message stays one line."""
    calls: dict[str, Callable[[Session], Awaitable[Any]]] = {
        "delete": lambda session: Tasks(session).delete(ID),
        "all": lambda session: Tasks(session).all(),
        "check": lambda session: session.check(),
        "request": lambda session: session.request("GET", "/users"),
    }
    body = f"<html>\n\x1b[31mcannot pass on: Bearer {TOKEN}\n</html>".encode()
    async with answering((200, body)) as (_, session):
        with pytest.raises(DecodeError) as caught:
            await (CALLS[call](Tasks(session)) if call in CALLS else calls[call](session))
    assert r"<html>\n\x1b[31mcannot pass on: Bearer <token>\n</html>" in str(caught.value)
    assert TOKEN not in repr(caught.value) + repr(vars(caught.value))
