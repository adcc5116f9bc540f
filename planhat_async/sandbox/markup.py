"""The plain text of HTML."""

from __future__ import annotations

import html
import re
from typing import Any

_PARAGRAPH = re.compile(r"</(?:p|div)>", re.IGNORECASE)
_LINE = re.compile(r"<br ?/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")


def plain_text(markup: object) -> str:
    """The text of a description without its HTML tags, paragraphs kept apart by an empty line."""
    if not isinstance(markup, str):
        return ""
    if "<" not in markup and "&" not in markup:
        return markup.strip()
    text = _LINE.sub("\n", _PARAGRAPH.sub("\n\n", markup))
    return html.unescape(_TAG.sub("", text)).strip()


def snippet_of(sent: dict[str, Any]) -> dict[str, Any]:
    """The `snippet` of a `description`, if one was sent."""
    return {"snippet": plain_text(sent["description"])} if "description" in sent else {}
