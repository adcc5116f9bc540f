"""Test what a text names: a local file, standard input or a URL, whose secrets are not shown."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from planhat_async.jobs.files.location import LocalFile, StandardInput, is_url, located, without_secrets
from planhat_async.jobs.files.remote_file import RemoteFile
from planhat_async.jobs.source_error import SourceError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("t.csv", False),
        ("/a/t.csv", False),
        ("-", False),
        ("C:/a/t.csv", False),
        ("C:\\a\\t.csv", False),
        ("a:b.csv", False),
        ("s3://a/t.csv", True),
        ("https://a.example/t.csv", True),
        ("simplecache::s3://a/t.csv", True),
        ("zip://t.csv::https://a.example/t.zip", True),
        (Path("s3://a/t.csv"), True),
    ],
)
def test_a_url_is_told_from_a_path(given: str | Path, *, expected: bool) -> None:
    """`pathlib` makes one slash of two, so a URL that was taken for a path is recognised as well."""
    assert is_url(given) == expected


def test_a_text_or_a_path_names_a_local_file() -> None:
    """So does a URL of this machine, whose escapes are undone."""
    found = [
        located(given) for given in ("a b.csv", Path("a b.csv"), "file:///x/a%20b.csv", "file://localhost/x/a.csv")
    ]
    assert [type(one) for one in found] == [LocalFile] * 4
    assert [str(one.path) for one in found] == ["a b.csv", "a b.csv", "/x/a b.csv", "/x/a.csv"]


@pytest.mark.parametrize("given", ["-", Path("-")])
def test_a_hyphen_names_standard_input(given: str | Path) -> None:
    """As a text or a path."""
    assert isinstance(located(given), StandardInput)


def test_any_other_url_names_a_remote_file() -> None:
    """Its path implies the format."""
    found = located("memory://a/t.csv.gz")
    assert isinstance(found, RemoteFile)
    assert found.path.name == "t.csv.gz"


def test_a_url_of_another_machine_is_refused() -> None:
    """Two slashes are too few for a local file."""
    with pytest.raises(SourceError) as caught:
        located("file://tmp/t.csv")
    assert str(caught.value) == "file://tmp/t.csv names another machine: a local file has three slashes, as file:///tmp"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """Also by a URL."""
    with pytest.raises(SourceError, match="is a directory: name a file in it"):
        located(f"file://{tmp_path}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:pw@a.example/t.csv", "https://***@a.example/t.csv"),
        ("https://user:p@w@a.example/t.csv?x=@", "https://***@a.example/t.csv?***"),
        ("https://a.example/t.csv?X-Amz-Signature=abc&y=1", "https://a.example/t.csv?***"),
        ("cannot reach sftp://u:pw@h/t.csv, nor https://a.example/?sig=1", "cannot reach sftp://***@h/t.csv, nor https://a.example/?***"),
        ("zip://t.csv::https://u:pw@a.example/t.zip", "zip://t.csv::https://***@a.example/t.zip"),
        ("https://a.example/t@1.csv", "https://a.example/t@1.csv"),
        ("what? t.csv", "what? t.csv"),
    ],
)  # fmt: skip
def test_the_secrets_of_urls_are_not_shown(text: str, expected: str) -> None:
    """Neither users and passwords nor queries, which may hold signatures."""
    assert without_secrets(text) == expected


def test_a_pipe_that_delivers_a_byte_at_a_time_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first read returns enough bytes to recognise a compression."""
    reading, writing = os.pipe()

    def deliver() -> None:
        for byte in b"0123456789abcdefghij":
            os.write(writing, bytes([byte]))
        os.close(writing)

    with io.TextIOWrapper(os.fdopen(reading, "rb")) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        thread = threading.Thread(target=deliver)
        thread.start()
        with StandardInput().opened() as raw:
            buffer = bytearray(100)
            n_first = raw.readinto(buffer)
            rest = raw.readall()
        thread.join()
    assert n_first is not None
    assert (n_first >= 16, bytes(buffer[:n_first]) + rest) == (True, b"0123456789abcdefghij")
