"""Test `planhat-async` and `python -m planhat_async`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from planhat_async.__main__ import main


@pytest.fixture(autouse=True)
def _arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["whatever", "--help"])


def test_the_program_runs_under_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    """This holds if it was started by a path, too."""
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "Usage: planhat-async [OPTIONS] COMMAND" in capsys.readouterr().out


@pytest.mark.slow
def test_the_package_runs_as_a_module() -> None:
    """`python -m planhat_async` runs the same program."""
    command = [sys.executable, "-m", "planhat_async", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Usage: planhat-async" in done.stdout


@pytest.mark.parametrize("name", ["typer", "rich"])
def test_a_missing_package_is_reported_with_the_command_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line's packages are an extra."""
    _uninstall(name, monkeypatch)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == (
        "The command line needs the extra `cli`: pip install 'planhat-async[cli]', "
        "or uvx --from 'planhat-async[cli]' planhat-async"
    )


def test_another_missing_module_raises_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installing the extra would not help."""
    _uninstall("attrs", monkeypatch)
    with pytest.raises(ModuleNotFoundError, match="attrs"):
        main()


@pytest.mark.slow
def test_standard_output_accepts_any_text(tmp_path: Path) -> None:
    """Characters outside its encoding are escaped, as on standard error: pipes on Windows are not UTF-8."""
    program = "import sys; from planhat_async.__main__ import main; sys.argv[1:] = ['--help']; main()"
    program = f"import atexit; atexit.register(lambda: print('\\u30c1')); {program}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == rb"\u30c1"


COMMAND_LINE = "planhat_async.cli"
"""Modules that import packages of the extra."""


class _Missing:
    """An importer that does not find a package."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, name: str, _path: object, _target: object = None) -> None:
        if name.partition(".")[0] == self._name:
            raise ModuleNotFoundError(f"No module named {self._name!r}", name=self._name)


def _uninstall(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [_Missing(name), *sys.meta_path])
    for module in [*sys.modules]:
        if module.partition(".")[0] == name or module.startswith(COMMAND_LINE):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.delattr(sys.modules["planhat_async"], "cli", raising=False)
