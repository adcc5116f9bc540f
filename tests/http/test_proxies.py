"""Test sessions behind a proxy, and with issuers of certificates of their own."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from command_line import Ended, run
from fakes import TOKEN

from planhat_async import Analytics, NotSentError, RetryPolicy, Session
from planhat_async._http.connection_options import trusting
from planhat_async._http.proxies import proxy_of_environment
from planhat_async.sandbox import Sandbox

ONCE = RetryPolicy(attempts=1)
UUID = "0b54aee7-1a2b-4c3d-9e8f-0123456789ab"


class ConnectProxy:
    """A proxy that opens tunnels to one port, whatever host is asked for."""

    def __init__(self, target: int, *, wants: str = "") -> None:
        self.target = target
        self.wants = wants
        self.asked: list[str] = []
        """The first lines of the requests."""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.splitlines()[0])
        if self.wants and f"Proxy-Authorization: {self.wants}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self.pump(reader, there), self.pump(there_reader, writer))

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


@asynccontextmanager
async def proxying(target: int, *, wants: str = "") -> AsyncIterator[ConnectProxy]:
    proxy = ConnectProxy(target, wants=wants)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def private_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an issuer (`ca.pem`), a certificate of it for two names, and another issuer (`other.pem`)."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder: Path = tmp_path_factory.mktemp("ca")
    (folder / "names").write_text("subjectAltName=DNS:api.planhat.test,IP:127.0.0.1\n")
    # Python 3.13 trusts an issuer only if it says what its key is for.
    made = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    new = f"{made} -x509 -days 2 -addext keyUsage=keyCertSign -subj"
    for command in (
        f"{new} /CN=ca -keyout ca.key -out ca.pem",
        f"{new} /CN=other -keyout other.key -out other.pem",
        f"{made} -subj /CN=x -keyout x.key -out x.csr",
        "openssl x509 -req -in x.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out x.pem",
    ):
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@asynccontextmanager
async def planhat_with_tls(folder: Path) -> AsyncIterator[int]:
    """Yield the port of a server with the private certificate that answers each request with an empty list."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "x.pem", folder / "x.key")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            assert TOKEN in head.decode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.01)  # TLS connections close later than their writers


async def called(base_url: str, **options: object) -> object:
    async with Session(TOKEN, base_url=base_url, retry=ONCE, **options) as session:  # type: ignore[arg-type]
        return await session.request("GET", "/tasks")


async def test_calls_pass_through_the_proxy_with_its_credentials(private_ca: Path) -> None:
    """The name of the server is looked up by the proxy; the password and the token are in no head that others see."""
    wants = "Basic " + base64.b64encode(b"ada:p@ss").decode()
    async with planhat_with_tls(private_ca) as port, proxying(port, wants=wants) as proxy:
        url = f"http://ada:p%40ss@127.0.0.1:{proxy.port}"
        assert await called(f"https://api.planhat.test:{port}", proxy=url, ca_file=private_ca / "ca.pem") == []
        assert proxy.asked == [f"CONNECT api.planhat.test:{port} HTTP/1.1"]


async def test_a_proxy_that_refuses_is_named_as_the_reason(private_ca: Path) -> None:
    """Nothing was sent, and the message does not show the password."""
    async with proxying(1, wants="Basic other") as proxy:
        url = f"http://ada:secret@127.0.0.1:{proxy.port}"
        with pytest.raises(NotSentError) as caught:
            await called("https://api.planhat.test", proxy=url, ca_file=private_ca / "ca.pem")
    assert str(caught.value) == (
        "GET /tasks: no connection to https://api.planhat.test (the proxy refused the tunnel with 407): it wants "
        "credentials, or others: http://USER:PASSWORD@HOST:PORT as the proxy"
    )


async def test_a_proxy_that_is_down_is_named_as_the_reason() -> None:
    """The reason is not Planhat."""
    async with proxying(1) as proxy:
        port = proxy.port
    with pytest.raises(NotSentError) as caught:
        await called("https://api.planhat.test", proxy=f"http://ada:secret@127.0.0.1:{port}")
    assert str(caught.value) == (
        "GET /tasks: no connection to https://api.planhat.test (the proxy cannot be reached: Connection refused): "
        "nothing listens there; are the proxy's host and port right? It is that of proxy= or HTTPS_PROXY"
    )


async def test_a_proxy_whose_name_is_unknown_is_named_as_the_reason() -> None:
    """It is not the host of the base URL that is wrong."""
    with pytest.raises(NotSentError, match=r"the proxy cannot be reached: .*: is the host of the proxy right\?"):
        await called("https://api.planhat.test", proxy="http://proxy.invalid:3128")


@pytest.mark.parametrize("ca_file", [None, "other.pem"])
async def test_an_issuer_that_is_not_trusted_is_the_reason(private_ca: Path, ca_file: str | None) -> None:
    """The message says how to trust it; with its certificate the call succeeds."""
    async with planhat_with_tls(private_ca) as port:
        with pytest.raises(NotSentError) as caught:
            await called(f"https://127.0.0.1:{port}", ca_file=None if ca_file is None else private_ca / ca_file)
        assert "the certificate is not trusted; name that of its issuer with ca_file (--ca-file)" in str(caught.value)
        assert await called(f"https://127.0.0.1:{port}", ca_file=str(private_ca / "ca.pem")) == []


def test_the_systems_issuers_stay_trusted(private_ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file adds to them."""
    monkeypatch.setenv("SSL_CERT_FILE", str(private_ca / "other.pem"))
    assert ssl.create_default_context().cert_store_stats()["x509_ca"] == 1
    assert trusting(private_ca / "ca.pem").cert_store_stats()["x509_ca"] == 2


def test_a_comment_in_any_language_is_no_obstacle(private_ca: Path, tmp_path: Path) -> None:
    """Bundles have the names of issuers between their certificates."""
    usual, bundle = ssl.create_default_context().cert_store_stats()["x509_ca"], tmp_path / "bundle.pem"
    bundle.write_bytes("# Főtanúsítvány\n".encode() + (private_ca / "ca.pem").read_bytes())
    assert trusting(bundle).cert_store_stats()["x509_ca"] == usual + 1


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    """At once, with its name."""
    file = tmp_path / "ca.pem"
    for content in (b"", b"\xff", b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"ca\.pem contains no certificate in PEM form$"):
            Session(TOKEN, ca_file=file)
    with pytest.raises(FileNotFoundError):
        Session(TOKEN, ca_file=tmp_path / "missing.pem")


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("socks5://ada:secret@proxy:1080", "the proxy must be one for http or https, not socks5"),
        ("http://ada:secret@proxy:port", "the proxy must look like http://HOST:PORT"),
        ("http://ada:secret@proxy/path", "the proxy must look like http://HOST:PORT"),
        ("http://", "the proxy must look like http://HOST:PORT"),
    ],
)
def test_what_is_no_proxy_is_refused(proxy: str, said: str) -> None:
    """The message shows no password."""
    with pytest.raises(ValueError, match=rf"^{said}$"):
        Session(TOKEN, proxy=proxy)


def test_a_proxy_never_sees_the_token() -> None:
    """Without TLS it would: unless it is on this machine, or that is allowed."""
    with pytest.raises(ValueError, match=r"^the proxy would see the token, because 'http://127\.0\.0\.1:1' is not enc"):
        Session(TOKEN, base_url="http://127.0.0.1:1", proxy="http://proxy:3128")
    Session(TOKEN, base_url="http://127.0.0.1:1", proxy="http://localhost:3128")
    Session(TOKEN, base_url="http://127.0.0.1:1", proxy="http://proxy:3128", allow_plain_http=True)


async def test_options_of_connections_are_not_for_a_client_session() -> None:
    """They would be ignored."""
    async with aiohttp.ClientSession() as client:
        for options in ({"proxy": "http://proxy:1"}, {"trust_env": True}, {"ca_file": "ca.pem"}):
            name = next(iter(options))
            with pytest.raises(ValueError, match=f"^{name} is for connections of our own: set it on the client_sess"):
                Session(TOKEN, client_session=client, **options)


@pytest.mark.parametrize(
    ("variables", "base_url", "proxy"),
    [
        ({"HTTPS_PROXY": "http://proxy:3128"}, "https://api.planhat.com", "<Proxy http://proxy:3128>"),
        ({"https_proxy": "ada:secret@proxy:3128"}, "https://api.planhat.com", "<Proxy http://proxy:3128>"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "https://api.planhat.com", "None"),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "planhat.com"}, "https://api.planhat.com", "None"),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "api.planhat.com:444"}, "https://api.planhat.com:444", "None"),
        ({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "*"}, "https://api.planhat.com", "None"),
        ({"HTTP_PROXY": "http://proxy:1", "HTTPS_PROXY": "http://proxy:1"}, "http://127.0.0.1:8765", "None"),
        ({"HTTPS_PROXY": ""}, "https://api.planhat.com", "None"),
    ],
)
def test_the_environment_names_the_proxy(
    variables: dict[str, str], base_url: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers on loopback have none."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(proxy_of_environment(base_url)) == proxy


async def test_the_environment_counts_only_if_it_is_trusted(private_ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session trusts it on request; its message names the variable."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    Session(TOKEN)
    with pytest.raises(ValueError, match=r"^HTTPS_PROXY must be one for http or https, not socks5$"):
        Session(TOKEN, trust_env=True)
    async with planhat_with_tls(private_ca) as port, proxying(port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        options = {"trust_env": True, "ca_file": private_ca / "ca.pem"}
        assert await called(f"https://api.planhat.test:{port}", **options) == []
        assert len(proxy.asked) == 1


async def test_the_analytics_host_has_the_same_options(private_ca: Path) -> None:
    """Its calls pass through the proxy as well."""
    async with Sandbox(tenant_uuid=UUID) as planhat, proxying(int(planhat.url.rpartition(":")[2])) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        async with Analytics(None, UUID, host="https://analytics.planhat.test", proxy=url, retry=ONCE) as analytics:
            result = await analytics.send_metrics([{"dimension_id": "a", "value": 1, "external_id": "b"}])
    assert proxy.asked == ["CONNECT analytics.planhat.test:443 HTTP/1.1"]
    assert "the port does not speak TLS" in result.problems[0].reason  # the sandbox has none
    with pytest.raises(ValueError, match="ca_file is for connections of our own"):
        Analytics(None, UUID, ca_file=private_ca / "ca.pem", client_session=object())  # type: ignore[arg-type]


def test_the_command_line_uses_the_proxy_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each command that makes calls; an issuer's file is read at once."""
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy")
    monkeypatch.setenv("PLANHAT_BASE_URL", "https://api.planhat.test")
    monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
    monkeypatch.setenv("PLANHAT_TENANT_UUID", UUID)
    ids, rows = tmp_path / "ids.txt", tmp_path / "rows.csv"
    ids.write_text("5fd76c4daf9f4601dd313b05\n")
    rows.write_text("dimension_id,value,external_id\n")
    commands = (["export", "tasks"], ["delete", "tasks", ids, "--yes"], ["metrics", rows])
    refusal = "planhat-async: HTTPS_PROXY must be one for http or https, not socks5"
    assert [run(*command) for command in commands] == [Ended(2, "", [refusal])] * 3
    monkeypatch.delenv("HTTPS_PROXY")
    refusal = f"planhat-async: {rows} contains no certificate in PEM form"
    assert [run(*command, "--ca-file", rows) for command in commands] == [Ended(2, "", [refusal])] * 3


def test_a_library_prints_nothing_by_itself() -> None:
    """Its warnings are for programs that configure logging."""
    program = "import logging, planhat_async; logging.getLogger('planhat_async.session').warning('answered 429')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
