"""An Airflow DAG that stores a file of calls in Planhat each day; a retry goes on where the last try ended.

The file, the journal and the refused rows of a day are in a folder of that day, so each try finds what the last one
left.
"""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

from planhat_async import Session, Task, Tasks
from planhat_async.jobs import FieldMapping, FileSource, Rejects, run_upsert, whole_file

FOLDER = Path(os.environ.get("CALLS_FOLDER", "calls")).absolute()
"""On a disk that every try of a task can reach, and that is local to the worker: a journal needs that."""
N_ROWS = int(os.environ.get("CALLS_A_DAY", "12000"))


def read_calls(day: str) -> list[dict[str, Any]]:
    """The rows of a day; put your query here."""
    return [
        {"source_id": f"{day}-{number}", "company_id": "extid-acme", "action": f"Call no. {number}"}
        for number in range(N_ROWS)
    ]


async def store(file: Path) -> dict[str, int]:
    """Store the rows of a file that were not stored by an earlier try.

    Returns:
        The counts of all rows, those of earlier tries included.

    Raises:
        AirflowFailException: Some rows were refused; they are in `refused.jsonl`. Another try would not help.
        UpsertError: Some rows were not sent, or their outcomes are unknown. Another try sends them.
    """
    source, journal = FileSource(file, FieldMapping.parse(Task)), file.with_name("job.db")
    async with Session() as session:
        with Rejects(source, file.with_name("refused.jsonl"), journal=journal) as refused:
            result = await run_upsert(Tasks(session), source, journal=journal, on_chunk=refused.add)
            refused.write()
            refused.note()  # so that the next try may replace the file
    if result.stopped_by is not None or result.unknown or result.unsent:
        result.raise_for_problems()
    if not result.ok:
        raise AirflowFailException(f"{result.rows - result.stored} of {result.rows} rows were refused: {refused.path}")
    return result.counts()


@dag(schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_runs=1)
def planhat_calls() -> None:
    """Write the calls of a day to a file, and store them in Planhat."""

    @task
    def write_calls(day: str) -> str:
        file = FOLDER / day / "calls.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():  # a job refuses a changed file
            with whole_file(file) as out:
                out.writelines(json.dumps(row).encode() + b"\n" for row in read_calls(day))
        return str(file)

    @task(retries=4, retry_delay=timedelta(minutes=5))  # by then Planhat has ended what a killed try had sent
    def store_calls(file: str) -> dict[str, int]:
        return asyncio.run(store(Path(file)))

    store_calls(write_calls("{{ ds }}"))


planhat_calls()
