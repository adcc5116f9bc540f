"""Test answers of a gateway in front of Planhat, which a small server imitates."""

from __future__ import annotations

import pytest
from fakes import TOKEN, ScriptedServer, reply

from planhat_async import RequestTimeoutError, RetryPolicy, ServerError, Session, StatusError, Tasks

AT_ONCE = RetryPolicy(attempts=3, wait_initial=0.0)
ID = "6b0b34e7314fb7dfd82c07ce"
STORED = reply(200, b'{"created":1,"updated":0,"nonupdates":0,"insertsKeys":[{"_id":"%b"}]}' % ID.encode())
KEYED = {"source_id": "1", "company_id": "5fd76c4daf9f4601dd313b05"}
KEYLESS = {"company_id": "5fd76c4daf9f4601dd313b05"}
STATUSES = [408, 502, 503, 504, *range(520, 531)]


@pytest.mark.parametrize("status", STATUSES)
async def test_a_list_continues_after_an_error_of_a_gateway(status: int) -> None:
    """One such answer in a million rows must not end an export."""
    answers = [reply(status, b"<html>gateway</html>"), reply()]
    async with ScriptedServer(answers) as server, Session(TOKEN, base_url=server.url, retry=AT_ONCE) as session:
        assert await Tasks(session).all() == []
        assert (session.stats.retries, server.received[0].line) == (1, server.received[1].line)


@pytest.mark.parametrize("status", STATUSES)
async def test_keyed_rows_are_sent_again_after_an_error_of_a_gateway(status: int) -> None:
    """Sending keyed rows twice has the same effect as sending them once."""
    answers = [reply(status, b"<html>gateway</html>"), STORED]
    async with ScriptedServer(answers) as server, Session(TOKEN, base_url=server.url, retry=AT_ONCE) as session:
        result = await Tasks(session).upsert_many([KEYED])
        assert (result.created, result.rows, len(server.received)) == (1, 1, 2)


@pytest.mark.parametrize("status", STATUSES)
async def test_keyless_rows_are_unknown_and_the_next_chunk_is_sent(status: int) -> None:
    """Planhat may have created the rows, so they are not sent again; the run continues."""
    answers = [reply(status, b"<html>gateway</html>"), STORED]
    async with ScriptedServer(answers) as server, Session(TOKEN, base_url=server.url, retry=AT_ONCE) as session:
        result = await Tasks(session).upsert_many([KEYLESS, KEYLESS], chunk_size=1, concurrency=1)
        assert (result.unknown, result.created, result.rows, len(server.received)) == (1, 1, 2, 2)


@pytest.mark.parametrize(("status", "cls"), [(408, RequestTimeoutError), (524, ServerError)])
async def test_persistent_errors_of_a_gateway_are_raised(status: int, cls: type[StatusError]) -> None:
    """The error is raised after the last attempt; a write may have been processed, and the next chunk is sent."""
    async with (
        ScriptedServer([reply(status, b"<html>gateway</html>")]) as server,
        Session(TOKEN, base_url=server.url, retry=AT_ONCE) as session,
    ):
        with pytest.raises(cls, match=f"answered {status}: <html>gateway</html>") as caught:
            await Tasks(session).update(ID, {"action": "Call"})
        assert (caught.value.may_have_been_processed, caught.value.attempts) == (True, 3)
        result = await Tasks(session).upsert_many([KEYED, {**KEYED, "source_id": "2"}], chunk_size=1, concurrency=1)
        assert (result.unknown, result.rows, len(server.received)) == (2, 2, 9)
