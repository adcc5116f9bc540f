"""Spark in local mode for tests: one session for all, because a machine's only JVM takes seconds to start."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from typing import Any

import pytest

TOKEN = "secret-token"


@cache
def local_spark() -> Any:
    """Return the session, with the data source registered; skips where Spark or Java is missing."""
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed: .ci/engines installs it")
    if shutil.which("java") is None:
        pytest.skip("Java is not installed, which Spark needs")
    from planhat_async.engines.spark import register  # noqa: PLC0415 - needs pyspark

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PLANHAT_API_TOKEN"] = TOKEN  # as the JVM and its workers inherit it
    builder = sql.SparkSession.builder.master("local[2, 4]").appName("tests")
    settings = {
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # a short life: compile little
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
        "spark.log.level": "OFF",
        "spark.driver.host": "127.0.0.1",
        "spark.python.authenticate.socketTimeout": "120s",  # a busy machine takes long to start a process
        "spark.driver.bindAddress": "127.0.0.1",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    register(spark)
    return spark
