"""What Planhat documents of each model: its path, its page sizes, its keys, its fields."""

from __future__ import annotations

from attrs import frozen

from planhat_async.sandbox.store import TICKET_SHELF, Record


@frozen(eq=False)
class Model:
    """One of the three models, as its endpoint treats it.

    Attributes:
        path: The first segment of its URLs.
        collection: Where its records are kept; tickets are kept among the conversations.
        default_limit: Rows in a page when no `limit` is given.
        max_limit: Rows in the largest page.
        writable: The fields a caller may set; any other is dropped silently.
        times: Those of them that are times, so normalised.
        match_on: What a bulk upsert matches a row by, in turn: the field sent and the field it is stored in.
        source_key: The field in which its `sourceId`, unique in a model, is stored.
        shelves: Where the collection keeps what its lists show; all shelves if none is named.
        filters: The list parameters it knows besides the four that all lists share.
        hidden_on_write: Stored fields which the answers to create, update and delete leave out.
        list_methods: The methods of its path.
        record_methods: The methods of a record's path.
    """

    path: str
    collection: str
    default_limit: int
    max_limit: int
    writable: frozenset[str]
    times: frozenset[str]
    match_on: tuple[tuple[str, str], ...]
    source_key: str
    filters: frozenset[str]
    shelves: tuple[str, ...] = ()
    hidden_on_write: frozenset[str] = frozenset()
    list_methods: frozenset[str] = frozenset({"GET", "PUT", "POST"})
    record_methods: frozenset[str] = frozenset({"GET", "PUT", "DELETE"})

    def owns(self, record: Record) -> bool:
        """Whether the record is one of this model, not of another model in the same collection."""
        return self is TASKS or (record.get("type") == "ticket") == (self is TICKETS)

    def reaches(self, record: Record) -> bool:
        """Whether the model's endpoint shows the record: `/conversations` shows tickets too."""
        return self is not TICKETS or self.owns(record)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NOTES = Model(
    path="conversations",
    collection="conversations",
    default_limit=30,
    max_limit=2_000,
    writable=_words(
        "companyId companyExternalId subject description date activityTags users type endusers custom externalId "
        "sourceId"
    ),
    times=_words("date"),
    match_on=(("_id", "_id"),),
    source_key="sourceId",
    filters=_words("companyId"),
    hidden_on_write=_words("userIds hasMore isCustomType assigneeName hasAttachments isSeen"),
)

TASKS = Model(
    path="tasks",
    collection="tasks",
    default_limit=500,
    max_limit=10_000,
    writable=_words(
        "mainType companyId sourceId startTime endTime dateDone action description repeat repeatDays type ownerId "
        "ownerName doneBy noSpecificTime activityTags isArchived status checklist snippet custom"
    ),
    times=_words("startTime endTime dateDone"),
    match_on=(("_id", "_id"), ("sourceId", "sourceId")),
    source_key="sourceId",
    filters=_words("companyId enduserIds isArchived"),
    hidden_on_write=_words("children comments"),
)

TICKETS = Model(
    path="tickets",
    collection="conversations",
    default_limit=500,
    max_limit=10_000,
    writable=_words(
        "source companyId sourceId email domains companyExternalId title description url tags type severity product "
        "timeSpent status history name agentEmail custom"
    ),
    times=frozenset(),
    match_on=(("_id", "_id"), ("sourceId", "externalId")),
    source_key="externalId",
    filters=_words("companyId status email search"),
    shelves=(TICKET_SHELF,),
    list_methods=frozenset({"GET", "PUT"}),
    record_methods=frozenset({"DELETE"}),
)

MODELS = {model.path: model for model in (NOTES, TASKS, TICKETS)}
