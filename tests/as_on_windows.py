"""Imitates Windows by removing parts of Python that it lacks; run as a program, this is the command line."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

MODULES = ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
NAMES: dict[Any, tuple[str, ...]] = {
    os: (
        *("O_DIRECTORY", "O_DSYNC", "O_NOCTTY", "O_NOFOLLOW", "O_SYNC", "chown", "chroot", "ctermid", "fchdir"),
        *("fchown", "fork", "forkpty", "getegid", "geteuid", "getgid", "getgroups", "getloadavg", "getpgid"),
        *("getpgrp", "getsid", "getuid", "initgroups", "killpg", "lchown", "lockf", "mkfifo", "mknod", "nice"),
        *("openpty", "posix_fadvise", "posix_fallocate", "pread", "preadv", "pwrite", "pwritev", "setgid"),
        *("setpgid", "setpriority", "setsid", "setuid", "statvfs", "sync", "sysconf", "tcgetpgrp", "ttyname", "uname"),
        *("wait", "wait3", "wait4", "waitid"),
    ),
    signal: (
        *("SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGTSTP"),
        *("SIGUSR1", "SIGUSR2", "SIGWINCH", "alarm", "pause", "pthread_kill", "pthread_sigmask", "setitimer"),
        *("siginterrupt", "sigpending", "sigtimedwait", "sigwait", "sigwaitinfo"),
    ),
    socket: ("MSG_DONTWAIT", "MSG_NOSIGNAL", "SO_REUSEPORT", "recv_fds", "send_fds"),
}
"""The names that Windows lacks in these modules, except those that the standard library uses on this system."""


def _not_there(*_: object) -> None:
    raise NotImplementedError


def remove(set_attribute: Callable[[Any, str, Any], None], delete_attribute: Callable[[Any, str], None]) -> None:
    """Remove everything that Windows lacks with these functions."""
    for module, names in NAMES.items():
        for name in names:
            if hasattr(module, name):
                delete_attribute(module, name)
    # On Windows, every signal wakes the loop, and only asyncio knows its descriptor.
    for name in ("add_signal_handler", "remove_signal_handler", "add_reader", "remove_reader"):
        set_attribute(asyncio.SelectorEventLoop, name, _not_there)
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    init = asyncio.SelectorEventLoop.__init__

    def woken_by_signals(self: Any, *arguments: Any) -> None:
        init(self, *arguments)
        self._add_reader(reader, reader.recv, 4096)
        signal.set_wakeup_fd(writer.fileno())

    set_attribute(asyncio.SelectorEventLoop, "__init__", woken_by_signals)


def main() -> None:
    """Run the command line."""
    # These modules detect the system at import and use its features.
    import aiohttp  # noqa: F401, PLC0415
    import pyarrow as pa  # noqa: F401, PLC0415
    import typer.testing  # noqa: F401, PLC0415

    remove(setattr, delattr)
    modules: dict[str, Any] = sys.modules  # None prevents an import
    modules |= dict.fromkeys(MODULES)
    from planhat_async.__main__ import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
