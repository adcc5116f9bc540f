"""The tasks of a tenant as a table of Postgres, through Arrow: `python to_postgres.py postgresql://localhost/crm`.

    pip install adbc-driver-postgresql 'planhat-async[parquet]'

ADBC copies Arrow batches into Postgres without making Python objects of them. The table is replaced in one transaction,
once the whole list has been read.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import adbc_driver_postgresql.dbapi
import pyarrow.parquet

from planhat_async import Task, sync
from planhat_async.jobs import ExportSelection, export_records, writer_class

FIELDS = ("_id", "sourceId", "companyId", "action", "status", "startTime", "updatedAt")
"""The columns, by Planhat's names; `custom.NAME` is a custom field."""


def main(uri: str) -> None:
    """Replace the table `planhat_tasks`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tasks.parquet")
        with sync.Session() as session, path.open("wb") as file:
            writer = writer_class("parquet", fields=FIELDS)(file, Task)
            n_rows = session.tasks.run(export_records, writer, selection=ExportSelection(fields=FIELDS))
        parquet = pyarrow.parquet.ParquetFile(path)
        schema = pyarrow.schema([parquet.schema_arrow.field(name) for name in FIELDS])
        batches = pyarrow.RecordBatchReader.from_batches(schema, parquet.iter_batches(columns=list(FIELDS)))
        with adbc_driver_postgresql.dbapi.connect(uri) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest("planhat_tasks", batches, mode="replace")
            connection.commit()
    print(n_rows, "tasks")


if __name__ == "__main__":
    main(sys.argv[1])
