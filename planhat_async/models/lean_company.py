"""Lean companies: the keys of all companies at once."""

from __future__ import annotations

import attrs

from planhat_async.records import Record, read_only


@attrs.define(kw_only=True, repr=False)
class LeanCompany(Record):
    """The keys and the name of a company (`/leancompanies`, part of "Companies" in Planhat's documentation).

    Planhat answers all companies in one list, and has no other call for them: nothing here may be written. `id` is
    the company's own. A company without a key lacks the field, or holds an empty string in it.
    """

    external_id: str | None = read_only()
    """The company's id in your own system; may be empty."""
    name: str | None = read_only()
    """The company's name."""
    slug: str | None = read_only()
    """A short name, undocumented."""
    source_id: str | None = read_only()
    """The company's id in the system it came from; may be empty."""
