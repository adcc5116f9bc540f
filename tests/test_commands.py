"""Test the common parts of commands: signals on every platform, event loop and thread."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import as_on_windows
import event_loops
import pytest
from command_line import request_on

import planhat_async
from planhat_async.cli.app import app
from planhat_async.cli.signals import ENDING_SIGNALS, run, signals_handled

ROW = '{"sourceId": "%d", "email": "a@b.example", "domains": ["b.example"]}\n'
FINISHING = "finishing the chunks in flight; interrupt again to stop at once\n"


def loops() -> list[str]:
    names = ["asyncio"] if sys.platform == "win32" else ["asyncio", "uvloop"]
    return names if sys.version_info < (3, 12) else [*names, *(f"{name}-eager" for name in names)]


async def _came(number: signal.Signals, came: list[tuple[str, int]]) -> None:
    """Wait at most a minute for the handler of a signal that this process sends itself."""
    n_before = len(came)
    os.kill(os.getpid(), number)
    async with asyncio.timeout(60):
        while len(came) == n_before:  # noqa: ASYNC110 - it looks at each step of the loop
            await asyncio.sleep(0)


@pytest.mark.parametrize("loop", loops())
def test_signals_are_handled_in_the_loop_and_restored(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The innermost handler is active; each exit restores the one before it."""
    monkeypatch.setenv(event_loops.VARIABLE, loop.removeprefix("asyncio-"))
    came: list[tuple[str, int]] = []
    before = [signal.getsignal(one) for one in ENDING_SIGNALS]

    async def main() -> None:
        around = [signal.getsignal(one) for one in ENDING_SIGNALS]
        with signals_handled(lambda number: came.append(("outer", number)), signal.SIGTERM):
            with signals_handled(lambda number: came.append(("inner", number))):
                await _came(signal.SIGTERM, came)
                await _came(signal.SIGINT, came)
            await _came(signal.SIGTERM, came)
        assert [signal.getsignal(one) for one in ENDING_SIGNALS] == around

    with asyncio.Runner(loop_factory=event_loops.made) as runner:
        runner.run(main())
    assert came == [("inner", signal.SIGTERM), ("inner", signal.SIGINT), ("outer", signal.SIGTERM)]
    assert [signal.getsignal(one) for one in ENDING_SIGNALS] == before


@pytest.mark.parametrize("loop", loops())
def test_a_signal_wakes_a_waiting_loop(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may deliver it to another thread, which does not interrupt the wait."""
    monkeypatch.setenv(event_loops.VARIABLE, loop.removeprefix("asyncio-"))
    main_thread = threading.main_thread().ident or 0
    where_it_waits = "run" if "uvloop" in loop else "select"

    def send_once_it_waits() -> None:
        while sys._current_frames()[main_thread].f_code.co_name != where_it_waits:
            pass
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    async def main() -> None:
        ended = asyncio.Event()
        with signals_handled(lambda _: ended.set()):
            thread = threading.Thread(target=send_once_it_waits)
            thread.start()
            started = asyncio.get_running_loop().time()
            await asyncio.wait_for(ended.wait(), 60)
            assert asyncio.get_running_loop().time() < started + 59
            thread.join()

    with asyncio.Runner(loop_factory=event_loops.made) as runner:
        runner.run(main())


def test_a_command_runs_in_any_thread(tmp_path: Path) -> None:
    """Outside the main thread, it handles no signals."""
    ended: list[int] = []

    def command(*arguments: str) -> None:
        with pytest.raises(SystemExit) as exited:
            app(arguments)
        ended.append(exited.value.code if isinstance(exited.value.code, int) else -1)

    file = tmp_path / "tickets.jsonl"
    file.write_text(ROW % 1)
    with socket.create_server(("127.0.0.1", 0)) as unheard:
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
    environment = {"PLANHAT_API_TOKEN": "t", "PLANHAT_BASE_URL": url}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for arguments in (("demo", "--rows", "3"), ("upsert", "tickets", str(file), "--dry-run")):
            thread = threading.Thread(target=command, args=arguments)
            thread.start()
            thread.join(timeout=60)
    assert ended == [0, 0]


def test_a_finished_run_restores_signal_handlers() -> None:
    """A program that calls commands handles its own signals afterwards."""
    before = [signal.getsignal(one) for one in ENDING_SIGNALS]

    async def main() -> int:
        assert signal.getsignal(signal.SIGTERM) not in before
        return 7

    assert run(main()) == 7
    assert [signal.getsignal(one) for one in ENDING_SIGNALS] == before


# Windows, as far as another system can imitate it.


@contextlib.contextmanager
def windows(folder: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a process of its own, without the features that Windows lacks."""
    process = subprocess.Popen(
        [sys.executable, as_on_windows.__file__, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_commands_run_on_windows(tmp_path: Path) -> None:
    """A sandbox ended by Ctrl-C, an upsert, exports, one of them read in part, and the status of a job all work."""
    (tmp_path / "tickets.jsonl").write_text(ROW % 1)
    with windows(tmp_path, "sandbox", "--port", "0", PLANHAT_API_TOKEN="t") as sandbox:
        assert sandbox.stdout is not None
        line = sandbox.stdout.readline()
        found = re.fullmatch(r"listening on (\S+)\n", line)
        assert found is not None, line + sandbox.communicate()[1]
        assert sandbox.stdout.readline() == f"in another terminal: export PLANHAT_BASE_URL={found[1]}\n"
        environment = {"PLANHAT_BASE_URL": found[1], "PLANHAT_API_TOKEN": "t"}
        for arguments in (
            ("upsert", "tickets", "tickets.jsonl", "--journal", "job.db", "--rejects", "bad.jsonl"),
            ("jobs", "status", "job.db"),
            ("export", "tickets", "-o", "tickets.csv"),
            ("export", "tickets", "-o", "tickets.parquet"),
            ("fields", "tickets"),
        ):
            with windows(tmp_path, *arguments, **environment) as command:
                _, err = command.communicate(timeout=60)
                assert (command.returncode, "Traceback" in err) == (0, False), err
        with windows(tmp_path, "export", "tickets", **environment) as command:
            assert command.stdout is not None
            command.stdout.close()
            assert command.stderr is not None
            assert (command.stderr.read(), command.wait(timeout=60)) == ("", 141)
        sandbox.send_signal(signal.SIGINT)
        assert (sandbox.communicate(timeout=60), sandbox.returncode) == (("", ""), 0)
    assert (tmp_path / "tickets.csv").read_text().count("a@b.example") == 1


def _request(connection: socket.socket) -> None:
    connection.settimeout(60)
    received = b""
    while not received.endswith(b"]"):
        received += connection.recv(65536)


@pytest.mark.slow
@pytest.mark.parametrize("n_times", [1, 2])
def test_ctrl_c_ends_an_upsert_on_windows(tmp_path: Path, n_times: int) -> None:
    """The first waits for requests in flight, the second cancels them; the result is shown in both cases."""
    (tmp_path / "tickets.jsonl").write_text(ROW % 1 + ROW % 2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        environment = {"PLANHAT_API_TOKEN": "t", "PLANHAT_BASE_URL": f"http://127.0.0.1:{server.getsockname()[1]}"}
        options = ("--chunk-size", "1", "--concurrency", "1", "--json")
        with windows(tmp_path, "upsert", "tickets", "tickets.jsonl", *options, **environment) as process:
            connection, _ = server.accept()
            with connection:
                _request(connection)
                process.send_signal(signal.SIGINT)
                assert process.stderr is not None
                assert process.stderr.readline() == FINISHING
                if n_times > 1:
                    process.send_signal(signal.SIGINT)
                else:
                    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"created":1}')
                out, err = process.communicate(timeout=60)
    printed = json.loads(out)
    assert (process.returncode, err) == (130, "")
    assert (printed["created"], printed["unknown"]) == ((1, 0) if n_times == 1 else (0, 1))


@pytest.mark.slow
def test_ctrl_c_ends_an_export_on_windows(tmp_path: Path) -> None:
    """The message is one line."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        environment = {"PLANHAT_API_TOKEN": "t", "PLANHAT_BASE_URL": f"http://127.0.0.1:{server.getsockname()[1]}"}
        with windows(tmp_path, "export", "tickets", **environment) as process:
            connection, _ = server.accept()
            with connection:
                request_on(connection)
                process.send_signal(signal.SIGINT)
                assert process.communicate(timeout=60) == ("", "planhat-async: interrupted\n")
    assert process.returncode == 130


def _used(file: Path) -> Iterator[str]:
    """Yield the attributes of modules and the imported modules that a file uses."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                yield f"{module}.{name}"
            case ast.ImportFrom(module=str(module), names=names):
                yield from (module, *(f"{module}.{one.name}" for one in names))
            case ast.Import(names=names):
                yield from (one.name for one in names)


MISSING = {
    *as_on_windows.MODULES,
    *(f"{module.__name__}.{name}" for module, names in as_on_windows.NAMES.items() for name in names),
    *(
        "socket.AF_UNIX",
        "os.sendfile",
        "os.sched_getaffinity",
        "os.waitpid",
        "os.O_CLOEXEC",
        "os.O_NONBLOCK",
        "os.posix_spawn",
    ),
}


NOT_FOR_WINDOWS = {"locked_file", "runtime_folder"}
"""Modules that need `fcntl`; `host_window` does without them."""
MODULES = sorted(file for file in Path(planhat_async.__file__).parent.rglob("*.py") if file.stem not in NOT_FOR_WINDOWS)


def test_the_package_uses_no_feature_that_windows_lacks() -> None:
    """Uses protected by `getattr` are allowed; signal handlers of the event loop are not."""
    handlers = (".add_signal_handler", ".remove_signal_handler")
    found = [
        (str(file), name) for file in MODULES for name in _used(file) if name in MISSING or name.endswith(handlers)
    ]
    assert found == []
