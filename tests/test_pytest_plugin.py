"""Test the plugin in other projects: each test runs pytest in a project of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SERVICE = """
import pytest
from planhat_async import Task, Tasks, UnknownOutcomeError


@pytest.mark.asyncio
async def test_plain(planhat_sandbox, planhat_session):
    await Tasks(planhat_session).create(Task(company_id="5f4e3d2c1b0a998877665544", action="call"))
    assert [task["action"] for task in planhat_sandbox.records("tasks")] == ["call"]


@pytest.mark.asyncio
@pytest.mark.planhat(faults="reset_after@1")
async def test_faults(planhat_sandbox, planhat_session):
    with pytest.raises(UnknownOutcomeError):
        await Tasks(planhat_session).create(Task(company_id="5f4e3d2c1b0a998877665544", action="call"))
    assert [call.fault for call in planhat_sandbox.requests] == ["reset_after"]


@pytest.mark.asyncio
@pytest.mark.planhat(faults="http_503@1+2")
async def test_retries_hardly_wait(planhat_sandbox, planhat_session):
    await Tasks(planhat_session).page(limit=1)
    assert [call.status for call in planhat_sandbox.requests] == [503, 503, 200]


@pytest.mark.planhat(seed=7, per_minute=1)
class TestMarkers:
    @pytest.mark.asyncio
    @pytest.mark.planhat(per_minute=3)
    async def test_nearest(self, planhat_sandbox, planhat_session):
        first = planhat_sandbox.add("tasks", {})
        await Tasks(planhat_session).page(limit=1)
        async with type(planhat_sandbox)(seed=7) as other:
            assert other.add("tasks", {})["_id"][8:] == first["_id"][8:]
        assert planhat_sandbox.requests[0].status == 200


@pytest.mark.asyncio
async def test_each_has_its_own(planhat_sandbox):
    assert planhat_sandbox.records("tasks") == planhat_sandbox.requests == []
"""


LOOP_SCOPE = "asyncio_default_fixture_loop_scope = function"  # pytest-asyncio warns if it is unset


def run(
    where: Path, test: str, *arguments: str, ini: str = LOOP_SCOPE, prelude: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file, in a project with these settings."""
    (where / "test_service.py").write_text(test)
    (where / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{ini}\n")
    code = f"import sys; {prelude}\nimport pytest; sys.exit(pytest.main(sys.argv[1:]))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PLANHAT"))}
    return subprocess.run(
        [sys.executable, "-c", code, "-p", "no:cacheprovider", "--strict-markers", *arguments],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_the_plugin_works_in_both_modes_of_pytest_asyncio(tmp_path: Path, mode: str) -> None:
    """A service is tested with faults and limits, and every test has its own sandbox."""
    ended = run(tmp_path, SERVICE, ini=f"asyncio_mode = {mode}\n{LOOP_SCOPE}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "5 passed" in ended.stdout


def test_in_auto_mode_no_mark_is_needed(tmp_path: Path) -> None:
    """Neither the test nor the fixtures need it."""
    test = re.sub(r" *@pytest\.mark\.asyncio\n", "", SERVICE)
    ended = run(tmp_path, test, ini=f"asyncio_mode = auto\n{LOOP_SCOPE}")
    assert "5 passed" in ended.stdout


def test_the_plugin_works_on_uvloop(tmp_path: Path) -> None:
    """The project chooses its loop with pytest-asyncio's hook; the fixtures end without an error."""
    pytest.importorskip("uvloop")
    conftest = "import uvloop\ndef pytest_asyncio_loop_factories(): return {'uvloop': uvloop.new_event_loop}\n"
    (tmp_path / "conftest.py").write_text(conftest)
    ended = run(tmp_path, SERVICE)
    assert "5 passed" in ended.stdout, ended.stdout
    assert ended.returncode == 0


def test_the_unused_plugin_imports_no_large_modules(tmp_path: Path) -> None:
    """Neither the session nor aiohttp is imported for a test without a sandbox."""
    test = "import sys\ndef test(): assert not {'planhat_async.session', 'aiohttp', 'attrs'} & sys.modules.keys()\n"
    ended = run(tmp_path, test)
    assert ended.returncode == 0, ended.stdout


def test_the_plugin_reports_a_missing_pytest_asyncio(tmp_path: Path) -> None:
    """Only the test that requests a fixture fails."""
    test = "def test_plain(): pass\ndef test_sandbox(planhat_sandbox): pass\ndef test_session(planhat_session): pass\n"
    prelude = "import os; os.environ['PYTEST_DISABLE_PLUGIN_AUTOLOAD'] = '1'; sys.modules['pytest_asyncio'] = None"
    ended = run(tmp_path, test, "-p", "planhat_async.testing.pytest_plugin", ini="", prelude=prelude)
    assert "1 passed, 2 errors" in ended.stdout
    for name in ("planhat_sandbox", "planhat_session"):
        assert f"the fixture {name} needs pytest-asyncio: pip install pytest-asyncio" in ended.stdout
    assert "Traceback" not in ended.stdout


def test_an_invalid_marker_is_an_error(tmp_path: Path) -> None:
    """The message contains the mistake."""
    problems = {
        "'reset_after'": "the marker planhat takes its options by name",
        "faults='reset_afer'": "there is no fault 'reset_afer'; did you mean reset_after",
        "minute=1": "unexpected keyword argument 'minute'",
    }
    test = "import pytest\n"
    for number, marker in enumerate(problems):
        marks = f"@pytest.mark.asyncio\n@pytest.mark.planhat({marker})"
        test += f"{marks}\nasync def test_{number}(planhat_sandbox): pass\n"
    ended = run(tmp_path, test)
    assert (ended.returncode, "3 errors" in ended.stdout) == (1, True)
    for number, problem in enumerate(problems.values()):
        said = ended.stdout.partition(f"ERROR at setup of test_{number} ")[2].partition("ERROR at setup of")[0]
        assert problem in said


def test_the_marker_is_described(tmp_path: Path) -> None:
    """Pytest lists it with its markers."""
    listed = run(tmp_path, "", "--markers").stdout
    assert "@pytest.mark.planhat(**options): options of `planhat_sandbox` for this test" in listed
