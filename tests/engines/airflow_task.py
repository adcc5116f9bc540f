"""Runs a task's function as a worker of Airflow's does, in a process that a test may kill: FILE of rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

DAGS = Path(__file__).parents[2] / "examples"


def main() -> None:
    """Print what Airflow found in the folder, and what the task returned."""
    found = DagBag(dag_folder=DAGS)
    dag = found.dags["planhat_calls"]
    described = {"errors": found.import_errors, "tasks": {one.task_id: one.retries for one in dag.tasks}}
    print(json.dumps(described), flush=True)
    print(json.dumps(dag.get_task("store_calls").python_callable(sys.argv[1])), flush=True)


if __name__ == "__main__":
    main()
