"""Test rows of Parquet: a value that Python cannot hold affects its row only."""

from __future__ import annotations

import gzip
import io
import random
import struct
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet
from pyarrow.parquet import encryption

from planhat_async._convert.arrow.arrow_values import column_values, shortest
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.files.parquet_reader import ParquetReader
from planhat_async.jobs.files.table_reader import RawRow
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Task
from planhat_async.results import Unreadable, UnreadableValue

steady = settings(derandomize=True, deadline=None, max_examples=100)
NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001 - the column has no zone


def source(path: Path, *maps: str) -> FileSource:
    return FileSource(path, FieldMapping.parse(Task, maps=maps))


def rows_of(folder: Path, table: pa.Table, *maps: str, **options: Any) -> list[Any]:
    """Return the rows of a file with this table."""
    parquet.write_table(table, folder / "t.parquet", **options)
    return list(source(folder / "t.parquet", *maps))


def values_of(folder: Path, array: pa.Array, **options: Any) -> list[Any]:
    """Return the values of a column, and reasons in place of rows that cannot be read."""
    parquet.write_table(pa.table({"x": array, "n": range(len(array))}), folder / "t.parquet", **options)
    with closing(ParquetReader(folder / "t.parquet")) as reader:
        return [_value_of(row) for row in reader.rows(None)]


def _value_of(row: RawRow) -> Any:
    try:
        return row.read()["x"]
    except ValueError as error:
        return f"{row.where}: {error}"


def bits(*numbers: int, as_type: pa.DataType, stored: pa.DataType) -> pa.Array:
    return pa.array(numbers, stored).view(as_type)


def halves(*numbers: float) -> pa.Array:
    return bits(*struct.unpack(f"{len(numbers)}H", struct.pack(f"{len(numbers)}e", *numbers)),
                as_type=pa.float16(), stored=pa.uint16())  # fmt: skip


NOT_UTF8 = pa.array([b"ok", b"caf\xe9", b"ok"], pa.binary())
TIME, DAY = "a time outside the years 1 to 9999", "a day outside the years 1 to 9999"


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (NOT_UTF8.view(pa.string()), "text that is not UTF-8"),
        (NOT_UTF8.cast(pa.large_binary()).view(pa.large_string()), "text that is not UTF-8"),
        (NOT_UTF8.view(pa.string()).dictionary_encode(), "text that is not UTF-8"),
        (pa.ListArray.from_arrays([0, 1, 2, 3], NOT_UTF8.view(pa.string())), "text that is not UTF-8"),
        (pa.StructArray.from_arrays([NOT_UTF8.view(pa.string())], ["a"]), "text that is not UTF-8"),
        (pa.array([0, int(6e14), 0], pa.timestamp("ms", "UTC")), TIME),
        (pa.array([0, -int(6e14), 0], pa.timestamp("ms")), TIME),
        (pa.array([0, 2**62, 0], pa.timestamp("us", "Europe/Berlin")), TIME),
        (pa.array([[0], [0, int(6e17)], []], pa.list_(pa.timestamp("us"))), TIME),
        (bits(0, 2**31 - 1, 0, as_type=pa.date32(), stored=pa.int32()), DAY),
        (bits(0, -719_163, 0, as_type=pa.date32(), stored=pa.int32()), DAY),
        (bits(0, 86_400_000, 0, as_type=pa.time32("ms"), stored=pa.int32()), "a time of day outside of 24 hours"),
        (bits(0, -1, 0, as_type=pa.time64("us"), stored=pa.int64()), "a time of day outside of 24 hours"),
        (pa.array([None, 1, None], pa.duration("ns")), "a duration, which has no form in JSON"),
        (pa.array([1.0, float("nan"), 1.0]), "NaN, which is not a number"),
        (pa.array([1.0, float("-inf"), 1.0], pa.float32()), "an infinite number"),
        (halves(1.0, float("nan"), 1.0), "NaN, which is not a number"),
        (pa.array([{"a": 1.0}, {"a": float("nan")}, None]), "NaN, which is not a number"),
        (pa.array([[], [("a", 1), ("a", 2)], []], pa.map_(pa.string(), pa.int8())), "a map that has a key twice"),
        (pa.array([[], [(1, 1)], []], pa.map_(pa.int8(), pa.int8())), "a map with a key that is not text"),
    ],
)  # fmt: skip
def test_a_value_that_python_cannot_hold_affects_only_its_row(tmp_path: Path, array: pa.Array, reason: str) -> None:
    """The reason names the row and the column, and the rows around it are read."""
    first, second, third = values_of(tmp_path, array)
    assert second == f"row 2: column 'x': {reason}"
    assert (first, third) == tuple(column_values(pa.field("x", array.type), array)[::2])
    assert UnreadableValue not in {type(first), type(third)}


UUID = uuid.UUID("00000000-0000-4000-8000-000000000001")
BERLIN = datetime(2024, 5, 31, 9, 30, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (pa.array([2**64 - 1, None], pa.uint64()), [2**64 - 1, None]),
        (pa.array([Decimal("12.50"), Decimal("-0.01")]), [Decimal("12.50"), Decimal("-0.01")]),
        (pa.array([Decimal("1" * 60)], pa.decimal256(70, 2)), [Decimal("1" * 60)]),
        (pa.array([0.1, 16777216.0, 123456792.0, 0.3, None], pa.float32()), [0.1, 16777216.0, 123456792.0, 0.3, None]),
        (halves(0.1, 65504.0), [0.1, 65504.0]),
        (pa.array([0.1, 1e300]), [0.1, 1e300]),
        (pa.array([b"\xff"], pa.binary()), [b"\xff"]),
        (pa.array([b"ab"], pa.binary(2)), [b"ab"]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        (pa.array([1, -1], pa.timestamp("ns")), [NAIVE, NAIVE - timedelta(microseconds=1)]),
        (pa.array([1_001], pa.timestamp("ns", "UTC")), [datetime(1970, 1, 1, 0, 0, 0, 1, UTC)]),
        (pa.array([BERLIN], pa.timestamp("s", "Europe/Berlin")), [BERLIN]),
        (pa.array([0], pa.timestamp("ms", "+02:00")), [datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))]),
        (pa.array([0], pa.timestamp("ms", "Mars/Olympus")), [datetime(1970, 1, 1, tzinfo=UTC)]),
        (pa.array([date(1, 1, 1), date(9999, 12, 31)]), [date(1, 1, 1), date(9999, 12, 31)]),
        (pa.array([date(2024, 5, 31)], pa.date64()), [date(2024, 5, 31)]),
        (pa.array([time(9, 30, 0, 1000)], pa.time32("ms")), [time(9, 30, 0, 1000)]),
        (pa.array([1_999], pa.time64("ns")), [time(0, 0, 0, 1)]),
        (pa.array([["a", None], [], None]), [["a", None], [], None]),
        (pa.array([["a"]], pa.large_list(pa.string())), [["a"]]),
        (pa.array([["a"]], pa.list_(pa.string(), 1)), [["a"]]),
        (pa.array([[[1], None], []]), [[[1], None], []]),
        (pa.array([{"a": {"b": 1}, "c": None}, None]), [{"a": {"b": 1}, "c": None}, None]),
        (pa.array([{"a": [NAIVE]}, None]), [{"a": [NAIVE]}, None]),
        (pa.array([[("a", Decimal("1.5"))], None], pa.map_(pa.string(), pa.decimal128(3, 1))),
         [{"a": Decimal("1.5")}, None]),
        (pa.array([None, None], pa.null()), [None, None]),
    ],
)  # fmt: skip
def test_values_keep_their_types_and_their_digits(tmp_path: Path, array: pa.Array, values: list[Any]) -> None:
    """Times are cut to microseconds; a float of few bits is the shortest number that is the same float."""
    found = values_of(tmp_path, array)
    assert found == values
    assert [*map(type, found)] == [*map(type, values)]


def extended(name: str, storage: pa.Array) -> pa.Table:
    """Return a table with a column of an extension type, as written where the type is not registered."""
    field = pa.field("x", storage.type, metadata={"ARROW:extension:name": name, "ARROW:extension:metadata": ""})
    return pa.table([storage], schema=pa.schema([field]))


@pytest.mark.parametrize(
    ("name", "storage", "row"),
    [
        ("arrow.uuid", pa.array([UUID.bytes], pa.binary(16)), {"custom": {"x": str(UUID)}}),
        ("arrow.json", pa.array(['{"a":1}']), {"custom": {"x": '{"a":1}'}}),
        ("arrow.bool8", pa.array([1], pa.int8()), {"custom": {"x": True}}),
        ("pandas.period", pa.array([648]), Unreadable(
            "row 1: column 'x': a value of the type pandas.period, which has no form in JSON")),
    ],
)  # fmt: skip
def test_extension_types_are_known_by_their_names(tmp_path: Path, name: str, storage: pa.Array, row: Any) -> None:
    """What is stored of an unknown one, such as the number of a month, is not its value."""
    assert rows_of(tmp_path, extended(name, storage), "custom.x=x") == [row]


def test_old_timestamps_reach_the_end_of_the_calendar(tmp_path: Path) -> None:
    """In nanoseconds 9999 would silently become 1816."""
    last = datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - the column has no zone
    array = pa.array([last], pa.timestamp("us"))
    assert values_of(tmp_path, array, use_deprecated_int96_timestamps=True) == [last]


@steady
@given(
    st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**12), 10**12),
    st.sampled_from(["s", "ms", "us", "ns"]),
    st.sampled_from([None, "UTC", "Asia/Tokyo"]),
)
def test_a_time_is_cut_to_microseconds_or_out_of_range(number: int, unit: str, zone: str | None) -> None:
    """The expected time is counted from the epoch in whole numbers."""
    (found,) = column_values(pa.field("x", pa.timestamp(unit, zone)), pa.array([number], pa.timestamp(unit, zone)))
    microseconds = number * 10**6 // {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    try:
        expected: Any = NAIVE + timedelta(microseconds=microseconds)
    except OverflowError:
        expected = UnreadableValue(TIME)
    if isinstance(expected, datetime) and zone:
        assert found.utcoffset() is not None
        found, expected = found.timestamp(), expected.replace(tzinfo=UTC).timestamp()
    assert found == expected


@steady
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_number_is_the_same_float(number: float) -> None:
    """It has no more digits than the float's own value."""
    found = shortest(number, "f", range(6, 10))
    assert struct.pack("f", found) == struct.pack("f", number)
    assert len(repr(found)) <= len(repr(number))


@steady
@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-999, max_value=999))
def test_a_decimal_of_six_digits_survives_a_float_of_32_bits(number: Decimal) -> None:
    """It is the number that was meant."""
    assume(len(number.as_tuple().digits) <= 6)
    (found,) = column_values(pa.field("x", pa.float32()), pa.array([float(number)], pa.float32()))
    assert found == float(number)


@pytest.mark.slow
def test_without_pandas_times_are_the_same(tmp_path: Path) -> None:
    """Nanoseconds become other objects in pyarrow if pandas is installed."""
    array = pa.array([1_717_147_800_123_456_789, None], pa.timestamp("ns", "UTC"))
    expected = values_of(tmp_path, array)
    program = (
        "import sys; sys.modules['pandas'] = None; from pathlib import Path;"
        "from planhat_async.models import Task; from planhat_async.jobs.files.file_source import FileSource;"
        "from planhat_async.jobs.mapping.field_mapping import FieldMapping;"
        f"mapping = FieldMapping.parse(Task, maps=['custom.x=x', 'custom.n=n']);"
        f"print([row['custom'].get('x') for row in FileSource(Path({str(tmp_path / 't.parquet')!r}), mapping)])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == f"{expected}\n" == f"{[datetime(2024, 5, 31, 9, 30, 0, 123456, UTC), None]}\n"


def damaged(path: Path, marker: bytes, **options: Any) -> Path:
    """Write 300 rows in groups of 100, and damage a page of the second column that holds this text."""
    columns = {"sourceId": [str(n) for n in range(300)], "action": [f"do {n}" for n in range(300)]}
    parquet.write_table(
        pa.table(columns), path, row_group_size=100, compression="none", use_dictionary=False, **options
    )
    content = path.read_bytes()
    path.write_bytes(content.replace(marker, b"\xff" * len(marker), 1))
    assert path.read_bytes() != content
    return path


def test_rows_before_a_damaged_page_are_read(tmp_path: Path) -> None:
    """The error names the file, the column, and the first row that was not read."""
    rows = iter(source(damaged(tmp_path / "t.parquet", b"do 250", write_page_checksum=True)))
    assert [next(rows) for _ in range(200)] == [{"sourceId": str(n), "action": f"do {n}"} for n in range(200)]
    with pytest.raises(SourceError) as caught:
        next(rows)
    message = "it is damaged in the column 'action': row 201 and all after it were not read ("
    assert str(caught.value).startswith(f"{tmp_path / 't.parquet'}: {message}")


def test_a_damaged_page_of_another_column_does_not_matter(tmp_path: Path) -> None:
    """It is not read."""
    path = damaged(tmp_path / "t.parquet", b"do 250", write_page_checksum=True)
    assert len(list(source(path, "source_id=sourceId"))) == 300


def test_a_footer_with_another_number_of_rows_is_an_error(tmp_path: Path) -> None:
    """Rows would be lost without an account."""
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"sourceId": [str(n) for n in range(1000)]}), path)
    content, n_rows = path.read_bytes(), b"\x16\xd0\x0f"  # field 3 of the footer: 1,000, doubled, in 7 bits a byte
    begin = content.index(b"schema")
    path.write_bytes(content[:begin] + content[begin:].replace(n_rows, b"\x16\xd2\x0f", 1))
    with pytest.raises(SourceError) as caught:
        list(source(path))
    assert str(caught.value) == f"{path}: it is damaged: it should have 1,001 rows, but 1,000 can be read"


def packed_table(write: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty: 0 bytes"),
        (b"PAR1 PARE", "it is not a Parquet file that can be read: "),
        (b"PAREabc", "it is encrypted: write it again without encryption"),
        (gzip.compress(b"PAR1", mtime=0), "Parquet is read from its end, which gzip does not allow: unpack it first"),
        (b"PK\x03\x04", "Parquet is read from its end, which zip does not allow: unpack it first"),
        (b"ORC\x08", "it is an ORC file, not Parquet"),
        (packed_table(lambda out: feather.write_feather(pa.table({"a": [1]}), out)),
         "it is an Arrow file (Feather), not Parquet"),
    ],
)  # fmt: skip
def test_another_file_is_refused_by_its_name(tmp_path: Path, content: bytes, message: str) -> None:
    """The first bytes say what it is."""
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        source(path).check_beginning()
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


class Keys(encryption.KmsClient):  # type: ignore[misc]
    """Keys that are not kept secret."""

    def __init__(self, _: Any) -> None:
        super().__init__()

    def wrap_key(self, key: bytes, _: str) -> str:
        return key.hex()


def test_an_encrypted_column_is_refused_and_others_are_read(tmp_path: Path) -> None:
    """The footer of such a file is not encrypted."""
    path, table = tmp_path / "t.parquet", pa.table({"sourceId": ["1"], "action": ["x"]})
    how = encryption.EncryptionConfiguration(footer_key="a", column_keys={"b": ["action"]}, plaintext_footer=True)
    properties = encryption.CryptoFactory(Keys).file_encryption_properties(encryption.KmsConnectionConfig(), how)
    with parquet.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    assert list(source(path, "source_id=sourceId")) == [{"source_id": "1"}]
    with pytest.raises(SourceError, match="it is encrypted in the column 'action': row 1 and all after it were not"):
        list(source(path))


def test_a_file_without_rows_is_remarked(tmp_path: Path) -> None:
    """It is no error."""
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"sourceId": pa.array([], pa.string())}), path)
    found = source(path)
    assert (list(found), found.remarks) == ([], ["the file has no rows"])


def test_the_index_of_a_data_frame_is_left_out(tmp_path: Path) -> None:
    """A mapping may use it, and a remark says that it was left out otherwise."""
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"sourceId": ["1"], "__index_level_0__": [7]}), path)
    found = source(path)
    assert list(found) == [{"sourceId": "1"}]
    assert found.remarks == ["1 column left out, the index of a data frame: __index_level_0__"]
    mapped = source(path, "source_id=sourceId", "custom.n=__index_level_0__")
    assert (list(mapped), mapped.remarks) == ([{"source_id": "1", "custom": {"n": 7}}], [])


def test_an_index_that_was_written_without_a_name_and_read_again_is_left_out(tmp_path: Path) -> None:
    """A row with another value in its column is invalid: it may be something else."""
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"Unnamed: 0": ["7", " ", None, "Ada"], "sourceId": ["1", "2", "3", "4"]}), path)
    found = source(path)
    message = "row 4: column 'Unnamed: 0' holds 'Ada': rename it, or choose columns with --map FIELD=COLUMN"
    assert list(found) == [*({"sourceId": number} for number in "123"), Unreadable(message)]
    assert found.remarks == ["1 column left out, the index of a data frame: Unnamed: 0"]


def test_a_nameless_column_is_left_out_if_it_is_empty(tmp_path: Path) -> None:
    """One with values is refused unless a mapping names others."""
    for value, rows in ((None, [{"sourceId": "1"}]), ("x", None)):
        table = pa.table([pa.array(["1"]), pa.array([value], pa.string())], names=["sourceId", ""])
        assert rows_of(tmp_path, table, "source_id=sourceId") == [{"source_id": "1"}]
        if rows is not None:
            assert rows_of(tmp_path, table) == rows
        else:
            with pytest.raises(SourceError, match="a column has values and no name"):
                rows_of(tmp_path, table)


def test_columns_with_one_name_may_be_there_unless_they_are_used(tmp_path: Path) -> None:
    """It would be unclear which is meant."""
    table = pa.table([pa.array(["1"]), pa.array(["x"]), pa.array(["y"])], names=["sourceId", "A", "A"])
    assert rows_of(tmp_path, table, "source_id=sourceId") == [{"source_id": "1"}]
    with pytest.raises(SourceError, match="the file has the column 'A' twice"):
        rows_of(tmp_path, table, "action=A")


def test_a_column_with_a_dot_is_not_a_part_of_another(tmp_path: Path) -> None:
    """The library selects both by the beginning of the name."""
    table = pa.table({"sourceId": ["1"], "custom.ARR": [1.5], "custom": pa.array([{"ARR": 2}])})
    assert rows_of(tmp_path, table, "custom=custom") == [{"custom": {"ARR": 2}}]
    assert rows_of(tmp_path, table, "custom.ARR=custom.ARR") == [{"custom": {"ARR": 1.5}}]


def test_rejected_rows_are_copied_as_they_are(tmp_path: Path) -> None:
    """This includes values that Python cannot hold."""
    path, out = tmp_path / "t.parquet", io.BytesIO()
    table = pa.table({"sourceId": ["1", "2", "3"], "action": NOT_UTF8.view(pa.string())})
    parquet.write_table(table, path)
    source(path).copy([(1, "invalid: text that is not UTF-8")], out)
    copy = parquet.read_table(io.BytesIO(out.getvalue()))
    assert copy.drop(["not stored because"]).equals(table.slice(1, 1))
    assert copy.column("not stored because").to_pylist() == ["invalid: text that is not UTF-8"]


@pytest.mark.slow
def test_one_huge_row_group_takes_little_memory(tmp_path: Path) -> None:
    """The library alone reads the whole column at once."""
    path, n_rows, draw = tmp_path / "t.parquet", 200_000, random.Random(1)
    ids = pa.array(map(str, range(n_rows)))
    texts = pa.array([draw.randbytes(60).hex() for _ in range(n_rows)])
    parquet.write_table(pa.table({"sourceId": ids, "action": texts}), path, row_group_size=n_rows)
    assert parquet.ParquetFile(path).num_row_groups == 1
    before = pa.total_allocated_bytes()
    n_read, most = 0, 0
    for _ in source(path):
        n_read += 1
        most = max(most, pa.total_allocated_bytes() - before)
    assert n_read == n_rows
    assert most < 8 << 20


@pytest.mark.slow
def test_a_page_that_claims_to_be_large_takes_no_memory(tmp_path: Path) -> None:
    """Each byte of the file's first page header is damaged in turn; the peak is that of a process of its own."""
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"sourceId": ["1"] * 9}), path, compression="none", write_page_checksum=True)
    read_damaged = """
import contextlib, resource, sys
from pathlib import Path
from planhat_async.jobs.files.file_source import FileSource
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Task
path = Path(sys.argv[1])
content, found = path.read_bytes(), []
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for at in [4, *range(4, 30)]:
    for change in (0x80, 0xFF):
        path.write_bytes(content[:at] + bytes([content[at] ^ change]) + content[at + 1 :])
        with contextlib.suppress(SourceError):
            list(FileSource(path, FieldMapping.parse(Task)))
    found.append(peak())
print(found[-1] - found[0])
"""
    process = subprocess.run([sys.executable, "-c", read_damaged, path], capture_output=True, text=True, check=True)
    assert int(process.stdout) < 50_000
