"""The programs in `examples` as pages, with their source."""

from __future__ import annotations

import json
from pathlib import Path

from repository_links import PROGRAMS, ROOT, SITE_PATHS
from site_page import SitePage

_LANGUAGES = {".py": "python", ".sh": "bash"}


def program_pages() -> list[SitePage]:
    """A page for each program."""
    return [_program_page(ROOT / "examples" / name) for name in PROGRAMS]


def _program_page(file: Path) -> SitePage:
    text = file.read_text(encoding="utf-8")
    body = _notebook(text) if file.suffix == ".ipynb" else f"```{_LANGUAGES[file.suffix]}\n{text}```\n"
    return SitePage(SITE_PATHS[f"examples/{file.name}"], file.name, f"# {file.name}\n\n{body}")


def _notebook(text: str) -> str:
    """The cells of a notebook, texts as they are and code as blocks; headings are one level lower than the page's."""
    parts = []
    for one in json.loads(text)["cells"]:
        source = "".join(one["source"])
        parts.append(source.replace("# ", "## ", 1) if one["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join(parts) + "\n"
