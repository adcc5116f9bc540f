"""The calls of every model: which there are, and what each does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from attrs import define, frozen

from planhat_async.sandbox import bulk, listing
from planhat_async.sandbox.messages import ApiRequest, RefusedError
from planhat_async.sandbox.models import Rules
from planhat_async.sandbox.record_writer import RecordWriter
from planhat_async.sandbox.store import Record

MAX_BODY_BYTES = 32_000_000
_SPARE_NESTING = 64


@frozen
class Outcome:
    """The result of a call."""

    status: int
    """Of the answer."""
    value: Any
    """The answer's body, before it is JSON."""
    n_rows: int | None = None
    """Rows in the body of a bulk upsert, else `None`."""


_Call: TypeAlias = Callable[[Rules, str, ApiRequest], Outcome]
_DELETED = {"n": 1, "ok": 1, "deletedCount": 1}
_NO_BODY = msgspec.Raw(b"")
_NO_SUCH_RECORD = Outcome(404, {"error": "Not found"})


class _MalformedError(Exception):
    """The body is not JSON."""


@define
class Calls:
    """Carries out the calls on one store."""

    writer: RecordWriter

    def respond(self, request: ApiRequest) -> Outcome:
        """Carry out a request that was let in."""
        if len(request.body) > MAX_BODY_BYTES:
            return Outcome(413, {"error": f"The body is larger than {MAX_BODY_BYTES} bytes"})
        path, *keys = request.segments or ("",)
        model = self.writer.state.model_at(path)
        if model is None or len(keys) > 1:
            return Outcome(404, {"error": "No such path"})
        key = "".join(keys)
        call, is_offered = self._calls(model, key).get(request.method, (None, False))
        if call is None or not is_offered:
            return Outcome(405, {"error": f"{request.method} is not allowed here"})
        try:
            return call(model, key, request)
        except _MalformedError:
            return Outcome(400, "The body is not valid JSON")
        except RefusedError as refused:
            return Outcome(400, {"error": refused.reason})

    def _calls(self, model: Rules, key: str) -> Mapping[str, tuple[_Call, object]]:
        """Each method's call, and what the model declares about it: the call exists unless that is empty."""
        if key:
            return {
                "POST": (self._duplicate, key == model.duplicate_path),
                "GET": (self._get, model.get_keys),
                "PUT": (self._update, model.update_keys),
                "DELETE": (self._delete, model.delete_keys),
            }
        # A blank key leaves `PUT path/`, which is a bulk upsert, as it is at Planhat's.
        return {
            "GET": (self._list, True),
            "PUT": (self._upsert, model.match),
            "POST": (self._create, model.is_creatable),
        }

    def _list(self, model: Rules, _key: str, request: ApiRequest) -> Outcome:
        rows = listing.page(
            model, self.writer.state, self.writer.choices, dict(request.query), now=request.now, fault=request.fault
        )
        return Outcome(200, rows)

    def _upsert(self, model: Rules, _key: str, request: ApiRequest) -> Outcome:
        rows = _decoded(request.body)
        if not isinstance(rows, list):
            return Outcome(400, {"error": "The body must be an array"})
        if len(rows) > bulk.MAX_ROWS:
            return Outcome(400, {"error": f"More than {bulk.MAX_ROWS} items"}, len(rows))
        status, answer = bulk.upsert(self.writer, model, rows, request.now, fault=request.fault)
        return Outcome(status, answer, len(rows))

    def _create(self, model: Rules, _key: str, request: ApiRequest) -> Outcome:
        record = self.writer.create(model, _decoded_object(request.body), request.now)
        return self._answer("create", model, model.created_answer(_shown(model, record), self.writer.find))

    def _get(self, model: Rules, key: str, _request: ApiRequest) -> Outcome:
        record = self.writer.state.find(model, key, model.get_keys)
        return _NO_SUCH_RECORD if record is None else Outcome(200, record)

    def _update(self, model: Rules, key: str, request: ApiRequest) -> Outcome:
        row = _decoded_object(request.body)
        record = self.writer.state.find(model, key, model.update_keys)
        if record is None:
            return _NO_SUCH_RECORD
        self.writer.update(model, record, row, request.now)
        return self._answer("update", model, _shown(model, record))

    def _delete(self, model: Rules, key: str, _request: ApiRequest) -> Outcome:
        record = self.writer.state.find(model, key, model.delete_keys)
        if record is None:
            return _NO_SUCH_RECORD
        self.writer.state.collection(model).remove(record)
        return self._answer("delete", model, _DELETED if model.counts_deletions else _shown(model, record))

    def _duplicate(self, model: Rules, _key: str, request: ApiRequest) -> Outcome:
        ids = _decoded_object(request.body).get("ids")
        if not isinstance(ids, list):
            raise RefusedError("ids", "ids: Not valid type")
        status, answer = bulk.duplicate(self.writer, model, ids, request.now)
        return Outcome(status, answer)

    def _answer(self, call: str, model: Rules, value: Record) -> Outcome:
        """The answer to a call on one record, unless nothing documents it and a switch leaves it empty."""
        is_empty = call in model.undocumented and self.writer.choices.undocumented_answers_are_empty
        return Outcome(200, _NO_BODY if is_empty else value)


def _shown(model: Rules, record: Record) -> Record:
    return {field: value for field, value in record.items() if field not in model.hidden_on_write}


def _decoded(body: bytes) -> Any:
    try:
        value = nested = msgspec.json.decode(body)
        # What can only just be decoded could be stored, but never again be encoded inside a record inside a list.
        for _ in range(_SPARE_NESTING):
            nested = [nested]
        msgspec.json.encode(nested)
    except (ValueError, RecursionError) as error:
        raise _MalformedError from error
    return value


def _decoded_object(body: bytes) -> Record:
    value = _decoded(body)
    if not isinstance(value, dict):
        raise RefusedError("", "The body must be an object")
    return value
