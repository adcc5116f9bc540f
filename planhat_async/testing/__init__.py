"""For tests of code that uses the package: sample records, and a sandbox without a socket.

The pytest plugin in `pytest_plugin` is installed with the package. pytest imports it at every start, so the names here
are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planhat_async.testing.samples import make_note, make_record, make_task, make_ticket
    from planhat_async.testing.sandbox_transport import SandboxTransport

__all__ = ["SandboxTransport", "make_note", "make_record", "make_task", "make_ticket"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "sandbox_transport" if name == "SandboxTransport" else "samples"
    return getattr(import_module(f"{__name__}.{module}"), name)
