"""Test bulk upserts from a caller's view, into Planhat in memory, on virtual time."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
import virtual_time
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import Fault, MemoryPlanhat

from planhat_async import (
    Note,
    Notes,
    Outcome,
    RateLimits,
    RetryPolicy,
    Session,
    Task,
    Tasks,
    Tickets,
    Timeouts,
    UnknownOutcomeError,
    Unreadable,
    UpsertResult,
    UpsertRun,
)
from planhat_async._http.wire import Request, Response, Token
from planhat_async.sandbox import Choices, Company

thoroughly = settings(derandomize=True, deadline=None, max_examples=300)
"""The same thousand examples in every run."""

_LIMITS = RateLimits(per_minute=1_000_000, per_second=100_000, reserve=0)
_RETRY = RetryPolicy(attempts=60, wait_initial=0.1, wait_max=0.1, total=1e6, budget=1e6)

ACME, NO_MEMBERS = "5f4e3d2c1b0a998877665544", "5f4e3d2c1b0a998877665545"
"""A registered company, and one that is unknown after the first is registered."""


def session_on(planhat: MemoryPlanhat) -> Session:
    return Session("token", transport=planhat, limits=_LIMITS, retry=_RETRY)


def upsert_tasks(planhat: MemoryPlanhat, rows: Any, **options: Any) -> UpsertResult:
    async def main() -> UpsertResult:
        async with session_on(planhat) as session:
            return await Tasks(session).upsert_many(rows, **options)

    return virtual_time.run(main())


def upsert_notes(planhat: MemoryPlanhat, rows: Any, **options: Any) -> UpsertResult:
    async def main() -> UpsertResult:
        async with session_on(planhat) as session:
            return await Notes(session).upsert_many(rows, **options)

    return virtual_time.run(main())


def keys_of(row: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(name, row[name]) for name in ("_id", "sourceId") if name in row}


def positions(result: UpsertResult, outcome: Outcome) -> set[int]:
    return {position for part in result.not_stored.get(outcome, ()) for position in part}


def stored(planhat: MemoryPlanhat, model: str, *names: str) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(record.get(name) for name in names) for record in planhat.api.state.records(model))


harmless = st.lists(st.sampled_from([fault for fault in Fault if fault is not Fault.LATE]), max_size=12)
sizes = st.integers(1, 5)
concurrencies = st.integers(1, 5)
durations = st.lists(st.sampled_from([0.0, 0.5, 1.0, 7.0]), min_size=1, max_size=4)

# Keyed rows.


@pytest.mark.slow
@thoroughly
@given(st.lists(st.sampled_from("abcdef"), max_size=25), harmless, durations, sizes, concurrencies)
def test_keyed_rows_have_the_result_of_sending_them_one_by_one(
    names: str, faults: list[Fault], seconds: list[float], chunk_size: int, concurrency: int
) -> None:
    """Answers may be lost, repeated or refused; no two requests in flight share a key."""
    rows = [{"sourceId": name, "companyId": ACME, "action": str(n)} for n, name in enumerate(names)]
    planhat = MemoryPlanhat(faults, seconds)
    result = upsert_tasks(planhat, rows, chunk_size=chunk_size, concurrency=concurrency)
    assert stored(planhat, "tasks", "sourceId", "action") == Counter(
        {row["sourceId"]: (row["sourceId"], row["action"]) for row in rows}.values()
    )
    assert (result.rows, result.ok) == (len(rows), True)
    for crowd in planhat.crowds:
        keys = [key for body in crowd for row in body for key in keys_of(row)]
        assert len(set(keys)) == len(keys)
        assert len(crowd) <= concurrency


@pytest.mark.slow
@thoroughly
@given(st.lists(st.sampled_from("abcdef"), max_size=25), durations, durations, sizes, concurrencies)
def test_chunks_do_not_depend_on_timing(
    names: list[str], fast: list[float], slow: list[float], chunk_size: int, concurrency: int
) -> None:
    """Neither the network's speed nor the concurrency changes a body."""
    rows = [{"sourceId": name, "companyId": ACME, "action": str(n)} for n, name in enumerate(names)]
    one, two = MemoryPlanhat((), fast), MemoryPlanhat((), slow)
    upsert_tasks(one, rows, chunk_size=chunk_size, concurrency=concurrency)
    upsert_tasks(two, iter(rows), chunk_size=chunk_size, concurrency=1)
    assert one.sent == two.sent
    assert Counter(row["action"] for body in one.sent for row in body) == Counter(map(str, range(len(rows))))


def mixed_rows(kinds: Iterable[str]) -> list[Any]:
    """Return rows of every kind; a lower-case letter is a key of a valid row."""
    made: dict[str, Any] = {
        "keyless": {"companyId": ACME},
        "invalid": {"companyId": ACME, "colour": "red"},
        "unreadable": Unreadable("no"),
        "refused": {"companyId": NO_MEMBERS, "sourceId": "x"},
    }
    rows = [made.get(kind) or {"companyId": ACME, "sourceId": kind} for kind in kinds]
    return [{**row, "action": str(n)} if isinstance(row, dict) else row for n, row in enumerate(rows)]


kinds = st.sampled_from(["a", "b", "c", "d", "keyless", "invalid", "unreadable", "refused"])


@pytest.mark.slow
@thoroughly
@given(
    st.lists(kinds, max_size=25),
    st.lists(st.sampled_from(Fault), max_size=12),
    st.sampled_from([Choices(), Choices(errors_name_key=False), Choices(rejected_body_applies_rest=True)]),
    sizes,
    st.fixed_dictionaries({}, optional={"isolate": st.booleans(), "verify_by": st.just(["action"])}),
)
def test_every_row_has_exactly_one_outcome(
    names: list[str], faults: list[Fault], choices: Choices, chunk_size: int, options: dict[str, Any]
) -> None:
    """This holds in total and per chunk, for any mixture of rows, faults, answers and options."""
    planhat = MemoryPlanhat(faults, choices=choices)
    planhat.api.state.register(Company(ACME))
    rows = mixed_rows(names)

    async def main() -> None:
        async with session_on(planhat) as session:
            async with Tasks(session).upserting(rows, chunk_size=chunk_size, **options) as run:
                chunks = [chunk async for chunk in run]
            assert run.result.rows == len(rows) == sum(chunk.rows for chunk in chunks)
            taken = sorted(position for chunk in chunks for part in chunk.positions for position in part)
            assert taken == list(range(len(rows)))
            assert len(run.result.problems) == run.result.rows - run.result.stored

    virtual_time.run(main())
    assert len(planhat.api.state.records("tasks")) <= len(rows)


# Keyless rows.

notes = st.lists(st.integers(0, 40), max_size=25, unique=True).map(
    lambda numbers: [{"companyId": ACME, "subject": f"note {n}"} for n in numbers]
)


@pytest.mark.slow
@thoroughly
@given(notes, st.lists(st.sampled_from(Fault), max_size=12), durations, sizes, concurrencies)
def test_no_keyless_row_is_stored_twice_and_every_missing_one_is_reported(
    rows: list[dict[str, Any]], faults: list[Fault], seconds: list[float], chunk_size: int, concurrency: int
) -> None:
    """Without verification, a row whose answer was lost is unknown and is not sent again."""
    planhat = MemoryPlanhat(faults, seconds)
    result = upsert_notes(planhat, rows, chunk_size=chunk_size, concurrency=concurrency)
    there = stored(planhat, "notes", "subject")
    assert max(there.values(), default=1) == 1
    missing = {n for n, row in enumerate(rows) if (row["subject"],) not in there}
    assert missing <= positions(result, Outcome.UNKNOWN)
    assert result.created + result.unknown == len(rows)


@pytest.mark.slow
@thoroughly
@given(
    st.lists(st.integers(0, 9), max_size=25),
    # After five requests for the same rows that Planhat did not process, the rows are unknown.
    st.lists(st.sampled_from(Fault), max_size=8).filter(lambda faults: faults.count(Fault.DROP_BEFORE) < 5),
    durations,
    sizes,
    concurrencies,
)
def test_verified_rows_are_stored_once(
    numbers: list[int], faults: list[Fault], seconds: list[float], chunk_size: int, concurrency: int
) -> None:
    """Requests may be processed late. If values are not unique, rows may be unknown, and none is stored twice."""
    rows = [{"companyId": ACME, "subject": f"note {n}"} for n in numbers]
    planhat = MemoryPlanhat(faults, seconds)
    planhat.api.state.add("conversations", {"type": "email", "subject": "note 1"}, now=1_700_000_000.0)
    result = upsert_notes(planhat, rows, chunk_size=chunk_size, concurrency=concurrency, verify_by=("subject",))
    there, wanted = stored(planhat, "notes", "subject"), Counter((row["subject"],) for row in rows)
    assert result.created + result.unknown == len(rows)
    assert there <= wanted
    assert there.total() >= result.created
    if len(set(numbers)) == len(numbers):
        assert there == wanted
        assert result.ok


def test_a_row_whose_equal_was_found_is_not_sent_again() -> None:
    """The record that the list shows may be of either row: the other request may still be on its way."""
    planhat = MemoryPlanhat([Fault.DROP_AFTER, Fault.DROP_BEFORE])
    rows = [{"companyId": ACME, "subject": subject} for subject in ("same", "same", "other")]
    result = upsert_notes(planhat, rows, chunk_size=1, concurrency=1, verify_by=("subject",))
    assert (result.created, result.unknown, len(planhat.sent)) == (2, 1, 3)
    (problem,) = result.problems
    assert problem.position == 1
    assert "another row has the same values" in problem.reason
    assert result.stopped_by is None


def test_a_half_without_an_answer_is_not_given_the_record_of_the_other_half() -> None:
    """The answer of the other half has named its record."""

    @define
    class Halving(MemoryPlanhat):
        n_writes: int = 0

        async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
            self.n_writes += request.method == "PUT"
            if request.method == "PUT" and self.n_writes == 1:
                return Response(status=413, body=b"too large")
            if request.method == "PUT" and self.n_writes == 2:
                raise UnknownOutcomeError("lost before it arrived", method="PUT", path="/conversations")
            return await super().send(request, token=token, timeouts=timeouts)

    planhat = Halving(())
    result = upsert_notes(planhat, [{"companyId": ACME, "subject": "same"}] * 2, verify_by=["subject"])
    assert (result.created, len(planhat.api.state.records("notes"))) == (2, 2)


def test_no_list_is_read_without_keyless_rows() -> None:
    """The newest record is requested just before the first keyless chunk is sent."""
    planhat = MemoryPlanhat(())
    upsert_tasks(planhat, [{"sourceId": "a", "companyId": ACME}], verify_by=("action",))
    assert planhat.n_reads == 0


def test_verification_without_faults_costs_one_extra_call() -> None:
    """The number of keyless chunks does not matter."""
    planhat = MemoryPlanhat(())
    rows = [Note(company_id=ACME, subject=str(n)) for n in range(9)]
    result = upsert_notes(planhat, rows, chunk_size=2, verify_by=["subject"])
    assert (planhat.n_reads, len(planhat.sent), result.created) == (1, 5, 9)


def test_the_ids_of_found_rows_are_reported() -> None:
    """The result equals that of an answered request."""
    planhat = MemoryPlanhat([Fault.DROP_AFTER])
    rows = [{"companyId": ACME, "subject": str(n)} for n in range(3)]

    async def main() -> None:
        async with session_on(planhat) as session:
            chunks = [chunk async for chunk in Notes(session).upsert_chunks(rows, verify_by=["subject"])]
        (chunk,) = chunks
        assert sorted(chunk.created_ids) == [note["_id"] for note in planhat.api.state.records("notes")]
        assert (chunk.created, chunk.error, chunk.problems) == (3, None, [])

    virtual_time.run(main())
    assert len(planhat.sent) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"date": "2024-05-31T09:30:00Z"},
        {"date": datetime(2024, 5, 31, 11, 30, tzinfo=timezone(timedelta(hours=2)))},
        {"custom": {"ref": 7}},
        {"custom": {"ref": 7.5}},
        {"subject": " spaces "},
    ],
)
def test_rows_are_recognised_by_values_of_different_types(changes: dict[str, Any]) -> None:
    """Different notations of a time are equal, and custom fields count like others."""
    (name,) = changes
    planhat = MemoryPlanhat([Fault.DROP_AFTER, Fault.DROP_AFTER])
    row = {"companyId": ACME, **changes}
    result = upsert_notes(planhat, [row], verify_by=["custom.ref" if name == "custom" else name])
    assert (result.created, len(planhat.sent), len(planhat.api.state.records("notes"))) == (1, 1, 1)


def test_a_stored_time_of_unknown_format_is_compared_as_text() -> None:
    """It does not match the row's time."""
    planhat = MemoryPlanhat([Fault.DROP_AFTER])
    planhat.api.state.add("notes", {"date": "last week"}, now=1_700_000_000.0)
    result = upsert_notes(planhat, [{"companyId": ACME, "date": "2024-05-31T09:30:00Z"}], verify_by=["date"])
    assert (result.created, len(planhat.sent)) == (1, 1)


@define
class _Listing(MemoryPlanhat):
    """Answers the reads of its list from a script, in order; `None` stands for the stored records."""

    reads: list[Response | None] = field(factory=list)

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        if request.method == "GET" and self.reads and (answer := self.reads.pop(0)):
            return answer
        return await super().send(request, token=token, timeouts=timeouts)


@pytest.mark.parametrize(
    "answer", [Response(status=404), Response(status=200, body=b"{}"), Response(status=200, body=b'[{"_id":7}]')]
)
def test_no_keyless_row_is_sent_without_the_newest_record(answer: Response) -> None:
    """Its outcome could not be verified afterwards; the next chunk tries again."""
    planhat = _Listing(reads=[answer])
    rows = [{"companyId": ACME, "subject": str(n)} for n in range(4)]
    result = upsert_notes(planhat, rows, verify_by=["subject"], chunk_size=2, concurrency=1)
    assert (result.unsent, result.created) == ((4, 0) if answer.status == 404 else (2, 2))
    assert len(planhat.sent) == result.created // 2


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=404),
        Response(status=200, body=b"no JSON"),
        Response(status=200, body=b'[{"_id":"6b0690ab314fb7dfd82c07ce"},{"_id":"6b0690ab314fb7dfd82c07ce"}]'),
    ],
)
def test_rows_that_cannot_be_verified_are_unknown(answer: Response) -> None:
    """They are not sent again, and both reasons are reported."""
    planhat = _Listing([Fault.DROP_AFTER], reads=[None, answer])
    result = upsert_notes(planhat, [{"companyId": ACME, "subject": "s"}], verify_by=["subject"])
    assert (result.unknown, len(planhat.sent)) == (1, 1)
    assert result.problems[0].reason.startswith("no answer; and Planhat's list, which might tell, could not be read: ")


def test_a_list_without_the_fields_proves_nothing() -> None:
    """Rows that are not recognised may be stored all the same, so they are not sent again."""

    @define
    class Hiding(MemoryPlanhat):
        def _carry_out(self, request: Request) -> Response:
            if request.method == "GET":
                request = evolve(request, params=(*request.params, ("select", "_id,type")))
            return super()._carry_out(request)

    planhat = Hiding([Fault.DROP_AFTER])
    result = upsert_notes(planhat, [{"companyId": ACME, "subject": "s"}], verify_by=["subject"])
    assert (result.unknown, len(planhat.sent)) == (1, 1)
    assert result.problems[0].reason.endswith("it does not show the values of verify_by")


def test_rows_that_are_lost_repeatedly_are_unknown() -> None:
    """The fifth attempt is the last; the chunk has the last error."""
    planhat = MemoryPlanhat([Fault.DROP_BEFORE] * 9)

    async def main() -> None:
        async with session_on(planhat) as session:
            rows = [{"companyId": ACME, "subject": "s"}]
            (chunk,) = [chunk async for chunk in Notes(session).upsert_chunks(rows, verify_by=["subject"])]
        reason = "sent 5 times without an answer, and not found in Planhat's list"
        assert (chunk.unknown, chunk.problems[0].reason, str(chunk.error)) == (1, reason, "no answer")

    virtual_time.run(main())
    assert len(planhat.sent) == 5


def test_archived_tasks_are_found() -> None:
    """They are in a separate list."""
    planhat = MemoryPlanhat([Fault.DROP_AFTER])
    rows = [Task(company_id=ACME, action=str(n), is_archived=n % 2 == 0) for n in range(4)]
    result = upsert_tasks(planhat, rows, verify_by=["action"])
    assert (result.created, len(planhat.sent), len(planhat.api.state.records("tasks"))) == (4, 1, 4)


@pytest.mark.parametrize(
    "row", [{"companyId": ACME}, {"companyId": ACME, "subject": None}, Note(company_id=ACME, subject=" ")]
)
def test_a_row_without_the_unique_fields_is_invalid(row: Any) -> None:
    """It lacks the fields given by the caller."""
    planhat = MemoryPlanhat(())
    result = upsert_notes(planhat, [row, {"companyId": ACME, "subject": "s"}], verify_by=["subject"])
    assert (result.invalid, result.created) == (1, 1)
    assert result.problems[0].reason == "verify_by: subject must be text, a number or a time, and not blank"


def test_a_row_with_a_key_needs_no_unique_fields() -> None:
    """It can be sent again."""
    result = upsert_tasks(MemoryPlanhat(()), [{"sourceId": "a", "companyId": ACME}], verify_by=["action"])
    assert result.created == 1


@pytest.mark.parametrize(
    ("repository", "options", "message"),
    [
        (Notes, {"verify_by": ["sujet"]}, "no field 'sujet'; did you mean subject"),
        (Notes, {"verify_by": ["users"]}, "users holds more than a single value"),
        (Notes, {"verify_by": ["custom"]}, "custom holds more than a single value"),
        (Notes, {"verify_by": ["snippet"]}, "snippet is not a field that rows without a key are sent with"),
        (Tasks, {"verify_by": ["source_id"]}, "source_id is not a field that rows without a key are sent with"),
        (
            Tickets,
            {"verify_by": ["title"]},
            "every ticket has a key, so there is nothing to verify: leave verify_by (--verify-by) out",
        ),
        (Notes, {"verify_by": ["subject"], "verify_wait": -1}, "verify_wait must be a number of at least 0"),
        (Notes, {"on_invalid": "ignore"}, "on_invalid"),
        (Notes, {"max_isolation_calls": -1}, "max_isolation_calls"),
    ],
)
def test_invalid_options_are_refused(repository: Any, options: Any, message: str) -> None:
    """No row is sent or read."""
    with pytest.raises(ValueError, match=re.escape(message)):
        repository(Session("token", transport=MemoryPlanhat(()))).upserting([], **options)


@pytest.mark.parametrize("options", [{"verify_by": "subject"}, {"chunksize": 7}])
def test_options_of_the_wrong_type_are_refused(options: Any) -> None:
    """A single name is not a sequence of names, and unknown options are refused."""
    with pytest.raises(TypeError):
        Notes(Session("token", transport=MemoryPlanhat(()))).upserting([], **options)


# Errors that name no row.


@pytest.mark.slow
@thoroughly
@given(
    st.lists(st.sampled_from(["bad", "new", "there"]), min_size=1, max_size=25),
    st.integers(1, 25),
    st.sampled_from([Choices(errors_name_key=False), Choices(errors_name_key=False, tickets_count_unchanged=True)]),
    st.sampled_from([Tasks, Tickets]),
)
def test_isolation_finds_exactly_the_invalid_rows(
    kinds: list[str], chunk_size: int, choices: Choices, repository: Any
) -> None:
    """The result has positions and keys, valid rows are counted as usual, and the calls are reported."""
    planhat = MemoryPlanhat((), choices=choices)
    planhat.api.state.register(Company(ACME))
    rows = [{"sourceId": f"s{n}", "companyId": NO_MEMBERS if kind == "bad" else ACME} for n, kind in enumerate(kinds)]
    if repository is Tickets:
        rows = [{**row, "email": "a@b.c"} for row in rows]

    async def upsert(rows: list[dict[str, str]], **options: Any) -> UpsertResult:
        async with session_on(planhat) as session:
            run: UpsertRun = repository(session).upserting(rows, chunk_size=chunk_size, **options)
            await finish(run)
            return run.result

    virtual_time.run(upsert([row for row, kind in zip(rows, kinds, strict=True) if kind == "there"]))
    planhat.sent.clear()
    result = virtual_time.run(upsert(rows, isolate=True, max_isolation_calls=1000))
    bad = {n for n, kind in enumerate(kinds) if kind == "bad"}
    assert positions(result, Outcome.REJECTED) == bad
    assert {problem.key for problem in result.problems} == {f"s{n}" for n in bad}
    assert (result.created, result.rejected) == (kinds.count("new"), len(bad))
    assert (result.rows, result.stored) == (len(rows), len(rows) - len(bad))
    assert result.isolation_calls == len(planhat.sent) - -(-len(rows) // chunk_size)


def test_isolation_finds_the_row_that_causes_a_refusal_of_all() -> None:
    """A 400 that names no row is caused by one of them too."""

    @define
    class Refusing(MemoryPlanhat):
        def _carry_out(self, request: Request) -> Response:
            bad = b"bad" in (request.body or b"")
            return Response(status=400, body=b'"Not valid type"') if bad else super()._carry_out(request)

    planhat = Refusing()
    rows = [{"sourceId": str(n), "companyId": ACME, "action": "bad" if n == 5 else "good"} for n in range(8)]
    result = upsert_tasks(planhat, rows, isolate=True)
    assert (positions(result, Outcome.REJECTED), result.created, result.isolation_calls) == ({5}, 7, 6)


def test_isolation_respects_its_budget() -> None:
    """Once it is spent, errors are counted without a row."""
    planhat = MemoryPlanhat((), choices=Choices(errors_name_key=False))
    planhat.api.state.register(Company(ACME))
    rows = [{"sourceId": str(n), "companyId": NO_MEMBERS if n % 4 == 0 else ACME} for n in range(16)]
    result = upsert_tasks(planhat, rows, isolate=True, max_isolation_calls=5)
    assert (result.isolation_calls, len(planhat.sent)) == (4, 5)
    assert (result.created, result.rejected, result.n_problems) == (12, 4, 4)


def test_isolation_is_optional() -> None:
    """By default a chunk is sent once."""
    planhat = MemoryPlanhat((), choices=Choices(errors_name_key=False))
    planhat.api.state.register(Company(ACME))
    result = upsert_tasks(planhat, [{"sourceId": str(n), "companyId": ACME if n else NO_MEMBERS} for n in range(4)])
    assert (result.isolation_calls, len(planhat.sent), positions(result, Outcome.REJECTED)) == (0, 1, set())


# Invalid rows.


async def finish(run: UpsertRun) -> None:
    async with run:
        async for _ in run:
            pass


BAD: Sequence[Any] = [{"companyId": ACME, "sourceId": "a"}, {"sourceId": "b", "colour": "red"}, {"sourceId": "c"}]


def test_an_invalid_row_of_a_sequence_is_raised_before_any_row_is_sent() -> None:
    """This is optional and works for any position; the message names the row."""
    planhat = MemoryPlanhat(())
    rows = [*({"companyId": ACME, "sourceId": str(n)} for n in range(20)), *BAD]
    with pytest.raises(ValueError, match=r"^row 21: Task has no field 'colour'$"):
        upsert_tasks(planhat, rows, on_invalid="raise", chunk_size=1)
    assert planhat.sent == []


def test_an_invalid_row_of_a_stream_is_raised_when_it_is_read() -> None:
    """Rows before it may have been sent; the result has all of them and the row itself."""
    planhat = MemoryPlanhat(())

    async def main() -> UpsertResult:
        async with session_on(planhat) as session:
            run = Tasks(session).upserting(iter(BAD), on_invalid="raise", chunk_size=1)
            with pytest.raises(ValueError, match="row 1: "):
                await finish(run)
            return run.result

    result = virtual_time.run(main())
    assert (result.rows, result.invalid, result.created + result.unsent) == (2, 1, 1)


@pytest.mark.parametrize("rows", [list, iter])
def test_a_row_too_large_for_a_call_is_raised_too(rows: Any) -> None:
    """It counts as invalid if the option is set."""
    planhat = MemoryPlanhat(())
    large = [{"sourceId": "b", "companyId": ACME, "action": "x" * 100}]
    with pytest.raises(ValueError, match=r"row 0: \d+ bytes are more than one call may hold"):
        upsert_tasks(planhat, rows(large), on_invalid="raise", max_bytes=100)
    assert planhat.sent == []


def test_valid_rows_raise_no_error() -> None:
    """The option does not change a run without invalid rows."""
    rows = [{"sourceId": str(n), "companyId": ACME} for n in range(1000)]
    assert upsert_tasks(MemoryPlanhat(()), rows, on_invalid="raise", chunk_size=300).created == 1000


# The end of a run.


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"verify_by": ["action"], "verify_wait": 3}, {"isolate": True}, {}])
def test_rows_are_conserved_wherever_a_run_is_cancelled(options: dict[str, Any]) -> None:
    """At every step, the result has each row taken, and no task is left running."""
    faults = [Fault.DROP_AFTER, Fault.DROP_BEFORE, Fault.NONE, Fault.LATE, Fault.FAIL_AFTER, Fault.REFUSE] * 2
    names = ["a", "keyless", "b", "refused", "a", "keyless", "c", "invalid", "keyless", "d", "a", "b"]

    async def main(seconds: float, n_turns: int) -> bool:
        planhat = MemoryPlanhat(faults, [0.5, 2.0, 1.0], Choices(errors_name_key=False))
        planhat.api.state.register(Company(ACME))
        taken = []

        def rows() -> Iterator[Any]:
            for row in mixed_rows(names):
                taken.append(row)
                yield row

        async with session_on(planhat) as session:
            run = Tasks(session).upserting(rows(), chunk_size=3, concurrency=3, **options)
            task = asyncio.create_task(finish(run))
            await asyncio.sleep(seconds)
            for _ in range(n_turns):
                await asyncio.sleep(0)
            is_late = not task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert run.result.rows == len(taken)
        stored_there = {row["action"] for row in planhat.api.state.records("tasks")}
        assert stored_there.isdisjoint(str(n) for n in positions(run.result, Outcome.UNSENT))
        return is_late

    when = [(0.0, n_turns) for n_turns in range(60)] + [(n / 4, n % 3) for n in range(150)]
    ended = [virtual_time.run(main(*one)) for one in when]
    assert (ended[0], ended[-1]) == (False, True)


# Speed.


@define
class _Answering(MemoryPlanhat):
    """Answers without a store, which would take most of the time."""

    def _answer(self, request: Request, fault: Fault) -> Response:  # noqa: ARG002 - every answer is a good one
        counts = {"created": len(self.sent[-1]), "updated": 0, "nonupdates": 0}
        return Response(status=200, body=msgspec.json.encode(counts))


def rows_with_repeats(n_rows: int, every: int) -> Iterator[dict[str, Any]]:
    """Yield keyed rows; one row in so many has the key of an earlier row."""
    for n in range(n_rows):
        yield {"sourceId": str(n - 7 if n % every == every - 1 else n), "companyId": ACME}


def in_flight_on_average(rows: Iterator[dict[str, Any]], *, chunk_size: int) -> float:
    """Return how many of four chunks are in flight while each takes 5 to 15 seconds."""
    draw = random.Random(0)
    planhat = _Answering((), [draw.uniform(5, 15) for _ in range(50)])

    async def main() -> float:
        async with session_on(planhat) as session:
            await Tasks(session).upsert_many(rows, chunk_size=chunk_size)
        return asyncio.get_running_loop().time()

    seconds = virtual_time.run(main())
    return sum(planhat.seconds[: len(planhat.sent)]) / seconds


@pytest.mark.parametrize(("every", "at_least"), [(100_000, 3.5), (100, 3), (10, 3)])
def test_chunks_run_concurrently_despite_repeated_keys(every: int, at_least: float) -> None:
    """At least three of four chunks are in flight on average, even if one row in ten repeats a key."""
    assert in_flight_on_average(rows_with_repeats(20_000, every), chunk_size=500) >= at_least


@pytest.mark.parametrize("n_keys", [1, 2])
def test_few_keys_cost_as_few_calls_as_possible(n_keys: int) -> None:
    """One repeated key costs a call for each row; two alternating keys share the calls."""
    planhat = MemoryPlanhat((), [0.0])
    rows = ({"sourceId": str(n % n_keys), "companyId": ACME, "action": str(n)} for n in range(400))
    result = upsert_tasks(planhat, rows, chunk_size=50)
    assert (len(planhat.sent), result.stored) == (400 // n_keys, 400)


def test_a_company_recognises_a_row_only_by_its_id() -> None:
    """Lists show the `_id`, whichever key was sent: a row with another key would be sent again in vain."""
    planhat = MemoryPlanhat([Fault.DROP_AFTER])
    rows = [{"companyId": key, "subject": "s"} for key in (ACME, "extid-acme")]
    result = upsert_notes(planhat, rows, verify_by=["company_id", "subject"])
    assert (result.created, result.invalid, sum(stored(planhat, "notes", "subject").values())) == (1, 1, 1)
    assert result.problems[0].reason == "verify_by: companyId must be an _id: Planhat shows no other key of a company"
