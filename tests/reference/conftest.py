"""The fixture of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from reference.page_server import Answers, PageServer

Serve = Callable[[Answers], Awaitable[PageServer]]


@pytest.fixture
async def page_server() -> AsyncIterator[Serve]:
    """Start servers with given answers and open a session on each; close both after the test."""
    async with AsyncExitStack() as stack:

        async def serve(answers: Answers) -> PageServer:
            return await stack.enter_async_context(PageServer(answers))

        yield serve
