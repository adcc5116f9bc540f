"""The switches for behaviour of Planhat that is unknown."""

from __future__ import annotations

from attrs import frozen


@frozen
class Choices:
    """How the sandbox behaves where Planhat's behaviour is unknown; a client must work with any of them.

    The docstring of `planhat_async.sandbox` lists these beside the choices that have no switch.
    """

    newest_first: bool = True
    """Without `sort` the newest record comes first, as in documented lists of notes and tickets; else the oldest."""
    rejected_body_applies_rest: bool = False
    """A bulk body that is refused for a repeated key is stored without the rows blamed; otherwise not at all."""
    errors_name_key: bool = True
    """An element of an error list names its row's key, `{"sourceId": "7", "error": "..."}`.

    Otherwise it names the field only, `{"el": "companyId", "error": "..."}`.
    """
    errors_are_texts: bool = False
    """An element of an error list is plain text, and names nothing else."""
    upserts_have_counts: bool = True
    """The answer to a bulk upsert has `created`, `updated` and `nonupdates`, except for tickets; else only lists."""
    tickets_need_email_to_update: bool = False
    """A row without `email` is dropped silently even if it matches a ticket; otherwise only if it would create one."""
    tickets_show_sent_fields: bool = True
    """A ticket comes back with the `sourceId`, `title` and `description` that were sent.

    Otherwise it has only the `externalId`, `subject` and `snippet` derived from them.
    """
    tickets_count_unchanged: bool = False
    """The `updated` of a bulk upsert of tickets counts rows that changed nothing; otherwise nothing counts them."""
    archived_only: bool = True
    """`isArchived=true` lists archived tasks only. Otherwise it lists the open ones as well."""
    undocumented_keys_match: bool = False
    """A bulk upsert matches on the keys of which nothing documents whether it does: a churn's `sourceId`, say."""
    undocumented_answers_are_empty: bool = False
    """A creation, update or deletion whose answer is not documented is answered without a body.

    Otherwise with the record, a deletion with a count.
    """
    tables_are_right: bool = False
    """A new record needs the fields that only the field tables call required, a license's `fromDate`, say."""
    conversations_need_type: bool = True
    """A new conversation needs a `type`, as the page on notes has it; otherwise it is a note without one."""
    live_names: bool = False
    """An NPS answer has the names seen live, `nps npsComment npsDate`; otherwise `score comment dateAnswered`."""
    metrics_are_counted: bool = True
    """The answer to metrics is `{"processed": ..., "errors": [...]}`; otherwise a bare 200."""
    retry_after: bool = False
    """A 429 carries `Retry-After`, in whole seconds."""
    limit_headers: bool = True
    """Every answer carries `X-Rate-Limit-Limit` and `X-Rate-Limit-Remaining`."""


DEFAULT = Choices()
