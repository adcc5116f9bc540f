"""A shared window in a file, for the processes of one user on one machine.

Each exchange locks the file, reads it, lets `shared_pace.py` decide, and writes it: well under a millisecond. The lock
is never waited for inside the system: a process that was stopped while it holds the lock would stop the event loops of
all others. They try for a while, and then go on with their shares. The system releases the lock of a process that
ends, however it ends.

The clock counts from the machine's start and cannot be set. A file of an earlier start is emptied.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from planhat_async._http.pace_record import MAX_BYTES, DamagedError, NewerVersionError, decoded, encoded
from planhat_async._http.shared_messages import NO_MEMBERS, Message, Reply, Standing
from planhat_async._http.shared_pace import SETTLING, SharedPace
from planhat_async._http.shared_window import SharedWindowError, SharedWindowUnusableError
from planhat_async._http.window_name import window_name
from planhat_async._http.wire import Token

try:
    from planhat_async._http.locked_file import ForeignFileError, LockedFile
    from planhat_async._http.runtime_folder import UnsafeFolderError, runtime_folder
except ImportError:  # on Windows
    IS_SUPPORTED = False
else:
    IS_SUPPORTED = True

T = TypeVar("T")

_logger = logging.getLogger("planhat_async.pace")

_LOCK_SECONDS = 0.5
"""How long an exchange tries to get the lock: hundreds of exchanges of others."""
_RETRY_SECONDS = (0.0005, 0.003)
"""The range of the time between two tries."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_EPOCHS = 2**53
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EINTR, errno.EIO, errno.ENOMEM})
"""Errors that may be over at the next try; all others make the file unusable."""


class HostWindow:
    """A window of all processes of this user on this machine, in a file of the user's runtime folder.

    Sessions meet there if they have the same base URL and the same token. The file's name is a digest of both; it
    contains neither, and only its owner can read it.

    Args:
        base_url: The API's URL.
        token: The API token.
        folder: The folder of the file; by default the user's runtime folder.
        clock: Seconds of a clock that all processes share.
    """

    is_instant = True
    max_places = 1
    waits_while_away = False

    def __init__(
        self,
        base_url: str,
        token: str | Token,
        *,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = f"{window_name(base_url, token)}.pace"
        self._folder = folder
        self._clock = clock
        self._boot = _boot()
        self._path: Path | None = None
        self._file: LockedFile | None = None
        self._was_away = False

    def __repr__(self) -> str:
        return f"<HostWindow {self._path or self._name}>"

    async def exchange(self, message: Message) -> Reply:
        """See `SharedWindow.exchange`."""
        return await self._locked(lambda file: self._exchange(file, message))

    async def standing(self, seconds: float) -> Standing:
        """See `SharedWindow.standing`; a file that does not exist is not created."""
        try:
            return await self._locked(lambda file: self._standing(file, seconds), creates=False)
        except FileNotFoundError:
            return NO_MEMBERS

    async def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _locked(self, act: Callable[[LockedFile], T], *, creates: bool = True) -> T:
        """Act with the lock; raises after a while if another process keeps it."""
        loop = asyncio.get_running_loop()
        # The first failure has waited long enough for a process that may be stopped for hours.
        gives_up_at = loop.time() + (0.0 if self._was_away else _LOCK_SECONDS)
        if not IS_SUPPORTED:
            raise SharedWindowUnusableError("this system has no locks of files (fcntl)")
        while True:
            with self._as_window_errors():
                file = self._opened(creates=creates)
                if file.try_lock():
                    try:
                        self._was_away = False
                        return act(file)
                    finally:
                        file.unlock()
            if loop.time() >= gives_up_at:
                self._was_away = True
                raise SharedWindowError(f"another process has locked {self._path} and does not go on: end or resume it")
            await asyncio.sleep(random.uniform(*_RETRY_SECONDS))  # noqa: S311 - keeps no secret

    @contextmanager
    def _as_window_errors(self) -> Iterator[None]:
        """Say in one line what is wrong with the file."""
        try:
            yield
        except FileNotFoundError:
            raise
        except NewerVersionError:
            raise SharedWindowUnusableError(f"{self._path} is of a newer version of planhat-async") from None
        except (ForeignFileError, UnsafeFolderError) as error:  # pyright: ignore[reportPossiblyUnboundVariable]
            raise SharedWindowUnusableError(str(error)) from None
        except OSError as error:
            problem = f"{error.filename or self._path or self._name}: {error.strerror or error}"
            if error.errno in _PASSING:
                raise SharedWindowError(problem) from None
            raise SharedWindowUnusableError(problem) from None

    def _exchange(self, file: LockedFile, message: Message) -> Reply:
        now = self._clock()
        try:
            state = self._load(file, now)
        except DamagedError:
            _logger.warning("%s was damaged, and is begun anew", self._path)
            state = SharedPace(epoch=_new_epoch(), settled_at=now + SETTLING)
        reply = state.exchange(message, now)
        file.write(encoded(state, boot=self._boot))
        return reply

    def _standing(self, file: LockedFile, seconds: float) -> Standing:
        now = self._clock()
        with suppress(DamagedError):
            return self._load(file, now).standing(now, seconds)
        return NO_MEMBERS

    def _load(self, file: LockedFile, now: float) -> SharedPace:
        return decoded(file.read(MAX_BYTES), boot=self._boot, now=now) or SharedPace(epoch=_new_epoch())

    def _opened(self, *, creates: bool) -> LockedFile:
        if self._file is not None and self._file.is_removed:
            self._file.close()
            self._file = None
        if self._file is None:
            self._path = (self._folder or runtime_folder()) / self._name  # pyright: ignore[reportPossiblyUnboundVariable]
            self._file = LockedFile.open(self._path, creates=creates)  # pyright: ignore[reportPossiblyUnboundVariable]
        return self._file


def _boot() -> bytes:
    """What tells this start of the machine from another; the same for all where the system does not say."""
    with suppress(OSError):
        return hashlib.sha256(_BOOT_ID.read_bytes()).digest()[:16]
    return bytes(16)


def _new_epoch() -> int:
    return random.randrange(1, _EPOCHS)  # noqa: S311 - keeps no secret
