"""The events of MkDocs: pages made from the source are added, and links to files of the repository made to fit.

MkDocs loads this module by its path and puts its folder on the module path, so its neighbours are imported by name.
"""

from __future__ import annotations

import re

from api_page import api_page
from command_page import command_page
from drawings import with_drawings
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from model_pages import model_pages
from program_pages import program_pages
from repository_links import ROOT, SITE_PATHS, with_links_of_the_site

MODELS = "Models"
"""The entry of the navigation under which the pages of the models come."""

_TARGET = re.compile(r'<a href="" (id="[^"]+")></a>')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add a page for each model to the navigation."""
    pages = [{one.title: one.path} for one in model_pages()]
    for section in config.nav or []:
        for entry in next(iter(section.values())):
            if isinstance(entry, dict) and MODELS in entry:
                entry[MODELS].extend(pages)
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what is not in `docs`: generated pages, and files elsewhere in the repository that pages link to."""
    generated = {one.path: one.text for one in (*model_pages(), *program_pages(), command_page(), api_page())}
    for path, text in generated.items():
        files.append(File.generated(config, path, content=text))
    for name, path in SITE_PATHS.items():
        if path not in generated and files.get_file_from_path(path) is None:
            files.append(File.generated(config, path, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs passes all four
    """Let links to files of the repository lead to their pages on the site."""
    return with_links_of_the_site(markdown, page.file.src_uri)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs passes all four
    """Draw drawings in the page's own colours, and make targets of links that are no links themselves."""
    return _TARGET.sub(r"<span \1></span>", with_drawings(html))


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001 - MkDocs passes all three
    """Name the dialog of the search for screen readers, as the theme does not."""
    return output.replace(
        'data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"'
    )
