"""`planhat-async upsert` with columns that name companies by their external ids."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from command_line import PROGRAM, Desk, run

MAPPING = """
[fields]
source_id = "ID"
email = "Mail"
company_id = { column = "Account", lookup = "companies", by = "external_id" }
"""
ROWS = "ID,Mail,Account\n@1,a@b.example,@acme\n@2,c@d.example,@42\n@3,e@f.example,@acme\n"


@pytest.fixture
def files(desk: Desk) -> tuple[Path, Path]:
    """Tickets of a company that is there, and one of a company that is not; and their mapping."""
    companies = desk.file("companies.csv", "source_id,external_id,name\n@acme,@acme,Acme\n@globex,@globex,Globex\n")
    assert run("upsert", "companies", companies).code == 0
    return desk.file("t.csv", ROWS), desk.file("m.toml", MAPPING)


def reason(desk: Desk) -> str:
    return f"company_id: no company has external_id '{desk.prefix}42'"


@pytest.mark.slow
def test_companies_are_found_by_their_external_ids(desk: Desk, files: tuple[Path, Path]) -> None:
    """A row whose company is unknown is invalid, and among the rejects; the same command again sends nothing."""
    tickets, mapping = files
    command = ("upsert", "tickets", tickets, "--map", mapping, "--journal", "j.db", "--json")
    ended = run(*command, "--rejects", "bad.csv")
    told = json.loads(ended.out)
    assert (ended.code, told["unreported"] + told["created"], told["invalid"], told["calls"]) == (1, 2, 1, 2)
    assert told["problems"] == [{"row": 2, "key": None, "outcome": "invalid", "reason": reason(desk)}]
    company = desk.stored("companies")["@acme"]["_id"]
    assert {key: ticket["companyId"] for key, ticket in desk.stored().items()} == {"@1": company, "@3": company}
    rejected = Path("bad.csv").read_text().splitlines()
    assert rejected == [
        "not stored because,ID,Mail,Account",
        f"invalid: {reason(desk)},{desk.prefix}2,c@d.example,{desk.prefix}42",
    ]
    again = json.loads(run(*command).out)
    assert (again["calls"], again["invalid"]) == (2, 1)


@pytest.mark.slow
def test_rows_of_a_pipe_are_looked_up_too(desk: Desk, files: tuple[Path, Path]) -> None:
    """The first of them is read before the companies are."""
    tickets, mapping = files
    command = [*PROGRAM, "upsert", "tickets", "-", "--format", "csv", "--map", str(mapping), "--json"]
    ended = subprocess.run(
        command, input=tickets.read_text(), cwd=desk.folder, capture_output=True, text=True, check=False
    )
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["rows"], told["invalid"]) == (1, 3, 1)
    assert told["problems"][0]["reason"] == reason(desk)


def test_a_dry_run_looks_nothing_up(files: tuple[Path, Path]) -> None:
    """It says so; with the journal of a job it knows what the job has found."""
    tickets, mapping = files
    command = ("upsert", "tickets", tickets, "--map", mapping)
    ended = run(*command, "--dry-run", "--base-url", "http://127.0.0.1:9")
    assert (ended.code, ended.err) == (
        0,
        ["company_id is not looked up in a dry run: rows that name no record, or several, count as rows to send"],
    )
    told = json.loads(run(*command, "--dry-run", "--json").out)
    assert (told["to_send"], told["not_looked_up"]) == (3, ["company_id"])
    run(*command, "--journal", "j.db")
    told = json.loads(run(*command, "--dry-run", "--json", "--journal", "j.db").out)
    assert (told["to_send"], told["invalid"], told["not_looked_up"]) == (0, 1, [])


@pytest.mark.slow
def test_a_list_that_cannot_be_read_ends_the_command(desk: Desk, files: tuple[Path, Path]) -> None:
    """Planhat cannot be used, and nothing was sent."""
    tickets, mapping = files
    ended = run("upsert", "tickets", tickets, "--map", mapping, "--base-url", "http://127.0.0.1:9/")
    assert ended.code == 3
    assert ended.err[-1] == "companies by external_id could not be read, so no row was sent"
    assert desk.stored() == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("companies", "company", "there is no model 'company' to look in; did you mean companies?"),
        ("external_id", "external", "Company has no field 'external'; did you mean external_id?"),
        (
            "company_id",
            "domains",
            "lookups: Ticket.domains does not hold one id, so nothing can be looked up for it",
        ),
    ],
)
def test_a_lookup_that_cannot_work_is_refused(
    desk: Desk, files: tuple[Path, Path], old: str, new: str, message: str
) -> None:
    """Before anything is sent, in a dry run too."""
    mapping = desk.file("bad.toml", MAPPING.replace(old, new))
    for options in ((), ("--dry-run",)):
        ended = run("upsert", "tickets", files[0], "--map", mapping, *options)
        assert ended.code == 2
        assert ended.err[-1].endswith(message)


@pytest.mark.slow
@pytest.mark.usefixtures("files")
def test_a_mapped_column_without_a_lookup_is_sent_as_it_is(desk: Desk) -> None:
    """`--map company_id=Account` takes ids, and no external ids."""
    company = desk.stored("companies")["@acme"]["_id"]
    rows = desk.file("ids.csv", f"ID,Mail,Account\n@7,a(at)b.example,{company}\n@8,a(at)b.example,@acme\n")
    maps = ("--map", "source_id=ID", "--map", "email=Mail", "--map", "company_id=Account")
    told = json.loads(run("upsert", "tickets", rows, *maps, "--json").out)
    assert (told["invalid"], told["problems"][0]["row"]) == (1, 2)
    assert desk.stored()["@7"]["companyId"] == company
