"""A program that runs code blocks in order: JSON of them on stdin, JSON of what each prints on stdout.

They share a process, because starting Python takes longer than most blocks, and Spark's JVM many times as long. Each
block of Python has a new `__main__`, so it has no names of the blocks before it.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from types import ModuleType


def run_python(body: str, name: str) -> str:
    """What a program prints."""
    sys.modules["__main__"] = main = ModuleType("__main__")
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(body, name, "exec"), vars(main))  # noqa: S102 - our own pages
    except BaseException:
        sys.stderr.write(f"{body}\n{printed.getvalue()}")
        raise
    return printed.getvalue()


def run_shell(body: str, name: str) -> str:
    """What commands print, all of which must succeed."""
    command = ["bash", "-eu", "-c", body]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} ended with {done.returncode}:\n{body}\n{done.stdout}")
    return done.stdout


RUN = {"python": run_python, "sh": run_shell}


if __name__ == "__main__":
    sys.path[0] = ""  # as for `python -c`
    blocks: list[tuple[str, str]] = json.load(sys.stdin)
    output = [RUN[kind](body, f"<block {number}>") for number, (kind, body) in enumerate(blocks, 1)]
    json.dump(output, sys.stdout)
