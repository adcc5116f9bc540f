"""What a journal knows about the file of rejects that its job has written: a digest of its bytes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from planhat_async.jobs.job_identity import REJECTS
from planhat_async.jobs.journal_file import JournalError, JournalFile, error_in_words, read_journal

_DIGEST = "digest"


def digest_of(path: Path) -> str:
    """A digest of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def noted_digest(journal: Path) -> str | None:
    """The digest of the last file of rejects that the job has written; `None` if it has written none.

    Raises:
        JournalError: This is not a journal.
    """
    try:
        found = read_journal(journal, _value, must_exist=False)
    except sqlite3.Error as error:
        raise JournalError(f"{journal}: {error_in_words(error)}") from None
    return None if found is None else json.loads(found).get(_DIGEST)


def note_digest(journal: Path, digest: str) -> None:
    """Write the digest of a file of rejects to the journal of its job, which no process may be using.

    Raises:
        JournalError: The journal cannot be written.
    """
    statement = "INSERT OR REPLACE INTO job VALUES (?, ?)"
    try:
        with closing(JournalFile(journal, must_exist=True)) as file:
            file.write([(statement, (REJECTS, json.dumps({_DIGEST: digest})))])
            file.checkpoint(frees_log=True)
    except sqlite3.Error as error:
        raise JournalError(f"{journal}: {error_in_words(error)}") from None


def _value(connection: sqlite3.Connection) -> str | None:
    found = connection.execute("SELECT value FROM job WHERE name = ?", (REJECTS,)).fetchone()
    return None if found is None else str(found[0])
