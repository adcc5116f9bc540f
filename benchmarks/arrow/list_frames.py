"""Ways from a list of tasks to a data frame of pandas, or to columns."""

from __future__ import annotations

import attrs
import pandas as pd
import pyarrow as pa

from benchmarks.reading.readers import N_AT_A_TIME, PAGE_SIZE, TOKEN
from planhat_async import Session, Tasks
from planhat_async._convert.arrow import list_columns  # noqa: F401 - so that its import is not measured


async def from_records(url: str, n_rows: int) -> int:  # noqa: ARG001 - it finds the end itself
    """Collect records, and make a frame of their fields."""
    async with Session(TOKEN, base_url=url) as session:
        listing = Tasks(session).iter(archived=False, page_size=PAGE_SIZE, concurrency=N_AT_A_TIME)
        rows = [task async for task in listing]
    return len(pd.DataFrame([attrs.asdict(task, recurse=False) for task in rows]))


async def to_columns(url: str, n_rows: int) -> int:  # noqa: ARG001 - it finds the end itself
    """Decode into columns: a table of pyarrow, with all fields."""
    async with Session(TOKEN, base_url=url) as session:
        table = await Tasks(session).to_arrow(archived=False, page_size=PAGE_SIZE, concurrency=N_AT_A_TIME)
    assert isinstance(table, pa.Table)  # noqa: S101 - for type checkers
    return int(table.num_rows)
