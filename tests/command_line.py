"""The command line for tests: commands in this process or their own, files, and the contents of a sandbox."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen
from typer.testing import CliRunner

from planhat_async.cli import app as cli

TOKEN = "tok-5f3a-not-to-be-seen"
PROGRAM = (sys.executable, "-m", "planhat_async")
HEAD = "source_id,email,domains,title\n"
GOOD = "@1,ada(at)acme.example,acme.example,Hello\n"
FINISHING = "finishing the chunks in flight; interrupt again to stop at once"
FINISHING_SOON = "finishing the chunks in flight, for 25 s at most; interrupt again to stop at once"
"""After SIGTERM."""

prefixes = (f"{number}-" for number in itertools.count(1))
"""Prefixes of the keys of each test's records: tests share a sandbox."""


@frozen
class Ended:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: list[str]


def run(*arguments: str | Path) -> Ended:
    """Run a command in this process and check that it shows neither a traceback nor the token."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments], catch_exceptions=False)
    said = result.stdout + result.stderr
    assert "Traceback" not in said
    assert TOKEN not in said
    return Ended(result.exit_code, result.stdout, result.stderr.splitlines())


@contextlib.contextmanager
def started(folder: Path, *arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a process of its own."""
    process = subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def listening(process: subprocess.Popen[str]) -> str:
    """Return the URL on which a sandbox listens, from its output."""
    assert process.stdout is not None
    found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())
    assert found is not None
    assert process.stdout.readline().startswith(f"in another terminal: export PLANHAT_BASE_URL={found[1]}")
    return found[1]


@frozen
class Desk:
    """A folder of files for one test and access to the sandbox's records.

    `@` stands for a prefix of its own where a word begins with it, and `(at)` for the `@` of an address.
    """

    folder: Path
    url: str
    prefix: str

    def file(self, name: str, content: str | bytes) -> Path:
        """Write a file with this content."""
        path = self.folder / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(self.own(data.decode("latin-1")).encode("latin-1"))
        return path

    def own(self, text: str) -> str:
        """The text with the prefix, and with addresses."""
        return re.sub(r"(?<![\w.+-])@", self.prefix, text).replace("(at)", "@")

    def stored(self, model: str = "tickets") -> dict[str, dict[str, Any]]:
        """Return the sandbox's records by `sourceId`."""
        request = urllib.request.Request(  # noqa: S310 - the sandbox's own URL
            f"{self.url}/{model}?limit=10000&sort=_id", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
            rows = json.load(answer)
        ours = [row for row in rows if row.get("sourceId", "").startswith(self.prefix)]
        held = {row["sourceId"].replace(self.prefix, "@"): row for row in ours}
        assert len(held) == len(ours)
        return held


def good(number: int) -> str:
    """Return a valid line of CSV."""
    return f"@{number},ada(at)acme.example,acme.example,Hello\n"


def good_json(number: int) -> str:
    """Return a valid line of JSONL."""
    return json.dumps({"sourceId": f"@{number}", "email": "ada(at)acme.example", "domains": ["acme.example"]}) + "\n"


def request_on(connection: socket.socket) -> bytes:
    """Return one whole request from this connection."""
    connection.settimeout(60)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    while len(body) < int(length[1] if length else 0):
        body += connection.recv(65536)
    return body
