"""Each night, the tasks that changed since the last one, in a file of the day.

    python nightly_changes.py FOLDER

`FOLDER/state.json` holds the time from which the next run reads. It is replaced after the file is complete, so the next
run makes up for one that fails or is killed. A task may be in the files of two nights, and none is left out; deleted
tasks are not seen. `planhat-async export tasks --since` does the same; this is the place for code of your own.

Exit codes, as those of `planhat-async`: 0 done, 2 wrong usage or an unusable state, 3 Planhat could not be used.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from planhat_async import PlanhatError, sync
from planhat_async.jobs import StateError, export_updated


def main(arguments: list[str]) -> int:
    """Run the job; returns the exit code."""
    if len(arguments) != 1:
        print("usage: python nightly_changes.py FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"tasks-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.jsonl"
    try:
        with sync.Session(shared="host") as session:
            done = session.tasks.run(export_updated, output, state=folder / "state.json")
    except PlanhatError as error:
        print(error, file=sys.stderr)
        return 3
    except StateError as error:
        print(error, file=sys.stderr)
        return 2
    print(done.n_records, "tasks")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
