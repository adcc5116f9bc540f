"""Tasks, and events: Planhat lists both together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

import attrs

from planhat_async.models.company_lists import BY_COMPANY, CompanyFilter
from planhat_async.records import (
    ArchivedFilter,
    ChecklistItem,
    IdFilter,
    Model,
    PageLimits,
    Person,
    Record,
    read_only,
    writable,
)
from planhat_async.records.keys import SRCID
from planhat_async.repositories import (
    AllCalls,
    ListingOptions,
    ListsUpdated,
    PageOptions,
    UpdatedSince,
    UpdatedSinceOptions,
)
from planhat_async.repositories.arrow_lists import ArrowBatch, ArrowTable, CustomColumns


@attrs.define(kw_only=True, repr=False)
class Task(Record):
    """A task or an event (`/tasks`, "Tasks" in Planhat's documentation).

    A bulk upsert matches tasks on `id`, then on `source_id`: give a `source_id` of your own and a task can be
    sent again without making two.
    """

    source_id: str | None = writable()
    """The task's id in the system it came from; unique among tasks."""
    main_type: str | None = writable()
    """`task` (Planhat's default) or `event`."""
    company_id: str | None = writable()
    """The company, by `_id`, `extid(...)` or `srcid(...)`."""
    action: str | None = writable()
    """The title."""
    description: str | None = writable()
    """The text, as HTML or plain."""
    start_time: datetime | None = writable()
    """When it is due, or an event begins."""
    end_time: datetime | None = writable()
    """When an event ends."""
    date_done: datetime | None = writable()
    """When it was done."""
    done_by: str | None = writable()
    """Who did it."""
    repeat: str | None = writable()
    """`daily`, `weekly`, `monthly`, `quarterly`, `yearly` or `custom`."""
    repeat_days: int | None = writable()
    """Days between two repeats; needed where `repeat` is `custom`."""
    type: str | None = writable()
    """The kind of task."""
    owner_id: str | None = writable()
    """The id of the user it belongs to."""
    owner_name: str | None = writable()
    """The owner's name; Planhat fills it in, and takes it where it is given."""
    no_specific_time: bool | None = writable()
    """Whether only the day of `start_time` counts; Planhat fills it in, and takes it where it is given."""
    activity_tags: list[str] | None = writable()
    """The ids of its activity tags."""
    is_archived: bool | None = writable()
    """Whether it is archived, as completed tasks are."""
    status: str | None = writable()
    """The status; stored unchecked, even where no such status is configured."""
    checklist: list[ChecklistItem] | None = writable()
    """Its steps."""
    snippet: str | None = writable()
    """The text's beginning, without markup."""

    children: list[Any] | None = read_only()
    """The tasks below it."""
    comments: list[Any] | None = read_only()
    """Comments on it."""
    company_name: str | None = read_only()
    """The company's name."""
    created_at: datetime | None = read_only()
    """When Planhat created it."""
    endusers: list[Person] | None = read_only()
    """The end users it concerns."""
    overdue_notified: bool | None = read_only()
    """Whether Planhat has notified people that it is overdue."""
    parent: str | None = read_only()
    """The id of the task above it."""
    shared: bool | None = read_only()
    """Whether it is shared."""
    sort_position: float | None = read_only()
    """Its position among its siblings."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed it."""
    user_email: str | None = read_only()
    """The e-mail address of the user who made it."""
    users: list[Person] | None = read_only()
    """The colleagues it concerns."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""
    workflow_id: str | None = read_only()
    """The workflow it belongs to."""
    workflow_name: str | None = read_only()
    """That workflow's name."""
    workflow_step_id: str | None = read_only()
    """Its step of that workflow."""
    workflow_task_id: str | None = read_only()
    """Its task in the workflow's template."""
    workflow_template_id: str | None = read_only()
    """That workflow's template."""


class TaskFilters(CompanyFilter, total=False):
    """The filters of every list of tasks."""

    enduser_ids: str | Iterable[str] | None
    """Only tasks that concern these end users, by `_id`, `extid("…")` or `srcid("…")`.

    More ids than a URL holds must each be an `_id`: they are read as several lists, and a task that is in two of them
    is recognised by the `_id`s of its end users, the only keys of theirs that it holds.
    """
    archived: bool | None
    """`False` only open tasks, `True` only archived (completed) ones; `None`, the default, first those, then these.

    Planhat has a list for each: a task that is archived while both are read may come twice, one that is reopened
    not at all. A single `page` holds open tasks by default.
    """


class TaskPageOptions(PageOptions, TaskFilters, total=False):
    """The options of a page of tasks."""


class TaskListingOptions(ListingOptions, TaskFilters, total=False):
    """The options of listings of tasks."""


class TaskUpdateOptions(UpdatedSinceOptions, TaskFilters, total=False):
    """The options of a walk over the changed tasks."""


class Tasks(ListsUpdated[Task], AllCalls[Task]):
    """Tasks and events: `/tasks`.

    A listing yields open tasks, then archived ones: Planhat has a list for each. A task that is archived meanwhile may
    come twice, and one that is reopened not at all. `archived=False` or `True` reads a single list.
    """

    model: Model = Model(
        name="tasks",
        record=Task,
        path="/tasks",
        limits=PageLimits(default=500, most=10_000),
        filters=(
            BY_COMPANY,
            IdFilter(option="enduser_ids", wire="enduserIds", field="endusers", is_list=True),
            ArchivedFilter(),
        ),
        get_keys=(SRCID,),
        update_keys=(SRCID,),
        match=("id", "source_id"),
        needs=(("company_id",),),
        needs_with=(("repeat", "custom", "repeat_days"),),
    )

    if TYPE_CHECKING:  # the same methods, with this model's options

        async def page(
            self, *, offset: int = 0, limit: int | None = None, **options: Unpack[TaskPageOptions]
        ) -> list[Task]: ...
        def iter(self, **options: Unpack[TaskListingOptions]) -> AsyncGenerator[Task, None]: ...
        def iter_json(self, **options: Unpack[TaskListingOptions]) -> AsyncGenerator[bytes, None]: ...
        def arrow_batches(
            self, *, batch_rows: int = 10_000, custom: CustomColumns = None, **options: Unpack[TaskListingOptions]
        ) -> AsyncGenerator[ArrowBatch, None]: ...
        async def to_arrow(
            self, *, custom: CustomColumns = None, **options: Unpack[TaskListingOptions]
        ) -> ArrowTable: ...
        def pages(self, **options: Unpack[TaskListingOptions]) -> AsyncGenerator[list[Task], None]: ...
        async def all(self, **options: Unpack[TaskListingOptions]) -> list[Task]: ...
        def iter_updated_since(
            self, since: datetime, *, margin: float = 300.0, **options: Unpack[TaskUpdateOptions]
        ) -> UpdatedSince[Task]: ...
        def iter_json_updated_since(
            self, since: datetime, *, margin: float = 300.0, **options: Unpack[TaskUpdateOptions]
        ) -> UpdatedSince[bytes]: ...
