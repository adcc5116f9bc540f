"""The declaration of a model: plain values, and functions where something is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from attrs import Factory, field, frozen

from planhat_async.sandbox.models.list_filters import Filter
from planhat_async.sandbox.store import Record

Find: TypeAlias = Callable[[str, str, object], Record | None]
"""Finds a record, given the name of its model, a field and the value of that field."""
Inference: TypeAlias = Callable[[Record, Find], Record]
"""The fields that follow from those written and from the records that they name."""

KEY_FIELDS = {"extid": "externalId", "srcid": "sourceId"}
"""The field that each kind of prefixed key, `extid-…` and `srcid-…`, is a value of."""
ANY_KEY = ("_id", *KEY_FIELDS)
"""The kinds of key."""

UNKNOWN_DEFAULT_LIMIT = 100
"""The rows of a page without a `limit` where it is unknown: the default of most models."""
UNKNOWN_MAX_LIMIT = 2_000
"""The rows of the largest page where it is unknown: the maximum of most models."""


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


@frozen(kw_only=True)
class CompanyReference:
    """How a record names its company."""

    fields: tuple[tuple[str, str], ...] = (("companyId", "_id"),)
    """The fields that may name it, each with the field of a company that it matches; the first one with a value counts.

    The first field matches `_id`, and stores it.
    """
    key_kinds: tuple[str, ...] = ANY_KEY
    """The kinds of key that the first field accepts."""
    name_field: str | None = "companyName"
    """The field that shows the name of the company."""
    is_list: bool = False
    """Whether the first field is a list of companies."""
    address_field: str | None = None
    """The field with an e-mail address: its domain finds the company of a new record that names none.

    A new record without a company is then refused, and such a row of a bulk upsert is dropped silently.
    """

    @property
    def key(self) -> str:
        """The field in which the company's `_id` is stored."""
        return self.fields[0][0]


@frozen(kw_only=True, eq=False)
class Rules:
    """How the sandbox treats the records of one model. `planhat_async.sandbox.models` lists all models."""

    name: str
    """The plural, its name in `records`, `add` and `load`."""
    path: str | None = None
    """The first segment of its URLs; `None` if it has none."""

    # Storage

    collection: str = Factory(lambda self: self.name, takes_self=True)
    """The model in whose collection its records are stored: its own, or one that it shares with others."""
    indexes: tuple[str, ...] = ("sourceId", "externalId")
    """The fields by which the records of its own collection are found; each text in a list is a value."""
    partition_of: Callable[[Record], str] = lambda _: "all"
    """The partition of its own collection that a record belongs to: lists read whole partitions."""
    partitions: tuple[str, ...] = ()
    """The partitions of the collection that hold its records; an empty tuple means all, here and below."""
    key_partitions: tuple[str, ...] = Factory(lambda self: self.partitions, takes_self=True)
    """Those in which a `sourceId` or an `externalId` is looked up."""
    visible_partitions: tuple[str, ...] = Factory(lambda self: self.partitions, takes_self=True)
    """Those that its path shows."""
    is_replaceable: bool = False
    """Whether `add` replaces the record that has the same `_id`."""
    filled_in: Mapping[str, Any] = field(factory=dict)
    """The fields that `add` fills in where they are missing."""

    # Calls

    default_limit: int = 100
    """Rows in a page without a `limit`."""
    max_limit: int = 2_000
    """Rows in the largest page."""
    is_paged: bool = True
    """Whether its list has pages; otherwise it ignores `limit` and `offset`, and answers everything."""
    filters: tuple[Filter, ...] = ()
    """The parameters of its list besides the four that all lists have."""
    listed_fields: tuple[str, ...] = ()
    """The fields that its list shows without a `select`; an empty tuple means all."""
    get_keys: tuple[str, ...] = ANY_KEY
    """The kinds of key that `GET path/key` takes; without any the call does not exist, here and below."""
    update_keys: tuple[str, ...] = ANY_KEY
    """Those of `PUT path/key`."""
    delete_keys: tuple[str, ...] = ("_id",)
    """Those of `DELETE path/key`."""
    is_creatable: bool = True
    """Whether there is `POST path`."""
    key_fields: Mapping[str, str] = field(factory=lambda: KEY_FIELDS)
    """The field that each kind of prefixed key is a value of."""
    match: tuple[tuple[str, str], ...] = (("_id", "_id"),)
    """The keys that a bulk upsert matches in turn: the field sent, the field stored."""
    maybe_match: tuple[tuple[str, str], ...] = ()
    """Those that may match too, after these; nothing documents whether they do."""
    duplicate_path: str | None = None
    """The word in `POST path/word`, which copies the records of `{"ids": [...]}`."""

    # Writes

    writable: frozenset[str] = frozenset()
    """The fields that a caller may set; any other is dropped silently."""
    times: frozenset[str] = frozenset()
    """Those of them that are times."""
    company: CompanyReference | None = CompanyReference()
    """How a record names its company; `None` if it has none."""
    texts: tuple[str, ...] = Factory(lambda self: self._keys(), takes_self=True)
    """The fields that must be text, besides the `_id`, in the order in which they are examined; the keys by default."""
    texts_of_numbers: frozenset[str] = words("externalId extId")
    """The fields in which a whole number is stored as text."""
    integers: tuple[str, ...] = ()
    """The fields that must be whole numbers."""
    lists: tuple[str, ...] = ()
    """The fields that must be arrays."""
    unique: tuple[tuple[str, str], ...] = (("sourceId", "sourceId"),)
    """The keys that only one record of the model may have: the field sent, the field stored."""
    unique_in_company: tuple[str, ...] = ()
    """The keys that only one record of a company may have; of the model, where records have no company."""
    needs: tuple[tuple[str, ...], ...] = ()
    """A new record needs one field of each group. An answer names the first of a group.

    Any field that names the company will do for the one in which its `_id` is stored.
    """
    bulk_needs: tuple[tuple[str, ...], ...] | None = None
    """The same for a row of a bulk upsert that creates a record; `None` if it needs the same."""
    disputed_needs: Mapping[str, tuple[tuple[str, ...], ...]] = field(factory=dict)
    """Groups that are needed besides, each only if the switch of that name in `Choices` is on."""
    refused: Mapping[str, frozenset[str]] = field(factory=dict)
    """The values that a field of a new record must not have."""
    needs_with: tuple[tuple[str, object, str, type], ...] = ()
    """`(field, value, other, type)`: a new record whose `field` has that value needs an `other` of that type."""
    dropped_without: tuple[str, ...] = ()
    """A row of a bulk upsert without these that would create a record is dropped silently."""
    infer: tuple[Inference, ...] = ()
    """The fields that follow from the records that a record names."""
    derive: Callable[[Record], Record] = lambda _: {}
    """The fields that are computed from those sent."""
    compute: Callable[[Record], Record] | None = None
    """The fields that are computed from the whole record."""
    live_names: Mapping[str, str] = field(factory=dict)
    """The names that live records have for fields whose documented names are different."""
    sent_only: frozenset[str] = frozenset()
    """Fields that come back under other names; whether also under these is unknown."""
    defaults: Mapping[str, Any] = field(factory=dict)
    """The fields of a new record that were not sent."""
    dated: Callable[[datetime], Record] = lambda _: {}
    """Those of them that depend on the time of creation."""
    touches: str | None = None
    """The field that holds the time of the last change."""
    variants: Mapping[str, Rules] = field(factory=dict)
    """The rules of records of this path whose `type` has that value."""

    # Answers

    is_itemised: bool = True
    """Whether a bulk upsert is answered in full; otherwise with two counts, and the errors there are."""
    has_validation_errors: bool = False
    """Whether that answer has a list of `validationErrors`."""
    identity: tuple[str, ...] = ("_id", "sourceId", "externalId")
    """The fields by which that answer names a record."""
    hidden_on_write: frozenset[str] = frozenset()
    """Stored fields that the answers to create, update and delete leave out."""
    created_answer: Inference = lambda record, _: record
    """The answer to a creation, given the record: some fields are only there."""
    counts_deletions: bool = True
    """Whether a deletion is answered with a count; otherwise with the record."""
    undocumented: frozenset[str] = words("delete")
    """Which of `create`, `update` and `delete` have an answer that is not documented."""

    def _keys(self) -> tuple[str, ...]:
        company = () if self.company is None or self.company.is_list else (self.company.key,)
        return tuple(name for name in (*company, *self.indexes) if name in self.writable)

    def key_text(self, name: str, value: object) -> object:
        """The value of a key as it is stored."""
        # A bool is an int too, but no key.
        return str(value) if type(value) is int and name in self.texts_of_numbers else value

    def variant(self, row: Record, stored: Record | None = None) -> Rules:
        """The rules of a row: those of the variant that its `type`, or that of the stored record, names."""
        if not self.variants:
            return self
        value = row.get("type") or (stored or row).get("type")
        return self.variants.get(value, self) if isinstance(value, str) else self
