"""A program that runs the blocks of a page in order, as a notebook does: JSON on stdin, what each prints on stdout.

One process for a page, because starting Python takes longer than most blocks, and Spark's JVM many times as long. Each
block of Python is a program of its own: a new `__main__`, without the names of the blocks before it.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from types import ModuleType


def run_python(body: str) -> str:
    """What a program prints."""
    sys.modules["__main__"] = main = ModuleType("__main__")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(body, "<block>", "exec"), vars(main))  # noqa: S102 - our own pages
    return printed.getvalue()


def run_shell(body: str) -> str:
    """What commands print, all of which must succeed."""
    done = subprocess.run(
        ["bash", "-eu", "-c", body], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


RUN = {"python": run_python, "sh": run_shell}


if __name__ == "__main__":
    sys.path[0] = ""  # as for `python -c`
    blocks: list[tuple[str, str]] = json.load(sys.stdin)
    output = [RUN[kind](body) for kind, body in blocks]
    json.dump(output, sys.stdout)
