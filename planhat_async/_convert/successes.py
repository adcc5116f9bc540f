"""Checks of successful answers (2xx) to calls about one record.

A 2xx may still hold an error such as `{"error": …}`, or come from a proxy as a page of HTML: whether a record was
changed or deleted is then unknown, and must not be reported as done.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

from planhat_async._convert.json import decode_json, encode_plain
from planhat_async._convert.records import decode_record
from planhat_async.errors import DecodeError
from planhat_async.records import Record

R = TypeVar("R", bound=Record)

_ACKNOWLEDGEMENT_BYTES = 200
"""The longest success in words, such as OK."""
_BLANK = b"\xef\xbb\xbf \t\r\n"


def record_in(cls: type[R], body: bytes) -> R:
    """The record in an answer.

    Raises:
        DecodeError: It is not an object, has no `_id`, or holds an error and no field of a record.
    """
    record = decode_record(cls, body)
    if not isinstance(record.id, str) or not record.id:
        raise DecodeError("it has no _id")
    is_bare = not cls.HAS_OTHER_FIELDS and record == cls(id=record.id, extra=record.extra)
    if is_bare and says_error(record.extra):
        raise DecodeError("it holds an error", id=record.id)
    return record


def record_or_sent(cls: type[R], body: bytes, sent: Mapping[str, Any]) -> R:
    """The record in an answer, or else what was sent; raises DecodeError for an error or a page of HTML."""
    answer = None
    with suppress(DecodeError):
        answer = decode_json(body)
    if isinstance(answer, Mapping) and "_id" in answer:
        return record_in(cls, body)
    acknowledgement_in(body)
    return decode_record(cls, encode_plain(sent))


def deleted_in(body: bytes) -> bool:
    """Whether the answer to a DELETE does not count 0 deletions; raises DecodeError for an error or a page of HTML."""
    answer = acknowledgement_in(body)
    if not isinstance(answer, Mapping) or "_id" in answer:
        return True
    return bool(answer.get("deletedCount", answer.get("n")) != 0)


def acknowledgement_in(body: bytes) -> Any:
    """The JSON or the words such as OK in a success, `None` if it is empty; raises DecodeError for an error or HTML."""
    text = body.strip(_BLANK)
    if not text:
        return None
    try:
        answer = decode_json(text)
    except DecodeError:
        answer = text.decode("utf-8", "replace")
    if isinstance(answer, str):
        if len(text) > _ACKNOWLEDGEMENT_BYTES or answer.startswith("<") or "error" in answer.lower():
            raise DecodeError("it does not acknowledge the request")
    elif answer is False or says_error(answer):
        raise DecodeError("it holds an error")
    return answer


def says_error(answer: Any) -> bool:
    """Whether an answer is an object that reports a failure; `{"error": null}` does not."""
    if not isinstance(answer, Mapping):
        return False
    if answer.get("error"):
        return True
    return "_id" not in answer and any(name in answer and not answer[name] for name in ("ok", "success"))
