"""Settings of Spark for tests: for short lives on a busy machine without a network."""

from __future__ import annotations

from pathlib import Path

SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # compiles little
    "spark.driver.host": "127.0.0.1",
    "spark.log.level": "OFF",
    "spark.master": "local[2, 4]",  # two tasks at once, and four attempts at each
    "spark.python.authenticate.socketTimeout": "120s",  # a busy machine takes long to start a process
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
}
BUSY = "Python worker failed to connect back"
"""What Spark says if a process takes more than ten seconds to start, which cannot be set for streams."""


def write_defaults(folder: Path) -> Path:
    """Write the settings as the defaults of programs with `SPARK_CONF_DIR`; returns that."""
    folder.mkdir()
    (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in SETTINGS.items()))
    return folder
