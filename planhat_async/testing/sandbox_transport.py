"""A transport from a session to a sandbox in memory."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from urllib.parse import unquote

from planhat_async._http.transport import Timeouts
from planhat_async._http.wire import Request, Response, Token
from planhat_async.errors import NotSentError, UnknownOutcomeError
from planhat_async.sandbox.memory import MemorySandbox
from planhat_async.sandbox.messages import ApiRequest, ApiResponse


class SandboxTransport:
    """Carries a session's requests to a `MemorySandbox`: no socket, and the event loop's clock, which may be virtual.

    Give it to a session: `Session(planhat.token, transport=SandboxTransport(planhat))`. It keeps `Timeouts.read` and
    `Timeouts.total`; a connection takes no time.
    """

    def __init__(self, planhat: MemorySandbox) -> None:
        self._planhat = planhat

    async def send(self, request: Request, *, token: Token, timeouts: Timeouts) -> Response:
        """Make one attempt.

        Raises:
            NotSentError: The connection was refused.
            UnknownOutcomeError: The connection was reset, or a timeout passed.
        """
        error: type[NotSentError | UnknownOutcomeError] = UnknownOutcomeError
        try:
            async with asyncio.timeout(timeouts.total):
                answer = await self._planhat.exchange(_call(request, token), patience=timeouts.read)
            return _response(answer, self._planhat.now())
        except ConnectionRefusedError:
            error, problem = NotSentError, "no connection to the sandbox"
        except ConnectionResetError:
            problem = "sent to the sandbox, but no answer came (the server hung up)"
        except TimeoutError:
            problem = "sent to the sandbox, but no answer came (timeout)"
        raise error(f"{request.method} {request.path}: {problem}", method=request.method, path=request.path)

    async def close(self) -> None:
        """Do nothing: no connection is open, and the sandbox belongs to the caller."""


def _call(request: Request, token: Token) -> ApiRequest:
    return ApiRequest(
        method=request.method,
        segments=tuple(unquote(segment) for segment in token.address(request.path).removeprefix("/").split("/")),
        query=request.params,
        headers={"Authorization": token.header()},
        body=request.body or b"",
    )


def _response(answer: ApiResponse, now: float) -> Response:
    headers = {"date": formatdate(now, usegmt=True), "content-type": answer.content_type}
    return Response(
        status=answer.status,
        headers=headers | {name.lower(): value for name, value in answer.headers.items()},
        body=answer.body,
    )
