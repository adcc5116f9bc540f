"""Distinguishes a wrong token from one with which a state was not written: they have different exit codes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from planhat_async.jobs.nightly.state_owner import OtherTokenError
from planhat_async.session import Session


@asynccontextmanager
async def token_checked(session: Session) -> AsyncIterator[None]:
    """Check the token if it is not the one with which a state was written; costs a call then.

    Raises:
        AuthenticationError: It is wrong.
    """
    try:
        yield
    except OtherTokenError:
        await session.check()
        raise
