"""Test the options for those who operate a command: its log, its metrics, its end at a signal."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import virtual_time
from command_line import GOOD, HEAD, TOKEN, Desk, Ended, good, listening, request_on, run, started
from fakes import FakeTransport

from planhat_async import Session, UpsertResult
from planhat_async._http.wire import Response
from planhat_async.analytics.send_result import SendResult
from planhat_async.cli import console, interruptions, metrics_command, metrics_file
from planhat_async.cli.export_progress import followed_export
from planhat_async.cli.job_display import follow
from planhat_async.cli.metrics_file import MetricsFile, metrics_refreshed, metrics_written
from planhat_async.cli.operation import operated
from planhat_async.cli.run_log import LogFormat, log, logging_as, without_rows
from planhat_async.errors import BadRequestError, DecodeError
from planhat_async.session import SessionStats

BAD = ",eve(at)acme.example,acme.example,No key\n@9,not an address,acme.example,Private\n"
PRIVATE = ("acme.example", "Hello", "Private", "not an address", "private", TOKEN)


def events_of(ended: Ended) -> list[dict[str, Any]]:
    """The events of a log in JSON, without their times."""
    events = [json.loads(line) for line in ended.err]
    for event in events:
        assert event.pop("time").endswith("Z")
        for name in ("seconds", "waited"):
            event.pop(name, None)
    return events


class TestLog:
    """`--log-format json` and `--quiet`."""

    def test_each_event_is_an_object_without_contents_of_rows(self, desk: Desk) -> None:
        """Chunks, calls, problems and the result; the exit code stays, and the table is left out."""
        rows = (good(1) + good(2) + BAD).replace("@", "@private")
        file = desk.file("t.csv", HEAD + rows)
        ended = run("upsert", "tickets", file, "--chunk-size", "1", "--concurrency", "1", "--log-format", "json")
        assert (ended.code, ended.out) == (1, "")
        assert not any(word in line for line in ended.err for word in PRIVATE)
        events = events_of(ended)
        named = {"command": "upsert", "model": "tickets"}
        assert events[0] == {"level": "info", "event": "start", **named}
        assert events[-1] == {"level": "warning", "event": "end", **named, "exit_code": 1}
        call = {"level": "debug", "event": "call", "method": "PUT", "route": "/tickets", "attempt": 1, "status": 200}
        assert [event for event in events if event["event"] == "call"] == [call] * 2
        chunks = sorted((one for one in events if one["event"] == "chunk"), key=lambda chunk: chunk["chunk"])
        assert chunks[0] == {"level": "info", "event": "chunk", "model": "tickets", "chunk": 0, "rows": 1, "created": 1}
        assert sum(chunk["rows"] for chunk in chunks) == 4
        result, *problems = events[-4:-1]
        assert result == {"level": "warning", "event": "result", "rows": 4, "created": 2, "invalid": 2}
        problem = {"level": "warning", "event": "problem", "outcome": "invalid", "rows": 1, "first_row": 4}
        reason = "email: '…' is not an e-mail address such as ada@example.com"
        assert {**problem, "reason": reason} in problems

    def test_json_on_standard_output_is_as_without_it(self, desk: Desk) -> None:
        """The two do not mix."""
        ended = run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD), "--json", "--log-format", "json")
        assert json.loads(ended.out)["created"] == 1
        assert events_of(ended)[-1]["exit_code"] == 0

    @pytest.mark.parametrize(
        "command",
        [["upsert", "tickets", "t.csv"], ["delete", "tickets", "ids.txt", "--yes"], ["export", "--all", "all"]],
    )
    def test_a_wrong_token_is_an_event_with_its_status(
        self, desk: Desk, command: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With `--json` too, so that a script can tell it from a server that cannot be reached."""
        desk.file("t.csv", HEAD + GOOD)
        desk.file("ids.txt", "5fd76c4daf9f4601dd313b05\n")
        monkeypatch.setenv("PLANHAT_API_TOKEN", "wrong-token")
        for options in ([], ["--json"]):
            ended = run(*command, *options, "--log-format", "json")
            errors = [(one["error"], one["status"]) for one in events_of(ended) if one["event"] == "error"]
            assert (ended.code, errors, bool(ended.out)) == (3, [("AuthenticationError", 401)], bool(options))

    @pytest.mark.parametrize(
        ("command", "events"),
        [
            (["upsert", "tickets", "t.csv"], {"result", "problem"}),
            (["delete", "tickets", "ids.txt", "--yes"], {"result", "problem"}),
            (["metrics", "m.csv"], {"result", "problem"}),
            (["export", "--all", "all"], {"exported"}),
        ],
    )
    def test_json_on_standard_output_leaves_out_no_event(
        self, desk: Desk, command: list[str], events: set[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A log has the same events with `--json` and without it; a text says nothing beside `--json`."""
        desk.file("t.csv", HEAD + BAD)
        desk.file("ids.txt", "none\n")
        desk.file("m.csv", "dimension_id,value,external_id\nactive,x,acme\n")
        monkeypatch.setenv("PLANHAT_TENANT_UUID", "0b54aee7-1a2b-4c3d-9e8f-0123456789ab")
        ended = run(*command, "--json", "--log-format", "json")
        assert events <= {one["event"] for one in events_of(ended)}
        if command[0] != "export":
            assert run(*command, "--json").err == []

    def test_an_error_is_an_event(self, desk: Desk) -> None:
        """It has a name, and the message of the text."""
        ended = run("upsert", "tickets", desk.folder / "none.csv", "--log-format", "json")
        message = f"{desk.folder}/none.csv: No such file or directory"
        error = {"level": "error", "event": "error", "error": "SourceError", "message": message}
        assert (ended.code, events_of(ended)[1]) == (2, error)

    @pytest.mark.parametrize(
        ("command", "event"),
        [
            (["export", "tickets", "-o", "t.jsonl"], {"event": "exported", "model": "tickets"}),
            (["delete", "tickets", "ids.txt", "--yes"], {"event": "result", "rows": 1, "missing": 1}),
        ],
    )
    def test_every_command_has_the_log(self, desk: Desk, command: list[str], event: dict[str, Any]) -> None:
        """A key is not in the route of a call."""
        desk.file("ids.txt", "5fd76c4daf9f4601dd313b05\n")
        ended = run(*command, "--log-format", "json")
        assert ended.code == 0
        assert any(event.items() <= found.items() for found in events_of(ended))
        routes = {found["route"] for found in events_of(ended) if found["event"] == "call"}
        assert routes <= {"/tickets", "/tickets/{id}"}
        assert "5fd76c4daf9f4601dd313b05" not in "".join(ended.err)

    def test_a_quiet_command_says_nothing_of_a_success(self, desk: Desk) -> None:
        """Cron sends no mail then; with `--json` the result is printed all the same."""
        file = desk.file("t.csv", HEAD + GOOD)
        assert run("upsert", "tickets", file, "--quiet") == Ended(0, "", [])
        assert run("export", "tickets", "-o", "t.jsonl", "-q") == Ended(0, "", [])
        assert json.loads(run("upsert", "tickets", file, "-q", "--json").out)["rows"] == 1

    def test_a_quiet_command_says_problems(self, desk: Desk) -> None:
        """And errors."""
        ended = run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD + BAD), "--quiet")
        assert (ended.code, ended.out, len(ended.err)) == (1, "", 2)
        assert ended.err[0] == "row 2 invalid: one of source_id or id is required"
        assert run("upsert", "tickets", "none.csv", "-q").err == ["planhat-async: none.csv: No such file or directory"]

    def test_warnings_of_the_library_are_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        """As lines, or as events with their fields; a warning that has none does not quote rows."""
        logger = logging.getLogger("planhat_async.session")

        def command() -> None:
            fields = {"event": "pause", "method": "GET", "route": "/tasks", "status": 429}
            logger.warning("GET /tasks/42: answered 429", extra={"planhat": fields})
            logger.warning("skipped: 'Private'")
            logger.info("not shown")

        run_it = operated(command)
        run_it()
        assert capsys.readouterr().err == "GET /tasks/42: answered 429\nskipped: 'Private'\n"
        run_it(log_format=LogFormat.JSON)
        said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert {"event": "pause", "route": "/tasks", "status": 429, "level": "warning"}.items() <= said[1].items()
        assert (said[2]["event"], said[2]["message"]) == ("notice", "skipped: '…'")
        logger.warning("after the command")
        assert capsys.readouterr().err == ""

    def test_answers_are_not_quoted(self) -> None:
        """Planhat quotes rows in its own words."""
        refusal = BadRequestError(
            "PUT https://x/tickets answered 400: Private", status=400, method="PUT", path="/tickets"
        )
        assert without_rows(refusal) == "PUT answered 400"
        assert without_rows(DecodeError("GET /x: the answer is not JSON (status 200): Private")) == (
            "GET /x: the answer is not JSON"
        )

    def test_progress_is_an_event(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Every ten seconds, with the outcomes so far."""

        class SlowJob:
            result = UpsertResult(created=3)

            async def __aiter__(self) -> Any:
                await virtual_time_passes(25)
                return
                yield

        session: Any = SimpleNamespace(stats=SessionStats(), calls_left=7, seconds_until_bulk_call=lambda _: 0.0)
        source: Any = SimpleNamespace(path=Path("t.csv"), total_bytes=None, rows_read=3, bytes_read=0)
        job: Any = SlowJob()
        for is_quiet, times in ((False, 2), (True, 0)):
            with logging_as(LogFormat.JSON, is_quiet=is_quiet):
                virtual_time.run(follow(session, job, source, None, model="tickets"))
            said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
            assert [(one["event"], one["rows"], one["created"]) for one in said] == [("progress", 3, 3)] * times
        assert not log.is_json


class TestProgress:
    """Lines without a terminal, of commands whose progress is no job's."""

    def test_an_export_says_its_progress_every_ten_seconds(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Once it has begun; with the records of the model that is being exported."""
        session: Any = SimpleNamespace(stats=SessionStats(), calls_left=7)

        async def main() -> None:
            with followed_export(session, "export", total=2) as progress:
                async with progress.shown():
                    await virtual_time_passes(11)
                    progress.begin("tasks", 0)
                    progress.advance(2000)
                    await virtual_time_passes(10)
                    progress.end("tasks", 2001)
                    progress.begin("users", 1)
                    await virtual_time_passes(10)

        virtual_time.run(main())
        lines = ["tasks: 2,000 records; 7 calls left this minute", "users: 1 record; 7 calls left this minute"]
        assert capsys.readouterr().err.splitlines() == lines

    def test_metrics_say_their_progress_every_ten_seconds(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With the outcomes so far."""

        class SlowRun:
            result = SendResult(processed=3)

            async def __aenter__(self) -> None:
                pass

            async def __aexit__(self, *_: object) -> None:
                pass

            async def __aiter__(self) -> Any:
                await virtual_time_passes(15)
                return
                yield

        run_: Any = SlowRun()
        analytics: Any = SlowRun()
        analytics.stats = SessionStats()
        source: Any = SimpleNamespace(path=Path("m.csv"), total_bytes=None, bytes_read=0)
        virtual_time.run(metrics_command._follow(analytics, source, run_))
        assert capsys.readouterr().err == "3 rows: 3 processed\n"


async def virtual_time_passes(seconds: float) -> None:
    await asyncio.sleep(seconds)


def metrics_in(file: Path) -> dict[str, float]:
    """The values in a file of metrics, by name and labels; each has its help and its type."""
    lines = file.read_text().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    names = {name.partition("{")[0] for name in values}
    for word in ("HELP", "TYPE"):
        assert {line.split()[2] for line in lines if line.startswith(f"# {word} ")} == names
    return {name: float(value) for name, value in values.items()}


class TestMetrics:
    """`--metrics FILE`."""

    def test_the_file_counts_rows_calls_and_the_exit_code(self, desk: Desk) -> None:
        """It can be read by another user, and nothing is left beside it."""
        file = desk.file("t.csv", HEAD + good(1) + good(2) + BAD)
        before = time.time()
        assert run("upsert", "tickets", file, "--chunk-size", "1", "--metrics", "u.prom").code == 1
        found = metrics_in(Path("u.prom"))
        labels = '{command="upsert",model="tickets"}'
        outcomes = {name: value for name, value in found.items() if name.startswith("planhat_rows") and value}
        start = '{command="upsert",model="tickets",outcome='
        assert outcomes == {f'planhat_rows{start}"created"}}': 2, f'planhat_rows{start}"invalid"}}': 2}
        for name, value in {"calls_total": 2, "attempts_total": 2, "retries_total": 0, "run_exit_code": 1}.items():
            assert found[f"planhat_{name}{labels}"] == value
        assert before - 0.001 <= found[f"planhat_run_end_timestamp_seconds{labels}"] <= time.time() + 0.001
        assert Path("u.prom").stat().st_mode & 0o777 == 0o666 & ~_umask()
        assert sorted(os.listdir()) == ["t.csv", "u.prom"]

    @pytest.mark.parametrize(
        ("command", "name"),
        [
            (["export", "tickets", "-o", "t.jsonl"], 'planhat_calls_total{command="export",model="tickets"}'),
            (["export", "--all", "all"], 'planhat_calls_total{command="export",model="all"}'),
            (
                ["delete", "tickets", "i.txt", "--yes"],
                'planhat_rows{command="delete",model="tickets",outcome="missing"}',
            ),
        ],
    )
    @pytest.mark.slow
    def test_every_command_has_metrics(self, desk: Desk, command: list[str], name: str) -> None:
        """With the model, or all of them."""
        desk.file("i.txt", "5fd76c4daf9f4601dd313b05\n")
        assert run(*command, "--metrics", "m.prom").code == 0
        assert metrics_in(Path("m.prom"))[name] > 0

    def test_a_file_that_cannot_be_written_is_refused_before_any_call(self, desk: Desk) -> None:
        """As any wrong option."""
        ended = run("upsert", "tickets", desk.file("t.csv", HEAD + GOOD), "--metrics", "none/u.prom")
        assert ended == Ended(2, "", ["planhat-async: --metrics none/u.prom: No such file or directory"])

    def test_they_replace_neither_the_input_nor_the_output(self, desk: Desk) -> None:
        """A file of metrics is replaced, any other is kept."""
        file = desk.file("t.csv", HEAD + GOOD)
        held, refusal = Path(file).read_bytes(), "was not written: the file exists, and is not one of metrics"
        ended = run("upsert", "tickets", file, "--metrics", file)
        assert (ended.code, Path(file).read_bytes()) == (2, held)
        assert desk.stored() == {}
        assert run("upsert", "tickets", file).code == 0  # an empty file may be replaced
        assert run("export", "tickets", "-o", "out.jsonl").code == 0
        written = Path("out.jsonl").read_bytes()
        ended = run("export", "tickets", "-o", "same.jsonl", "--metrics", "same.jsonl")
        assert (Path("same.jsonl").read_bytes(), refusal in ended.err[-1]) == (written, True)

    def test_a_file_that_can_no_longer_be_written_does_not_end_the_run(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is said once."""
        folder = tmp_path / "folder"
        folder.mkdir()

        def command() -> None:
            (folder / "c.prom").unlink()
            folder.rmdir()
            metrics_file._current.try_to_write()  # type: ignore[union-attr]

        operated(command)(metrics_path=folder / "c.prom")
        assert capsys.readouterr().err == f"{folder}/c.prom was not written: No such file or directory\n"

    def test_it_is_written_every_ten_seconds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without an end while the run lasts."""
        written: list[int] = []
        stats = SessionStats()

        async def main() -> None:
            metrics_file.watch(stats, lambda: {"tasks": {"created": 5}})
            async with metrics_refreshed():
                await virtual_time_passes(35)

        monkeypatch.setattr(MetricsFile, "try_to_write", lambda self, **_: written.append(self.write()))
        path = tmp_path / "m.prom"
        with metrics_written(path, command="upsert", model="tasks"):
            virtual_time.run(main())
            found = metrics_in(path)
        assert len(written) == 3
        assert found['planhat_rows{command="upsert",model="tasks",outcome="created"}'] == 5
        assert not any("exit_code" in name for name in found)
        virtual_time.run(main())  # no file: nothing is written
        assert len(written) == 3


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class TestLostLog:
    """A standard error that cannot be written."""

    @pytest.mark.parametrize("log_format", LogFormat)
    def test_a_log_whose_reader_is_gone_ends_no_run(
        self, log_format: LogFormat, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An exception would reach the session, and leave the rows in flight unknown."""
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as gone:
            monkeypatch.setattr("sys.stderr", gone)
            with logging_as(log_format, is_quiet=False):
                for _ in range(2):
                    log.write("call")
                    console.tell("a line")
            monkeypatch.undo()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
    @pytest.mark.parametrize("log_format", LogFormat)
    def test_a_full_disk_keeps_the_exit_code(self, log_format: LogFormat, monkeypatch: pytest.MonkeyPatch) -> None:
        """Python would end with 120 if it could not flush at its end."""
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            monkeypatch.setattr("sys.stderr", full)
            with logging_as(log_format, is_quiet=False):
                log.write("call")
                console.tell("a line")
            monkeypatch.undo()
            full.flush()

    @pytest.mark.parametrize("log_format", LogFormat)
    def test_a_program_may_have_no_standard_error(self, log_format: LogFormat, monkeypatch: pytest.MonkeyPatch) -> None:
        """Python sets it to `None` if it was closed before."""
        monkeypatch.setattr("sys.stderr", None)
        with logging_as(log_format, is_quiet=False):
            log.write("call")
            console.tell("a line")


class TestGrace:
    """What becomes of a command at SIGTERM."""

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_what_is_in_flight_after_the_grace_is_unknown(self, desk: Desk, number: signal.Signals) -> None:
        """The journal is closed, and the same command resumes: the row is stored once."""
        file = desk.file("t.csv", HEAD + good(1) + good(2))
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(60)
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            options = ("--chunk-size", "1", "--concurrency", "1", "--journal", "j.db")
            command = ("upsert", "tickets", file, *options)
            more = ("--grace", "0.3", "--base-url", url, "--log-format", "json")
            with started(desk.folder, *command, *more) as process:
                connection, _ = server.accept()
                with connection:
                    request_on(connection)
                    process.send_signal(number)
                    began = time.monotonic()
                    _, err = process.communicate(timeout=60)
        assert (process.returncode, time.monotonic() - began < 10) == (130, True)
        events = [json.loads(line) for line in err.splitlines()]
        (told,) = (event for event in events if event["event"] == "interrupted")
        assert (told["signal"], told["grace"]) == (number.name, 0.3)
        (result,) = (event for event in events if event["event"] == "result")
        assert (result["unknown"], result["rows"]) == (1, 1 + result["unsent"])
        assert run("jobs", "status", "j.db").err[1].endswith("; ended early: interrupted")
        with started(desk.folder, "sandbox", "--port", url.rpartition(":")[2], PLANHAT_API_TOKEN=TOKEN) as planhat:
            assert listening(planhat) == url
            resumed = run(*command, "--base-url", url, "--json")
        assert (resumed.code, json.loads(resumed.out)["created"]) == (0, 2)

    def test_ctrl_c_has_no_limit_by_default(self) -> None:
        """SIGTERM has one, below Kubernetes' 30 seconds."""
        assert interruptions.DEFAULT_GRACE < 30
        assert interruptions._grace_after(signal.SIGTERM) == interruptions.DEFAULT_GRACE
        assert interruptions._grace_after(signal.SIGINT) is None
        with interruptions.grace_set(3.0):
            assert interruptions._grace_after(signal.SIGINT) == interruptions._grace_after(signal.SIGTERM) == 3.0


@pytest.mark.slow
def test_an_open_session_writes_each_call_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A program that wants to know sets the level; the fields are an attribute of each record."""

    async def main() -> None:
        answers: list[Response | Exception | None] = [Response(status=503), Response(status=200, body=b"{}")]
        async with Session(TOKEN, transport=FakeTransport(answers)) as session:
            await session.request("GET", "/tasks/extid-private", params={"secret": "x"})

    with caplog.at_level(logging.DEBUG, logger="planhat_async.session"):
        virtual_time.run(main())
    fields = [record.planhat for record in caplog.records if hasattr(record, "planhat")]
    assert [{**one, "seconds": 0} for one in fields] == [
        {"event": "retry", "method": "GET", "route": "/tasks/{id}", "attempt": 1, "status": 503, "seconds": 0},
        {
            "event": "call",
            "method": "GET",
            "route": "/tasks/{id}",
            "attempt": 2,
            "status": 200,
            "seconds": 0,
            "waited": 0.0,
        },
    ]
