"""Test the help of each command: its layout, and its examples, which run."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest
from command_line import PROGRAM, Desk, Ended, run
from hypothesis import given
from hypothesis import strategies as st

import planhat_async
from planhat_async.cli.examples import EXAMPLES
from planhat_async.cli.help_page import MAX_WIDTH, MIN_WIDTH, Example, HelpItem, HelpPage, HelpSection
from planhat_async.cli.usage_error import usage_error_in_words

COMMANDS = [*EXAMPLES]
WORDS = st.text("abc-", min_size=1, max_size=12)
TEXTS = st.lists(WORDS, max_size=30).map(" ".join)
ITEMS = st.builds(HelpItem, WORDS, TEXTS)


def help_of(command: str) -> str:
    ended = run(*command.split(), "--help")
    assert (ended.code, ended.err) == (0, [])
    return ended.out


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", [80, 120])
def test_help_fits_the_width(command: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer, and none ends in a blank."""
    monkeypatch.setenv("COLUMNS", str(width))
    lines = help_of(command).splitlines()
    assert [line for line in lines if len(line) > min(width, MAX_WIDTH)] == []
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_the_parts_of_a_manual(command: str) -> None:
    """A sentence, the usage, examples and options; neither Python's words nor markup."""
    text = help_of(command)
    first, _, usage, *_ = text.splitlines()
    assert re.fullmatch(r"[A-Z].*[a-z]\.?", first)
    assert usage.startswith(f"Usage: planhat-async {command}".rstrip())
    assert "\nExamples:\n" in text
    assert "\nOptions:\n" in text
    assert not re.search(r"<bool>|<str>|range|\bNone\b(?! with)|\*\*|\[0m|Value error", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_has_a_meaning(command: str) -> None:
    """A sentence, which may end with its default."""
    lines = re.split(r"\n  (?=-)", help_of(command).split("\nOptions:\n")[1])
    for item in lines[1:]:
        words = " ".join(item.split("\n\n")[0].split())
        assert re.search(r"[.\])]$", words), words


def test_the_version_is_printed() -> None:
    """It is that of the package."""
    assert run("--version") == Ended(0, f"planhat-async {planhat_async.__version__}\n", [])


@pytest.mark.parametrize("arguments", [(), ("jobs",)])
def test_without_arguments_the_help_is_shown(arguments: tuple[str, ...]) -> None:
    """The exit code is that of wrong usage."""
    ended = run(*arguments)
    assert (ended.code, ended.out.rstrip(), ended.err) == (2, help_of(" ".join(arguments)).rstrip(), [])


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_shows_colours_unless_they_are_unwanted(environment: dict[str, str], is_coloured: bool) -> None:
    """`NO_COLOR` leaves them out."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [*PROGRAM, "pace", "--help"], stdout=theirs, stdin=theirs, env={**kept, "TERM": "xterm", **environment}
    ) as process:
        os.close(theirs)
        shown = b""
        while b"Show this message" not in shown:
            shown += os.read(ours, 65536)
        assert process.wait() == 0
    os.close(ours)
    assert (b"\x1b[" in shown) is is_coloured


@pytest.mark.slow
@pytest.mark.parametrize("typed", ["upsert tick", "export --concur"])
def test_a_shell_completes_models_and_options(typed: str) -> None:
    """The shell asks the program by a variable."""
    words = f"planhat-async {typed}"
    done = subprocess.run(
        PROGRAM,
        env={
            **os.environ,
            "_PLANHAT_ASYNC_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() in (["tickets"], ["--concurrency"])


def example_commands() -> Iterator[tuple[str, str]]:
    """Each example with the name of its command, in the order in which one needs the files of another."""
    for name, examples in EXAMPLES.items():
        yield from ((name, example.command) for example in examples)


FILES = {
    "tickets.csv": "source_id,email,company_external_id\n@1,ada(at)acme.example,acme\n",
    "desk.csv": "Ticket,Mail\n@2,ada(at)acme.example\n",
    "mapping.toml": '[fields]\nsource_id = "Ticket"\nemail = "Mail"\n[constants]\ncompany_external_id = "acme"\n',
    "ids.txt": "0123456789abcdef01234567\n",
    "logins.csv": "dimension_id,value,external_id\nlogins,1,acme\n",
}


@pytest.mark.slow
def test_every_example_runs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one folder, one after another; those that go on until they are stopped are left out."""
    monkeypatch.chdir(desk.folder)
    monkeypatch.setenv("PLANHAT_ANALYTICS_URL", desk.url)
    monkeypatch.setenv("PLANHAT_TENANT_UUID", "6f1b7c9e-5b0a-4c7e-9d5b-0f7a3c1e2d4b")
    for name, content in FILES.items():
        desk.file(name, content)
    endless = {"sandbox"}
    for name, command in example_commands():
        if name in endless:
            continue
        if name == "report":
            (desk.folder / "monday.db").write_bytes((desk.folder / "job.db").read_bytes())
        if name == "jobs forget":
            (desk.folder / "old.db").write_bytes((desk.folder / "job.db").read_bytes())
        program, *arguments = shlex.split(command.replace("\\\n", " "))
        ended = run(*arguments)
        allowed = {0, 1} if name in {"delete", "demo", "export", "upsert", "mapping"} else {0}
        assert (program, ended.code in allowed) == ("planhat-async", True), (command, ended)


@pytest.mark.slow
@given(
    st.builds(
        HelpPage,
        summary=TEXTS,
        usage=WORDS,
        examples=st.lists(st.builds(Example, WORDS, WORDS), max_size=2),
        sections=st.lists(st.builds(HelpSection, WORDS, st.lists(ITEMS, max_size=4).map(tuple)), max_size=3),
        details=st.lists(TEXTS, max_size=2),
    ),
    st.integers(0, 200),
)
def test_a_page_keeps_every_word(page: HelpPage, width: int) -> None:
    """Lines fit the width, and colours change nothing but colours."""
    lines = [*page.lines(width)]
    assert max(map(len, lines)) <= max(MIN_WIDTH, min(width, MAX_WIDTH))
    coloured = re.sub(r"\x1b\[\d+m", "", "\n".join(page.lines(width, has_colour=True)))
    assert coloured == "\n".join(lines)
    words = " ".join(lines).split()
    for text in (page.summary, *page.details, *(one.text for part in page.sections for one in part.items)):
        assert all(word in words for word in text.split())
    names = [one.name for part in page.sections for one in part.items]
    assert all(words.count(name) >= names.count(name) for name in names)


@given(st.text(max_size=60))
def test_an_unknown_error_of_usage_is_shown_as_it_is(message: str) -> None:
    """Another version of the parser may have other words."""
    assert usage_error_in_words(f"~{message}", command="planhat-async", names=()) == f"~{message}"


def test_fields_in_json_are_objects() -> None:
    """One for each field."""
    assert {"field", "in_planhat", "type", "is_writable", "meaning"} == {
        *json.loads(run("fields", "nps", "--json").out)[0]
    }


@pytest.mark.slow
def test_examples_name_their_command() -> None:
    """Except for those of the program, and of a command whose result another command uses."""
    for name, command in example_commands():
        assert command.startswith(f"planhat-async {name}".rstrip()) or name == "mapping"
