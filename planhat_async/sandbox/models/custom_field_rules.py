"""Custom fields: the definitions of what is under `custom` in the records of other models."""

from __future__ import annotations

from planhat_async.sandbox.models.rules import Rules, words

CUSTOM_FIELDS = Rules(
    name="custom_fields",
    path="customfields",
    indexes=(),
    company=None,
    get_keys=("_id",),
    update_keys=("_id",),
    match=(),
    writable=words(
        "name type parent isFeatured isHidden isShared isLocked isMandatory isFormula treatUndefinedAsZero formula "
        "listValues numberFormat"
    ),
    texts=("name", "type", "parent"),
    lists=("listValues",),
    unique=(),
    needs=(("name",), ("parent",), ("type",)),
    disputed_needs={"tables_are_right": (("isHidden",),)},
    defaults={
        "isFeatured": False,
        "isHidden": False,
        "isShared": False,
        "isLocked": False,
        "isMandatory": False,
        "isFormula": False,
        "listValues": [],
        "filter": [],
        "formulaRefs": [],
        "__v": 0,
    },
)
