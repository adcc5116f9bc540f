"""Test `planhat-async mapping`: its files are accepted by `upsert`."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from command_line import Desk, run
from each_model import each, sample_row

from planhat_async._convert import encode_json
from planhat_async.repositories import Repository, Upserts

HELP_DESK = "Ticket ID,Customer Email,Ticket Subject\n1,ada@acme.example,Hello\n"


def fields_in(text: str) -> Any:
    return tomllib.loads(text)["fields"]


def planned(model: str, file: Path, mapping: Path) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the result of a dry run."""
    ended = run("upsert", model, file, "--map", mapping, "--dry-run", "--json")
    return ended.code, json.loads(ended.out)


@each(Upserts)
def test_the_file_for_each_model_is_accepted(desk: Desk, repository: type[Repository[Any]]) -> None:
    """All columns of a row that can be created are mapped, from JSONL and from CSV, and the row is valid."""
    model = repository.model
    row = {name: value for name, value in sample_row(model, 7).items() if value}
    cells = {name: value for name, value in row.items() if isinstance(value, str | float)}
    table = ",".join(cells) + "\n" + ",".join(f'"{value}"' for value in cells.values()) + "\n"
    rows = desk.file("rows.jsonl", encode_json(row)), desk.file("rows.csv", table)
    for file, columns in zip(rows, (row, cells), strict=True):
        mapping = Path(f"{file.suffix[1:]}.toml")
        assert run("mapping", model.name, file, "-o", mapping).code == 0
        code, plan = planned(model.name, file, mapping)
        assert (code, plan["rows"], plan["invalid"]) == (0, 1, 0)
        assert {*fields_in(mapping.read_text()).values()} == columns.keys()


@pytest.mark.slow
def test_the_file_for_a_help_desk_is_accepted(desk: Desk) -> None:
    """All of its columns are guessed by the names that help desks use."""
    file = desk.file("tickets.csv", HELP_DESK)
    written = run("mapping", "tickets", file, "--output", "mapping.toml")
    said = "3 of 3 columns mapped, 3 of them guessed: check and complete mapping.toml"
    assert (written.code, written.out, written.err) == (0, "", [said])
    assert fields_in(Path("mapping.toml").read_text()) == {
        "source_id": "Ticket ID",
        "email": "Customer Email",
        "title": "Ticket Subject",
    }
    code, plan = planned("tickets", file, Path("mapping.toml"))
    assert (code, plan["invalid"], [one["field"] for one in plan["fields"]]) == (0, 0, ["source_id", "email", "title"])


def test_the_file_goes_to_standard_output(desk: Desk) -> None:
    """It is the same text, and nothing else is written."""
    file = desk.file("tickets.csv", HELP_DESK)
    printed = run("mapping", "tickets", file)
    run("mapping", "tickets", file, "-o", "mapping.toml")
    assert (printed.code, printed.err) == (0, [])
    assert printed.out == Path("mapping.toml").read_text()


def test_a_file_that_exists_is_not_overwritten(desk: Desk) -> None:
    """The message says why."""
    mapping = desk.file("mapping.toml", "[fields]\n")
    ended = run("mapping", "tickets", desk.file("tickets.csv", HELP_DESK), "-o", mapping)
    said = f"planhat-async: {mapping} is there already: move it away, it may hold a mapping that you have completed"
    assert (ended.code, ended.err, mapping.read_text()) == (2, [said], "[fields]\n")


def test_a_link_to_nowhere_is_not_written_through(desk: Desk) -> None:
    """It is a file that exists."""
    Path("mapping.toml").symlink_to("elsewhere.toml")
    ended = run("mapping", "tickets", desk.file("tickets.csv", HELP_DESK), "-o", "mapping.toml")
    assert (ended.code, "is there already" in ended.err[0], Path("elsewhere.toml").exists()) == (2, True, False)


def test_the_keys_of_the_first_rows_of_jsonl_are_columns(desk: Desk) -> None:
    """Lines that are not rows, blank ones and those after the thousandth row are ignored."""
    lines = '{"sourceId":"1"}\n\nnot a row\n{"Status":"x","not stored because":"y"}\n' + "{}\n" * 997 + '{"late":1}\n'
    packed = desk.folder / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(lines.encode()))
    out = run("mapping", "tickets", packed).out
    assert fields_in(out) == {"source_id": "sourceId", "status": "Status"}
    assert ("late" in out, "because" in out) == (False, False)


def test_the_schema_of_parquet_has_the_columns(desk: Desk) -> None:
    """No row is required."""
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"Source ID": pa.array([], pa.string())}), desk.folder / "rows.parquet")
    assert fields_in(run("mapping", "tickets", "rows.parquet").out) == {"source_id": "Source ID"}


def test_format_and_encoding_are_those_of_upsert(desk: Desk) -> None:
    """The mapping file itself is UTF-8."""
    file = desk.file("rows.txt", "E-mail,Priorität\n".encode("latin-1"))
    out = run("mapping", "tickets", file, "--format", "csv", "--encoding", "latin-1").out
    assert 'email = "E-mail"\n# "custom.Priorität" = "Priorität"\n' in out


@pytest.mark.parametrize(
    ("header", "options"), [("E-mail ; ID;;\n", ()), ("sep=^\nE-mail^ID\n", ()), ("E-mail:ID\n", ("--delimiter", ":"))]
)
def test_the_columns_are_separated_as_in_upsert(desk: Desk, header: str, options: tuple[str, ...]) -> None:
    """Blanks around names are no part of them, and a column without a name is none."""
    assert fields_in(run("mapping", "tickets", desk.file("t.csv", header), *options).out) == {
        "email": "E-mail",
        "id": "ID",
    }


@pytest.mark.parametrize(
    ("content", "name", "options", "message"),
    [
        ("", "t.csv", (), "t.csv: the file is empty"),
        ("[1]\n", "t.jsonl", (), "t.jsonl has no columns to map: item 1, line 1: not a JSON object but a number"),
        (HELP_DESK, "t.txt", (), "the name must end in .csv"),
        (b"Priorit\xe4t\n", "t.csv", (), "line 1: the header is not utf-8: say --encoding, such as cp1252"),
        (HELP_DESK, "t.csv", ("--encoding", "nope"), "unknown encoding 'nope'"),
        (HELP_DESK, "t.csv", ("-o", "."), ". is a directory"),
        (HELP_DESK, "t.csv", ("-o", "m.txt"), "m.txt: upsert --map needs a name that ends in .toml and has no ="),
        (HELP_DESK, "t.csv", ("-o", "a=b.toml"), "a=b.toml: upsert --map needs a name"),
        (HELP_DESK, "t.csv", ("-o", "none/m.toml"), "none/m.toml: there is no folder none"),
    ],
)
def test_what_cannot_be_used_is_refused(
    desk: Desk, content: str | bytes, name: str, options: tuple[str, ...], message: str
) -> None:
    """One line says why, and no file is written."""
    ended = run("mapping", "tickets", desk.file(name, content), *options)
    assert (ended.code, ended.out, len(ended.err)) == (2, "", 1)
    assert message in ended.err[0]
    assert [path.name for path in desk.folder.iterdir()] == [name]


def test_a_missing_file_is_refused(desk: Desk) -> None:
    """The message names it."""
    ended = run("mapping", "tickets", desk.folder / "none.csv")
    assert (ended.code, "none.csv: No such file or directory" in ended.err[0]) == (2, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '"Ticket ID" = "source_id"',
            """Ticket has no field 'Ticket ID'; [fields] names the field first: source_id = "Ticket ID\"""",
        ),
        (
            'Plan = "custom.Plan"',
            """Ticket has no field 'Plan'; [fields] names the field first: "custom.Plan" = "Plan\"""",
        ),
        (
            '"Source ID" = { column = "sourceId", strip = true }',
            """Ticket has no field 'Source ID'; [fields] names the field first: sourceId = "Source ID\"""",
        ),
        ('sttus = "status"', "Ticket has no field 'sttus'; did you mean status?"),
        ('ticket_no = "Ticket ID"', "Ticket has no field 'ticket_no'"),
    ],
)
def test_a_mapping_file_with_the_column_first_is_refused(desk: Desk, line: str, said: str) -> None:
    """The message has the line that the file needs; a misspelt field is another mistake."""
    mapping = desk.file("m.toml", f"[fields]\n{line}\n")
    ended = run("upsert", "tickets", desk.file("tickets.csv", HELP_DESK), "--map", mapping, "--dry-run")
    assert (ended.code, ended.err) == (2, [f"planhat-async: --map: {said}"])
