"""dlt: Planhat as a source and as a destination; needs the extra `dlt`.

The source keeps the state of each model's copy in dlt's own state, which dlt stores with the data and drops if the data
cannot be read: see `planhat_async.engines.copied_list`. The destination takes rows with a key only, because dlt repeats
a batch that fails: see `planhat_async.engines.upsert_sink`.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from planhat_async._convert import decode_json, fields_of, unknown_field, wire_path
from planhat_async.engines.copied_list import Changes, CopiedList, Follow
from planhat_async.engines.upsert_sink import BATCH_SIZE, UpsertSink
from planhat_async.errors import NotFoundError, PermissionDeniedError, StatusError
from planhat_async.models import ALL
from planhat_async.records import Model
from planhat_async.records.arguments import choice
from planhat_async.records.documentation import documentation_of
from planhat_async.repositories import Lists, ListsUpdated, Repository, Upserts
from planhat_async.session import Session
from planhat_async.sync import BlockingSession

try:
    import dlt
    from dlt.common.destination.exceptions import DestinationTerminalException

    from planhat_async.engines.arrow_rows import REMOVED, ArrowRows
except ModuleNotFoundError as _missing:
    if _missing.name not in {"dlt", "pyarrow"}:
        raise
    raise ModuleNotFoundError("dlt needs more packages: pip install 'planhat-async[dlt]'", name=_missing.name) from None

__all__ = ["planhat", "planhat_source"]

C = TypeVar("C", bound=Repository[Any])

_logger = logging.getLogger("planhat_async.engines")


def planhat_source(
    models: str | Iterable[str] | None = None,
    *,
    follow: Follow = "everything",
    token: str | None = None,
    base_url: str | None = None,
    session: Session | None = None,
) -> Any:
    """A dlt source with a resource for each model, which is merged into a table on its `_id`.

    The first run reads whole lists, each later one what has changed: see `follow`. A table has a column for each
    documented field; lists and objects are JSON, and `extra` is a JSON object of everything else. `_deleted` is the
    column by which dlt removes the rows of deleted records. All resources share one session, and so one pace.

    Costs about one call for each page of a model's list. With `follow="recent"` a run without many changes costs a
    few calls for each model. The state of a model takes about 25 bytes for each record, in the pipeline's state.

    Args:
        models: Names of models, as `planhat-async models` lists them; all by default, except for those that the token
            may not read.
        follow: `"everything"`: new, changed and deleted records. `"recent"` leaves out deleted records and, for models
            that do not say when a record changed, changed ones too; a later run with `"everything"` makes up for them.
        token: The API token; by default `sources.planhat.token` among dlt's secrets, or `PLANHAT_API_TOKEN`.
        base_url: The API's URL, as for `Session`.
        session: A closed session of your own, instead of `token` and `base_url`.

    Raises:
        ValueError: An unknown model, or the token is missing or malformed.
    """
    choice("everything", "recent")("follow", follow)
    chosen = [one for one in ALL if issubclass(one, Lists)] if models is None else _named(models, Lists)
    shared = BlockingSession(session or _session("sources.planhat.token", token, base_url))
    resources = [_resource(one, shared, follow=follow, may_be_refused=models is None) for one in chosen]
    return dlt.sources.DltSource(dlt.Schema("planhat"), "planhat", resources)


def planhat(
    model: str,
    *,
    rejects: str | os.PathLike[str] | None = None,
    token: str | None = None,
    base_url: str | None = None,
    session: Session | None = None,
) -> Any:
    """A dlt destination that creates and updates the records of a model, in batches of 5,000 rows, one at a time.

    The columns of a table are fields of the model in either spelling, and one of them must be a key. Nulls are left
    out: a null clears nothing. A batch whose outcome is not known fails, and dlt repeats it, now and in later runs of
    the pipeline; no row is stored twice, because it has a key. Rows that Planhat refuses, invalid ones and those
    without a key do not fail a batch: they go to a file.

    Args:
        model: The name of the model, as `planhat-async models` lists it.
        rejects: The JSONL file for refused rows, each with the reason; by default `rejected-MODEL.jsonl` in the current
            folder. `planhat-async upsert MODEL` sends it once it is corrected.
        token: The API token; by default `destination.planhat.token` among dlt's secrets, or `PLANHAT_API_TOKEN`.
        base_url: The API's URL, as for `Session`.
        session: A closed session of your own, instead of `token` and `base_url`.

    Raises:
        ValueError: An unknown model, one without bulk upserts, or the token is missing or malformed.
    """
    (repository,) = _named(model, Upserts)
    shared = BlockingSession(session or _session("destination.planhat.token", token, base_url))
    path = Path(f"rejected-{model}.jsonl" if rejects is None else rejects).absolute()
    sink = UpsertSink(repository, shared, path)

    def store(items: Any, table: Mapping[str, Any]) -> None:
        problem = problem_of(sink.model, table)
        if problem is not None:
            raise DestinationTerminalException(f"table {table['name']}: {problem}")
        sink.store(list(_rows(items, table)))

    make = dlt.destination(
        store,
        name="planhat",
        batch_size=BATCH_SIZE,
        naming_convention="direct",
        skip_dlt_columns_and_tables=True,
        max_table_nesting=0,
        max_parallel_load_jobs=1,
        loader_parallelism_strategy="sequential",
    )
    return make()


def problem_of(model: Model, table: Mapping[str, Any]) -> str | None:
    """Why no row of a table can be sent, if that is so."""
    if table.get("write_disposition") == "replace":
        return 'Planhat\'s records cannot be replaced as a whole: choose write_disposition="append" or "merge"'
    names: list[str] = list(table["columns"])
    for name in names:
        try:
            wire_path(model.record, name)
        except ValueError:
            return f"{unknown_field(model.record, name, is_written=True)} (rename the column, or drop it)"
    wires = {wire_path(model.record, name) for name in names}
    if wires.isdisjoint(wire_path(model.record, name) for name in model.match):
        keys = " or ".join(model.match)
        return f"it needs a column {keys}: dlt repeats a batch that fails, and rows without a key would be stored twice"
    return None


def _resource(repository: type[Lists[Any]], shared: BlockingSession, *, follow: Follow, may_be_refused: bool) -> Any:
    arrow = ArrowRows(repository.model.record)

    def changes() -> Iterator[Any]:
        state = dlt.current.resource_state()
        copy = CopiedList.from_state(state)
        if not state:
            yield arrow.table(Changes())  # so that there is a table, even for an empty list
        with shared:
            try:
                for some in shared.iterate(copy.changes(repository(shared.session), follow=follow)):
                    if some:
                        yield arrow.table(some)
            except (PermissionDeniedError, NotFoundError) as error:
                if not may_be_refused or _is_html(error):
                    raise
                _logger.warning("%s are left out: %s", repository.model.name, error)
                return
        state.update(copy.state())

    return dlt.resource(
        changes,
        name=repository.model.name,
        primary_key="_id",
        write_disposition="merge",
        columns=_hints(repository, arrow.json_columns),
    )


def _hints(repository: type[Lists[Any]], json_columns: Iterable[str]) -> dict[str, Any]:
    """The hints of a table's columns that their Arrow types do not give."""
    documentation = documentation_of(repository.model.record)
    hints: dict[str, dict[str, Any]] = {
        field.wire: {"description": " ".join(documentation[field.name].split())}
        for field in fields_of(repository.model.record).values()
        if field.name in documentation and not field.is_secret
    }
    for name in json_columns:
        hints.setdefault(name, {})["data_type"] = "json"
    hints["_id"]["nullable"] = False
    hints[REMOVED] = {"data_type": "bool", "hard_delete": True}
    if issubclass(repository, ListsUpdated):
        hints["updatedAt"]["dedup_sort"] = "desc"  # a task may come twice, open and archived
    return hints


def _rows(items: Any, table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a batch, a list of objects or an Arrow batch, without nulls."""
    rows: Sequence[Mapping[str, Any]] = items.to_pylist() if hasattr(items, "to_pylist") else items
    nested = {name for name, column in table["columns"].items() if column.get("data_type") == "json"}
    for row in rows:
        yield {
            name: decode_json(value.encode(), is_input=True) if name in nested and isinstance(value, str) else value
            for name, value in row.items()
            if value is not None
        }


def _session(secret: str, token: str | None, base_url: str | None) -> Session:
    if token is None and secret in dlt.secrets:
        token = dlt.secrets[secret]  # without a type: dlt's trace would show a value that is asked for as a text
    return Session(token, base_url=base_url)


def _named(names: str | Iterable[str], capability: type[C]) -> list[type[C]]:
    """The repositories of models with a capability, in the order of the names."""
    known = {one.model.name: one for one in ALL if issubclass(one, capability)}
    found: dict[str, type[C]] = {}
    for name in [names] if isinstance(names, str) else names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ValueError(f"there is no model {name!r} for this; {hint}")
        found[name] = known[name]
    return list(found.values())


def _is_html(error: StatusError) -> bool:
    """Whether a refusal is a page of a proxy, or of a server that is not Planhat."""
    return error.body.lstrip().startswith("<")
