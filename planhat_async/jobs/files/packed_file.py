"""A file that compresses what is written to it."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, cast

from planhat_async.jobs.files.compression import ZSTD_IS_MISSING, Compression, CompressionName

_GZIP_FORMAT = 31
"""What zlib calls the format of gzip; the header then has no time, so that equal contents give equal files."""


class _Compressor(Protocol):
    def compress(self, data: Any, /) -> bytes: ...
    def flush(self) -> bytes: ...


@contextmanager
def packed(out: BinaryIO, compression: Compression | None) -> Iterator[BinaryIO]:
    """A file whose content is compressed into another one, which stays open.

    After an exception its end is not written, so that it does not look complete.

    Raises:
        ValueError: There is no writer of this compression, or its package is not installed.
    """
    if compression is None:
        yield out
        return
    file = _PackedFile(out, compressor_of(compression.name))
    yield cast("BinaryIO", file)
    file.finish()


def compressor_of(name: CompressionName) -> _Compressor:
    """A compressor.

    Raises:
        ValueError: This compression is not written, or its package is not installed.
    """
    if name == "gzip":
        return zlib.compressobj(wbits=_GZIP_FORMAT)
    if name == "bzip2":
        return bz2.BZ2Compressor()
    if name == "xz":
        return lzma.LZMACompressor()
    if name == "zip":
        raise ValueError("zip is not written")
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ValueError(ZSTD_IS_MISSING) from None
    made: _Compressor = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    return made


class _PackedFile(io.RawIOBase):
    """Compresses what is written to it; `finish` writes the end."""

    def __init__(self, out: BinaryIO, compressor: _Compressor) -> None:
        self._out, self._compressor = out, compressor

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._out.write(self._compressor.compress(data))
        return len(data)

    def finish(self) -> None:
        self._out.write(self._compressor.flush())
