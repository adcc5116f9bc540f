"""The subjects of measurements."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import attrs


@attrs.frozen(kw_only=True)
class Subject:
    """A way to do the work."""

    name: str
    function: str
    """Does the work, given the server's URL and a number of rows; as `module:name`."""
    packages: tuple[str, ...]
    """The packages it uses, by their names for `pip`."""
    note: str
    is_ours: bool = False
    is_slow: bool = False
    """Whether it takes minutes for many rows with latency."""
    is_alone: bool = False
    """Whether it does not use the server."""

    def versions(self) -> str:
        """Return its packages with their installed versions.

        Raises:
            SystemExit: A package is not installed.
        """
        try:
            return ", ".join(f"{package} {version(package)}" for package in self.packages)
        except PackageNotFoundError as error:
            raise SystemExit(f"{error.name} is not installed: pip install -e . --group bench") from None
