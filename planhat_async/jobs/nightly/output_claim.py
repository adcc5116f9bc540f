"""The note of the output that a run is writing, beside its state.

An output gets its name before the state is written, so a kill between the two leaves a complete output that the state
does not know. The next run may replace an output of that name, because it starts from the same state; any other
existing output may hold changes that no later run repeats.
"""

from __future__ import annotations

from pathlib import Path

import attrs

from planhat_async._convert import decode_json, encode_json
from planhat_async.errors import DecodeError
from planhat_async.jobs.files.whole_file import whole_file
from planhat_async.jobs.nightly.state_file import sync_folder


@attrs.frozen
class OutputClaim:
    """The note beside one state; its methods block while they read or write."""

    path: Path

    @classmethod
    def beside(cls, state: Path) -> OutputClaim:
        """The note beside a state file."""
        return cls(state.with_name(state.name + ".writing"))

    def is_of(self, output: str, *, run: int) -> bool:
        """Whether an earlier attempt at this run was writing this output; false if the note is damaged."""
        try:
            held = decode_json(self.path.read_bytes())
        except (FileNotFoundError, DecodeError):
            return False
        return bool(held == {"output": output, "run": run})

    def make(self, output: str, *, run: int) -> None:
        """Note that this run writes this output; the note is on the disk when this returns."""
        with whole_file(self.path) as out:
            out.write(encode_json({"output": output, "run": run}))
        sync_folder(self.path)

    def withdraw(self) -> None:
        """Remove the note: the state knows the output."""
        self.path.unlink(missing_ok=True)
