"""The column of reasons in a file of rows to be corrected."""

from __future__ import annotations

REASON_COLUMN = "not stored because"
"""It stands beside the rows' own columns, and is ignored when they are sent again."""
