"""The bytes of a file without its compression, which its first bytes tell.

Everything is unpacked in small pieces, so that memory does not grow with what a file unpacks to.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import PurePath
from typing import IO, Any, BinaryIO, Protocol

from planhat_async.jobs.files.compression import (
    HEAD_BYTES,
    ZSTD_IS_MISSING,
    Compression,
    compression_named,
    compression_of,
    kind_of_binary,
    may_be_text,
)
from planhat_async.jobs.files.steady_file import ReadAhead
from planhat_async.jobs.source_error import SourceError

READ_BYTES = 1 << 17
"""How far a file is read ahead; twice as much is no faster."""
MOST_OF_A_ROW = 1 << 28
"""Bytes that may be unpacked for one row."""
_ZSTD_BYTES = 1 << 10
"""Bytes that are unpacked at once: zstd unpacks them to 32 MiB at most."""


class UnpackLimit:
    """Limits the bytes that are unpacked for one row: a small file may unpack to an endless line."""

    def __init__(self) -> None:
        self.n_bytes: int = 0
        """Bytes since the last row."""

    def reset(self) -> None:
        """Begin with another row, blank or not."""
        self.n_bytes = 0

    def add(self, n_bytes: int) -> None:
        """Count bytes.

        Raises:
            ValueError: They are too many for a row.
        """
        self.n_bytes += n_bytes
        if self.n_bytes > MOST_OF_A_ROW:
            raise ValueError(f"it unpacks to a row of more than {MOST_OF_A_ROW >> 20} MiB")


@contextmanager
def unpacked(name: str, path: PurePath, raw: io.RawIOBase, limit: UnpackLimit | None = None) -> Iterator[BinaryIO]:
    """The bytes of a file, buffered, and unpacked if its first bytes are those of a compression.

    Args:
        name: Its name in messages.
        path: The name that may imply a compression.
        raw: The file; of zip it must be seekable.
        limit: Counts the unpacked bytes.

    Raises:
        SourceError: It is damaged, compressed twice, or an archive of more than one file.
    """
    with closing(ReadAhead(raw, READ_BYTES)) as packed:
        head = packed.peek(HEAD_BYTES)[:HEAD_BYTES]
        compression = compression_of(head)
        if compression is None:
            _refuse_binary(name, path, head)
            yield packed
            return
        with _opened(name, compression, packed, raw) as stream:
            file = ReadAhead(_UnpackedFile(name, compression, stream, limit or UnpackLimit()), READ_BYTES)
            inner = file.peek(HEAD_BYTES)[:HEAD_BYTES]
            if compression_of(inner) is not None or kind_of_binary(inner) is not None:
                raise SourceError(f"{name} holds a file that is compressed itself: unpack it first")
            yield file


def member_of(name: str, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The only file in a zip archive; what macOS adds to it is ignored.

    Raises:
        SourceError: The archive is empty, or holds several files, an encrypted one, or a workbook.
    """
    members = [one for one in archive.infolist() if not one.is_dir() and not _is_by_macos(one.filename)]
    if any(one.filename == "[Content_Types].xml" for one in members):
        raise SourceError(f"{name} is an Excel workbook: name it .xlsx, or say --format excel")
    if len(members) != 1:
        some = ", ".join(one.filename for one in members[:3]) + (", …" if len(members) > 3 else "")
        raise SourceError(f"{name} must hold one file, and holds {len(members)}{f': {some}' if some else ''}")
    (member,) = members
    if member.flag_bits & 1:
        raise SourceError(f"{name}: {member.filename} is encrypted: unpack it first")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise SourceError(f"{name}: {member.filename} is compressed in an unusual way: unpack it first")
    return member


def name_in_zip(name: str, file: BinaryIO) -> str:
    """The name of the only file in a zip archive.

    Raises:
        SourceError: It is not a zip archive, or does not hold one file.
    """
    with _naming_zip(name), zipfile.ZipFile(file) as archive:
        return member_of(name, archive).filename


@contextmanager
def _naming_zip(name: str) -> Iterator[None]:
    """Errors about a damaged archive name it."""
    try:
        yield
    except SourceError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise _damaged(name, "zip", error) from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise _damaged(name, "zip", "its parts are not where it says") from None


class _UnpackedFile(io.RawIOBase):
    """Reads another stream, and names the file in errors about damage."""

    def __init__(self, name: str, compression: Compression, stream: Any, limit: UnpackLimit) -> None:
        self._name, self._compression, self._stream, self._limit = name, compression, stream, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except (gzip.BadGzipFile, EOFError, zlib.error, zipfile.BadZipFile, _DamageError) as error:
            raise _damaged(self._name, self._compression.name, error) from None
        try:
            self._limit.add(len(data))
        except ValueError as error:
            raise SourceError(f"{self._name}: {error}: it is not read on") from None
        buffer[: len(data)] = data
        return len(data)


class _DamageError(Exception):
    """Compressed data is damaged."""


class _Decompressor(Protocol):
    """What `bz2` and `lzma` have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Frames:
    """Unpacks data that may be several compressed streams, one after another.

    The standard library's files ignore what they cannot read after the first of them; here it is an error.
    """

    def __init__(
        self,
        file: BinaryIO,
        make: Callable[[], _Decompressor],
        compression: Compression,
        *,
        feed_bytes: int = READ_BYTES,
    ) -> None:
        self._file, self._make, self._compression, self._feed_bytes = file, make, compression, feed_bytes
        self._frame = make()
        self._input = b""
        """What was read beyond the end of the stream before."""

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; none at the end.

        Raises:
            _DamageError: The data is damaged, or ends early.
        """
        while True:
            if self._frame.eof and not self._begin_next():
                return b""
            data = self._next_input() if self._frame.needs_input else b""
            if self._frame.needs_input and not data:
                raise _DamageError("it ends early")
            try:
                found = self._frame.decompress(data, size)
            except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
                raise _DamageError(str(error)) from None
            if found:
                return found

    def _next_input(self) -> bytes:
        data, self._input = self._input, b""
        return data or self._file.read(self._feed_bytes)

    def _begin_next(self) -> bool:
        """Begin with the next stream; returns whether there is one. Zeros may follow the last."""
        rest = self._frame.unused_data.lstrip(b"\0")
        while not rest:
            if not (rest := self._file.read(self._feed_bytes)):
                return False
            rest = rest.lstrip(b"\0")
        rest += self._file.read(max(HEAD_BYTES - len(rest), 0))
        if not self._compression.begins(rest[:HEAD_BYTES]):
            raise _DamageError("other bytes follow its end")
        self._frame, self._input = self._make(), rest
        return True


class _ZstdFrame:
    """A stream of zstd, with the methods of `bz2` and `lzma`."""

    def __init__(self) -> None:
        import zstandard  # noqa: PLC0415 - an extra

        self._error = zstandard.ZstdError
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._output = b""

    @property
    def eof(self) -> bool:
        return self._frame.eof and not self._output

    @property
    def needs_input(self) -> bool:
        return not self._frame.eof and not self._output

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if not self._output:
            try:
                self._output = self._frame.decompress(data)
            except self._error as error:
                raise ValueError(str(error).removeprefix("zstd decompress error: ")) from None
        found, self._output = self._output[:max_length], self._output[max_length:]
        return found


def _opened(name: str, compression: Compression, packed: BinaryIO, raw: Any) -> AbstractContextManager[Any]:
    """A stream of the unpacked bytes."""
    if compression.name == "gzip":
        return nullcontext(gzip.GzipFile(fileobj=packed))
    if compression.name == "zip":
        return _member_opened(name, packed, raw)
    if compression.name == "bzip2":
        return nullcontext(_Frames(packed, bz2.BZ2Decompressor, compression))
    if compression.name == "xz":
        return nullcontext(_Frames(packed, lzma.LZMADecompressor, compression))
    try:
        return nullcontext(_Frames(packed, _ZstdFrame, compression, feed_bytes=_ZSTD_BYTES))
    except ModuleNotFoundError:
        raise SourceError(ZSTD_IS_MISSING) from None


@contextmanager
def _member_opened(name: str, packed: BinaryIO, raw: Any) -> Iterator[_Member]:
    if not raw.seekable():
        raise SourceError(f"{name}: zip is read from its end, which is not possible here: unpack it first")
    with _naming_zip(name):
        archive = zipfile.ZipFile(packed)
    with archive:
        with _naming_zip(name):
            member = archive.open(member_of(name, archive))
        yield _Member(member, raw)


class _Member:
    """A file in a zip archive: at its end the archive, whose end is read first, is checked for changes."""

    def __init__(self, file: IO[bytes], raw: Any) -> None:
        self._file, self._raw = file, raw

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if not data:
            self._raw.refuse_change()
        return data


def _is_by_macos(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2] == ".DS_Store"


def _refuse_binary(name: str, path: PurePath, head: bytes) -> None:
    """Refuse a file that is neither compressed nor a text."""
    if (kind := kind_of_binary(head)) is not None:
        raise SourceError(f"{name} is {kind}")
    implied = compression_named(path)
    if implied is not None and not may_be_text(head):
        raise _damaged(name, implied.name, "it does not begin as one")


def _damaged(name: str, compression: str, why: object) -> SourceError:
    return SourceError(f"{name} is not a complete {compression} file: {why}")
