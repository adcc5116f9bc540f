"""Rows of every model, made from the facts on it, for the clients of Planhat that others wrote."""

from __future__ import annotations

from typing import Any

from model_facts import MODELS, Facts

from planhat_async.sandbox import Company

ACME = Company("0" * 23 + "a", external_id="acme", source_id="120", name="Acme", domains=["acme.example"])
"""The company that the rows name; it is older than any record that is added."""
OTHER = Company("0" * 23 + "b", external_id="other", source_id="121", name="Other")
KINDS = {facts.kind: facts for facts in MODELS}
_KINDS_WITH_ADDRESS = {"user", "enduser"}


def row(facts: Facts, number: int = 1) -> dict[str, Any]:
    """A row that either call creates, with every key of its own that the model has."""
    keys = dict.fromkeys(own_keys(facts), f"key-{number}")
    email = {"email": f"ada-{number}@acme.example"} if facts.kind in _KINDS_WITH_ADDRESS else {}
    kind = {"type": "note"} if facts.kind == "conversation" else {}
    sent = facts.good("create") | facts.good("bulk") | keys | email | kind
    company = facts.known["company_field"]
    return sent | ({company: ACME.company_id} if company in sent else {})


def rows(facts: Facts, n_rows: int) -> list[dict[str, Any]]:
    """Rows that differ by their keys."""
    return [row(facts, number) for number in range(n_rows)]


def changed(facts: Facts, text: str = "changed") -> dict[str, Any]:
    """A change of a text that is no key and no choice."""
    kinds = {name: facts.known["fields"][name]["type"] for name in facts.writable()}
    others = {*own_keys(facts), "custom", "email", "type"}
    return {next(name for name, kind in kinds.items() if kind == "string" and name not in others): text}


def own_keys(facts: Facts) -> list[str]:
    """The fields that hold a caller's own keys."""
    return [field for kind in ("srcid", "extid") if (field := facts.key(kind))]


def company_field(facts: Facts) -> str | None:
    """The field that names the company, if the model's list is filtered by it; of a company its `_id`."""
    is_filtered = any(one["name"] == "companyId" and one["mark"] == "D" for one in facts.known["list"]["filters"])
    return str(facts.known["company_field"] or "_id") if is_filtered else None
