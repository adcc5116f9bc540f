"""Where the bytes of a source are: in a local file, on standard input, or behind a URL."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from planhat_async.jobs.files.compression import HEAD_BYTES
from planhat_async.jobs.files.steady_file import SteadyFile, identity_of
from planhat_async.jobs.source_error import SourceError

if TYPE_CHECKING:
    from planhat_async.jobs.files.remote_file import RemoteFile

# A drive of Windows is one letter. `pathlib` makes one slash of two.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[A-Za-z0-9+.:/-]*)?:/")
_USER = re.compile(r"(?<=://)[^/\s]*@")
_QUERY = re.compile(r"\?[^\s'\")\]]*")


def is_url(given: str | PurePath) -> bool:
    """Whether a text is a URL, and not a path."""
    return _URL.match(str(given)) is not None


def without_secrets(text: str) -> str:
    """A text without the user's names, the passwords and the signatures in its URLs."""
    return _QUERY.sub("?***", _USER.sub("***@", text)) if "://" in text else text


class Location(ABC):
    """Where the bytes of a source are."""

    is_read_once: ClassVar[bool] = False
    is_local: ClassVar[bool] = True
    name: str
    """Its name in messages, without secrets."""
    path: Path
    """The path whose suffixes imply a format and a compression."""
    size: int | None = None
    """Its size in bytes, once it was looked up; `None` if that is unknown."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The local files that must not be overwritten."""
        return ()

    @abstractmethod
    def look_up(self) -> None:
        """Look up its size.

        Raises:
            SourceError: It does not exist, cannot be read, or can be read only once where that is not enough.
        """

    @abstractmethod
    def opened(self) -> AbstractContextManager[io.RawIOBase]:
        """The bytes: an error is raised if they change while they are read.

        Raises:
            SourceError: They cannot be read.
        """

    @abstractmethod
    def identity(self) -> Any:
        """What changes whenever the bytes change.

        Raises:
            SourceError: It does not exist any more.
        """

    def description(self) -> dict[str, Any]:
        """Facts beside the size that must be the same in a rerun, as JSON values."""
        return {}


class LocalFile(Location):
    """A file on this machine.

    Raises:
        SourceError: It is a directory.
    """

    name: str
    size: int | None = None

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        self.name = str(path)
        with suppress(OSError):  # reported later
            if path.is_dir():
                raise SourceError(f"{path} is a directory: name a file in it")

    @property
    def files(self) -> tuple[Path, ...]:
        """The file itself."""
        return (self.path,)

    def look_up(self) -> None:
        """Look up its size."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise SourceError(f"{self.path}: {error.strerror}") from None
        if not stat.S_ISREG(found.st_mode):
            # It is read twice: once to refuse what does not fit, before anything is sent.
            raise SourceError(f"{self.path} is not a regular file: a pipe's rows must be in a file first")
        self.size = found.st_size

    @contextmanager
    def opened(self) -> Iterator[io.RawIOBase]:
        """The bytes."""
        try:
            raw = SteadyFile(self.path)
        except OSError as error:
            raise SourceError(error.strerror) from None
        with raw:
            yield raw

    def identity(self) -> tuple[int, ...]:
        """Its device, inode, size and time of change."""
        try:
            return identity_of(self.path.stat())
        except OSError as error:
            raise SourceError(f"{self.path}: {error.strerror}") from None


class StandardInput(Location):
    """Standard input, which can be read once."""

    is_read_once: ClassVar[bool] = True

    name: str
    path: Path

    def __init__(self) -> None:
        self.name, self.path = "-", Path("-")

    def look_up(self) -> None:
        """Nothing is known of it."""

    @contextmanager
    def opened(self) -> Iterator[io.RawIOBase]:
        """A reader of its own: the interpreter's cannot be closed while a thread waits for it."""
        try:
            number = sys.stdin.fileno()
        except (OSError, ValueError):
            yield sys.stdin.buffer  # type: ignore[misc]  # replaced by something without a descriptor
            return
        with _Piped(number, closefd=False) as raw:
            yield raw

    def identity(self) -> None:
        """It has none."""


class _Piped(io.FileIO):
    """A file whose first read returns enough to recognise a compression, even if a pipe delivers a byte at a time."""

    def __init__(self, number: int, *, closefd: bool) -> None:
        super().__init__(number, closefd=closefd)
        self._has_begun = False

    def readinto(self, buffer: Any) -> int:
        n_bytes = super().readinto(buffer) or 0
        while not self._has_begun and 0 < n_bytes < min(HEAD_BYTES, len(buffer)):
            more = super().readinto(memoryview(buffer)[n_bytes:]) or 0
            if not more:
                break
            n_bytes += more
        self._has_begun = True
        return n_bytes


def located(given: str | Path) -> LocalFile | StandardInput | RemoteFile:
    """The location that a text or a path names: `-` is standard input, and a `file://` URL a local file.

    Raises:
        SourceError: It is a directory, or a URL of an unknown kind.
    """
    if isinstance(given, str) and is_url(given):
        if given.startswith(("file://", "local://")):
            return LocalFile(local_path(given))
        from planhat_async.jobs.files.remote_file import RemoteFile  # noqa: PLC0415 - which needs this module

        return RemoteFile(given)
    path = Path(given)
    return StandardInput() if path == Path("-") else LocalFile(path)


def local_path(given: str) -> Path:
    """The path that a text or a `file://` URL names."""
    if not given.startswith(("file://", "local://")):
        return Path(given)
    parts = urlsplit(given)
    if parts.netloc not in ("", "localhost"):
        raise SourceError(f"{given} names another machine: a local file has three slashes, as file:///{parts.netloc}")
    return Path(url2pathname(parts.path) or os.sep)
