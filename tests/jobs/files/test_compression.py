"""Test that compressed files are recognised by their contents, read whole or refused, and written."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async.jobs.files import unpacked_file
from planhat_async.jobs.files.compression import COMPRESSIONS, CompressionName, compression_named
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.packed_file import packed
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.rejects import Rejects
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Ticket
from planhat_async.results import ChunkResult, Outcome, Problem, Unreadable

steady = settings(derandomize=True, deadline=None, max_examples=50)
ROWS = b"source_id,title\n" + b"".join(b"%d,title %d\n" % (n, n) for n in range(3000))


def zipped(content: bytes, name: str = "t.csv", **others: bytes) -> bytes:
    """Return a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in {name: content, **others}.items():
            archive.writestr(member, data)
    return out.getvalue()


PACK: dict[CompressionName, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,  # as the program `zstd` does
    "zip": zipped,
}
STREAMS = [pytest.param(name, id=name) for name in PACK if name != "zip"]
EACH = [pytest.param(name, id=name) for name in PACK]
SUFFIXES = {one.name: one.suffix for one in COMPRESSIONS}


def source(path: Path, content: bytes, **options: Any) -> FileSource:
    path.write_bytes(content)
    return FileSource(path, FieldMapping.parse(Ticket), **options)


def titles(rows: Any) -> list[str]:
    return [row["title"] for row in rows]


def refused(path: Path, content: bytes, **options: Any) -> str:
    """Return the message about a file, without its folder."""
    with pytest.raises(SourceError) as caught:
        list(source(path, content, **options))
    return str(caught.value).replace(f"{path.parent}/", "")


def read_until_refused(rows: FileSource) -> tuple[int, str]:
    """Return how many rows are read before an error, and its message."""
    n_rows, found = 0, iter(rows)
    with pytest.raises(SourceError) as caught:  # noqa: PT012 - rows are counted
        while True:
            next(found)
            n_rows += 1
    return n_rows, str(caught.value)


@pytest.mark.parametrize("name", EACH)
def test_a_compression_is_recognised_by_its_first_bytes(tmp_path: Path, name: CompressionName) -> None:
    """The name may have its suffix, none, or that of another compression."""
    for suffix in ("", SUFFIXES[name], ".GZ", ".zst"):
        rows = source(tmp_path / f"t.csv{suffix}", PACK[name](ROWS))
        assert len(titles(rows)) == 3000
        assert rows.bytes_read == rows.total_bytes


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst", ".zip"])
def test_a_plain_text_may_have_the_suffix_of_a_compression(tmp_path: Path, suffix: str) -> None:
    """The suffix before it implies the format."""
    rows = source(tmp_path / f"t.csv{suffix}", b"source_id,title\n1,a\n", format="csv")
    assert titles(rows) == ["a"]
    assert titles(source(tmp_path / f"t.jsonl{suffix}", b'{"title":"a"}\n', format="jsonl")) == ["a"]


@pytest.mark.parametrize("name", STREAMS)
def test_several_compressed_streams_are_one_file(tmp_path: Path, name: CompressionName) -> None:
    """`cat a.csv.gz b.csv.gz` makes such a file; zeros at its end are padding."""
    pieces = [ROWS[:100], b"", ROWS[100:]]
    content = b"".join(map(PACK[name], pieces)) + b"\0" * 512
    assert len(titles(source(tmp_path / "t.csv", content))) == 3000


def test_frames_that_zstd_skips_hold_nothing(tmp_path: Path) -> None:
    """Parallel compressors begin with one."""
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    assert titles(source(tmp_path / "t.csv", skipped + PACK["zstd"](b"title\na\n"))) == ["a"]


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-9], id="cut"),
        pytest.param(lambda data: data[: len(data) // 2], id="halved"),
        pytest.param(lambda data: data[:60] + b"\xff" * 9 + data[69:], id="overwritten"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: CompressionName, damage: Callable[[bytes], bytes]) -> None:
    """The rows before the damage are read, never others."""
    n_rows, message = read_until_refused(source(tmp_path / "t.csv", damage(PACK[name](ROWS))))
    assert message.startswith(f"{tmp_path / 't.csv'} is not a complete {name} file: ")
    assert n_rows <= 3000


@pytest.mark.parametrize("name", STREAMS)
def test_other_bytes_behind_the_end_are_refused(tmp_path: Path, name: CompressionName) -> None:
    """They may be rows of a second file that is damaged, and must not be lost silently."""
    content = PACK[name](ROWS) + b"junk" + PACK[name](ROWS)[4:]
    n_rows, message = read_until_refused(source(tmp_path / "t.csv", content))
    assert (n_rows <= 3000, f"is not a complete {name} file: " in message) == (True, True)


@steady
@given(st.data())
@pytest.mark.parametrize("name", EACH)
def test_every_row_that_is_read_is_a_row_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, name: CompressionName, data: st.DataObject
) -> None:
    """Whatever bytes are damaged, rows before the damage come in their order, and the file is not read as whole."""
    content = bytearray(PACK[name](ROWS))
    at = data.draw(st.integers(1, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged.{name}.csv"
    found: list[str] = []
    try:
        for row in source(path, bytes(content)):
            found.append(row["title"] if isinstance(row, dict) and "title" in row else "")  # noqa: PERF401
    except SourceError:
        pass
    assert found == [f"title {n}" for n in range(len(found))]


def test_the_beginning_of_a_compressed_file_must_be_one(tmp_path: Path) -> None:
    """Bytes that are neither a compression nor a text are not read as one."""
    assert refused(tmp_path / "t.csv.gz", b"\x1f\x00\x01\x02" * 9) == (
        "t.csv.gz is not a complete gzip file: it does not begin as one"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv.gz", gzip.compress(gzip.compress(ROWS)), "t.csv.gz holds a file that is compressed itself: unpack it"),
        ("t.csv.zip", zipped(gzip.compress(ROWS)), "t.csv.zip holds a file that is compressed itself: unpack it first"),
        ("t.csv.zip", zipped(zipped(ROWS), "a.zip"), "t.csv.zip holds a file that is compressed itself: unpack it"),
        ("t.csv.zip", zipped(ROWS, b=b"", c=b"", d=b""), "t.csv.zip must hold one file, and holds 4: t.csv, b, c, …"),
        ("t.csv.zip", zipped(b"", "folder/"), "t.csv.zip must hold one file, and holds 0"),
        ("t.csv", zipped(b"", "[Content_Types].xml"), "t.csv is an Excel workbook: name it .xlsx, or say --format"),
        ("t.csv", b"\xd0\xcf\x11\xe0" + b"\0" * 99, "t.csv is an Excel workbook: name it .xls or .xlsx, or say"),
        ("t.csv", b"PAR1" + b"\0" * 99, "t.csv is a Parquet file: name it .parquet, or say --format parquet"),
        ("t.csv", b"7z\xbc\xaf\x27\x1c" + b"\0" * 99, "t.csv is a 7z archive: unpack it first"),
        ("t.csv", b"Rar!\x1a\x07\0", "t.csv is a rar archive: unpack it first"),
        ("t.csv", b"\x04\x22\x4d\x18\0", "t.csv is a file compressed with lz4: unpack it first"),
        ("t.csv", b"\x1f\x9d\x90\0", "t.csv is a file compressed with compress: unpack it first"),
        ("t.parquet", gzip.compress(b"PAR1"), "t.parquet: Parquet is read from its end, which gzip does not allow"),
        ("t.xlsx.gz", gzip.compress(b"PK"), "t.xlsx.gz: Excel is read from its end, which gzip does not allow: unpack"),
        ("t.parquet.zip", zipped(b"PAR1"), "t.parquet.zip: Parquet is read from its end, which zip does not allow"),
        ("t.zip", zipped(b"PAR1", "t.parquet"), "t.zip: Parquet is read from its end, which zip does not allow: unp"),
        ("t.zip", zipped(ROWS, "t.doc"), "t.zip: the name must end in .csv, .jsonl, .ndjson, .parquet, .json, .tsv"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value[:30],
)
def test_what_cannot_be_unpacked_is_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """The message says what it is, and what to do."""
    assert refused(tmp_path / name, content).startswith(message)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    """The message names the file in it."""
    content = bytearray(zipped(ROWS))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert refused(tmp_path / "t.csv.zip", bytes(content)) == "t.csv.zip: t.csv is encrypted: unpack it first"


@pytest.mark.parametrize("part", [b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"], ids=["file", "directory", "end"])
@pytest.mark.parametrize("name", ["t.csv.zip", "t.zip"])
def test_any_damage_to_the_parts_of_an_archive_is_one_message(tmp_path: Path, name: str, part: bytes) -> None:
    """Each byte is damaged in turn; the rows are read, or the message names the file."""
    content, rows = zipped(b"source_id,title\n1,a\n"), [{"source_id": "1", "title": "a"}]
    start = content.index(part)
    for at in range(start + (part == b"PK\x03\x04"), min(start + 46, len(content))):
        damaged = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        try:
            found: Any = list(source(tmp_path / name, damaged))
        except SourceError as error:
            found = str(error).startswith(f"{tmp_path / name}")
        assert found in (rows, True)


def test_damage_in_a_rest_that_is_copied_ends_the_copy(tmp_path: Path) -> None:
    """Rejected rows are written, although not all that follows them can be unpacked."""
    rest = "".join(f'{{"title":"{number}"}},' for number in range(200_000))
    content = bz2.compress(f'[{{"title":"a"}} {rest}'.encode())
    damaged = content[: len(content) // 2] + b"damage" + content[len(content) // 2 + 6 :]
    rows, out = source(tmp_path / "t.json.bz2", damaged), io.BytesIO()
    first, unread = rows
    assert (first, isinstance(unread, Unreadable)) == ({"title": "a"}, True)
    rows.copy([(1, "because")], out)
    (copy,) = out.getvalue().splitlines()
    assert copy.startswith(b'{"not stored because":"because","line":"{')
    assert copy.endswith(b'"}')


def test_an_archive_with_an_unusual_compression_is_refused(tmp_path: Path) -> None:
    """Python would unpack some of them without a limit."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("t.csv", ROWS)
    assert refused(tmp_path / "t.csv.zip", out.getvalue()) == (
        "t.csv.zip: t.csv is compressed in an unusual way: unpack it first"
    )


def test_what_macos_adds_to_an_archive_is_ignored(tmp_path: Path) -> None:
    """It is about the file beside it."""
    content = zipped(ROWS, "folder/t.csv", **{"__MACOSX/folder/._t.csv": b"\0", "folder/.DS_Store": b"\0"})
    assert len(titles(source(tmp_path / "t.csv.zip", content))) == 3000


def test_the_file_in_an_archive_may_imply_the_format(tmp_path: Path) -> None:
    """The archive's own name need not."""
    assert titles(source(tmp_path / "export.zip", zipped(b'{"title":"a"}', "t.jsonl"))) == ["a"]


def test_a_change_of_an_archive_is_detected_at_its_end(tmp_path: Path) -> None:
    """Its end is read first."""
    rows = source(tmp_path / "t.csv.zip", zipped(ROWS * 20))
    found = iter(rows)
    next(found)
    with (tmp_path / "t.csv.zip").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(SourceError, match="was written to while it was read"):
        list(found)


@pytest.mark.parametrize("name", STREAMS)
def test_standard_input_may_be_compressed(name: CompressionName, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is recognised by its first bytes too."""
    content = io.BufferedReader(io.BytesIO(PACK[name](b"source_id,title\n1,a\n")))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(content))
    assert titles(FileSource("-", FieldMapping.parse(Ticket), format="csv")) == ["a"]


def test_an_archive_on_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from its end."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(Pipe(zipped(ROWS)))))
    with pytest.raises(SourceError, match="-: zip is read from its end, which is not possible here: unpack it first"):
        list(FileSource("-", FieldMapping.parse(Ticket), format="csv"))


def test_zstd_needs_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to install it."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    said = refused(tmp_path / "t.csv", PACK["zstd"](ROWS))
    assert said == "t.csv: zstd needs one more package: pip install 'planhat-async[zstd]'"
    with (
        pytest.raises(ValueError, match="zstd needs one more package"),
        packed(io.BytesIO(), compression_named(Path("a.zst"))),
    ):
        pass


def bomb(name: CompressionName, unit: bytes, n_bytes: int) -> bytes:
    """Return a small file that unpacks to a large one."""
    if name == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("t.csv", "w") as member:
            for _ in range(-(-n_bytes // len(unit))):
                member.write(unit)
        return out.getvalue()
    made = io.BytesIO()
    with packed(made, next(one for one in COMPRESSIONS if one.name == name)) as out_file:
        for _ in range(-(-n_bytes // len(unit))):
            out_file.write(unit)
    return made.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_a_file_that_unpacks_to_much_more_needs_little_memory(tmp_path: Path, name: CompressionName) -> None:
    """It is unpacked in small pieces: 100 MB of lines from a small file."""
    content = bomb(name, b"a" * 99 + b"\n" + b"a" * 900_000 + b"\n", 100_000_000)
    rows = source(tmp_path / "t.csv", content, format="ids")
    tracemalloc.start()
    n_rows = sum(1 for _ in rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (n_rows, len(content) < 4_000_000, peak < 60_000_000) == (224, True, True), (n_rows, len(content), peak)


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_a_row_that_unpacks_without_end_is_refused(
    tmp_path: Path, name: CompressionName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows before it are read."""
    assert unpacked_file.MOST_OF_A_ROW == 256 << 20
    monkeypatch.setattr(unpacked_file, "MOST_OF_A_ROW", most := 16 << 20)
    content = bomb(name, b"title\na\n" + b"\0" * most + b"\0" * (1 << 20), 1)
    said = read_until_refused(source(tmp_path / "t.csv", content))
    assert said == (1, f"{tmp_path / 't.csv'}: it unpacks to a row of more than 16 MiB: it is not read on")


@pytest.mark.parametrize("name", STREAMS)
@given(pieces=st.lists(st.binary(max_size=99), max_size=5))
@steady
def test_what_is_written_is_unpacked_unchanged(name: CompressionName, pieces: list[bytes]) -> None:
    """The programs for each compression read it."""
    out = io.BytesIO()
    with packed(out, next(one for one in COMPRESSIONS if one.name == name)) as file:
        for piece in pieces:
            assert file.write(piece) == len(piece)
    unpack: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "bzip2": bz2.decompress,
        "xz": lzma.decompress,
        "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    }
    assert unpack[name](out.getvalue()) == b"".join(pieces)


def test_equal_contents_give_equal_files() -> None:
    """Gzip's header has no time."""

    def made() -> bytes:
        out = io.BytesIO()
        with packed(out, compression_named(Path("a.gz"))) as file:
            file.write(b"a")
        return out.getvalue()

    assert made()[4:8] == b"\0\0\0\0"


def test_an_interrupted_file_is_not_complete() -> None:
    """Its end is missing, so no program takes it for a whole file."""
    out = io.BytesIO()

    def interrupted(file: BinaryIO) -> None:
        file.write(ROWS)
        raise OSError("full")

    with pytest.raises(OSError, match="full"), packed(out, compression_named(Path("a.gz"))) as file:
        interrupted(file)
    with pytest.raises((EOFError, zlib.error)):
        gzip.decompress(out.getvalue())


@pytest.mark.parametrize("name", STREAMS)
def test_rejected_rows_are_compressed_as_their_name_says(tmp_path: Path, name: CompressionName) -> None:
    """A plain name is a plain file, whatever the source is."""
    rows = source(tmp_path / "t.csv.gz", gzip.compress(b"source_id,title\n1,a\n2,b\n"))
    for suffix in ("", SUFFIXES[name]):
        path = tmp_path / f"rejected.csv{suffix}"
        with Rejects(rows, path) as rejects:
            problem = Problem(outcome=Outcome.REJECTED, reason="wrong", position=1)
            rejects.add(ChunkResult(number=0, problems=[problem]))
            rejects.write()
        assert path.read_bytes().startswith(b"not stored because") == (not suffix)
        assert titles(FileSource(path, FieldMapping.parse(Ticket))) == ["b"]


def test_rejected_rows_are_not_written_as_zip(tmp_path: Path) -> None:
    """It is refused before any row is sent."""
    with pytest.raises(SourceError, match=r"r.csv.zip: a copy of rows is not compressed like this: leave out .zip"):
        Rejects(source(tmp_path / "t.csv", ROWS), tmp_path / "r.csv.zip")
