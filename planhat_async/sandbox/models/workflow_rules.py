"""Workflows: one client lists them, and nothing else is known."""

from __future__ import annotations

from planhat_async.sandbox.models.rules import UNKNOWN_DEFAULT_LIMIT, Rules

WORKFLOWS = Rules(
    name="workflows",
    path="workflows",
    default_limit=UNKNOWN_DEFAULT_LIMIT,
    get_keys=(),
    update_keys=(),
    delete_keys=(),
    is_creatable=False,
    match=(),
)
