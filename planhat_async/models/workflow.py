"""Workflows, which run from a template."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.unfiltered_lists import UnfilteredLists
from planhat_async.records import UNKNOWN_LIMITS, Model, Record, read_only


@attrs.define(kw_only=True, repr=False)
class Workflow(Record):
    """A workflow (`/workflows`).

    No documentation of Planhat's names this path: the list and its fields are known from one other client only, the
    meanings here follow their names, and a token may be refused. Nothing here may be written.
    """

    actual_days: float | None = read_only()
    """The days it has taken."""
    archive_date: datetime | None = read_only()
    """When it was archived."""
    bounce_rate: float | None = read_only()
    """The share of its e-mails that bounced."""
    click_rate: float | None = read_only()
    """The share of its e-mails in which a link was clicked."""
    company_id: str | None = read_only()
    """The id of the company."""
    company_name: str | None = read_only()
    """The company's name."""
    created_at: datetime | None = read_only()
    """When Planhat created it."""
    end_user_email: str | None = read_only()
    """The e-mail address of the end user it concerns."""
    expected_days: float | None = read_only()
    """The days it is expected to take."""
    expected_end_date: datetime | None = read_only()
    """When it is expected to end."""
    is_archived: bool | None = read_only()
    """Whether it is archived."""
    name: str | None = read_only()
    """The workflow's name."""
    next_start_time: datetime | None = read_only()
    """When it, or its next step, begins; undocumented."""
    open_rate: float | None = read_only()
    """The share of its e-mails that were opened."""
    owner: str | None = read_only()
    """The id of the user it belongs to."""
    percent_done: float | None = read_only()
    """How much of it is done, in percent."""
    reply_rate: float | None = read_only()
    """The share of its e-mails that were answered."""
    start_date: datetime | None = read_only()
    """When it began."""
    status: str | None = read_only()
    """The status."""
    target_id: str | None = read_only()
    """The id of the record it runs for."""
    target_model: str | None = read_only()
    """The model of that record."""
    target_name: str | None = read_only()
    """The name of that record."""
    template_id: Any = read_only()
    """The template it runs from; the other client reads an object."""
    type: str | None = read_only()
    """The kind of workflow."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class Workflows(UnfilteredLists[Workflow]):
    """Workflows: `/workflows`. Only the list is known, from another client."""

    model: Model = Model(
        name="workflows",
        record=Workflow,
        path="/workflows",
        limits=UNKNOWN_LIMITS,
    )
