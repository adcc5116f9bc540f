"""What every repository has: a session, and the facts about its model."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from planhat_async._convert import decode_record
from planhat_async._http.wire import Request
from planhat_async.keys import path_segment
from planhat_async.records import Model, Record
from planhat_async.session import Session

R = TypeVar("R", bound=Record)


class Repository(Generic[R]):
    """The calls of one model.

    Args:
        session: An open session. Repositories are cheap: make as many as you like.
    """

    model: ClassVar[Model]
    """The facts about the model."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def session(self) -> Session:
        """The session it uses."""
        return self._session

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session!r})"

    def _request(self, method: str, key: str, *, body: bytes | None = None, is_bulk: bool = False) -> Request:
        path = f"{self.model.path}/{path_segment(key)}"
        return Request(method=method, path=path, body=body, is_keyed=True, is_bulk=is_bulk)

    def _decode(self, row: bytes, position: int | None = None) -> R:
        record: R = decode_record(self.model.record, row, position=position)  # type: ignore[assignment]
        return record
