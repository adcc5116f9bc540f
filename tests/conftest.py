"""Fixtures and settings of many tests."""

import gc
import os
from asyncio import AbstractEventLoop
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import event_loops
import pytest
from command_line import TOKEN, Desk, prefixes
from hypothesis import HealthCheck, settings
from sandbox_thread import sandbox_thread

from benchmarks.redis_server import EXECUTABLE, RedisServer
from planhat_async import Session
from planhat_async.sandbox import Sandbox

# The time to generate examples means little if several processes share a core.
settings.register_profile("shared", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("shared")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    """Run each coroutine test on the event loop chosen by the environment."""
    return {event_loops.chosen(): event_loops.made}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep at most `TEST_MAX_CASES` cases of each parametrised test, evenly spread, if that is set.

    A property is then tested with ten times as many examples at most. The kind of event loop and the versions of
    packages matter to each test, but not to each of its cases.
    """
    most = int(os.environ.get("TEST_MAX_CASES", "0"))
    if not most:
        return
    for function in {item.function for item in items if isinstance(item, pytest.Function)}:
        chosen: settings | None = getattr(function, "_hypothesis_internal_use_settings", None)
        if chosen is not None:
            fewer = settings(chosen, max_examples=min(chosen.max_examples, 10 * most))
            vars(function)["_hypothesis_internal_use_settings"] = fewer
    cases = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        cases[item.nodeid.partition("[")[0]].append(item)
    kept = {id(found[index * len(found) // most]) for found in cases.values() for index in range(most)}
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept])
    items[:] = [item for item in items if id(item) in kept]


def pytest_collection_finish() -> None:
    """Leave the thousands of tests out of every later garbage collection, of which some tests ask for many."""
    gc.collect()
    gc.freeze()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark tests that run commands on a sandbox."""
    if isinstance(item, pytest.Function) and "sandbox" in item.fixturenames:
        item.add_marker(pytest.mark.command)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """With `--dist loadgroup`, run the files `test_spark*` in one process: they share a session, and its JVM is large.

    A mark would do it, but what pytest-xdist 3.8 writes into a test's id is not read by pytest 9.
    """
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # noqa: PLC0415 - only with xdist

    class SparkInOneProcess(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return "spark" if nodeid.startswith("tests/engines/test_spark") else nodeid

    return SparkInOneProcess(config, log)


@pytest.fixture(scope="session", autouse=True)
def own_runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Share the pace with nothing outside these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        patch.delenv("PLANHAT_SHARED_PACE", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_certificates_of_the_system() -> Iterator[None]:
    """Load none: that takes a tenth of the time in which each command of a test starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            patch.setenv(name, os.devnull)
        yield


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Yield a Redis that a test may kill, stop and start again."""
    if EXECUTABLE is None:
        pytest.skip("there is no redis-server on this machine")
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def lasting_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Yield a Redis for many tests; each has a token of its own."""
    if EXECUTABLE is None:
        pytest.skip("there is no redis-server on this machine")
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def planhat() -> AsyncIterator[Sandbox]:
    """Yield a sandbox without limits."""
    async with Sandbox(token="secret-token", per_minute=None, per_second=None) as sandbox:
        yield sandbox


@pytest.fixture
async def session(planhat: Sandbox) -> AsyncIterator[Session]:
    """Yield a session that is open on the sandbox."""
    async with Session(planhat.token, base_url=planhat.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """Yield the URL of a sandbox for commands: in a thread, because a process takes a second to start."""
    with sandbox_thread(Sandbox(TOKEN, per_minute=None)) as running:
        yield running.planhat.url


@pytest.fixture
def desk(
    tmp_path: Path, sandbox: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Desk:
    """Return a desk with the sandbox in the environment; the calls of other tests count for none of its commands."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    monkeypatch.setenv("PLANHAT_BASE_URL", sandbox)
    monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, sandbox, next(prefixes))
