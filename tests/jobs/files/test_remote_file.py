"""Test files behind URLs: read as local ones are, whole or refused, and written whole or not at all."""

from __future__ import annotations

import gzip
import io
import itertools
import re
import socket
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import openpyxl
import pyarrow as pa
import pytest
from attrs import define, field
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet

from planhat_async.jobs.files import remote_file
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.location import located
from planhat_async.jobs.files.remote_file import RemoteFile
from planhat_async.jobs.files.whole_upload import whole_upload
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Ticket
from planhat_async.results import ChunkResult, Outcome, Problem

ROWS = b"source_id,title\n" + b"".join(b"%d,title %d\n" % (n, n) for n in range(9000))


def source(url: str, **options: Any) -> FileSource:
    return FileSource(url, FieldMapping.parse(Ticket), **options)


def titles(rows: Any) -> list[Any]:
    return [row["title"] for row in rows]


def refused(url: str, **options: Any) -> str:
    """Return the message about a URL."""
    with pytest.raises(SourceError) as caught:
        list(source(url, **options))
    return str(caught.value)


numbers = itertools.count(1)


@pytest.fixture
def memory() -> Iterator[str]:
    """Yield a URL in this process' memory."""
    folder = f"memory://test{next(numbers)}"
    yield folder
    MemoryFileSystem.store.clear()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file be read in several requests."""
    monkeypatch.setattr(remote_file, "_BLOCK_BYTES", 10_000)


def put(url: str, content: bytes) -> str:
    """Write a file behind a URL."""
    with fsspec.open(url, "wb") as file:
        file.write(content)
    return url


def workbook(rows: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_parquet(columns: dict[str, list[Any]]) -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, row_group_size=1000)
    return out.getvalue()


CONTENTS: dict[str, tuple[bytes, list[str]]] = {
    "t.csv": (ROWS, [f"title {n}" for n in range(9000)]),
    "t.csv.gz": (gzip.compress(ROWS), [f"title {n}" for n in range(9000)]),
    "t.jsonl": (b'{"title":"a"}\n{"title":"b"}\n', ["a", "b"]),
    "t.parquet": (as_parquet({"title": [f"t{n}" for n in range(5000)]}), [f"t{n}" for n in range(5000)]),
    "t.xlsx": (workbook([["title"], ["a"], ["b"]]), ["a", "b"]),
}


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", CONTENTS)
def test_each_format_is_read_from_a_url(memory: str, name: str) -> None:
    """In several requests, and twice."""
    content, expected = CONTENTS[name]
    rows = source(put(f"{memory}/{name}", content))
    rows.check_beginning()
    assert titles(rows) == titles(rows) == expected
    assert (rows.total_bytes, rows.bytes_read) == (len(content), len(content))


@pytest.mark.usefixtures("small_blocks")
def test_no_more_than_a_few_blocks_are_in_memory(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request asks for a part of the file."""
    asked: list[int] = []
    url = put(f"{memory}/t.csv", ROWS)
    found = located(url)
    assert isinstance(found, RemoteFile)
    kind = type(found.open_file())
    read = kind.read

    def counted(self: Any, size: int = -1) -> Any:
        asked.append(size)
        return read(self, size)

    monkeypatch.setattr(kind, "read", counted)
    assert len(titles(source(url))) == 9000
    assert (max(asked) <= 1 << 17, len(asked) > 1) == (True, True)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("change", [lambda url: put(url, ROWS + b"9,z\n"), lambda url: put(url, b"x" * len(ROWS))])
def test_a_file_that_changes_while_it_is_read_is_refused(
    memory: str, monkeypatch: pytest.MonkeyPatch, change: Callable[[str], object]
) -> None:
    """No row is made of the end of the one and the beginning of the other."""
    monkeypatch.setattr("planhat_async.jobs.files.unpacked_file.READ_BYTES", 10_000)
    url = put(f"{memory}/t.csv", ROWS)
    rows = iter(source(url))
    found = titles([next(rows)])
    change(url)
    with pytest.raises(SourceError) as caught:  # noqa: PT012 - rows are counted
        for row in rows:
            found += titles([row])
    assert str(caught.value) == (
        f"{url} was written to while it was read: its last rows were not read; run this again when it no longer changes"
    )
    assert (found == [f"title {n}" for n in range(len(found))], len(found) < 9000) == (True, True)


def test_a_change_between_two_runs_is_seen_in_the_description(memory: str) -> None:
    """As the size of a local file is; whatever kind of URL there is, the property that says most is taken."""
    url = put(f"{memory}/t.csv", b"title\na\n")
    first, again = source(url).description(), source(url).description()
    put(url, b"title\nb\n")
    changed = source(url).description()
    assert first == again != changed
    assert first.keys() == {"format", "bytes", "version", "columns", "constants"}
    assert first["version"].startswith("created ")


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"ETag": '"a"', "LastModified": "x", "size": 1}, 'etag "a"'),
        ({"etag": "b", "generation": "7", "updated": "x"}, "etag b"),
        ({"generation": "7", "mtime": 5}, "generation 7"),
        ({"Last-Modified": "Fri", "mimetype": "text/csv"}, "lastmodified Fri"),
        ({"mtime": 5.5, "created": 1}, "mtime 5.5"),
        ({"size": 1}, None),
    ],
)
def test_the_best_property_of_each_kind_of_url_describes_it(
    memory: str, monkeypatch: pytest.MonkeyPatch, info: dict[str, Any], expected: str | None
) -> None:
    """That of the content is better than that of a time."""
    found = located(put(f"{memory}/t.csv", b"title\n"))
    monkeypatch.setattr(MemoryFileSystem, "info", lambda *_: info)
    assert found.description() == ({} if expected is None else {"version": expected})


def test_a_local_file_is_described_as_before(tmp_path: Path) -> None:
    """So that journals of earlier versions are not refused; a `file://` URL is the same file."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"title\n")
    expected = {"format": "csv", "bytes": 6, "columns": {}, "constants": {}}
    assert (
        FileSource(path, FieldMapping.parse(Ticket)).description() == source(f"file://{path}").description() == expected
    )


def test_rejected_rows_of_a_url_are_copied(memory: str, tmp_path: Path) -> None:
    """It is read once more; if it has changed meanwhile, it may have other rows there."""
    url = put(f"{memory}/t.csv", b"source_id,title\n1,a\n2,b\n")
    problem = Problem(outcome=Outcome.REJECTED, reason="wrong", position=1)
    with Rejects(source(url), tmp_path / "r.csv") as rejects:
        rejects.add(ChunkResult(number=0, problems=[problem]))
        rejects.write()
    assert titles(FileSource(tmp_path / "r.csv", FieldMapping.parse(Ticket))) == ["b"]
    with Rejects(source(url), tmp_path / "again.csv") as rejects:
        rejects.add(ChunkResult(number=0, problems=[problem]))
        fsspec.filesystem("memory").rm(url)
        with pytest.raises(SourceError, match=f"{re.escape(url)} has changed: rows to be corrected cannot be copied"):
            rejects.write()


def test_a_missing_object_is_refused(memory: str) -> None:
    """With one line."""
    assert refused(f"{memory}/gone.csv") == f"{memory}/gone.csv: there is no such file"


def test_a_folder_is_refused(memory: str) -> None:
    """With what to do."""
    put(f"{memory}/folder/t.csv", b"")
    assert refused(f"{memory}/folder", format="csv") == f"{memory}/folder is a directory: name a file in it"


def test_a_name_that_implies_no_format_is_refused() -> None:
    """Secrets of the URL are not shown."""
    said = refused("http://user:pw@localhost/t.doc?sig=1")
    assert said.startswith("http://***@localhost/t.doc?***: the name must end in .csv")


def test_an_unknown_kind_of_url_is_refused() -> None:
    """The message names it."""
    assert refused("klingon://a/t.csv") == "klingon://a/t.csv: Protocol not known: klingon"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "paramiko", None)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.sftp", raising=False)
    assert refused("sftp://a:pw@h/t.csv") == "sftp://***@h/t.csv: it needs one more package: pip install paramiko"


def test_urls_need_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to install it."""
    monkeypatch.setitem(sys.modules, "fsspec", None)
    assert refused("s3://a/t.csv") == "a URL needs one more package: pip install 'planhat-async[remote]'"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError("Access Denied"), "no permission to read or write it"),
        (OSError("Connect\ncall failed for https://u:pw@h/x?sig=1"), "Connect call failed for https://***@h/x?***"),
        (TimeoutError(), "TimeoutError"),
        (RuntimeError("Unable to locate credentials"), "Unable to locate credentials"),
    ],
)
def test_each_failure_is_one_line(memory: str, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    """Whatever a kind of URL raises: before the first row, or in the middle."""
    url = put(f"{memory}/t.csv", b"title\na\n")

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "info", fail)
        assert refused(url) == f"{url}: {reason}"
    monkeypatch.setattr(MemoryFileSystem, "_open", fail)
    assert refused(url) == f"{url}: {reason}"


# A web server.


@define
class Web:
    """A web server on loopback, and what it was asked for."""

    url: str = ""
    files: dict[str, tuple[bytes, str]] = field(factory=dict)
    """Contents and versions by path."""
    requests: list[str] = field(factory=list)
    has_version: bool = True
    serves_parts: bool = True
    has_size: bool = True
    cuts_at: int | None = None
    status: int | None = None


@pytest.fixture
def web() -> Iterator[Web]:
    """Yield a web server."""
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(has_body=False)

        def do_GET(self) -> None:
            self.answer(has_body=True)

        def answer(self, *, has_body: bool) -> None:
            path, _, _ = self.path.partition("?")
            asked = self.headers.get("Range", "") if has_body else ""
            state.requests.append(f"{self.command} {asked}".strip())
            if state.status is not None or path not in state.files:
                self.send_response(state.status or 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content, version = state.files[path]
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked)
            part = content
            if found and state.serves_parts:
                part = content[int(found[1]) : int(found[2]) + 1]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {found[1]}-{found[2]}/{len(content)}")
            else:
                self.send_response(200)
            if state.has_version:
                self.send_header("ETag", version)
            if state.has_size:
                self.send_header("Content-Length", str(len(part)))
            else:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            if has_body:
                self.wfile.write(part[: state.cuts_at])
                self.close_connection = self.close_connection or state.cuts_at is not None

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield state
        server.shutdown()
        thread.join()
    fsspec.get_filesystem_class("http").clear_instance_cache()


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("kind", ["parts", "whole", "no size"])
def test_each_format_is_read_from_any_web_server(web: Web, name: str, kind: str) -> None:
    """A server that does not serve parts, or does not know the size, sends the file once."""
    web.serves_parts, web.has_size = kind == "parts", kind != "no size"
    content, expected = CONTENTS[name]
    web.files[f"/{name}"] = content, "v1"
    assert titles(source(f"{web.url}/{name}?sig=x")) == expected


def test_a_change_on_a_web_server_is_detected(web: Web, small_blocks: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """By its entity tag, although the size is the same."""
    monkeypatch.setattr("planhat_async.jobs.files.unpacked_file.READ_BYTES", 10_000)
    web.files["/t.csv"] = ROWS, "v1"
    rows = iter(source(f"{web.url}/t.csv"))
    next(rows)
    web.files["/t.csv"] = ROWS.replace(b"title ", b"other "), "v2"
    found: list[str] = []
    with pytest.raises(SourceError, match="was written to while it was read"):  # noqa: PT012 - rows are collected
        for row in rows:
            found += titles([row])
    assert [title for title in found if "other" in title] == []


@pytest.mark.parametrize("has_size", [True, False])
def test_a_report_without_a_version_is_fetched_once(web: Web, tmp_path: Path, has_size: bool) -> None:
    """A second request may be answered with other rows, of which none was sent."""
    web.has_version, web.has_size, web.files["/t.csv"] = False, has_size, (b"source_id,title\n1,a\n2,b\n", "")
    report = source(f"{web.url}/t.csv")
    report.check_beginning()
    web.files["/t.csv"] = b"source_id,title\n7,c\n8,d\n9,e\n", ""
    with Rejects(report, tmp_path / "r.csv") as rejects:
        assert titles(report) == ["a", "b"]
        rejects.add_problem(Problem(outcome=Outcome.REJECTED, reason="wrong", position=1))
        rejects.write()
    assert titles(FileSource(tmp_path / "r.csv", FieldMapping.parse(Ticket))) == ["b"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, "there is no such file"),
        (410, "there is no such file"),
        (401, "no permission to read or write it (status 401)"),
        (403, "no permission to read or write it (status 403)"),
        (500, "the server answered with status 500"),
    ],
)
def test_a_refusal_of_a_web_server_is_one_line(web: Web, status: int, reason: str) -> None:
    """It does not show the user, the password or the signature."""
    web.status = status
    url = web.url.replace("//", "//user:pw@")
    assert refused(f"{url}/t.csv?sig=x") == f"{web.url.replace('//', '//***@')}/t.csv?***: {reason}"


def test_a_server_that_is_away_is_one_line() -> None:
    """It is not taken for a missing file."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said = refused(f"http://127.0.0.1:{port}/t.csv")
    assert said.startswith(f"http://127.0.0.1:{port}/t.csv: Cannot connect to host 127.0.0.1:{port}")


def test_a_file_that_ends_early_is_refused(web: Web) -> None:
    """Its size was said before."""
    web.files["/t.csv"] = ROWS, "v1"
    web.cuts_at = 1000
    assert refused(f"{web.url}/t.csv").startswith(f"{web.url}/t.csv: ")


def test_urls_may_be_chained(memory: str) -> None:
    """Such as a file in an archive behind a URL."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a/t.csv", b"title\na\n")
        archive.writestr("other", b"")
    rows = source(f"zip://a/t.csv::{put(f'{memory}/t.zip', out.getvalue())}")
    assert (titles(rows), rows.description()["version"][:4]) == (["a"], "crc ")


# Object stores.


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the URL of a bucket in an imitation of S3."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    name = f"planhat-test-{next(numbers)}"
    system.mkdir(name)
    yield f"s3://{name}"
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the imitation
def test_an_object_store_is_read_and_written(bucket: str) -> None:
    """Each format, changes, and what is missing."""
    for name, (content, expected) in CONTENTS.items():
        remote = located(f"{bucket}/{name}")
        assert isinstance(remote, RemoteFile)
        with whole_upload(remote) as out:
            out.write(content)
        rows = source(f"{bucket}/{name}")
        assert titles(rows) == expected
        assert rows.description()["version"].startswith('etag "')
    first = source(f"{bucket}/t.csv").description()
    put(f"{bucket}/t.csv", b"x" * len(ROWS))
    assert source(f"{bucket}/t.csv").description() != first
    assert refused(f"{bucket}/gone.csv") == f"{bucket}/gone.csv: there is no such file"
    assert refused("s3://no-such-bucket-of-ours/t.csv") == "s3://no-such-bucket-of-ours/t.csv: there is no such file"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # as above
def test_an_upload_to_a_missing_bucket_keeps_the_content(bucket: str) -> None:  # noqa: ARG001 - the server
    """The message names the local file."""
    remote = located("s3://no-such-bucket-of-ours/t.csv")
    assert isinstance(remote, RemoteFile)
    with pytest.raises(SourceError, match=r"no-such-bucket-of-ours/t\.csv: ") as caught, whole_upload(remote) as out:
        out.write(b"title\n")
    (note,) = caught.value.__notes__
    kept = Path(note.removeprefix("the export is complete in ").partition(": upload it")[0])
    assert kept.read_bytes() == b"title\n"
    kept.unlink()
    kept.parent.rmdir()


# Uploads.


def remote_of(url: str) -> RemoteFile:
    found = located(url)
    assert isinstance(found, RemoteFile)
    return found


def test_an_interrupted_upload_keeps_the_content(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note names the local file."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MemoryFileSystem, "put_file", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught, whole_upload(remote_of(f"{memory}/t.csv")) as out:
        out.write(b"title\n")
    kept = Path(caught.value.__notes__[0].removeprefix("the export is complete in ").partition(": upload it")[0])
    assert kept.read_bytes() == b"title\n"
    kept.unlink()
    kept.parent.rmdir()


def test_an_upload_is_visible_only_once_it_is_complete(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then its content is in a private temporary file, which is removed afterwards."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    url = f"{memory}/folder/t.csv"
    with whole_upload(remote_of(url)) as out:
        out.write(b"title\n")
        out.flush()
        assert not fsspec.filesystem("memory").exists(url)
        (content,) = tmp_path.rglob("*.csv")
        assert (content.stat().st_mode & 0o777, content.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert fsspec.filesystem("memory").cat(url) == b"title\n"
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_an_interrupted_export_leaves_nothing(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Neither under its name nor as a temporary file; an earlier object stays."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    url = put(f"{memory}/t.csv", b"before")
    with pytest.raises(type(error)), whole_upload(remote_of(url)) as out:  # noqa: PT012 - something is written first
        out.write(b"title\n")
        raise error
    assert fsspec.filesystem("memory").cat(url) == b"before"
    assert [*tmp_path.iterdir()] == []


class Disk(LocalFileSystem):  # type: ignore[misc]
    """A kind of URL under which half an upload is visible."""

    protocol = "disk"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path.removeprefix("disk://")

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        """Fail in the middle if the content says so."""
        content = Path(lpath).read_bytes()
        Path(rpath).write_bytes(content[: len(content) // 2] if b"fail" in content else content)
        if b"fail" in content:
            raise OSError("the connection is lost")


@pytest.fixture
def disk() -> Iterator[None]:
    """Register it."""
    fsspec.register_implementation("disk", Disk, clobber=True)
    yield
    Disk.clear_instance_cache()


@pytest.mark.usefixtures("disk")
def test_other_kinds_of_urls_get_the_name_at_the_end(tmp_path: Path) -> None:
    """Half an upload is called `NAME.part`."""
    path = tmp_path / "t.csv"
    with whole_upload(remote_of(f"disk://{path}")) as out:
        out.write(b"title\n")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("t.csv", b"title\n")]
    with (
        pytest.raises(SourceError, match="the connection is lost") as caught,
        whole_upload(remote_of(f"disk://{path}")) as out,
    ):
        out.write(b"will fail")
    assert path.read_bytes() == b"title\n"
    kept = Path(caught.value.__notes__[0].removeprefix("the export is complete in ").partition(": upload it")[0])
    assert kept.read_bytes() == b"will fail"
    kept.unlink()
    kept.parent.rmdir()
