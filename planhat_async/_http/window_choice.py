"""The shared window that an option names."""

from __future__ import annotations

from planhat_async._http.host_window import HostWindow
from planhat_async._http.shared_window import SharedWindow
from planhat_async._http.wire import Token

NONE, HOST = "none", "host"


def checked_choice(choice: object) -> SharedWindow | str:
    """A shared window, or the name of one.

    Raises:
        ValueError: There is no window of that name. The message does not show a password in it.
    """
    if isinstance(choice, str):
        if choice in {NONE, HOST}:
            return choice
        scheme, is_url, _ = choice.partition("://")
        shown = f"{scheme}://..." if is_url else choice
        raise ValueError(f"there is no shared window {shown!r}: say 'host' or 'none'")
    if isinstance(choice, SharedWindow):
        return choice
    raise TypeError(f"shared must be 'host', 'none' or a SharedWindow, not {type(choice).__name__}")


def window_of(choice: SharedWindow | str, base_url: str, token: Token) -> SharedWindow | None:
    """The window of a choice that was checked, for a server and a token."""
    if not isinstance(choice, str):
        return choice
    return HostWindow(base_url, token) if choice == HOST else None
