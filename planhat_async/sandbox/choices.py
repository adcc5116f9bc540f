"""The switches for what nobody outside Planhat knows."""

from __future__ import annotations

from attrs import frozen


@frozen
class Choices:
    """How the sandbox behaves where Planhat's behaviour is unknown; a client must be right whichever way each is set.

    The docstring of `planhat_async.sandbox` lists these beside the choices that have no switch.

    Attributes:
        newest_first: A list that names no `sort` shows the newest record first, as every documented list of notes and
            tickets does. Otherwise the oldest.
        rejected_body_applies_rest: A bulk body answered with 400 for a repeated key is stored all the same, without the
            rows it blames. Otherwise nothing of it is stored.
        errors_name_key: An element of an error list names its row's key, `{"sourceId": "7", "error": "..."}`.
            Otherwise it names the field only, `{"el": "companyId", "error": "..."}`.
        errors_are_texts: An element of an error list is plain text, and names nothing else.
        upserts_have_counts: A bulk upsert of notes or tasks is answered with `created`, `updated` and `nonupdates`.
            Otherwise only its lists count.
        tickets_need_email_to_update: A row without `email` is dropped silently even where it names a ticket that is
            there. Otherwise only where it would create one.
        tickets_show_sent_fields: A ticket comes back with the `sourceId`, `title` and `description` it was sent with.
            Otherwise only with the `externalId`, `subject` and `snippet` made of them.
        tickets_count_unchanged: `updated`, as a bulk upsert of tickets answers it, counts rows that changed nothing.
            Otherwise those rows are counted nowhere.
        archived_only: `isArchived=true` lists archived tasks only. Otherwise it lists the open ones as well.
        retry_after: A 429 carries `Retry-After`, in whole seconds.
        limit_headers: Every answer carries `X-Rate-Limit-Limit` and `X-Rate-Limit-Remaining`.
    """

    newest_first: bool = True
    rejected_body_applies_rest: bool = False
    errors_name_key: bool = True
    errors_are_texts: bool = False
    upserts_have_counts: bool = True
    tickets_need_email_to_update: bool = False
    tickets_show_sent_fields: bool = True
    tickets_count_unchanged: bool = False
    archived_only: bool = True
    retry_after: bool = False
    limit_headers: bool = True


DEFAULT = Choices()
