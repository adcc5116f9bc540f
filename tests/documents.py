"""The code blocks of a document, and how they are run."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRST_PAGES = ("index.md", "start.md")
"""The first two pages in `docs`; their blocks follow one another, as those of a guide."""


def blocks(text: str) -> list[tuple[str, str]]:
    """The kind and the body of each code block of a document, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def run(command: list[str], where: Path, settings: Mapping[str, str]) -> str:
    """Run a command that must succeed; what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, **settings}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
