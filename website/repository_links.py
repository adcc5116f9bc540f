"""Links of pages to files of the repository, as links of the site.

Pages are read on the site and where the repository is browsed. There, `../examples/README.md` is a file; on the site it
is a page, which is elsewhere. So pages link to files, and this module turns such links into links to pages.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROGRAMS = (
    "airflow_dag.py",
    "nightly.sh",
    "nightly_changes.py",
    "tasks.ipynb",
    "to_duckdb.py",
    "to_postgres.py",
    "webhook_service.py",
)
"""The files in `examples`, each of which has a page."""

SITE_PATHS = {
    "CHANGELOG.md": "project/changes.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "examples/README.md": "examples/index.md",
    **{f"examples/{name}": f"examples/{Path(name).stem}.md" for name in PROGRAMS},
    "benchmarks/pacing.svg": "assets/pacing.svg",
    "benchmarks/reading.svg": "assets/reading.svg",
    "planhat_async/errors.py": "reference/errors.md",
    "planhat_async/batching/stitcher.py": "how-it-works/stitched-pages.md",
}
"""Where the site has what is at a path of the repository, within `docs`."""

_LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)([^)]*\))")
_REPOSITORY_PATHS = {site: name for name, site in SITE_PATHS.items() if not name.startswith("planhat_async/")}


def with_links_of_the_site(markdown: str, page: str) -> str:
    """The Markdown of a page with its links to files of the repository turned into links to pages of the site.

    Args:
        markdown: The Markdown.
        page: The page's path within `docs`.
    """
    folder = posixpath.dirname(_REPOSITORY_PATHS.get(page, f"docs/{page}"))

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        path = SITE_PATHS.get(target, target.removeprefix("docs/"))
        return f"{link[1]}{posixpath.relpath(path, posixpath.dirname(page) or '.')}{link[3]}"

    return _LINK.sub(rewritten, markdown)
