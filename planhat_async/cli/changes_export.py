"""`planhat-async export --since` and `--snapshot`: exports what changed since the run before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from planhat_async.cli import console
from planhat_async.cli.export_display import tell_formulas
from planhat_async.cli.export_progress import followed_export
from planhat_async.cli.parameters import refuse_alone
from planhat_async.cli.signals import run
from planhat_async.cli.state_tokens import token_checked
from planhat_async.jobs.files.writers import CsvLayout
from planhat_async.jobs.job_progress import in_words
from planhat_async.jobs.nightly.changed_export import (
    ChangedExport,
    ChangedExportOptions,
    export_snapshot,
    export_updated,
)
from planhat_async.repositories import Lists
from planhat_async.session import Session

_DATE = r"\d{8}|\d{4}-\d{2}|\d{1,4}(?P<between>[-./])\d{1,2}(?P=between)\d{1,4}"
_HOUR = r"\d{1,2}:?\d{2}(:?\d{2})?(\.\d+)?"
_TIME = re.compile(rf"({_DATE})([T ]{_HOUR})?(Z| ?[-+]\d{{2}}:?\d{{2}})?|\d{{1,2}}:\d{{2}}(:\d{{2}})?")


def is_time(text: str) -> bool:
    """Whether a text is a date, a time or both, and so hardly the name of a file."""
    return _TIME.fullmatch(text) is not None


def option_of_changes(
    since: Path | None, snapshot: Path | None, *, same_tenant: bool, all_: Path | None, resume: bool
) -> str | None:
    """The option that asks for changes only, if one does.

    Raises:
        ValueError: An option does not go with it.
    """
    if since is not None and snapshot is not None:
        raise ValueError("--since and --snapshot are two ways of knowing what changed: leave one of them out")
    if since is not None and is_time(str(since)):
        raise ValueError(
            f"--since {since}: name a file, such as tasks.json, that remembers the last export; to read from a "
            "time on, use iter_updated_since() in Python"
        )
    option = "--since" if since is not None else "--snapshot" if snapshot is not None else None
    if option is None:
        refuse_alone("--since or --snapshot", **{"--same-tenant": same_tenant})
    elif all_ is not None:
        raise ValueError(f"{option} exports one model: name it instead of --all")
    elif resume:
        raise ValueError(f"{option} begins an interrupted run again by itself: leave out --resume")
    return option


def export_changes(
    session: Session,
    repository: type[Lists[Any]],
    output: str | None,
    *,
    since: Path | None,
    snapshot: Path | None,
    is_warning: bool,
    **options: Any,
) -> None:
    """Export the changes of a model, and say what was written.

    Args:
        session: A closed session.
        repository: The repository of the model.
        output: The file or URL.
        since: The state of a walk; or else:
        snapshot: The state with a snapshot.
        is_warning: Whether the user has yet to decide about cells of CSV that a spreadsheet would run.
        **options: See `ChangedExportOptions`.

    Raises:
        ValueError: There is no output, or see `export_updated` and `export_snapshot`.
    """
    if output is None:
        raise ValueError(f"{'--since' if since else '--snapshot'} needs a file or a URL: name it with --output")
    state = since or snapshot
    assert state is not None  # noqa: S101 - the caller has one
    export = export_updated if since is not None else export_snapshot

    async def exported() -> ChangedExport:
        with followed_export(session, repository.model.name, total=None) as progress:
            progress.begin(repository.model.name, 0)
            async with session, token_checked(session), progress.shown():
                given = ChangedExportOptions(**options, on_progress=progress.advance)  # type: ignore[typeddict-item]
                return await export(repository(session), output, state=state, **given)

    done = run(exported())
    written, *remarks = lines_about(done, repository, state, is_walk=since is not None)
    console.tell(written, event="exported", model=repository.model.name, records=done.n_records)
    console.tell_all(remarks)
    layout: CsvLayout = options["layout"]
    tell_formulas(done.n_formulas, layout, is_warning=is_warning)


def lines_about(done: ChangedExport, repository: type[Lists[Any]], state: Path, *, is_walk: bool) -> list[str]:
    """What a run has written, in words."""
    model = repository.model
    counted = in_words(done.n_records, model.singular, model.name)
    if done.is_first:
        lines = [f"{state} did not exist: {done.output} holds all records ({counted})"]
    elif not is_walk:
        counts = f"{done.n_new:,} new, {done.n_changed:,} changed, {done.n_deleted:,} deleted"
        lines = [f"{counted} exported to {done.output}: {counts}"]
    elif done.since is None:
        lines = [f"the run before found no time of a change: {done.output} holds all records ({counted})"]
    else:
        lines = [f"{counted} exported to {done.output}: changed since {done.since:%Y-%m-%d %H:%M:%S} UTC"]
    if done.is_repeated:
        lines.append(f"{done.output} was written by a run that was interrupted: it is replaced")
    if done.since is not None and done.next_since == done.since:
        lines.append("the pages of the list did not join: the next run reads from the same time again")
    return lines
