"""Uploads that get their name only once they are complete."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from planhat_async.jobs.files.private_files import create_private
from planhat_async.jobs.files.remote_file import RemoteFile


@contextmanager
def whole_upload(remote: RemoteFile) -> Iterator[BinaryIO]:
    """A temporary file that is uploaded once it is complete: until then, and after a failure, there is no upload.

    fsspec can write to an open upload, but not for every kind of URL can it withdraw one that was interrupted; a
    complete file needs one call. It takes the room of the export on the local disk, where only its owner can read it.
    If the upload fails, the file is kept, and the error names it.

    Raises:
        SourceError: It cannot be uploaded.
        OSError: The temporary file cannot be written.
    """
    folder = Path(tempfile.mkdtemp(prefix="planhat-export-"))
    content = folder / (remote.path.name or "export")
    try:
        with create_private(content) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        remote.upload(content)
    except BaseException as error:
        error.add_note(f"the export is complete in {content}: upload it, or run the command again")
        raise
    shutil.rmtree(folder, ignore_errors=True)
