"""Test whether a request is repeated, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async import NotSentError, RetryPolicy, UnknownOutcomeError
from planhat_async._http.retries import AttemptResult, History, RetryBudget, is_safe
from planhat_async._http.wire import Request, Response

NO_CONNECTION = NotSentError("no connection")
NO_ANSWER = UnknownOutcomeError("no answer")
AGAIN_ALWAYS: list[AttemptResult] = [NO_CONNECTION, Response(status=429)]
AGAIN_IF_REPEATABLE: list[AttemptResult] = [
    NO_ANSWER,
    *(Response(status=status) for status in (408, 500, 502, 503, 504, *range(520, 531))),
]
NEVER_AGAIN: list[AttemptResult] = [
    Response(status=status) for status in (200, 206, 301, 307, 400, 401, 403, 404, 409, 413, 422, 501, 505, 599)
]
GET = Request(method="GET", path="/tasks", is_keyed=True)
METHODS = ("GET", "DELETE", "PUT", "POST", "PATCH")
POST = Request(method="POST", path="/tasks")
DELETE = Request(method="DELETE", path="/tasks/1", is_keyed=True)


def history(request: Request = GET, started: float = 1000.0, **policy: float) -> History:
    """Return the history of a request before its first attempt."""
    return History(policy=RetryPolicy(**policy), budget=RetryBudget(50), request=request, started=started)  # type: ignore[arg-type]


def judge(
    past: History, *happened: AttemptResult, now: float = 1000.0, pause: float = 0.0, jitter: float = 1.0
) -> list[float | None]:
    """Return the waits after each of several attempts, `None` if no attempt follows."""
    return [past.attempt_ended(one, now=now, pause=pause, jitter=jitter) for one in happened]


class TestSafety:
    @pytest.mark.parametrize("happened", AGAIN_ALWAYS)
    @pytest.mark.parametrize("request_", [GET, POST])
    def test_an_unprocessed_request_is_safe_to_repeat(self, happened: AttemptResult, request_: Request) -> None:
        """The client had no connection, or the server refused to process the request."""
        assert is_safe(request_, happened)

    @pytest.mark.parametrize("happened", AGAIN_IF_REPEATABLE)
    def test_a_request_that_may_be_processed_is_repeated_only_if_idempotent(self, happened: AttemptResult) -> None:
        """A POST repeated after a lost answer might create two records."""
        safe = {
            (method, keyed)
            for method in METHODS
            for keyed in (True, False)
            if is_safe(Request(method=method, path="/tasks", is_keyed=keyed), happened)
        }
        assert safe == {("GET", True), ("GET", False), ("DELETE", True), ("DELETE", False), ("PUT", True)}

    @pytest.mark.parametrize("happened", NEVER_AGAIN)
    @pytest.mark.parametrize("request_", [GET, POST])
    def test_any_other_answer_is_final(self, happened: AttemptResult, request_: Request) -> None:
        """A repeat would get the same answer."""
        assert not is_safe(request_, happened)


class TestWaits:
    @pytest.mark.parametrize("happened", AGAIN_IF_REPEATABLE)
    def test_a_request_that_is_not_repeatable_is_not_retried(self, happened: AttemptResult) -> None:
        """The number of remaining attempts does not matter."""
        assert judge(history(POST), happened) == [None]

    @pytest.mark.parametrize("happened", NEVER_AGAIN)
    def test_an_answer_ends_the_retries(self, happened: AttemptResult) -> None:
        """Success and failure both end them."""
        assert judge(history(), happened) == [None]

    def test_a_post_without_a_connection_is_retried(self) -> None:
        """No byte was sent."""
        assert judge(history(POST), NO_CONNECTION, NO_ANSWER) == [0.5, None]

    def test_waits_double_up_to_the_longest(self) -> None:
        """The number of attempts is limited and includes the first one."""
        waits = judge(history(attempts=6, wait_initial=1.0, wait_max=5.0), *[NO_ANSWER] * 6)
        assert waits == [1.0, 2.0, 4.0, 5.0, 5.0, None]

    def test_one_attempt_means_no_retry(self) -> None:
        """This holds for every kind of failure."""
        assert judge(history(attempts=1), NO_CONNECTION) == [None]

    @pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.0), (0.25, 0.5), (1.0, 2.0)])
    def test_jitter_takes_any_part_of_a_wait(self, jitter: float, wait: float) -> None:
        """Clients that failed together do not return together."""
        assert judge(history(wait_initial=2.0), Response(status=503), jitter=jitter) == [wait]

    def test_waits_do_not_overflow(self) -> None:
        """This holds for any number of attempts."""
        past = history(attempts=10_000)
        past.attempts = 5000
        assert judge(past, NO_ANSWER) == [30.0]

    @pytest.mark.parametrize(("now", "wait"), [(1008.0, 2.0), (1008.1, None), (1020.0, None)])
    def test_no_attempt_starts_after_the_total(self, now: float, wait: float | None) -> None:
        """A wait that would end later does not begin."""
        assert judge(history(wait_initial=2.0, total=10.0), NO_ANSWER, now=now) == [wait]

    @pytest.mark.parametrize(("pause", "wait"), [(0.0, 0.0), (4.0, 0.0), (4.1, None)])
    def test_the_pause_after_a_429_replaces_the_wait(self, pause: float, wait: float | None) -> None:
        """The pause applies to all calls; a request ends if the pause outlasts its total."""
        assert judge(history(POST, total=10.0), Response(status=429), now=1006.0, pause=pause) == [wait]

    def test_refusals_do_not_count_as_attempts(self) -> None:
        """They affect neither the number of attempts nor the waits."""
        past = history(attempts=2, wait_initial=1.0)
        refused = Response(status=429)
        waits = judge(past, *[refused] * 9, NO_ANSWER, refused, NO_ANSWER)
        assert waits == [*[0.0] * 9, 1.0, 0.0, None]
        assert (past.attempts, past.refusals) == (12, 10)

    @given(
        happened=st.lists(st.sampled_from([*AGAIN_ALWAYS, *AGAIN_IF_REPEATABLE, *NEVER_AGAIN]), max_size=30),
        repeatable=st.booleans(),
        jitter=st.floats(0, 1),
    )
    def test_a_request_that_may_be_processed_is_not_repeated(
        self, happened: list[AttemptResult], repeatable: bool, jitter: float
    ) -> None:
        """This holds for all results in any order; the number of attempts stays within the limit."""
        past = history(GET if repeatable else POST)
        for number, one in enumerate(happened, 1):
            (wait,) = judge(past, one, jitter=jitter)
            assert past.attempts == number
            if wait is None:
                return
            assert 0 <= wait <= 30.0
            assert one in AGAIN_ALWAYS or (repeatable and one in AGAIN_IF_REPEATABLE)
            assert past.attempts - past.refusals < 5


class TestDeletions:
    GONE = Response(status=404)

    @pytest.mark.parametrize("happened", AGAIN_IF_REPEATABLE)
    def test_a_404_after_a_lost_answer_is_success(self, happened: AttemptResult) -> None:
        """The first attempt deleted the record; refusals and lost connections in between do not matter."""
        past = history(DELETE)
        judge(past, happened, Response(status=429), NO_CONNECTION)
        assert past.is_done_already(self.GONE)

    @pytest.mark.parametrize("happened", AGAIN_ALWAYS)
    def test_a_404_is_an_error_if_no_attempt_was_processed(self, happened: AttemptResult) -> None:
        """There was no record to delete."""
        past = history(DELETE)
        judge(past, happened, self.GONE)
        assert not past.is_done_already(self.GONE)

    def test_only_a_deletion_may_succeed_with_a_404(self) -> None:
        """A record that is not found was not read."""
        past = history(GET)
        judge(past, NO_ANSWER)
        assert not past.is_done_already(self.GONE)

    def test_only_a_404_means_that_a_record_is_deleted(self) -> None:
        """Any other answer keeps its meaning."""
        past = history(DELETE)
        judge(past, NO_ANSWER)
        assert not past.is_done_already(Response(status=403))


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"wait_initial": -1.0}, {"wait_max": -0.1}, {"total": -1.0}, {"total": float("nan")}]
)
def test_an_invalid_policy_is_refused(wrong: dict[str, float]) -> None:
    """The constructor raises, not the first failing call."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryPolicy(**wrong)  # type: ignore[arg-type]
