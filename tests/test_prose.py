"""Test that documents, docstrings, comments and messages avoid words over which a reader stumbles."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import ROOT

import planhat_async

BETTER = {
    r"(nobody|somebody|anybody|everybody|whoever)": "name who, or use the passive voice",
    r"(befalls?|befell|(becomes?|became) of)": "the row's outcome",
    r"what(so)?ever": "name the cases, or leave it out",
    r"(is|are|was|were) none": "say what there is, or what is missing",
    r"(?<![Tt]here )(is|are) no (row|record|object|list|text|number|time|day|key|field|value|file|model)s?": "is not",
    r"told": "given, sent, known, logged",
    r"strikes?": "applies",
    r"(barren|needlework|whence|whither|thereof|therein|hitherto)": "a word in daily use",
    r"for good": "after all retries, permanently",
    r"(likewise|so to speak|as it were)": "the same, or leave it out",
    r"(Courier|Settler|Descent|Leftover|Pumped|Strike|Shelf)": "a name from the field",
    r"(It is|Read on|Close it)\.$": "leave it out",
}
"""Patterns to avoid, with what is better."""

PATTERNS = {re.compile(rf"\b{pattern}(?!\w)", re.MULTILINE): better for pattern, better in BETTER.items()}
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
MODULES = sorted(Path(planhat_async.__file__).parent.rglob("*.py"))


def texts(module: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines and the texts of docstrings, messages and comments, among them all that `--help` shows."""
    source = module.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def findings(file: Path, first_line: int, text: str) -> list[str]:
    """Each match of a pattern: where it is, and what is better."""
    name = file.relative_to(ROOT) if ROOT in file.parents else file.name
    return [
        f"{name}:{first_line + text.count(chr(10), 0, found.start())}: '{found[0]}': {better}"
        for pattern, better in PATTERNS.items()
        for found in pattern.finditer(text)
    ]


def test_documents_are_plain() -> None:
    """No page of the repository has a word that `BETTER` replaces."""
    assert [found for page in PAGES for found in findings(page, 1, page.read_text(encoding="utf-8"))] == []


@pytest.mark.slow
def test_docstrings_comments_and_messages_are_plain() -> None:
    """No module has one either."""
    assert [found for module in MODULES for line, text in texts(module) for found in findings(module, line, text)] == []


def test_the_patterns_find_what_they_are_for() -> None:
    """They match whole words, in any line of a text."""
    text = "fine\nIt is none.\nnobody was told\nuntold nobodies\nthere is no row: that is no row\nRead on.\n"
    assert sorted(found.split(":")[1] for found in findings(ROOT / "page.md", 1, text)) == ["2", "3", "3", "5", "6"]
    assert findings(ROOT / "page.md", 7, "told") == ["page.md:7: 'told': given, sent, known, logged"]
