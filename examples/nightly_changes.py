"""Each night, the tasks that changed since the last one, in a file of the day.

    python nightly_changes.py FOLDER

`FOLDER/state.json` holds the time from which the next run reads. It is written after the file is whole, so a run that
fails or is killed is made up for by the next one. A task may be in the files of two nights, and none is left out;
deleted tasks are not seen.

Exit codes, as those of `planhat-async`: 0 done, 2 wrong usage, 3 Planhat could not be used.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from planhat_async import PlanhatError, sync
from planhat_async.jobs import whole_file

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""Where the first run begins: before any task."""


def read_state(path: Path) -> datetime:
    """The time from which to read."""
    return datetime.fromisoformat(json.loads(path.read_text())["since"]) if path.exists() else FIRST


def write_state(path: Path, since: datetime) -> None:
    """Replace the state at once: after a crash there is the old one or the new one."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"since": since.isoformat()}))
    os.replace(part, path)


def export_changes(session: sync.Session, folder: Path) -> int:
    """Write the tasks that changed; returns how many."""
    since = read_state(folder / "state.json")
    walk = session.tasks.iter_json_updated_since(since)
    n_rows = 0
    with whole_file(folder / f"tasks-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.jsonl") as file:
        for row in walk:
            file.write(row + b"\n")
            n_rows += 1
    write_state(folder / "state.json", walk.next_since)
    return n_rows


def main(arguments: list[str]) -> int:
    """Run the job; returns the exit code."""
    if len(arguments) != 1:
        print("usage: python nightly_changes.py FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with sync.Session(shared="host") as session:
            print(export_changes(session, folder), "tasks")
    except PlanhatError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
