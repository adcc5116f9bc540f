"""Planhat on loopback: a real HTTP server in this process, for tests, benchmarks and demonstrations.

`Sandbox` is the server; `MemorySandbox` has the same rules without a socket, for clocks that jump. The faults that they
apply to calls on request are described in `planhat_async.sandbox.faults`; `planhat_async.sandbox.models` declares the
models.

It does what Planhat's documentation says of every model. Where that says nothing, or contradicts itself, it does this:

==============================================  ==========================================  ============================
Unknown of Planhat                              The sandbox                                 Switch in `Choices`
==============================================  ==========================================  ============================
Lists
what a `limit` above the maximum does           gives the maximum
`limit=0`; one that is not a whole number       an empty page; 400
the default order                               the newest `_id` first, as documented lists  `newest_first`
                                                show it
what `sort` does with missing values and ties   missing first, ties by `_id`, MongoDB's
                                                order of types; `custom.X` names a custom
                                                field, here and in `select`
whether `select` leaves out the `_id`           never
whether `isArchived=true` lists open tasks too  no                                          `archived_only`
whether `/conversations` lists tickets too      yes, and conversations of any other type
which fields a list shows                       all that are stored, of users and lean
                                                companies the documented ones
several ids in a `companyId` that is            are one id, which no company has
documented with one
limits of deals, line items, products and       100 and 2,000
workflows
whether lean companies can be sorted, and       yes; another `select` shows other fields of
have a `select`                                 the companies
which age `npsExpiryDay` means                  that of `dateAnswered`; without it an answer
                                                is listed
whether `from` and `to` of churn include their  yes; a churn without `churnDate` is not
day                                             listed
which churn is a downgrade                      that with `isChurn` false
Keys
which keys GET and PUT take                     of notes and tasks `_id`, `extid-…` and
                                                `srcid-…`, of others those documented
which keys DELETE takes                         the `_id` only
`extid-…`, a domain or an address that several  the one stored first; `extid-…` of a
records have                                    conversation: never a ticket
a `sourceId` that another record has            refused; so is an `externalId` that another
                                                record of the company has
whether `sourceId` or `externalId` of churn,    no                                          `undocumented_keys_match`
conversations, deals, line items and products
match in a bulk upsert
a whole number as `externalId`                  becomes text
Writes
values of the wrong type                        stored, but for keys, companies, `custom`,
                                                `domains` and `type`; an invalid time is
                                                stored as it came
companies                                       any is accepted until one is registered,
                                                then an unknown one is refused
which domain names a ticket's company           the first registered one
an end user that maps to no company             is refused, dropped from a bulk upsert; any is
                                                accepted until a company is registered
whether an end user whose address changes gets  no
another company
`extid-…` and `srcid-…` as the company of NPS   refused
answers, time entries and deals
fields that only the field tables require       are not needed                              `tables_are_right`
a conversation without a `type`                 is refused, as a note is                    `conversations_need_type`
a conversation of an unknown type               has a custom type
a new conversation of type `email`, `chat` or   is refused
`call`
a day that is not a whole number                refused
the names of an NPS answer                      those that are documented                   `live_names`
the end user of an NPS answer                   the registered one of its `email`, with the
                                                company
the `_id`s of an invoice's line items           are made from what is in them
what only a server knows: an invoice's number   is missing
and amounts, a license's length
yearly revenue of deals, line items and         is twelve times the monthly one that is sent
products
answers to single writes that have no example   the record; a deletion is counted           `undocumented_answers_are_
                                                                                            empty`
users and end users                             any is stored as it was sent; a registered
                                                one gets its name, an owner too
a ticket sent through `/conversations`          is one by its `type`, has the fields of
                                                both, and needs what a conversation needs
`"custom.NAME": value` in a body                sets that one custom field
a ticket's end user                             the registered one of its `email`
a note's `externalId` and `sourceId`            may be set
`isArchived` of a completed task                as it was sent
a ticket's `history`                            replaced as a whole; the times of its first
                                                and last entries are the ticket's
whether a ticket shows the fields it was sent   yes                                         `tickets_show_sent_fields`
Bulk upserts
a row whose `_id` matches nothing               is matched by `sourceId`, else refused
a row without `email` of a ticket that is       changes it                                  `tickets_need_email_to_
there                                                                                       update`
more than 5,000 rows                            400, nothing stored
a body in which every row lacks a field         400
the answer to `POST /timeentries/duplicate`     that of a bulk upsert; an unknown `_id` is
                                                an error in it
the rows that a 400 does not blame              not stored                                  `rejected_body_applies_rest`
which rows a repeated key is blamed on          all that have it
what an error element names                     the row's first key                         `errors_name_key`
whether an error element is plain text          no                                          `errors_are_texts`
whether the counts come                         yes                                         `upserts_have_counts`
whether a ticket's row that changes nothing     no                                          `tickets_count_unchanged`
counts as updated
Analytics
whether the answer to metrics counts them       yes                                         `metrics_are_counted`
a tenant UUID that is wrong                     401
a metric for the same record and time           stored beside the other
external ids of metrics                         any is accepted until a company or an end
                                                user is registered, then an unknown one is a
                                                failed metric; those of assets and projects
                                                always are accepted
the list of metrics                             2,000 by default, at most 10,000; the oldest
                                                `_id` first; `from` and `to` are inclusive;
                                                sorts by `_id` only, and ignores `select`
Limits
whether refused requests count                  no
whether `Retry-After` comes with a 429          no                                          `retry_after`
whether `X-Rate-Limit-…` headers come           yes                                         `limit_headers`
what `X-Rate-Limit-Remaining` counts            the places left in the minute; without a
                                                limit a minute there is no such header
the largest body                                32,000,000 bytes, then 413
==============================================  ==========================================  ============================
"""

from planhat_async.sandbox.choices import Choices
from planhat_async.sandbox.faults import Fault
from planhat_async.sandbox.memory import MemorySandbox
from planhat_async.sandbox.messages import LoggedRequest
from planhat_async.sandbox.models import Company, EndUser, User
from planhat_async.sandbox.server import Sandbox
from planhat_async.sandbox.state import Snapshot

__all__ = ["Choices", "Company", "EndUser", "Fault", "LoggedRequest", "MemorySandbox", "Sandbox", "Snapshot", "User"]
