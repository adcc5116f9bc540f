"""Who is measured."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import attrs


@attrs.frozen(kw_only=True)
class Subject:
    """A way to do the work."""

    name: str
    function: str
    """Does the work, given where the server is and a number of rows; as `module:name`."""
    packages: tuple[str, ...]
    """What it stands on, as `pip` names it."""
    note: str
    is_ours: bool = False
    is_slow: bool = False
    """Whether it takes minutes for many rows with latency."""
    is_alone: bool = False
    """Whether it has nothing to do with the server."""

    def versions(self) -> str:
        """Its packages as they are installed.

        Raises:
            SystemExit: One is not.
        """
        try:
            return ", ".join(f"{package} {version(package)}" for package in self.packages)
        except PackageNotFoundError as error:
            raise SystemExit(f"{error.name} is not installed: pip install -e '.[bench]'") from None
