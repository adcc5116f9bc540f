"""Test the message where dlt is not installed."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest


@pytest.mark.parametrize("package", ["dlt", "pyarrow"])
def test_a_missing_package_is_one_clear_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the extra."""
    for name in ("planhat_async.engines.dlt", "planhat_async.engines.arrow_rows"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=r"^dlt needs more packages: pip install 'planhat-async\[dlt\]'$"):
        import_module("planhat_async.engines.dlt")
