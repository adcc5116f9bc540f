"""The companies a sandbox knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import field, frozen

EXTID = "extid-"
SRCID = "srcid-"


@frozen
class Company:
    """A company that records can name.

    Attributes:
        company_id: Planhat's own `_id`.
        external_id: What `extid-…` and `companyExternalId` name it by.
        source_id: What `srcid-…` names it by.
        name: Comes back as `companyName`.
        domains: What a ticket's `domains` name it by.
    """

    company_id: str
    external_id: str | None = None
    source_id: str | None = None
    name: str = ""
    domains: Iterable[str] = field(default=(), converter=tuple[str, ...])


class Companies:
    """The registered companies. While there are none, a company of any name is accepted."""

    def __init__(self, companies: Iterable[Company] = ()) -> None:
        self._by_key: dict[str, Company] = {}
        self._by_domain: dict[str, Company] = {}
        for company in companies:
            self.add(company)

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def __iter__(self) -> Iterator[Company]:
        return iter(dict.fromkeys(self._by_key.values()))

    def add(self, company: Company) -> None:
        """Register a company; one of the same keys is replaced."""
        before = self._by_key.get(company.company_id)
        if before is not None:  # also under the keys that the new one does not have
            self._by_key = {key: one for key, one in self._by_key.items() if one is not before}
            self._by_domain = {domain: one for domain, one in self._by_domain.items() if one is not before}
        self._by_key[company.company_id] = company
        if company.external_id is not None:
            self._by_key[EXTID + company.external_id] = company
        if company.source_id is not None:
            self._by_key[SRCID + company.source_id] = company
        for domain in company.domains:
            self._by_domain[domain] = company

    def find(self, key: str) -> Company | None:
        """The company of an `_id`, an `extid-…` or a `srcid-…`."""
        return self._by_key.get(key)

    def find_by_domain(self, domains: Iterable[object]) -> Company | None:
        """The company of the first domain that has one."""
        known = (self._by_domain.get(domain) for domain in domains if isinstance(domain, str))
        return next((company for company in known if company is not None), None)
