"""A Spark program that streams new tasks into a folder, for a test that kills it: FOLDER BATCH MOMENT.

It waits to be killed in this batch, at the moment `before` it is stored, or `after` it is stored and before Spark notes
that.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from spark_settings import BUSY

from planhat_async.engines.spark import register


def end_with_the_test() -> None:
    """End, and so Spark's JVM, when the test does: however it ends, it no longer holds the other end of stdin."""
    sys.stdin.read()
    os._exit(1)


def main(folder: Path, last: int, moment: str) -> None:
    """Print a line for each batch that is stored, and one when it is time to be killed."""
    threading.Thread(target=end_with_the_test, daemon=True).start()
    spark = SparkSession.builder.getOrCreate()
    register(spark)

    def store(batch: Any, number: int) -> None:
        """Replace what there is of a batch: Spark may repeat it."""
        wait_if((number, "before"))
        batch.write.mode("overwrite").parquet(str(folder / "out" / f"batch={number}"))
        wait_if((number, "after"))
        print("stored", number, flush=True)

    def wait_if(now: tuple[int, str]) -> None:
        if now == (last, moment):
            print("waiting", flush=True)
            time.sleep(600)

    source = spark.readStream.format("planhat").options(settleSeconds=0).schema("_id string").load("tasks")
    out = source.writeStream.foreachBatch(store).option("checkpointLocation", str(folder / "checkpoint"))
    while True:
        try:
            out.trigger(processingTime="0 seconds").start().awaitTermination()
        except Exception as error:
            if BUSY not in str(error):
                raise


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
