"""The tenant UUID is checked, and never shown."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import pytest

from planhat_async._http.tenant_uuid import TenantUuid, contains_uuid
from planhat_async._http.wire import Token

UUID = "0b54aee7-1a2b-4c3d-9e8f-0123456789ab"


def test_it_takes_the_place_of_its_placeholder() -> None:
    """Only in the path that is sent, and there is no header."""
    uuid = TenantUuid(UUID)
    assert uuid.address("/dimensiondata/{tenantUUID}") == f"/dimensiondata/{UUID}"
    assert uuid.address("/tasks") == Token("any-token").address("/tasks") == "/tasks"
    assert uuid.header() == ""


@pytest.mark.parametrize("uuid", [UUID, UUID.upper(), "FFFFFFFF-ffff-ffff-ffff-ffffffffffff"])
def test_any_uuid_will_do(uuid: str) -> None:
    """In either case, of any version."""
    assert TenantUuid(uuid).address("{tenantUUID}") == uuid


@pytest.mark.parametrize(
    ("uuid", "problem"),
    [
        ("", "the tenant UUID is empty: pass one, or set PLANHAT_TENANT_UUID"),
        (None, "the tenant UUID must be text, not NoneType"),
        (17, "the tenant UUID must be text, not int"),
        (f"x {UUID}", "the tenant UUID has text around it"),
        (f"{UUID}\nx", "the tenant UUID has text around it"),
        (f"{{{UUID}}}", "the tenant UUID has text around it"),
        (f"https://analytics.planhat.com/analytics/{UUID}", "the tenant UUID has text around it"),
        (UUID[:-1], "and this has groups of 8-4-4-4-11"),
        (UUID.replace("-", ""), "and this has groups of 32"),
        (UUID.replace("a", "g"), "and this has groups of 8-4-4-4-12"),
        ("secret-token", "and this has groups of 6-5"),
    ],
)
def test_what_is_no_uuid_is_refused_without_being_quoted(uuid: Any, problem: str) -> None:
    """Neither in the message nor among the local variables of the traceback."""
    with pytest.raises(ValueError, match=r"^the tenant UUID") as caught:
        TenantUuid(uuid)
    assert problem in str(caught.value)
    if isinstance(uuid, str) and uuid:
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        shown.stack = traceback.StackSummary.from_list([frame for frame in shown.stack if frame.filename != __file__])
        assert uuid.strip() not in "".join(shown.format())


@pytest.mark.parametrize(
    "said",
    [
        UUID,
        UUID.upper(),
        UUID.replace("-", ""),
        UUID.replace("-", "%2D"),
        UUID.replace("-", "\\u002d"),
        f"/dimensiondata/{UUID}?x",
    ],
)
def test_an_answer_is_shown_without_it(said: str) -> None:
    """In any form that a server may quote it in."""
    hidden = TenantUuid(UUID).hidden_in(f"<{said}>".encode())
    assert b"<tenant UUID>" in hidden
    assert UUID[:8].encode() not in hidden.lower()
    assert UUID[-12:].encode() not in hidden.lower()


def test_it_does_not_show_itself() -> None:
    """Nor can it be pickled."""
    uuid = TenantUuid(UUID)
    assert repr(uuid) == str(uuid) == "<TenantUuid>"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(uuid)


def test_a_text_with_a_uuid_is_noticed() -> None:
    """A URL that was copied as a whole."""
    assert contains_uuid(f"https://analytics.planhat.com/analytics/{UUID}")
    assert not contains_uuid("https://analytics.planhat.com")
