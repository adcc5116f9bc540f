"""The facts on Planhat's models, in the form that tests use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import frozen

from planhat_async.sandbox.models import ALL

FACTS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "models.json").read_text())["models"]
SURE = {"D", "G"}
MORE_KEYS = {"note": {"srcid", "extid"}, "conversation": {"srcid"}, "task": {"extid"}}
"""Kinds of key that the sandbox takes although only the page on keys allows them, not the one on the model."""
_SHARES_A_PATH = {"note": "notes", "conversation": "conversations"}
_NAMES = {rules.path: rules.name for rules in ALL if rules.path is not None}
_SAMPLES: dict[str, Any] = {
    "objectId": "a" * 24,
    "string": "text",
    "number": 1.5,
    "integer": 3,
    "boolean": True,
    "date": "2021-07-29T00:00:00.000Z",
    "day": 18_836,
    "day-string": "2021-07-29",
    "array": ["x"],
    "object": {"a": 1},
}
_ITEMS = {"objectId": "a" * 24, "object": {"a": 1}}
_CHANGES: dict[str, Any] = {"string": "changed", "number": 77, "boolean": True}
_SAMPLES_BY_NAME = {
    "email": "ada@acme.example",
    "agentEmail": "bob@acme.example",
    "userEmail": "bob@acme.example",
    "endUserEmail": "ada@acme.example",
    "otherEmails": ["ada.l@acme.example"],
    "domains": ["acme.example"],
    "companyExternalId": "acme",
}


@frozen
class Facts:
    """The facts on one model."""

    kind: str
    """The singular name in the facts."""
    known: dict[str, Any]

    @property
    def path(self) -> str:
        """The path, without its slash."""
        return str(self.known["path"]).removeprefix("/")

    @property
    def name(self) -> str:
        """The sandbox's name of the model."""
        return _SHARES_A_PATH.get(self.kind) or _NAMES[self.path]

    @property
    def sort(self) -> dict[str, str]:
        """Fields that identify the model of a record on a shared path."""
        return {"type": self.kind} if self.kind in {"note", "ticket"} else {}

    def mark(self, fact: str) -> str | None:
        """The certainty of a fact."""
        mark: str | None = self.known["marks"].get(fact)
        return mark

    def has(self, call: str) -> bool:
        """Whether the model has a call."""
        return bool(self.known["calls"].get(call))

    def groups(self, call: str) -> list[list[str]]:
        """The groups of fields that a creation by a call requires, one field of each."""
        return [[group] if isinstance(group, str) else group for group in self.known.get(f"{call}_needs") or []]

    def writable(self) -> list[str]:
        """The writable fields, besides the `_id`."""
        return [name for name, field in self.known["fields"].items() if name != "_id" and _is_writable(field)]

    def read_only(self) -> list[str]:
        """The fields that are certainly not writable."""
        fields = {name: field for name, field in self.known["fields"].items() if name not in {"_id", "custom"}}
        return [name for name, field in fields.items() if not _is_writable(field) and field["mark"] in SURE]

    def sample(self, *names: str) -> dict[str, Any]:
        """A value for each of these fields."""
        return {name: self._value(name) for name in names} | {k: v for k, v in self.sort.items() if k in names}

    def good(self, call: str = "create") -> dict[str, Any]:
        """A row with every field of the required groups."""
        return self.sample(*(name for group in self.groups(call) for name in group))

    def change(self) -> dict[str, Any]:
        """A field that makes a difference, and no key."""
        keys = {"externalId", "extId", "sourceId", "email"}
        types = self.known["fields"]
        name = next(n for n in self.writable() if types[n]["type"] in _CHANGES and n not in keys)
        return {name: _CHANGES[types[name]["type"]]}

    def key(self, kind: str) -> str | None:
        """The field of a record that contains a kind of key."""
        fields = {"_id": "_id", "extid": "external_id_field", "srcid": "source_id_field"}
        return "_id" if kind == "_id" else self.known[fields[kind]]

    def _value(self, name: str) -> Any:
        if name in _SAMPLES_BY_NAME:
            return _SAMPLES_BY_NAME[name]
        field = self.known["fields"][name]
        if field.get("items") in _ITEMS:
            return [_ITEMS[field["items"]]]
        return _SAMPLES[field["type"]]


def _is_writable(field: dict[str, Any]) -> bool:
    return (not field.get("read_only") or field.get("also_sent", False)) and not field.get("answers_only")


MODELS = [Facts(kind, known) for kind, known in FACTS.items() if known["path"].removeprefix("/") in _NAMES]
