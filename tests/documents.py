"""The code blocks of a document, and how they are run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRST_PAGES = ("index.md", "start.md")
"""The first two pages in `docs`; their blocks follow one another, as those of a guide."""


def blocks(text: str) -> list[tuple[str, str]]:
    """The kind and the body of each code block of a document, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def run(command: Sequence[str], where: Path, settings: Mapping[str, str], stdin: str = "") -> str:
    """Run a command that must succeed; what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, **settings}
    done = subprocess.run(
        command, cwd=where, env=environment, input=stdin, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_blocks(programs: Sequence[tuple[str, str]], where: Path, settings: Mapping[str, str]) -> list[str]:
    """Run blocks of Python and of shell in one process, all of which must succeed; what each prints."""
    command = [sys.executable, str(Path(__file__).with_name("block_runner.py"))]
    printed: list[str] = json.loads(run(command, where, settings, json.dumps(programs)))
    return printed
