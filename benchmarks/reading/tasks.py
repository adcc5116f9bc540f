"""The list to read: tasks of the size, and with the number of fields, of those in Planhat's documentation."""

from __future__ import annotations

import json
from array import array
from typing import Any

N_SHAPES = 96
"""The number of tasks that differ by more than their `_id`."""

_NAMES = ("Niklas", "Sarah", "Diego", "Åsa Öberg", "José", "Mette", "Jürgen", "Ines")
_COMPANIES = ("Grand Hotels", "Söder & Söner AB", "Acme Corporation", "Daimler Group", "Café Müller", "Northwind")
_ACTIONS = ("Send them a gift card", "Prepare the renewal", "Quarterly business review", "Follow up on onboarding")
_STATUSES = ("To-do", "In-progress", "Waiting for customer")
_SENTENCES = (
    "Ask who owns the roll-out, and whether the dates hold.",
    "They want to see how usage grew.",
    "Send the slides a day before.",
)


class TaskList:
    """All tasks as one text; each page is a slice of it."""

    def __init__(self, n_rows: int) -> None:
        rests = [_rest(n) for n in range(N_SHAPES)]
        self._rows = bytearray()
        self._starts = array("Q", [0])
        for n in range(n_rows):
            self._rows += b'{"_id":"%08x7b1616495%07x",%b,' % (0x60000000 + n // 8, n, rests[n % N_SHAPES])
            self._starts.append(len(self._rows))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def rows(self, offset: int, limit: int) -> range:
        """Return the positions of at most `limit` tasks."""
        return range(len(self))[offset : offset + limit]

    def text(self, rows: range) -> memoryview:
        """Return the JSON of these tasks, sorted by `_id`, without the surrounding brackets."""
        end = self._starts[rows.stop] - 1 if rows else self._starts[rows.start]
        return memoryview(self._rows)[self._starts[rows.start] : end]

    def descending(self, rows: range) -> bytes:
        """Return the JSON of the tasks at these positions, counted from the end."""
        places = (len(self) - 1 - n for n in rows)
        return b"[%b]" % b",".join(self.text(range(n, n + 1)) for n in places)


def _rest(n: int) -> bytes:
    """Return a task's JSON after its `_id`."""
    fields = {**_plan(n), **_people(n), **_text(n), **(_workflow(n) if n % 4 == 0 else {})}
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()[1:]


def _plan(n: int) -> dict[str, Any]:
    is_event = n % 4 == 3
    return {
        "mainType": "event" if is_event else "task",
        "noSpecificTime": not is_event,
        "shared": n % 5 == 0,
        "overdueNotified": n % 7 == 0,
        "activityTags": [_id(n)] if n % 3 == 1 else [],
        "isArchived": False,
        "status": _STATUSES[n % 3],
        "createdAt": _time(n),
        "updatedAt": _time(n + 5),
        "startTime": _time(n + 9) if n % 6 else None,
        **({"endTime": _time(n + 10)} if is_event else {}),
        "repeat": None,
        "__v": n % 4,
    }


def _people(n: int) -> dict[str, Any]:
    owner = _NAMES[n % 8]
    return {
        "ownerId": _id(n),
        "ownerName": owner,
        "companyId": _id(n + 1000),
        "companyName": _COMPANIES[n % 6],
        "endusers": [{"id": _id(n + 2000 + k), "name": _NAMES[(n + k) % 8]} for k in range(n % 5 % 3)],
        "users": [{"id": _id(n), "name": owner, "isOwner": True}] if n % 2 else [],
    }


def _text(n: int) -> dict[str, Any]:
    sentences = [_SENTENCES[(n + k) % 3] for k in range(n % 3)]
    return {
        "action": _ACTIONS[n % 4],
        "description": "".join(f"<p>{sentence}</p>" for sentence in sentences),
        "snippet": "\n".join(sentences),
        "checklist": [{"title": action} for action in _ACTIONS[: n // 3 % 3]],
        "children": [],
        "comments": [],
        "custom": {"HScore": n % 11, "Risk": "low", "Score": 0.5 + n / 8},
    }


def _workflow(n: int) -> dict[str, Any]:
    return {
        "workflowId": _id(n + 3000),
        "workflowName": "Churn prevention",
        "workflowTaskId": _id(n + 4000),
        "workflowTemplateId": _id(n + 5000),
        "workflowStepId": _id(n + 6000),
        "sortPosition": n % 9,
    }


def _id(n: int) -> str:
    return f"{0x54DD0000 + n:08x}c90a3570c76e{n:04x}"


def _time(n: int) -> str:
    return f"2024-{n % 12 + 1:02d}-{n % 28 + 1:02d}T{n % 24:02d}:51:52.{n % 1000:03d}Z"
