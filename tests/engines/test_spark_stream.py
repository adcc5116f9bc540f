"""Test streams of new records into Spark, in local mode."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_thread import SandboxThread, sandbox_thread
from spark_local import TOKEN, local_spark
from spark_settings import BUSY

from planhat_async.sandbox import Sandbox

pytest.importorskip("pyspark", reason="pyspark is not installed: .ci/engines installs it")
pytest.importorskip("pyspark.sql.streaming.datasource", reason="streams need PySpark 4.2")

pytestmark = [
    pytest.mark.engines,
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
    ),  # Spark's
]


@pytest.fixture(scope="module")
def spark() -> Any:
    return local_spark()


@pytest.fixture
def server() -> Iterator[SandboxThread]:
    """Yield a sandbox."""
    with sandbox_thread(Sandbox(TOKEN, per_minute=None, per_second=None)) as running:
        yield running


class Stream:
    """A stream of tasks into Parquet files, with its checkpoint."""

    def __init__(self, spark: Any, server: SandboxThread, folder: Path, **options: Any) -> None:
        self._spark = spark
        self._folder = folder
        given = {"model": "tasks", "baseUrl": server.planhat.url, "settleSeconds": 0, **options}
        schema = "_id string, action string"
        self._source = spark.readStream.format("planhat").options(**given).schema(schema).load()

    def run_once(self) -> None:
        """Read what there is, and end."""
        while True:
            try:
                out = self._source.writeStream.format("parquet").option("path", str(self._folder / "out"))
                out = out.option("checkpointLocation", str(self._folder / "checkpoint"))
                out.trigger(availableNow=True).start().awaitTermination()
            except Exception as error:
                if BUSY not in str(error):
                    raise
            else:
                return

    def ids(self) -> list[str]:
        schema = "_id string, action string"
        return sorted(
            row["_id"] for row in self._spark.read.schema(schema).parquet(str(self._folder / "out")).collect()
        )


def add(server: SandboxThread, draw: random.Random, n: int) -> list[str]:
    fields = ({"action": f"Call {number}", "isArchived": draw.random() < 0.3} for number in range(n))
    return [str(server.planhat.add("tasks", one)["_id"]) for one in fields]


def test_a_stream_goes_on_where_it_was(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """Also if the newest records, and most of the others, were deleted meanwhile; a run without new ones adds none."""
    draw = random.Random(4)
    created = add(server, draw, 25_000)
    stream = Stream(spark, server, tmp_path)
    stream.run_once()
    kept = server.planhat.records("tasks")[:100]
    server.planhat.restore(Sandbox().snapshot())
    for record in kept:
        server.planhat.add("tasks", record)
    stream.run_once()
    created += add(server, draw, 50)
    stream.run_once()
    stream.run_once()
    assert stream.ids() == sorted(created)


def test_a_stream_may_start_from_the_latest_records(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """What was there before does not come."""
    draw = random.Random(5)
    add(server, draw, 30)
    stream = Stream(spark, server, tmp_path, startingFrom="latest")
    stream.run_once()
    created = add(server, draw, 20)
    stream.run_once()
    assert stream.ids() == sorted(created)


def test_records_of_the_last_seconds_come_later(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """Others with lesser `_id`s may still appear."""
    created = add(server, random.Random(6), 10)
    waiting = Stream(spark, server, tmp_path, settleSeconds=3600)
    waiting.run_once()
    assert waiting.ids() == []
    reading = Stream(spark, server, tmp_path)
    reading.run_once()
    assert reading.ids() == sorted(created)


def test_lists_without_an_order_cannot_be_streamed(spark: Any, server: SandboxThread, tmp_path: Path) -> None:
    """It is said before the stream starts."""
    stream = spark.readStream.format("planhat").options(model="lean_companies", baseUrl=server.planhat.url).load()
    query = stream.writeStream.format("noop").option("checkpointLocation", str(tmp_path)).start()
    with pytest.raises(Exception, match="these lean_companies cannot be read as a stream"):
        query.processAllAvailable()
