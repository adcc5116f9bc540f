"""Targets, and whether they are met."""

from __future__ import annotations

import attrs


@attrs.frozen
class Target:
    """A number with an upper bound."""

    text: str
    value: float | None
    most: float

    def line(self) -> str:
        """Return whether it is met, if everything for it was measured."""
        if self.value is None:
            return f"not measured  {self.text}: at most {self.most:.4g}"
        verdict = "met" if self.value <= self.most else "NOT MET"
        return f"{verdict:<12}  {self.text}: {self.value:.4g}, at most {self.most:.4g}"
