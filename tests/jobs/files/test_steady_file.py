"""Test that the bytes of a source are the same for every method of reading."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from planhat_async.jobs.files.steady_file import SteadyFile
from planhat_async.jobs.source_error import SourceError

HALF_MADE = """
import importlib, io, pkgutil, sys
import planhat_async

def imported(name):
    try:
        importlib.import_module(name)
    except ImportError:  # an extra is not installed
        pass

def subclasses(of):
    for one in of.__subclasses__():
        yield one
        yield from subclasses(one)

for module in pkgutil.walk_packages(planhat_async.__path__, "planhat_async."):
    if not module.name.endswith("__main__"):
        imported(module.name)
for one in {one for one in subclasses(io.FileIO.__mro__[-2]) if one.__module__.startswith("planhat_async")}:
    print(one.__name__)
    one.__new__(one)  # as it is where its `__init__` raises
"""


@pytest.mark.slow
def test_a_file_object_whose_creation_failed_is_closed_silently() -> None:
    """Python closes it during garbage collection, and since 3.13 prints errors of that.

    In development mode older versions print them too.
    """
    done = subprocess.run([sys.executable, "-X", "dev", "-c", HALF_MADE], capture_output=True, text=True, check=True)
    assert {"SteadyFile", "ReadAhead"} <= {*done.stdout.split()}
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_opened_raises_the_error_of_open(tmp_path: Path, name: str) -> None:
    """The error has the file's name."""
    with pytest.raises(OSError, match=r"No such file|Is a directory") as caught:
        SteadyFile(tmp_path / name)
    assert str(caught.value.filename) == str(tmp_path / name)


@pytest.mark.parametrize(
    "read",
    [
        lambda file: file.read(2) + file.read(99) + file.read(99),
        lambda file: file.read(),
        lambda file: file.readall(),
        lambda file: b"".join(file.readlines()),
        lambda file: file.readinto(bytearray(2)) and file.readall(),
    ],
)
def test_a_change_is_detected_by_every_method_of_reading(tmp_path: Path, read: Callable[[SteadyFile], bytes]) -> None:
    """The error is raised before the last bytes are returned."""
    path = tmp_path / "rows"
    path.write_bytes(b"abc\n")
    with SteadyFile(path) as file:
        assert read(file).endswith(b"c\n")
    with SteadyFile(path) as file:
        os.utime(path, ns=(0, 0))
        with pytest.raises(SourceError, match="was written to while it was read"):
            read(file)
