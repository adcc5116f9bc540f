"""Compressions of files, by the first bytes of their contents and by the suffixes of their names: decisions only."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Literal

import attrs

HEAD_BYTES = 16
"""How many of a file's first bytes decide what it is."""
ZSTD_IS_MISSING = "zstd needs one more package: pip install 'planhat-async[zstd]'"

CompressionName = Literal["gzip", "bzip2", "xz", "zstd", "zip"]


@attrs.frozen
class Compression:
    """A kind of compression."""

    name: CompressionName
    suffix: str
    _begin: re.Pattern[bytes] = attrs.field(repr=False)

    def begins(self, head: bytes) -> bool:
        """Whether these are the first bytes of such a file."""
        return self._begin.match(head) is not None


COMPRESSIONS = (
    Compression("gzip", ".gz", re.compile(rb"\x1f\x8b")),
    # After the digit comes the first block, or the end of an empty file.
    Compression("bzip2", ".bz2", re.compile(rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)")),
    Compression("xz", ".xz", re.compile(rb"\xfd7zXZ\x00")),
    # The second is a frame to be skipped, with which parallel compressors begin.
    Compression("zstd", ".zst", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")),
    Compression("zip", ".zip", re.compile(rb"PK(\x03\x04|\x05\x06|\x07\x08)")),
)
SUFFIXES_OF_COMPRESSIONS = {one.suffix: one for one in COMPRESSIONS}
_OTHERS = {
    b"PAR1": "a Parquet file: name it .parquet, or say --format parquet",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: name it .xls or .xlsx, or say --format excel",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!\x1a\x07": "a rar archive: unpack it first",
    b"\x04\x22\x4d\x18": "a file compressed with lz4: unpack it first",
    b"\x1f\x9d": "a file compressed with compress: unpack it first",
}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
"""Byte order marks; the texts of two of them hold zero bytes."""


def compression_of(head: bytes) -> Compression | None:
    """The compression of a file that begins with these bytes; `None` for any that cannot be read."""
    return next((one for one in COMPRESSIONS if one.begins(head)), None)


def compression_named(path: PurePath) -> Compression | None:
    """The compression that a name implies."""
    return SUFFIXES_OF_COMPRESSIONS.get(path.suffix.lower())


def below_compression(path: PurePath) -> PurePath:
    """A name without the suffix of a compression, if it has one."""
    return path if compression_named(path) is None else path.with_suffix("")


def kind_of_binary(head: bytes) -> str | None:
    """What a file is that begins with these bytes and holds no text, and what to do; `None` if it may be text."""
    return next((kind for begin, kind in _OTHERS.items() if head.startswith(begin)), None)


def may_be_text(head: bytes) -> bool:
    """Whether a text may begin with these bytes."""
    return head.startswith(_MARKS) or _CONTROL.search(head) is None
