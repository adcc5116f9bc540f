"""Test requests and responses as values, and the meaning of each status."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from planhat_async import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    StatusError,
)
from planhat_async._http.wire import (
    Request,
    Response,
    Token,
    calls_left,
    checked_base_url,
    checked_path,
    error_from,
    retry_after,
)

NOW = 1_717_156_800.0
BASE_URL = "https://api.example.com"
CLIMBS = "a path must not have a '.' or '..' segment: "
NOT_A_PATH = "a path must not contain a query, fragment, backslash or control character (use params): "
REQUEST = Request(method="PUT", path="/tasks/1", params=(("limit", "1"),), body=b"[]")


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "cls"),
        [
            (304, StatusError),
            (400, BadRequestError),
            (401, AuthenticationError),
            (403, PermissionDeniedError),
            (404, NotFoundError),
            (409, StatusError),
            (413, PayloadTooLargeError),
            (422, StatusError),
            (429, RateLimitedError),
            (500, ServerError),
            (502, ServerError),
            (408, RequestTimeoutError),
            (504, ServerError),
            (522, ServerError),
            (599, ServerError),
        ],
    )
    def test_each_status_has_its_error(self, status: int, cls: type[StatusError]) -> None:
        """It has every attribute that a caller needs to handle it."""
        response = Response(status=status, headers={"retry-after": "2"}, body=b'{"error":"no"}')
        error = error_from(REQUEST, response, base_url=BASE_URL, now=NOW)
        assert type(error) is cls
        assert vars(error) == {
            "status": status,
            "method": "PUT",
            "path": "/tasks/1",
            "body": '{"error":"no"}',
            "retry_after": 2.0,
            "attempts": 1,
            "seconds": 0.0,
            "_note": "",
        }

    @pytest.mark.parametrize(
        ("status", "body", "message"),
        [
            (400, b' "no" ', 'answered 400: "no"'),
            (401, b"", "answered 401 (the token is wrong, or belongs to another region than this base URL)"),
            (403, b"no", "answered 403 (the token may not do this; it may still do other things): no"),
            (429, b"", "answered 429 (over the limit of calls, and waiting longer would outlast RetryPolicy.total)"),
            (307, b"", "answered 307 (redirects are not followed; is the base URL right?)"),
            (500, b" \n", "answered 500"),
        ],
    )
    def test_the_message_is_helpful(self, status: int, body: bytes, message: str) -> None:
        """It names the host too, because a token works in its own region only."""
        error = error_from(REQUEST, Response(status=status, body=body), base_url=BASE_URL, now=NOW)
        assert str(error) == f"PUT https://api.example.com/tasks/1 {message}"

    def test_a_long_answer_is_truncated(self) -> None:
        """A page of HTML is too long for a log line; the attribute holds more of it than the message."""
        error = error_from(REQUEST, Response(status=500, body=b"x" * 5000), base_url=BASE_URL, now=NOW)
        assert str(error).endswith(f"answered 500: {'x' * 199}…")
        assert error.body == "x" * 2000

    @pytest.mark.parametrize(
        ("status", "is_success"), [(199, False), (200, True), (206, True), (299, True), (300, False)]
    )
    def test_success_is_2xx(self, status: int, is_success: bool) -> None:
        """A 206 is a success: its body lists the rows that failed."""
        assert Response(status=status).is_success is is_success

    def test_bodies_are_not_shown(self) -> None:
        """Bodies are long and contain personal data."""
        assert "body" not in repr(Request(method="PUT", path="/tasks", body=b"mine"))
        location = {"location": "/dimensiondata/secret"}
        assert repr(Response(status=302, headers=location, body=b"x")) == "Response(status=302)"


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0.0),
            ("7", 7.0),
            (" 1.5 ", 1.5),
            (formatdate(NOW + 90, usegmt=True), 90.0),
            (formatdate(NOW - 90, usegmt=True), 0.0),
            ("", None),
            ("-5", None),
            ("soon", None),
            ("1e3", None),
            ("nan", None),
            ("5 seconds", None),
            ("Fri, 99 Foo 2024 12:00:00 GMT", None),
        ],
    )
    def test_seconds_or_a_date(self, value: str, seconds: float | None) -> None:
        """A date in the past means no wait; invalid values are ignored."""
        assert retry_after(Response(status=429, headers={"retry-after": value}), now=NOW) == seconds

    def test_an_answer_without_the_header_has_no_wait(self) -> None:
        """So far no answer of Planhat has had the header."""
        assert retry_after(Response(status=429), now=NOW) is None

    def test_the_date_of_the_answer_is_used(self) -> None:
        """Clocks differ; the local clock is used only if the answer has no date."""
        headers = {"retry-after": formatdate(NOW + 30, usegmt=True), "date": formatdate(NOW, usegmt=True)}
        assert retry_after(Response(status=429, headers=headers), now=0.0) == 30.0
        assert retry_after(Response(status=429, headers={"retry-after": headers["retry-after"]}), now=NOW - 5) == 35.0

    def test_an_excessive_time_zone_is_ignored(self) -> None:
        """A header must not end a call with an internal error."""
        value = "Fri, 31 May 2024 12:00:00 +99999999999999"
        assert retry_after(Response(status=429, headers={"retry-after": value}), now=NOW) is None

    @given(value=st.text(max_size=30), date=st.text(max_size=30))
    def test_any_header_is_parsed_or_ignored(self, value: str, date: str) -> None:
        """The result is never negative, and no header raises an error."""
        response = Response(status=429, headers={"retry-after": value, "date": date})
        seconds = retry_after(response, now=NOW)
        assert seconds is None or seconds >= 0


class TestCallsLeft:
    @pytest.mark.parametrize(
        ("remaining", "limit", "left"),
        [
            ("12", "200", (12, 200)),
            (" 0 ", "", (0, None)),
            ("", "200", (None, 200)),
            ("-1", "1.5", (None, None)),
            ("many", "²", (None, None)),
        ],
    )
    def test_remaining_calls(self, remaining: str, limit: str, left: tuple[int | None, int | None]) -> None:
        """They are whole numbers; invalid values are ignored."""
        headers = {"x-rate-limit-remaining": remaining, "x-rate-limit-limit": limit}
        assert calls_left(Response(status=200, headers=headers)) == left

    def test_an_excessive_number_is_ignored(self) -> None:
        """A header must not end a call that was answered."""
        assert calls_left(Response(status=200, headers={"x-rate-limit-limit": "9" * 5000})) == (None, None)

    def test_the_header_is_optional(self) -> None:
        """Newer documentation does not promise it."""
        assert calls_left(Response(status=200)) == (None, None)


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "quoted"),
        [
            ("/tasks", "/tasks"),
            ("/tasks/", "/tasks/"),
            ("/tasks/srcid-a%2Fb", "/tasks/srcid-a%2Fb"),
            ("/é x", "/%C3%A9%20x"),
            ('/a"<>[]{}|^`', "/a%22%3C%3E%5B%5D%7B%7D%7C%5E%60"),
            ("/a\u2028b\x85", "/a%E2%80%A8b%C2%85"),
            ("/%0d%0aX:y", "/%0d%0aX:y"),
            ("/a..b/...", "/a..b/..."),
            ("/tasks/srcid-a%2F..b%252e", "/tasks/srcid-a%2F..b%252e"),
            ("/100%/x%2", "/100%/x%2"),
        ],
    )
    def test_a_path_is_quoted_where_necessary(self, path: str, quoted: str) -> None:
        """Existing quoting is kept."""
        assert checked_path(path) == quoted

    @pytest.mark.parametrize(
        ("path", "complaint"),
        [
            ("", "a path must begin with one slash: ''"),
            ("tasks", "a path must begin with one slash: 'tasks'"),
            ("//evil.example.com/x", "a path must begin with one slash: '//evil.example.com/x'"),
            ("https://evil.example.com", "a path must begin with one slash: 'https://evil.example.com'"),
            *((f"/a{char}b", NOT_A_PATH) for char in "?#\\\r\n\0\x7f"),
            *((f"/a/{dots}/b", CLIMBS) for dots in (".", "..", "%2e%2E", ".%2e", "%2E")),
            ("/..", CLIMBS + "'/..'"),
            *((f"/a/{way}", CLIMBS) for way in (
                "..%2f..", "..%2F", "x%2f..%2fy", "..%5c..", "x%5C..%5Cy", "%252e%252e/x", "%25252e%25252E",
                "..%252f..", "%2e%252e%255c", "..;/x", "..;a=b", ".;", "..%3Bx", "x%2f.%2f",
            )),
        ],
    )  # fmt: skip
    def test_a_path_that_leads_elsewhere_is_refused(self, path: str, complaint: str) -> None:
        """It leads to another host, path, query or header."""
        with pytest.raises(ValueError, match=r"^a path ") as caught:
            checked_path(path)
        assert str(caught.value).startswith(complaint)

    @given(st.lists(st.sampled_from(["..", ".", "a", "/", "\\", ";", "%2f", "%5c", "%2e", "%25", "25", "2e", "2f"])))
    def test_no_spelling_leads_to_a_parent(self, parts: list[str]) -> None:
        """No segment of an accepted path is dots, however often a server decodes it and wherever it splits it."""
        try:
            seen = checked_path("/x/" + "".join(parts))
        except ValueError:
            return
        for _ in range(len(parts) + 2):
            assert not {".", ".."} & {one.split(";")[0] for one in seen.replace("\\", "/").split("/")}
            seen = unquote(seen)

    @given(st.text().map("/{}".format))
    def test_a_path_is_refused_or_unchanged(self, path: str) -> None:
        """An accepted path reaches the server below the base URL and nowhere else."""
        try:
            quoted = checked_path(path)
        except ValueError:
            return
        url = URL(BASE_URL + quoted, encoded=True).with_query(())
        assert (str(url.origin()), url.raw_path, url.raw_query_string) == (BASE_URL, quoted, "")
        assert urlsplit(BASE_URL + quoted)[2:] == (quoted, "", "")
        assert unquote(quoted) == unquote(path)
        assert quoted.isascii()
        assert quoted.isprintable()


class TestBaseUrls:
    @pytest.mark.parametrize(
        ("url", "kept"),
        [
            ("https://api.planhat.com", "https://api.planhat.com"),
            ("https://api-eu1.planhat.com//", "https://api-eu1.planhat.com"),
            ("https://proxy.example.com:8443/planhat/", "https://proxy.example.com:8443/planhat"),
            ("http://localhost:8765", "http://localhost:8765"),
            ("http://127.0.0.1:8765/", "http://127.0.0.1:8765"),
            ("http://127.9.9.9", "http://127.9.9.9"),
            ("http://[::1]:8765", "http://[::1]:8765"),
        ],
    )
    def test_a_base_url_loses_its_last_slash(self, url: str, kept: str) -> None:
        """Plain http is allowed for the local machine."""
        assert checked_base_url(url) == kept

    @pytest.mark.parametrize(
        "url", ["", "api.example.com", "/x", "ftp://h", "https://", "https://h?x=1", "https://h#x", "file:///x"]
    )
    def test_a_base_url_is_a_host_with_a_path(self, url: str) -> None:
        """Any other URL would send requests to an unexpected place."""
        with pytest.raises(ValueError, match=r"^the base URL must look like https://api\.planhat\.com"):
            checked_base_url(url)

    @pytest.mark.parametrize("host", ["api.planhat.com", "api-eu1.planhat.com/x"])
    def test_a_host_of_planhat_needs_a_scheme(self, host: str) -> None:
        """The message contains the correct URL."""
        with pytest.raises(ValueError, match=f"^'{host}' has no scheme: did you mean https://{host}\\?$"):
            checked_base_url(host)

    @pytest.mark.parametrize(
        "url", ["https://user@h", "https://user:password@h", "https://:password@h", "http://localhost@h"]
    )
    def test_a_base_url_holds_no_password(self, url: str) -> None:
        """The base URL appears in messages; this message omits the password."""
        with pytest.raises(ValueError, match=r"^the base URL must not contain a user or password$"):
            checked_base_url(url)

    @pytest.mark.parametrize(
        "url",
        ["http://api.planhat.com", "http://localhost.example.com", "http://10.0.0.1", "http://0.0.0.0", "http://127.1"],
    )
    def test_the_token_is_never_sent_unencrypted(self, url: str) -> None:
        """Only loopback addresses may use http; similar hosts are refused."""
        with pytest.raises(ValueError, match=r"would send the token unencrypted: use https$"):
            checked_base_url(url)

    @pytest.mark.parametrize("url", ["https://h?", "https://h#", "https://h/x?", "https://h/x/#"])
    def test_an_empty_query_is_refused(self, url: str) -> None:
        """The path would become part of it: a deletion of `/tasks/1` would go to `/`."""
        with pytest.raises(ValueError, match=r"^the base URL must look like "):
            checked_base_url(url)

    @pytest.mark.parametrize("url", ["https://h:99999", "https://h:x", "https://h\n", "https://h /x", "https://h/../x"])
    def test_a_base_url_that_cannot_work_is_refused(self, url: str) -> None:
        """The session's constructor raises, not the first call."""
        with pytest.raises(ValueError, match=r"^the base URL must look like "):
            checked_base_url(url)

    def test_no_message_contains_a_password(self) -> None:
        """The URL may have other mistakes."""
        with pytest.raises(ValueError, match="base URL") as caught:
            checked_base_url("https://user:hidden@h?x=1")
        assert "hidden" not in str(caught.value)


class TestTokens:
    def test_a_token_is_kept(self) -> None:
        """Any printable ASCII is valid."""
        token = "".join(chr(code) for code in range(0x21, 0x7F))
        assert Token(token).header() == f"Bearer {token}"

    def test_an_empty_token_is_refused(self) -> None:
        """The message says how to pass one."""
        with pytest.raises(
            ValueError, match=r"^the Planhat token is missing or empty: set PLANHAT_API_TOKEN, or pass token=…"
        ):
            Token("")

    @pytest.mark.parametrize("token", [None, b"hidden", 5])
    def test_a_token_is_text(self, token: Any) -> None:
        """Any other type is refused without showing the value."""
        with pytest.raises(ValueError, match=r"^the Planhat token must be text, not \w+$"):
            Token(token)

    @pytest.mark.parametrize("flaw", ["\n", "\r\n", " ", "\t", "\0", "\x7f", "é", "\u200b", "\ud83d"])
    @pytest.mark.parametrize("place", ["hid{0}den", "x{0}hidden{0}x"])
    def test_a_token_with_invalid_characters_is_refused(self, flaw: str, place: str) -> None:
        """The message does not contain it; an HTTP library would print it."""
        with pytest.raises(ValueError, match=r"contains a space, a line break or another invalid character$") as caught:
            Token(place.format(flaw))
        assert "hid" not in repr(caught.value)

    @pytest.mark.parametrize("text", ["hidden-token\n", "hidden-token\r\n", " hidden-token\t"])
    def test_white_space_around_a_token_is_ignored(self, text: str) -> None:
        """A mounted secret ends with a line break."""
        assert Token(text).header() == "Bearer hidden-token"
        assert Token(text).hidden_in(b"a hidden-token b") == b"a <token> b"


def test_an_answer_in_several_pieces_is_joined() -> None:
    """All of them count towards its size."""
    response = Response(status=200, body=[b"[1", b",2]"])
    assert (response.body, response.n_bytes) == (b"[1,2]", 5)
