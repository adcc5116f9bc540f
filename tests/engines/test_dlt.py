"""Test Planhat as a source and as a destination of dlt."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from each_model import with_capability
from made_ids import id_of
from sandbox_thread import SandboxThread, sandbox_thread

from planhat_async import PermissionDeniedError, Session
from planhat_async._convert import fields_of, write_time
from planhat_async.models import ALL
from planhat_async.repositories import Lists, Upserts
from planhat_async.sandbox import Sandbox

dlt = pytest.importorskip("dlt", reason="dlt is not installed: .ci/engines installs it")
pytest.importorskip("duckdb", reason="duckdb is not installed: .ci/engines installs it")

from planhat_async.engines.dlt import planhat, planhat_source, problem_of  # noqa: E402 - needs dlt

pytestmark = [
    pytest.mark.engines,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),  # dlt's own
]

COMPANY = id_of(1)
MODELS: dict[str, Any] = {one.model.name: one for one in ALL}
TENANT = ["tasks", "tickets", "notes", "companies", "endusers", "users", "lean_companies"]
"""Two lists and a walk · comparisons · walks · a list that hides fields · a list in one call."""
PART = ["tasks", "tickets", "lean_companies"]
"""Those that differ most: each model costs seconds of dlt's."""
N_ROUNDS = 10 if os.environ.get("ENGINE_TESTS") == "all" else 3


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    """Yield a sandbox; the folder of the test is the current one and that of dlt."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("DLT_PROJECT_DIR", str(tmp_path))
    for name in ("PLANHAT_API_TOKEN", "PLANHAT_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with sandbox_thread(Sandbox("secret-token", per_minute=None, per_second=None)) as running:
        yield running


def into_duckdb(name: str = "copy") -> Any:
    return dlt.pipeline(name, destination=dlt.destinations.duckdb(f"{name}.duckdb"), dataset_name="planhat")


def rows_in(pipeline: Any, table: str) -> list[dict[str, Any]]:
    with pipeline.sql_client() as client, client.execute_query(f"SELECT * FROM {table}") as cursor:  # noqa: S608 - ours
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def as_sent(row: dict[str, Any], model: str) -> dict[str, Any]:
    """Return the record of a row, by Planhat's names."""
    naming = dlt.Schema("names").naming
    fields = {naming.normalize_identifier(one.wire): one for one in fields_of(MODELS[model].model.record).values()}
    record = json.loads(row.pop("extra") or "{}")
    assert row.pop("_deleted") is False
    held = {fields[name].wire: wire_value(value, fields[name].type) for name, value in row.items() if value is not None}
    return {**record, **held}


def wire_value(value: Any, kind: Any) -> Any:
    if isinstance(value, datetime):
        return write_time(value.astimezone(UTC))
    return json.loads(value) if isinstance(value, str) and kind is not str else value


def copied(pipeline: Any, model: str) -> dict[str, Any]:
    records = [as_sent(row, model) for row in rows_in(pipeline, model)]
    by_id = {record["_id"]: record for record in records}
    assert len(by_id) == len(records)
    return by_id


def listed(server: SandboxThread, model: str) -> dict[str, Any]:
    """Return what Planhat lists of a model, without nulls and secrets."""

    async def read() -> list[bytes]:
        async with server.session() as session:
            repository = MODELS[model](session)
            return [row async for row in repository.iter_json(**repository.model.everything)]

    secrets = {one.wire for one in fields_of(MODELS[model].model.record).values() if one.is_secret}
    records = [json.loads(row) for row in server.run(read())]
    return {
        record["_id"]: {name: value for name, value in record.items() if value is not None and name not in secrets}
        for record in records
    }


def now(server: SandboxThread) -> str:
    return write_time(datetime.fromtimestamp(server.planhat.now(), UTC))


def change(server: SandboxThread, model: str, draw: random.Random, records: list[dict[str, Any]]) -> None:
    """Put back these records, of which some are changed and some are missing, and some new ones."""
    for record in records:
        chance = draw.random()
        changed = {"custom": {"Round": draw.random()}, "updatedAt": now(server)} if chance < 0.3 else {}
        if chance >= 0.1:
            server.planhat.add(model, record | changed)
    for _ in range(draw.randrange(8)):
        fields = {"type": "ticket" if model == "tickets" else "note", "isArchived": draw.random() < 0.3}
        server.planhat.add(model, {"name": f"Ü {draw.random()}", "updatedAt": now(server), "odd": [1.5], **fields})


def change_all(server: SandboxThread, draw: random.Random) -> None:
    stores = ["tasks", "tickets", "notes", "companies", "endusers", "users"]
    before = {model: server.planhat.records(model) for model in stores}
    server.planhat.restore(Sandbox().snapshot())
    for model in stores:
        change(server, model, draw, before[model])


def test_a_copy_in_duckdb_equals_planhat_after_each_round(server: SandboxThread) -> None:
    """Records were created, changed and deleted before each round."""
    draw = random.Random(7)
    n_removed = 0
    for _ in range(1 + N_ROUNDS):
        before = {model: listed(server, model) for model in TENANT}
        change_all(server, draw)
        pipeline = into_duckdb()
        pipeline.run(planhat_source(TENANT, session=server.session()))
        expected = {model: listed(server, model) for model in TENANT}
        assert {model: copied(pipeline, model) for model in TENANT} == expected
        n_removed += sum(len(before[model].keys() - expected[model].keys()) for model in TENANT)
    assert n_removed >= 2 * N_ROUNDS


def test_an_empty_tenant_has_a_table_for_each_model(server: SandboxThread) -> None:
    """By default all models are copied, and no two fields of a model become one column."""
    pipeline = into_duckdb()
    pipeline.run(planhat_source(session=server.session()))
    for repository in with_capability(Lists):
        record = repository.model.record
        (columns,) = [
            {*table["columns"]}
            for table in pipeline.default_schema.data_tables()
            if table["name"] == repository.model.name
        ]
        n_public = len([one for one in fields_of(record).values() if not one.is_secret])
        assert len(columns) == n_public + 2
        assert rows_in(pipeline, repository.model.name) == []


def test_a_run_without_changes_loads_nothing(server: SandboxThread) -> None:
    """The rows of the first run stay."""
    change_all(server, random.Random(1))
    pipeline = into_duckdb()
    pipeline.run(planhat_source(PART, session=server.session()))
    first = {model: copied(pipeline, model) for model in PART}
    info = pipeline.run(planhat_source(PART, session=server.session()))
    jobs = [job.job_file_info.table_name for package in info.load_packages for job in package.jobs["completed_jobs"]]
    assert {*jobs} <= {"_dlt_pipeline_state"}
    assert {model: copied(pipeline, model) for model in PART} == first


def test_a_full_refresh_reads_everything_again(server: SandboxThread) -> None:
    """`replace` drops the state with the rows."""
    change_all(server, random.Random(1))
    pipeline = into_duckdb()
    pipeline.run(planhat_source(["tickets"], session=server.session()))
    with pipeline.sql_client() as client:
        client.execute_sql("DELETE FROM tickets")
    pipeline.run(planhat_source(["tickets"], session=server.session()), write_disposition="replace")
    assert copied(pipeline, "tickets") == listed(server, "tickets")


def test_a_resource_may_have_another_name(server: SandboxThread) -> None:
    """Its state has that name too, so a full refresh drops it."""
    change_all(server, random.Random(1))
    pipeline = into_duckdb()
    for disposition in ("merge", "replace"):
        renamed = planhat_source("tickets", session=server.session()).tickets.with_name("tickets_again")
        pipeline.run(renamed, write_disposition=disposition)
        assert len(rows_in(pipeline, "tickets_again")) == len(server.planhat.records("tickets"))


def test_resources_may_be_read_in_parallel(server: SandboxThread) -> None:
    """They share one session, and each has its own state."""
    pipeline = into_duckdb()
    for seed in (1, 2):
        change_all(server, random.Random(seed))
        pipeline.run(planhat_source(PART, session=server.session()).parallelize())
    assert {model: copied(pipeline, model) for model in PART} == {model: listed(server, model) for model in PART}


def test_recent_changes_cost_few_calls(server: SandboxThread) -> None:
    """Deleted records stay, until a run follows everything."""
    pipeline = into_duckdb()
    change_all(server, random.Random(1))
    pipeline.run(planhat_source(["tasks", "tickets"], session=server.session()))
    change_all(server, random.Random(2))
    n_calls = len(server.planhat.requests)
    pipeline.run(planhat_source(["tasks", "tickets"], follow="recent", session=server.session()))
    assert len(server.planhat.requests) - n_calls <= 4
    for model in ("tasks", "tickets"):
        assert copied(pipeline, model).keys() >= listed(server, model).keys()
    pipeline.run(planhat_source(["tasks", "tickets"], session=server.session()))
    for model in ("tasks", "tickets"):
        assert copied(pipeline, model) == listed(server, model)


def test_a_failed_run_is_made_up_for(server: SandboxThread) -> None:
    """Its changes are read again by the next one, and no session stays open."""
    change_all(server, random.Random(1))
    pipeline = into_duckdb()
    pipeline.run(planhat_source(TENANT, session=server.session()))
    change_all(server, random.Random(2))
    server.planhat.inject("http_500@9,http_500@10,http_500@11,http_500@12")
    with pytest.raises(Exception, match="500"):
        pipeline.run(planhat_source(TENANT, session=server.session()))
    server.planhat.inject()
    pipeline.run(planhat_source(TENANT, session=server.session()))
    assert {model: copied(pipeline, model) for model in TENANT} == {model: listed(server, model) for model in TENANT}


def test_the_state_comes_back_with_the_data(server: SandboxThread, tmp_path: Path) -> None:
    """A pipeline on another machine goes on with what is in the destination."""
    change_all(server, random.Random(1))
    into_duckdb().run(planhat_source(["tasks"], session=server.session()))
    (tmp_path / "dlt").rename(tmp_path / "lost")
    change_all(server, random.Random(2))
    pipeline = into_duckdb()
    pipeline.run(planhat_source(["tasks"], session=server.session()))
    assert copied(pipeline, "tasks") == listed(server, "tasks")


def test_models_that_the_token_may_not_read_are_left_out_of_all(
    server: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is named is an error."""
    server.planhat.add("tasks", {"action": "Call"})

    async def refuse(self: Any, request: Any, **_: Any) -> Any:
        if request.path == "/tickets":
            raise PermissionDeniedError("may not read tickets", status=403)
        return await send(self, request, **_)

    send = Session.send
    monkeypatch.setattr(Session, "send", refuse)
    pipeline = into_duckdb()
    pipeline.run(planhat_source(session=server.session()))
    assert len(rows_in(pipeline, "tasks")) == 1
    with pytest.raises(Exception, match="may not read tickets"):
        pipeline.run(planhat_source("tickets", session=server.session()))


def test_wrong_models_are_refused_at_once(server: SandboxThread) -> None:
    """With the nearest name."""
    with pytest.raises(ValueError, match=r"there is no model 'task' for this; did you mean tasks\?"):
        planhat_source(["task"], session=server.session())
    with pytest.raises(ValueError, match="there is no model 'workflows' for this"):
        planhat("workflows", session=server.session())
    with pytest.raises(ValueError, match="follow"):
        planhat_source(["tasks"], follow="all", session=server.session())  # type: ignore[arg-type]


def test_the_token_is_one_of_the_secrets_of_dlt(server: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that belongs to something else is not taken."""
    monkeypatch.setenv("TOKEN", "of something else")
    with pytest.raises(ValueError, match="PLANHAT_API_TOKEN"):
        planhat_source(["tasks"], base_url=server.planhat.url)
    monkeypatch.setenv("SOURCES__PLANHAT__TOKEN", server.planhat.token)
    monkeypatch.setenv("DESTINATION__PLANHAT__TOKEN", server.planhat.token)
    server.planhat.add("tasks", {"action": "Call"})
    pipeline = into_duckdb()
    info = pipeline.run(planhat_source(["tasks"], base_url=server.planhat.url))
    assert len(rows_in(pipeline, "tasks")) == 1
    destination = planhat("tasks", base_url=server.planhat.url)
    for shown in (info, pipeline.last_trace, pipeline.state, destination, vars(destination)):
        assert server.planhat.token not in f"{shown!s} {shown!r}"


def keyed(n: int) -> list[dict[str, Any]]:
    return [{"source_id": f"crm-{number}", "company_id": COMPANY, "action": str(number)} for number in range(n)]


def into_planhat(server: SandboxThread, model: str = "tasks", **options: Any) -> Any:
    destination = planhat(model, session=server.session(), **options)
    return dlt.pipeline("to_planhat", destination=destination)


def resource(rows: list[dict[str, Any]], **hints: Any) -> Any:
    return dlt.resource(rows, name="calls", **hints)


def test_a_table_becomes_records_in_batches(server: SandboxThread) -> None:
    """5,000 rows at a time; values keep their types, nulls clear nothing."""
    time = datetime(2026, 3, 1, 9, tzinfo=UTC)
    rows = [row | {"start_time": time, "custom": {"Seats": 3}, "activity_tags": ["a"]} for row in keyed(12_000)]
    into_planhat(server).run(resource(rows, columns={"status": {"data_type": "text"}}))
    assert [call.n_rows for call in server.planhat.requests] == [5000, 5000, 2000]
    tasks = server.planhat.records("tasks")
    assert [task["sourceId"] for task in tasks] == [row["source_id"] for row in rows]
    assert {name: tasks[0][name] for name in ("startTime", "custom", "activityTags")} == {
        "startTime": "2026-03-01T09:00:00.000Z",
        "custom": {"Seats": 3},
        "activityTags": ["a"],
    }
    into_planhat(server).run(resource([{"source_id": "crm-0", "action": None, "status": "done"}]))
    assert server.planhat.records("tasks")[0]["action"] == "0"


@pytest.mark.parametrize("disposition", ["append", "merge"])
def test_rows_are_added_or_updated_whatever_the_disposition(server: SandboxThread, disposition: str) -> None:
    """Planhat matches them on their key in any case."""
    for _ in range(2):
        into_planhat(server).run(resource(keyed(3), write_disposition=disposition, primary_key="source_id"))
    assert len(server.planhat.records("tasks")) == 3


def test_arrow_tables_are_sent_too(server: SandboxThread) -> None:
    """Their columns of JSON are decoded."""
    table = pa.table({"source_id": ["a", "b"], "company_id": [COMPANY] * 2, "custom": ['{"Seats": 3}', None]})
    into_planhat(server).run(dlt.resource([table], name="calls", columns={"custom": {"data_type": "json"}}))
    assert [task.get("custom") for task in server.planhat.records("tasks")] == [{"Seats": 3}, None]


def test_lost_answers_fail_the_run_and_the_next_one_resumes(server: SandboxThread) -> None:
    """Every answer is lost, in five tries of a batch; then all rows are stored, none twice."""
    pipeline = into_planhat(server)
    server.planhat.inject("reset_after=1")
    with pytest.raises(Exception, match="5000 of 5000 rows were not stored: 5000 unknown"):
        pipeline.run(resource(keyed(12_000)))
    assert len(server.planhat.requests) == 10
    server.planhat.inject()
    pipeline.run()
    stored = [task["sourceId"] for task in server.planhat.records("tasks")]
    assert sorted(stored) == sorted(row["source_id"] for row in keyed(12_000))


def test_refused_rows_do_not_fail_a_run(server: SandboxThread, tmp_path: Path) -> None:
    """They are in a file with their reasons, to be corrected and sent again."""
    rows = [*keyed(3), {"source_id": "crm-3", "company_id": "acme"}, {"action": "no key", "company_id": COMPANY}]
    info = into_planhat(server).run(resource(rows))
    assert not info.has_failed_jobs
    assert len(server.planhat.records("tasks")) == 3
    refused = [json.loads(line) for line in (tmp_path / "rejected-tasks.jsonl").read_text().splitlines()]
    assert [row.get("source_id") for row in refused] == ["crm-3", None]
    assert refused[1]["not stored because"] == "invalid: it has no id or source_id"


@pytest.mark.parametrize(
    ("row", "disposition", "problem"),
    [
        ({"action": "Call"}, "append", "table calls: it needs a column id or source_id"),
        ({"source_id": "1", "actoin": "Call"}, "append", "Task has no field 'actoin'; did you mean action"),
        ({"source_id": "1"}, "replace", "cannot be replaced as a whole"),
    ],
)
def test_a_table_that_cannot_be_sent_fails_at_once(
    server: SandboxThread, row: dict[str, Any], disposition: str, problem: str
) -> None:
    """Nothing is sent, and nothing is tried again."""
    with pytest.raises(Exception, match=problem):
        into_planhat(server).run(resource([row], write_disposition=disposition))
    assert server.planhat.requests == []


@pytest.mark.parametrize("repository", with_capability(Upserts), ids=lambda one: one.model.name)
def test_each_model_with_upserts_takes_tables_with_a_key(repository: Any) -> None:
    """In either spelling."""
    model = repository.model
    fields = fields_of(model.record)
    for spelled in (lambda name: name, lambda name: fields[name].wire):
        for key in model.match:
            assert problem_of(model, {"columns": {spelled(key): {}}}) is None
    assert problem_of(model, {"columns": {"custom": {}}}) is not None
