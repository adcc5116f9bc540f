"""A Redis of its own on a free port of loopback, which keeps nothing on disk."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

EXECUTABLE = shutil.which("redis-server") or shutil.which("valkey-server")
_START_SECONDS = 20.0


def free_port() -> int:
    """A port of loopback on which nothing listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@attrs.define(eq=False)
class RedisServer:
    """A server that can be killed, stopped and started again on the same port; ends with the block."""

    folder: Path
    options: Sequence[str] = ()
    """What else to tell the server, such as `--requirepass`."""
    port: int = attrs.field(factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL, without a password."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty, and wait until it listens."""
        if EXECUTABLE is None:
            raise SystemExit("there is no redis-server: install it (apt-get install redis-server)")
        kept_nowhere = ("--save", "", "--appendonly", "no", "--dir", str(self.folder), "--bind", "127.0.0.1")
        command = [EXECUTABLE, "--port", str(self.port), *kept_nowhere, *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - found on the search path
        give_up_at = time.monotonic() + _START_SECONDS
        while not self._listens():
            if time.monotonic() > give_up_at or self._process.poll() is not None:
                raise RuntimeError(f"{EXECUTABLE} does not listen on port {self.port}")
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill it: what it knew is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop it: its connections stay, and it does nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def _listens(self) -> bool:
        """Whether it answers, also with an error."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return bool(connection.recv(1))
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)
