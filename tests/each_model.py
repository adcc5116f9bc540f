"""Parametrisations and samples for tests of all models."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from datetime import date
from typing import Any

import pytest

from planhat_async._convert import fields_of, to_wire
from planhat_async.models import ALL
from planhat_async.records import Model
from planhat_async.repositories import Creates, Repository, Updates, Upserts
from planhat_async.testing import make_record


def with_capability(*capabilities: type[Repository[Any]]) -> list[type[Any]]:
    """Return the repositories that have all of these capabilities."""
    return [one for one in ALL if all(issubclass(one, capability) for capability in capabilities)]


def can_be_written(repository: type[Any]) -> bool:
    """Return whether any of its calls sends a record."""
    return issubclass(repository, Creates | Updates | Upserts)


def each(*capabilities: type[Repository[Any]]) -> pytest.MarkDecorator:
    """Run a test with each `repository` that has all of these capabilities."""
    return pytest.mark.parametrize(
        "repository", with_capability(*capabilities), ids=lambda repository: repository.model.name
    )


def sample_row(model: Model, number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a row that can be created, by Planhat's names; given fields have the client's names."""
    made = make_record(model.record, number, **fields)
    for group in model.needs:
        if all(getattr(made, name) is None for name in group):
            kind = fields_of(model.record)[group[0]].type
            setattr(made, group[0], {str: "made up", list[str]: ["made up"]}.get(kind, 1))
    return to_wire(model.record, made)


def changes_of(repository: type[Repository[Any]], number: int = 1) -> dict[str, Any]:
    """Return a change of a record by Planhat's names: of a text if it has one, else of a number."""
    if text := text_of(repository):
        return {text: f"new {number}"}
    numbers = [one.wire for one in fields_of(repository.model.record).values() if one.is_writable and one.type is float]
    return {numbers[0]: number}


def text_of(repository: type[Repository[Any]]) -> str | None:
    """Return Planhat's name of a writable text field that is neither a key nor a choice."""
    texts = {
        name: field.wire
        for name, field in fields_of(repository.model.record).items()
        if field.is_writable and field.type is str and not name.endswith(("id", "type", "status", "email"))
    }
    return texts.get("description") or next(iter(texts.values()), None)


def declared_options(repository: type[Repository[Any]], method: str) -> type[Any]:
    """Return the `TypedDict` of the options of a listing method, for type checkers."""
    for cls in repository.__mro__[:-1]:
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(cls)))):
            match node:
                case (
                    ast.FunctionDef(name=name, args=ast.arguments(kwarg=ast.arg(annotation=annotation)))
                    | ast.AsyncFunctionDef(name=name, args=ast.arguments(kwarg=ast.arg(annotation=annotation)))
                ) if name == method and isinstance(annotation, ast.Subscript):
                    declared: type[Any] = vars(sys.modules[cls.__module__])[ast.unparse(annotation.slice)]
                    return declared
    raise AssertionError(f"{repository.__name__}.{method}() declares no options")


def one_list(repository: type[Repository[Any]]) -> dict[str, bool]:
    """Return the options that select one list if Planhat has two of a model."""
    return {one.option: False for one in repository.model.filters if one.partition_field is not None}


def unstructure(value: Any) -> dict[str, Any]:
    """Everything that a record holds, as Planhat would send it."""
    out: dict[str, Any] = {**value.extra}
    for name, field in fields_of(type(value)).items():
        item = getattr(value, name)
        if isinstance(item, date):
            item = field.check(item)
        elif item is not None and field.part:
            item = [unstructure(one) for one in item]
        if item is not None and (item or name != "custom"):
            out[field.wire] = item
    return out
