"""Test the command line from a user's view: input, output and exit codes."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from attrs import define, evolve, field
from command_line import (
    FINISHING,
    FINISHING_SOON,
    GOOD,
    HEAD,
    PROGRAM,
    TOKEN,
    Desk,
    Ended,
    good,
    good_json,
    listening,
    request_on,
    run,
    started,
)
from each_model import sample_row
from pyarrow import parquet as pq
from sandbox_thread import sandbox_thread

from planhat_async import Companies, Conversations, EndUsers, Model, Notes, Tasks, Tickets
from planhat_async._convert import encode_json
from planhat_async.cli import app as cli
from planhat_async.cli.demo import DemoReport
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.job_progress import in_words
from planhat_async.results import UpsertResult
from planhat_async.sandbox import Sandbox
from planhat_async.sandbox.faults import KINDS

COUNTS = [
    *("created", "updated", "unchanged", "unreported", "skipped"),
    *("rejected", "invalid", "dropped", "unknown", "unsent"),
]


def around(line: bytes) -> bytes:
    """Return a CSV with a valid row before and after this line."""
    return (HEAD + good(1)).encode() + line + b"\n" + good(3).encode()


def around_json(line: str) -> bytes:
    """Return a JSONL file with a valid row before and after this line."""
    return (good_json(1) + line + "\n" + good_json(3)).encode()


BAD_ROWS = [
    pytest.param(
        "t.csv", around(b",ada(at)acme.example,acme.example,Hi"), "one of source_id or id is required", id="no key"
    ),
    pytest.param("t.csv", around(b"@2,a,b.example,Hi,oops"), "line 3: 5 cells, but the header has 4", id="cells"),
    pytest.param(
        "t.csv",
        around("@2,a,b.example,café".encode("latin-1")),
        "line 3: column 'title' holds bytes of another encoding than utf-8: say --encoding, such as cp1252",
        id="encoding",
    ),
    pytest.param("t.jsonl", around_json("{oops"), "line 2: an unexpected 'oops' at column 2", id="not JSON"),
    pytest.param("t.jsonl", around_json("[1]"), "line 2: not a JSON object but a list", id="not an object"),
    pytest.param(
        "t.jsonl",
        around_json('{"sourceId":"@2","email":"a(at)b.example","domains":["b"],"titel":"x"}'),
        "Ticket has no field 'titel'; did you mean title?",
        id="no field",
    ),
    pytest.param(
        "t.jsonl",
        around_json('{"sourceId":"@2","email":"a(at)b.example","domains":5}'),
        "line 2: domains: 5 is not a list",
        id="wrong type",
    ),
]


@pytest.mark.parametrize(("name", "content", "reason"), BAD_ROWS)
def test_an_invalid_row_is_reported_and_the_others_are_stored(
    desk: Desk, name: str, content: bytes, reason: str
) -> None:
    """One line has the row and the reason; the exit code shows that not all rows were stored."""
    ended = run("upsert", "tickets", desk.file(name, content))
    assert (ended.code, ended.err) == (1, [f"row 2 invalid: {reason}"])
    assert [*desk.stored()] == ["@1", "@3"]


@pytest.mark.parametrize(("name", "content", "reason"), BAD_ROWS)
def test_an_invalid_row_is_reported_in_json(desk: Desk, name: str, content: bytes, reason: str) -> None:
    """Every valid row was sent once."""
    ended = run("upsert", "tickets", desk.file(name, content), "--json")
    printed = json.loads(ended.out)
    assert printed.pop("seconds") >= 0
    assert (ended.code, ended.err) == (1, [])
    assert printed == {
        **dict.fromkeys(COUNTS, 0),
        "rows": 3,
        "created": 2,
        "invalid": 1,
        "ok": False,
        "stopped_by": None,
        "calls": 1,
        "attempts": 1,
        "n_problems": 1,
        "problems": [{"row": 2, "key": None, "outcome": "invalid", "reason": reason}],
        "not_stored": {"invalid": [[2, 2]]},
        "remarks": [],
    }


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (
            "soon",
            (
                "start_time: 'soon' is not a time such as 2024-05-31T09:30:00Z; "
                "a mapping file can say its form under [dates]"
            ),
        ),
        (
            "2024-05-31",
            "start_time: 2024-05-31 00:00:00 has no time zone: give one with --time-zone, such as --time-zone UTC",
        ),
    ],
)
def test_an_invalid_date_is_reported_and_the_others_are_stored(desk: Desk, cell: str, reason: str) -> None:
    """The message contains the expected form."""
    lines = f"sourceId,companyId,startTime\n@1,extid-acme,{cell}\n@2,extid-acme,2024-05-31T09:30:00Z\n"
    ended = run("upsert", "tasks", desk.file("t.csv", lines))
    assert (ended.code, ended.err) == (1, [f"row 1 invalid: line 2: {reason}"])
    assert [*desk.stored("tasks")] == ["@2"]


def test_columns_are_mapped_and_constants_set(desk: Desk) -> None:
    """The README shows the same command; cells may contain line breaks."""
    lines = 'ID,Mail,Text,Plan\n@1,ada(at)acme.example,"Hello,\nworld",Gold\n'
    maps = ("--map", "source_id=ID", "--map", "email=Mail", "--map", "description=Text", "--map", "custom.Plan=Plan")
    ended = run("upsert", "tickets", desk.file("t.csv", lines), *maps, "--set", "companyExternalId=acme")
    assert (ended.code, ended.err) == (0, [])
    ticket = desk.stored()["@1"]
    assert {name: ticket[name] for name in ("email", "description", "custom", "companyExternalId")} == {
        "email": "ada@acme.example",
        "description": "Hello,\nworld",
        "custom": {"Plan": "Gold"},
        "companyExternalId": "acme",
    }


def test_rows_sent_again_are_not_created_again(desk: Desk) -> None:
    """The second result shows that; answers for tickets have two counts only."""
    file = desk.file("t.jsonl", good_json(1) + good_json(2))
    first, second = (json.loads(run("upsert", "tickets", file, "--json").out) for _ in range(2))
    assert [(printed["created"], printed["unreported"], printed["ok"]) for printed in (first, second)] == [
        (2, 0, True),
        (0, 2, True),
    ]
    assert [*desk.stored()] == ["@1", "@2"]


def test_a_file_in_another_encoding_is_read_with_the_option(desk: Desk) -> None:
    """The option names the encoding."""
    file = desk.file("t.csv", (HEAD + good(1).replace("Hello", "Größe")).encode("latin-1"))
    assert run("upsert", "tickets", file, "--encoding", "latin-1").code == 0
    assert desk.stored()["@1"]["title"] == "Größe"


def test_rows_are_sent_in_chunks_of_the_given_size(desk: Desk) -> None:
    """Each chunk is one call."""
    file = desk.file("t.csv", HEAD + good(1) + good(2) + good(3))
    printed = json.loads(run("upsert", "tickets", file, "--chunk-size", "2", "--concurrency", "1", "--json").out)
    assert (printed["calls"], printed["attempts"], printed["created"]) == (2, 2, 3)


REFUSED = [
    pytest.param(["t.csv", "--map", "source_id=Key"], "t.csv: --map source_id=Key: the file has no such", id="column"),
    pytest.param(["t.csv", "--map", "sorce_id=a"], "--map sorce_id=a: Ticket has no field 'sorce_id'", id="field"),
    pytest.param(
        ["t.csv", "--map", "createDate=title"],
        "--map createDate=title: Ticket.create_date is filled in by Planhat: ",
        id="read-only field",
    ),
    pytest.param(
        ["t.csv", "--set", "create_date=2024-05-31T09:30:00Z"],
        "--set create_date=2024-05-31T09:30:00Z: Ticket.create_date is filled in by Planhat: ",
        id="read-only value",
    ),
    pytest.param(
        ["dated.csv"],
        "dated.csv: column 'createDate': Ticket.create_date is filled in by Planhat: ",
        id="read-only column",
    ),
    pytest.param(["t.csv", "--set", "title=Hi"], "t.csv: title is given twice: by the column 'title'", id="twice"),
    pytest.param(["double.csv"], "double.csv: title is given twice: by the column 'title'", id="double column"),
    pytest.param(
        ["double.csv", "--map", "title=title"], "double.csv: the file has the column 'title' twice", id="double mapped"
    ),
    pytest.param(["t.csv", "--map", "source_id"], "'source_id' does not have the form --map", id="no equals"),
    pytest.param(["t.csv", "--set", "time_spent=abc"], "--set: time_spent: 'abc' is not a number", id="value"),
    pytest.param(["t.csv", "--encoding", "klingon"], "unknown encoding 'klingon'", id="encoding"),
    pytest.param(["strange.csv"], "strange.csv: column 'Ticket ID': Ticket has no field 'Ticket ID'", id="unknown"),
    pytest.param(
        ["foreign.csv"],
        "foreign.csv: column 'Ticket ID': Ticket has no field 'Ticket ID' (say --map FIELD='Ticket ID'), and 2 more "
        "columns are not fields: propose a mapping file with planhat-async mapping tickets foreign.csv -o mapping.toml",
        id="several unknown",
    ),
    pytest.param(["latin.csv"], "latin.csv: line 1: the header is not utf-8: say --encoding", id="header encoding"),
    pytest.param(["wide.csv"], "wide.csv: line 1: the header is probably UTF-16: say --encoding ", id="UTF-16"),
    pytest.param(["gone.csv"], "gone.csv: No such file or directory", id="missing file"),
    pytest.param([".", "--format", "csv"], ". is a directory: name a file in it", id="directory"),
    pytest.param(
        ["t.parquet.gz"], "t.parquet.gz: Parquet is read from its end, which gzip does not allow", id="packed"
    ),
    pytest.param(["pipe.csv"], "pipe.csv is not a regular file: a pipe's rows must be in a file first", id="pipe"),
    pytest.param(
        ["t.doc"], "t.doc: the name must end in .csv, .jsonl, .ndjson, .parquet, .json, .tsv, .tab, .xlsx", id="ending"
    ),
    pytest.param(["t.csv", "--token-file", "gone"], "gone: No such file or directory", id="missing token file"),
    pytest.param(["t.csv", "--token-file", "empty"], "empty contains no token", id="empty token file"),
    pytest.param(
        ["t.csv", "--token-file", "twice"], "the Planhat token contains a space, a line break", id="two tokens"
    ),
    pytest.param(["t.csv", "--token-file", "bytes"], "the Planhat token contains a space, a line break", id="no text"),
    pytest.param(["t.csv", "--base-url", "http://planhat.example"], "'http://planhat.example' would send", id="http"),
    pytest.param(["t.csv", "--base-url", "planhat"], "the base URL must look like https://api.planhat.com", id="URL"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_unusable_input_is_refused_in_one_line_before_any_row_is_sent(
    desk: Desk, arguments: list[str], message: str
) -> None:
    """The line names the setting or the file; the exit code is that of wrong usage."""
    desk.file("t.csv", HEAD + GOOD)
    desk.file("foreign.csv", "Ticket ID,email,Who,When\n")
    desk.file("strange.csv", "Ticket ID,email\n")
    desk.file("latin.csv", "Größe\n".encode("latin-1"))
    desk.file("wide.csv", "title\n".encode("utf-16-le"))
    desk.file("dated.csv", "title,createDate\n")
    desk.file("double.csv", "title,url,title\n")
    os.mkfifo("pipe.csv")
    desk.file("t.parquet.gz", gzip.compress(b"PAR1"))
    desk.file("bytes", b"\xff\xfe")
    desk.file("empty", "\n")
    desk.file("twice", f"{TOKEN}\n{TOKEN}\n")
    ended = run("upsert", "tickets", *arguments)
    assert (ended.code, ended.out, len(ended.err)) == (2, "", 1)
    assert ended.err[0].startswith(f"planhat-async: {message}")
    assert desk.stored() == {}


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "the Planhat token is missing or empty: set PLANHAT_API_TOKEN, or pass token=… (--token-file)"),
        (f"{TOKEN}\nx", "the Planhat token contains a space, a line break or another invalid character"),
    ],
)
@pytest.mark.parametrize("command", [["export", "tickets"], ["upsert", "tickets", "t.csv"]])
def test_an_invalid_token_is_refused(
    desk: Desk, command: list[str], token: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message does not contain it."""
    desk.file("t.csv", HEAD + GOOD)
    monkeypatch.setenv("PLANHAT_API_TOKEN", token)
    ended = run(*command)
    assert ended == Ended(2, "", [f"planhat-async: {message}"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["upsert", "ticket", "t.csv"], "MODEL: there is no model 'ticket': did you mean tickets?"),
        (["upsert", "x", "t.csv"], "MODEL: there is no model 'x': planhat-async models lists all"),
        (
            ["upsert", "workflows", "t.csv"],
            "MODEL: workflows cannot be upserted: planhat-async models says what each model can do",
        ),
        (["upsert", "tickets"], "FILE is missing: see planhat-async upsert --help"),
        (
            ["upsert", "tickets", "t.csv", "--chunk-size", "5001"],
            "--chunk-size: '5001' is not a whole number from 1 to 5,000",
        ),
        (
            ["upsert", "tickets", "t.csv", "--per-minute", "0"],
            "--per-minute: '0' is not a whole number of at least 1",
        ),
        (["export", "tickets", "--format", "xml"], "--format: 'xml' is not one of 'csv', 'jsonl', 'parquet'"),
        (["export", "tickets", "--concurrency", "x"], "--concurrency: 'x' is not a whole number from 1 to 50"),
        (["sandbox", "--port", "65536"], "--port: '65536' is not a whole number from 0 to 65,535"),
        (["sandbox", "--window", "0"], "--window: '0' is not a number of seconds of at least 0.001"),
        (["sandbox", "--window", "soon"], "--window: 'soon' is not a number of seconds of at least 0.001"),
        (["upsert", "tickets", "t.csv", "--dry-run", "true"], "unexpected 'true': see planhat-async upsert --help"),
        (["upsert", "tickets", "t.csv", "--dry-run=true"], "--dry-run takes no value: leave it out"),
        (["export", "--concurency", "3"], "there is no option --concurency: did you mean --concurrency?"),
        (["export", "--frobnicate"], "there is no option --frobnicate: see planhat-async export --help"),
        (["jobs", "stats", "x"], "there is no command stats: did you mean status?"),
        (["demon"], "there is no command demon: did you mean demo?"),
    ],
)
def test_wrong_usage_is_explained(arguments: list[str], message: str) -> None:
    """One line names the option, and says what to do."""
    assert run(*arguments) == Ended(2, "", [f"planhat-async: {message}"])


@pytest.mark.parametrize("content", [TOKEN, f"{TOKEN}\n", f"  {TOKEN}\r\n"])
def test_the_token_may_come_from_a_file(desk: Desk, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Surrounding white space and line breaks are ignored."""
    monkeypatch.delenv("PLANHAT_API_TOKEN")
    ended = run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD), "--token-file", desk.file("token", content))
    assert (ended.code, ended.err) == (0, [])
    assert [*desk.stored()] == ["@1"]


def test_the_token_of_a_mounted_secret_may_end_with_a_line_break(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is read as the file is."""
    monkeypatch.setenv("PLANHAT_API_TOKEN", f"{TOKEN}\n")
    ended = run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD))
    assert (ended.code, ended.err) == (0, [])


@pytest.mark.parametrize("content", [b"\xff\xfe", TOKEN.encode("utf-16"), "tök".encode()])
def test_a_token_file_that_is_not_text_is_refused(desk: Desk, content: bytes) -> None:
    """It is probably another kind of file."""
    ended = run("export", "tickets", "--token-file", desk.file("token", content))
    message = "the Planhat token contains a space, a line break or another invalid character"
    assert ended == Ended(2, "", [f"planhat-async: {message}"])


def test_a_wrong_token_ends_an_upsert(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call suffices; the message names the likely causes, and no row is stored."""
    monkeypatch.setenv("PLANHAT_API_TOKEN", "wrong")
    file = desk.file("t.csv", HEAD + good(1) + good(2))
    ended = run("upsert", "tickets", file, "--json")
    printed = json.loads(ended.out)
    assert (ended.code, printed["attempts"], printed["ok"], printed["rows"]) == (3, 1, False, 2)
    assert sum(printed[name] for name in ("created", "updated", "unchanged", "unreported", "unknown")) == 0
    ended = run("upsert", "tickets", file)
    assert ended.code == 3
    assert "answered 401 (the token is wrong, or belongs to another region than this base URL)" in ended.err[-1]
    assert desk.stored() == {}


def test_a_wrong_token_ends_an_export(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older file with that name is not changed."""
    monkeypatch.setenv("PLANHAT_API_TOKEN", "wrong")
    older = desk.file("tickets.jsonl", "older\n")
    ended = run("export", "tickets", "-o", older)
    assert (ended.code, ended.out, len(ended.err)) == (3, "", 1)
    assert ended.err[0].startswith(f"planhat-async: GET {desk.url}/tickets answered 401 (the token is wrong")
    assert older.read_text() == "older\n"


@pytest.fixture
def unreachable_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a base URL without a server; attempts fail without waiting in between."""
    monkeypatch.setattr("random.random", lambda: 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_base_url_without_a_server_ends_an_upsert(desk: Desk, unreachable_url: str) -> None:
    """No row was sent, and the result shows that."""
    file = desk.file("t.csv", HEAD + good(1) + good(2))
    ended = run("upsert", "tickets", file, "--base-url", unreachable_url)
    assert (ended.code, len(ended.err), ended.err[0]) == (3, 2, "rows 1–2 unsent: see below")  # noqa: RUF001
    assert ended.err[1].startswith(
        f"planhat-async: PUT /tickets: no connection to {unreachable_url} (Connection refused)"
    )


def test_a_base_url_without_a_server_ends_an_export(desk: Desk, unreachable_url: str) -> None:
    """The message is one line."""
    ended = run("export", "tickets", "--base-url", unreachable_url)
    assert (ended.code, ended.out, len(ended.err)) == (3, "", 1)
    assert ended.err[0].startswith(
        f"planhat-async: GET /tickets: no connection to {unreachable_url} (Connection refused)"
    )
    assert desk.stored() == {}


def test_a_file_that_is_removed_meanwhile_ends_an_upsert(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is shown all the same."""
    monkeypatch.setattr(FileSource, "check_beginning", lambda self: self.path.unlink())
    file = desk.file("t.csv", HEAD + GOOD)
    ended = run("upsert", "tickets", file, "--json")
    printed = json.loads(ended.out)
    assert (ended.code, printed["rows"], printed["stopped_by"]) == (2, 0, f"{file}: No such file or directory")


def test_a_run_that_ended_early_is_not_ok(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers of the JSON check this field first."""
    monkeypatch.setattr(FileSource, "check_beginning", lambda self: self.path.unlink())
    printed = json.loads(run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD), "--json").out)
    assert printed["ok"] is False


def test_custom_that_is_not_an_object_invalidates_only_its_row(desk: Desk) -> None:
    """The same holds for other values of the wrong type."""
    content = good_json(1) + '{"sourceId":"@2","email":"a(at)b.example","domains":["b"],"custom":5}\n' + good_json(3)
    ended = run("upsert", "tickets", desk.file("t.jsonl", content), "--set", "custom.Plan=Gold")
    assert (ended.code, ended.err) == (1, ["row 2 invalid: line 2: custom: 5 is not a JSON object"])
    plans = [(key, ticket["custom"]) for key, ticket in desk.stored().items()]
    assert plans == [("@1", {"Plan": "Gold"}), ("@3", {"Plan": "Gold"})]


def test_a_constant_replaces_a_value_of_jsonl(desk: Desk) -> None:
    """Either spelling works; every row gets the constant."""
    file = desk.file("t.jsonl", good_json(1))
    assert run("upsert", "tickets", file, "--set", "source_id=@9".replace("@", desk.prefix)).code == 0
    assert [*desk.stored()] == ["@9"]


# Exports.


def test_an_export_goes_to_a_file(desk: Desk) -> None:
    """It contains each stored record on its own line; standard output is empty."""
    run("upsert", "tickets", desk.file("t.csv", HEAD + good(1) + good(2)))
    ended = run("export", "tickets", "-o", "out.jsonl")
    lines = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == [f"{len(lines)} tickets exported to out.jsonl"]
    assert [line for line in lines if line["sourceId"].startswith(desk.prefix)] == [*desk.stored().values()]


def test_an_export_without_a_file_goes_to_standard_output(desk: Desk) -> None:
    """The count goes to standard error, so that pipes get records only."""
    run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD))
    ended = run("export", "tickets")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert (ended.code, ended.err) == (0, [f"{len(lines)} tickets exported"])
    assert lines[-1] == desk.stored()["@1"]


@pytest.mark.parametrize("arguments", [["-o", "out.CSV"], ["--format", "csv"], ["-o", "out.txt", "--format", "csv"]])
def test_an_export_is_csv_on_request(desk: Desk, arguments: list[str]) -> None:
    """The file's suffix or an option selects it."""
    run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD))
    ended = run("export", "tickets", *arguments)
    content = Path(arguments[1]).read_text() if arguments[0] == "-o" else ended.out
    assert ended.code == 0
    assert content.startswith("_id,sourceId,source,email,")
    assert f",{desk.prefix}1," in content


def test_the_file_of_an_export_may_have_any_name(desk: Desk) -> None:
    """Brackets have no special meaning."""
    ended = run("export", "tickets", "-o", "out[a].jsonl")
    assert (desk.folder / "out[a].jsonl").exists()
    assert ended.err[0].endswith(" tickets exported to out[a].jsonl")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("gone/out.jsonl", "gone/out.jsonl: there is no folder gone"),
        ("folder", "folder is a directory: name a file in it"),
    ],
)
def test_an_export_that_cannot_be_written_is_refused(
    desk: Desk, target: str, message: str, unreachable_url: str
) -> None:
    """The export makes no call: the server could not be reached."""
    (desk.folder / "folder").mkdir()
    ended = run("export", "tickets", "-o", target, "--base-url", unreachable_url)
    assert ended == Ended(2, "", [f"planhat-async: {message}"])
    assert os.listdir() == ["folder"]


def test_an_export_may_go_to_a_pipe(desk: Desk) -> None:
    """The pipe is written to and not replaced; it can hold all notes."""
    run(
        "upsert",
        "notes",
        desk.file("t.jsonl", '{"companyId": "5f4e3d2c1b0a998877665544", "subject": "Hi", "sourceId": "@1"}'),
    )
    os.mkfifo("out.jsonl")
    reading = os.open("out.jsonl", os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(reading) as reader:
        ended = run("export", "notes", "-o", "out.jsonl")
        lines = [json.loads(line) for line in reader]
    assert ended == Ended(0, "", [f"{in_words(len(lines), 'note')} exported to out.jsonl"])
    assert [line for line in lines if line.get("sourceId") == f"{desk.prefix}1"] == [desk.stored("conversations")["@1"]]
    assert Path("out.jsonl").is_fifo()


@pytest.fixture(scope="module")
def many_tasks(sandbox: str, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Fill a sandbox with more tasks than fit a pipe; return their number."""
    file = tmp_path_factory.mktemp("tasks") / "tasks.jsonl"
    row = json.dumps({"companyId": "5f4e3d2c1b0a998877665544", "description": "x" * 200})
    file.write_text(f"{row}\n" * 1001)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANHAT_API_TOKEN", TOKEN)
        assert run("upsert", "tasks", file, "--base-url", sandbox).code == 0
    return 1001


def test_an_export_may_be_long(desk: Desk, many_tasks: int) -> None:
    """It contains every record once."""
    run("export", "tasks", "-o", "out.jsonl")
    ids = [json.loads(line)["_id"] for line in Path("out.jsonl").read_text().splitlines()]
    assert len({*ids}) == len(ids) >= many_tasks
    assert desk.stored("tasks") == {}


@pytest.mark.slow
def test_an_export_ends_silently_when_its_reader_closes_the_pipe(desk: Desk, many_tasks: int) -> None:
    """This allows `export | head`; the exit code is that of any program with a closed pipe."""
    with started(desk.folder, "export", "tasks") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["companyId"]
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=60)) == ("", 128 + signal.SIGPIPE)
    assert many_tasks


def test_an_export_ends_silently_without_a_reader(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output would fit the pipe's buffer, so that only its end would detect the closed pipe."""
    run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as ended:
            cli.app(["export", "tickets"])
    assert ended.value.code == 128 + signal.SIGPIPE


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--json"], []])
def test_an_upsert_without_a_reader_of_its_result_ends_silently(desk: Desk, arguments: list[str]) -> None:
    """The exit code is that of any program with a closed pipe."""
    file = desk.file("t.csv", HEAD + GOOD)
    with started(desk.folder, "upsert", "tickets", file, *arguments) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=60)) == ("", 128 + signal.SIGPIPE)


# Interrupted exports.


class QuietServer(ThreadingHTTPServer):
    """Ignores closed connections and waits for all handlers on shutdown."""

    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@define
class LimitedProxy:
    """Forwards a number of calls to the sandbox with pages of its own size; then refuses the token.

    With `instead`, it calls a function then and does not answer.
    """

    url: str
    pages: int
    page_size: int
    instead: Callable[[], None] | None = None
    server: QuietServer = field(init=False)

    @property
    def door(self) -> str:
        """The URL to use instead of the sandbox's."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        limited_proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                limited_proxy.pages -= 1
                if limited_proxy.pages < 0 and limited_proxy.instead is not None:
                    if limited_proxy.pages == -1:  # once, though several calls are on their way
                        limited_proxy.instead()
                    while self.connection.recv(65536):  # no answer until the caller disconnects
                        pass
                    return
                status, body = limited_proxy.answer(self.path) if limited_proxy.pages >= 0 else (401, b"{}")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return the sandbox's answer with a smaller limit."""
        limited = re.sub(r"\blimit=(\d+)", lambda found: f"limit={min(int(found[1]), self.page_size)}", path)
        return 200, fetched(self.url + limited)


def fetched(url: str) -> bytes:
    """Return the sandbox's answer."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - the sandbox's
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
        body: bytes = answer.read()
    return body


STOCKED: list[Model] = [one.model for one in (Companies, Conversations, EndUsers, Notes, Tasks, Tickets)]
"""The models with several pages in the sandbox below; `jobs/test_exports.py` reads the lists of all."""


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a sandbox with several small pages of each model."""
    folder = tmp_path_factory.mktemp("stocked")
    # Once a company exists, records of unknown ones are refused.
    models = sorted(STOCKED, key=lambda model: model.company_field is None)
    with sandbox_thread(Sandbox(TOKEN, per_minute=None)) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANHAT_API_TOKEN", TOKEN)
        for model in models:
            file = folder / f"{model.name}.jsonl"
            file.write_bytes(b"".join(encode_json(row) + b"\n" for row in stock_of(model)))
            assert run("upsert", model.name, file, "--base-url", running.planhat.url).code == 0
        yield running.planhat.url


def page_size_of(model: Model) -> int:
    """Return a page size that does not end a list."""
    assert model.limits is not None
    return min(max(model.limits.default * 6 // 5, 30), model.limits.most)


def stock_of(model: Model) -> Iterator[dict[str, Any]]:
    """Yield rows for more than two pages in each of the model's lists."""
    partition = next((one.partition_field for one in model.filters if one.partition_field is not None), None)
    n_lists = 1 if partition is None else 2
    for number in range(n_lists * (2 * page_size_of(model) + 100)):
        fields = {} if partition is None else {partition: number % 2 == 0}
        yield sample_row(model, number, **fields)


BROKEN_OFF = pytest.mark.parametrize(
    ("model", "page_size", "pages", "n_read"),
    [
        *(pytest.param(model.name, page_size_of(model), 2, page_size_of(model), id=model.name) for model in STOCKED),
        pytest.param("tasks", 600, 6, 1900, id="archived tasks"),
    ],
)


@pytest.mark.slow
@BROKEN_OFF
def test_a_resumed_export_equals_an_uninterrupted_one(
    desk: Desk, stocked: str, model: str, page_size: int, pages: int, n_read: int
) -> None:
    """The message names the incomplete file and the way to resume."""
    assert run("export", model, "-o", "whole.jsonl", "--base-url", stocked).code == 0
    with LimitedProxy(stocked, pages, page_size) as limited_proxy:
        ended = run("export", model, "-o", "out.jsonl", "--concurrency", "1", "--base-url", limited_proxy.door)
    assert (ended.code, ended.out, len(ended.err)) == (3, "", 2)
    part = desk.folder / "out.jsonl.part"
    assert (
        ended.err[1] == "out.jsonl.part holds what was read so far: the same command with --resume goes on from there"
    )
    assert part.read_bytes().count(b"\n") >= n_read
    resumed = run("export", model, "-o", "out.jsonl", "--resume", "--base-url", stocked)
    whole = Path("whole.jsonl").read_bytes()
    n_rows = whole.count(b"\n")
    assert resumed == Ended(0, "", [f"{n_rows:,} {model} exported to out.jsonl"])
    assert Path("out.jsonl").read_bytes() == whole
    assert not part.exists()


@pytest.mark.slow
@pytest.mark.parametrize("facts", [Notes.model, Tasks.model], ids=lambda facts: facts.name)
def test_a_killed_export_is_resumed_to_the_same_file(desk: Desk, stocked: str, facts: Model) -> None:
    """It could neither print a message nor finish its last line."""
    model, size = facts.name, page_size_of(facts)
    assert run("export", model, "-o", "whole.jsonl", "--base-url", stocked).code == 0
    with LimitedProxy(stocked, 3, size) as limited_proxy:
        arguments = ("export", model, "-o", "out.jsonl", "--concurrency", "1", "--base-url", limited_proxy.door)
        with started(desk.folder, *arguments) as process:
            limited_proxy.instead = process.kill
            assert process.wait(timeout=60) == -signal.SIGKILL
    begun, whole = Path("out.jsonl.part").read_bytes(), Path("whole.jsonl").read_bytes()
    assert 0 < len(begun) < len(whole)
    assert run("export", model, "-o", "out.jsonl", "--resume", "--base-url", stocked).code == 0
    assert Path("out.jsonl").read_bytes() == whole


def test_an_empty_part_is_resumed_from_the_beginning(desk: Desk, stocked: str) -> None:
    """No record was written before the interruption."""
    run("export", "notes", "-o", "whole.jsonl", "--base-url", stocked)
    desk.file("out.jsonl.part", "")
    assert run("export", "notes", "-o", "out.jsonl", "--resume", "--base-url", stocked).code == 0
    assert Path("out.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_without_resume_an_export_starts_over(desk: Desk, stocked: str) -> None:
    """The incomplete file is overwritten."""
    desk.file("out.jsonl.part", '{"_id":"f"}\n' * 3)
    assert run("export", "notes", "-o", "out.jsonl", "--base-url", stocked).code == 0
    assert b'"f"' not in Path("out.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "gone.jsonl"], "there is no gone.jsonl.part to resume: leave out --resume"),
        ([], "--resume needs a file: name it with --output"),
        (["-o", "out.csv"], "--resume works with JSONL, not with csv"),
        (["-o", "out.parquet"], "--resume works with JSONL, not with parquet"),
        (
            ["-o", "out.jsonl", "--format", "csv"],
            "out.jsonl: the name says jsonl, and --format says csv: change one of them",
        ),
        (
            ["-o", "out.jsonl"],
            "out.jsonl.part is not part of such an export: line 2: the _id 1 follows 2, so the lines are not in order",
        ),
    ],
)
def test_an_impossible_resumption_is_refused(
    desk: Desk, arguments: list[str], message: str, unreachable_url: str
) -> None:
    """No record is read, and no file is changed."""
    content = '{"_id":"2"}\n{"_id":"1"}\n{"_i'
    desk.file("out.jsonl.part", content)
    desk.file("out.csv.part", content)
    ended = run("export", "tickets", *arguments, "--resume", "--base-url", unreachable_url)
    assert ended == Ended(2, "", [f"planhat-async: {message}"])
    assert sorted(os.listdir()) == ["out.csv.part", "out.jsonl.part"]
    assert Path("out.jsonl.part").read_text() == Path("out.csv.part").read_text() == content


@pytest.mark.usefixtures("desk")
def test_an_interrupted_export_can_be_resumed(stocked: str) -> None:
    """The hint follows the message about the interruption."""
    with LimitedProxy(stocked, 2, 600, lambda: os.kill(os.getpid(), signal.SIGINT)) as limited_proxy:
        ended = run("export", "tickets", "-o", "out.jsonl", "--concurrency", "1", "--base-url", limited_proxy.door)
    assert ended.code == 130
    assert ended.err == [
        "planhat-async: interrupted",
        "out.jsonl.part holds what was read so far: the same command with --resume goes on from there",
    ]


@pytest.mark.usefixtures("desk")
def test_an_interrupted_csv_cannot_be_resumed(stocked: str) -> None:
    """The message that names the incomplete file says so."""
    with LimitedProxy(stocked, 2, 600) as limited_proxy:
        ended = run("export", "tickets", "-o", "out.csv", "--concurrency", "1", "--base-url", limited_proxy.door)
    assert (ended.code, ended.err[1:]) == (
        3,
        ["out.csv.part holds what was read so far: only uncompressed JSONL can be resumed"],
    )


# Parquet.


@pytest.mark.parametrize("arguments", [["-o", "out.Parquet"], ["-o", "out", "--format", "parquet"]])
@pytest.mark.parametrize("model", [facts.name for facts in STOCKED])
def test_an_export_is_parquet_on_request(desk: Desk, stocked: str, model: str, arguments: list[str]) -> None:
    """The file's suffix or an option selects it; the file contains every record."""
    run("export", model, "-o", "whole.jsonl", "--base-url", stocked)
    ids = [json.loads(line)["_id"] for line in Path("whole.jsonl").read_text().splitlines()]
    ended = run("export", model, *arguments, "--base-url", stocked)
    assert ended == Ended(0, "", [f"{len(ids):,} {model} exported to {arguments[1]}"])
    assert pq.read_table(arguments[1]).column("_id").to_pylist() == ids
    assert sorted(os.listdir(desk.folder)) == sorted([arguments[1], "whole.jsonl"])


@pytest.mark.slow
def test_parquet_can_be_written_to_a_pipe(desk: Desk, stocked: str) -> None:
    """Standard output gets the complete file: notes, and the other conversations of that type."""
    command = [*PROGRAM, "export", "notes", "--format", "parquet", "--base-url", stocked]
    done = subprocess.run(command, cwd=desk.folder, capture_output=True, timeout=60, check=True)
    assert pq.read_table(io.BytesIO(done.stdout)).num_rows == len(
        [*stock_of(Notes.model), *stock_of(Conversations.model)]
    )


def test_parquet_without_its_package_is_refused(
    desk: Desk, unreachable_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message contains the command that installs it, and no record is read."""
    monkeypatch.delitem(sys.modules, "planhat_async.jobs.files.parquet_writer", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ended = run("export", "tickets", "-o", "out.parquet", "--base-url", unreachable_url)
    message = "planhat-async: Parquet needs one more package: pip install 'planhat-async[parquet]'"
    assert ended == Ended(2, "", [message])
    assert os.listdir(desk.folder) == []


# Interruptions.


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_upsert_reports_every_row(desk: Desk, number: signal.Signals) -> None:
    """The second signal stops it: rows in flight are unknown, others unsent, and no row is sent again."""
    file = desk.file("t.csv", HEAD + good(1) + good(2) + good(3))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        arguments = ("upsert", "tickets", file, "--chunk-size", "1", "--concurrency", "1", "--json", "--base-url", url)
        with started(desk.folder, *arguments) as process:
            connection, _ = server.accept()
            with connection:
                assert [row["title"] for row in json.loads(request_on(connection))] == ["Hello"]
                process.send_signal(number)
                assert process.stderr is not None
                said = FINISHING_SOON if number == signal.SIGTERM else FINISHING
                assert process.stderr.readline() == said + "\n"
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    printed = json.loads(out)
    assert (process.returncode, err) == (130, "")
    assert printed["rows"] == sum(printed[name] for name in COUNTS) == 1 + printed["unsent"]
    assert (printed["unknown"], printed["attempts"], printed["ok"]) == (1, 1, False)
    assert printed["stopped_by"] == "interrupted; the calls in flight were cancelled, the rows after them were not sent"
    assert TOKEN not in out


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[signal.Signals]]:
    """Run a server that answers a request by sending these signals to this process."""
    signals: list[signal.Signals] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                request_on(connection)
                for number in signals:
                    os.kill(os.getpid(), number)
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setenv("PLANHAT_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
        yield signals
        thread.join(timeout=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_export_does_not_change_the_older_file(
    number: signal.Signals, interrupting: list[signal.Signals], tmp_path: Path
) -> None:
    """One line says that it was interrupted."""
    interrupting.append(number)
    older = tmp_path / "tickets.jsonl"
    older.write_text("older\n")
    ended = run("export", "tickets", "-o", older)
    assert ended == Ended(130, "", ["planhat-async: interrupted"])
    assert older.read_text() == "older\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_upsert_prints_a_message(
    number: signal.Signals, interrupting: list[signal.Signals], tmp_path: Path
) -> None:
    """It follows the table and the row in flight if there are two signals."""
    interrupting.extend([number, *{signal.SIGINT, signal.SIGTERM} - {number}])  # two signals of one kind may be merged
    file = tmp_path / "t.csv"
    file.write_text((HEAD + GOOD).replace("(at)", "@"))
    ended = run("upsert", "tickets", file)
    assert ended.code == 130
    assert ended.err[0] in {FINISHING, FINISHING_SOON}  # the order of two signals is the system's
    assert ended.err[1].startswith("row 1 (@1) unknown: the call was cancelled ")
    assert ended.err[2:] == [
        "planhat-async: interrupted; the calls in flight were cancelled, the rows after them were not sent",
    ]


# The sandbox and the demo.


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sandbox_ends_normally_on_a_signal(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints no message, although it has served calls."""
    monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
    (tmp_path / "tickets.jsonl").write_text(good_json(1).replace("(at)", "@"))
    with started(tmp_path, "sandbox", "--port", "0") as process:
        url = listening(process)
        assert run("upsert", "tickets", tmp_path / "tickets.jsonl", "--base-url", url).code == 0
        process.send_signal(number)
        assert (process.communicate(timeout=60), process.returncode) == (("", ""), 0)


@pytest.mark.parametrize(
    ("arguments", "token", "made"),
    [
        (
            [],
            "",
            (
                None,
                {
                    "port": 8765,
                    "per_minute": 200,
                    "per_second": 150,
                    "max_parallel": None,
                    "window": 60.0,
                    "faults": "",
                    "seed": 0,
                    "tenant_uuid": None,
                },
            ),
        ),
        (
            [
                "--port",
                "1",
                "--per-minute",
                "0",
                "--per-second",
                "0",
                "--max-parallel",
                "9",
                "--window",
                "6",
                "--faults",
                "late=0.1",
                "--seed",
                "7",
            ],
            TOKEN,
            (
                TOKEN,
                {
                    "port": 1,
                    "per_minute": None,
                    "per_second": None,
                    "max_parallel": 9,
                    "window": 6.0,
                    "faults": "late=0.1",
                    "seed": 7,
                    "tenant_uuid": None,
                },
            ),
        ),
    ],
)
def test_a_sandbox_gets_the_options_of_its_command(
    arguments: list[str], token: str, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token in the environment it accepts any; a limit of 0 disables it."""
    asked: list[Any] = []

    class Brief(Sandbox):
        def __init__(self, token: str | None, **options: Any) -> None:
            asked.append((token, options))
            super().__init__(token)

        async def start(self) -> None:
            await super().start()
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("planhat_async.sandbox.Sandbox", Brief)
    monkeypatch.setenv("PLANHAT_API_TOKEN", token)
    ended = run("sandbox", *arguments)
    assert (ended.code, asked) == (0, [made])
    assert ended.out.startswith("listening on http://127.0.0.1:")
    assert ended.out.endswith(" PLANHAT_API_TOKEN=any\n") is (not token)  # a token of the environment is not shown


@pytest.mark.slow
def test_a_sandbox_loads_and_saves_records(tmp_path: Path) -> None:
    """The model of a file of records is given before it; a saved file contains the models."""
    tasks, saved, again = (tmp_path / name for name in ("tasks.jsonl", "saved.jsonl", "again.jsonl"))
    tasks.write_text('{"action":"call"}\n')
    for source, file in ((f"tasks={tasks}", saved), (str(saved), again)):
        with started(tmp_path, "sandbox", "--port", "0", "--load", source, "--save", str(file)) as process:
            listening(process)
            process.send_signal(signal.SIGTERM)
            assert (process.communicate(timeout=60), process.returncode) == (("", ""), 0)
    (entry,) = map(json.loads, saved.read_text().splitlines())
    assert (entry["model"], entry["record"]["action"]) == ("tasks", "call")
    assert again.read_text() == saved.read_text()


@pytest.mark.slow
def test_a_sandbox_begins_with_a_made_up_tenant(tmp_path: Path) -> None:
    """Its records are those of the demo; those of a file come on top."""
    tasks, saved = tmp_path / "tasks.jsonl", tmp_path / "saved.jsonl"
    tasks.write_text('{"action":"call"}\n')
    arguments = ("--port", "0", "--companies", "2", "--load", f"tasks={tasks}", "--save", str(saved))
    with started(tmp_path, "sandbox", *arguments) as process:
        listening(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    records = Counter(json.loads(line)["model"] for line in saved.read_text().splitlines())
    assert (records["companies"], records["endusers"], records["tasks"]) == (2, 20, 9)


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        (["--faults", "reset_afer=1"], "there is no fault 'reset_afer'; did you mean reset_after"),
        (["--load", "missing.jsonl"], "missing.jsonl: No such file"),
        (["--load", f"boxes={os.devnull}"], "no model is called 'boxes'"),
    ],
)
def test_an_invalid_option_of_a_sandbox_is_refused(option: list[str], problem: str) -> None:
    """The message is one line, before it starts to listen."""
    ended = run("sandbox", "--port", "0", *option)
    assert (ended.code, ended.out, len(ended.err)) == (2, "", 1)
    assert problem in ended.err[0]


def test_a_sandbox_lists_its_faults() -> None:
    """Each line has a fault, its default amount, the suitable calls, and what a client sees."""
    ended = run("sandbox", "--list-faults")
    assert ended.code == 0
    assert len(ended.out.splitlines()) == len(KINDS)
    assert "late:0.05 seconds  (any call)  the connection is reset, and the call is carried out after that" in ended.out


def test_a_sandbox_reports_that_its_port_is_in_use() -> None:
    """One line names the port, and says how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        ended = run("sandbox", "--port", port)
    message = f"planhat-async: --port: {port} is in use; choose another, or 0 for any free port"
    assert (ended.code, ended.out, ended.err) == (2, "", [message])


def test_the_demo_shows_that_every_ticket_arrives() -> None:
    """It also shows the number of calls."""
    ended = run("demo", "--rows", "50")
    assert (ended.code, ended.err) == (0, [])
    *steps, verdict = ended.out.splitlines()
    assert len(steps) == 4
    assert re.fullmatch(r"Everything arrived exactly once: \d+ calls, \d+\.\d s\.", verdict)


def test_a_failed_demo_reports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code shows it too."""
    good_report = DemoReport(
        first=UpsertResult(created=1),
        second=UpsertResult(unreported=1),
        n_rows=1,
        n_exported=1,
        n_equal=1,
        n_twice=0,
        calls=3,
    )

    async def lossy(*_: Any, **__: Any) -> DemoReport:
        return evolve(good_report, n_exported=0)

    monkeypatch.setattr("planhat_async.cli.demo.run_demo", lossy)
    ended = run("demo")
    assert ended.code == 1
    assert ended.out.startswith("Something was lost, doubled or changed: 3 calls, ")


@pytest.mark.slow
def test_without_a_command_the_help_is_shown() -> None:
    """It contains the commands and the meaning of the exit codes."""
    ended = run()
    said = " ".join([ended.out, *ended.err])
    assert ended.code == 2
    assert all(word in said for word in ("upsert", "export", "sandbox", "demo", "Exit codes"))
