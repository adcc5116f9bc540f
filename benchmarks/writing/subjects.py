"""Ways to write tickets."""

from __future__ import annotations

from benchmarks.subjects import Subject

WRITERS = "benchmarks.writing.writers"

DICTS = Subject(
    name="upsert_many",
    function=f"{WRITERS}.upserts:write_dicts",
    packages=("planhat-async",),
    note="dicts, checked, each encoded once; four chunks in flight; no effective rate limit",
    is_ours=True,
)
RECORDS = Subject(
    name="upsert_many of records",
    function=f"{WRITERS}.upserts:write_records",
    packages=("planhat-async",),
    note="records; otherwise the same",
    is_ours=True,
)
ANY_ORDER = Subject(
    name="upsert_many, any order",
    function=f"{WRITERS}.upserts:write_any_order",
    packages=("planhat-async",),
    note="dicts with keys in no order, which takes the generator more time too; otherwise the same",
    is_ours=True,
)
ANY_SHAPE = Subject(
    name="upsert_many, any shape",
    function=f"{WRITERS}.upserts:write_any_shape",
    packages=("planhat-async",),
    note="dicts with half of the fields, which are others from row to row; otherwise the same",
    is_ours=True,
)
CRUDS = Subject(
    name="cruds",
    function=f"{WRITERS}.cruds_lists:write",
    packages=("cruds", "urllib3"),
    note="dicts, all of them as a list, as it is documented; synchronous, and sleeps 0.3 s between calls, at the least",
    is_slow=True,
)
CRUDS_CHUNKS = Subject(
    name="cruds by chunks",
    function=f"{WRITERS}.cruds_lists:write_chunks",
    packages=("cruds", "urllib3"),
    note="dicts, the rows of one call at a time: no list holds all rows, and it never sleeps",
)
CRUDS_THREADS = Subject(
    name="cruds on threads",
    function=f"{WRITERS}.cruds_lists:write_in_threads",
    packages=("cruds", "urllib3"),
    note="dicts, the rows of one call at a time, each in a thread, four at once",
)
HTTPX = Subject(
    name="httpx json=",
    function=f"{WRITERS}.httpx_chunks:write",
    packages=("httpx",),
    note="dicts, four chunks in flight; rows are neither checked nor counted",
)
ORJSON = Subject(
    name="aiohttp + orjson",
    function=f"{WRITERS}.hand_written:write_orjson",
    packages=("aiohttp", "orjson"),
    note="dicts, a chunk encoded at once; otherwise as with json=",
)
AIOHTTP = Subject(
    name="aiohttp json=",
    function=f"{WRITERS}.hand_written:write_json",
    packages=("aiohttp",),
    note="dicts, four chunks in flight; rows are neither checked nor counted",
)
ELASTIC = Subject(
    name="elasticsearch",
    function=f"{WRITERS}.elastic_bulk:write",
    packages=("elasticsearch", "elastic-transport"),
    note="async_streaming_bulk of dicts, chunk after chunk, to an endpoint of its own kind; a result for each row",
)
FLOOR = Subject(
    name="encoded-alone",
    function=f"{WRITERS}.hand_written:write_bare",
    packages=("aiohttp", "msgspec"),
    note="dicts, a chunk encoded at once and sent, four in flight; nothing else",
)
DICTS_ALONE = Subject(
    name="(the dicts)",
    function=f"{WRITERS}.unwritten:make_dicts",
    packages=(),
    note="the cost of the generator of dicts, which is in every number but that of records",
    is_alone=True,
)
RECORDS_ALONE = Subject(
    name="(the records)",
    function=f"{WRITERS}.unwritten:make_records",
    packages=("planhat-async",),
    note="the cost of the generator of records",
    is_alone=True,
)
ANY_SHAPE_ALONE = Subject(
    name="(of any shape)",
    function=f"{WRITERS}.unwritten:make_any_shape",
    packages=(),
    note="the cost of the generator of dicts of any shape",
    is_alone=True,
)
IDLE = Subject(
    name="(nothing)",
    function=f"{WRITERS}.unwritten:make_nothing",
    packages=(),
    note="an event loop with nothing to do for a second: the stalls that are the machine's",
    is_alone=True,
)

SUBJECTS = (
    DICTS,
    RECORDS,
    ANY_ORDER,
    ANY_SHAPE,
    CRUDS,
    CRUDS_CHUNKS,
    CRUDS_THREADS,
    HTTPX,
    AIOHTTP,
    ORJSON,
    ELASTIC,
    FLOOR,
    DICTS_ALONE,
    RECORDS_ALONE,
    ANY_SHAPE_ALONE,
    IDLE,
)
