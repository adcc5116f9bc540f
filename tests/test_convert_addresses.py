"""Test that e-mail addresses are told from what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async import EndUser, Ticket
from planhat_async._convert import fields_of, requirements_of, to_wire
from planhat_async._convert.addresses import PLAIN_ADDRESS, check_address, is_address
from planhat_async.analytics import Activity
from planhat_async.models import ALL, EndUsers, Tickets

LONG = "a" * 242 + "@example.com"


@pytest.mark.parametrize(
    "address",
    [
        "ada@x.example",
        "ada.lovelace+news@mail.x.example",
        "o'brien@x.example",
        "!#$%&'*+/=?^_`{|}~-@x.example",
        "a..b.@docomo.example",
        '"ada;lovelace"@x.example',
        "δοκιμή@παράδειγμα.example",
        "हिन्दी@उदाहरण.परीक्षा",
        "ada@localhost",
        "ada@[192.0.2.1]",
        "ada@[IPv6:2001:db8::1]",
        "ADA@X.EXAMPLE",
        "a" * 100 + "@x.example",
        LONG,
    ],
)
def test_an_address_is_sent_as_it_is(address: str) -> None:
    """Also those that are unusual, or that servers have although the standard does not allow them."""
    assert to_wire(Ticket, {"email": address}) == {"email": address}
    assert to_wire(Ticket, Ticket(agent_email=address)) == {"agentEmail": address}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Ada (ada@x.example)", "'Ada (ada@x.example)' is not an e-mail address: did you mean 'ada@x.example'?"),
        ("Ada <ada@x.example>", "'Ada <ada@x.example>' is not an e-mail address: did you mean 'ada@x.example'?"),
        ("mailto:ada@x.example", "'mailto:ada@x.example' is not an e-mail address: did you mean 'ada@x.example'?"),
        ("ada@x.example;", "'ada@x.example;' is not an e-mail address: did you mean 'ada@x.example'?"),
        ("ada@x.example.", "'ada@x.example.' is not an e-mail address: did you mean 'ada@x.example'?"),
        ("\ufeffada@x.example", r"'\ufeffada@x.example' is not an e-mail address: did you mean 'ada@x.example'?"),
        ("ada@x.example, bob@x.example", "'ada@x.example, bob@x.example' is more than one e-mail address"),
        ("ada", "'ada' is not an e-mail address such as ada@example.com"),
        ("@x.example", "'@x.example' is not an e-mail address such as ada@example.com"),
        ("ada@", "'ada@' is not an e-mail address such as ada@example.com"),
        ("ada@@x.example", "'ada@@x.example' is not an e-mail address such as ada@example.com"),
        ("ada@.example", "'ada@.example' is not an e-mail address such as ada@example.com"),
        ("ada lovelace", "'ada lovelace' is not an e-mail address such as ada@example.com"),
        ("  ", "an e-mail address, not blanks"),
        ("\u00a0", "an e-mail address, not blanks"),
        ("a" + LONG, f"{'a' * 39 + '…'!r} is longer than an e-mail address can be (254 characters)"),
        (7, "an e-mail address, not the whole number 7"),
        (float("nan"), "no e-mail address (NaN): leave it out"),
        (b"ada@x.example", "an e-mail address, not bytes: decode them"),
    ],
)
def test_what_is_no_address_is_refused(text: Any, complaint: str) -> None:
    """The message has the address that was probably meant."""
    for row in ({"email": text}, Ticket(email=text)):
        with pytest.raises((TypeError, ValueError)) as caught:
            to_wire(Ticket, row)
        assert str(caught.value) == f"email: {complaint}"


def test_blanks_around_an_address_are_taken_off() -> None:
    """It is the same address, and with them it would match no end user."""
    assert to_wire(EndUser, {"email": " ada@x.example\n"}) == {"email": "ada@x.example"}


def test_an_empty_text_and_none_empty_the_field() -> None:
    """Where a creation needs an address, both count as missing."""
    assert to_wire(Ticket, {"email": ""}) == {"email": ""}
    assert to_wire(Ticket, {"email": None}) == {"email": None}
    with pytest.raises(ValueError, match=r"^email is required$"):
        requirements_of(Tickets.model).check_creation({"sourceId": "1", "email": "", "companyExternalId": "acme"})


def test_every_address_of_a_list_is_checked() -> None:
    """Those of an end user."""
    assert to_wire(EndUser, {"other_emails": ("a@x.example", " b@x.example")}) == {
        "otherEmails": ["a@x.example", "b@x.example"]
    }
    with pytest.raises(ValueError, match=r"^other_emails: 'ada' is not an e-mail address such as ada@example\.com$"):
        to_wire(EndUser, {"otherEmails": ["a@x.example", "ada"]})


def test_the_fields_that_hold_addresses() -> None:
    """All that are named so; others, such as custom fields, hold what a tenant puts there."""
    classes = [*(repository.model.record for repository in ALL), Activity]
    found = {f"{cls.__name__}.{name}" for cls in classes for name, one in fields_of(cls).items() if one.holds_addresses}
    assert found == {
        "Activity.email",
        "EndUser.email",
        "EndUser.other_emails",
        "NpsAnswer.email",
        "Task.user_email",
        "Ticket.agent_email",
        "Ticket.email",
        "User.email",
        "Workflow.end_user_email",
    }
    assert to_wire(Ticket, {"custom": {"email": "Ada"}, "name": "ada"}) == {"custom": {"email": "Ada"}, "name": "ada"}


def test_an_end_user_is_not_matched_on_blanks() -> None:
    """An address is a key of end users."""
    with pytest.raises(ValueError, match=r"^email must not be blank$"):
        requirements_of(EndUsers.model).check_upsert({"email": ""})


@pytest.mark.slow
@given(st.from_regex(PLAIN_ADDRESS, fullmatch=True))
def test_the_quick_test_accepts_addresses_only(address: str) -> None:
    """It is a subset of the whole test."""
    assert is_address(address)


@given(st.text(max_size=30) | st.from_regex(r"[^@]*@[^@]*", fullmatch=True))
def test_what_is_accepted_is_one_address(text: str) -> None:
    """Any text is refused, or sent without the blanks around it; sending that again changes nothing."""
    try:
        sent = check_address(text)
    except ValueError:
        return
    assert sent == text.strip()
    assert check_address(sent) == sent
    assert sent == "" or ("@" in sent.strip("@") and not set(sent) & set(" <>\t\n"))
