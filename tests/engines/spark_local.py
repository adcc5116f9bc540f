"""Spark in local mode for tests: one session for all, because a machine's only JVM takes seconds to start."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from typing import Any

import pytest
from spark_settings import SETTINGS

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
    builder = sql.SparkSession.builder.appName("tests")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    register(spark)
    return spark
