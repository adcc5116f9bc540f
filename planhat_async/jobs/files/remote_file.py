"""Files behind URLs, by fsspec; needs the extra `remote`, and for most kinds of URLs a package of their own."""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar
from urllib.parse import urlsplit

from planhat_async.jobs.files.location import Location, without_secrets
from planhat_async.jobs.source_error import SourceError

_BLOCK_BYTES = 4 << 20
"""Bytes of a request, while a file is read from its beginning to its end."""
_OF_CONTENT = (
    "etag",
    "contentmd5",
    "md5hash",
    "digest",
    "checksum",
    "crc32c",
    "crc",
    "generation",
    "versionid",
    "version",
    "contenthash",
    "sha",
)
_OF_TIME = ("lastmodified", "mtime", "modified", "modificationtime", "modify", "updated", "created")
"""Properties of an object, without case and separators, that change with its content; better ones come first."""
_WHOLE_AT_ONCE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "memory", "http", "https"}
"""Kinds of URLs whose uploads get their name only once they are complete."""
_ADVICE = ": its last rows were not read; run this again when it no longer changes"
FSSPEC_IS_MISSING = "a URL needs one more package: pip install 'planhat-async[remote]'"


class RemoteFile(Location):
    """A file behind a URL: `s3://`, `gs://`, `https://`, and any other that fsspec knows.

    Credentials are found as the package for this kind of URL finds them: in the environment or its own files. A message
    shows neither the credentials nor the query of a URL.

    A file without a property that changes with its content is fetched once, to a temporary file, which every reading
    gets: the second request of a report may be answered with other rows.

    Raises:
        SourceError: A package is missing, or fsspec does not know this kind of URL.
    """

    is_local: ClassVar[bool] = False
    name: str
    path: Path
    size: int | None = None

    def __init__(self, url: str) -> None:
        self.name = without_secrets(url)
        self._url = url
        try:
            import fsspec  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            raise SourceError(FSSPEC_IS_MISSING) from None
        try:
            self._system, self._path = fsspec.core.url_to_fs(url)
        except ImportError as error:
            package = getattr(error.__cause__, "name", None)
            how = f"it needs one more package: pip install {package}" if package else self._reason(error)
            raise SourceError(f"{self.name}: {how}") from None
        except Exception as error:  # noqa: BLE001 - each kind of URL has its own errors
            raise SourceError(f"{self.name}: {self._reason(error)}") from None
        self.path = Path(urlsplit(self._path).path if "://" in self._path else self._path)
        self.kept: _KeptCopy | None = None
        """Its content, if a change of it could not be noticed."""

    def look_up(self) -> None:
        """Look up its size."""
        info = self._info()
        if info.get("type") == "directory":
            raise SourceError(f"{self.name} is a directory: name a file in it")
        self.size = info.get("size")

    def identity(self) -> dict[str, str]:
        """All of its properties that change with its content; those of a copy that is kept do not change."""
        return _identity_of(self._info()) if self.kept is None else self.kept.identity

    def description(self) -> dict[str, Any]:
        """The property that says best whether the content is the same."""
        found = self.identity()
        best = next((name for name in (*_OF_CONTENT, *_OF_TIME) if name in found), None)
        return {} if best is None else {"version": f"{best} {found[best]}"}

    @contextmanager
    def opened(self) -> Iterator[io.RawIOBase]:
        """The bytes, in large pieces; after each of them it is verified that the file has not changed."""
        with closing(_RemoteStream(self)) as stream:
            yield stream

    def open_file(self, **options: Any) -> Any:
        """Open the file as fsspec does.

        Raises:
            SourceError: It cannot be opened.
        """
        try:
            return self._system.open(self._path, "rb", cache_type="none", **options)
        except Exception as error:  # noqa: BLE001 - as above
            raise self.error(error) from None

    def error(self, error: Exception) -> SourceError:
        """The error of a call, with the name of the file."""
        return error if isinstance(error, SourceError) else SourceError(f"{self.name}: {self._reason(error)}")

    def upload(self, content: Path) -> None:
        """Write the content of a local file under this name, under which nothing is visible until it is complete.

        Object stores and web servers show an upload once its last part has arrived. Anywhere else the content is
        written to `NAME.part` first, which then gets the name.

        Raises:
            SourceError: It cannot be written.
        """
        try:
            if self._protocols & _WHOLE_AT_ONCE:
                self._system.put_file(str(content), self._path)
                return
            part = f"{self._path}.part"
            self._system.put_file(str(content), part)
            self._system.mv(part, self._path)
        except Exception as error:  # noqa: BLE001 - as above
            raise self.error(error) from None

    @property
    def _protocols(self) -> set[str]:
        protocol = self._system.protocol
        return {protocol} if isinstance(protocol, str) else {*protocol}

    def _info(self) -> dict[str, Any]:
        try:
            self._system.invalidate_cache()
            found: dict[str, Any] = self._system.info(self._path)
        except Exception as error:  # noqa: BLE001 - as above
            raise self.error(error) from None
        return found

    def _reason(self, error: BaseException) -> str:
        """What is wrong, in one line without secrets."""
        cause = error.__cause__
        if isinstance(error, FileNotFoundError) and type(cause).__module__.startswith("aiohttp"):
            error = cause or error  # fsspec takes every failure for a missing file
        status = getattr(error, "status", None)
        if isinstance(error, FileNotFoundError) or status in (404, 410):
            return "there is no such file"
        if isinstance(error, PermissionError) or status in (401, 403):
            return f"no permission to read or write it{f' (status {status})' if status else ''}"
        if isinstance(status, int):
            return f"the server answered with status {status}"
        text = " ".join(str(error).replace(self._url, self.name).split()) or type(error).__name__
        return without_secrets(text)


class _RemoteStream(io.RawIOBase):
    """Reads a remote file piece by piece; each piece is returned only if the file is the one that was opened.

    A web server that does not serve parts of a file sends it once, to a temporary file. So does any other server if
    nothing tells whether the file has changed: then the copy is kept for the next stream.
    """

    def __init__(self, remote: RemoteFile) -> None:
        self._remote = remote
        self._opened_as = remote.identity()
        self._size = remote.size
        self._block, self._block_start, self._position = b"", 0, 0
        self._file: Any = None
        if remote.kept is not None:
            self._file, self._size = remote.kept.file, remote.kept.n_bytes
            return
        self._file = remote.open_file()
        is_sent_once = not self._file.seekable() or type(self._file).__name__ == "HTTPStreamFile"
        is_change_noticed = bool(self._opened_as.keys() - {"size"})
        if self._size is None or is_sent_once or not is_change_noticed:
            self._copy()
        if not is_change_noticed:
            remote.kept = _KeptCopy(self._file, self._size or 0, self._opened_as)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        size = self._size or 0
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: size}[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        start = self._position - self._block_start
        if not 0 <= start < len(self._block):
            self._fetch(len(buffer))
            start = 0
        data = self._block[start : start + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def refuse_change(self) -> None:
        """Refuse the file if it has changed since it was opened.

        Raises:
            SourceError: It has other properties, or does not exist any more.
        """
        if self._remote.identity() != self._opened_as:
            raise SourceError(f"{self._remote.name} was written to while it was read{_ADVICE}")

    def close(self) -> None:
        file: BinaryIO | None = self.__dict__.pop("_file", None)  # pyright: ignore[reportAttributeAccessIssue]
        if file is not None and (self._remote.kept is None or file is not self._remote.kept.file):
            file.close()
        super().close()

    def _fetch(self, n_bytes: int) -> None:
        """Fetch the bytes at the position; more than `n_bytes` if those before were read too."""
        is_next = self._position == self._block_start + len(self._block)
        n_bytes = max(n_bytes, _BLOCK_BYTES) if is_next else n_bytes
        if self._size is not None:
            n_bytes = max(min(n_bytes, self._size - self._position), 0)
        self._block, self._block_start = self._read(n_bytes), self._position
        self.refuse_change()
        if not self._block and n_bytes:
            raise SourceError(f"{self._remote.name} ended early, after {self._position:,} bytes")

    def _read(self, n_bytes: int) -> bytes:
        try:
            if self._remote.kept is not None:
                return self._remote.kept.read(self._position, n_bytes)
            try:
                self._file.seek(self._position)
                return bytes(self._file.read(n_bytes))
            except ValueError:  # the server sends a file from its beginning only
                self._copy()
                self._file.seek(self._position)
                return bytes(self._file.read(n_bytes))
        except Exception as error:  # noqa: BLE001 - each kind of URL has its own errors
            raise self._remote.error(error) from None

    def _copy(self) -> None:
        """Copy the file to a temporary one, which is read from now on."""
        self._file.close()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this stream
        try:
            with closing(self._remote.open_file(block_size=0)) as whole:
                shutil.copyfileobj(whole, self._file, _BLOCK_BYTES)
        except Exception as error:  # noqa: BLE001 - as above
            raise self._remote.error(error) from None
        n_bytes = self._file.tell()
        if self._size not in (None, n_bytes):
            raise SourceError(f"{self._remote.name} ended early, after {n_bytes:,} bytes")
        self._size = n_bytes
        self.refuse_change()


class _KeptCopy:
    """A temporary file with the content of a remote one, which streams of several threads read.

    Args:
        file: The file. It is closed when the remote file is not used any more.
        n_bytes: Its size.
        identity: The properties of the remote file.
    """

    def __init__(self, file: BinaryIO, n_bytes: int, identity: dict[str, str]) -> None:
        self.file: BinaryIO = file
        self.n_bytes: int = n_bytes
        self.identity: dict[str, str] = identity
        self._lock = threading.Lock()
        weakref.finalize(self, file.close)

    def read(self, position: int, n_bytes: int) -> bytes:
        """Read up to `n_bytes` from a position on."""
        with self._lock:
            self.file.seek(position)
            return self.file.read(n_bytes)


def _identity_of(info: dict[str, Any]) -> dict[str, str]:
    plain = {
        name.lower().translate({ord("-"): None, ord("_"): None, ord(" "): None}): value for name, value in info.items()
    }
    return {name: str(plain[name]) for name in ("size", *_OF_CONTENT, *_OF_TIME) if plain.get(name) is not None}
