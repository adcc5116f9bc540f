"""Test that imports point only downwards, and that modules called pure are pure."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import planhat_async
from planhat_async import jobs, models

ROOT = Path(planhat_async.__file__).parent

LAYERS = [
    {"__main__"},
    {"cli"},
    {"testing"},
    {"engines"},
    {"jobs"},
    {"sync"},
    {"models", "analytics", "partitions"},
    {"repositories"},
    {"batching"},
    {"session"},
    {"_http"},
    {"_convert"},
    {"records"},
    {"results"},
    {"errors"},
]
PURE = {
    "errors",
    "results",
    "records",
    "models",
    "repositories/queries",
    "repositories/options",
    "_convert",
    "engines/held_records",
    "engines/spark_filters",
    "engines/spark_options",
    "engines/spark_pace",
    "engines/spark_places",
    "engines/spark_report",
    "engines/spark_schema",
    "sync/call_shapes",
    "jobs/export_checkpoint",
    "jobs/export_selection",
    "jobs/files/formula_cells",
    "jobs/files/compression",
    "jobs/files/output_name",
    "jobs/files/dated_name",
    "jobs/nightly/change_column",
    "jobs/nightly/snapshot",
    "jobs/nightly/state_owner",
    "jobs/nightly/stored_rows",
    "jobs/files/formats",
    "jobs/deletions",
    "jobs/files/cell_block",
    "jobs/files/csv_dialect",
    "jobs/files/text_encoding",
    "jobs/mapping/block_fit",
    "jobs/mapping/column_names",
    "jobs/mapping/column_guess",
    "jobs/mapping/column_sample",
    "jobs/mapping/column_synonyms",
    "jobs/mapping/proposed_line",
    "jobs/mapping/value_kinds",
    "jobs/mapping/value_proposal",
    "jobs/mapping/column_spelling",
    "jobs/mapping/key_column",
    "jobs/mapping/left_out_columns",
    "jobs/mapping/lookups",
    "jobs/mapping/cell_lists",
    "jobs/mapping/cell_numbers",
    "jobs/mapping/cell_times",
    "jobs/mapping/cell_values",
    "jobs/mapping/field_readers",
    "jobs/mapping/field_mapping",
    "jobs/mapping/nested_values",
    "jobs/mapping/missing_values",
    "jobs/mapping/column_usage",
    "jobs/mapping/wrapped_rows",
    "jobs/files/json_items",
    "jobs/files/json_object",
    "jobs/files/json_fault",
    "jobs/mapping/mapping_proposal",
    "jobs/mapping/given_values",
    "jobs/mapping/notation",
    "jobs/mapping/row_constants",
    "jobs/mapping/time_format",
    "jobs/mapping/transforms",
    "jobs/mapping/value_types",
    "jobs/entries",
    "jobs/report",
    "jobs/report_style",
    "jobs/job_facts",
    "jobs/axis",
    "jobs/input_report",
    "jobs/charts",
    "jobs/job_summary",
    "jobs/job_progress",
    "jobs/job_identity",
    "analytics/metric",
    "analytics/activity",
    "analytics/outgoing_chunks",
    "analytics/send_account",
    "analytics/send_answers",
    "analytics/send_result",
    "batching/chunk_ledger",
    "cli/prometheus_text",
    "cli/help_page",
    "cli/usage_error",
    "cli/examples",
    "batching/page",
    "batching/page_size",
    "batching/query",
    "batching/page_progress",
    "batching/recognition",
    "batching/page_window",
    "batching/stitcher",
    "batching/changes",
    "batching/row",
    "batching/chunk_rows",
    "batching/near_keys",
    "batching/block_feeder",
    "batching/chunks",
    "batching/answer_counts",
    "batching/answers",
    "batching/chunk_outcome",
    "batching/chunk_part",
    "batching/chunker",
    "batching/attribution",
    "batching/verification",
    "_http/tenant_uuid",
    "_http/routes",
    "_http/session_stats",
    "_http/wire",
    "_http/retries",
    "_http/pace",
    "_http/shared_messages",
    "_http/shared_pace",
    "_http/membership",
    "_http/pace_record",
    "_http/redis_pace",
    "_http/redis_url",
    "_http/window_name",
}
DOORS = {"sandbox/server", "sandbox/delivery", "sandbox/memory", "sandbox/planhat"}
ONLY_IN = {
    "aiohttp": {"_http/transport", "sandbox/server", "sandbox/delivery"},
    "cattrs": {"_convert/records"},
    "msgspec": {
        "_convert/arrow/usual_rows",
        "_convert/json",
        "_convert/row_blocks",
        "_convert/row_shapes",
        "_convert/pages",
        "_convert/records",
        "_http/pace_record",
        "_http/redis_pace",
        "batching/row",
        "sandbox",
    },
    "aiolimiter": {"_http/pacer"},
    "redis": {"_http/redis_window"},
    "typer": {"cli"},
    "rich": {
        "cli/console",
        "cli/input_display",
        "cli/plan_display",
        "cli/pace_command",
        "cli/export_display",
        "cli/model_commands",
    },
    "pyspark": {"engines/spark", "engines/spark_read", "engines/spark_stream", "engines/spark_write"},
    "pyarrow": {
        "engines/arrow_rows",
        "engines/spark",
        "engines/spark_input",
        "engines/spark_read",
        "engines/spark_rows",
        "engines/spark_stream",
        "engines/spark_write",
        "_convert/arrow",
        "jobs/files/parquet_writer",
        "jobs/files/parquet_reader",
        "repositories/arrow_lists",
        "results",
    },
    "fsspec": {"jobs/files/remote_file"},
    "python_calamine": {"jobs/files/excel_reader"},
    "zstandard": {"jobs/files/unpacked_file", "jobs/files/packed_file"},
    "dlt": {"engines/dlt"},
}


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Return every module that a file imports, including imports for type checkers only."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "planhat_async":
            found |= {f"planhat_async.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return frozenset(found)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


def is_in(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(place + "/") for place in places)


MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def importing(paths: Iterable[Path], unwanted: set[str]) -> dict[str, set[str]]:
    """Map each module to the unwanted modules that it imports."""
    return {name_of(path): found for path in paths if (found := unwanted & imports_of(path))}


def is_allowed(own: str, other: str) -> bool:
    """Whether a part of the package may import another; the sandbox stands alone."""
    if other == "sandbox":
        return own in {"cli", "testing"}
    depth = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    return own != "sandbox" and depth[other] > depth[own]


def test_imports_point_downwards() -> None:
    """A module imports its own layer and those below, nothing above."""
    upwards = []
    for path in MODULES:
        own = name_of(path).split("/")[0]
        for module in imports_of(path):
            package, _, rest = module.partition(".")
            other = rest.split(".")[0]
            if package == "planhat_async" and other not in {own, "__version__"} and not is_allowed(own, other):
                upwards.append((name_of(path), module))
    assert upwards == []


def test_pure_modules_do_not_wait() -> None:
    """They import neither an event loop nor a network."""
    pure = [path for path in MODULES if is_in(name_of(path), PURE)]
    assert importing(pure, {"asyncio", "aiohttp", "aiolimiter", "time", "random", "os"}) == {}


RULES = [path for path in MODULES if is_in(name_of(path), {"sandbox"}) and not is_in(name_of(path), DOORS)]


def test_the_rules_of_the_sandbox_use_no_clock() -> None:
    """They use no network and no event loop either, so every front end has the same rules."""
    assert importing(RULES, {"asyncio", "aiohttp", "time", "os", "socket"}) == {}


def test_libraries_are_imported_in_their_packages() -> None:
    """Each library is imported only where the design allows it."""
    elsewhere = []
    for path in MODULES:
        roots = {module.split(".")[0] for module in imports_of(path)}
        elsewhere += [(name_of(path), one) for one in roots & ONLY_IN.keys() if not is_in(name_of(path), ONLY_IN[one])]
    assert elsewhere == []


@pytest.mark.parametrize("package", [planhat_async, jobs])
def test_public_names_are_sorted_and_exist(package: ModuleType) -> None:
    """A package exports the names in its list, in order; the names of models come last."""
    of_models = models.__all__ if package is planhat_async else []
    names = package.__all__[: len(package.__all__) - len(of_models)]
    assert names == sorted(names)
    assert package.__all__[len(names) :] == sorted(of_models)
    assert all(hasattr(package, name) for name in package.__all__)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        (
            "planhat_async",
            {
                "planhat_async.engines",
                "planhat_async.jobs",
                "planhat_async.sandbox",
                "planhat_async.sync",
                "sqlite3",
                "opentelemetry",
                "pyarrow",
                "redis",
                "rich",
                "typer",
            },
        ),
        ("planhat_async.jobs", {"fsspec", "pyarrow", "python_calamine", "redis", "rich", "typer", "zstandard"}),
    ],
)
def test_an_import_loads_no_unnecessary_modules(module: str, unwanted: set[str]) -> None:
    """A service that uses neither files nor the command line does not load their modules."""
    program = f"import sys; before = {{*sys.modules}}; import {module}; print(*{{*sys.modules}} - before)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert unwanted.isdisjoint(loaded)


def test_the_root_package_is_small() -> None:
    """It has at most seventeen packages and files, apart from those with two underscores.

    The sixteenth is `engines`: it is above `jobs`, whose files and columns it uses, and beside the command line. The
    seventeenth is `sync`, the whole API without `async`.
    """
    rooms = [path.name for path in ROOT.iterdir() if not path.name.startswith("__") and path.name != "py.typed"]
    assert len(rooms) <= 17, sorted(rooms)


def test_names_of_files_are_unique() -> None:
    """A file can be found by its name."""
    names = [path.name for path in MODULES if path.name != "__init__.py"]
    assert sorted(name for name in {*names} if names.count(name) > 1) == []


def mapped(text: str) -> list[str]:
    """Return the modules and packages in a map of files: names two spaces apart, then three and a description."""
    found: list[str] = []
    folders: list[str] = []
    for line in text.splitlines():
        names = line.strip().split("   ")[0].split("  ")
        folders = folders[: (len(line) - len(line.lstrip())) // 2]
        found += ["/".join([*folders, name.removesuffix("/")]) for name in names]
        if names[0].endswith("/"):
            folders.append(names[0].removesuffix("/"))
    return found


def test_the_map_names_every_module() -> None:
    """Each module is named once, in its package, and no other name occurs."""
    page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
    text = page.split("```text\n")[1].split("```")[0]
    tree = {name_of(path).removesuffix("/__init__") for path in MODULES} - {"__main__"}
    names = mapped(text)
    assert (sorted(tree.difference(names)), sorted({*names} - tree)) == ([], [])
    assert len(names) == len(tree)
