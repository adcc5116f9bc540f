"""Test the chunks in a journal: their digests, their size, and how a rerun treats them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.batching.chunks import Chunk, Row, Rows, pieces_of
from planhat_async.batching.verification import Floor
from planhat_async.errors import AuthenticationError, BadRequestError, PermissionDeniedError, StatusError
from planhat_async.jobs.entries import (
    MAX_GROUPS,
    ChunkState,
    Entry,
    Group,
    ResendPolicy,
    digest_of,
    groups_of,
    recorded,
)
from planhat_async.jobs.schema import entry_of, row_of
from planhat_async.results import ChunkResult, Outcome, Problem

steady = settings(derandomize=True, deadline=None, max_examples=200)


def chunk(n_rows: int, *, is_keyed: bool, first: int = 0, data: bytes = b"x") -> Chunk:
    rows = tuple(Row(n, (f"sourceId={n}",) if is_keyed else (), data) for n in range(first, first + n_rows))
    return chunk_of(rows)


def chunk_of(rows: Rows) -> Chunk:
    return Chunk(number=0, rows=rows, keys={key for row in rows for key in row.keys}, body=b"".join(pieces_of(rows)))


def invalid(position: int) -> Problem:
    return Problem(outcome=Outcome.INVALID, reason="email is missing", position=position)


WHOLE = chunk(100, is_keyed=True)


@pytest.mark.parametrize(
    "other",
    [
        chunk(99, is_keyed=True),
        chunk(100, is_keyed=True, first=1),
        chunk(100, is_keyed=True, data=b"y"),
        attrs.evolve(WHOLE, invalid=(invalid(100),)),
        chunk_of((Row(0, (), b"xx"), Row(1, (), b""), *WHOLE.rows[2:])),
        chunk_of(WHOLE.rows[::-1]),
    ],
)
def test_different_chunks_have_different_digests(other: Chunk) -> None:
    """Rows, positions, boundaries between rows, and invalid rows in between all matter."""
    assert digest_of(WHOLE) == digest_of(chunk(100, is_keyed=True))
    assert digest_of(WHOLE) != digest_of(other)


OUTCOMES = st.lists(st.sampled_from([*Outcome]), min_size=1, max_size=30)


def result_of(outcomes: list[Outcome]) -> ChunkResult:
    """Return a result in which the row at each position has one of these outcomes."""
    result = ChunkResult(number=0)
    for position, outcome in enumerate(outcomes):
        result.count(outcome)
        if outcome not in {Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.UNREPORTED}:
            result.problems.append(Problem(outcome=outcome, reason="so", position=position))
    return result


@pytest.mark.slow
@steady
@given(OUTCOMES, st.booleans(), st.booleans(), st.booleans())
def test_every_row_of_a_rerun_is_settled_or_sent(
    outcomes: list[Outcome], is_keyed: bool, resends: bool, verifies: bool
) -> None:
    """No row is both or neither; keyless rows that may be stored are sent on request only."""
    valid = [n for n, outcome in enumerate(outcomes) if outcome is not Outcome.INVALID]
    refused = tuple(invalid(n) for n, outcome in enumerate(outcomes) if outcome is Outcome.INVALID)
    cut = chunk(len(outcomes), is_keyed=is_keyed)
    cut = attrs.evolve(cut, rows=tuple(cut.rows[n] for n in valid), invalid=refused)
    entry = Entry.of_chunk(cut, digest_of(cut)).with_result(result_of(outcomes), keeps_values=False)
    known = recorded(entry, cut, ResendPolicy(resends_unknown=resends, verifies=verifies))
    assert known.settled.rows + len(known.pending) + len(known.doubtful) == len(outcomes)
    if not is_keyed:
        again = {row.position for row in (*known.pending, *known.doubtful)}
        assert {n for n in again if outcomes[n] in {Outcome.CREATED, Outcome.UPDATED}} == set()
        unknown = {n for n in again if outcomes[n] is Outcome.UNKNOWN}
        assert unknown == ({n for n in valid if outcomes[n] is Outcome.UNKNOWN} if resends or verifies else set())


def test_a_keyless_chunk_in_flight_is_unknown_by_default() -> None:
    """On request it is sent again, or searched first, above the floor stored before it was sent."""
    cut = chunk(3, is_keyed=False)
    entry = Entry.of_chunk(cut, "", floor="6553e2f0" + "0" * 16)
    assert recorded(entry, cut, ResendPolicy()).settled.unknown == 3
    assert recorded(entry, cut, ResendPolicy(resends_unknown=True)).pending == cut.rows
    looked_for = recorded(entry, cut, ResendPolicy(verifies=True))
    assert (looked_for.pending, looked_for.doubtful) == ((), cut.rows)
    assert looked_for.floor == Floor("6553e2f0" + "0" * 16)
    assert recorded(attrs.evolve(entry, floor=None), cut, ResendPolicy(verifies=True)).floor == Floor("")


def test_an_invalid_row_of_a_chunk_in_flight_keeps_its_position() -> None:
    """A run that is killed while the chunk is in flight leaves only the chunk's first entry."""
    invalid = Problem(outcome=Outcome.INVALID, reason="company_id is required", position=1)
    cut = Chunk(number=0, rows=(Row(0, (), b"1"), Row(2, (), b"2")), keys=frozenset(), body=b"", invalid=(invalid,))
    for policy in (ResendPolicy(), ResendPolicy(resends_unknown=True), ResendPolicy(verifies=True)):
        known = recorded(Entry.of_chunk(cut, ""), cut, policy)
        assert [one for one in known.settled.problems if one.outcome is Outcome.INVALID] == [invalid]
        assert known.settled.invalid == 1


def test_rows_refused_with_a_wrong_token_are_sent_again() -> None:
    """A wrong token proves nothing about the rows."""
    cut = chunk(2, is_keyed=False)
    result = result_of([Outcome.REJECTED] * 2)
    result.error = AuthenticationError("wrong token", status=401)
    entry = Entry.of_chunk(cut, "").with_result(result, keeps_values=False)
    assert entry.state is ChunkState.UNSENT
    assert recorded(entry, cut, ResendPolicy()).pending == cut.rows


def test_reasons_are_kept_without_quoted_values() -> None:
    """Rows with the same reason are grouped; the key is removed as well."""
    problems = [
        Problem(outcome=Outcome.REJECTED, reason=f"T-{n} is 'secret {n}' \"here\"", position=n, key=f"T-{n}")
        for n in range(3)
    ]
    (group,) = groups_of(problems, keeps_values=False)
    assert group == Group(Outcome.REJECTED, "… is '…' '…'", (range(3),))
    assert [one.key for one in groups_of(problems, keeps_values=True)] == ["T-0", "T-1", "T-2"]


@pytest.mark.parametrize(
    ("key", "reason", "kept"),
    [
        ("1", "413: row 1 is 10 bytes too long", "413: row … is 10 bytes too long"),
        ("T-1", "T-12 and T-1.5 are there, T-1.", "T-12 and T-1.5 are there, …."),
        ("a@b.example", "sourceId=a@b.example: a@b.example.org differs", "sourceId=…: a@b.example.org differs"),
        ("(", "email ( is wrong", "email … is wrong"),
        ("7", "title: text, not the number 35436.0", "title: text, not the number …"),
        ("7", "days: true or false, not the whole number -12", "days: true or false, not the whole number …"),
        ("7", "Planhat's list can't be read", "Planhat's list can't be read"),
        ("7", "title 'O'Brien' is no \"na\\nme\"", "title '…' is no '…'"),
        ("7", repr('x\' SECRET "q"') + " is no time", "'…' is no time"),
        ("7", '400: {"title": "a secret that is cut o', "400: {'…': '…'"),
    ],
)
def test_only_whole_words_are_removed_from_a_reason(key: str, reason: str, kept: str) -> None:
    """A key that is part of another word stays, and an apostrophe is not a quote."""
    problem = Problem(outcome=Outcome.REJECTED, reason=reason, position=0, key=key)
    assert [group.reason for group in groups_of([problem], keeps_values=False)] == [kept]


def test_the_reason_of_a_whole_request_keeps_its_numbers() -> None:
    """Rows whose keys equal such numbers have the same reason as the others, even a single row."""
    error = BadRequestError("PUT /tickets: 413 Payload Too Large", status=413)
    for reason in (str(error), f"not sent: {error}", "answered 413, which says nothing about this row"):
        problems = [Problem(outcome=Outcome.UNKNOWN, reason=reason, position=n, key=str(n)) for n in range(500)]
        assert [*groups_of(problems, keeps_values=False)] == [Group(Outcome.UNKNOWN, reason, (range(500),))]
    (group,) = groups_of(
        [Problem(outcome=Outcome.REJECTED, reason=str(error), key="413")], error=error, keeps_values=False
    )
    assert group.reason == str(error)


@pytest.mark.parametrize(
    ("kind", "status", "is_kept"),
    [(AuthenticationError, 401, True), (BadRequestError, 400, False), (PermissionDeniedError, 403, False)],
)
def test_a_refusal_of_the_token_is_kept_unchanged(kind: type[StatusError], status: int, *, is_kept: bool) -> None:
    """It contains no values of rows; any other refusal may quote one."""
    error = kind(f'PUT /tickets answered {status}: {{"error":"so"}}', status=status)
    problems = [Problem(outcome=Outcome.REJECTED, reason=str(error), position=n, key=str(n)) for n in range(500)]
    (group,) = groups_of(problems, error=error, keeps_values=False)
    assert group.reason == (str(error) if is_kept else f"PUT /tickets answered {status}: {{'…':'…'}}")


def test_an_entry_stays_small_however_many_reasons_there_are() -> None:
    """The first reasons are kept; the remaining positions share one group."""
    problems = [Problem(outcome=Outcome.INVALID, reason=f"line {n}", position=n) for n in range(5000)]
    groups = list(groups_of(problems, keeps_values=False))
    assert len(groups) == MAX_GROUPS + 1
    assert groups[-1] == Group(Outcome.INVALID, "for other reasons", (range(MAX_GROUPS, 5000),))


GROUPS: Any = st.builds(
    Group, st.sampled_from([*Outcome]), st.text(), st.just((range(3), range(5, 9))), st.integers(0, 9), st.none()
)


@steady
@given(GROUPS)
def test_a_group_survives_a_round_trip_through_json(group: Group) -> None:
    """This holds for any reason."""
    entry = Entry(number=0, n_rows=9, digest="", is_keyed=True, groups=(group,))
    assert entry_of(row_of(entry)) == entry
