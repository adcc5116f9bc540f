"""Custom fields: what tenants add to Planhat's models."""

from __future__ import annotations

from typing import Any

import attrs

from planhat_async.models.unfiltered_lists import UnfilteredLists
from planhat_async.records import Model, PageLimits, Record, read_only, writable
from planhat_async.repositories import Creates, Deletes, Gets, Updates


@attrs.define(kw_only=True, repr=False)
class CustomField(Record):
    """The definition of a custom field (`/customfields`, "Custom Fields" in Planhat's documentation).

    The records of the model `parent` hold the field's values in `custom`, under `name`.

    Planhat needs `name`, `parent` and `type` to create one; its table of fields calls `is_hidden` required too.
    Custom fields have no key but `id`, belong to no company, and have no bulk upsert.
    """

    name: str | None = writable()
    """The field's name, also its key in `custom`; needed to create one."""
    type: str | None = writable()
    """The kind of its values, such as `text`, `number`, `date`, `list` or `team member`; needed to create one."""
    parent: str | None = writable()
    """The model it belongs to, in lower case, such as `company`; needed to create one."""
    is_featured: bool | None = writable()
    """Whether it is featured; `False` by default."""
    is_hidden: bool | None = writable()
    """Whether it is hidden; `False` by default."""
    is_shared: bool | None = writable()
    """Whether it is shared; `False` by default."""
    is_locked: bool | None = writable()
    """Whether it is locked; `False` by default."""
    is_mandatory: bool | None = writable()
    """Whether a value is mandatory; `False` by default."""
    is_formula: bool | None = writable()
    """Whether `formula` computes its values; `False` by default."""
    treat_undefined_as_zero: bool | None = writable()
    """Whether its formula counts a missing value as 0."""
    formula: str | None = writable()
    """The formula that computes its values."""
    list_values: list[str] | None = writable()
    """The choices, where `type` is `list` or `multipicklist`."""
    number_format: str | None = writable()
    """The format of its numbers, where `type` is `number`."""

    custom: dict[str, Any] = attrs.field(factory=dict, metadata={"writable": False})
    """Custom fields, of which Planhat documents none for this model."""
    filter: list[Any] | None = read_only()
    """Conditions, as objects."""
    formula_refs: list[str] | None = read_only()
    """What its formula refers to."""
    sort_order: int | None = read_only()
    """Its position among the custom fields of its model."""
    version: int | None = read_only(wire="__v")
    """The document's version key in Planhat's database."""


class CustomFields(
    UnfilteredLists[CustomField], Gets[CustomField], Creates[CustomField], Updates[CustomField], Deletes[CustomField]
):
    """Definitions of custom fields: `/customfields`. Planhat has no bulk upsert of them."""

    model: Model = Model(
        name="custom_fields",
        record=CustomField,
        path="/customfields",
        limits=PageLimits(default=100, most=2_000),
        needs=(("name",), ("parent",), ("type",)),
        company_field=None,
    )
