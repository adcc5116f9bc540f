"""Test the parts of Redis' URLs, and that no message shows a password."""

from __future__ import annotations

import re
from importlib import util
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planhat_async import Session
from planhat_async._http.redis_url import REDIS_IS_MISSING, RedisUrl, parsed_redis_url

FORM = "is not redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss://... or unix://[USER:PASSWORD@]/PATH"


def parsed(
    shown: str, *, on_outage: str | None = None, is_unix: bool = False, tls: bool = False, **options: Any
) -> Any:
    return RedisUrl(shown=shown, on_outage=on_outage, options={"db": 0, **options}, is_unix=is_unix, has_tls=tls)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache", parsed("redis://cache:6379/0", host="cache", port=6379)),
        ("redis://cache:7000/3", parsed("redis://cache:7000/3", host="cache", port=7000, db=3)),
        ("REDIS://cache?db=4", parsed("redis://cache:6379/4", host="cache", port=6379, db=4)),
        (
            "redis://:p%40ss@cache",
            parsed("redis://cache:6379/0", host="cache", port=6379, password="p@ss"),
        ),
        (
            "rediss://me:secret@cache/1?ssl_ca_certs=/ca.pem&on_outage=closed",
            parsed(
                "rediss://cache:6379/1",
                on_outage="closed",
                tls=True,
                host="cache",
                port=6379,
                username="me",
                password="secret",
                db=1,
                ssl_ca_certs="/ca.pem",
            ),
        ),
        ("redis://[::1]:7000", parsed("redis://[::1]:7000/0", host="::1", port=7000)),
        (
            "unix:///run/redis%20a.sock?db=2",
            parsed("unix:///run/redis a.sock", is_unix=True, path="/run/redis a.sock", db=2),
        ),
        ("unix://:pw@/run/r.sock", parsed("unix:///run/r.sock", is_unix=True, path="/run/r.sock", password="pw")),
    ],
)
def test_a_url_names_a_redis(url: str, expected: RedisUrl) -> None:
    """Host, port, database, user and password, and what is done while it is away."""
    assert parsed_redis_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis:///1",
        "redis://host:port",
        "redis://host/one",
        "redis://host/1/2",
        "redis://host?db=-1",
        "redis://host?secret",
        "redis://:pass/word@host",
        "redis://user:12/word@host",
        "redis://user:12#word@host",
        "redis://[::1",
        "unix://host/path",
        "unix://",
    ],
)
def test_a_malformed_url_is_refused_without_showing_it(url: str) -> None:
    """The message says the form, and how to write characters that have a meaning."""
    with pytest.raises(ValueError, match=re.escape(FORM)) as caught:
        parsed_redis_url(url)
    scheme = url.partition("://")[0]
    assert str(caught.value) == (
        f"{scheme}://... {FORM}: write / ? # @ % : in a user or password as %2F %3F %23 %40 %25 %3A"
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://host?ssl_ca_certs=x", "redis://... has an option other than db, on_outage"),
        (
            "rediss://host?word=1",
            "rediss://... has an option other than db, on_outage, ssl_ca_certs, ssl_certfile, ssl_keyfile",
        ),
        ("redis://host?on_outage=open", "on_outage must be 'share' or 'closed', not 'open'"),
    ],
)
def test_options_that_do_not_exist_are_refused(url: str, message: str) -> None:
    """A misspelt one would have no effect."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parsed_redis_url(url)


WORDS = st.text(st.sampled_from("abcXYZ019/?#@:%&= "), min_size=9, max_size=30).map(lambda text: f"Q{text}Q")


@given(WORDS, st.booleans())
def test_a_password_is_never_shown(word: str, is_quoted: bool) -> None:
    """Neither in the repr of what was parsed nor in an error, however badly it was written."""
    written = quote(word, safe="") if is_quoted else word
    try:
        shown = repr(parsed_redis_url(f"redis://me:{written}@host"))
    except ValueError as error:
        assert not is_quoted
        shown = str(error)
    assert word not in shown
    assert not any(part in shown for part in re.split(r"[/?#@:%&= ]", word) if len(part) > 3)


def test_a_session_refuses_a_malformed_url_at_once() -> None:
    """Before anything is sent."""
    with pytest.raises(ValueError, match=r"^redis://\.\.\. is not redis://"):
        Session("token-1234", shared="redis://:pass/word@host")


def test_without_the_package_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what to install."""
    monkeypatch.setattr(util, "find_spec", lambda _: None)
    monkeypatch.setattr("planhat_async._http.window_choice.find_spec", util.find_spec)
    with pytest.raises(ValueError, match=f"^{re.escape(REDIS_IS_MISSING)}$"):
        Session("token-1234", shared="redis://host")
