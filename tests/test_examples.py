"""Test that the programs in `examples` run, on a sandbox.

Those that need more than the group `test` are skipped where their packages are missing; `.ci/engines` installs them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import documents
import pytest
from command_line import TOKEN
from made_ids import id_of

from planhat_async import Session, Tasks
from planhat_async.sandbox import Sandbox

EXAMPLES = documents.ROOT / "examples"


@pytest.fixture
def environment(sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs use the sandbox of this module, which has some tasks."""
    monkeypatch.setenv("PLANHAT_BASE_URL", sandbox)
    monkeypatch.setenv("PLANHAT_API_TOKEN", TOKEN)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def n_tasks(environment: None) -> int:  # noqa: ARG001 - set for the session, and for programs
    """Return the number of tasks in the sandbox, which are at least three."""
    rows = [{"sourceId": f"example-{n}", "companyId": id_of(1), "action": f"Call {n}"} for n in range(3)]
    async with Session() as session:
        await Tasks(session).upsert_many(rows)
        return len(await Tasks(session).all())


def program(*arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    command = [str(one) for one in arguments]
    environment = {**os.environ, **settings}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def imported(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import an example, as a program in its folder would."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return __import__(name)


def test_every_example_is_listed() -> None:
    """In the folder's own README, and the folder in that of the project."""
    index = (EXAMPLES / "README.md").read_text()
    names = [path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh", ".ipynb"}]
    assert [name for name in names if f"]({name})" not in index] == []
    assert "(examples/README.md)" in (documents.ROOT / "README.md").read_text()


@pytest.mark.slow
def test_nightly_changes(n_tasks: int, tmp_path: Path) -> None:
    """The first night writes all tasks, the second what changed; a failed night leaves the state as it was."""
    script = EXAMPLES / "nightly_changes.py"
    first = program(sys.executable, script, tmp_path / "nights")
    assert (first.returncode, first.stdout, first.stderr) == (0, f"{n_tasks} tasks\n", "")
    state = (tmp_path / "nights" / "state.json").read_text()
    assert json.loads(state)["since"] > "2024"
    failed = program(sys.executable, script, tmp_path / "others", PLANHAT_API_TOKEN="wrong")
    assert failed.returncode == 3
    assert "401" in failed.stderr
    assert not (tmp_path / "others" / "state.json").exists()
    failed = program(sys.executable, script, tmp_path / "nights", PLANHAT_API_TOKEN="wrong")
    assert failed.returncode == 2
    assert "perhaps for another tenant" in failed.stderr
    assert (tmp_path / "nights" / "state.json").read_text() == state
    assert program(sys.executable, script, tmp_path / "nights").returncode == 0
    rows = [len(path.read_text().splitlines()) for path in sorted((tmp_path / "nights").glob("tasks-*.jsonl"))]
    assert rows == [n_tasks, 3]  # the tasks that the test has just written come again: the walks overlap
    assert program(sys.executable, script).returncode == 2


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this machine")
@pytest.mark.usefixtures("environment")
def test_nightly_upsert(tmp_path: Path) -> None:
    """The alert names what is to be done; a night without problems is quiet."""
    head, good = "source_id,email,domains,title\n", "night-1,ada@acme.example,acme.example,Hello\n"
    (tmp_path / "tickets.csv").write_text(head + good)
    alert = tmp_path / "alert"
    alert.write_text('#!/bin/sh\necho "$1" > alerted.txt\ncat >> alerted.txt\n')
    alert.chmod(0o755)
    script = EXAMPLES / "nightly.sh"
    done = program("bash", script, "tickets.csv", "nights", ALERT=str(alert))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "alerted.txt").exists()

    (tmp_path / "tickets.csv").write_text(head + good + ",not an address,,\n")
    assert program("bash", script, "tickets.csv", "nights", ALERT=str(alert)).returncode == 1
    assert (tmp_path / "alerted.txt").read_text().startswith("some tickets were not stored: correct nights/")
    assert len(list((tmp_path / "nights").glob("*-rejected.csv"))) == 1

    (tmp_path / "other.csv").write_text(head + "night-2,ada@acme.example,acme.example,Hello\n")
    failed = program("bash", script, "other.csv", "nights", PLANHAT_API_TOKEN="wrong")
    assert failed.returncode == 3
    assert failed.stderr.startswith("Planhat refused the token: correct it, then the next run goes on")
    (tmp_path / "third.csv").write_text(head + "night-3,ada@acme.example,acme.example,Hello\n")
    failed = program("bash", script, "third.csv", "nights", PLANHAT_BASE_URL="http://127.0.0.1:1")
    assert failed.returncode == 3
    assert failed.stderr.startswith("Planhat could not be used: the next run goes on")


@pytest.mark.slow
@pytest.mark.engines
def test_duckdb(n_tasks: int, tmp_path: Path) -> None:
    """The table has a row for each task, and is replaced by the next run."""
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: .ci/engines installs it")
    for _ in range(2):
        done = program(sys.executable, EXAMPLES / "to_duckdb.py", "planhat.duckdb")
        assert (done.returncode, done.stdout) == (0, f"{n_tasks} tasks\n"), done.stderr
    with duckdb.connect(str(tmp_path / "planhat.duckdb")) as connection:
        found = connection.execute("SELECT count(*), count(sourceId), min(typeof(createdAt)) FROM tasks").fetchone()
    assert found == (n_tasks, n_tasks, "TIMESTAMP WITH TIME ZONE")


@pytest.fixture
def postgres() -> Iterator[str]:
    """Yield the URI of a Postgres in a folder of its own; Postgres does not run as root."""
    found = shutil.which("pg_ctl")
    if found is None:
        pytest.skip("there is no Postgres on this machine")
    commands = Path(found).resolve().parent
    # Not among pytest's folders: each run of pytest makes those private to root again.
    folder = Path(tempfile.mkdtemp())
    user = None
    if os.getuid() == 0:
        user = "postgres"
        shutil.chown(folder, user)
    data = folder / "data"

    def run(*arguments: str | Path) -> None:
        command = [str(one) for one in arguments]
        subprocess.run(command, cwd=folder, user=user, check=True, capture_output=True, timeout=60)

    run(commands / "initdb", "-D", data, "-A", "trust", "-U", "postgres")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    run(commands / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql:///postgres?host={folder}&user=postgres"
    finally:
        run(commands / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.engines
def test_postgres(n_tasks: int, request: pytest.FixtureRequest) -> None:
    """The table has a row for each task, and is replaced by the next run."""
    adbc = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="it is not installed: .ci/engines installs it")
    uri = request.getfixturevalue("postgres")
    for _ in range(2):
        done = program(sys.executable, EXAMPLES / "to_postgres.py", uri)
        assert (done.returncode, done.stdout) == (0, f"{n_tasks} tasks\n"), done.stderr
    with adbc.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute('SELECT count(*), count("sourceId"), min(pg_typeof("updatedAt")::text) FROM planhat_tasks')
        assert cursor.fetchone() == (n_tasks, n_tasks, "timestamp with time zone")


@pytest.mark.slow
@pytest.mark.engines
@pytest.mark.usefixtures("environment")
def test_the_notebook(tmp_path: Path) -> None:
    """All cells run, in a kernel whose own event loop runs meanwhile."""
    nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed: .ci/engines installs it")
    pytest.importorskip("nbclient", reason="nbclient is not installed: .ci/engines installs it")
    program_text = (
        "import sys, nbclient, nbformat\n"
        "book = nbformat.read(sys.argv[1], as_version=4)\n"
        "nbclient.NotebookClient(book, timeout=60).execute()\n"
        "nbformat.write(book, sys.argv[2])\n"
    )
    done = program(sys.executable, "-c", program_text, EXAMPLES / "tasks.ipynb", tmp_path / "run.ipynb")
    assert done.returncode == 0, done.stderr
    book = nbformat.read(tmp_path / "run.ipynb", as_version=4)
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.output_type for output in outputs] == [
        "execute_result",
        "stream",
        "execute_result",
        "execute_result",
    ]
    assert "not stored" in outputs[1].text
    source = nbformat.read(EXAMPLES / "tasks.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in source.cells)  # data of a tenant stays out of the repository


@pytest.mark.slow
@pytest.mark.engines
async def test_the_webhook_service(planhat_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret is checked before anything is read; what Planhat says is an answer of its own."""
    httpx = pytest.importorskip("httpx", reason="httpx is not installed: .ci/engines installs it")
    pytest.importorskip("fastapi", reason="fastapi is not installed: .ci/engines installs it")
    service = imported("webhook_service", monkeypatch)
    planhat_sandbox.add_company(id_of(9), external_id="acme", name="Acme")
    monkeypatch.setenv("PLANHAT_BASE_URL", planhat_sandbox.url)
    monkeypatch.setenv("PLANHAT_API_TOKEN", planhat_sandbox.token)
    monkeypatch.setenv("PLANHAT_WEBHOOK_SECRET", "our secret\n")
    app = service.app
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://us") as us:
        tasks = app.state.tasks
        task = await tasks.create({"companyId": id_of(9), "action": "Call", "status": "To-do"})
        known = {"X-Webhook-Secret": "our secret"}
        for headers in ({}, {"X-Webhook-Secret": "another"}):
            assert (await us.post("/webhooks/task", json={"_id": task.id}, headers=headers)).status_code == 401
        assert len(planhat_sandbox.requests) == 1
        answers = [
            await us.post("/webhooks/task", json=body, headers=known)
            for body in ({"_id": task.id}, {"_id": id_of(404)}, {"_id": 7}, {"_id": "../users"})
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 422, 422]
        assert [answer.json() for answer in answers[:2]] == [{"outcome": "To-do"}, {"outcome": "gone"}]
        found = (await us.get("/companies/acme/tasks")).json()
        assert found == [{"id": task.id, "action": "Call", "status": "To-do"}]
