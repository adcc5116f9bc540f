"""Direct access to the sandbox's rules for its own tests: a call returns a status and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from attrs import frozen

from planhat_async.sandbox import Choices, Company
from planhat_async.sandbox.api import Api
from planhat_async.sandbox.limits import Limits
from planhat_async.sandbox.messages import ApiRequest
from planhat_async.sandbox.models import ALL, Entry, Rules
from planhat_async.sandbox.state import State

NOW = 1_657_015_336.5  # 2022-07-05T10:02:16.500Z
TENET = Company("61006bc89a3e0b702ed8ea49", external_id="tenet", source_id="119", name="Tenet", domains=["tenet.com"])
ACME = Company("5fd76c4daf9f4601dd313b05", external_id="acme", source_id="120", name="Acme", domains=["acme.com"])


def documented(name: str) -> Any:
    """Return a body of Planhat's documentation."""
    return json.loads((Path(__file__).parents[1] / "data" / f"{name}.json").read_text())


@frozen
class Answer:
    """A status and a decoded body, or `None`."""

    status: int
    body: Any


class Door:
    """Planhat without a network and without limits."""

    def __init__(self, *entries: Entry, choices: Choices | None = None, models: Iterable[Rules] = ALL) -> None:
        limits = Limits(per_minute=None, per_second=None)
        self.api = Api(limits=limits, choices=choices or Choices(), state=State(0, entries, models))
        self.now = NOW

    def __call__(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        """Make one call; a body that is not bytes is sent as JSON."""
        request = ApiRequest(
            method=method,
            segments=tuple(unquote(segment) for segment in path.removeprefix("/").split("/")),
            query=tuple(query.items()),
            headers={"Authorization": "Bearer token"},
            body=body if isinstance(body, bytes) else msgspec.json.encode(body),
            now=self.now,
        )
        response = self.api.handle(request)
        return Answer(response.status, msgspec.json.decode(response.body) if response.body else None)

    def add(self, name: str, **fields: Any) -> str:
        """Store a record directly and return its `_id`."""
        record_id: str = self.api.state.add(name, fields, now=self.now)["_id"]
        return record_id

    def ids(self, path: str, **query: str) -> list[str]:
        """Return the `_id`s of a listed page, by `_id` unless the query has another order."""
        return [record["_id"] for record in self("GET", path, **{"sort": "_id", **query}).body]
