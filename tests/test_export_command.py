"""Test `export` with chosen fields and records, and with a layout for spreadsheets."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import TOKEN, Ended, run
from each_model import with_capability
from pyarrow import parquet as pq

from planhat_async import Users
from planhat_async._convert import encode_json, fields_of
from planhat_async.records import (
    ArchivedFilter,
    DayFilter,
    Filter,
    HiddenFilter,
    IdFilter,
    NumberFilter,
    TextFilter,
    TextsFilter,
    TypeFilter,
)
from planhat_async.repositories import Lists, Repository
from planhat_async.sandbox import Sandbox
from planhat_async.sandbox.models import ALL as RULES

ID = "5f4e3d2c1b0a998877665544"
TEXTS: dict[type[Filter], tuple[str, str]] = {
    TextFilter: ("a=b c", "a=b c"),
    TextsFilter: ("a=b,c", "a=b,c"),
    NumberFilter: ("30", "30"),
    ArchivedFilter: ("true", "true"),
    HiddenFilter: ("true", "true"),
    IdFilter: (ID.upper(), ID),
}
"""For each kind of filter that Planhat knows a text, and what Planhat gets for it; days are sent in two ways."""
DAY = "2024-05-31"
FILTERS = [
    (one, declared)
    for one in with_capability(Lists)
    for declared in one.model.filters
    if not isinstance(declared, TypeFilter)  # rows are filtered here
]


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    """Yield a sandbox in this process, in a thread of its own: its log of requests can be read."""
    loop = asyncio.new_event_loop()
    sandbox = Sandbox(token=TOKEN, per_minute=None, per_second=None)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result(60)
    yield sandbox
    asyncio.run_coroutine_threadsafe(sandbox.close(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


@pytest.fixture
def planhat(served: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Yield the sandbox, which is empty, in the environment."""
    monkeypatch.setenv("PLANHAT_BASE_URL", served.url)
    monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    empty = served.snapshot()
    yield served
    served.restore(empty)


def stock(model: str, *rows: dict[str, Any]) -> None:
    """Store records."""
    Path("stock.jsonl").write_bytes(b"".join(encode_json(row) + b"\n" for row in rows))
    assert run("upsert", model, "stock.jsonl").code == 0
    os.remove("stock.jsonl")


def ticket(number: int, **fields: Any) -> dict[str, Any]:
    """Return a ticket."""
    return {"sourceId": f"{number}", "email": "ada@acme.example", "companyId": ID, "title": f"T{number}", **fields}


def lines_of(ended: Ended) -> list[dict[str, Any]]:
    """Return the records of a successful export to standard output."""
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


# Filters.


@pytest.mark.parametrize(
    ("repository", "declared"), FILTERS, ids=[f"{one.model.name}-{declared.option}" for one, declared in FILTERS]
)
def test_each_filter_reaches_planhat(planhat: Sandbox, repository: type[Repository[Any]], declared: Filter) -> None:
    """It is sent under a name that the sandbox's own declaration of the model has, whatever its text holds."""
    text, sent = (DAY, DAY) if isinstance(declared, DayFilter) else TEXTS[type(declared)]
    n_before = len(planhat.requests)
    assert run("export", repository.model.name, "--filter", f"{declared.option}={text}").code == 0
    call = planhat.requests[n_before]
    parameters = {one.parameter for rules in RULES if f"/{rules.path}" == call.path for one in rules.filters}
    wire: str = declared.wire  # type: ignore[attr-defined]
    assert wire in parameters
    assert call.query[wire] == sent


@pytest.mark.usefixtures("planhat")
def test_records_are_chosen_by_options() -> None:
    """Those of two companies with one status."""
    others = "6f4e3d2c1b0a998877665544"
    stock(
        "tickets",
        ticket(1, status="open"),
        ticket(2, status="closed"),
        ticket(3, status="open", companyId=others),
        ticket(4, status="open", companyId="7f4e3d2c1b0a998877665544"),
    )
    chosen = run("export", "tickets", "--company-id", ID, "--company-id", others, "--status", "open")
    assert [row["sourceId"] for row in lines_of(chosen)] == ["1", "3"]
    assert chosen.err == ["2 tickets exported"]
    assert lines_of(run("export", "tickets", "--company-id", f"{others},{ID}", "--filter", "status=open")) == lines_of(
        chosen
    )


@pytest.mark.usefixtures("planhat")
@pytest.mark.parametrize(
    ("options", "actions"),
    [
        ([], ["open", "done"]),
        (["--archived"], ["done"]),
        (["--not-archived"], ["open"]),
        (["--filter", "archived=any"], ["open", "done"]),
    ],
)
def test_archived_records_are_chosen_by_a_flag(options: list[str], actions: list[str]) -> None:
    """By default an export holds both."""
    stock(
        "tasks", *({"companyId": ID, "action": action, "isArchived": action == "done"} for action in ["done", "open"])
    )
    assert [row["action"] for row in lines_of(run("export", "tasks", *options))] == actions


@pytest.mark.usefixtures("planhat")
def test_records_are_chosen_by_their_type() -> None:
    """Notes without the option; every conversation with `any`."""
    stock("notes", {"companyId": ID, "subject": "N1"})
    stock("tickets", ticket(1))
    assert [row["subject"] for row in lines_of(run("export", "notes"))] == ["N1"]
    assert [row["subject"] for row in lines_of(run("export", "notes", "--type", "ticket"))] == ["T1"]
    assert [row["subject"] for row in lines_of(run("export", "notes", "--type", "any"))] == ["N1", "T1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["notes", "--status", "open"], "--status: notes have no such filter; they have company_id, type"),
        (["users", "--company-id", ID], "--company-id: users have no such filter; they have none"),
        (["notes", "--archived"], "--archived: notes have no such filter; they have company_id, type"),
        (["tickets", "--filter", "status"], "--filter: 'status' does not have the form NAME=VALUE"),
        (
            ["churns", "--filter", "churned_from=May"],
            "--filter churned_from: churned_from must be a day such as '2024-05-31', not 'May'",
        ),
        (["tickets", "--fields", "titel"], "--fields: Ticket has no field 'titel'; did you mean title?"),
        (["--all", "all", "--fields", "id"], "--all exports all records of every model: leave out --fields, or --all"),
        (["--all", "all", "--status", "x"], "--all exports all records of every model: leave out --status, or --all"),
        (
            ["tickets", "--encoding", "utf-8"],
            "--encoding is for CSV, not for jsonl: leave it out, or give --format csv",
        ),
        (
            ["tickets", "--format", "parquet", "--formulas", "keep"],
            "--formulas is for CSV, not for parquet: leave it out, or give --format csv",
        ),
        (
            ["--all", "all", "--delimiter", ";"],
            "--delimiter is for CSV, not for jsonl: leave it out, or give --format csv",
        ),
        (
            ["tickets", "--format", "csv", "--encoding", "latin-1"],
            "--encoding must be utf-8, utf-8-sig or utf-16, which hold every text, not 'latin-1'",
        ),
        (
            ["tickets", "--format", "csv", "--delimiter", ""],
            "--delimiter must be a comma, a semicolon, a bar or tab, not ''",
        ),
    ],
)
def test_a_wrong_choice_is_refused(planhat: Sandbox, arguments: list[str], message: str) -> None:
    """No call is made, and no file written."""
    n_before = len(planhat.requests)
    output = [] if "--all" in arguments else ["-o", "out"]
    format_ = [] if "--all" in arguments or "--format" in arguments else ["--format", "jsonl"]
    ended = run("export", *arguments, *output, *format_)
    assert ended == Ended(2, "", [f"planhat-async: {message}"])
    assert (os.listdir(), len(planhat.requests)) == ([], n_before)


# Fields.


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_chosen_fields_are_all_that_is_fetched(planhat: Sandbox, format_: str) -> None:
    """A custom field is a column of its own; JSONL has it in its object."""
    stock("tickets", ticket(1, custom={"ARR": 5, "other": 1}), ticket(2))
    n_before = len(planhat.requests)
    assert run("export", "tickets", "--fields", "title,custom.ARR", "--fields", "id", "-o", f"out.{format_}").code == 0
    assert {call.query["select"] for call in planhat.requests[n_before:]} <= {"_id,title,custom.ARR", "_id"}
    first, second = sorted(record["_id"] for record in planhat.records("tickets"))
    if format_ == "csv":
        expected = f"title,custom.ARR,_id\r\nT1,5,{first}\r\nT2,,{second}\r\n"
        assert Path("out.csv").read_bytes().decode() == expected
    elif format_ == "jsonl":
        assert [*map(json.loads, Path("out.jsonl").read_text().splitlines())] == [
            {"title": "T1", "custom": {"ARR": 5}, "_id": first},
            {"title": "T2", "_id": second},
        ]
    else:
        assert pq.read_table("out.parquet").to_pylist() == [
            {"title": "T1", "custom.ARR": 5.0, "_id": first, "extra": None},
            {"title": "T2", "custom.ARR": None, "_id": second, "extra": None},
        ]


def test_a_list_of_one_call_has_chosen_fields_too(planhat: Sandbox) -> None:
    """Planhat cannot leave out the others there."""
    stock("companies", {"name": "Acme", "externalId": "a"})
    ended = run("export", "lean_companies", "--fields", "name", "-o", "out.csv")
    (company,) = planhat.records("companies")
    assert ended.code == 0
    assert Path("out.csv").read_bytes().decode() == f"_id,name\r\n{company['_id']},Acme\r\n"


def test_all_fields_of_users_are_exported_on_request(planhat: Sandbox) -> None:
    """Planhat lists fewer otherwise; API tokens stay there."""
    stock("users", {"nickName": "ada", "email": "ada@x.example", "firstName": "A", "lastName": "L", "custom": {"a": 1}})
    (few,), (every,) = (lines_of(run("export", "users", *options)) for options in ([], ["--fields", "all"]))
    (held,) = planhat.records("users")
    known = {field.wire for field in fields_of(Users.model.record).values()} - {"apiTokens"}
    assert every == {name: value for name, value in held.items() if name in known}
    assert (few.keys() < every.keys(), "apiTokens" in held) == (True, True)


@pytest.mark.parametrize(
    ("file", "maps"),
    [
        ("out.csv", ()),
        ("out.jsonl", ()),
        ("out.parquet", ("--map", "id=_id", "--map", "name=name", "--map", "custom.Plan=custom.Plan")),
    ],
)
def test_chosen_fields_come_back_by_upsert(planhat: Sandbox, file: str, maps: tuple[str, ...]) -> None:
    """Custom fields and formulas included; all else of the records stays."""
    stock("companies", {"name": "=1+1", "phase": "a", "custom": {"Plan": "@Gold", "n": 1}}, {"name": "-x"})
    before = planhat.records("companies")
    assert run("export", "companies", "--fields", "id,name,custom.Plan", "-o", file).code == 0
    stock("companies", {"_id": before[0]["_id"], "name": "changed", "custom": {"Plan": "changed"}})
    sent = json.loads(run("upsert", "companies", file, *maps, "--json").out)
    assert (sent["rows"], sent["ok"]) == (2, True)
    kept = ("_id", "name", "phase", "custom")
    after = planhat.records("companies")
    assert [[one.get(name) for name in kept] for one in after] == [[one.get(name) for name in kept] for one in before]


# Layout.


@pytest.mark.usefixtures("planhat")
def test_a_csv_for_a_spreadsheet() -> None:
    """A byte order mark, semicolons, and apostrophes before formulas, which are counted."""
    stock("tickets", ticket(1, title="=1+1"), ticket(2, title="Grüße; bis bald"))
    options = ("--encoding", "UTF-8-SIG", "--delimiter", ";", "--formulas", "escape")
    ended = run("export", "tickets", "-o", "out.csv", "--fields", "sourceId,title", *options)
    content = Path("out.csv").read_bytes()
    rows = [*csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")]
    assert (content[:3], [row[1:] for row in rows]) == (
        b"\xef\xbb\xbf",
        [["sourceId", "title"], ["1", "'=1+1"], ["2", "Grüße; bis bald"]],
    )
    assert ended == Ended(
        0,
        "",
        [
            "2 tickets exported to out.csv",
            (
                "an apostrophe was put before 1 cell that a spreadsheet may run as a formula; "
                "upsert would store it with the text"
            ),
        ],
    )


@pytest.mark.usefixtures("planhat")
@pytest.mark.parametrize("arguments", [["tickets"], ["--all", "all"]])
def test_formulas_are_counted_unless_the_user_keeps_them(arguments: list[str]) -> None:
    """The line names the option; the file is the same."""
    stock("tickets", ticket(1, title="=1+1"))  # a ticket's subject is its title
    told = run("export", *arguments, "--format", "csv")
    kept = run("export", *arguments, "--format", "csv", "--formulas", "keep")
    n_cells = 2 if arguments == ["tickets"] else 3
    if arguments == ["tickets"]:
        assert told.out == kept.out
    assert set(told.err) - set(kept.err) == {
        (
            f"{n_cells} cells that a spreadsheet may run as formulas: --formulas escape puts an apostrophe before such "
            "texts, --formulas keep leaves out this line"
        )
    }


@pytest.mark.usefixtures("planhat")
def test_files_of_all_models_have_one_layout() -> None:
    """An export of all models cannot go on with another."""
    options = ("export", "--all", "all", "--format", "csv")
    assert run(*options, "--delimiter", ";").code == 0
    assert Path("all/tickets.csv").read_text().startswith("_id;sourceId;")
    ended = run(*options, "--resume")
    assert (ended.code, ended.err) == (2, ["planhat-async: all holds an export whose delimiter is ;, not ,"])


# Resumption.


@pytest.mark.usefixtures("planhat")
@pytest.mark.parametrize("fields", [["--fields", "title"], []])
def test_a_selected_export_is_resumed(fields: list[str]) -> None:
    """It equals an uninterrupted one; with other options it is refused, and nothing is changed."""
    stock("tickets", *(ticket(number, status="open" if number % 2 else "closed") for number in range(40)))
    options = ("export", "tickets", "--status", "open", *fields)
    assert run(*options, "-o", "whole.jsonl").code == 0
    whole = Path("whole.jsonl").read_bytes()
    Path("out.jsonl.part").write_bytes(b"".join(whole.splitlines(keepends=True)[:7]) + b'{"_id')
    given = {"fields": ["_id", "title"] if fields else [], "filters": {"status": "open"}}
    Path("out.jsonl.part.selection").write_bytes(encode_json(given))
    before = Path("out.jsonl.part").read_bytes()
    ended = run("export", "tickets", "-o", "out.jsonl", "--resume")
    said = ("--fields _id,title " if fields else "") + "--filter status=open"
    message = f"out.jsonl.part began with {said}: give the same options, or leave out --resume"
    assert ended == Ended(2, "", [f"planhat-async: {message}"])
    assert Path("out.jsonl.part").read_bytes() == before
    assert run(*options, "-o", "out.jsonl", "--resume").code == 0
    assert Path("out.jsonl").read_bytes() == whole
    assert sorted(os.listdir()) == ["out.jsonl", "whole.jsonl"]


@pytest.mark.usefixtures("planhat")
def test_an_export_of_everything_does_not_go_on_as_a_selected_one() -> None:
    """The message says that it began without a selection."""
    Path("out.jsonl.part").write_bytes(b'{"_id":"1"}\n')
    ended = run("export", "tickets", "-o", "out.jsonl", "--resume", "--status", "open")
    assert (ended.code, ended.err) == (
        2,
        [
            (
                "planhat-async: out.jsonl.part began without --fields and filters: "
                "give the same options, or leave out --resume"
            )
        ],
    )
