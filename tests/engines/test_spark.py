"""Test Planhat as a source and as a target of Spark, in local mode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made_ids import id_of
from sandbox_thread import SandboxThread, sandbox_thread
from spark_local import TOKEN, local_spark

from planhat_async.sandbox import Sandbox

pytestmark = [
    pytest.mark.engines,
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
    ),  # Spark's
]

COMPANY, OTHER = id_of(1), id_of(2)


@pytest.fixture(scope="module")
def spark() -> Any:
    return local_spark()


@pytest.fixture
def server() -> Iterator[SandboxThread]:
    """Yield a sandbox."""
    with sandbox_thread(Sandbox(TOKEN, per_minute=None, per_second=None)) as running:
        yield running


def reading(spark: Any, server: SandboxThread, model: str, **options: Any) -> Any:
    return spark.read.format("planhat").options(model=model, baseUrl=server.planhat.url, **options)


def add_tasks(server: SandboxThread, n: int) -> list[dict[str, Any]]:
    return [
        server.planhat.add("tasks", {"action": f"Call {number}", "companyId": COMPANY, "isArchived": number % 3 == 0})
        for number in range(n)
    ]


def queries(server: SandboxThread) -> list[dict[str, str]]:
    return [{**call.query} for call in server.planhat.requests]


def test_a_table_holds_all_records(spark: Any, server: SandboxThread) -> None:
    """Open and archived ones, in one partition, with the model's types."""
    server.planhat.add("tasks", {"startTime": "2026-03-01T09:00:00.000Z", "activityTags": ["a"], "odd": 1})
    added = add_tasks(server, 8)
    table = reading(spark, server, "tasks").load()
    rows = table.collect()
    assert {row["_id"] for row in rows} >= {record["_id"] for record in added}
    assert (len(rows), table.rdd.getNumPartitions()) == (9, 1)
    (held,) = table.filter("extra is not null").collect()
    assert held["startTime"].astimezone(UTC) == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert (held["activityTags"], held["extra"]) == (["a"], '{"odd":1}')


def test_a_list_is_read_in_partitions(spark: Any, server: SandboxThread) -> None:
    """Together they hold each record once."""
    added = add_tasks(server, 30_000)
    table = reading(spark, server, "tasks", partitions=3).schema("_id string not null, action string").load()
    assert table.rdd.getNumPartitions() > 3
    assert sorted(row["_id"] for row in table.collect()) == sorted(record["_id"] for record in added)
    assert {query["select"] for query in queries(server)} == {"_id", "_id,action", "_id,action,isArchived"}


def test_an_empty_list_is_an_empty_table(spark: Any, server: SandboxThread) -> None:
    """With several partitions too."""
    assert reading(spark, server, "tickets").load().collect() == []
    assert reading(spark, server, "tickets", partitions=4).load().collect() == []


@pytest.mark.parametrize("is_offered", [False, True])
def test_conditions_are_pushed_down_where_spark_offers_them(
    spark: Any, server: SandboxThread, is_offered: bool
) -> None:
    """The result is the same, and it is no error where Spark does not."""
    for status in ("open", "done", "open"):
        server.planhat.add("tickets", {"status": status, "subject": status})
    spark.conf.set("spark.sql.python.filterPushdown.enabled", str(is_offered).lower())
    try:
        table = reading(spark, server, "tickets").load().filter("status = 'open' and subject like 'o%'")
        assert [row["subject"] for row in table.collect()] == ["open", "open"]
        assert reading(spark, server, "tickets").load().count() == 3
    finally:
        spark.conf.unset("spark.sql.python.filterPushdown.enabled")
    assert [query.get("status") for query in queries(server)] == ["open" if is_offered else None, None]


def test_filters_are_options(spark: Any, server: SandboxThread) -> None:
    """As the lists of the model have them."""
    server.planhat.add("tasks", {"companyId": OTHER})
    add_tasks(server, 6)
    table = reading(spark, server, "tasks", companyId=COMPANY, archived="true").schema("action string").load()
    assert sorted(row["action"] for row in table.collect()) == ["Call 0", "Call 3"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"colour": "red"}, "planhat has no option 'colour' for tasks"),
        ({"token": "s3cret-text"}, "a token in options travels in the query's plan"),
        ({"tokenFile": "/nowhere"}, "tokenFile /nowhere: No such file or directory"),
    ],
)
def test_wrong_options_fail_before_anything_is_sent(
    spark: Any, server: SandboxThread, options: dict[str, str], message: str
) -> None:
    """In words of our own."""
    with pytest.raises(Exception, match=message) as caught:
        reading(spark, server, "tasks", **options).load().collect()
    assert "s3cret" not in str(caught.value)
    assert queries(server) == []


def test_a_token_may_be_in_a_file_or_asked_for_in_options(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """Spark does not show it in the plan."""
    add_tasks(server, 2)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert reading(spark, server, "tasks", tokenFile=tmp_path / "token").load().count() == 2
    table = reading(spark, server, "tasks", token=TOKEN, allowTokenInOptions=True).load()
    assert table.count() == 2
    for plan in (table._jdf.queryExecution().toString(), table._jdf.queryExecution().explainString(_mode(spark))):
        assert TOKEN not in plan


def _mode(spark: Any) -> Any:
    return getattr(spark.sparkContext._jvm.org.apache.spark.sql.execution.ExplainMode, "fromString")("extended")


def test_a_value_that_the_schema_cannot_hold_fails_the_query(spark: Any, server: SandboxThread) -> None:
    """It would otherwise be lost."""
    server.planhat.add("tasks", {"action": "Call", "custom": {"Seats": "many"}})
    with pytest.raises(Exception, match=r"column custom\.Seats cannot hold 'many' of the record"):
        reading(spark, server, "tasks").schema("`custom.Seats` double").load().collect()
    table = reading(spark, server, "tasks").schema("`custom.Seats` double, extra string").load()
    (held,) = table.collect()
    assert (held["custom.Seats"], json.loads(held["extra"])) == (None, {"custom.Seats": "many"})
