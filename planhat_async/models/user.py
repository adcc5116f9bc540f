"""Users: the colleagues who work in Planhat."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from planhat_async.models.unfiltered_lists import UnfilteredLists
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.records.keys import EXTID
from planhat_async.repositories import AllCalls


@attrs.define(kw_only=True, repr=False)
class User(Record):
    """A user (`/users`, "Users" in Planhat's documentation).

    A bulk upsert matches users on `id`, then on `external_id`, then on `email`. To create one Planhat needs
    `nick_name`, `email`, `first_name` and `last_name`. A new user is inactive and cannot log in, unless `inactive`
    is sent as false.

    `roles` is written as ids, and may be answered as objects. A list answers 15 of these fields, unless others
    are selected. A user belongs to no company, and has no source id.

    The figures about companies and tasks, such as `arr`, `last_touch7` and `nr_open_tasks`, are known from other
    clients only; their descriptions here follow their names.
    """

    email: str | None = writable()
    """The e-mail address; needed to create a user."""
    nick_name: str | None = writable()
    """The displayed name; needed to create a user."""
    first_name: str | None = writable()
    """The user's first name; needed to create a user."""
    last_name: str | None = writable()
    """The user's last name; needed to create a user."""
    roles: list[Any] | None = writable()
    """The ids of the user's roles; an answer may hold objects instead."""
    external_id: str | None = writable()
    """The user's id in your own system."""
    inactive: bool | None = writable()
    """Whether the user cannot log in; true by default."""
    is_hidden: bool | None = writable()
    """Whether the user is hidden."""
    notifications_enabled: bool | None = writable()
    """Whether the user gets notifications; true by default."""
    created_at: datetime | None = writable()
    """When the user was created; Planhat's table of fields does not mark it as read-only."""
    tz_offset: float | None = writable()
    """The time zone's offset from UTC, in hours."""
    managers: list[str] | None = writable()
    """The ids of the user's managers, who are users too."""
    teams: list[str] | None = writable()
    """The ids of the user's teams."""
    is_exposed_as_sender_option: bool | None = writable()
    """Whether others may send e-mail in the user's name."""

    account_access: str | None = read_only()
    """The accounts that the user has access to, such as `all accounts`."""
    api_tokens: Any = read_only(is_secret=True)
    """API tokens of the user; in no repr."""
    arr: float | None = read_only()
    """Annual recurring revenue of the user's companies."""
    arr_avg: float | None = read_only()
    """The average annual recurring revenue of the user's companies."""
    collapsed_folders: list[Any] | None = read_only()
    """The folders that the user collapsed in the app."""
    company_filter: str | None = read_only()
    """The user's filter of companies in the app."""
    company_users_enabled_columns: list[Any] | None = read_only()
    """The columns that the user enabled for a company's users in the app."""
    compressed_view: bool | None = read_only()
    """Whether the app shows the user a compressed view."""
    create_at: datetime | None = read_only()
    """When Planhat created the user, in some answers."""
    create_date: datetime | None = read_only()
    """When Planhat created the user."""
    customer_count: float | None = read_only()
    """The number of the user's customers."""
    daily_digest: bool | None = read_only()
    """Whether the user gets a daily digest."""
    default_currency_id: str | None = read_only()
    """The id of the user's default currency."""
    default_meeting_length: int | None = read_only()
    """The default length of a meeting, in minutes."""
    expanded_folders: list[Any] | None = read_only()
    """The folders that the user expanded in the app."""
    follower_update: bool | None = read_only()
    """Whether the user gets updates as a follower."""
    health_avg: float | None = read_only()
    """The average health of the user's companies."""
    health_avg_round: float | None = read_only()
    """The same, rounded."""
    image: dict[str, Any] | None = read_only()
    """The user's picture; `path` is its location."""
    in_app_notifications: bool | None = read_only()
    """Whether the user gets notifications in the app."""
    last_active7: float | None = read_only()
    """The number of companies active in the last 7 days."""
    last_active30: float | None = read_only()
    """The number of companies active in the last 30 days."""
    last_active90: float | None = read_only()
    """The number of companies active in the last 90 days."""
    last_daily_digest: int | None = read_only()
    """When the last daily digest was sent; apparently in days since 1970-01-01."""
    last_touch7: float | None = read_only()
    """The number of companies contacted in the last 7 days."""
    last_touch30: float | None = read_only()
    """The number of companies contacted in the last 30 days."""
    last_touch90: float | None = read_only()
    """The number of companies contacted in the last 90 days."""
    last_visited_companies: list[Any] | None = read_only()
    """The companies that the user last visited in the app."""
    last_visited_endusers: list[Any] | None = read_only()
    """The end users that the user last visited in the app."""
    mrr: float | None = read_only()
    """Monthly recurring revenue of the user's companies."""
    mrr_avg: float | None = read_only()
    """The average monthly recurring revenue of the user's companies."""
    nps_avg: float | None = read_only()
    """The average NPS score of the user's companies."""
    nr_open_tasks: float | None = read_only()
    """The number of open tasks."""
    nr_over_due_tasks: float | None = read_only()
    """The number of overdue tasks."""
    nr_tasks_due7_days: float | None = read_only()
    """The number of tasks due within 7 days."""
    nr_tasks_due14_days: float | None = read_only()
    """The number of tasks due within 14 days."""
    nr_tasks_due30_days: float | None = read_only()
    """The number of tasks due within 30 days."""
    nr_tasks_due90_days: float | None = read_only()
    """The number of tasks due within 90 days."""
    paying_customer_count: float | None = read_only()
    """The number of the user's paying customers."""
    permissions: Any = read_only()
    """The user's permissions; a list or an object."""
    play_log_disabled: bool | None = read_only()
    """Whether the play log is disabled."""
    playlist_section: str | None = read_only()
    """The section of the playlist that the app shows, such as `all`."""
    poc: list[Any] | None = read_only()
    """A list that Planhat's example has, undocumented."""
    radar_one_line: bool | None = read_only()
    """Whether the radar shows one line for each company."""
    removed: bool | None = read_only()
    """Whether the user is removed."""
    rev_report_period_type: str | None = read_only()
    """The type of period in the revenue report, such as `past x days`."""
    revenue_share: float | None = read_only()
    """The user's share of all revenue."""
    shared_notifications_prefs: dict[str, Any] | None = read_only()
    """Preferences for notifications: lists under `enabled`, `disabled` and `disabledEvents`."""
    skipped_getting_started_steps: dict[str, Any] | None = read_only()
    """Whether the user skipped each of the first steps."""
    split_layout_disabled: bool | None = read_only()
    """Whether the split layout is disabled."""
    task_filter: Any = read_only()
    """The user's filter of tasks in the app; an object, or JSON as a text."""
    type: str | None = read_only()
    """The kind of user: `user`."""
    updated_at: datetime | None = read_only()
    """When Planhat last changed the user."""
    usage_report_columns_enabled: list[Any] | None = read_only()
    """The columns that the user enabled in the usage report."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""
    workflow_filter: str | None = read_only()
    """The user's filter of workflows in the app."""


class Users(UnfilteredLists[User], AllCalls[User]):
    """Users: `/users`. A list answers 15 fields of each, unless `select` names others."""

    model = Model(
        name="users",
        record=User,
        path="/users",
        limits=PageLimits(default=10_000, most=10_000),
        get_keys=(EXTID,),
        update_keys=(EXTID,),
        match=("id", "external_id", "email"),
        needs=(("nick_name",), ("email",), ("first_name",), ("last_name",)),
        company_field=None,
    )
