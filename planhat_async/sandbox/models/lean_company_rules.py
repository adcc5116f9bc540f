"""Lean companies: a short view of companies, whose list comes as a whole."""

from __future__ import annotations

from planhat_async.sandbox.models.list_filters import AmongTexts, Equal
from planhat_async.sandbox.models.rules import Rules

LEAN_COMPANIES = Rules(
    name="lean_companies",
    path="leancompanies",
    collection="companies",
    is_replaceable=True,
    company=None,
    is_paged=False,
    filters=(
        Equal(parameter="externalId", field="externalId"),
        Equal(parameter="sourceId", field="sourceId"),
        AmongTexts(parameter="status", field="status"),
    ),
    listed_fields=("name", "externalId", "sourceId", "slug"),
    get_keys=(),
    update_keys=(),
    delete_keys=(),
    is_creatable=False,
    match=(),
)
