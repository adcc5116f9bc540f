"""What many tests use."""

from collections.abc import AsyncIterator

import pytest

from planhat_async import Session
from planhat_async.sandbox import Sandbox


@pytest.fixture
async def planhat() -> AsyncIterator[Sandbox]:
    """A sandbox without limits of its own."""
    async with Sandbox(token="secret-token", per_minute=None, per_second=None) as sandbox:
        yield sandbox


@pytest.fixture
async def session(planhat: Sandbox) -> AsyncIterator[Session]:
    """An open session on the sandbox."""
    async with Session(planhat.token, base_url=planhat.url) as opened:
        yield opened
