"""Test that the files around the package agree with each other: its metadata, the changelog, CI and the image."""

import re
import tomllib

import pytest
from documents import ROOT

import planhat_async

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read(name: str) -> str:
    """A file's text; the test is skipped in a copy without it, such as that of `.ci/wheel`."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"there is no {name} here")
    return path.read_text(encoding="utf-8")


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    """`planhat_async.__version__`, from which packages are built, has its section of changes."""
    released = re.findall(r"^## \[(\d[^]]*)\] - \d{4}-\d\d-\d\d$", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert released[0] == planhat_async.__version__


def test_every_claimed_python_runs_in_ci() -> None:
    """The matrix has the versions of the classifiers, and the image one of them."""
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    matrix = next(line for line in read(".github/workflows/ci.yml").splitlines() if " python: [" in line)
    assert re.findall(r'"(3\.\d+)"', matrix) == claimed
    assert {*re.findall(r"FROM python:(3\.\d+)", read("Dockerfile"))} <= {*claimed}
    assert PROJECT["project"]["requires-python"] == f">={claimed[0]}"


def test_the_image_is_built_from_what_a_wheel_needs() -> None:
    """`.dockerignore` admits these files, and nothing else that could hold a token or customer data."""
    admitted = [line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")]
    assert admitted == ["LICENSE", "README.md", "planhat_async", "pyproject.toml"]


def test_every_decision_is_listed() -> None:
    """The list of decisions has each page, with its title."""
    listed = re.findall(r"^\| \[(\d+)\]\(([^)]+)\) \| (.+) \|$", read("docs/decisions/README.md"), flags=re.MULTILINE)
    pages = sorted(ROOT.glob("docs/decisions/0*.md"))
    assert [(name, f"# {number}. {title}") for number, name, title in listed] == [
        (page.name, page.read_text(encoding="utf-8").splitlines()[0]) for page in pages
    ]


@pytest.mark.parametrize("extra", sorted(PROJECT["project"]["optional-dependencies"]))
def test_every_extra_is_documented(extra: str) -> None:
    """A page or the changelog says what it is for."""
    text = read("CHANGELOG.md") + "".join(page.read_text(encoding="utf-8") for page in ROOT.glob("docs/**/*.md"))
    assert re.search(rf"extras? [^.]*`{extra}`|planhat-async\[[^]]*\b{extra}\b|\({extra}\)", text)
