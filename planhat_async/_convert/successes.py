"""Whether a success (2xx) is one: what the answer to a call about one record has to be. Decisions only.

An answer may be a 2xx and still say no, as `{"error": …}`, or come from something between here and Planhat, as a page
of HTML: that it changed or deleted a record is then not known, and must not be reported as done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from planhat_async._convert.json import decode_json, encode_plain
from planhat_async._convert.records import decode_record
from planhat_async.errors import DecodeError
from planhat_async.records import Record

R = TypeVar("R", bound=Record)

_ACKNOWLEDGEMENT_BYTES = 200
"""A success in words, such as OK, is short."""
_BLANK = b"\xef\xbb\xbf \t\r\n"


def record_in(cls: type[R], body: bytes) -> R:
    """The record that an answer consists of.

    Raises:
        DecodeError: It is none: no object, one without `_id`, or one that holds an error and nothing of a record.
    """
    record = decode_record(cls, body)
    if not isinstance(record.id, str) or not record.id:
        raise DecodeError("it has no _id")
    if says_error(record.extra) and record == cls(id=record.id, extra=record.extra):
        raise DecodeError("it holds an error", id=record.id)
    return record


def record_or_sent(cls: type[R], body: bytes, sent: Mapping[str, Any]) -> R:
    """The record that an answer consists of; what was sent, where it is a success without one.

    Raises:
        DecodeError: It is no success: an error, a page of HTML.
    """
    answer = acknowledgement_in(body)
    if isinstance(answer, Mapping) and "_id" in answer:
        return record_in(cls, body)
    return decode_record(cls, encode_plain(sent))


def deleted_in(body: bytes) -> bool:
    """Whether the answer to a DELETE says that a record was deleted, in JSON, in a word such as OK, or by silence.

    Raises:
        DecodeError: It says something else: an error, a page of HTML.
    """
    answer = acknowledgement_in(body)
    if not isinstance(answer, Mapping) or "_id" in answer:
        return True
    return bool(answer.get("deletedCount", answer.get("n")) != 0)


def acknowledgement_in(body: bytes) -> Any:
    """What a success says: JSON, a word such as OK, or nothing.

    Raises:
        DecodeError: It says something else: an error, a page of HTML.
    """
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
    """Whether an object of an answer says that something failed; `{"error": null}` says that nothing did."""
    if not isinstance(answer, Mapping):
        return False
    if answer.get("error"):
        return True
    return "_id" not in answer and any(name in answer and not answer[name] for name in ("ok", "success"))
