"""The fields that follow from the users and end users that a record names."""

from __future__ import annotations

from planhat_async.sandbox.models.rules import Find, Inference
from planhat_async.sandbox.store import Record


def named_in(field: str, model: str, name: str) -> Inference:
    """Give each registered person in a list of `{id, name}` the name in their field `name`."""

    def infer(changes: Record, find: Find) -> Record:
        people = changes.get(field)
        return {field: [named(person, find) for person in people]} if isinstance(people, list) else {}

    def named(person: object, find: Find) -> object:
        found = find(model, "_id", person.get("id")) if isinstance(person, dict) else None
        return {**person, "name": found[name]} if isinstance(person, dict) and found and name in found else person

    return infer


def owner_named(changes: Record, find: Find) -> Record:
    """`ownerName`, from the user that `ownerId` names, unless it was sent."""
    if "ownerName" in changes:
        return {}
    owner = find("users", "_id", changes.get("ownerId"))
    return {"ownerName": owner["nickName"]} if owner and "nickName" in owner else {}


def enduser_of_email(changes: Record, find: Find) -> Record:
    """`endusers`, from the end user whose address `email` is."""
    enduser = find("endusers", "email", changes.get("email"))
    return {} if enduser is None else {"endusers": [{"id": enduser["_id"], "name": enduser.get("name")}]}
