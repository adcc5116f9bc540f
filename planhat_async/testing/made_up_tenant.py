"""A made-up tenant: companies, and records of every model that belong to them and name each other.

Numbers decide which record belongs to which: record `n` belongs to company `n` modulo the number of companies. So the
end user that a note names, for example, can be one of the note's own company, and nothing has to be remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import attrs

from planhat_async._convert import Field, fields_of, write_time
from planhat_async.analytics import Metric
from planhat_async.models import ALL, Company, EndUser, EndUsers
from planhat_async.records import Model, Person, Record
from planhat_async.repositories import Lists, Upserts
from planhat_async.testing.samples import FIRST_DAY, key_of, make_record

Ids = Mapping[str, Mapping[str, str]]
"""By the name of a model, the `_id`s of its records by external id."""

_PER_COMPANY: dict[str, float] = {
    "companies": 1,
    "endusers": 10,
    "tickets": 5,
    "notes": 4,
    "tasks": 4,
    "nps": 3,
    "assets": 2,
    "licenses": 1,
    "opportunities": 1,
}
_OTHERS_PER_COMPANY = 0.5
_HOURS = 2 * 365 * 24
"""The time over which records are spread, in a custom field: Planhat sets the time of their creation itself."""
"""Records of any other model that belongs to companies, for each company."""
_COMPANIES_PER_USER = 40
"""Companies for each user, and for each record of any other model that belongs to no company."""
_METRICS_PER_COMPANY = 5
_DIMENSIONS = ("logins", "active_users", "api_calls")
_USERS = frozenset({"owner_id", "owner", "co_owner", "followers"})
"""Fields that name users, but not by their name."""


@attrs.frozen
class Reference:
    """A field that names records of another model by `_id`."""

    field: Field
    target: Model

    def to(self, record_id: str) -> Any:
        """The value of the field that names one record."""
        if self.field.part is Person:
            return [Person(id=record_id)]
        return [record_id] if self.field.type == list[str] else record_id


@cache
def repositories() -> tuple[type[Any], ...]:
    """The repositories of a tenant's records, each after those of the records that its own records name."""
    by_name = _by_name()
    named = {name: sorted(_models_named_by(one.model)) for name, one in by_name.items()}
    return tuple(by_name[name] for name in TopologicalSorter(named).static_order())


def references(model: Model) -> list[Reference]:
    """The fields of a model that name records of other models, except for the one that names its company."""
    by_name: dict[str, Model] = {name: one.model for name, one in _by_name().items()}
    by_singular = {one.singular.replace(" ", ""): one for one in by_name.values()}
    found = []
    for name, field in fields_of(model.record).items():
        if name in _USERS:
            target: Model | None = by_name["users"]
        elif field.part is Person:
            target = by_name.get(name)
        else:
            target = by_singular.get(name.removesuffix("s").removesuffix("_id")) if "_id" in name else None
        if target is not None and target is not model and field.is_writable and name != model.company_field:
            found.append(Reference(field, target))
    return found


def _by_name() -> dict[str, type[Any]]:
    """The repositories that list and upsert, by the names of their models.

    If several write to one path, only the last is among them: all of their records are in one list.
    """
    by_path = {one.model.path: one for one in ALL if issubclass(one, Upserts) and issubclass(one, Lists)}
    return {one.model.name: one for one in by_path.values()}


def _models_named_by(model: Model) -> set[str]:
    companies = set() if model.company_field is None else {"companies"}
    return companies | {one.target.name for one in references(model)}


@attrs.frozen(kw_only=True)
class MadeUpTenant:
    """The records of a tenant, the same for the same number of companies and the same seed."""

    n_companies: int = 2_000
    seed: int = 0

    def count(self, model: Model) -> int:
        """The number of records of a model; at least one."""
        if model.company_field is None and model.name not in _PER_COMPANY:
            return max(1, self.n_companies // _COMPANIES_PER_USER)
        return max(1, int(self.n_companies * _PER_COMPANY.get(model.name, _OTHERS_PER_COMPANY)))

    def records(self, model: Model, ids: Ids) -> Iterator[Record]:
        """The records of a model, one after another, given the `_id`s of records of the models that it names."""
        named = references(model)
        fields = fields_of(model.record)
        for number in range(1, self.count(model) + 1):
            company = self._company(number)
            since = FIRST_DAY + timedelta(hours=number * 7 % _HOURS)
            values: dict[str, Any] = {
                "custom": {"Seats": number, "Segment": f"segment {number % 7}", "Since": write_time(since)}
            }
            if not fields["custom"].is_writable:
                del values["custom"]
            if model.company_field is not None and not model.company_keys:
                values[model.company_field] = ids["companies"][key_of(Company, company)]
            if "email" in fields and "email" not in model.match:  # the address of another record
                values["email"] = self._enduser(company, number).email
            for one in named:
                key = self._key_of_one(one.target, company, number)
                if key is not None:
                    values[one.field.name] = one.to(ids[one.target.name][key])
            yield make_record(model.record, number, seed=self.seed, company=company, **values)

    def metrics(self) -> Iterator[Metric]:
        """Metrics of the companies, and of their end users; each has another time."""
        for number in range(1, self.n_companies * _METRICS_PER_COMPANY + 1):
            company = self._company(number)
            is_enduser = number % 2 == 0
            enduser = self._key_of_one(EndUsers.model, company, number)
            yield Metric(
                dimension_id=_DIMENSIONS[number % len(_DIMENSIONS)],
                value=float(number % 1_000),
                external_id=enduser if is_enduser else key_of(Company, company),
                model="EndUser" if is_enduser else "Company",
                date=FIRST_DAY + timedelta(minutes=number),
            )

    def _company(self, number: int) -> int:
        """The number of the company to which records of this number belong."""
        return (number - 1) % self.n_companies + 1

    def _enduser(self, company: int, number: int) -> EndUser:
        """An end user of a company."""
        which = self._numbers(EndUsers.model, company)
        return make_record(EndUser, which[number % len(which)], seed=self.seed, company=company)

    def _key_of_one(self, target: Model, company: int, number: int) -> str | None:
        """The external id of one record, of the company if it belongs to one; `None` if the company has none."""
        numbers = self._numbers(target, company)
        return key_of(target.record, numbers[number % len(numbers)]) if numbers else None

    def _numbers(self, model: Model, company: int) -> range:
        """The numbers of the company's records of a model; of all records, if they belong to no company."""
        last = self.count(model)
        return range(1, last + 1) if model.company_field is None else range(company, last + 1, self.n_companies)
