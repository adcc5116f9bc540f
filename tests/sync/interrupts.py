"""Ctrl-C at a chosen moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def press_ctrl_c() -> None:
    """Interrupt the main thread, from any thread."""
    ident = threading.main_thread().ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGINT)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise `KeyboardInterrupt`, also where a test runner has switched it off."""
    if not hasattr(signal, "pthread_kill"):
        pytest.skip("this system cannot interrupt a certain thread")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
