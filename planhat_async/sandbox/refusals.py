"""The reason why Planhat answers 400, or blames a row."""

from __future__ import annotations


class RefusedError(Exception):
    """Planhat refuses this.

    Attributes:
        field: The field or parameter at fault, empty if it is the whole.
        reason: The text in the answer.
        is_missing: Whether a required field is missing.
    """

    def __init__(self, field: str, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason
        self.is_missing = is_missing
