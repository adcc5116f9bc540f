"""The usual script: a file read by a library of data frames, its rows sent by `cruds`.

`python -m benchmarks.jobs.frames pandas|polars FILE FORMAT URL` prints how many rows were stored.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cruds.interfaces.planhat import Planhat

from benchmarks.writing.writers import CHUNK_SIZE, TOKEN


def main() -> None:
    """Read a file, and send its rows."""
    library, file, format_, url = sys.argv[1:]
    chunks = _pandas_chunks if library == "pandas" else _polars_chunks
    planhat = Planhat(api_token=TOKEN)
    planhat.client.host = f"{url}/"  # the interface has no argument for it
    n_stored = 0
    # One call at a time: otherwise it sleeps between its calls.
    for rows in chunks(file, format_):
        answer = planhat.ticket.bulk_upsert(rows, chunk_size=CHUNK_SIZE, raise_on_error=True)
        n_stored += answer["created"] + answer["updated"]
    print(n_stored)


def _pandas_chunks(file: str, format_: str) -> Iterator[list[dict[str, Any]]]:
    import pandas as pd  # noqa: PLC0415 - each process imports one library

    readers: Mapping[str, Callable[[], Any]] = {
        "csv": lambda: pd.read_csv(file),
        "csv.gz": lambda: pd.read_csv(file),
        "jsonl": lambda: pd.read_json(file, lines=True),
        "json": lambda: pd.read_json(file),
        "parquet": lambda: pd.read_parquet(file),
        "xlsx": lambda: pd.read_excel(file, engine="calamine"),
    }
    frame = readers[format_]()
    for start in range(0, len(frame), CHUNK_SIZE):
        yield frame.iloc[start : start + CHUNK_SIZE].to_dict("records")


def _polars_chunks(file: str, format_: str) -> Iterator[list[dict[str, Any]]]:
    import polars as pl  # noqa: PLC0415

    readers: Mapping[str, Callable[[], Any]] = {
        "csv": lambda: pl.read_csv(file),
        "csv.gz": lambda: pl.read_csv(file),
        "jsonl": lambda: pl.read_ndjson(file),
        "json": lambda: pl.read_json(file),
        "parquet": lambda: pl.read_parquet(file),
        "xlsx": lambda: pl.read_excel(file, engine="calamine"),
    }
    for part in readers[format_]().iter_slices(CHUNK_SIZE):
        yield part.to_dicts()


if __name__ == "__main__":
    main()
