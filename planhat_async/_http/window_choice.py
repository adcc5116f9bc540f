"""The shared window that an option names."""

from __future__ import annotations

from importlib.util import find_spec

from planhat_async._http.host_window import HostWindow
from planhat_async._http.redis_url import REDIS_IS_MISSING, is_redis_url, parsed_redis_url
from planhat_async._http.shared_window import SharedWindow
from planhat_async._http.wire import Token

NONE, HOST = "none", "host"


def checked_choice(choice: object) -> SharedWindow | str:
    """A shared window, or the name or URL of one.

    Raises:
        ValueError: There is no window of that name, or it needs an extra that is missing. No password is shown.
    """
    if isinstance(choice, str):
        if choice in {NONE, HOST}:
            return choice
        if is_redis_url(choice):
            parsed_redis_url(choice)
            if find_spec("redis") is None:
                raise ValueError(REDIS_IS_MISSING)
            return choice
        scheme, is_url, _ = choice.partition("://")
        shown = f"{scheme}://..." if is_url else choice
        raise ValueError(f"there is no shared window {shown!r}: say 'host', 'none' or redis://...")
    if isinstance(choice, SharedWindow):
        return choice
    raise TypeError(f"shared must be 'host', 'none', redis://... or a SharedWindow, not {type(choice).__name__}")


def window_of(choice: SharedWindow | str, base_url: str, token: Token) -> SharedWindow | None:
    """The window of a choice that was checked, for a server and a token."""
    if not isinstance(choice, str):
        return choice
    if choice == NONE:
        return None
    if choice == HOST:
        return HostWindow(base_url, token)
    from planhat_async._http.redis_window import RedisWindow  # noqa: PLC0415 - an extra

    return RedisWindow(choice, base_url, token)
