"""Test keys of records in paths."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from planhat_async import extid, srcid
from planhat_async.records.keys import EXTID, SRCID, is_record_id, path_segment

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def test_a_key_shows_the_kind_of_its_id() -> None:
    """External and source ids get Planhat's prefixes and are unchanged otherwise."""
    assert (extid(" 4/2 "), srcid("é?")) == ("extid- 4/2 ", "srcid-é?")


@pytest.mark.parametrize("make", [extid, srcid, path_segment])
@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u2003"])
def test_a_blank_key_is_refused(make: Any, blank: str) -> None:
    """`GET path/` would be the list, and `PUT path/` a bulk upsert."""
    with pytest.raises(ValueError, match=r"^a key must not be blank$"):
        make(blank)


@pytest.mark.parametrize("key", ["extid-", "srcid- ", "extid-\n"])
def test_a_prefix_alone_is_not_a_key(key: str) -> None:
    """The text after the prefix must not be blank either."""
    with pytest.raises(ValueError, match=r"^a key must not be blank$"):
        path_segment(key)


@pytest.mark.parametrize("make", [extid, srcid, path_segment])
@pytest.mark.parametrize("key", [None, 42, b"42", UUID(int=7), True])
def test_a_key_is_a_string(make: Any, key: object) -> None:
    """A number is refused, even if its digits are a valid id."""
    with pytest.raises(TypeError, match=f"^a key is a string, not {type(key).__name__}"):
        make(key)


@pytest.mark.parametrize(
    ("key", "segment"),
    [
        ("61006bc89a3e0b702ed8ea49", "61006bc89a3e0b702ed8ea49"),
        ("extid-a/b", "extid-a%2Fb"),
        ("srcid-?#%& [é", "srcid-%3F%23%25%26%20%5B%C3%A9"),
        ("extid-..", "extid-.."),
        ("srcid-../../companies", "srcid-..%2F..%2Fcompanies"),
        ("srcid-%2e%2e", "srcid-%252e%252e"),
        ("extid-srcid-7", "extid-srcid-7"),
        ("extid-\r\nX: y", "extid-%0D%0AX%3A%20y"),
    ],
)
def test_free_text_is_quoted_as_one_segment(key: str, segment: str) -> None:
    """All characters with a meaning in URLs are quoted."""
    assert path_segment(key) == segment


@pytest.mark.parametrize(
    "key",
    [
        ".",
        "..",
        "acme",
        "6" * 23,
        "6" * 25,
        "g" * 24,
        f" {'6' * 24}",
        f"{'6' * 24}\n",
        "\uff14" * 24,
        "../tasks",
        "%2e%2e",
        "a/b",
        "a?b",
        "a#b",
        "a b",
        "a\n",
        "é",
        "a\\b",
        "a;b",
        "\x00",
    ],
)
def test_a_key_without_prefix_must_be_an_id(key: str) -> None:
    """Other texts might lead to another path, and are probably ids of another system."""
    with pytest.raises(
        ValueError, match=r"is not an _id \(24 hex digits\): a path takes an _id, extid-KEY or srcid-KEY$"
    ):
        path_segment(key)


@given(make=st.sampled_from([extid, srcid]), own_id=IDS)
def test_a_quoted_key_decodes_to_the_key(make: Any, own_id: str) -> None:
    """No id addresses another record or adds a segment."""
    segment = path_segment(make(own_id))
    assert unquote(segment) == make(own_id)
    assert segment.isascii()
    url = f"https://api.example.com/tasks/{segment}"
    assert urlsplit(url)[2:] == (f"/tasks/{segment}", "", "")
    assert URL(url, encoded=True).raw_path == f"/tasks/{segment}"


@given(st.text())
def test_a_segment_stays_one_segment(key: str) -> None:
    """A key is refused, or is one segment that does not lead to a parent."""
    try:
        segment = path_segment(key)
    except ValueError:
        return
    assert unquote(segment) in {key, key.lower()}
    assert segment not in {"", ".", ".."}
    assert not set(segment) & set("/?#\\ \r\n")


@pytest.mark.parametrize(
    ("prefixes", "key", "taken"),
    [
        ((), "srcid-1", "an _id, not extid-KEY or srcid-KEY"),
        ((), "crm-1", "an _id, not extid-KEY or srcid-KEY"),
        ((SRCID,), "extid-1", "an _id or srcid-KEY, not extid-KEY"),
        ((EXTID,), "srcid-1", "an _id or extid-KEY, not srcid-KEY"),
        ((EXTID, SRCID), "crm-1", "an _id, extid-KEY or srcid-KEY"),
    ],
)
def test_a_key_of_an_unsupported_kind_is_refused(prefixes: tuple[str, ...], key: str, taken: str) -> None:
    """The message names the call, the supported kinds and the others."""
    with pytest.raises(ValueError, match="is not an _id") as caught:
        path_segment(key, by="Tasks.get()", prefixes=prefixes)
    assert str(caught.value) == f"{key!r} is not an _id (24 hex digits): Tasks.get() takes {taken}"


def test_an_id_is_accepted_in_either_case() -> None:
    """It is sent in Planhat's case; keys from another system are unchanged."""
    assert path_segment("61006BC89A3E0B702ED8EA49") == "61006bc89a3e0b702ed8ea49"
    assert path_segment("extid-ABC") == "extid-ABC"
    assert [is_record_id(text) for text in ("A" * 24, "a" * 24, "a" * 23, "")] == [True, True, False, False]


def test_a_lone_surrogate_is_refused() -> None:
    """It cannot be encoded in UTF-8."""
    with pytest.raises(ValueError, match="surrogates not allowed"):
        path_segment(extid("\ud83d"))
