"""Shows the files of an export of all models."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from planhat_async._convert import printable
from planhat_async.cli import console
from planhat_async.cli.run_log import MAX_LINE, log
from planhat_async.jobs.files.writers import CsvLayout
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.tenant_export import ModelExport
from planhat_async.session import SessionStats


def show_exports(exports: Sequence[ModelExport], stats: SessionStats, *, seconds: float) -> None:
    """Print a table of the models that were exported."""
    if not log.shows_tables:
        return
    table = Table(title=f"{in_words(stats.calls, 'call')} in {seconds:.1f} s", title_justify="left")
    for column in ("model", "records", "file"):
        table.add_column(column, justify="right" if column == "records" else "left", overflow="fold")
    for one in exports:
        n_records = "complete before" if one.n_records is None else f"{one.n_records:,}"
        cells = (one.name, "skipped", "") if one.refused else (one.name, n_records, printable(str(one.file)))
        table.add_row(*map(Text, cells), style="bold red" if one.refused else "")
    console.out.print(table)


def print_exports(
    exports: Sequence[ModelExport], stats: SessionStats, *, seconds: float, stopped_by: BaseException | None
) -> None:
    """Print the models that were exported as one JSON object."""
    total = {
        "models": [
            {
                "name": one.name,
                "records": one.n_records,
                "file": None if one.refused else str(one.file),
                "was_complete": one.was_complete,
                "skipped": one.refused,
            }
            for one in exports
        ],
        "records": sum(one.n_records or 0 for one in exports),
        "ok": stopped_by is None and not any(one.refused for one in exports),
        "stopped_by": None if stopped_by is None else printable(str(stopped_by) or "interrupted", MAX_LINE),
        "calls": stats.calls,
        "attempts": stats.attempts,
        "seconds": round(seconds, 3),
    }
    sys.stdout.write(json.dumps(total) + "\n")


def tell_formulas(n_formulas: int, layout: CsvLayout, *, is_warning: bool) -> None:
    """Say on standard error how many cells of CSV a spreadsheet would run, and what was done about them.

    Args:
        n_formulas: The number of cells.
        layout: How the file was written.
        is_warning: Whether the user has yet to decide about such cells.
    """
    if not n_formulas:
        return
    cells = (
        f"{in_words(n_formulas, 'cell')} that a spreadsheet may run as {'a formula' if n_formulas == 1 else 'formulas'}"
    )
    if layout.formulas == "escape":
        console.tell(f"an apostrophe was put before {cells}; upsert would store it with the text")
    elif is_warning:
        console.warn(
            f"{cells}: --formulas escape puts an apostrophe before such texts, --formulas keep leaves out this line"
        )
