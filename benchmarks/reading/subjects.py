"""Ways to read a whole list."""

from __future__ import annotations

from benchmarks.subjects import Subject

READERS = "benchmarks.reading.readers"

RECORDS = Subject(
    name="iter",
    function=f"{READERS}.records:read",
    packages=("planhat-async",),
    note="a record for each row; four pages ahead, in order, every record once",
    is_ours=True,
)
RAW_JSON = Subject(
    name="iter_json",
    function=f"{READERS}.raw_json:read",
    packages=("planhat-async",),
    note="each row's bytes; four pages ahead, in order, every record once",
    is_ours=True,
)
CRUDS = Subject(
    name="cruds",
    function=f"{READERS}.cruds_pages:read",
    packages=("cruds", "urllib3"),
    note="dicts, page after page; synchronous, and sleeps 0.3 s after each full page, its highest pace",
    is_slow=True,
)
ROBOCORP = Subject(
    name="robocorp-planhat",
    function=f"{READERS}.robocorp_list:read",
    packages=("robocorp-planhat", "requests"),
    note="dicts, page after page of 2,000 rows, its own choice; synchronous, one call for the whole list",
    is_slow=True,
)
GATHERED = Subject(
    name="aiohttp+gather+json",
    function=f"{READERS}.gathered_json:read",
    packages=("aiohttp",),
    note="dicts, four pages at a time; knows how many rows there are",
)
PYDANTIC = Subject(
    name="httpx+pydantic",
    function=f"{READERS}.pydantic_pages:read",
    packages=("httpx", "pydantic"),
    note="models of 21 fields, page after page",
)
JOINED = Subject(
    name="bytes-joined",
    function=f"{READERS}.undecoded:read_joined",
    packages=("aiohttp",),
    note="four pages at a time, each read into one `bytes` and not decoded; knows how many rows there are",
)
FLOOR = Subject(
    name="bytes-alone",
    function=f"{READERS}.undecoded:read",
    packages=("aiohttp",),
    note="four pages at a time, each piece discarded as it comes, so that it cannot be decoded",
)

SUBJECTS = (RECORDS, RAW_JSON, CRUDS, ROBOCORP, GATHERED, PYDANTIC, JOINED, FLOOR)
