"""`planhat-async jobs` and `report`: shows a journal."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from planhat_async._convert import printable
from planhat_async.cli import console
from planhat_async.cli.deletion_display import show_deletion
from planhat_async.cli.exit_codes import NOT_ALL_STORED, refusals
from planhat_async.cli.help_display import CommandGroup
from planhat_async.cli.parameters import refuse_missing_folder
from planhat_async.jobs.delete_job import deletion_in
from planhat_async.jobs.deletions import DeleteResult
from planhat_async.jobs.entries import Group
from planhat_async.jobs.files.whole_file import refuse_to_overwrite, whole_file
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.job_summary import ended_by, problem_groups, total_of
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.journal_file import JournalError, files_of, process_using
from planhat_async.jobs.report import page, page_of_two

jobs: typer.Typer = typer.Typer(
    cls=CommandGroup, help="Inspect or delete the journal of an upsert or a deletion.", no_args_is_help=True
)

JournalFile = Annotated[Path, typer.Argument(metavar="JOB.db", help="The journal, as given to --journal.")]


def status(file: JournalFile) -> None:
    """Show the progress of a job and the outcomes of its rows.

    This works while the job runs. The exit code is 0 if the input was read to its end and all rows are stored (of a
    deletion: all records are gone), 1 if not or not yet, and 2 if JOB.db is not a journal.
    """
    with refusals():
        unended, go_on = _of_unended(file)
        journal = asyncio.run(Journal.load(file))
        is_deletion = journal.job.get("work") == "delete"
        total = asyncio.run(deletion_in(file)) if is_deletion else total_of(journal)
        shown = {name: value for name, value in journal.job.items() if name != "digest"}
        job = ", ".join(f"{name} {value}" for name, value in shown.items() if not isinstance(value, dict))
        console.tell(f"{file}: {job}")
        for run in journal.runs:
            began = datetime.fromtimestamp(run.started, UTC).isoformat(" ", "seconds")
            calls = in_words(run.calls, "call")
            console.tell(
                f"run {run.number}: {began}, {run.seconds:.1f} s, {calls}; {ended_by(run, journal, if_unended=unended)}"
            )
        seconds = sum(run.seconds for run in journal.runs)
        if isinstance(total, DeleteResult):
            show_deletion(total, seconds=seconds, ended_by=None)
        else:
            console.show_result(total, seconds=seconds, ended_by=None)
        is_done = bool({"n_chunks", "digest"} & journal.job.keys()) and not (is_deletion and total.unsent)
        may_run = bool(journal.runs) and journal.runs[-1].ended is None
        go_on = go_on if may_run else "run the job again"
        console.tell("the input was read to its end" if is_done else f"not at the input's end: {go_on}")
    raise typer.Exit(0 if total.ok and is_done else NOT_ALL_STORED)


def _of_unended(file: Path) -> tuple[str, str]:
    """What to say of a run whose end is not in the journal, and what to do: by who uses the journal at this instant."""
    try:
        process = process_using(file)
    except sqlite3.Error:  # such as of a lock that this user cannot write to
        return "is running, or was killed", "unless it is running, run it again"
    if process is None:
        return "was killed", "run the job again"
    return f"is running in process {process}", "the job is running"


def problems(file: JournalFile) -> None:
    """List the reasons for rows that are not stored.

    Each line has an outcome, the rows and the reason, separated by tabs. Rows are counted from 1.
    """
    with refusals():
        journal = asyncio.run(Journal.load(file))
        groups = problem_groups(journal)
        if journal.job.get("work") == "delete":
            found = asyncio.run(deletion_in(file)).problem_groups
            groups = (Group(one.outcome, printable(one.reason), one.positions, key=one.key) for one in found)
        for group in groups:
            rows = [f"{one.start + 1}-{one.stop}" if len(one) > 1 else f"{one.stop}" for one in group.positions]
            nameless = [f"{group.n_nameless} not named"] if group.n_nameless else []
            key = f"{group.key}: " if group.key else ""
            sys.stdout.write(f"{group.outcome}\t{', '.join([*rows, *nameless])}\t{key}{group.reason}\n")
        sys.stdout.flush()


def forget(
    file: JournalFile, *, yes: Annotated[bool, typer.Option("--yes", help="Delete it without asking.")] = False
) -> None:
    """Delete a journal.

    The job can then only start from the beginning, and creates rows without a key a second time.
    """

    async def refuse_journal_in_use() -> None:
        await (await Journal.open(file, must_exist=True)).close()

    with refusals():
        asyncio.run(refuse_journal_in_use())
        if not yes and not typer.confirm(f"Forget what {printable(str(file))} knows?"):
            raise typer.Exit(NOT_ALL_STORED)
        for path in (*files_of(file), file):  # `file` may be a link to the journal
            path.unlink(missing_ok=True)
    console.tell(f"{file} is forgotten")


def report(
    file: Annotated[Path, typer.Argument(metavar="JOB.db", help="The journal, as given to --journal of upsert.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="LATER.db", help="The journal of a later upsert, to compare the two.")
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="The file to write.")] = Path(
        "report.html"
    ),
) -> None:
    """Write a page about an upsert, as one HTML file.

    It shows the outcomes of all rows, the reasons for those that are not stored, and charts of rows, calls and answers
    over time. With a second journal, it shows what has changed. It is readable by its owner only.
    """
    with refusals():
        files = [file] if other is None else [file, other]
        refuse_to_overwrite(output, *(path for one in files for path in files_of(one)))
        refuse_missing_folder(output)
        journals = [(one.name, _upsert_in(one)) for one in files]
        content = page(journals[0][1], name=file.name) if other is None else page_of_two(journals)
        with whole_file(output) as out:
            out.write(content.encode())
    console.tell(f"{output} shows {' and '.join(map(str, files))}")


def _upsert_in(file: Path) -> Journal:
    """The journal in a file, which must be that of an upsert."""
    journal = asyncio.run(Journal.load(file))
    if journal.job.get("work") == "delete":
        raise JournalError(
            f"{file} is the journal of a deletion, and reports are of upserts: see `planhat-async jobs status`"
        )
    return journal
