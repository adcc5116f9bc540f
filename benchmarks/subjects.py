"""Who is measured."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import attrs


@attrs.frozen(kw_only=True)
class Subject:
    """A way to read a whole list."""

    name: str
    module: str
    """In `benchmarks.readers`."""
    packages: tuple[str, ...]
    """What it stands on, as `pip` names it."""
    note: str
    is_ours: bool = False
    is_slow: bool = False
    """Whether it takes minutes to read the large list with latency."""

    def versions(self) -> str:
        """Its packages as they are installed.

        Raises:
            SystemExit: One is not.
        """
        try:
            return ", ".join(f"{package} {version(package)}" for package in self.packages)
        except PackageNotFoundError as error:
            raise SystemExit(f"{error.name} is not installed: pip install -e '.[bench]'") from None


RECORDS = Subject(
    name="iter",
    module="records",
    packages=("planhat-async",),
    note="a record for each row; four pages ahead, in order, every record once",
    is_ours=True,
)
RAW_JSON = Subject(
    name="iter_json",
    module="raw_json",
    packages=("planhat-async",),
    note="each row's bytes; otherwise the same",
    is_ours=True,
)
CRUDS = Subject(
    name="cruds",
    module="cruds_pages",
    packages=("cruds", "urllib3"),
    note="dicts, page after page; synchronous, and sleeps 0.3 s after each full page, its highest pace",
    is_slow=True,
)
ROBOCORP = Subject(
    name="robocorp-planhat",
    module="robocorp_list",
    packages=("robocorp-planhat", "requests"),
    note="dicts, page after page of 2,000 rows, its own choice; synchronous, one call for the whole list",
    is_slow=True,
)
GATHERED = Subject(
    name="aiohttp+gather+json",
    module="gathered_json",
    packages=("aiohttp",),
    note="dicts, four pages at a time; knows how many rows there are",
)
PYDANTIC = Subject(
    name="httpx+pydantic",
    module="pydantic_pages",
    packages=("httpx", "pydantic"),
    note="models of 21 fields, page after page",
)
FLOOR = Subject(
    name="bytes-alone",
    module="undecoded",
    packages=("aiohttp",),
    note="four pages at a time, read and not decoded; knows how many rows there are",
)

SUBJECTS = (RECORDS, RAW_JSON, CRUDS, ROBOCORP, GATHERED, PYDANTIC, FLOOR)
