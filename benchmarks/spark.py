"""`spark`: a standalone Spark cluster on loopback, whose tasks are killed and copied while Planhat's limit holds.

A master and two workers, each worker with an address of its own, write keyed tasks by 8 partitions: one task is killed
by SIGKILL, and a slow one is copied by speculation. Then the list is read by 4 partitions while others delete and
create. Beside it, what is usually written by hand: `foreachPartition` with `cruds`, and partitions by offset.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from planhat_async import RateLimits, Session, Tasks
from planhat_async.sandbox import Sandbox

N_ROWS = 200_000
PER_MINUTE = 60
TOKEN = "benchmark-token"  # noqa: S105 - of a sandbox
COMPANY = "64b5f0c2a1b2c3d4e5f60718"
_SCHEMA = "source_id string, company_id string, action string"
_PARTITIONS = 8
_PAGE = 5_000
_KILLED, _SLOW = 2, 5
"""The partitions whose first attempts are killed and slow."""
_TROUBLE_AT = 15_000
"""Rows before that, of which some were sent."""


def add_command(commands: Any) -> None:
    """Add `spark` to the command line."""
    parser = commands.add_parser(
        "spark",
        help="a Spark cluster whose tasks are killed and copied",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", type=int, default=N_ROWS, help=f"{N_ROWS:,} by default")
    parser.add_argument(
        "--per-minute", type=int, default=PER_MINUTE, help=f"the sandbox's limit, {PER_MINUTE} by default"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, and print a line for each expectation."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= {"PLANHAT_API_TOKEN": TOKEN, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": _root()}
        spark = stack.enter_context(_session(stack.enter_context(_cluster(folder))))
        for measure in (_write, _write_by_hand):
            with _sandbox(options.per_minute) as (planhat, _):
                measure(spark, planhat, options, folder)
        for read in (_read, _read_by_offsets):
            with _sandbox(None) as (planhat, loop):
                _fill(planhat, options.rows)
                _read_while_changing(spark, planhat, loop, read)


def _write(spark: Any, planhat: Sandbox, options: argparse.Namespace, folder: Path) -> None:
    n_rows, per_minute = options.rows, options.per_minute
    reports = folder / "reports"
    began = time.monotonic()
    given = {"model": "tasks", "baseUrl": planhat.url, "sharedPace": "host", "callsPerMinute": per_minute}
    _rows(spark, n_rows).write.format("planhat").options(**given, report=reports).mode("append").save()
    print(f"{n_rows:,} keyed tasks, {_PARTITIONS} partitions: {time.monotonic() - began:.0f} s")
    (report,) = [json.loads(path.read_text()) for path in reports.glob("*.json")]
    others = report["other_attempts"] or []
    sent = sum(call.n_rows or 0 for call in planhat.requests if call.is_carried_out)
    _say("stored tasks / rows", len(planhat.records("tasks")) / n_rows, 1)
    _say("tasks in the store that are not in the input", len(_stored(planhat) ^ {*map(str, range(n_rows))}), 0)
    _say("rows in the report / rows", report["rows"] / n_rows, 1)
    _say("created and unchanged in the report / rows", (report["created"] + report["unchanged"]) / n_rows, 1)
    _say(
        "rows in the report and of other attempts - rows that Planhat counted",
        report["rows"] + _begun(others) - sent,
        0,
    )
    _say("other attempts that the report knows", len(others), 2)
    _say("of these, attempts that had sent rows", sum(one["begun"] > 0 for one in others), 2)
    _say("calls that Planhat refused", _n_refused(planhat), 0)
    _say(f"most calls in any minute above {per_minute}", max(0, _most_in_a_minute(planhat) - per_minute), 0)


def _write_by_hand(spark: Any, planhat: Sandbox, options: argparse.Namespace, _: Path) -> None:
    url, n_rows = planhat.url, options.rows
    for columns in (["source_id", "company_id", "action"], ["company_id", "action"]):
        before = len(planhat.records("tasks"))
        frame = _rows(spark, n_rows).select(*columns)
        try:
            frame.foreachPartition(lambda rows: _send_with_cruds(url, rows))
            ended = "succeeded"
        except Exception as error:  # noqa: BLE001 - whatever it is
            ended = f"failed: {type(error).__name__}"
        kind = "keyed" if len(columns) == 3 else "keyless"
        stored = len(planhat.records("tasks")) - before
        print(f"by hand, {kind}: {n_rows:,} rows, {stored:,} stored, {_n_refused(planhat)} refused, the job {ended}")


def _send_with_cruds(url: str, rows: Iterator[Any]) -> None:
    from cruds.interfaces.planhat import Planhat  # noqa: PLC0415 - on the executors

    planhat = Planhat(api_token=TOKEN)
    planhat.client.host = f"{url}/"
    names = {"source_id": "sourceId", "company_id": "companyId", "action": "action"}
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append({names[name]: value for name, value in row.asDict().items()})
        if len(chunk) == _PAGE:
            planhat.task.bulk_upsert(chunk, chunk_size=_PAGE)
            chunk = []
    if chunk:
        planhat.task.bulk_upsert(chunk, chunk_size=_PAGE)


def _read(spark: Any, url: str, _: int) -> list[str]:
    given = {"model": "tasks", "baseUrl": url, "partitions": 4, "sharedPace": "host", "callsPerMinute": 100_000}
    table = spark.read.format("planhat").options(**given).schema("_id string").load()
    return [row["_id"] for row in table.collect()]


def _read_by_offsets(spark: Any, url: str, n_records: int) -> list[str]:
    size = -(-n_records // 4)
    parts = spark.sparkContext.parallelize([range(start, start + size) for start in range(0, n_records, size)], 4)
    found: list[str] = parts.flatMap(lambda part: _read_range(url, part)).collect()
    return found


def _read_range(url: str, part: range) -> list[str]:
    found: list[str] = []
    for offset in range(part.start, part.stop, _PAGE):
        limit = min(_PAGE, part.stop - offset)
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{url}/tasks?sort=_id&select=_id&limit={limit}&offset={offset}",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
            found += [record["_id"] for record in json.load(answer)]
    return found


def _read_while_changing(
    spark: Any, planhat: Sandbox, loop: asyncio.AbstractEventLoop, read: Callable[[Any, str, int], list[str]]
) -> None:
    before = {record["_id"] for record in planhat.records("tasks")}
    ends = threading.Event()
    changes = asyncio.run_coroutine_threadsafe(_change(planhat, sorted(before), ends), loop)
    found = Counter(read(spark, planhat.url, len(before)))
    ends.set()
    n_deleted = changes.result(60)
    throughout = before & {record["_id"] for record in planhat.records("tasks")}
    name = "parts by _id" if read is _read else "parts by offset"
    missed, twice = len(throughout - found.keys()), sum(n > 1 for n in found.values())
    print(f"{name}: {len(throughout):,} records throughout, {n_deleted:,} deleted meanwhile")
    if read is _read:
        _say("records that were missed", missed, 0)
        _say("records that came twice", twice, 0)
    else:
        print(f"              {missed:,} were missed, {twice:,} came twice")


async def _change(planhat: Sandbox, ids: list[str], ends: threading.Event) -> int:
    """Delete records at the front of the list, and create others, until told to end."""
    draw = random.Random(1)
    n_deleted = 0
    limits = RateLimits(per_minute=10**6, per_second=10**6)
    async with Session(TOKEN, base_url=planhat.url, limits=limits, shared="none") as session:
        tasks = Tasks(session)
        while not ends.is_set():
            victim = ids[n_deleted * 2 + draw.randrange(2)]
            await tasks.delete(victim)
            planhat.add("tasks", {"action": "new"})
            n_deleted += 1
            await asyncio.sleep(0.002)
    return n_deleted


def _rows(spark: Any, n_rows: int) -> Any:
    columns = ["cast(id as string) as source_id", f"'{COMPANY}' as company_id", "concat('Call ', id) as action"]
    rows = spark.range(n_rows, numPartitions=_PARTITIONS).selectExpr(*columns).rdd.mapPartitions(_troubled)
    return spark.createDataFrame(rows, _SCHEMA)


def _troubled(rows: Iterator[Any]) -> Iterator[Any]:
    """Pass on the rows; in first attempts, kill the process of one partition, and be slow in another."""
    from pyspark import TaskContext  # noqa: PLC0415 - on the executors

    context = TaskContext.get()
    assert context is not None  # noqa: S101 - a task runs this
    is_first = context.attemptNumber() == 0
    for number, row in enumerate(rows):
        yield row
        if is_first and number == _TROUBLE_AT:
            if context.partitionId() == _KILLED:
                time.sleep(5)
                os.kill(os.getpid(), signal.SIGKILL)
            if context.partitionId() == _SLOW:
                time.sleep(60)


def _say(what: str, value: float, expected: float) -> None:
    print(f"{'met' if value == expected else 'NOT MET':12}  {what}: {value:g}, expected {expected:g}", flush=True)


def _begun(attempts: list[dict[str, Any]]) -> int:
    return sum(int(one["begun"]) for one in attempts)


def _stored(planhat: Sandbox) -> set[str]:
    return {record["sourceId"] for record in planhat.records("tasks")}


def _n_refused(planhat: Sandbox) -> int:
    return sum(call.status == 429 for call in planhat.requests)


def _most_in_a_minute(planhat: Sandbox) -> int:
    times = sorted(call.at for call in planhat.requests)
    return max((sum(at <= one < at + 60 for one in times) for at in times), default=0)


def _fill(planhat: Sandbox, n_records: int) -> None:
    for number in range(n_records):
        planhat.add("tasks", {"action": f"Call {number}"})


@contextmanager
def _sandbox(per_minute: int | None) -> Iterator[tuple[Sandbox, asyncio.AbstractEventLoop]]:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    planhat = Sandbox(TOKEN, per_minute=per_minute, per_second=None, max_parallel=None)
    asyncio.run_coroutine_threadsafe(planhat.start(), loop).result(60)
    try:
        yield planhat, loop
    finally:
        asyncio.run_coroutine_threadsafe(planhat.close(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)


@contextmanager
def _session(master: str) -> Iterator[Any]:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

    from planhat_async.engines.spark import register  # noqa: PLC0415 - likewise

    builder = SparkSession.builder.master(master)
    settings = {
        "spark.ui.enabled": "false",
        "spark.log.level": "OFF",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "600m",
        "spark.task.maxFailures": "4",
        "spark.python.authenticate.socketTimeout": "120s",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
        "spark.speculation": "true",
        "spark.speculation.interval": "1s",
        "spark.speculation.quantile": "0.5",
        "spark.speculation.multiplier": "1.5",
        "spark.speculation.efficiency.enabled": "false",
        "spark.executorEnv.PLANHAT_API_TOKEN": TOKEN,
        "spark.executorEnv.PYTHONPATH": _root(),
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    register(spark)
    try:
        yield spark
    finally:
        spark.stop()


@contextmanager
def _cluster(folder: Path) -> Iterator[str]:
    """Start a master and two workers; yields the master's URL."""
    import pyspark  # noqa: PLC0415 - an extra

    if shutil.which("java") is None:
        sys.exit("Spark needs Java, which is not installed")
    home = Path(pyspark.__file__).parent
    with ExitStack() as stack:
        port = _free_port()
        master = f"spark://127.0.0.1:{port}"
        stack.enter_context(_daemon(home, folder, "master.Master", "--host", "127.0.0.1", "--port", str(port)))
        for host in ("127.0.0.2", "127.0.0.3"):
            options = ("--host", host, "--cores", "4", "--memory", "1g", "--work-dir", str(folder / host), master)
            stack.enter_context(_daemon(home, folder, "worker.Worker", *options))
        yield master


@contextmanager
def _daemon(home: Path, folder: Path, name: str, *options: str) -> Iterator[None]:
    log = folder / f"{name}-{len([*folder.iterdir()])}.log"
    command = [str(home / "bin/spark-class"), f"org.apache.spark.deploy.{name}", "--webui-port", "0", *options]
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_DIRS": str(folder)}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)  # noqa: S603
        try:
            _wait_for(log, re.compile(r"New state: ALIVE|Successfully registered with master"))
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(log: Path, line: re.Pattern[str]) -> None:
    for _ in range(600):
        if line.search(log.read_text()):
            return
        time.sleep(0.1)
    sys.exit(f"a part of the cluster did not start: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _root() -> str:
    return str(Path(__file__).parents[1])
