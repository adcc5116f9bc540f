"""The one fixture of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from reference.page_server import Answers, PageServer

Serve = Callable[[Answers], Awaitable[PageServer]]


@pytest.fixture
async def page_server() -> AsyncIterator[Serve]:
    """Starts a server with these answers, and opens a session on it; both are closed after the test."""
    async with AsyncExitStack() as stack:

        async def serve(answers: Answers) -> PageServer:
            return await stack.enter_async_context(PageServer(answers))

        yield serve
