"""Answers to NPS surveys."""

from __future__ import annotations

from datetime import datetime

import attrs

from planhat_async.records import Record, read_only, writable


@attrs.define(kw_only=True, repr=False)
class NpsAnswer(Record):
    """An answer to an NPS survey (`/nps`, "NPS" in Planhat's documentation).

    A bulk upsert matches answers on `id`, then on `source_id`; there is no external id. A row that matches none needs
    an `email` and a `score`: the address names the end user, who need not be given by an id.

    Lists may use other names than writes: `nps`, `nps_comment` and `nps_date` for `score`, `comment` and
    `date_answered`. Both are here: write the first, read either.
    """

    company_id: str | None = writable(wire="cId")
    """The company, by `_id`."""
    email: str | None = writable()
    """The end user's address; needed to create one."""
    campaign_id: str | None = writable()
    """The id of the campaign it belongs to."""
    score: int | None = writable()
    """The score, from 0 to 10; needed to create one."""
    comment: str | None = writable()
    """The end user's comment."""
    source_id: str | None = writable()
    """The answer's id in the system it came from; unique among answers."""
    date_sent: datetime | None = writable()
    """When the survey was sent."""
    date_answered: datetime | None = writable()
    """When the end user answered."""
    source: str | None = writable()
    """The tool that collected the answer."""

    enduser_id: str | None = read_only(wire="euId")
    """The id of the end user."""
    nps: int | None = read_only()
    """The score, in lists."""
    nps_comment: str | None = read_only()
    """The comment, in lists."""
    nps_date: datetime | None = read_only()
    """When the end user answered, in lists."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""
