"""What Planhat answers with a 400, or blames a row for."""

from __future__ import annotations


class RefusedError(Exception):
    """Planhat would not accept this.

    Attributes:
        field: The field or parameter at fault, empty if it is the whole.
        reason: What is wrong, as the answer says it.
        is_missing: Whether a required field is not there.
    """

    def __init__(self, field: str, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason
        self.is_missing = is_missing
