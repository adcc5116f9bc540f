"""`planhat-async metrics`: what goes in, what is said, which code it ends with."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import FINISHING, FINISHING_SOON, Ended, listening, request_on, run, started
from pyarrow import Table
from pyarrow import parquet as pq

UUID = "0b54aee7-1a2b-4c3d-9e8f-0123456789ab"
COUNTS = ["processed", "received", "rejected", "invalid", "unknown", "unsent"]
CSV = "Metric,Users,Customer\nactive,3,acme\nactive,x,acme\nactive,4,globex\n"
MAPS = ("--map", "dimension_id=Metric", "--map", "value=Users", "--map", "external_id=Customer")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a sandbox."""
    folder = tmp_path_factory.mktemp("sandbox")
    with started(folder, "sandbox", "--port", "0", PLANHAT_TENANT_UUID=UUID) as process:
        yield listening(process)


@pytest.fixture(autouse=True)
def here(sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and the sandbox in the environment; no token."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLANHAT_API_TOKEN", raising=False)
    monkeypatch.setenv("PLANHAT_TENANT_UUID", UUID)
    monkeypatch.setenv("PLANHAT_ANALYTICS_URL", sandbox)
    (tmp_path / "m.csv").write_text(CSV)
    return tmp_path


def metrics(*arguments: str) -> Ended:
    ended = run("metrics", *arguments)
    assert UUID not in ended.out + "\n".join(ended.err)
    return ended


def as_json(*arguments: str) -> tuple[int, dict[str, Any]]:
    ended = metrics(*arguments, "--json")
    result = json.loads(ended.out)
    assert result["rows"] == sum(result[name] for name in COUNTS)
    return ended.code, result


def test_a_csv_file_is_sent() -> None:
    """By a mapping; the invalid row is named with its line."""
    ended = metrics("m.csv", *MAPS)
    assert (ended.code, ended.err) == (1, ["row 2 invalid: line 3: value: 'x' is not a number"])
    assert "processed │    2" in ended.out
    code, result = as_json("m.csv", *MAPS)
    assert (code, result["processed"], result["not_accepted"]) == (1, 2, {"invalid": [[2, 2]]})
    assert result["problems"] == [
        {"outcome": "invalid", "reason": "line 3: value: 'x' is not a number", "n_rows": 1, "rows": [[2, 2]]}
    ]


def test_a_csv_file_may_have_any_dialect(here: Path) -> None:
    """What was left out is said, also in a dry run."""
    (here / "m.tsv").write_text("dimensionId\tvalue\tExternal_ID\nactive\t3\tacme\n\t\t\n")
    code, result = as_json("m.tsv")
    assert (code, result["processed"], result["remarks"]) == (0, 1, ["1 blank row left out"])
    assert metrics("m.tsv", "--dry-run").err == ["1 blank row left out"]
    assert metrics("m.tsv").err == ["1 blank row left out"]


def test_jsonl_and_parquet_are_sent(here: Path) -> None:
    """In either spelling, with a value for all rows; nothing is wrong."""
    rows = [{"dimensionId": "active", "value": n, "external_id": f"acme-{n}"} for n in range(3)]
    (here / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert as_json("m.jsonl", "--set", "model=EndUser")[0] == 0
    pq.write_table(Table.from_pylist(rows), "m.parquet")
    code, result = as_json("m.parquet", "--chunk-size", "2", "--concurrency", "2")
    assert (code, result["processed"], result["calls"], result["ok"]) == (0, 3, 2, True)


@pytest.mark.slow
def test_standard_input_is_sent(here: Path, sandbox: str) -> None:
    """With its format."""
    with started(here, "metrics", "-", "--format", "csv", *MAPS, PLANHAT_ANALYTICS_URL=sandbox) as process:
        out, err = process.communicate(CSV, timeout=60)
    assert (process.returncode, "processed" in out, err.count("row 2 invalid")) == (1, True, 1)


def test_a_dry_run_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And needs no tenant UUID."""
    monkeypatch.delenv("PLANHAT_TENANT_UUID")
    monkeypatch.setenv("PLANHAT_ANALYTICS_URL", "http://127.0.0.1:1")
    ended = metrics("m.csv", *MAPS, "--dry-run")
    assert (ended.code, ended.err) == (1, ["row 2 invalid: line 3: value: 'x' is not a number"])
    plan = json.loads(metrics("m.csv", *MAPS, "--dry-run", "--json", "--chunk-size", "1").out)
    assert (plan["rows"], plan["invalid"], plan["to_send"], plan["calls"]) == (3, 1, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.csv",), "none.csv: No such file or directory"),
        (("m.csv",), "column 'Metric': Metric has no field 'Metric'"),
        (("m.csv", "--map", "company_id=Customer"), "Metric.company_id is filled in by Planhat"),
        (("m.csv", "--set", "value=x"), "--set: value: 'x' is not a number"),
        (("m.csv", *MAPS, "--tenant-file", "empty"), "empty contains no tenant UUID"),
        (("m.csv", *MAPS, "--tenant-file", "m.csv"), "the tenant UUID does not look like one"),
        (("m.csv", *MAPS, "--analytics-url", "nowhere"), "the base URL must look like https://analytics.planhat.com"),
    ],
)
def test_wrong_usage(here: Path, arguments: tuple[str, ...], said: str) -> None:
    """It is said in one line, and nothing is sent."""
    (here / "empty").write_text(" \n")
    ended = metrics(*arguments)
    assert (ended.code, ended.out, len(ended.err)) == (2, "", 1)
    assert said in ended.err[0]


def test_the_uuid_may_be_in_a_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else in the environment."""
    monkeypatch.delenv("PLANHAT_TENANT_UUID")
    assert metrics("m.csv", *MAPS).err == [
        "planhat-async: the tenant UUID is empty: pass one, or set PLANHAT_TENANT_UUID"
    ]
    (here / "uuid").write_text(f"{UUID}\n")
    assert metrics("m.csv", *MAPS, "--tenant-file", "uuid").code == 1


def test_a_wrong_uuid_cannot_be_used(here: Path) -> None:
    """It ends with the code for that."""
    (here / "uuid").write_text(UUID.replace("0", "1"))
    ended = metrics("m.csv", *MAPS, "--tenant-file", "uuid")
    assert ended.code == 3
    assert ended.err[-1].endswith('answered 401 (is the tenant UUID right?): {"error":"Unauthorized"}')


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("is_hurried", [False, True])
def test_an_interruption_says_what_is_unknown(here: Path, number: signal.Signals, *, is_hurried: bool) -> None:
    """Asked once, it waits for the answer; asked twice, the rows in flight are unknown. Others are unsent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        options = ("--chunk-size", "1", "--json", "--analytics-url", url)
        with started(here, "metrics", here / "m.csv", *MAPS, *options) as process:
            connection, _ = server.accept()
            with connection:
                assert [row["value"] for row in json.loads(request_on(connection))] == [3]
                process.send_signal(number)
                assert process.stderr is not None
                said = FINISHING_SOON if number == signal.SIGTERM else FINISHING
                assert process.stderr.readline() == said + "\n"
                if is_hurried:
                    process.send_signal(number)
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + b'{"processed":1}')
                out, err = process.communicate(timeout=60)
    result = json.loads(out)
    assert (process.returncode, err) == (130, "")
    assert result["rows"] == sum(result[name] for name in COUNTS)
    assert (result["unknown"], result["processed"]) == ((1, 0) if is_hurried else (0, 1))
    assert result["not_accepted"].get("unknown", []) == ([[1, 1]] if is_hurried else [])
    assert ("in flight were cancelled" in result["stopped_by"]) is is_hurried
    assert UUID not in out


def test_no_server_cannot_be_used() -> None:
    """It says so below the table, and which rows were not sent."""
    with socket.create_server(("127.0.0.1", 0)) as unheard:
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
    ended = metrics("m.csv", *MAPS, "--analytics-url", url)
    assert (ended.code, ended.err[1]) == (3, "rows 1, 3 unsent: see below")
    assert "no connection to" in ended.err[-1]


@pytest.mark.slow
def test_a_lost_answer_is_explained() -> None:
    """Unknown rows are listed, and not sent again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                request_on(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        ended = metrics("m.csv", *MAPS, "--analytics-url", f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join(60)
    assert ended.code == 1
    assert [line.partition(":")[0] for line in ended.err] == [
        "row 2 invalid",
        "rows 1, 3 unknown",
        "unknown rows were not sent again",
    ]
