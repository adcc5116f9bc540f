"""`httpx` and `pydantic`, page by page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from benchmarks.reading.readers import PAGE_SIZE, TOKEN, page_params


class Person(BaseModel):
    """A user or an end user."""

    id: str
    name: str | None = None


class Task(BaseModel):
    """The fields of a task that most programs use."""

    model_config = ConfigDict(alias_generator=to_camel)

    id: str = Field(alias="_id")
    main_type: str | None = None
    action: str | None = None
    description: str | None = None
    status: str | None = None
    type: str | None = None
    company_id: str | None = None
    company_name: str | None = None
    owner_id: str | None = None
    owner_name: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    date_done: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    is_archived: bool = False
    source_id: str | None = None
    activity_tags: list[str] = []
    users: list[Person] = []
    endusers: list[Person] = []
    custom: dict[str, Any] = {}


TASKS = TypeAdapter(list[Task])


async def read(url: str, n_rows: int) -> int:  # noqa: ARG001 - it finds the end itself
    """Read all tasks as models, one page at a time, until one is not full."""
    n_seen = 0
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        while True:
            response = await client.get("/tasks", params=page_params(n_seen))
            page = TASKS.validate_json(response.raise_for_status().content)
            for task in page:
                n_seen += bool(task.id)
            if len(page) < PAGE_SIZE:
                return n_seen
