"""`planhat-async export --all`: a whole tenant, resumed, refused in part, broken off."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from command_line import TOKEN, Desk, Ended, run
from each_model import sample_row, with_capability
from pyarrow import parquet

from planhat_async._convert import encode_json
from planhat_async.cli import console
from planhat_async.jobs.tenant_export import MANIFEST
from planhat_async.repositories import Lists, Upserts

NAMES = [one.model.name for one in with_capability(Lists)]
HOW_TO = "the same command with --resume leaves complete files as they are, and goes on"
Answers = dict[str, tuple[int, bytes] | Callable[[], None]]


@pytest.fixture(scope="module")
def stocked(sandbox: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two records of each model that can be written, and an archived end user."""
    file = tmp_path_factory.mktemp("stock") / "rows.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANHAT_API_TOKEN", TOKEN)
        # From the first company on, records of unknown ones are refused.
        for model in sorted(
            (one.model for one in with_capability(Lists, Upserts)), key=lambda one: not one.company_field
        ):
            more = {"archived": True} if model.name == "endusers" else {}
            file.write_bytes(b"".join(encode_json(sample_row(model, n, **more)) + b"\n" for n in range(2)))
            assert run("upsert", model.name, file, "--base-url", sandbox).code == 0


def exported(*arguments: str) -> tuple[int, dict[str, Any]]:
    """How an export of all models ended, and what it printed as JSON."""
    ended = run("export", "--all", "all", "--json", *arguments)
    return ended.code, json.loads(ended.out)


def files() -> dict[str, bytes]:
    """The files of models, by name."""
    return {path.name: path.read_bytes() for path in Path("all").iterdir() if path.name != MANIFEST}


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """What a Planhat in the environment answers, by paths: any other list is empty."""
    answers: Answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0], (200, b"[]"))
            if not isinstance(answer, tuple):
                answer()
                self.rfile.read(1)  # no answer; until the caller hangs up
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("PLANHAT_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
        yield answers
        server.shutdown()
        thread.join(timeout=60)


@pytest.mark.slow
@pytest.mark.usefixtures("stocked")
def test_every_model_has_a_file(desk: Desk) -> None:
    """Each holds what an export of that model holds, hidden records included."""
    code, told = exported()
    assert (code, told["ok"], told["stopped_by"]) == (0, True, None)
    assert [one["name"] for one in told["models"]] == NAMES
    assert sorted(files()) == sorted(f"{name}.jsonl" for name in NAMES)
    for one in told["models"]:
        alone = run("export", one["name"]).out.encode()
        assert (one["file"], files()[f"{one['name']}.jsonl"]) == (f"all/{one['name']}.jsonl", alone)
        assert (one["records"], one["was_complete"], one["skipped"]) == (alone.count(b"\n"), False, None)
    assert told["records"] == sum(one["records"] for one in told["models"]) > len(NAMES)
    assert b'"archived":true' in files()["endusers.jsonl"]
    assert (desk.folder / "all").stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("desk", "stocked")
def test_the_summary_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each model, and one when each has ended."""
    monkeypatch.setattr(console.out, "_width", 200)
    ended = run("export", "--all", "all")
    assert (ended.code, len(ended.err)) == (0, len(NAMES))
    assert "2 campaigns exported to all/campaigns.jsonl" in ended.err
    shown = [line.strip("│ ").split("│") for line in ended.out.splitlines() if line.startswith("│")]
    assert [cells[0].strip() for cells in shown] == NAMES


@pytest.mark.usefixtures("desk", "stocked")
@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_the_files_may_have_another_format(format_: str) -> None:
    """All of them; complete ones are skipped by --resume, and others begin again."""
    assert exported("--format", format_)[0] == 0
    assert sorted(files()) == sorted(f"{name}.{format_}" for name in NAMES)
    if format_ == "parquet":
        assert parquet.read_table("all/campaigns.parquet").num_rows == 2
    before = files()
    Path(f"all/tickets.{format_}").rename(f"all/tickets.{format_}.part")
    code, told = exported("--format", format_, "--resume")
    assert (code, [one["name"] for one in told["models"] if not one["was_complete"]]) == (0, ["tickets"])
    assert files() == before


@pytest.mark.usefixtures("desk", "stocked")
def test_resume_leaves_complete_files_and_goes_on_with_the_rest() -> None:
    """After the last whole line of a file that is not complete; the outcome is that of one run."""
    exported()
    before = files()
    first = before["tasks.jsonl"].splitlines(keepends=True)[0]
    Path("all/tasks.jsonl").unlink()
    Path("all/tasks.jsonl.part").write_bytes(first + b'{"_id":"5')
    Path("all/users.jsonl").unlink()
    Path("all/lean_companies.jsonl").rename("all/lean_companies.jsonl.part")
    Path("all/notes.jsonl").write_text("complete as it is\n")
    code, told = exported("--resume")
    read_now = {one["name"]: one["records"] for one in told["models"] if not one["was_complete"]}
    assert (code, [*read_now]) == (0, ["lean_companies", "tasks", "users"])
    assert read_now["tasks"] == before["tasks.jsonl"].count(b"\n")
    assert files() == before | {"notes.jsonl": b"complete as it is\n"}


@pytest.mark.slow
@pytest.mark.usefixtures("desk")
def test_what_the_token_may_not_read_is_skipped(door: Answers) -> None:
    """One line says which model and why; the others are exported, and the code is 1."""
    door["/companies"], door["/users"] = (403, b'{"error":"no"}'), (404, b"{}")
    ended = run("export", "--all", "all", "--format", "csv")
    assert ended.code == 1
    skipped = [line for line in ended.err if "skipped" in line]
    assert [line.partition(":")[0] for line in skipped] == ["companies skipped", "users skipped"]
    assert "answered 403 (the token may not do this" in skipped[0]
    assert sorted(files()) == sorted(f"{name}.csv" for name in NAMES if name not in {"companies", "users"})
    code, told = exported("--format", "csv")
    assert (code, told["ok"], told["stopped_by"]) == (1, False, None)
    (companies,) = [one for one in told["models"] if one["name"] == "companies"]
    assert (companies["records"], companies["file"]) == (None, None)
    assert "answered 403" in companies["skipped"]


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((500, b"{}"), id="server error"),
        pytest.param((401, b"{}"), id="wrong token"),
        pytest.param((403, b"<html>blocked</html>"), id="proxy"),
        pytest.param((200, b"<html>"), id="no list"),
    ],
)
def test_any_other_error_ends_the_run(
    door: Answers, answer: tuple[int, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how to go on, after a table of what there is; the next run goes on."""
    monkeypatch.setattr("random.random", lambda: 0.0)  # attempts are repeated without waiting
    door["/endusers"] = answer
    ended = run("export", "--all", "all")
    first = "once the token is correct, " if answer[0] == 401 else ""
    assert (ended.code, ended.err[-1]) == (3, first + HOW_TO)
    assert ended.err[-2].startswith("planhat-async: GET ")
    n_before = NAMES.index("endusers")
    assert ended.out.count("all/") == n_before
    code, told = exported("--resume")
    assert (code, len(told["models"]), told["ok"], "/endusers" in told["stopped_by"]) == (3, n_before, False, True)
    door.clear()
    code, told = exported("--resume")
    assert (code, sum(one["was_complete"] for one in told["models"])) == (0, n_before)
    assert sorted(files()) == sorted(f"{name}.jsonl" for name in NAMES)


@pytest.mark.usefixtures("desk")
def test_a_refusal_amid_a_list_keeps_the_records_before_it(door: Answers) -> None:
    """The model is skipped, the others are exported, and its part can be resumed."""
    exported()
    Path("all/companies.jsonl").unlink()
    Path("all/companies.jsonl.part").write_text('{"_id":"5f4e3d2c1b0a998877665544"}\n')
    Path("all/tickets.jsonl").unlink()
    door["/companies"] = (403, b"{}")
    code, told = exported("--resume")
    (companies,) = [one for one in told["models"] if one["name"] == "companies"]
    assert (code, "answered 403" in companies["skipped"], "companies.jsonl.part holds" in companies["skipped"]) == (
        1,
        True,
        True,
    )
    assert Path("all/companies.jsonl.part").read_text() == '{"_id":"5f4e3d2c1b0a998877665544"}\n'
    assert Path("all/tickets.jsonl").exists()
    door.clear()
    assert exported("--resume")[0] == 0


@pytest.mark.slow
@pytest.mark.usefixtures("desk")
def test_files_of_an_earlier_export_are_not_complete(door: Answers) -> None:
    """Only those that the interrupted export has written are left alone."""
    assert exported()[0] == 0
    door["/endusers"] = (401, b"{}")
    assert exported()[0] == 3
    door.clear()
    door["/tickets"] = (200, b'[{"_id":"5f4e3d2c1b0a998877665544"}]')
    code, told = exported("--resume")
    complete = [one["name"] for one in told["models"] if one["was_complete"]]
    assert (code, complete) == (0, NAMES[: NAMES.index("endusers")])
    assert files()["tickets.jsonl"] == b'{"_id":"5f4e3d2c1b0a998877665544"}\n'


@pytest.mark.usefixtures("desk")
def test_a_part_of_an_earlier_export_is_not_resumed(door: Answers) -> None:
    """It may hold records that are deleted by now: a new export begins without it, even if it is interrupted."""
    Path("all").mkdir()
    Path("all/tickets.jsonl.part").write_text('{"_id":"5f4e3d2c1b0a998877665544"}\n')
    door["/endusers"] = (401, b"{}")
    assert exported()[0] == 3
    door.clear()
    assert exported("--resume")[0] == 0
    assert files()["tickets.jsonl"] == b""


@pytest.mark.usefixtures("desk", "door")
def test_an_export_of_another_server_or_format_is_not_resumed() -> None:
    """The records of two tenants would be in one folder."""
    assert exported()[0] == 0
    ended = run("export", "--all", "all", "--resume", "--format", "csv")
    assert (ended.code, ended.err) == (
        2,
        ["planhat-async: all holds an export whose format is jsonl, not csv"],
    )
    ended = run("export", "--all", "all", "--resume", "--base-url", "http://127.0.0.1:9")
    assert ended.code == 2
    assert "whose base_url is http://127.0.0.1:" in ended.err[0]
    Path("all").rename("new")
    Path("all").mkdir()
    ended = run("export", "--all", "all", "--resume")
    assert (ended.code, ended.err) == (2, ["planhat-async: all holds no export to resume: leave out --resume"])


@pytest.mark.usefixtures("desk")
def test_an_interrupted_export_says_how_to_go_on(door: Answers) -> None:
    """Below that it was interrupted; what is complete stays."""
    door["/deals"] = lambda: os.kill(os.getpid(), signal.SIGINT)
    ended = run("export", "--all", "all")
    assert (ended.code, ended.err[-2:]) == (130, ["planhat-async: interrupted", HOW_TO])
    complete = [name for name in files() if not name.endswith(".part")]
    assert len(complete) == NAMES.index("deals")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tickets", "--all", "all"], "--all exports every model: leave out tickets, or --all"),
        (["--all", "all", "-o", "x.jsonl"], "--all names the folder of the files: leave out --output"),
        ([], "name the model to export, or all of them with --all FOLDER"),
        (["tickets", "--json"], "--json needs --all: give that too"),
        (["--all", "--format", "parquet"], "--all: --format is an option, not a folder: say --all FOLDER"),
        (["--all", "-o", "x"], "--all: -o is an option, not a folder: say --all FOLDER"),
        (["--all", "file"], "--all file: it is not a folder"),
        (["--all", "no/folder"], "no/folder: there is no folder no"),
    ],
)
def test_what_cannot_be_used_is_refused(desk: Desk, arguments: list[str], message: str) -> None:
    """In one line, before anything is read or written."""
    desk.file("file", "")
    assert run("export", *arguments) == Ended(2, "", [f"planhat-async: {message}"])
    assert os.listdir() == ["file"]


@pytest.mark.usefixtures("desk")
def test_a_folder_that_cannot_be_written_is_refused() -> None:
    """With the name of the first file."""
    ended = run("export", "--all", "/proc/self", "--json")
    assert ended.code == 2
    assert ended.err[0].startswith("planhat-async: /proc/self/")


@pytest.mark.slow
@pytest.mark.usefixtures("desk", "stocked")
def test_a_list_that_one_call_answers_is_exported() -> None:
    """It has no pages, and begins again when it is resumed."""
    whole = run("export", "lean_companies")
    assert (whole.code, whole.out.count("\n")) == (0, 2)
    Path("l.jsonl.part").write_text(whole.out.splitlines(keepends=True)[1])
    assert run("export", "lean_companies", "-o", "l.jsonl", "--resume").code == 0
    assert Path("l.jsonl").read_text() == whole.out
