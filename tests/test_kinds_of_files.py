"""Test commands with compressed files, workbooks, and files behind URLs."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import fsspec
import openpyxl
import pytest
import zstandard
from command_line import GOOD, HEAD, Desk, Ended, good, good_json, run
from fsspec.implementations.memory import MemoryFileSystem

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
ENDINGS = ".csv, .jsonl, .ndjson, .parquet (also with .gz, .bz2, .xz or .zst)"
AWAY = ("--base-url", "http://127.0.0.1:1", "--token-file", "token")
"""A server that would refuse every call."""


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """Forget the files in memory."""
    yield
    MemoryFileSystem.store.clear()


@pytest.fixture
def token(desk: Desk) -> None:
    """Write a token."""
    desk.file("token", "tok-of-a-test")


def workbook(desk: Desk, name: str, *rows: list[Any], **sheets: list[list[Any]]) -> Path:
    """Make a workbook whose first sheet is called Sheet, with the signs of `Desk.file`."""
    book = openpyxl.Workbook()
    for title, content in {"Sheet": rows, **sheets}.items():
        sheet = book.worksheets[0] if title == "Sheet" else book.create_sheet(title)
        for row in content:
            texts = [str(cell).replace("@", desk.prefix).replace("(at)", "@") for cell in row]
            sheet.append([text if isinstance(cell, str) else cell for text, cell in zip(texts, row, strict=True)])
    path = desk.folder / name
    book.save(path)
    return path


def ids_of(desk: Desk) -> set[str]:
    return {*desk.stored()}


# Compression.


@pytest.mark.parametrize("suffix", UNPACK)
@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_the_ending_of_an_export_compresses_it(desk: Desk, name: str, suffix: str) -> None:
    """The content is that of the plain file, and comes back as such."""
    run("upsert", "tickets", desk.file("t.csv", HEAD + good(1) + good(2)))
    assert run("export", "tickets", "-o", name).code == 0
    assert run("export", "tickets", "-o", f"{name}{suffix}").code == 0
    assert UNPACK[suffix](Path(f"{name}{suffix}").read_bytes()) == Path(name).read_bytes()
    assert not Path(f"{name}{suffix}.part").exists()
    if name == "out.jsonl":
        ended = run("upsert", "tickets", f"{name}{suffix}", "--json")
        assert (ended.code, json.loads(ended.out)["invalid"]) == (0, 0)


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "o.xlsx"], "o.xlsx: workbooks are read, and not written: end the name in .csv"),
        (["-o", "o.csv.zip"], "o.csv.zip: zip is not written: end the name in .gz, .bz2, .xz or .zst"),
        (["-o", "o.txt"], f"o.txt: the name must end in {ENDINGS}, or --format be given"),
        (["-o", "o.csv.gz", "--format", "jsonl"],
         "o.csv.gz: the name says csv, and --format says jsonl: change one of them"),
        (["-o", "o.parquet.gz"], "o.parquet.gz: Parquet is compressed within: leave out .gz"),
        (["-o", "o.jsonl.gz", "--resume"],
         "--resume does not work with .gz: what was written cannot be read on"),
        (["-o", "memory://o.jsonl", "--resume"],
         "--resume needs a local file: nothing of an interrupted upload is left"),
        (["-o", "klingon://o.jsonl"], "klingon://o.jsonl: Protocol not known: klingon"),
        (["-o", "memory://o.xlsx"], "o.xlsx: workbooks are read, and not written: end the name in .csv"),
    ],
    ids=range(9),
)  # fmt: skip
def test_an_output_that_is_not_written_is_refused_before_any_call(
    desk: Desk, arguments: list[str], message: str
) -> None:
    """No file is created."""
    assert run("export", "tickets", *arguments, *AWAY) == Ended(2, "", [f"planhat-async: {message}"])
    assert os.listdir(desk.folder) == ["token"]


@pytest.mark.usefixtures("token")
def test_all_models_go_to_a_local_folder(desk: Desk) -> None:
    """A URL is refused."""
    ended = run("export", "--all", "memory://folder", *AWAY)
    assert ended == Ended(2, "", ["planhat-async: --all must be a local path, not a URL"])
    assert os.listdir(desk.folder) == ["token"]


def test_a_hyphen_is_standard_output(desk: Desk) -> None:
    """As it is standard input elsewhere."""
    run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD))
    assert run("export", "tickets", "-o", "-", "--format", "csv").out.startswith("_id,")
    assert not Path("-").exists()


def test_rows_before_the_damage_are_accounted_for(desk: Desk) -> None:
    """The run ends with one line; rows that were read were sent, and count."""
    made = random.Random(1)
    rows = HEAD + "".join(good(number).replace("Hello", made.randbytes(400).hex()) for number in range(500))
    content = gzip.compress(rows.replace("@", desk.prefix).replace("(at)", "@").encode())
    Path("t.csv.gz").write_bytes(content[: len(content) // 2])
    ended = run("upsert", "tickets", "t.csv.gz", "--chunk-size", "50", "--json")
    result = json.loads(ended.out)
    assert (ended.code, result["created"]) == (2, len(desk.stored()))
    assert 0 < result["created"] < result["rows"] == result["created"] + result["unsent"] < 500
    assert str(result["stopped_by"]).startswith("t.csv.gz is not a complete gzip file: ")


def test_rejected_rows_of_a_compressed_file_are_plain_unless_their_name_says_otherwise(desk: Desk) -> None:
    """They are to be edited."""
    rows = HEAD + GOOD + "@2,nobody,acme.example\n"
    Path("t.csv.gz").write_bytes(gzip.compress(rows.replace("@", desk.prefix).replace("(at)", "@").encode()))
    for name in ("r.csv", "r.csv.gz"):
        assert run("upsert", "tickets", "t.csv.gz", "--rejects", name).code == 1
    assert gzip.decompress(Path("r.csv.gz").read_bytes()) == Path("r.csv").read_bytes()
    assert Path("r.csv").read_text().startswith("not stored because,")


# Workbooks.


def test_a_workbook_is_sent(desk: Desk) -> None:
    """What was left out is said."""
    head = ["source_id", "email", "domains"]
    rows = [["@1", "ada(at)acme.example", '["acme.example"]'], ["@2", "#N/A", "acme.example"]]
    workbook(desk, "t.xlsx", [], head, *rows, Second=[head, ["@3", "b(at)acme.example", '["acme.example"]']])
    ended = run("upsert", "tickets", "t.xlsx", "--json")
    result = json.loads(ended.out)
    assert (ended.code, result["created"], result["invalid"]) == (1, 1, 1)
    assert result["remarks"] == ["only the sheet 'Sheet' was read; choose another with --sheet: 'Second'"]
    assert "row 4: Sheet!B4 holds #N/A" in ended.out
    assert run("upsert", "tickets", "t.xlsx", "--sheet", "Second").code == 0
    assert ids_of(desk) == {"@1", "@3"}


def test_rejected_rows_of_a_workbook_are_csv(desk: Desk) -> None:
    """Any other name is refused before a row is sent."""
    workbook(desk, "t.xlsx", ["source_id", "email"], ["@1", "#N/A"])
    ended = run("upsert", "tickets", "t.xlsx", "--rejects", "r.xlsx")
    message = "planhat-async: r.xlsx: rows of a workbook are copied as CSV: let the name end in .csv"
    assert ended == Ended(2, "", [message])
    assert run("upsert", "tickets", "t.xlsx", "--rejects", "r.csv").code == 1
    assert Path("r.csv").read_text("utf-8-sig").splitlines()[1].endswith(f"{desk.prefix}1,#N/A")


def test_rejected_rows_of_a_workbook_say_how_their_custom_fields_keep_their_types(desk: Desk) -> None:
    """A number in a cell of CSV is a text unless its type is given; a day is the same text anyway."""
    head = ["source_id", "email", "ARR", "custom.is_vip", "since"]
    workbook(desk, "t.xlsx", head, ["@1", "#N/A", 5, True, date(2024, 5, 31)])
    maps = ("source_id=source_id", "email=email", "custom.ARR=arr", "custom.VIP=custom.is_vip", "custom.since=since")
    options = [part for text in maps for part in ("--map", text)]
    ended = run("upsert", "tickets", "t.xlsx", "--rejects", "r.csv", "--type", "custom.VIP=boolean", *options)
    assert ended.err[-1] == "r.csv: it holds only texts: to send it, add --type custom.ARR=number"


def test_a_rerun_of_a_job_must_read_the_same_sheet(desk: Desk) -> None:
    """Another sheet has other rows."""
    head = ["source_id", "email", "domains"]
    workbook(desk, "t.xlsx", head, Second=[head])
    assert run("upsert", "tickets", "t.xlsx", "--journal", "j.db").code == 0
    assert run("upsert", "tickets", "t.xlsx", "--journal", "j.db").code == 0
    ended = run("upsert", "tickets", "t.xlsx", "--journal", "j.db", "--sheet", "Second")
    assert (ended.code, len(ended.err)) == (2, 1)
    assert "j.db is the journal of another job: sheet is Second, was not given" in ended.err[0]


def test_records_of_a_workbook_are_deleted(desk: Desk) -> None:
    """The sheet has the column `_id`."""
    run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD))
    (ticket,) = desk.stored().values()
    workbook(desk, "d.xlsx", ["x"], Ids=[["note", "_id"], ["a", ticket["_id"]]])
    assert run("delete", "tickets", "d.xlsx", "--sheet", "Ids", "--yes").code == 0
    assert desk.stored() == {}


def test_a_mapping_is_proposed_for_a_workbook(desk: Desk) -> None:
    """From the header of the sheet."""
    workbook(desk, "t.xlsx", ["x"], Second=[["Source ID", "Subject line"]])
    ended = run("mapping", "tickets", "t.xlsx", "--sheet", "Second")
    assert 'source_id = "Source ID"' in ended.out.splitlines()


# Elsewhere.


def test_an_export_goes_to_a_url_and_comes_back(desk: Desk) -> None:
    """Compressed as its name says; the message has no secrets."""
    run("upsert", "tickets", desk.file("t.jsonl", good_json(1)))
    ended = run("export", "tickets", "-o", "memory://folder/t.jsonl.gz")
    assert ended.code == 0
    assert ended.err[-1].endswith(" exported to memory://folder/t.jsonl.gz")
    ended = run("upsert", "tickets", "memory://folder/t.jsonl.gz", "--json")
    assert (ended.code, json.loads(ended.out)["invalid"]) == (0, 0)


@pytest.mark.usefixtures("token")
def test_an_export_that_fails_leaves_nothing_behind_a_url() -> None:
    """An earlier file stays."""
    with fsspec.open("memory://t.jsonl", "wb") as file:
        file.write(b"before")
    assert run("export", "tickets", "-o", "memory://t.jsonl", *AWAY).code == 3
    assert fsspec.filesystem("memory").cat("memory://t.jsonl") == b"before"
    assert [*MemoryFileSystem.store] == ["/t.jsonl"]


def test_a_source_that_changes_between_two_runs_of_a_job_is_noticed(desk: Desk) -> None:
    """As a file is, although its size is the same."""

    def put(number: int) -> None:
        with fsspec.open("memory://t.csv", "wb") as file:
            file.write((HEAD + good(number)).replace("@", desk.prefix).replace("(at)", "@").encode())

    put(1)
    for _ in range(2):
        assert run("upsert", "tickets", "memory://t.csv", "--journal", "j.db").code == 0
    put(2)
    ended = run("upsert", "tickets", "memory://t.csv", "--journal", "j.db")
    assert (ended.code, len(ended.err)) == (2, 1)
    assert ended.err[0].startswith("planhat-async: j.db is the journal of another job: version is created ")
    assert ids_of(desk) == {"@1"}


def test_a_url_of_a_local_file_is_that_file(desk: Desk) -> None:
    """A journal does not tell them apart."""
    path = desk.file("t.csv", HEAD + GOOD)
    assert run("upsert", "tickets", path, "--journal", "j.db").code == 0
    assert run("upsert", "tickets", f"file://{path}", "--journal", "j.db").code == 0
    assert run("export", "tickets", "-o", f"file://{desk.folder}/out.jsonl").code == 0
    assert (desk.folder / "out.jsonl").read_bytes().count(b"\n") >= 1


@pytest.mark.parametrize("command", [["upsert"], ["delete", "--yes"]])
@pytest.mark.parametrize("option", ["--journal", "--rejects"])
def test_a_journal_and_rejected_rows_are_local(desk: Desk, command: list[str], option: str) -> None:
    """A URL is refused with one line, and nothing is sent."""
    path = desk.file("t.csv", HEAD + GOOD)
    ended = run(command[0], "tickets", path, *command[1:], option, "s3://bucket/r.csv")
    assert ended == Ended(2, "", [f"planhat-async: {option} must be a local path, not a URL"])
    assert desk.stored() == {}


def test_a_mapping_file_is_local(desk: Desk) -> None:
    """A URL is refused."""
    path = desk.file("t.csv", HEAD)
    ended = run("mapping", "tickets", path, "-o", "s3://bucket/m.toml")
    assert ended == Ended(2, "", ["planhat-async: --output must be a local path, not a URL"])


def test_other_commands_read_urls(desk: Desk) -> None:
    """`delete` and `mapping`."""
    run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD))
    (ticket,) = desk.stored().values()
    for name, content in {"ids.txt": ticket["_id"], "t.csv": "Source ID\n"}.items():
        with fsspec.open(f"memory://{name}", "wb") as file:
            file.write(content.encode())
    assert 'source_id = "Source ID"' in run("mapping", "tickets", "memory://t.csv").out.splitlines()
    assert run("delete", "tickets", "memory://ids.txt", "--yes").code == 0
    assert desk.stored() == {}


@pytest.mark.slow
def test_a_missing_object_is_one_line() -> None:
    """The secrets of its URL are not shown."""
    ended = run("upsert", "tickets", "memory://user:pw@gone.csv")
    assert ended == Ended(2, "", ["planhat-async: memory://***@gone.csv: there is no such file"])
