"""Test that rejected rows are copied unchanged, with their reasons, so that they can be sent again."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from planhat_async.errors import AuthenticationError, BadRequestError
from planhat_async.jobs.entries import ChunkState, Entry, Group
from planhat_async.jobs.files import unpacked_file
from planhat_async.jobs.files.file_source import STANDARD_INPUT, FileSource
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.reason_column import REASON_COLUMN
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Ticket
from planhat_async.results import ChunkResult, Outcome, Problem, Unreadable


def rejected(source: FileSource, path: Path, positions: list[int], outcome: Outcome = Outcome.REJECTED) -> Path:
    """Copy these rows of a source."""
    problems = [Problem(outcome=outcome, reason=f"wrong {n}", position=n) for n in reversed(positions)]
    with Rejects(source, path) as rejects:
        rejects.add(ChunkResult(number=0, problems=[*problems, Problem(outcome=outcome, reason="nameless")]))
        rejects.write()
    return path


def source(path: Path, content: bytes | None = None, **options: Any) -> FileSource:
    if content is not None:
        path.write_bytes(content)
    return FileSource(path, FieldMapping.parse(Ticket), **options)


def test_csv_is_copied_as_csv(tmp_path: Path) -> None:
    """Line breaks are preserved; what was not read is copied as one cell beyond the columns, and is no row there."""
    content = b'source_id,title\n1,a\n2,"b,\nb"\n\n4\n3,"c"c\n5,e\n'
    path = rejected(source(tmp_path / "in.csv", content), tmp_path / "out.csv", [1, 2, 3])
    assert path.read_bytes().replace(b"\r\n", b"\n") == (
        b"not stored because,source_id,title\n"
        b'rejected: wrong 1,2,"b,\nb"\n'
        b"rejected: wrong 2,4\n"
        b'rejected: wrong 3,,,"3,""c""c\n5,e\n"\n'
    )
    first, *others = source(path)
    assert first == {"source_id": "2", "title": "b,\nb"}
    assert [type(row) for row in others] == [Unreadable, Unreadable]


def test_bytes_of_another_encoding_are_copied_unchanged(tmp_path: Path) -> None:
    """They can be corrected in the copy."""
    made = source(tmp_path / "in.csv", b"source_id,title\n1,caf\xe9\n")
    assert rejected(made, tmp_path / "out.csv", [0]).read_bytes().endswith(b",1,caf\xe9\r\n")


def test_jsonl_is_copied_as_jsonl(tmp_path: Path) -> None:
    """A line that is not an object is kept as text, under a name that is not a field."""
    content = b'{"title": "a"}\n\n{"title": "b", "titel": [1]}\n{oops\n[1]\n{"title": "e"}\n'
    path = rejected(source(tmp_path / "in.jsonl", content), tmp_path / "out.jsonl", [1, 2, 3], Outcome.INVALID)
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == [
        {REASON_COLUMN: "invalid: wrong 1", "title": "b", "titel": [1]},
        {REASON_COLUMN: "invalid: wrong 2", "line": "{oops\n"},
        {REASON_COLUMN: "invalid: wrong 3", "line": [1]},
    ]
    assert next(iter(source(path))) == {"title": "b", "titel": [1]}


@pytest.mark.parametrize("depth", [400, 900, 980, 1100, 20_000])
def test_a_deeply_nested_row_is_copied(tmp_path: Path, depth: int) -> None:
    """It is copied as text if it cannot be read; so are the rows beside it."""
    deep = b'{"title": "a", "custom": {"x": %s}}\n' % (b"[" * depth + b"]" * depth)
    made = source(tmp_path / "in.jsonl", deep + b'{"title": "b"}\n')
    path = rejected(made, tmp_path / "out.jsonl", [0, 1], Outcome.INVALID)
    first, second = path.read_bytes().split(b"\n")[:-1]
    assert first.startswith(b'{"not stored because":"invalid: wrong 0","')
    assert first.count(b"[") == depth
    assert json.loads(second) == {REASON_COLUMN: "invalid: wrong 1", "title": "b"}


def test_parquet_is_copied_as_parquet(tmp_path: Path) -> None:
    """The columns keep their types."""
    columns = {"source_id": [str(n) for n in range(2500)], "time_spent": list(range(2500))}
    parquet.write_table(pa.table(columns), tmp_path / "in.parquet", row_group_size=700)
    path = rejected(source(tmp_path / "in.parquet"), tmp_path / "out.parquet", [3, 999, 1000, 2400])
    table = parquet.read_table(path)
    assert table.to_pydict() == {
        REASON_COLUMN: [f"rejected: wrong {n}" for n in (3, 999, 1000, 2400)],
        "source_id": ["3", "999", "1000", "2400"],
        "time_spent": [3, 999, 1000, 2400],
    }
    assert next(iter(source(path))) == {"source_id": "3", "time_spent": 3}


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_rows_rejected_again_have_only_the_latest_reason(tmp_path: Path, name: str) -> None:
    """The earlier reason is replaced."""
    content = b"source_id,title\n1,a\n" if name == "out.csv" else b'{"title": "a"}\n'
    once = rejected(source(tmp_path / f"in.{name[4:]}", content), tmp_path / f"once.{name[4:]}", [0])
    twice = rejected(source(once), tmp_path / name, [0], Outcome.DROPPED).read_text()
    assert (twice.count("not stored because"), twice.count("wrong 0"), twice.count("dropped: ")) == (1, 1, 1)


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.UNSENT])
def test_rows_that_need_no_correction_are_not_copied(tmp_path: Path, outcome: Outcome) -> None:
    """Unknown rows may be stored, and the next run sends unsent ones; no file is created."""
    assert not rejected(source(tmp_path / "in.csv", b"title\na\n"), tmp_path / "out.csv", [0], outcome).exists()


def test_rows_refused_with_their_whole_chunk_are_not_copied(tmp_path: Path) -> None:
    """A rerun sends them unchanged; if they were sent separately too, they could be stored twice."""
    problems = [
        Problem(outcome=Outcome.REJECTED, reason="wrong token", position=0),
        Problem(outcome=Outcome.INVALID, reason="no subject", position=1),
    ]
    made = source(tmp_path / "in.csv", b"title\na\nb\n")
    errors = [AuthenticationError("no", status=401, method="PUT", path="/"),
              BadRequestError("no", status=400, method="PUT", path="/")]  # fmt: skip
    found = []
    for error in errors:
        with Rejects(made, tmp_path / "out.csv") as rejects:
            rejects.add(ChunkResult(number=0, problems=problems, error=error))
            found.append([position for position, _ in rejects._reasons()])
    assert found == [[1], [0, 1]]


def test_a_row_recorded_twice_is_copied_once(tmp_path: Path) -> None:
    """The first reason is kept, because that of an earlier run is abridged."""
    entry = Entry(
        number=0, n_rows=2, digest="", is_keyed=True, state=ChunkState.ANSWERED,
        groups=(Group(Outcome.INVALID, "'…' is wrong", (range(2),)),),
    )  # fmt: skip
    with Rejects(source(tmp_path / "in.csv", b"title\na\nb\n"), tmp_path / "out.csv") as rejects:
        rejects.add(
            ChunkResult(number=0, problems=[Problem(outcome=Outcome.INVALID, reason="'a' is wrong", position=0)])
        )
        rejects.add_earlier(entry)
        assert rejects.n_rows == 2
        assert [*rejects._reasons()] == [(0, "invalid: 'a' is wrong"), (1, "invalid: '…' is wrong")]


def test_rows_of_an_earlier_run_refused_with_their_whole_chunk_are_not_copied(tmp_path: Path) -> None:
    """A rerun sends them unchanged."""
    groups = (Group(Outcome.REJECTED, "no", (range(1),)), Group(Outcome.INVALID, "no", (range(1, 2),)))
    with Rejects(source(tmp_path / "in.csv", b"title\na\nb\n"), tmp_path / "out.csv") as rejects:
        rejects.add_earlier(Entry(number=0, n_rows=2, digest="", is_keyed=True, state=ChunkState.UNSENT, groups=groups))
        assert [*rejects._reasons()] == [(1, "invalid: no")]


def test_rows_are_not_copied_from_an_input_that_has_changed(tmp_path: Path) -> None:
    """Other rows may be at their positions."""
    made = source(tmp_path / "in.csv", b"title\na\n")
    with Rejects(made, tmp_path / "out.csv") as rejects:
        rejects.add(ChunkResult(number=0, problems=[Problem(outcome=Outcome.INVALID, reason="wrong", position=0)]))
        source(tmp_path / "new.csv", b"title\nb\n").path.replace(made.path)
        with pytest.raises(SourceError, match=r"in\.csv has changed"):
            rejects.write()
        made.path.unlink()
        with pytest.raises(SourceError, match=r"in\.csv has changed"):
            rejects.write()
    assert [*tmp_path.iterdir()] == []


def test_an_input_that_changes_while_it_is_copied_leaves_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows before the change are copied without reading on to the end, where the change would be noticed."""
    made = source(tmp_path / "in.csv", b"title\na\nb\n")
    copy = made.copy

    def copy_then_change(*args: Any) -> None:
        copy(*args)
        made.path.write_bytes(b"title\nc\nd\ne\n")

    monkeypatch.setattr(made, "copy", copy_then_change)
    with Rejects(made, tmp_path / "out.csv") as rejects:
        rejects.add(ChunkResult(number=0, problems=[Problem(outcome=Outcome.INVALID, reason="wrong", position=0)]))
        with pytest.raises(SourceError, match=r"in\.csv has changed"):
            rejects.write()
    assert not (tmp_path / "out.csv").exists()


def test_a_row_that_is_not_there_any_more_is_not_passed_over(tmp_path: Path) -> None:
    """The input has changed, although nothing else says so."""
    with pytest.raises(SourceError, match=r"in\.csv: it has no row 4 any more, so it has changed"):
        source(tmp_path / "in.csv", b"title\na\n").copy([(0, "wrong"), (3, "wrong")], io.BytesIO())


@pytest.mark.parametrize("rows", [b"a\n" * 9000, b" \n" * 9000 + b"a\n"], ids=["stored rows", "blank rows"])
def test_a_row_far_into_a_compressed_file_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: bytes
) -> None:
    """What may be unpacked for one row is counted anew for each, also for those that are not copied."""
    monkeypatch.setattr(unpacked_file, "READ_BYTES", 1000)
    monkeypatch.setattr(unpacked_file, "MOST_OF_A_ROW", 10_000)
    made, out = source(tmp_path / "in.csv.gz", gzip.compress(b"title\n" + rows)), io.BytesIO()
    n_rows = len([*made])
    made.copy([(n_rows - 1, "wrong")], out)
    assert out.getvalue() == b"not stored because,title\r\nwrong,a\r\n"


@pytest.mark.parametrize(
    ("name", "options", "copy", "words"),
    [
        ("in.csv", {}, "out.jsonl", "csv: let the name say so"),
        ("in.json", {}, "out.csv.gz", "jsonl: let the name say so"),
        ("in.txt", {"format": "ids"}, "out.csv", "lines of ids: let the name end in .txt"),
    ],
)
def test_a_name_that_implies_another_format_is_refused(
    tmp_path: Path, name: str, options: dict[str, Any], copy: str, words: str
) -> None:
    """The copy would not be read as what it is."""
    made = source(tmp_path / name, b"title\na\n", **options)
    with pytest.raises(SourceError, match=f"{copy}: rows of this file are copied as {words}$"):
        Rejects(made, tmp_path / copy)
    Rejects(made, tmp_path / "out").__exit__()


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    """Standard input is not read twice either."""
    made = source(tmp_path / "in.csv", b"title\na\n")
    with pytest.raises(ValueError, match=r"in\.csv would overwrite .*in\.csv: choose another name"):
        Rejects(made, tmp_path / "in.csv")
    with pytest.raises(SourceError, match="standard input does not allow"):
        Rejects(FileSource(STANDARD_INPUT, FieldMapping.parse(Ticket), format="csv"), tmp_path / "out.csv")
