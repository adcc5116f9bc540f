"""Test Planhat as a source and as a target of Spark, in local mode."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made_ids import id_of
from sandbox_thread import SandboxThread, sandbox_thread
from spark_local import TOKEN, local_spark

from planhat_async.sandbox import Sandbox

pytest.importorskip("pyspark", reason="pyspark is not installed: .ci/engines installs it")

from pyspark import TaskContext
from pyspark.sql.functions import lit

from planhat_async.engines.spark_options import SparkOptions
from planhat_async.engines.spark_pace import Cluster
from planhat_async.engines.spark_report import Attempt, Receipt
from planhat_async.engines.spark_session import SparkAccess
from planhat_async.engines.spark_write import PlanhatWriter, ReceiptMessage, SparkWriteError

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
    return spark.sparkContext._jvm.org.apache.spark.sql.execution.ExplainMode.fromString("extended")


def test_a_value_that_the_schema_cannot_hold_fails_the_query(spark: Any, server: SandboxThread) -> None:
    """It would otherwise be lost."""
    server.planhat.add("tasks", {"action": "Call", "custom": {"Seats": "many"}})
    with pytest.raises(Exception, match=r"column custom\.Seats cannot hold 'many' of the record"):
        reading(spark, server, "tasks").schema("`custom.Seats` double").load().collect()
    table = reading(spark, server, "tasks").schema("`custom.Seats` double, extra string").load()
    (held,) = table.collect()
    assert (held["custom.Seats"], json.loads(held["extra"])) == (None, {"custom.Seats": "many"})


def tasks_frame(spark: Any, n: int, *, partitions: int = 2) -> Any:
    columns = ["cast(id as string) as source_id", f"'{COMPANY}' as company_id", "concat('Call ', id) as action"]
    return spark.range(n, numPartitions=partitions).selectExpr(*columns)


def write(frame: Any, server: SandboxThread, model: str = "tasks", **options: Any) -> None:
    frame.write.format("planhat").options(model=model, baseUrl=server.planhat.url, **options).mode("append").save()


def reports_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


COUNTS = [
    *("created", "updated", "unchanged", "unreported", "skipped"),
    *("rejected", "invalid", "dropped", "unknown", "unsent"),
]


def counts_in(report: dict[str, Any]) -> dict[str, int]:
    return {name: report[name] for name in COUNTS if report[name]}


def test_rows_become_records(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """The report is a table of Spark's, too: a row for each write."""
    for _ in range(2):
        write(tasks_frame(spark, 12_000), server, report=tmp_path)
    stored = server.planhat.records("tasks")
    assert sorted(int(record["sourceId"]) for record in stored) == [*range(12_000)]
    assert sorted(call.n_rows or 0 for call in server.planhat.requests) == [1000, 1000, 1000, 1000, *[5000] * 4]
    assert [counts_in(report) for report in reports_in(tmp_path)] == [{"created": 12_000}, {"unchanged": 12_000}]
    rows = spark.read.json(str(tmp_path)).collect()
    assert sorted(row["created"] for row in rows) == [0, 12_000]
    assert sorted(part["created"] for row in rows for part in row["partitions"]) == [0, 0, 6_000, 6_000]


def test_values_keep_their_types(spark: Any, server: SandboxThread) -> None:
    """Structs and maps are objects; nulls clear nothing."""
    frame = spark.sql(
        f"select 'a' as sourceId, '{COMPANY}' as companyId, array('x') as activityTags, "
        "timestamp'2026-03-01 09:00:00' as startTime, "
        "named_struct('Seats', 3, 'Since', date'2026-01-31') as custom"
    )
    write(frame, server)
    write(
        spark.sql("select 'a' as sourceId, cast(null as timestamp) as startTime, map('Kind', 'new') as custom"), server
    )
    (stored,) = server.planhat.records("tasks")
    assert {name: stored[name] for name in ("startTime", "activityTags", "custom")} == {
        "startTime": "2026-03-01T09:00:00.000Z",
        "activityTags": ["x"],
        "custom": {"Seats": 3, "Since": "2026-01-31", "Kind": "new"},
    }


@pytest.mark.parametrize(
    ("options", "mode", "message"),
    [
        ({}, "overwrite", r'records cannot be replaced as a whole: say \.mode\("append"\)'),
        ({"onProblems": "report"}, "append", "onProblems=report needs report, a folder for the report"),
        ({"archived": "true"}, "append", "archived is an option of reading, not of writing"),
        ({"report": "/proc/reports"}, "append", "report /proc/reports: .*: it must be a folder"),
    ],
)
def test_writes_that_do_not_fit_are_refused(
    spark: Any, server: SandboxThread, options: dict[str, str], mode: str, message: str
) -> None:
    """Before anything is sent."""
    frame = tasks_frame(spark, 3).write.format("planhat").options(model="tasks", baseUrl=server.planhat.url, **options)
    with pytest.raises(Exception, match=message):
        frame.mode(mode).save()
    assert queries(server) == []


def test_a_key_column_is_needed(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """Unless one knows what that risks; the report says it."""
    frame = tasks_frame(spark, 3).drop("source_id")
    with pytest.raises(Exception, match="tasks need a column id or source_id: Spark may run a task twice"):
        write(frame, server)
    write(frame, server, allowKeyless=True, report=tmp_path)
    assert len(server.planhat.records("tasks")) == 3
    (report,) = reports_in(tmp_path)
    assert report["remarks"] == ["rows without a key are stored again by each attempt that sends them"]


def test_refused_rows_fail_the_write_after_all_others_are_stored(
    spark: Any, server: SandboxThread, tmp_path: Path
) -> None:
    """Spark aborts it then, which does not overwrite the report."""
    frame = tasks_frame(spark, 9).selectExpr(
        "source_id", "if(source_id = 4, 'acme', company_id) as company_id", "action"
    )
    with pytest.raises(
        Exception, match=r"1 of 9 rows were not stored: 1 invalid; partition 1, row 0 \(4\): company_id 'acme'"
    ):
        write(frame, server, report=tmp_path)
    assert len(server.planhat.records("tasks")) == 8
    (report,) = reports_in(tmp_path)
    assert (report["state"], counts_in(report)) == ("committed", {"created": 8, "invalid": 1})
    ((), (problem,)) = (part["problems"] for part in report["partitions"])
    assert (problem["key"], problem["position"], problem["outcome"]) == ("4", 0, "invalid")


def test_refused_rows_may_be_left_to_the_report(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """Those that Planhat refuses, too."""
    server.planhat.inject("rows_206:3@1")
    write(tasks_frame(spark, 100), server, onProblems="report", report=tmp_path)
    (report,) = reports_in(tmp_path)
    assert counts_in(report) == {"created": 97, "rejected": 3}
    stored = {record["sourceId"] for record in server.planhat.records("tasks")}
    keys = {problem["key"] for part in report["partitions"] for problem in part["problems"]}
    assert stored | keys == {str(number) for number in range(100)}
    assert len(stored) == 97


def test_rows_without_an_outcome_always_fail_the_write(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """With the counts in the report; the same write afterwards stores each row once."""
    server.planhat.inject("http_500=1")
    with pytest.raises(Exception, match="10 of 10 rows were not stored: 10 unknown"):
        write(tasks_frame(spark, 10, partitions=1), server, onProblems="report", report=tmp_path)
    (report,) = reports_in(tmp_path)
    assert counts_in(report) == {"unknown": 10}
    server.planhat.inject()
    write(tasks_frame(spark, 10), server)
    assert len(server.planhat.records("tasks")) == 10


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"created": 9}, "all 9 rows were stored; the report was not written: .*: No such file or directory"),
        ({"created": 8, "rejected": 1}, "1 of 9 rows were not stored: 1 rejected; the report was not written"),
    ],
)
def test_a_report_that_cannot_be_written_is_said(tmp_path: Path, counts: dict[str, Any], message: str) -> None:
    """With what it would have said; refused rows are a failure then, because no report names them."""
    texts = {"model": "tasks", "report": str(tmp_path / "reports"), "onProblems": "report", "baseUrl": "https://x.test"}
    access = SparkAccess.planned(SparkOptions.parse(texts | {"token": "x", "allowTokenInOptions": "true"}), Cluster())
    writer = PlanhatWriter(access, ["source_id", "action"])
    shutil.rmtree(tmp_path / "reports")
    messages: list[Any] = [ReceiptMessage(Receipt(by=Attempt(partition=0, attempt=0, task=1), **counts))]
    with pytest.raises(SparkWriteError, match=message):
        writer.commit(messages)
    writer.abort(messages)


def test_a_wrong_token_is_said_once(spark: Any, server: SandboxThread) -> None:
    """No task is repeated for it."""
    with pytest.raises(Exception, match="stopped by AuthenticationError") as caught:
        write(tasks_frame(spark, 10), server, token="wrong-token", allowTokenInOptions=True)
    assert "wrong-token" not in str(caught.value)
    assert server.planhat.records("tasks") == []
    assert len(server.planhat.requests) == 2


def killing_first_attempt(reports: Path) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Return a function that passes on rows, and in the first attempt at partition 1 kills the process.

    It does so after 14,000 rows, once Planhat has answered 10,000 of them. It is made here because Spark's processes
    cannot import this module.
    """

    def n_created() -> int:
        notes = [json.loads(note.read_text()) for note in reports.glob("_attempts/*/00001-*.json")]
        return max((int(note["created"]) for note in notes), default=0)

    def pass_on(rows: Iterator[Any]) -> Iterator[Any]:
        context = TaskContext.get()
        assert context is not None
        for number, row in enumerate(rows):
            yield row
            if number == 14_000 and (context.partitionId(), context.attemptNumber()) == (1, 0):
                while n_created() < 10_000:
                    time.sleep(0.05)
                os.kill(os.getpid(), signal.SIGKILL)

    return pass_on


@pytest.mark.parametrize("is_keyed", [True, False])
def test_a_task_that_is_killed_is_repeated(spark: Any, server: SandboxThread, tmp_path: Path, is_keyed: bool) -> None:
    """No row with a key is stored twice; the report says what the lost attempt had sent."""
    rows = tasks_frame(spark, 40_000).rdd.mapPartitions(killing_first_attempt(tmp_path))
    frame = spark.createDataFrame(rows, "source_id string, company_id string, action string")
    columns = ["source_id", "company_id", "action"] if is_keyed else ["company_id", "action"]
    write(frame.select(*columns), server, report=tmp_path, allowKeyless=not is_keyed)
    (report,) = reports_in(tmp_path)
    (lost,) = report["other_attempts"]
    assert (lost["partition"], lost["attempt"]) == (1, 0)
    n_twice = len(server.records("tasks")) - 40_000
    assert n_twice == 0 if is_keyed else 10_000 <= n_twice <= lost["begun"] <= 14_001
    assert report["rows"] == 40_000
    assert [part["attempt"] for part in report["partitions"]] == [0, 1]
    assert any(f"1 other attempt of tasks sent up to {lost['begun']:,} rows" in one for one in report["remarks"])


def test_keys_in_several_partitions_are_said(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """They have no order; after a repartition by the key they have one."""
    frame = tasks_frame(spark, 10).unionAll(tasks_frame(spark, 4).withColumn("action", lit("other")))
    write(frame, server, report=tmp_path / "a")
    write(frame.repartition("source_id"), server, report=tmp_path / "b")
    (first,), (second,) = reports_in(tmp_path / "a"), reports_in(tmp_path / "b")
    assert first["keys_in_several_partitions"] == 4
    assert first["remarks"][0].startswith("4 keys are in several partitions")
    assert (second["keys_in_several_partitions"], second["remarks"]) == (0, [])


def test_what_was_read_can_be_written_back(spark: Any, server: SandboxThread) -> None:
    """Nothing changes."""
    server.planhat.add("tasks", {"sourceId": "a", "companyId": COMPANY, "custom": {"Seats": 3}, "activityTags": ["x"]})
    before = server.planhat.records("tasks")
    write(reading(spark, server, "tasks").load(), server)
    assert server.planhat.records("tasks") == before
