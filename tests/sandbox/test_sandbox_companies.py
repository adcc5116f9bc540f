"""The companies a sandbox knows."""

from __future__ import annotations

from sandbox_door import ACME, TENET

from planhat_async.sandbox.companies import Companies, Company


def test_a_company_is_found_by_every_key() -> None:
    """Its `_id`, its external id, its source id and each of its domains name it, and nothing else does."""
    companies = Companies([TENET, ACME])
    keys = [TENET.company_id, "extid-tenet", "srcid-119", "tenet", "extid-119"]
    assert [companies.find(key) for key in keys] == [TENET, TENET, TENET, None, None]
    assert companies.find_by_domain(["nowhere.com", 7, "acme.com", "tenet.com"]) == ACME
    assert companies.find_by_domain([]) is None


def test_a_company_needs_only_an_id() -> None:
    """A company without other keys is found by its `_id` alone."""
    companies = Companies()
    assert not companies
    companies.add(Company("a" * 24))
    assert companies
    assert companies.find("a" * 24) == Company("a" * 24, None, None, "", ())
    assert companies.find("extid-None") is None
