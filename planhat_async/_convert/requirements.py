"""What Planhat needs of a row before it is worth sending."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import attrs

from planhat_async._convert.fields import camel_case
from planhat_async._convert.generating import generate
from planhat_async.keys import PREFIXES, is_record_id
from planhat_async.models import Record

_MAX_KNOWN_COMPANIES = 5000
_MAX_SHOWN = 60


@attrs.frozen
class Requirements:
    """What rows of one model need."""

    check_upsert: Callable[[dict[str, Any]], tuple[tuple[str, ...], bool]]
    """The keys that a written row of a bulk upsert can be matched on, as `name=value`, in order of priority; and
    whether it has keys but lacks what a creation needs.

    Keys that are `None` are taken out of the row: they match nothing. A ValueError says what is missing, blank, or
    no `_id`; a row without a key needs what a creation needs.
    """
    check_ids: Callable[[Mapping[str, Any]], None]
    """Raises ValueError where a written row's `_id`, or its company's, cannot be one."""
    missing_to_create: Callable[[Mapping[str, Any]], str | None]
    """What a row still needs to be created, in words, or `None`."""


_known: dict[type, Requirements] = {}


def requirements_of(cls: type[Record]) -> Requirements:
    """What rows of this model need, by functions that are generated once: every row passes through them."""
    if cls not in _known:
        names = _names_for_ids(cls)
        id_lines = [*_lines_for_id(), *_lines_for_company()]
        _known[cls] = Requirements(
            check_upsert=generate(_lines_for_upsert(cls), names),
            check_ids=generate(id_lines, names),
            missing_to_create=generate([*_lines_for_missing(cls, "return {}"), "return None"]),
        )
    return _known[cls]


def always_has_key(cls: type[Record]) -> bool:
    """Whether a row of this model that can be sent has a key."""
    return any(set(group) <= set(cls.KEYABLES) for group in cls.NEEDED_TO_CREATE)


def _lines_for_upsert(cls: type[Record]) -> Iterator[str]:
    yield "keys = ()"
    for name in cls.KEYABLES:
        wire = camel_case(name)
        yield f"if {wire!r} in row:"
        yield f"    value = row[{wire!r}]"
        yield "    if value is None:"
        yield f"        del row[{wire!r}]"
        yield "    elif not value or value.isspace():"
        yield f"        raise ValueError({f'{name} must not be blank'!r})"
        if wire == "_id":
            yield "    elif not is_record_id(value):"
            yield "        refuse_id(value)"
        yield "    else:"
        yield f"        keys += ({f'{wire}='!r} + value,)"
    yield from _lines_for_company()
    yield "if keys:"
    yield f"    return keys, {_is_partial(cls)}"
    yield from _lines_for_missing(cls, "raise ValueError({})")
    yield "return keys, False"


def _lines_for_id() -> Iterator[str]:
    yield "value = row.get('_id')"
    yield "if value is not None and not is_record_id(value):"
    yield "    refuse_id(value)"


def _lines_for_company() -> Iterator[str]:
    yield "company = row.get('companyId')"
    yield "if company and company not in companies:"
    yield "    check_company(company)"


def _is_partial(cls: type[Record]) -> str:
    """An expression: whether a row with a key, whose company has been checked, lacks what a creation needs."""
    groups = [group for group in cls.NEEDED_TO_CREATE if not set(group) & set(cls.KEYABLES)]
    got = {name: f"row.get({camel_case(name)!r})" for group in groups for name in group} | {"company_id": "company"}
    lacks = [f"not ({' or '.join(got[name] for name in group)})" for group in groups]
    return " or ".join([*lacks, *(f"({_lacks_other(*one)})" for one in cls.NEEDED_WITH)]) or "False"


def _lines_for_missing(cls: type[Record], refusal: str) -> Iterator[str]:
    """Lines that refuse a row in which no field of a group is there, or one that another needs."""
    for group in cls.NEEDED_TO_CREATE:
        said = " or ".join(group)
        yield f"if not ({' or '.join(f'row.get({camel_case(name)!r})' for name in group)}):"
        yield "    " + refusal.format(repr(f"{said} is missing"))
    for name, value, other in cls.NEEDED_WITH:
        yield f"if {_lacks_other(name, value, other)}:"
        yield "    " + refusal.format(repr(f"{other} is missing: {name} is {value!r}"))


def _lacks_other(name: str, value: str, other: str) -> str:
    """An expression: whether a field has a value with which another is needed, which is not there."""
    wire = camel_case(name)
    return f"{wire!r} in row and row[{wire!r}] == {value!r} and row.get({camel_case(other)!r}) is None"


def _names_for_ids(cls: type[Record]) -> dict[str, Any]:
    """What the lines that check `_id`s use; companies found good are remembered, for most rows share one."""
    companies: set[str] = set()
    return {
        "is_record_id": is_record_id,
        "refuse_id": partial(_refuse_id, cls),
        "companies": companies,
        "check_company": partial(_check_company, cls, companies),
    }


def _refuse_id(cls: type[Record], value: str) -> None:
    own = "put a key of your own in source_id" if "source_id" in cls.KEYABLES else "leave it out to create a record"
    raise ValueError(
        f'id {_shown(value)} is not an _id (24 hex digits): {own}; extid("…") and srcid("…") are for calls'
    )


def _check_company(cls: type[Record], known: set[str], value: str) -> None:
    if not is_record_id(value) and not any(value.startswith(one) and value[len(one) :].strip() for one in PREFIXES):
        raise ValueError(
            f"company_id {_shown(value)} is not an _id (24 hex digits): name the company by {cls.COMPANY_KEYS}"
        )
    if len(known) >= _MAX_KNOWN_COMPANIES:
        known.clear()
    known.add(value)


def _shown(value: str) -> str:
    return repr(value if len(value) <= _MAX_SHOWN else value[: _MAX_SHOWN - 1] + "…")
