"""Tasks, and events: Planhat lists both together."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import attrs

from planhat_async.models.parts import ChecklistItem, Person
from planhat_async.models.record import Record, read_only, writable


@attrs.define(kw_only=True, repr=False)
class Task(Record):
    """A task or an event (`/tasks`, "Tasks" in Planhat's documentation).

    A bulk upsert matches tasks on `id`, then on `source_id`: give a `source_id` of your own and a task can be
    sent again without making two.
    """

    KEYABLES: ClassVar[tuple[str, ...]] = ("id", "source_id")
    NEEDED_TO_CREATE: ClassVar[tuple[tuple[str, ...], ...]] = (("company_id",),)
    NEEDED_WITH: ClassVar[tuple[tuple[str, str, str], ...]] = (("repeat", "custom", "repeat_days"),)

    source_id: str | None = writable("The task's id in the system it came from; unique among tasks.")
    main_type: str | None = writable("`task` (Planhat's default) or `event`.")
    company_id: str | None = writable("The company, by `_id`, `extid(...)` or `srcid(...)`.")
    action: str | None = writable("The title.")
    description: str | None = writable("The text, as HTML or plain.")
    start_time: datetime | None = writable("When it is due, or an event begins.")
    end_time: datetime | None = writable("When an event ends.")
    date_done: datetime | None = writable("When it was done.")
    done_by: str | None = writable("Who did it.")
    repeat: str | None = writable("`daily`, `weekly`, `monthly`, `quarterly`, `yearly` or `custom`.")
    repeat_days: int | None = writable("Days between two repeats; needed where `repeat` is `custom`.")
    type: str | None = writable("The kind of task.")
    owner_id: str | None = writable("The id of the user it belongs to.")
    owner_name: str | None = writable("The owner's name; Planhat fills it in, and takes it where it is given.")
    no_specific_time: bool | None = writable(
        "Whether only the day of `start_time` counts; Planhat fills it in, and takes it where it is given."
    )
    activity_tags: list[str] | None = writable("The ids of its activity tags.")
    is_archived: bool | None = writable("Whether it is archived, as completed tasks are.")
    status: str | None = writable("The status; stored unchecked, even where no such status is configured.")
    checklist: list[ChecklistItem] | None = writable("Its steps.")
    snippet: str | None = writable("The text's beginning, without markup.")

    children: list[Any] | None = read_only("The tasks below it.")
    comments: list[Any] | None = read_only("Comments on it.")
    company_name: str | None = read_only("The company's name.")
    created_at: datetime | None = read_only("When Planhat created it.")
    endusers: list[Person] | None = read_only("The customer's people it concerns.")
    overdue_notified: bool | None = read_only("Whether somebody was told that it is overdue.")
    parent: str | None = read_only("The id of the task above it.")
    shared: bool | None = read_only("Whether it is shared.")
    sort_position: float | None = read_only("Its place among its siblings.")
    updated_at: datetime | None = read_only("When Planhat last changed it.")
    user_email: str | None = read_only("The e-mail address of the user who made it.")
    users: list[Person] | None = read_only("The colleagues it concerns.")
    version: int | None = read_only("The document's version key in Planhat's database.")
    workflow_id: str | None = read_only("The workflow it belongs to.")
    workflow_name: str | None = read_only("That workflow's name.")
    workflow_step_id: str | None = read_only("Its step of that workflow.")
    workflow_task_id: str | None = read_only("Its task in the workflow's template.")
    workflow_template_id: str | None = read_only("That workflow's template.")
