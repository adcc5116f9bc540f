"""Test every model on the command line, which is generated from the list of models, and companies in particular."""

from __future__ import annotations

import json
from typing import Any

import pytest
from command_line import Desk, run
from each_model import sample_row, with_capability

from planhat_async._convert import encode_json, fields_of
from planhat_async.cli import console
from planhat_async.cli.model_commands import FIELD_COLUMNS, MODEL_COLUMNS, facts_of
from planhat_async.models import ALL
from planhat_async.records import Model
from planhat_async.repositories import Lists, Repository, Upserts

CSV = "id,externalId,sourceId,name,phase,domains\n"
WRITTEN = with_capability(Upserts)


def company_of(desk: Desk, model: Model) -> Any:
    """Return a company of the sandbox for the model's field: the sandbox refuses records of unknown ones."""
    run("upsert", "companies", desk.file("company.jsonl", b'{"sourceId":"@7","name":"Acme"}\n'))
    rows = [json.loads(line) for line in run("export", "companies").out.splitlines()]
    (key,) = [row["_id"] for row in rows if row.get("sourceId") == f"{desk.prefix}7"]
    return key if model.company_field == "company_id" else [key]


@pytest.mark.parametrize("repository", WRITTEN, ids=lambda one: one.model.name)
def test_each_model_is_written_and_exported(desk: Desk, repository: type[Repository[Any]]) -> None:
    """The file may have any name if the format is given; exported records are accepted again."""
    model = repository.model
    before = run("export", model.name).out.splitlines() if issubclass(repository, Lists) else []
    row = sample_row(model, 7, **({model.company_field: company_of(desk, model)} if model.company_field else {}))
    ended = run("upsert", model.name, desk.file("rows.txt", encode_json(row)), "--format", "jsonl", "--json")
    result = json.loads(ended.out)
    assert (ended.code, result["created"], result["rows"]) == (0, 1, 1)
    if issubclass(repository, Lists):
        exported = run("export", model.name)
        assert exported.code == 0
        held = exported.out.splitlines()
        assert (len(held), set(before) < set(held)) == (len(before) + 1, True)
        again = json.loads(run("upsert", model.name, desk.file("again.jsonl", exported.out), "--json").out)
        assert (again["created"], again["rows"], again["ok"]) == (0, len(held), True)


@pytest.mark.parametrize("repository", WRITTEN, ids=lambda one: one.model.name)
def test_a_file_maps_the_columns_of_each_model(desk: Desk, repository: type[Repository[Any]]) -> None:
    """A dry run shows the rows that would be sent."""
    model = repository.model
    row = {name: value for name, value in sample_row(model, 7).items() if value}
    names = {field.wire: name for name, field in fields_of(model.record).items()}
    cells = {wire: value for wire, value in row.items() if isinstance(value, str | float)}
    columns = {f"Column {number}": names[wire] for number, wire in enumerate(cells)}
    lines = "".join(f'{name} = "{column}"\n' for column, name in columns.items())
    table = ",".join(columns) + "\n" + ",".join(f'"{value}"' for value in cells.values()) + "\n"
    mapping = desk.file("mapping.toml", f"[fields]\n{lines}")
    ended = run("upsert", model.name, desk.file("rows.csv", table), "--map", mapping, "--dry-run", "--json")
    plan = json.loads(ended.out)
    assert (ended.code, plan["rows"], plan["invalid"], plan["chunks"]) == (0, 1, 0, 1)


@pytest.mark.parametrize("repository", ALL, ids=lambda one: one.model.name)
def test_the_fields_of_each_model_are_listed(
    repository: type[Repository[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both names are listed."""
    monkeypatch.setattr(console.out, "_width", 300)
    monkeypatch.setattr(console.out, "_force_terminal", True)
    ended = run("fields", repository.model.name)
    assert (ended.code, ended.err) == (0, [])
    words = {word for line in ended.out.splitlines() for word in line.replace("│", " ").split()}
    for name, field in fields_of(repository.model.record).items():
        assert {name, field.wire} <= words


def test_companies_are_written_changed_and_exported(desk: Desk) -> None:
    """They are created and updated by any key, and exported with the same columns; an invalid row is reported."""
    file = desk.file("c.csv", CSV + ",@a,@7,@Acme,,\n,@b,@8,@Bolt,,\n,,,@No key,,\n,,,,Live,\n")
    planned = run("upsert", "companies", file, "--dry-run", "--json")
    assert (planned.code, json.loads(planned.out)["invalid"]) == (1, 1)
    made = run("upsert", "companies", file, "--json", "--rejects", str(desk.folder / "r.csv"))
    result = json.loads(made.out)
    assert (made.code, result["created"], result["invalid"]) == (1, 3, 1)
    assert result["problems"][0]["reason"] == "name is required"
    by_external_id = desk.file("e.csv", "externalId,phase\n@a,Live\n")
    by_source_id = desk.file("s.csv", "sourceId,phase\n@8,Lost\n")
    for changes in (by_external_id, by_source_id):
        assert json.loads(run("upsert", "companies", changes, "--json").out)["updated"] == 1
    exported = run("export", "companies", "--format", "jsonl")
    held = [json.loads(line) for line in exported.out.splitlines()]
    ours = {one["name"].removeprefix(desk.prefix): one.get("phase") for one in held if desk.prefix in one["name"]}
    assert ours == {"Acme": "Live", "Bolt": "Lost", "No key": None}
    again = desk.file("again.jsonl", exported.out)
    assert json.loads(run("upsert", "companies", again, "--json").out)["created"] == 0


def test_the_fields_of_companies_are_listed(desk: Desk) -> None:
    """The list contains their documentation."""
    listed = run("fields", "companies")
    assert listed.code == 0
    assert "externalId" in listed.out
    assert "csm_score" in listed.out
    assert "company_external_id" not in listed.out
    assert not any(desk.folder.iterdir())


def test_all_models_are_listed_for_programs() -> None:
    """In the order of the list of models, with nothing about calls that a model does not have."""
    ended = run("models", "--json")
    listed = {facts["name"]: facts for facts in json.loads(ended.out)}
    assert (ended.code, ended.err, [*listed]) == (0, [], [one.model.name for one in ALL])
    assert listed["tickets"] == {
        "name": "tickets",
        "path": "/tickets",
        "calls": ["list", "delete", "upsert"],
        "page": {"default": 500, "max": 10_000},
        "is_whole_list": False,
        "keys": {"delete": ["_id"]},
        "match": ["id", "source_id"],
        "filters": ["company_id", "status", "email", "search"],
    }
    assert (listed["custom_fields"]["match"], listed["products"]["page"]) == ([], None)
    assert [name for name, facts in listed.items() if facts["is_whole_list"]] == ["lean_companies"]


@pytest.mark.parametrize("repository", ALL, ids=lambda one: one.model.name)
def test_the_calls_that_are_listed_are_those_of_the_repository(repository: type[Repository[Any]]) -> None:
    """Each by its method."""
    methods = {"list": "iter", "upsert": "upsert_many"}
    calls = facts_of(repository)["calls"]
    every = ("list", "get", "create", "update", "delete", "upsert")
    assert calls == [call for call in every if hasattr(repository, methods.get(call, call))]


def test_all_models_are_listed_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each, if the terminal is wide enough."""
    monkeypatch.setattr(console.out, "_width", 300)
    monkeypatch.setattr(console.out, "_force_terminal", True)
    monkeypatch.setattr(console.out, "no_color", True)
    ended = run("models")
    cells = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in ended.out.splitlines()]
    tables = {row[0]: row[1:] for row in cells if len(row) > 1}
    assert (ended.code, ended.err, {one.model.name for one in ALL} - tables.keys()) == (0, [], set())
    assert tables["issues"] == [
        "/issues",
        "list get create update delete upsert",
        "100, at most 2,000",
        "get, update: _id, srcid-; delete: _id",
        "id, source_id",
        "company_id",
    ]
    assert tables["lean_companies"][2] == "all"
    assert tables["products"][2] == "not documented"


@pytest.mark.parametrize("width", [40, 200])
def test_fields_are_lines_that_are_never_shortened_in_a_pipe(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cells separated by tabs, whatever the width; JSON has the same."""
    monkeypatch.setenv("COLUMNS", str(width))
    lines = [line.split("\t") for line in run("fields", "tickets").out.splitlines()]
    listed = json.loads(run("fields", "tickets", "--json").out)
    assert [cells[:3] for cells in lines] == [[one["field"], one["in_planhat"], one["type"]] for one in listed]
    assert all(cells[3].endswith(one["meaning"]) for cells, one in zip(lines, listed, strict=True))
    assert ["create_date", True] in [[cells[0], cells[3].startswith("(filled in by Planhat)")] for cells in lines]


@pytest.mark.parametrize(("command", "columns"), [("models", MODEL_COLUMNS), ("fields", FIELD_COLUMNS)])
def test_the_help_names_the_cells_of_a_line_in_a_pipe(command: str, columns: tuple[str, ...]) -> None:
    """In their order, as there are no headings."""
    said = " ".join(run(command, "--help").out.split())
    assert f"without headings: {', '.join(columns)}." in said


def test_models_are_lines_in_a_pipe() -> None:
    """Seven cells separated by tabs."""
    lines = [line.split("\t") for line in run("models").out.splitlines()]
    assert ([cells[0] for cells in lines], {len(cells) for cells in lines}) == ([one.model.name for one in ALL], {7})
