"""A pytest plugin: `planhat_sandbox`, a sandbox for each test, and `planhat_session`, a session on it.

pytest imports the plugin at every start, even if no test uses it, so the fixtures import what they need of the package.
Both are async fixtures of pytest-asyncio, in either of its modes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from planhat_async.sandbox import Sandbox
    from planhat_async.session import Session

_MARKER = """planhat(**options): options of `planhat_sandbox` for this test, class or module, as for
`planhat_async.sandbox.Sandbox`: faults="reset_after@1", per_minute=2, max_parallel=1, seed=7."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", " ".join(_MARKER.split()))


def _options_of(node: pytest.Item) -> dict[str, Any]:
    """The options in a test's markers, of which the closest one wins; by default there are no limits."""
    options: dict[str, Any] = {"per_minute": None, "per_second": None}
    for marker in reversed(list(node.iter_markers("planhat"))):
        if marker.args:
            raise pytest.UsageError("the marker planhat takes its options by name: planhat(faults=..., per_minute=...)")
        options |= marker.kwargs
    return options


async def _sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A sandbox on loopback for one test; it has only the limits and faults of the marker `planhat`."""
    from planhat_async.sandbox import Sandbox  # noqa: PLC0415 - not before a test uses it

    async with Sandbox(**_options_of(request.node)) as planhat:
        yield planhat


async def _session(planhat_sandbox: Sandbox) -> AsyncIterator[Session]:
    """An open session on `planhat_sandbox`.

    It retries like any session, but with very short waits, and waits 5 seconds for each piece of an answer.
    """
    from planhat_async._http.retries import RetryPolicy  # noqa: PLC0415 - not before a test uses it
    from planhat_async._http.transport import Timeouts  # noqa: PLC0415 - as above
    from planhat_async.session import Session  # noqa: PLC0415 - as above

    retry = RetryPolicy(wait_initial=0.01, wait_max=0.1)
    timeouts = Timeouts(read=5.0)
    async with Session(planhat_sandbox.token, base_url=planhat_sandbox.url, retry=retry, timeouts=timeouts) as session:
        yield session


def _missing(name: str) -> Any:
    def fail() -> None:
        pytest.fail(f"the fixture {name} needs pytest-asyncio: pip install pytest-asyncio", pytrace=False)

    return pytest.fixture(name=name)(fail)


planhat_sandbox: Any
planhat_session: Any
try:
    import pytest_asyncio
except ImportError:
    planhat_sandbox, planhat_session = _missing("planhat_sandbox"), _missing("planhat_session")
else:
    planhat_sandbox = pytest_asyncio.fixture(_sandbox, name="planhat_sandbox")
    planhat_session = pytest_asyncio.fixture(_session, name="planhat_session")
