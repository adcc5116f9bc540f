"""Test what the name of an output implies."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from planhat_async.jobs.files.formats import Format
from planhat_async.jobs.files.output_name import output_kind

ENDINGS = ".csv, .jsonl, .ndjson, .parquet (also with .gz, .bz2, .xz or .zst)"


def kind(name: str | None, given: Format | None = None) -> tuple[str, str | None]:
    """Return the format and the name of the compression."""
    found = output_kind(None if name is None else PurePosixPath(name), given)
    return found.format, None if found.compression is None else found.compression.name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", ("csv", None)),
        ("a.CSV", ("csv", None)),
        ("a.Parquet", ("parquet", None)),
        ("a.jsonl", ("jsonl", None)),
        ("a.ndjson", ("jsonl", None)),
        ("csv", ("jsonl", None)),
        (None, ("jsonl", None)),
        ("a.csv.gz", ("csv", "gzip")),
        ("a.jsonl.ZST", ("jsonl", "zstd")),
        ("a.ndjson.xz", ("jsonl", "xz")),
        ("a.v2.csv.bz2", ("csv", "bzip2")),
        ("a.gz", ("jsonl", "gzip")),
    ],
)
def test_the_ending_decides_format_and_compression(name: str | None, expected: tuple[str, str | None]) -> None:
    """A name without an ending, and standard output, are JSONL."""
    assert kind(name) == expected


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("a.csv", "csv", ("csv", None)),
        ("a", "parquet", ("parquet", None)),
        (None, "csv", ("csv", None)),
        ("a.txt", "csv", ("csv", None)),
        ("a.2024.gz", "csv", ("csv", "gzip")),
    ],
)
def test_a_format_may_be_given_for_any_other_ending(name: str, given: Format, expected: tuple[str, str | None]) -> None:
    """It must not contradict an ending that implies one."""
    assert kind(name, given) == expected


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("a.xlsx", None, "a.xlsx: workbooks are read, and not written: end the name in .csv"),
        ("a.ods", "csv", "a.ods: workbooks are read, and not written: end the name in .csv"),
        ("a.csv.zip", None, "a.csv.zip: zip is not written: end the name in .gz, .bz2, .xz or .zst"),
        ("a.zip", "csv", "a.zip: zip is not written: end the name in .gz, .bz2, .xz or .zst"),
        ("a.csv", "jsonl", "a.csv: the name says csv, and --format says jsonl: change one of them"),
        ("a.jsonl.gz", "csv", "a.jsonl.gz: the name says jsonl, and --format says csv: change one of them"),
        ("a.parquet.gz", None, "a.parquet.gz: Parquet is compressed within: leave out .gz"),
        ("a.gz", "parquet", "a.gz: Parquet is compressed within: leave out .gz"),
        *(
            (name, None, f"{name}: the name must end in {ENDINGS}, or --format be given")
            for name in ("a.txt", "a.csv.br", "a.txt.gz", "a.7z")
        ),
    ],
)  # fmt: skip
def test_a_name_that_says_something_else_is_refused(name: str, given: Format | None, message: str) -> None:
    """The message says how to change it."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        kind(name, given)
    assert str(caught.value) == message
