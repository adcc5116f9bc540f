"""Reports each call with all of its attempts: to the log, and to OpenTelemetry where a program uses that.

The program that uses OpenTelemetry has imported its API. So this module does not import it: a program without it pays
nothing, neither the import nor a span.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from planhat_async._http.retries import History
from planhat_async._http.routes import route_of
from planhat_async.errors import StatusError

LOGGER = logging.getLogger("planhat_async.session")
_API = "opentelemetry.trace"
_PORTS = {"http": 80, "https": 443}


def is_observed() -> bool:
    """Whether anyone wants to know of calls."""
    return _API in sys.modules or LOGGER.isEnabledFor(logging.DEBUG)


class ObservedCall:
    """Reports the call that is made within the block.

    A span has the names and attributes of OpenTelemetry's conventions for HTTP clients. Neither a span nor the log
    contains the token, the query, a body, or the message of an error, which may quote rows.
    """

    def __init__(self, history: History, base_url: str) -> None:
        self.status: int | None = None
        """The status of the answer that the caller gets."""
        self._history = history
        self._span: Any = None
        self._block: AbstractContextManager[Any] | None = None
        self._clock = asyncio.get_running_loop().time
        trace = sys.modules.get(_API)
        if hasattr(trace, "get_tracer"):  # else another thread is importing it
            self._block = _span_block(trace, history, base_url)

    def __enter__(self) -> Self:
        self._began = self._clock()
        if self._block is not None:
            self._span = self._block.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, StatusError):
            self.status = error.status
        failure = None if kind is None or isinstance(error, StatusError) else kind.__name__
        self._log(failure)
        if self._block is None:
            return
        try:
            if self._span.is_recording():
                self._complete(None if failure is None or kind is None else f"{kind.__module__}.{kind.__qualname__}")
        finally:
            self._block.__exit__(kind, error, traceback)

    def _log(self, failure: str | None) -> None:
        if not LOGGER.isEnabledFor(logging.DEBUG):
            return
        history, seconds = self._history, self._clock() - self._began
        outcome = status_of(failure or self.status or 0)
        times = {"seconds": round(seconds, 3), "waited": round(history.waited, 3)}
        fields = {"event": "call", **history.named(), **outcome, **times}
        ended_with = failure or self.status
        message = "%s: ended with %s after %d attempts and %.3f s"
        LOGGER.debug(message, history.request, ended_with, history.made, seconds, extra={"planhat": fields})

    def _complete(self, failure: str | None) -> None:
        """Add to the span how the call has ended."""
        attributes: dict[str, str | int] = {} if self.status is None else {"http.response.status_code": self.status}
        if self._history.made > 1:
            attributes["http.request.resend_count"] = self._history.made - 1
        if self.status is not None and self.status >= 400:
            failure = str(self.status)
        if failure is not None:
            attributes["error.type"] = failure
            self._span.set_status(sys.modules[_API].StatusCode.ERROR)
        self._span.set_attributes(attributes)


def status_of(reason: int | str) -> dict[str, int | str]:
    """How an attempt ended, for a log: the status, or else the error's type."""
    return {"status": reason} if isinstance(reason, int) else {"error": reason}


def _span_block(trace: Any, history: History, base_url: str) -> AbstractContextManager[Any]:
    """A span for a call, as a block."""
    request, server = history.request, urlsplit(base_url)
    route = route_of(request.path)
    attributes = {
        "http.request.method": request.method,
        "server.address": server.hostname,
        "server.port": server.port or _PORTS[server.scheme],
        "url.full": base_url + request.path,
        "url.template": route,
    }
    block: AbstractContextManager[Any] = trace.get_tracer("planhat_async").start_as_current_span(
        f"{request.method} {route}",
        kind=trace.SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    )
    return block
