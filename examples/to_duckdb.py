"""The tasks of a tenant as a table of DuckDB, through Arrow: `python to_duckdb.py planhat.duckdb`.

    pip install duckdb 'planhat-async[parquet]'

The list is written to a Parquet file first: it is read from Planhat as a stream, whatever its length, and the table
changes only once the whole list is there.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import duckdb

from planhat_async import Task, sync
from planhat_async.jobs import export_records, writer_class


def main(database: str) -> None:
    """Replace the table `tasks`."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(database) as connection:
        path = Path(folder, "tasks.parquet")
        with sync.Session() as session, path.open("wb") as file:
            n_rows = session.tasks.run(export_records, writer_class("parquet")(file, Task))
        connection.execute("CREATE OR REPLACE TABLE tasks AS SELECT * FROM read_parquet(?)", [str(path)])
    print(n_rows, "tasks")


if __name__ == "__main__":
    main(sys.argv[1])
