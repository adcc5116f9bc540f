"""Test faults and the calls that they apply to."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.sandbox.faults import KINDS, Fault, Faults, FaultsLike, parse
from planhat_async.sandbox.messages import NO_FAULT, ApiRequest, AppliedFault

GET = ApiRequest("GET", ("tasks",))
POST = ApiRequest("POST", ("tasks",))
PUT = ApiRequest("PUT", ("tasks",))
PUT_ONE = ApiRequest("PUT", ("tasks", "5d"))


def _names(faults: FaultsLike, calls: list[ApiRequest], *, seed: int = 0) -> list[str]:
    plan = Faults(faults, seed=seed)
    return [plan.apply(call).name for call in calls]


def test_without_faults_every_call_succeeds() -> None:
    """Neither the current nor the next call has a fault."""
    plan = Faults()
    assert (plan.apply(GET), plan.refusal()) == (NO_FAULT, None)


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_has_a_text_form(name: str) -> None:
    """Its name alone applies to every suitable call with the default amount."""
    assert parse(name) == [Fault(name)]
    kind = KINDS[name]
    call = GET if kind.scope.fits(GET) else PUT
    assert Faults(name).apply(call) == AppliedFault(name, kind.amount or 0.0)


def test_a_text_contains_rates_numbers_and_amounts() -> None:
    """Blanks around commas and a trailing comma are allowed."""
    assert parse("reset_after=0.05, http_500=.02,slow:2.5=1,rows_206:3@1+4,http_429_skewed:-60,") == [
        Fault("reset_after", rate=0.05),
        Fault("http_500", rate=0.02),
        Fault("slow", amount=2.5),
        Fault("rows_206", calls=[1, 4], amount=3.0),
        Fault("http_429_skewed", amount=-60.0),
    ]
    assert parse("") == parse(" , ") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("reset_afer=0.1", "there is no fault 'reset_afer'; did you mean reset_after"),
        ("http_501", "there is no fault 'http_501'; did you mean http_5"),
        ("zzzzzz", "there is no fault 'zzzzzz'; planhat-async sandbox --list-faults lists them$"),
        ("reset_after=1.5", "reset_after: a rate is from 0 to 1, not 1.5"),
        ("reset_after:2", "reset_after has no amount"),
        ("reset_after=often", r"a fault is NAME\[:AMOUNT\].*, not 'reset_after=often'"),
        ("reset_after@", "a fault is NAME"),
        ("http_500=0.6,http_502=0.6", "the rates add up to 1.2"),
        ("http_500=0.6,page_rows=0.3,rows_206=0.5", "the rates add up to 1.1"),
    ],
)
def test_an_invalid_fault_is_refused(text: str, problem: str) -> None:
    """The message contains the nearest names or the mistake."""
    with pytest.raises(ValueError, match=problem):
        Faults(text)


def test_a_refusal_has_no_condition() -> None:
    """A refused call never arrives."""
    with pytest.raises(ValueError, match="refuse has no condition"):
        Fault("refuse", when=lambda _: True)


def test_numbers_count_suitable_calls() -> None:
    """Bulk upserts, lists and the calls of a condition are counted separately."""
    calls = [GET, PUT, PUT_ONE, POST, GET, PUT, POST]
    assert _names("http_500@3", calls) == ["", "", "http_500", "", "", "", ""]
    assert _names("rows_206@2", calls) == ["", "", "", "", "", "rows_206", ""]
    assert _names("page_rows@1+2", calls) == ["page_rows", "", "", "", "page_rows", "", ""]
    posts = Fault("late", calls=[2], when=lambda call: call.method == "POST")
    assert _names([posts], calls) == [""] * 6 + ["late"]


def test_a_call_has_at_most_one_fault() -> None:
    """A fault at rate 1 precedes one at a lower rate; of two with equal rates the first one applies."""
    assert {_names("reset_after=0.5,http_500@1", [GET], seed=seed)[0] for seed in range(20)} == {"http_500"}
    assert _names("http_502@1,http_503@1", [GET]) == ["http_502"]


def test_rates_are_exact() -> None:
    """Each fault applies to its share of the calls, beside any others."""
    counts = Counter(_names("reset_after=0.05,http_500=0.02,rows_206=0.1", [PUT] * 20_000))
    assert [round(counts[name] / 20_000, 2) for name in ("reset_after", "http_500", "rows_206", "")] == [
        0.05,
        0.02,
        0.1,
        0.83,
    ]


def test_a_refusal_is_determined_before_its_call() -> None:
    """The refused call never arrives, so it is counted in advance."""
    plan = Faults("refuse:0.5@1+3")
    assert (plan.refusal(), plan.refusal()) == (0.5, None)
    assert (plan.apply(GET), plan.refusal(), plan.apply(GET), plan.refusal()) == (NO_FAULT, 0.5, NO_FAULT, None)


def test_consecutive_refusals_are_joined() -> None:
    """Their times are added; if every call is refused, each has its own time."""
    plan = Faults("refuse:0.5@1+2+3")
    assert (plan.refusal(), plan.refusal(), plan.apply(GET)) == (1.5, None, NO_FAULT)
    assert [Faults("refuse:2").refusal() for _ in range(2)] == [2.0, 2.0]


@given(st.integers(0, 1000))
def test_all_refusals_by_rate_are_determined_in_advance(seed: int) -> None:
    """No call arrives that should have been refused."""
    plan = Faults("refuse=0.5", seed=seed)
    for _ in range(20):
        plan.refusal()
        assert plan.apply(GET) is NO_FAULT


def test_a_call_that_should_have_been_refused_may_arrive() -> None:
    """It may arrive during the call before it; then the fault applies as far as possible."""
    plan = Faults("refuse@2")
    assert [plan.apply(GET), plan.apply(GET)] == [NO_FAULT, AppliedFault("refuse", 0.1)]


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.lists(st.sampled_from([GET, PUT, POST]), max_size=50))
def test_the_seed_determines_the_faults(seed: int, calls: list[ApiRequest]) -> None:
    """The same calls in the same order with the same seed have the same faults."""
    text = "reset_after=0.2,http_500=0.2,rows_206=0.2,page_rows=0.2"
    assert _names(text, calls, seed=seed) == _names(text, calls, seed=seed)


def test_another_seed_causes_other_faults() -> None:
    """Two seeds apply faults to different calls."""
    assert _names("slow=0.5", [GET] * 50, seed=1) != _names("slow=0.5", [GET] * 50, seed=2)


@pytest.mark.parametrize(
    "text",
    ["rows_206:-1", "rows_206:0.5", "page_rows:0", "slow:-1", "http_500@0", "refuse=0.5,refuse=0.5", "refuse=0.999"],
)
def test_invalid_numbers_are_refused(text: str) -> None:
    """The text has a count below 1, a negative time, or a rate at which nearly every call is refused."""
    with pytest.raises(ValueError, match=r"not a valid number|counted from 1|add up"):
        Faults(text)
