"""REFERENCE, "Keys": how records and companies are named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import pytest
from each_model import each, with_capability

from planhat_async import Notes, Tasks, Tickets, extid, srcid
from planhat_async.repositories import Deletes, Gets, Lists, Updates
from reference.conftest import Serve
from reference.page_server import ID, OTHER_ID, always

FREE_TEXTS = [
    "42",
    "a/b",
    "a?b#c",
    "50%",
    "50%25",
    "a&b=c",
    "a b",
    "a+b",
    "[x]",
    "é",
    ";:@",
    "..",
    ".",
    "../tasks",
    "\\",
    "a\tb",
]

Single = Notes | Tasks
CALLS: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
    "get": lambda model, key: model.get(key),
    "update": lambda model, key: model.update(key, {"custom": {"d": 1}}),
    "delete": lambda model, key: model.delete(key),
    "get_many": lambda model, key: model.get_many([key]),
    "delete_many": lambda model, key: model.delete_many([key]),
}


async def test_an_id_is_unchanged_in_the_path(page_server: Serve) -> None:
    """D: an `_id` is 24 hex digits."""
    planhat = await page_server(always({"_id": ID}))
    await Tasks(planhat.session).get(ID)
    assert planhat.lines == [f"GET /tasks/{ID}"]


@pytest.mark.parametrize("text", FREE_TEXTS)
@pytest.mark.parametrize("call", ["get", "update"])
@pytest.mark.parametrize(
    ("repository", "path", "key_of", "prefix"),
    [(Notes, "/conversations/", extid, "extid-"), (Tasks, "/tasks/", srcid, "srcid-")],
)
async def test_free_text_is_one_segment_of_the_path(
    page_server: Serve, repository: Any, path: str, key_of: Any, prefix: str, call: str, text: str
) -> None:
    """D: in a URL a key may be `extid-<externalId>` (notes) or `srcid-<sourceId>` (tasks); such ids are free text.

    The segment is quoted as a whole and decodes to the same text; `.` and `..` do not lead to a parent.
    """
    planhat = await page_server(always({"_id": ID}))
    await CALLS[call](repository(planhat.session), key_of(text))
    (sent,) = planhat.calls
    segment = sent.path.removeprefix(path)
    assert sent.path == path + segment
    assert not set(segment) & set("/?#&+ []\\")
    assert unquote(segment) == prefix + text
    assert sent.query == ()


@pytest.mark.parametrize("call", sorted(CALLS))
@each(Gets, Updates, Deletes)
async def test_a_blank_key_is_not_sent(page_server: Serve, repository: Any, call: str) -> None:
    """D: a blank key turns `GET path/` into the list and `PUT path/` into a bulk upsert."""
    planhat = await page_server(always([]))
    for key in ("", " ", "\t", "extid-", "srcid-", "extid- "):
        with pytest.raises(ValueError, match="blank"):
            await CALLS[call](repository(planhat.session), key)
    assert planhat.calls == []


@pytest.mark.parametrize("make", [extid, srcid])
def test_a_blank_id_is_refused(make: Callable[[str], str]) -> None:
    """D: it would name no record and change the meaning of the call."""
    for blank in ("", "  "):
        with pytest.raises(ValueError, match="blank"):
            make(blank)


@pytest.mark.parametrize("key", [".", "..", "../companies", "a/b", "a?b", "%2e%2e", "a b", "é"])
@pytest.mark.parametrize("call", sorted(CALLS))
async def test_an_invalid_id_is_not_sent(page_server: Serve, call: str, key: str) -> None:
    """D: an `_id` is 24 hex digits; a bare key with a slash, dot or space is a mistake and might change the path."""
    planhat = await page_server(always([]))
    with pytest.raises(ValueError, match=r"extid|srcid"):
        await CALLS[call](Tasks(planhat.session), key)
    assert planhat.calls == []


@pytest.mark.parametrize("key", ["acme", "crm-1", "42", ID[:-1], ID + "0", "g" * 24])
@pytest.mark.parametrize("call", sorted(CALLS))
async def test_an_external_key_without_its_prefix_is_not_sent(page_server: Serve, call: str, key: str) -> None:
    """D: an `_id` is 24 hex digits; Planhat would answer another key with 404, so the client raises an error."""
    planhat = await page_server(always({"_id": ID}))
    with pytest.raises(ValueError, match=r"extid|srcid"):
        await CALLS[call](Tasks(planhat.session), key)
    assert planhat.calls == []


@pytest.mark.parametrize(
    ("repository", "call", "key"),
    [
        (Notes, "get", srcid("1")),
        (Tasks, "get", extid("1")),
        (Notes, "delete", extid("1")),
        (Notes, "delete", srcid("1")),
        (Tasks, "delete", srcid("1")),
        (Tickets, "delete", srcid("1")),
        (Tickets, "delete", extid("1")),
        (Tickets, "delete_many", extid("1")),
    ],
)
async def test_a_key_that_a_call_does_not_accept_is_not_sent(
    page_server: Serve, repository: Any, call: str, key: str
) -> None:
    """D: `get` takes `_id` or `extid-` for notes, `_id` or `srcid-` for tasks; deletions take the `_id` only.

    Planhat would answer 404 to other keys, as if the record did not exist.
    """
    planhat = await page_server(always({"_id": ID}))
    with pytest.raises(ValueError, match="_id"):
        await CALLS[call](repository(planhat.session), key)
    assert planhat.calls == []


@pytest.mark.parametrize("key", [extid("a/b ?"), srcid("7"), OTHER_ID])
@pytest.mark.parametrize("repository", [Notes, Tasks])
async def test_a_company_is_named_by_any_key_in_a_body(page_server: Serve, repository: Any, key: str) -> None:
    """D: as the value of `companyId` in a body a key may be `extid-…` or `srcid-…`; it is not quoted there."""
    planhat = await page_server(always({"_id": ID}))
    await repository(planhat.session).create({"company_id": key})
    assert planhat.calls[0].sent["companyId"] == key


@pytest.mark.parametrize(
    "repository",
    [one for one in with_capability(Lists) if "company_id" in {filter_.option for filter_ in one.model.filters}],
)
async def test_an_invalid_company_filter_is_not_sent(page_server: Serve, repository: Any) -> None:
    """D: a filter takes ids; Planhat would answer `companyId=acme` with an empty list."""
    planhat = await page_server(always([]))
    with pytest.raises(ValueError, match="extid"):
        await repository(planhat.session).all(company_id="acme")
    assert planhat.calls == []


async def test_an_id_with_a_comma_is_refused(page_server: Serve) -> None:
    """D: `companyId` takes several ids separated by commas, so an id with a comma would be two."""
    planhat = await page_server(always([]))
    with pytest.raises(ValueError, match="comma"):
        await Tasks(planhat.session).all(company_id=[extid("a,b")])
    assert planhat.calls == []
