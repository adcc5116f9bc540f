"""A FastAPI service: one session for all requests, and a webhook that Planhat calls when a task changes.

    pip install fastapi uvicorn planhat-async
    export PLANHAT_API_TOKEN=… PLANHAT_WEBHOOK_SECRET=…
    uvicorn webhook_service:app

In Planhat, let the webhook send the header `X-Webhook-Secret` with the same secret, and a body with the task's `_id`.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request

from planhat_async import NotFoundError, PlanhatError, Session, Task, Tasks, extid

logger = logging.getLogger("webhook_service")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open one session for the life of the service: one pool of connections, one rate limit."""
    app.state.secret = os.environ["PLANHAT_WEBHOOK_SECRET"].strip()
    if not app.state.secret:
        raise RuntimeError("PLANHAT_WEBHOOK_SECRET is empty")
    async with Session() as session:
        app.state.tasks = Tasks(session)
        yield


app = FastAPI(lifespan=lifespan)


def tasks_of(request: Request) -> Tasks:
    """The repository of tasks, which all requests share."""
    tasks: Tasks = request.app.state.tasks
    return tasks


def check_secret(request: Request, x_webhook_secret: Annotated[str, Header()] = "") -> None:
    """Refuse a call that does not know the secret; the comparison takes the same time for any wrong one."""
    expected: str = request.app.state.secret
    if not hmac.compare_digest(x_webhook_secret.encode(), expected.encode()):
        raise HTTPException(401, "wrong or missing X-Webhook-Secret")


@app.post("/webhooks/task", dependencies=[Depends(check_secret)])
async def task_changed(body: dict[str, Any], tasks: Annotated[Tasks, Depends(tasks_of)]) -> dict[str, str]:
    """Handle a change: the call is a hint, and the task is read anew.

    A webhook may arrive twice, late, or after the next change, so nothing but the `_id` is taken from its body.
    """
    task_id = body.get("_id")
    if not isinstance(task_id, str):
        raise HTTPException(422, "the body has no _id")
    try:
        task = await tasks.get(task_id)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    except NotFoundError:
        return {"outcome": "gone"}
    except PlanhatError as error:
        logger.warning("task %s could not be read: %s", task_id, error)
        raise HTTPException(503, "Planhat could not be read; send it again") from None
    return {"outcome": await handle(task)}


async def handle(task: Task) -> str:
    """Act on a task; put your own code here."""
    logger.info("task %s: %s", task.id, task.status)
    return task.status or "no status"


@app.get("/companies/{external_id}/tasks")
async def open_tasks(external_id: str, tasks: Annotated[Tasks, Depends(tasks_of)]) -> list[dict[str, Any]]:
    """The open tasks of a company, for a page of your own."""
    found = await tasks.all(company_id=extid(external_id), archived=False, select=["action", "status"])
    return [{"id": task.id, "action": task.action, "status": task.status} for task in found]
