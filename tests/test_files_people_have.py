"""Test files as people have them: of help desks, spreadsheets, databases and data frames, through the command line.

Each is sent to the sandbox. Of each, three things are compared: the exit code, the records that are stored, and what is
said about rows that are not.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from attrs import field, frozen
from command_line import Desk, run
from pyarrow import parquet

HEAD = "source_id,email,title\n"
ADA, BOB = "ada(at)acme.example", "bob(at)acme.example"
OPTIONS = {
    "tickets": ("--set", "domains=acme.example"),
    "tasks": ("--set", "company_id=5fd76c4daf9f4601dd313b05"),
}
START = "2024-05-31T09:30:00.000Z"


@frozen(kw_only=True)
class Given:
    """A file, and what is right."""

    content: str | bytes
    name: str = "t.csv"
    encoding: str = "utf-8"
    options: tuple[str, ...] = ()
    files: dict[str, str] = field(factory=dict)
    """Others that the options name."""
    model: str = "tickets"
    code: int = 0
    stored: dict[str, dict[str, Any]]
    """The fields of each record, by its source id."""
    says: tuple[str, ...] = ()
    """The beginnings of reasons, and remarks."""


def frame(**columns: Any) -> bytes:
    """Return a Parquet file."""
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out)
    return out.getvalue()


def sheet(*rows: Sequence[Any]) -> bytes:
    """Return a workbook."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.worksheets[0].append(list(row))
    book.save(out)
    return out.getvalue()


def titles(**found: str | None) -> dict[str, dict[str, Any]]:
    """Return records by the digits of their source ids."""
    return {f"@{number[1:]}": {"title": title} for number, title in found.items()}


QUOTES = "not read, because a quote is closed in the middle of a cell"
NOT_A_TIME = "is not a time such as 2024-05-31T09:30:00Z"
MAP_OF_TIMES = """
time_zone = "Europe/Berlin"
[fields]
source_id = "id"
start_time = "when"
[dates]
start_time = "%Y-%m-%d %H:%M:%S %Z"
"""
CUSTOM_TYPES = ("--type", "custom.ARR=number", "--type", "custom.VIP=boolean", "--type", "custom.Regions=list")

QUOTED: dict[str, Given] = {
    "a customer's text behind a badly escaped quote is no row": Given(
        content=HEAD + f'@1,{ADA},"She wrote \\"see below\\":\n@7,{BOB},text out of a mail"\n@2,{BOB},Fine\n',
        code=1, stored={}, says=(f"lines 2 to 4, the last: {QUOTES}: if a backslash", "3 lines were not read"),
    ),
    "the same with the option that the message names": Given(
        content=HEAD + f'@1,{ADA},"She wrote \\"see below\\":\n@7,{BOB},out of a mail"\n@2,{BOB},Fine\n',
        options=("--escape", "backslash"),
        stored=titles(_1='She wrote "see below":\n@7,bob@acme.example,out of a mail', _2="Fine"),
    ),
    "a quote that is not closed": Given(
        content=HEAD + f'@1,{ADA},"never\n@2,{BOB},ok\n', code=1, stored={},
        says=("lines 2 to 3, the last: not read, because a quote in that row is never closed", "2 lines were not read"),
    ),
    "text behind a closed quote": Given(
        content=HEAD + f'@1,{ADA},ok\n@2,{BOB},"a" b\n@3,{BOB},"c\n@4,{BOB},x"\n', code=1, stored=titles(_1="ok"),
        says=(f"lines 3 to 5, the last: {QUOTES}", "3 lines were not read"),
    ),
    "inches in a cell without quotes": Given(
        content=HEAD + f'@1,{ADA},Screen 15" wide\n', stored=titles(_1='Screen 15" wide')
    ),
    "a path that ends in a backslash": Given(
        content=HEAD + f'@1,{ADA},"C:\\new\\"\n@2,{BOB},ok\n', stored=titles(_1="C:\\new\\", _2="ok")
    ),
    "blanks behind separators, before quotes": Given(
        content=f'"source_id", "email", "title"\n"@1", "{ADA}", "x, y"\n', stored=titles(_1="x, y")
    ),
    "line ends of three systems in one file": Given(
        content=f"source_id,email,title\r\n@1,{ADA},x\n@2,{ADA},y\r@3,{ADA},z\r\n",
        stored=titles(_1="x", _2="y", _3="z"),
    ),
}  # fmt: skip
DIALECTS: dict[str, Given] = {
    "semicolons": Given(
        content=f"source_id;email;title\n@1;{ADA};Zoë, a,b,c\n", encoding="cp1252", options=("--encoding", "cp1252"),
        stored=titles(_1="Zoë, a,b,c"),
    ),
    "a declared separator": Given(content=f"sep=,\n{HEAD}@1,{ADA},Hi\n", stored=titles(_1="Hi")),
    "a declared tab": Given(content=f"sep=\t\nsource_id\temail\n@1\t{ADA}\n", stored=titles(_1=None)),
    "Unicode text of a spreadsheet": Given(
        content=f"source_id\temail\ttitle\r\n@1\t{ADA}\tHé\r\n", encoding="utf-16", name="t.txt",
        options=("--format", "csv"), stored=titles(_1="Hé"),
    ),
    "tabs by the suffix": Given(content=f"source_id\temail\n@1\t{ADA}\n", name="t.tsv", stored=titles(_1=None)),
    "bars": Given(content=f"source_id|email\n@1|{ADA}\n", stored=titles(_1=None)),
    "another separator": Given(
        content=f"source_id^email\n@1^{ADA}\n", code=2, stored={},
        says=("t.csv: the header is one column that holds '^': if that separates columns, say --delimiter '^'",),
    ),
    "another separator that is named": Given(
        content=f"source_id^email\n@1^{ADA}\n", options=("--delimiter", "^"), stored=titles(_1=None)
    ),
    "a byte order mark and quotes": Given(
        content=f'\ufeff"source_id","email"\n"@1","{ADA}"\n', stored=titles(_1=None)
    ),
    "two files one after another, with their marks": Given(
        content=f"\ufeff{HEAD}@1,{ADA},x\n\ufeff{HEAD}@2,{ADA},y\n", stored=titles(_1="x", _2="y"),
        says=("1 repeated header row left out",),
    ),
    "another encoding than is said": Given(
        content=f"{HEAD}@1,{ADA},Zoë\n@2,{ADA},ok\n", encoding="cp1252", code=1, stored=titles(_2="ok"),
        says=("line 2: column 'title' holds bytes of another encoding than utf-8: say --encoding, such as cp1252",),
    ),
    "UTF-16 without a mark": Given(
        content=f"{HEAD}@1,{ADA},x\n", encoding="utf-16-le", code=2, stored={},
        says=("t.csv: line 1: the header is probably UTF-16: say --encoding utf-16-le",),
    ),
}  # fmt: skip
SHAPES: dict[str, Given] = {
    "a blank line before the header": Given(content=f"\n{HEAD}@1,{ADA},x\n", stored=titles(_1="x")),
    "rows of commas behind the last": Given(
        content=f"{HEAD}@1,{ADA},x\n,,\n , ,\n\xa0,\xa0,\xa0\n", stored=titles(_1="x"), says=("3 blank rows left out",)
    ),
    "rows with values in unmapped columns only": Given(
        content="Title,Remark,Id\nCall,ok,@1\n,,\n,see above,\n", model="tasks", stored={"@1": {"action": "Call"}},
        options=("--map", "action=Title", "--map", "source_id=Id"),
        says=("2 blank rows left out", "1 column is not used: Remark"),
    ),
    "names in other cases, with blanks": Given(content=f"Source_ID, Email\n@1,{ADA}\n", stored=titles(_1=None)),
    "empty columns without a name": Given(
        content=f"source_id,email,,\n@1,{ADA},,\n@2,{BOB}\n", stored=titles(_1=None, _2=None)
    ),
    "a repeated column that is not mapped": Given(
        content=f"source_id,email,x,x\n@1,{ADA},1,2\n", stored=titles(_1=None), says=("1 column is not used: x",),
        options=("--map", "source_id=source_id", "--map", "email=email"),
    ),
    "a repeated column": Given(
        content=f"source_id,email,title,title\n@1,{ADA},1,2\n", code=2, stored={},
        says=("t.csv: title is given twice",),
    ),
    "a line behind the last row": Given(
        content=f"{HEAD}@1,{ADA},x\n\nGenerated by a help desk\n", code=1, stored=titles(_1="x"),
        says=("line 4: 1 cell, but the header has 3",),
    ),
    "a cell too many": Given(
        content=f"{HEAD}@1,{ADA},x, y\n@2,{ADA},z,\n", code=1, stored=titles(_2="z"),
        says=("line 2: 4 cells, but the header has 3",),
    ),
    "no byte at all": Given(
        content="", code=2, stored={}, says=("t.csv: the file is empty: it has no header",)
    ),
    "gzip under another name": Given(
        content=b"(gzip)", stored=titles(_1="x"), name="t.csv"
    ),
    "text under the name of gzip": Given(content=f"{HEAD}@1,{ADA},x\n", name="t.csv.gz", stored=titles(_1="x")),
    "an e-mail of blanks": Given(
        content=f"{HEAD}@1,  ,x\n@2, {BOB} ,y\n", code=1, stored={"@2": {"title": "y", "email": "bob@acme.example"}},
        says=("email: an e-mail address, not blanks",),
    ),
    "the index of a data frame": Given(
        content=f",source_id,email\n0,@1,{ADA}\n5,@2,{BOB}\n", stored=titles(_1=None, _2=None),
        says=("1 column left out, the index of a data frame: column 1",),
    ),
    "such an index that was read again": Given(
        content=f"Unnamed: 0,source_id,email\n0,@1,{ADA}\n", stored=titles(_1=None),
        says=("1 column left out, the index of a data frame: Unnamed: 0",),
    ),
}  # fmt: skip
VALUES: dict[str, Given] = {
    "tags in one cell": Given(
        content=f'source_id,email,tags\n@1,{ADA},"vip, urgent"\n@2,{ADA},vip\n@3,{ADA},"[""vip""]"\n@4,{ADA}, \n',
        stored={"@1": {"tags": ["vip", "urgent"]}, **{f"@{n}": {"tags": ["vip"]} for n in (2, 3)}, "@4": {"tags": []}},
    ),
    "tags with another separator": Given(
        content=f"source_id,email,tags\n@1,{ADA},a;b\n", options=("--list-separator", ";"),
        stored={"@1": {"tags": ["a", "b"]}},
    ),
    "typed custom fields": Given(
        content=f'source_id,email,custom.ARR,custom.VIP,custom.Regions\n@1,{ADA},1200.50,TRUE,"[""EU""]"\n@2,{ADA},x,,\n',
        options=CUSTOM_TYPES, code=1, stored={"@1": {"custom": {"ARR": 1200.5, "VIP": True, "Regions": ["EU"]}}},
        says=("line 3: custom.ARR: 'x' is not a number",),
    ),
    "custom fields without types": Given(
        content=f"source_id,email,custom.ARR\n@1,{ADA},007\n", stored={"@1": {"custom": {"ARR": "007"}}}
    ),
    "UTC in the text, and a zone for all": Given(
        content="id,when\n@1,2024-05-31 09:30:00 UTC\n@2,2024-05-31 09:30:00 GMT\n@3,2024-05-31 09:30:00 CET\n",
        model="tasks", options=("--map", "map.toml"), files={"map.toml": MAP_OF_TIMES}, code=1,
        stored={"@1": {"startTime": START}, "@2": {"startTime": START}},
        says=("line 4: start_time: '2024-05-31 09:30:00 CET' is not a time of the form",
              "no time needed the time zone Europe/Berlin"),
    ),
    "times that only Python understands": Given(
        content="source_id,start_time\n@1,20240531T093000Z\n@2,2024-W22-5T09:30:00Z\n@3,2024-05-31_09:30:00Z\n"
        "@4,2024-05-31x09:30:00Z\n@5, 2024-05-31T09:30:00Z \n",
        model="tasks", code=1, stored={"@5": {"startTime": START}},
        says=tuple(f"line {n}: start_time: '{one}' {NOT_A_TIME}" for n, one in enumerate(
            ["20240531T093000Z", "2024-W22-5T09:30:00Z", "2024-05-31_09:30:00Z", "2024-05-31x09:30:00Z"], 2)),
    ),
    "times without a zone": Given(
        content="source_id,start_time\n@1,2024-05-31T11:30:00\n@2,2024-05-31 11:30\n@3,2024-05-31T11:30:00+02:00\n",
        model="tasks", options=("--time-zone", "Europe/Berlin"),
        stored={f"@{n}": {"startTime": START} for n in (1, 2, 3)},
    ),
    "seconds since 1970": Given(
        content="source_id,start_time\n@1,1717147800\n", model="tasks", stored={"@1": {"startTime": START}},
        options=("--type", "start_time=epoch-seconds"),
    ),
    "seconds since 1970 that are not said to be such": Given(
        content="source_id,start_time\n@1,1717147800\n", model="tasks", code=1, stored={},
        says=("line 2: start_time: '1717147800' is a number: say what it counts with --type start_time=epoch-seconds",),
    ),
    "a decimal comma": Given(
        content=f"source_id;email;time_spent\n@1;{ADA};12,5\n", options=("--decimal-comma",),
        stored={"@1": {"timeSpent": 12.5}},
    ),
}  # fmt: skip
ROW, ROW2 = ({"source_id": f"@{n}", "email": ADA} for n in (1, 2))
JSON: dict[str, Given] = {
    "an array": Given(content=json.dumps([ROW, ROW2]), name="t.jsonl", stored=titles(_1=None, _2=None)),
    "a pretty array": Given(
        content=json.dumps([ROW, ROW2], indent=2).replace("\n", "\r\n"), name="t.json", stored=titles(_1=None, _2=None)
    ),
    "UTF-16": Given(
        content=json.dumps(ROW), encoding="utf-16", name="t.jsonl", options=("--encoding", "utf-16"),
        stored=titles(_1=None),
    ),
    "an array that is cut off": Given(
        content=json.dumps([ROW, ROW2])[:-20], name="t.json", code=1, stored=titles(_1=None),
        says=("item 2, line 1: a text that begins at its character",),
    ),
    "lines that are no JSON": Given(
        content=f'{json.dumps(ROW)}\n{{"a":NaN}}\n{{"a":"\\ud83d"}}\n{{"a":1e400}}\n{json.dumps(ROW2)},\n',
        name="t.jsonl", code=1, stored=titles(_1=None),
        says=("line 2: NaN at column 6: JSON has no NaN", "line 3: \\ud83d at column 7: it is half a character",
              "line 4: the number 1e400 at column 6: it is too large", "line 5: a comma behind the object at column"),
    ),
    "a key twice": Given(
        content=f'{{"source_id":"@1","source_id":"@2","email":"{ADA}"}}\n', name="t.jsonl", code=1, stored={},
        says=("line 1: the key 'source_id' is there twice in one object",),
    ),
    "a list within an object": Given(
        content=json.dumps({"tickets": [ROW], "count": 1}), name="t.json", code=2, stored={},
        says=("t.json: it is one object with a list in 'tickets'",),
    ),
    "whole numbers for ids": Given(
        content=f'{{"id":35436,"email":"{ADA}","code":"@1"}}\n', name="t.jsonl",
        options=("--map", "source_id=code", "--map", "title=id", "--map", "email=email"),
        stored=titles(_1="35436"),
    ),
    "floats for ids": Given(
        content=f'{{"source_id":35436.0,"email":"{ADA}"}}\n', name="t.jsonl", code=1, stored={},
        says=("line 1: source_id: 35436.0 is neither text nor a whole number; if it means one, --type",),
    ),
    "a mapped column that no row has": Given(
        content=json.dumps({**ROW, "subject": "x"}), name="t.jsonl", code=2, stored={},
        options=("--map", "source_id=source_id", "--map", "email=email", "--map", "title=Subject"),
        says=("t.jsonl: --map title=Subject: the file has no such column; it has source_id, email, subject",),
    ),
    "a path into an object": Given(
        content=json.dumps({"id": "@1", "requester": {"email": ADA}}), name="t.jsonl", stored=titles(_1=None),
        options=("--map", "source_id=id", "--map", "email=requester.email"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "given", [pytest.param(one, id=name) for name, one in (QUOTED | DIALECTS | SHAPES | VALUES | JSON).items()]
)
def test_a_text_is_read_as_the_person_means_it(desk: Desk, given: Given) -> None:
    """Or each row that is not read is named, and why."""
    content = given.content
    if content == b"(gzip)":
        content = gzip.compress(desk.own(f"{HEAD}@1,{ADA},x\n").encode())
    elif isinstance(content, str):
        content = desk.own(content).encode(given.encoding)
    check(desk, given, content)


def check(desk: Desk, given: Given, content: bytes) -> None:
    """Send a file, and compare with what is right."""
    for name, text in given.files.items():
        desk.file(name, text)
    (desk.folder / given.name).write_bytes(content)
    ended = run("upsert", given.model, given.name, *OPTIONS[given.model], *given.options, "--json")
    stored = desk.stored(given.model)
    assert {key: {name: stored[key].get(name) for name in given.stored.get(key, ())} for key in stored} == {
        key: own_values(desk, fields) for key, fields in given.stored.items()
    }
    assert ended.code == given.code
    said = ended.err if ended.code == 2 else said_in(json.loads(ended.out))
    expected = [f"planhat-async: {one}" if ended.code == 2 else one for one in given.says]
    assert [one[: len(begin)] for one, begin in zip(said, expected, strict=True)] == expected


def own_values(desk: Desk, fields: dict[str, Any]) -> dict[str, Any]:
    return {name: desk.own(value) if isinstance(value, str) else value for name, value in fields.items()}


def said_in(result: dict[str, Any]) -> list[str]:
    """Return the reasons, then the remarks."""
    return [*(one["reason"] for one in result["problems"]), *result["remarks"]]


AT = datetime(2024, 5, 31, 9, 30, tzinfo=UTC)
FRAMES: dict[str, tuple[Callable[[str], dict[str, Any]], dict[str, Any]]] = {
    "whole numbers": (lambda _: {"custom.N": pa.array([7])}, {"custom": {"N": 7}}),
    "decimals": (lambda _: {"custom.N": pa.array([Decimal("12.50")])}, {"custom": {"N": 12.5}}),
    "times with a zone": (lambda _: {"start_time": pa.array([AT], pa.timestamp("ns", "UTC"))}, {"startTime": START}),
    "one nanosecond": (
        lambda _: {"start_time": pa.array([1_717_147_800_000_000_001], pa.timestamp("ns", "UTC"))},
        {"startTime": START},
    ),
    "lists": (lambda _: {"activity_tags": pa.array([["a", "b"]])}, {"activityTags": ["a", "b"]}),
    "missing values": (lambda _: {"start_time": pa.nulls(1), "action": ["x"]}, {"startTime": None, "action": "x"}),
    "an index": (lambda _: {"__index_level_0__": [5], "action": ["x"]}, {"action": "x"}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_data_frame_is_read_by_its_types(desk: Desk, name: str) -> None:
    """Exactly, as they are."""
    make, stored = FRAMES[name]
    content = frame(source_id=[f"{desk.prefix}1"], **make(desk.prefix))
    says = ("1 column left out, the index of a data frame: __index_level_0__",) if name == "an index" else ()
    given = Given(content=b"", name="t.parquet", model="tasks", stored={"@1": stored}, says=says)
    check(desk, given, content)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (pa.array([None, 600_000_000_000_000, None], pa.timestamp("ms", "UTC")), "a time outside the years 1 to 9999"),
        (pa.array([b"ok", b"\xff", b"ok"]).cast(pa.binary()).view(pa.string()), "text that is not UTF-8"),
    ],
    ids=["year 20983", "not UTF-8"],
)
def test_one_bad_value_of_a_data_frame_is_one_invalid_row(desk: Desk, bad: Any, reason: str) -> None:
    """The others are stored, and the table adds up."""
    name = "action" if reason.startswith("text") else "start_time"
    content = frame(**{"source_id": [f"{desk.prefix}{n}" for n in (1, 2, 3)], name: bad})
    stored: dict[str, dict[str, Any]] = {"@1": {}, "@3": {}}
    says = (f"row 2: column '{name}': {reason}",)
    check(desk, Given(content=b"", name="t.parquet", model="tasks", code=1, stored=stored, says=says), content)


def test_a_workbook_of_ids_dates_and_blank_rows(desk: Desk) -> None:
    """Whole numbers are texts by their digits, and dates are midnight in the zone that is given."""
    head = [None, "source_id", "action", "start_time"]
    rows: list[list[Any]] = [
        [0, f"{desk.prefix}1", 35436, date(2024, 5, 31)],
        [None] * 4,
        [1, f"{desk.prefix}2", "007", None],
    ]
    stored: dict[str, dict[str, Any]] = {
        "@1": {"action": "35436", "startTime": "2024-05-30T22:00:00.000Z"},
        "@2": {"action": "007", "startTime": None},
    }
    says = ("1 column left out, the index of a data frame: column A",)
    options = ("--time-zone", "Europe/Berlin")
    given = Given(content=b"", name="t.xlsx", model="tasks", stored=stored, says=says, options=options)
    check(desk, given, sheet(head, *rows))


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_missing_value_leaves_its_field_alone_in_every_format(desk: Desk, name: str) -> None:
    """With --empty-nulls it empties the field, again in every format."""
    key = f"{desk.prefix}1"
    content = {
        "t.csv": f"source_id,description,action\n{key},,x\n".encode(),
        "t.jsonl": json.dumps({"source_id": key, "description": None, "action": "x"}).encode(),
        "t.parquet": frame(source_id=[key], description=pa.nulls(1, pa.string()), action=["x"]),
    }[name]
    before = desk.file("before.jsonl", json.dumps({"source_id": "@1", "description": "Call", "action": "x"}))
    assert run("upsert", "tasks", before, *OPTIONS["tasks"]).code == 0
    check(desk, Given(content=b"", name=name, model="tasks", stored={"@1": {"description": "Call"}}), content)
    emptied = ("1 missing value empties its field: description 1",)
    options = ("--empty-nulls",)
    given = Given(
        content=b"", name=name, model="tasks", stored={"@1": {"description": None}}, says=emptied, options=options
    )
    check(desk, given, content)


@pytest.mark.parametrize(
    "options",
    [
        ("e.csv",),
        ("e.jsonl",),
        ("e.parquet",),
        ("e.csv.gz",),
        ("e.csv.zst", "--encoding", "utf-8-sig"),
        ("e.jsonl.xz",),
        ("e.csv", "--fields", "_id,action,activity_tags,custom", "--encoding", "utf-8-sig"),
        ("e.parquet", "--fields", "_id,custom,action"),
    ],
    ids=" ".join,
)
def test_an_export_comes_back_unchanged(desk: Desk, options: tuple[str, ...]) -> None:
    """With its lists and custom fields, and whether a mapping names its columns or not."""
    row = {
        "source_id": "@1", "action": '=1+1; "a",\nb', "activity_tags": ["a", "b,c"],
        "custom": {"ARR": 1.5, "l": [1], "Zoë": "007"},
    }  # fmt: skip
    assert run("upsert", "tasks", desk.file("t.jsonl", json.dumps(row)), *OPTIONS["tasks"]).code == 0
    assert run("export", "tasks", "-o", *options).code == 0
    for maps in ((), ("--map", "id=_id", "--map", "custom=custom", "--map", "action=action")):
        ended = run("upsert", "tasks", options[0], *maps, "--json")
        result = json.loads(ended.out)
        assert (ended.code, result["unchanged"]) == (0, result["rows"])
        assert result["rows"] >= 1
