"""Test the hierarchy of errors and their attributes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from planhat_async import errors
from planhat_async.errors import (
    DecodeError,
    NoAnswerError,
    NotSentError,
    PlanhatError,
    StatusError,
    UnknownOutcomeError,
)
from planhat_async.results import Outcome, Problem, UpsertError, UpsertResult


def family(cls: type[PlanhatError]) -> Iterator[type[PlanhatError]]:
    """Yield a class and all its subclasses in the library."""
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ in {errors.__name__, UpsertError.__module__}:
            yield from family(child)


def example(cls: type[PlanhatError]) -> PlanhatError:
    """Return an error with every attribute set."""
    if issubclass(cls, NoAnswerError):
        return cls("lost", method="PUT", path="/tasks").after(attempts=3, seconds=1.5, note="given up")
    if issubclass(cls, StatusError):
        return cls("refused", status=418, method="PUT", path="/tasks", body="no", retry_after=1.5)
    if issubclass(cls, DecodeError):
        return cls("garbled", id="61006bc89a3e0b702ed8ea49", position=7)
    if issubclass(cls, UpsertError):
        problem = Problem(outcome=Outcome.REJECTED, reason="no company", position=2, key="7")
        return cls("not stored", result=UpsertResult(created=1, rejected=1, n_chunks=1, problems=[problem]))
    return cls("wrong")


def pickled(error: PlanhatError) -> Any:
    """Return the error as another process would receive it."""
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - written here


ALL = sorted(family(PlanhatError), key=lambda cls: cls.__name__)


def test_the_hierarchy_is_the_documented_one() -> None:
    """The branch shows who caused the error."""
    status = "BadRequest Authentication PermissionDenied NotFound RequestTimeout PayloadTooLarge RateLimited Server"
    assert {cls.__name__: cls.__bases__[0].__name__ for cls in ALL} == {
        "PlanhatError": "Exception",
        "RequestError": "PlanhatError",
        "NoAnswerError": "RequestError",
        "NotSentError": "NoAnswerError",
        "UnknownOutcomeError": "NoAnswerError",
        "StatusError": "RequestError",
        **{f"{name}Error": "StatusError" for name in status.split()},
        "DecodeError": "PlanhatError",
        "UpsertError": "PlanhatError",
    }


def test_only_lost_answers_server_errors_and_timeouts_may_have_been_processed() -> None:
    """The attribute shows which failed writes must be verified before they are repeated."""
    processed = {cls.__name__ for cls in ALL if cls.may_have_been_processed}
    assert processed == {"UnknownOutcomeError", "ServerError", "RequestTimeoutError"}


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("clone", [pickled, copy.copy, copy.deepcopy])
def test_every_error_survives_pickling_and_copying(cls: type[PlanhatError], clone: Any) -> None:
    """An error from another process keeps all its information."""
    error = example(cls)
    error.add_note("while saving")
    back = clone(error)
    assert type(back) is cls
    assert (back.args, vars(back), str(back), back.__notes__) == (
        error.args,
        vars(error),
        str(error),
        ["while saving"],
    )


def test_an_error_contains_the_number_of_attempts() -> None:
    """A single attempt is not mentioned."""
    error = UnknownOutcomeError("lost", method="GET", path="/tasks")
    assert str(error) == "lost"
    assert error.after(attempts=4, seconds=1.25) is error
    assert (str(error), error.attempts, error.seconds) == ("lost (4 attempts in 1.2 s)", 4, 1.25)
    assert str(error.after(attempts=1, seconds=0.0, note="given up")) == "lost (given up)"


def test_errors_can_be_made_of_a_message_alone() -> None:
    """A custom transport need not know more."""
    context = {"method": "", "path": "", "attempts": 1, "seconds": 0.0, "_note": ""}
    assert vars(NotSentError("gone")) == context
    assert vars(DecodeError("garbled")) == {"id": None, "position": None}
    assert vars(StatusError("no", status=418)) == {
        **context,
        "status": 418,
        "body": "",
        "retry_after": None,
    }


def test_upsert_errors_have_the_whole_result() -> None:
    """The result lists the rows."""
    result = UpsertResult(created=2, dropped=1)
    with pytest.raises(UpsertError, match=r"^1 of 3 rows were not stored: 1 dropped$") as caught:
        result.raise_for_problems()
    assert caught.value.result is result
