"""A line that is proposed for a mapping file: TOML, or a comment that becomes TOML: decisions only."""

from __future__ import annotations

import re

import attrs


@attrs.frozen(kw_only=True)
class ProposedLine:
    """A field and what is said about its values."""

    field: str
    value: str
    remark: str = ""
    """Why it is uncertain."""
    is_certain: bool = True
    """Otherwise it is a comment."""

    @property
    def text(self) -> str:
        """The line."""
        start = "" if self.is_certain else "# "
        return f"{start}{toml_key(self.field)} = {toml_text(self.value)}" + (f"  # {self.remark}" * bool(self.remark))


def toml_key(name: str) -> str:
    """A name as a key of TOML: in quotes if it needs them."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_text(name)


def toml_text(text: str) -> str:
    """A text as TOML writes it, with escapes for everything that a terminal would not show as it is."""
    escaped = "".join(
        one if one.isprintable() else f"\\u{ord(one):04x}" if ord(one) <= 0xFFFF else f"\\U{ord(one):08x}"
        for one in text.replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'
