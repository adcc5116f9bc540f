"""The error of a file, or of a mapping to it, that cannot be used."""

from __future__ import annotations


class SourceError(ValueError):
    """A file, or the mapping to it, cannot be used.

    Raised before anything is sent, unless the file changes or turns out to be damaged while it is read.
    """


class UnknownColumnsError(SourceError):
    """Several columns are not fields, and no mapping says what they are."""
