"""Test the options of Spark's readers and writers."""

from __future__ import annotations

import pytest

from planhat_async import Tasks, Tickets, Workflows
from planhat_async.engines.spark_options import SparkOptions


def test_options_ignore_case_and_have_types() -> None:
    """Spark passes each as text, in any case; the model's filters are options too."""
    texts = {"MODEL": "tasks", "partitions": "4", "allowkeyless": "TRUE", "onProblems": "report", "company_id": "a"}
    assert SparkOptions.parse({**texts, "company_id": "64b5f0c2a1b2c3d4e5f60718", "archived": "any"}) == SparkOptions(
        repository=Tasks,
        partitions=4,
        allow_keyless=True,
        on_problems="report",
        filters={"company_id": ["64b5f0c2a1b2c3d4e5f60718"], "archived": None},
    )


def test_the_model_may_take_the_place_of_a_path() -> None:
    """As in `load("tickets")`."""
    assert SparkOptions.parse({"path": "tickets", "status": "open"}) == SparkOptions(
        repository=Tickets, filters={"status": "open"}
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, r'name one model: .option\("model", "tasks"\); there are assets, '),
        ({"model": "task"}, r"there is no model 'task'; did you mean tasks\?"),
        ({"model": "tasks", "path": "notes"}, "name one model"),
        ({"model": "tasks", "allowKeyles": "true"}, r"no option 'allowkeyles' for tasks; did you mean allowKeyless\?"),
        ({"model": "tasks", "email": "a"}, r"no option 'email' for tasks"),
        ({"model": "tasks", "partitions": "0"}, "partitions must be a whole number of at least 1, not '0'"),
        ({"model": "tasks", "partitions": "two"}, "partitions must be a whole number"),
        ({"model": "tasks", "allowKeyless": "yes"}, "allowKeyless must be true or false, not 'yes'"),
        ({"model": "tasks", "onProblems": "skip"}, "onProblems must be raise or report, not 'skip'"),
        ({"model": "tasks", "report": " "}, "report must not be blank"),
        ({"model": "tasks", "archived": "maybe"}, "archived must be true, false or any"),
        ({"model": "tasks", "companyId": "acme"}, "company_id"),
        ({"model": "tasks", "token": "s3cret-text"}, "a token in options travels in the query's plan"),
        ({"model": "tasks", "sharedPace": "redis://:s3cret-text@a"}, "a URL with a password in options"),
    ],
)
def test_wrong_options_are_refused(texts: dict[str, str], message: str) -> None:
    """In one line, which shows no secret."""
    with pytest.raises(ValueError, match=message) as caught:
        SparkOptions.parse(texts)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_token_in_options_must_be_asked_for() -> None:
    """It is in no repr."""
    options = SparkOptions.parse({"model": "tasks", "token": "s3cret-text", "allowTokenInOptions": "true"})
    assert options.token == "s3cret-text"
    assert "s3cret" not in repr(options)


def test_what_a_model_cannot_do_is_refused() -> None:
    """Filters are for reading."""
    with pytest.raises(ValueError, match="workflows have no bulk upserts"):
        SparkOptions(repository=Workflows).storing()
    with pytest.raises(ValueError, match="archived is an option of reading, not of writing"):
        SparkOptions(repository=Tasks, filters={"archived": True}).storing()
    assert SparkOptions(repository=Workflows).listing() is Workflows
