"""REFERENCE, "Bulk upsert answers": how an answer decides the outcomes of rows."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_async import (
    AuthenticationError,
    BadRequestError,
    ChunkResult,
    Notes,
    PermissionDeniedError,
    Tasks,
    Tickets,
    UpsertResult,
)
from reference.conftest import Serve
from reference.page_server import ID, Call, PageServer, Said, always, in_turn, says

LONG: dict[str, Any] = {
    "created": 0,
    "createdErrors": [],
    "insertsKeys": [],
    "updated": 0,
    "updatedErrors": [],
    "updatesKeys": [],
    "nonupdates": 0,
    "modified": [],
    "upsertedIds": [],
    "permissionErrors": [],
}
"""An answer as the pages of notes and tasks show it."""


def key(number: int) -> str:
    return f"{0x60000000 + number:08x}{number:016x}"


def keyed(n_rows: int) -> list[dict[str, Any]]:
    """Return tasks with a `sourceId`, which may be sent again."""
    return [{"sourceId": f"s{number}", "companyId": ID} for number in range(n_rows)]


def keyless(n_rows: int) -> list[dict[str, Any]]:
    """Return tasks or notes that are created each time they are sent."""
    return [{"companyId": ID, "description": f"{number}"} for number in range(n_rows)]


def tickets(n_rows: int) -> list[dict[str, Any]]:
    return [{"sourceId": f"s{number}", "email": "a@b.c", "companyId": ID} for number in range(n_rows)]


def counted(result: UpsertResult) -> dict[str, int]:
    """Return the outcomes with their numbers of rows."""
    return {name: n_rows for name, n_rows in result.counts().items() if n_rows}


async def upserted(planhat: PageServer, repository: Any, rows: list[dict[str, Any]], **options: Any) -> dict[str, int]:
    return counted(await repository(planhat.session).upsert_many(rows, **options))


async def chunk_of(planhat: PageServer, repository: Any, rows: list[dict[str, Any]]) -> ChunkResult:
    (chunk,) = [chunk async for chunk in repository(planhat.session).upsert_chunks(rows)]
    return chunk  # type: ignore[no-any-return]


# 200


async def test_a_long_answer_counts_every_row(page_server: Serve) -> None:
    """D: `created`, `updated`, `nonupdates` and all errors add up to the rows sent in every complete example."""
    planhat = await page_server(always(LONG | {"created": 1, "updated": 2, "nonupdates": 3}))
    assert await upserted(planhat, Tasks, keyed(6)) == {"created": 1, "updated": 2, "unchanged": 3}


async def test_rows_missing_from_a_long_answer_were_dropped(page_server: Serve) -> None:
    """D: a sum below the number of sent rows means that rows were dropped silently."""
    planhat = await page_server(always(LONG | {"created": 1, "insertsKeys": [{"_id": key(1), "sourceId": "s0"}]}))
    result = await Tasks(planhat.session).upsert_many(keyed(2))
    assert (counted(result), [problem.key for problem in result.problems]) == (
        {"created": 1, "dropped": 1},
        ["s1"],
    )


async def test_rows_missing_from_a_short_answer_of_tickets_are_accepted(page_server: Serve) -> None:
    """D: tickets answer `{"created":1,"updated":0}`. ?: whether `updated` counts unchanged rows.

    Uncounted rows that could have been created are accepted as `unreported`.
    """
    planhat = await page_server(always({"created": 1, "updated": 0}))
    assert await upserted(planhat, Tickets, tickets(1)) == {"created": 1}
    assert await upserted(planhat, Tickets, tickets(3)) == {"created": 1, "unreported": 2}


async def test_rows_that_may_have_been_dropped_are_not_stored(page_server: Serve) -> None:
    """D: a ticket without `email` is dropped silently. ?: whether that holds for an update too.

    A row without company and `email` is therefore not stored if a short answer counts no rows.
    """
    planhat = await page_server(always({"created": 0, "updated": 0}))
    result = await Tickets(planhat.session).upsert_many([{"sourceId": "119", "status": "closed"}])
    assert (len(planhat.calls), result.stored, result.rows) == (1, 0, 1)


async def test_an_update_that_a_short_answer_counts_is_stored(page_server: Serve) -> None:
    """D: `{"created":0,"updated":1}` for one row is unambiguous."""
    planhat = await page_server(always({"created": 0, "updated": 1}))
    assert await upserted(planhat, Tickets, [{"_id": ID, "email": "a@b.c", "companyId": ID}]) == {"updated": 1}


@pytest.mark.parametrize("counts", [{}, {"created": None, "updated": None, "nonupdates": None}], ids=["none", "null"])
async def test_lists_replace_missing_counts(page_server: Serve, counts: dict[str, Any]) -> None:
    """G: every key is optional, the counts too; `insertsKeys`, `upsertedIds` and `updatesKeys` are used instead."""
    answer: dict[str, Any] = counts | {
        "insertsKeys": [{"_id": key(1), "sourceId": "s0"}],
        "upsertedIds": [key(1)],
        "updatesKeys": [{"_id": key(2), "sourceId": "s1"}],
        "modified": [key(2)],
    }
    planhat = await page_server(always(answer))
    chunk = await chunk_of(planhat, Tasks, keyed(2))
    assert (chunk.created, chunk.updated, chunk.dropped, chunk.unknown) == (1, 1, 0, 0)
    assert chunk.created_ids == (key(1),)


@pytest.mark.parametrize(
    "answer", [{"upsertedIds": [key(1), key(2)]}, {"insertsKeys": [{"_id": key(1)}, {"_id": key(2)}]}]
)
async def test_either_list_of_created_ids_counts(page_server: Serve, answer: dict[str, Any]) -> None:
    """G: `upsertedIds` and `insertsKeys` both list created records; every key is optional, so either may be alone."""
    planhat = await page_server(always(answer))
    assert await upserted(planhat, Notes, keyless(2)) == {"created": 2}


@pytest.mark.parametrize("count", ["2", 2.0])
async def test_a_count_in_another_form_is_accepted(page_server: Serve, count: Any) -> None:
    """?: the types of counts are not documented; a text or a float with a whole number is accepted."""
    planhat = await page_server(always({"created": count, "updated": 0, "nonupdates": 0}))
    assert await upserted(planhat, Notes, keyless(2)) == {"created": 2}


@pytest.mark.parametrize("body", [{}, [], "OK", None, {"ok": True}])
@pytest.mark.parametrize("rows", [keyed(2), keyless(2)], ids=["keyed", "keyless"])
async def test_rows_are_unknown_after_an_answer_without_keys(
    page_server: Serve, rows: list[dict[str, Any]], body: Any
) -> None:
    """G: every key is optional; an answer without any proves neither that rows were stored nor that they were not."""
    planhat = await page_server(always(body))
    assert await upserted(planhat, Tasks, rows) == {"unknown": 2}
    assert len(planhat.calls) == 1 or "sourceId" in rows[0]  # without a key, a second call would create duplicates


async def test_generated_ids_are_stored_by_key(page_server: Serve) -> None:
    """D: `insertsKeys` and `updatesKeys` hold objects with `_id`, and `externalId`/`sourceId` if the row has one.

    The two kinds of keys are separate: a note may have the `externalId` "1" and another the `sourceId` "1".
    """
    answer = LONG | {
        "created": 1,
        "updated": 1,
        "insertsKeys": [{"_id": key(1), "sourceId": "1"}],
        "updatesKeys": [{"_id": key(2), "externalId": "1"}],
        "upsertedIds": [key(1)],
        "modified": [key(2)],
    }
    planhat = await page_server(always(answer))
    chunk: Any = await chunk_of(planhat, Notes, [{"_id": key(2)}, {"_id": key(1)}])
    assert (chunk.ids_by_source_id, chunk.ids_by_external_id) == ({"1": key(1)}, {"1": key(2)})


async def test_the_created_ids_are_those_of_created_records(page_server: Serve) -> None:
    """D: `upsertedIds` holds the ids of created records only."""
    answer = LONG | {
        "created": 1,
        "updated": 1,
        "insertsKeys": [{"_id": key(1), "sourceId": "s0"}],
        "updatesKeys": [{"_id": key(2), "sourceId": "s1"}],
        "upsertedIds": [key(1)],
        "modified": [key(2)],
    }
    planhat = await page_server(always(answer))
    assert (await chunk_of(planhat, Tasks, keyed(2))).created_ids == (key(1),)


async def test_undocumented_keys_are_kept(page_server: Serve) -> None:
    """G: newer models answer with more keys, which are kept for the caller."""
    planhat = await page_server(always(LONG | {"created": 1, "warnings": [{"x": 1}], "took": 5}))
    answer = (await chunk_of(planhat, Tasks, keyed(1))).answer
    assert (answer["warnings"], answer["took"]) == ([{"x": 1}], 5)


# Errors.


@pytest.mark.parametrize("status", [200, 206])
@pytest.mark.parametrize(
    "name", ["createdErrors", "updatedErrors", "permissionErrors", "validationErrors", "otherErrors"]
)
async def test_any_list_whose_name_ends_in_errors_is_a_list_of_errors(
    page_server: Serve, name: str, status: int
) -> None:
    """G: any key that ends in `Errors` is a list of errors; the body of a 206 lists the failed rows."""
    errors = [{"sourceId": "s1", "error": "Not valid type"}]
    planhat = await page_server(always(LONG | {"created": 1, name: errors}, status))
    result = await Tasks(planhat.session).upsert_many(keyed(2))
    assert counted(result) == {"created": 1, "rejected": 1}
    assert [(problem.key, problem.position, problem.reason) for problem in result.problems] == [
        ("s1", 1, "Not valid type")
    ]


@pytest.mark.parametrize(
    ("element", "words"),
    [
        ({"el": "externalId", "error": "Not valid type"}, "externalId: Not valid type"),
        ("companyId is required", "companyId is required"),
        ("externalId,email duplicated", "externalId,email duplicated"),
    ],
)
async def test_an_error_that_names_no_row_keeps_its_message(page_server: Serve, element: Any, words: str) -> None:
    """L: known errors are `{"el":"externalId","error":"Not valid type"}`, texts, and `externalId,email duplicated`.

    The error is counted; it blames a row only if there was just one.
    """
    planhat = await page_server(always(LONG | {"created": 1, "createdErrors": [element]}, 206))
    result = await Tasks(planhat.session).upsert_many(keyed(2))
    assert counted(result) == {"created": 1, "rejected": 1}
    assert [(problem.position, problem.reason) for problem in result.problems] == [(None, words)]
    alone = await Tasks(planhat.session).upsert_many(keyed(1))
    assert [problem.position for problem in alone.problems] == [0]


async def test_a_ticket_is_blamed_by_its_external_id(page_server: Serve) -> None:
    """D: a ticket's `sourceId` comes back as `externalId`, so an error may name either."""
    errors = [{"externalId": "s1", "error": "no"}]
    planhat = await page_server(always({"created": 1, "updated": 0, "createdErrors": errors}, 206))
    result = await Tickets(planhat.session).upsert_many(tickets(2))
    assert [(problem.key, problem.reason) for problem in result.problems] == [("s1", "no")]


@pytest.mark.parametrize(("status", "name"), [(400, "createdErrors"), (403, "permissionErrors")])
async def test_keyed_rows_that_a_refusal_does_not_blame_are_sent_again(
    page_server: Serve, status: int, name: str
) -> None:
    """G: 400 and 403 bodies carry the arrays of a 200. ?: what they did to the rows they do not blame.

    Keyed rows are safe to repeat, so they are sent again without the blamed ones.
    """
    refusal = says({name: [{"sourceId": "s1", "error": "no"}]}, status)
    planhat = await page_server(in_turn(refusal, says(LONG | {"created": 2})))
    result = await Tasks(planhat.session).upsert_many(keyed(3))
    assert counted(result) == {"created": 2, "rejected": 1}
    assert [[row["sourceId"] for row in call.sent] for call in planhat.calls] == [["s0", "s1", "s2"], ["s0", "s2"]]


@pytest.mark.parametrize(("status", "name"), [(400, "createdErrors"), (403, "permissionErrors")])
async def test_keyless_rows_that_a_refusal_does_not_blame_are_unknown(
    page_server: Serve, status: int, name: str
) -> None:
    """?: what a 400 or 403 did to the rows it does not blame; a repeat would create duplicates of keyless rows."""
    planhat = await page_server(always({name: ["no"]}, status))
    assert await upserted(planhat, Tasks, keyless(3)) == {"rejected": 1, "unknown": 2}
    assert len(planhat.calls) == 1


async def test_a_row_named_as_stored_is_not_rejected_by_the_next_answer(page_server: Serve) -> None:
    """G: 403 means no permission for one or *all operations*: a token may be allowed to create but not to update.

    The first answer names the created rows; sent again, they would be updates and are blamed.
    """
    stored: list[str] = []

    def may_create_only(call: Call) -> Said:
        new = [row["sourceId"] for row in call.sent if row["sourceId"] not in stored and row["sourceId"] != "s0"]
        blamed = [row["sourceId"] for row in call.sent if row["sourceId"] not in new]
        stored.extend(new)
        made = [{"_id": key(int(one[1:])), "sourceId": one} for one in new]
        errors = [{"sourceId": one, "error": "No permission"} for one in blamed]
        body = LONG | {"created": len(new), "insertsKeys": made, "permissionErrors": errors}
        return says(body, 403 if errors else 200)

    planhat = await page_server(may_create_only)
    result = await Tasks(planhat.session).upsert_many(keyed(3))
    assert (stored, result.created, result.rejected) == (["s1", "s2"], 2, 1)


async def test_a_row_that_may_have_been_stored_is_not_rejected_by_the_next_answer(page_server: Serve) -> None:
    """?: what a 400 did to the rows it does not blame; rows blamed by the second answer may be stored already."""
    first = says({"createdErrors": [{"sourceId": "s0", "error": "no"}]}, 400)
    then = says({"updatedErrors": [{"sourceId": name, "error": "no"} for name in ("s1", "s2")]}, 400)
    planhat = await page_server(in_turn(first, then))
    assert await upserted(planhat, Tasks, keyed(3)) == {"rejected": 1, "unknown": 2}


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadRequestError), (401, AuthenticationError), (403, PermissionDeniedError)]
)
@pytest.mark.parametrize("body", [{"error": "no"}, "no", "<html>no</html>"])
async def test_a_refusal_of_the_whole_request_names_no_rows(
    page_server: Serve, status: int, error: type[Exception], body: Any
) -> None:
    """G: an error body is "an object or a string", sometimes HTML. Without arrays it concerns no single row."""
    planhat = await page_server(always(body, status))
    result = await Tasks(planhat.session).upsert_many(keyed(2))
    assert (result.stored, result.rows) == (0, 2)
    chunk = await chunk_of(planhat, Tasks, keyed(2))
    assert isinstance(chunk.error, error)


@pytest.mark.parametrize(("rows", "n_calls"), [(keyed(2), 2), (keyless(2), 1)], ids=["keyed", "keyless"])
async def test_a_500_is_repeated_only_if_that_is_safe(
    page_server: Serve, rows: list[dict[str, Any]], n_calls: int
) -> None:
    """G: a 500 is Planhat's fault; rows may be stored all the same."""
    planhat = await page_server(in_turn(says({"error": "x"}, 500), says(LONG | {"updated": 2})))
    assert await upserted(planhat, Tasks, rows) == ({"updated": 2} if n_calls == 2 else {"unknown": 2})
    assert len(planhat.calls) == n_calls


# Size.


@pytest.mark.parametrize("rows", [keyed(8), keyless(8)], ids=["keyed", "keyless"])
async def test_a_body_that_is_too_large_is_halved(page_server: Serve, rows: list[dict[str, Any]]) -> None:
    """G: 32 MB is documented for analytics. ?: for these endpoints; a 413 processes no rows, so all rows are sent."""

    def small_only(call: Call) -> Said:
        n_rows = len(call.sent)
        return says({"error": "too large"}, 413) if n_rows > 2 else says(LONG | {"created": n_rows})

    planhat = await page_server(small_only)
    assert await upserted(planhat, Tasks, rows) == {"created": 8}
    assert sorted(len(call.sent) for call in planhat.calls) == [2, 2, 2, 2, 4, 4, 8]


async def test_bodies_stay_below_the_documented_size(page_server: Serve) -> None:
    """G: a body has at most 32 MB; chunks have at most 8 MB by default."""

    def counts(call: Call) -> Said:
        return says(LONG | {"created": len(call.sent)})

    planhat = await page_server(counts)
    rows = [{"sourceId": str(n), "companyId": ID, "description": "x" * 1_000_000} for n in range(17)]
    assert await upserted(planhat, Tasks, rows) == {"created": 17}
    assert max(len(call.body) for call in planhat.calls) <= 8_000_000
    assert len(planhat.calls) == 3


# Matching keys.


@pytest.mark.parametrize(
    ("repository", "row", "is_keyed"),
    [
        (Notes, {"_id": ID}, True),
        (Notes, {"externalId": "1", "sourceId": "2", "companyId": ID}, False),
        (Tasks, {"sourceId": "1", "companyId": ID}, True),
        (Tickets, {"sourceId": "1", "email": "a@b.c", "companyId": ID}, True),
    ],
)
async def test_only_rows_with_a_matching_key_are_repeated(
    page_server: Serve,
    repository: Any,
    row: dict[str, Any],
    is_keyed: bool,
) -> None:
    """D: notes match on `_id` alone, tasks and tickets on `_id`, then `sourceId`."""
    planhat = await page_server(in_turn(says("", 503), says(LONG | {"updated": 1})))
    await repository(planhat.session).upsert_many([row])
    assert len(planhat.calls) == 1 + is_keyed


async def test_rows_with_and_without_a_key_are_in_separate_bodies(page_server: Serve) -> None:
    """D: a keyless row is created each time, so keyed rows in the same body could not be repeated either."""
    planhat = await page_server(always(LONG | {"created": 2}))
    await Tasks(planhat.session).upsert_many([*keyed(2), *keyless(2)])
    bodies = [{"sourceId" in row for row in call.sent} for call in planhat.calls]
    assert sorted(bodies, key=str) == [{False}, {True}]
