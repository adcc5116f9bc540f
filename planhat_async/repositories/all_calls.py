"""Every call on records, for models that have them all."""

from __future__ import annotations

from typing import TypeVar

from planhat_async.records import Record
from planhat_async.repositories.single_calls import Creates, Deletes, Gets, Updates
from planhat_async.repositories.upserts import Upserts

R = TypeVar("R", bound=Record)


class AllCalls(Gets[R], Creates[R], Updates[R], Deletes[R], Upserts[R]):
    """Reads, creates, changes and deletes records one by one, and upserts them in bulk."""
