"""Every model, for tests of what all models have in common."""

from __future__ import annotations

from typing import Any

import pytest

from planhat_async._convert import fields_of
from planhat_async.models import ALL
from planhat_async.repositories import Repository


def with_capability(*capabilities: type[Repository[Any]]) -> list[type[Any]]:
    """The repositories that have all of these capabilities."""
    return [one for one in ALL if all(issubclass(one, capability) for capability in capabilities)]


def each(*capabilities: type[Repository[Any]]) -> pytest.MarkDecorator:
    """Run a test with each `repository` that has all of these capabilities."""
    return pytest.mark.parametrize(
        "repository", with_capability(*capabilities), ids=lambda repository: repository.model.name
    )


def text_of(repository: type[Repository[Any]]) -> str | None:
    """A text that a caller may write and that neither names a record nor is a choice, by Planhat's name."""
    texts = {
        name: field.wire
        for name, field in fields_of(repository.model.record).items()
        if field.is_writable and field.type is str and not name.endswith(("id", "type", "status"))
    }
    return texts.get("description") or next(iter(texts.values()), None)
