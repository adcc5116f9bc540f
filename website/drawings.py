"""The drawings of `docs/assets` as part of their pages, so that their lines have the colour of the text around them."""

from __future__ import annotations

import re

from repository_links import ROOT

_IMAGE = re.compile(r'<img [^>]*src="[^"]*assets/([\w-]+\.svg)"[^>]*>')
_STYLE = re.compile(r"<style>.*?</style>\n?", re.DOTALL)


def with_drawings(content: str) -> str:
    """The HTML of a page with its images of drawings replaced by the drawings themselves.

    As an image a drawing knows the system's colours, not those that a reader chose on the page.
    """

    def drawn(image: re.Match[str]) -> str:
        file = ROOT / "docs" / "assets" / image[1]
        return _STYLE.sub("", file.read_text(encoding="utf-8")) if file.exists() else image[0]

    return _IMAGE.sub(drawn, content)
