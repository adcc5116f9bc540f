"""What can be done with a model's records: a capability a class, of which each model's repository is made."""

from planhat_async.repositories.all_calls import AllCalls
from planhat_async.repositories.key_lookup import AmbiguousKeyError, KeyLookup
from planhat_async.repositories.lists import Lists
from planhat_async.repositories.options import ListingOptions, PageOptions, WholeListOptions
from planhat_async.repositories.repository import Repository
from planhat_async.repositories.single_calls import Creates, Deletes, Gets, Updates
from planhat_async.repositories.update_walk import UpdatedSince
from planhat_async.repositories.updated_since import ListsUpdated, UpdatedSinceOptions
from planhat_async.repositories.upserts import UpsertOptions, Upserts
from planhat_async.repositories.whole_lists import WholeLists

__all__ = [
    "AllCalls",
    "AmbiguousKeyError",
    "Creates",
    "Deletes",
    "Gets",
    "KeyLookup",
    "ListingOptions",
    "Lists",
    "ListsUpdated",
    "PageOptions",
    "Repository",
    "UpdatedSince",
    "UpdatedSinceOptions",
    "Updates",
    "UpsertOptions",
    "Upserts",
    "WholeListOptions",
    "WholeLists",
]
