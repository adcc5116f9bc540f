"""The processes of a run: one server for all work, and a new process for each measurement."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import attrs

from benchmarks.measurement import Measurement

_ENVIRONMENT = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@attrs.frozen
class Server:
    """A server in another process."""

    url: str

    def reset(self, *, latency: float) -> None:
        """Reset its counters, and let it wait this many seconds before each answer."""
        self._ask("POST", f"/account?latency={latency}")

    def account(self) -> dict[str, Any]:
        """Return `n_calls`, `n_rows` and `cpu` seconds since the reset."""
        account: dict[str, Any] = json.loads(self._ask("GET", "/account"))
        return account

    def _ask(self, method: str, path: str) -> bytes:
        connection = HTTPConnection(urlsplit(self.url).netloc)
        connection.request(method, path)
        try:
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def serving(module: str, *arguments: str) -> Iterator[Server]:
    """Run a server."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        # The server ends with its standard input, even if this process is killed.
        yield Server((process.stdout.readline() if process.stdout else "").strip())
        if process.stdin:
            process.stdin.close()


def measured(function: str, server: Server, n_rows: int, *, is_ticking: bool) -> Measurement:
    """Let a subject do its work in its own process.

    Raises:
        SystemExit: It failed; its process has printed the reason.
    """
    command = [sys.executable, "-m", "benchmarks.measurement", function, server.url, str(n_rows)]
    if is_ticking:
        command.append("--ticking")
    done = subprocess.run(command, env=_ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise SystemExit(f"{function} failed")
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))
