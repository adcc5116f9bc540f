"""Test values of numpy, pandas, databases and of Python's own classes, as rows handed in from Python have them."""

from __future__ import annotations

import enum
import json
import math
import uuid
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import singledispatch
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planhat_async import EndUser, Note, Person, Task, Ticket
from planhat_async._convert import Field, encode_json, encode_row, fields_of, read_time, to_wire
from planhat_async._convert.python_values import own_value

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)
NAIVE = datetime(2024, 5, 31, 12)  # noqa: DTZ001 - the point
DAY = date(2024, 5, 31)
UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Status(enum.Enum):
    OPEN = "open"


class Level(enum.IntEnum):
    HIGH = 3


class Colour(enum.StrEnum):
    RED = "red"


class Text(str):
    """A text that shows itself in another way."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"


class Whole(int):
    """A whole number that shows itself in another way."""

    def __int__(self) -> int:
        return 0

    __index__ = __int__


class Number(float):
    """A number that shows itself in another way."""

    def __float__(self) -> float:
        return 0.0


class NaTType(datetime):
    """Has the name and the base of pandas' value."""


class NAType:
    """Has the name of pandas' value."""

    def __eq__(self, _: object) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None  # type: ignore[assignment]


class Kind:
    """A `dtype`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Array:
    """What numpy's scalars and arrays have in common, with a shape of its own."""

    def __init__(self, kind: str, held: Any, shape: tuple[int, ...] = (), shown: str = "array") -> None:
        self.dtype, self.shape, self._held, self._shown = Kind(kind), shape, held, shown

    @property
    def dtype(self) -> Kind:
        return self._dtype

    @dtype.setter
    def dtype(self, dtype: Kind) -> None:
        self._dtype = dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @shape.setter
    def shape(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def tolist(self) -> Any:
        return self._held

    def __iter__(self) -> Any:
        return iter(self._held)

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"Array({self.dtype.kind}, {self._held!r})"


class Nanoseconds(Array):
    """A time in nanoseconds, which numpy holds as a number."""

    def __init__(self, time: Any) -> None:
        super().__init__("M", 1717156800000000000)
        self._time = time

    def astype(self, unit: str) -> Array:
        assert unit == "datetime64[us]"
        return Array("M", self._time)


class LongNumber(Array):
    """A number with more bits than a float, which `tolist` returns unchanged."""

    def __init__(self, number: Fraction) -> None:
        super().__init__("f", self)
        self._number = number

    def __float__(self) -> float:
        return float(self._number)

    def __eq__(self, other: object) -> bool:
        return self._number == other

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return str(self._number)


@attrs.define
class Point:
    """A class of the caller's."""

    x: int = 0


def sent(**values: Any) -> Any:
    """What is sent for these fields of a ticket, decoded."""
    return json.loads(encode_row(Ticket, to_wire(Ticket, values)))


def reason(record: Any, **values: Any) -> str:
    """Why these fields of a record are refused."""
    with pytest.raises((TypeError, ValueError)) as caught:
        to_wire(record, values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (35436, "35436"),
        (0, "0"),
        (-7, "-7"),
        (2**70, str(2**70)),
        (Level.HIGH, "3"),
        (Whole(7), "7"),
        (Decimal(35436), "35436"),
        (Array("i", 35436), "35436"),
        (UUID, "12345678-1234-5678-1234-567812345678"),
        (Status.OPEN, "open"),
        (Colour.RED, "red"),
        (Text("text"), "text"),
        (Array("U", "text"), "text"),
        (Array("O", Colour.RED), "red"),
    ],
)
def test_what_has_one_form_as_text_is_sent_as_text(value: Any, text: str) -> None:
    """In fields of text, of ids, and of lists of texts; what is sent is Python's own type."""
    assert sent(source_id=value, title=value, domains=[value]) == {"sourceId": text, "title": text, "domains": [text]}
    assert type(to_wire(Ticket, {"title": value})["title"]) is str
    assert sent(title=value) == json.loads(encode_row(Ticket, to_wire(Ticket, Ticket(title=value))))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (35436.0, "the number 35436.0"),
        (Number(1.5), "the number 1.5"),
        (Decimal("35436.00"), "the number 35436.0"),
        (Array("f", 7.0), "the number 7.0"),
        (True, "True"),
        (Array("b", False), "False"),
        (NOON, "a time"),
        (DAY, "a day"),
        (b"text", "bytes: decode them"),
        (Array("S", b"text"), "bytes: decode them"),
        ({"a"}, "a set: it has no order, sort it into a list"),
        (Fraction(1, 2), "Fraction"),
        (Point(), "Point"),
        (Array("c", 1j), "complex"),
        (Array("V", (1, 2)), "Array"),
        (Array("M", False), "Array"),
        (Array("M", 5), "Array"),
    ],
)
def test_what_has_no_single_form_as_text_is_refused(value: Any, found: str) -> None:
    """The message can be read in one way only: it says what was found."""
    assert reason(Ticket, source_id=value) == f"source_id: text or a whole number, not {found}"
    assert reason(Ticket, domains=[value]) == f"domains: text or a whole number, not {found}"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5.5, 5.5),
        (2**70, 2**70),
        (Number(1.5), 1.5),
        (Decimal("12.50"), 12.5),
        (Decimal("0.1"), 0.1),
        (Decimal("1E+2"), 100),
        (Decimal("-0.0"), 0),
        (Decimal(12345678901234567890123), 12345678901234567890123),
        (Decimal("12345678901234567890123.0"), 12345678901234567890123),
        (Array("f", 5.5), 5.5),
        (Array("f", 0.10000000149011612), 0.10000000149011612),
        (LongNumber(Fraction(1, 4)), 0.25),
        (Array("u", 2**64 - 1), 2**64 - 1),
    ],
)
def test_numbers_are_sent_with_all_of_their_digits(value: Any, number: float) -> None:
    """In fields of numbers and in custom fields; a number of 32 bits is sent as the number that it is."""
    assert sent(time_spent=value, custom={"n": [value]}) == {"timeSpent": number, "custom": {"n": [number]}}


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (math.nan, "no number (NaN): leave it out"),
        (Number("nan"), "no number (NaN): leave it out"),
        (Decimal("NaN"), "no number (NaN): leave it out"),
        (Decimal("sNaN"), "no number (NaN): leave it out"),
        (Array("f", math.nan), "no number (NaN): leave it out"),
        (Array("f", None), "no number (masked): leave it out"),
        (Array("i", None), "no number (masked): leave it out"),
        (NAType(), "no number (NA): leave it out"),
        (math.inf, "a number, not inf"),
        (Decimal("-Infinity"), "a number, not -inf"),
        (
            Decimal("0.1234567890123456789"),
            "'0.1234567890123456789' has more digits than a number keeps: round it",
        ),
        (Decimal("1E+400"), "'1E+400' has more digits than a number keeps: round it"),
        (LongNumber(Fraction(1, 3)), "'1/3' has more digits than a number keeps: round it"),
        (True, "a number, not True"),
        ("5", "a number, not the text '5'"),
        ("5" * 50, f"a number, not the text {'5' * 39 + '…'!r}"),
        (UUID, f"a number, not the text {str(UUID)!r}"),
        (Array("m", 5), "a number, not Array"),
        (timedelta(1), "a number, not timedelta"),
        (Fraction(1, 2), "a number, not Fraction"),
        (1j, "a number, not complex"),
    ],
)
def test_what_is_no_exact_number_is_refused(value: Any, complaint: str) -> None:
    """A missing value is none, and says so in the words of its library."""
    assert reason(Ticket, time_spent=value) == f"time_spent: {complaint}"


@pytest.mark.parametrize("value", [5, 5.0, Decimal(5), Decimal("5.00"), Level(3) + 2, Array("f", 5.0), Array("i", 5)])
def test_a_whole_number_may_be_given_as_a_float(value: Any) -> None:
    """It is the same number; pandas makes floats of whole numbers where one is missing."""
    assert to_wire(Task, {"repeat_days": value}) == {"repeatDays": 5}
    assert type(to_wire(Task, {"repeat_days": value})["repeatDays"]) is int


def test_a_fraction_is_no_whole_number() -> None:
    """It is not rounded."""
    assert reason(Task, repeat_days=5.5) == "repeat_days: a whole number, not the number 5.5"
    assert reason(Task, repeat_days=math.nan) == "repeat_days: no whole number (NaN): leave it out"
    assert reason(Task, repeat_days=math.inf) == "repeat_days: a whole number, not inf"


def test_truth_values_are_true_or_false() -> None:
    """Those of numpy too, but neither numbers nor texts."""
    assert to_wire(Task, {"is_archived": Array("b", True)}) == {"isArchived": True}
    assert reason(Task, is_archived=1) == "is_archived: true or false, not the whole number 1"
    assert reason(Task, is_archived=NAType()) == "is_archived: no truth value (NA): leave it out"


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (NaTType(1, 1, 1), "no time (NaT): leave it out"),
        (NAType(), "no time (NA): leave it out"),
        (math.nan, "no time (NaN): leave it out"),
        (Array("M", None, shown="NaT"), "no time (NaT): leave it out"),
        (NAIVE, "2024-05-31 12:00:00 has no time zone"),
        (Array("M", NAIVE), "2024-05-31 12:00:00 has no time zone"),
        (Nanoseconds(NAIVE), "2024-05-31 12:00:00 has no time zone"),
        (Nanoseconds(2**63), "a time, not Nanoseconds"),
        (DAY, "a time, not a day: write a datetime with a time zone"),
        (Array("M", DAY), "a time, not a day: write a datetime with a time zone"),
        (1717156800, "a time, not the whole number 1717156800"),
        (Array("m", 5), "a time, not Array"),
        (b"2024", "a time, not bytes: decode them"),
    ],
)
def test_what_is_no_time_with_a_zone_is_refused(value: Any, complaint: str) -> None:
    """It is not guessed which one was meant."""
    assert reason(Task, start_time=value) == f"start_time: {complaint}"


def test_a_day_of_numpy_is_a_day() -> None:
    """Where a field holds a day."""
    field = next(field for field in fields_of(EndUser).values() if field.type is datetime)
    assert field.check(NOON) == "2024-05-31T12:00:00.000Z"
    assert own_value(Array("M", DAY)) == DAY


@pytest.mark.parametrize(
    ("value", "items"),
    [
        (("a", "b"), ["a", "b"]),
        (Array("U", ["a", "b"], (2,)), ["a", "b"]),
        (Array("i", [Array("i", 1), 2], (2,)), ["1", "2"]),
        (Array("U", [], (0,)), []),
    ],
)
def test_lists_may_be_tuples_and_arrays(value: Any, items: list[str]) -> None:
    """They have an order, as a list has."""
    assert sent(domains=value) == {"domains": items}


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("secret", "a list, not text"),
        ({"a", "b"}, "a list, not a set: it has no order, sort it into a list"),
        (frozenset("a"), "a list, not a set: it has no order, sort it into a list"),
        ((one for one in "ab"), "a list, not a generator: make a list of it"),
        (b"ab", "a list, not bytes: decode them"),
        ({}.keys(), "a list, not dict_keys"),
        (7, "a list, not a whole number"),
        (math.nan, "no list (NaN): leave it out"),
        (NAType(), "no list (NA): leave it out"),
        (Array("i", 7), "a list, not a whole number"),
        (Point(), "a list, not Point"),
    ],
)
def test_what_has_no_order_is_no_list(value: Any, complaint: str) -> None:
    """A set would be sent in an order that changes from run to run, and a generator could be sent once only."""
    assert reason(Ticket, domains=value) == f"domains: {complaint}"


@pytest.mark.parametrize("cls", [dict, OrderedDict, MappingProxyType])
def test_objects_may_be_any_mapping(cls: Any) -> None:
    """Their names may be members of an `Enum`."""
    assert sent(custom=cls({Colour.RED: 1, Text("b"): 2})) == {"custom": {"red": 1, "b": 2}}


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"a": math.nan}, "not expressible in JSON: NaN, which is not a value: leave it out (at a)"),
        (
            {"a": {"b c": [1, NAType()]}},
            "not expressible in JSON: NA, which is not a value: leave it out (at a.b c[1])",
        ),
        ({"a": [NaTType(1, 1, 1)]}, "not expressible in JSON: NaT, which is not a value: leave it out (at a[0])"),
        ({"a": [[{"b": Point()}]]}, "not expressible in JSON: Point (at a[0][0].b)"),
        ({"a": NAIVE}, "not expressible in JSON: 2024-05-31 12:00:00 has no time zone (at a)"),
        ({"a": Decimal("1.00000000000000000001")}, None),
        ({"a": {7: 1}}, "not expressible in JSON: a name that is not text, a whole number (at a)"),
        ({7: 1}, "not expressible in JSON: a name that is not text, a whole number"),
        ({"a": {"b"}}, "not expressible in JSON: a set: it has no order, sort it into a list (at a)"),
        ({"a": b"b"}, "not expressible in JSON: bytes: decode them (at a)"),
        ({"a": Array("f", [math.nan], (1,))}, "not expressible in JSON: NaN, which is not a value: leave it out"),
        (Point(), "an object, not Point"),
        (math.nan, "no object (NaN): leave it out"),
    ],
)
def test_a_custom_value_without_a_form_in_json_is_named(value: Any, complaint: str | None) -> None:
    """By its path within the object."""
    digits = "not expressible in JSON: '1.00000000000000000001' has more digits than a number keeps: round it (at a)"
    assert reason(Ticket, custom=value) == f"custom: {complaint or digits}"


def test_custom_values_are_sent_as_what_they_hold() -> None:
    """At any depth; a time with a zone in Planhat's form, and a day as `YYYY-MM-DD`."""
    values = {
        "a": [Array("f", 1.5), (Array("i", 2), Array("b", True))],
        "b": {"c": UUID, "d": Status.OPEN, "e": Decimal("1200.50"), "f": Level.HIGH},
        "g": NOON,
        "h": DAY,
        "i": Array("i", [1, 2], (2,)),
        "j": None,
    }
    assert sent(custom=values)["custom"] == {
        "a": [1.5, [2, True]],
        "b": {"c": str(UUID), "d": "open", "e": 1200.5, "f": 3},
        "g": "2024-05-31T12:00:00.000Z",
        "h": "2024-05-31",
        "i": [1, 2],
        "j": None,
    }
    assert json.loads(encode_json(values)) == sent(custom=values)["custom"]


def test_the_objects_of_a_list_hold_such_values_too() -> None:
    """Their fields are checked like those of a record."""
    users = [{"id": Text("u1"), "name": 7}, Person(id="u2", is_owner=Array("b", False))]  # type: ignore[arg-type]
    assert to_wire(Note, {"users": users}) == {"users": [{"id": "u1", "name": "7"}, {"id": "u2", "isOwner": False}]}
    assert reason(Note, users=[Point()]) == "users: objects such as Person, not Point"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"title": "\ud800"}, "title: not expressible in JSON: text with a lone surrogate"),
        ({"source_id": "1", "custom": {"a": "\ud800"}}, "custom: not expressible in JSON: text with a lone surrogate"),
        ({"time_spent": 10**5000}, "time_spent: not expressible in JSON: a number with too many digits"),
    ],
)
def test_an_error_of_the_encoder_names_the_field(values: dict[str, Any], complaint: str) -> None:
    """The encoder itself does not say where."""
    wire = to_wire(Ticket, values)
    with pytest.raises(ValueError, match="not expressible") as caught:
        encode_row(Ticket, wire)
    assert str(caught.value) == complaint


def test_a_number_with_too_many_digits_for_a_text_is_refused() -> None:
    """Python limits how many it writes."""
    assert reason(Ticket, title=10**5000).startswith("title: Exceeds the limit")


SURROGATES = st.characters(categories=["Cs", "L"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.text(SURROGATES, max_size=2)
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.dates()
    | st.datetimes()
    | st.datetimes(timezones=st.timezones())
    | st.timedeltas()
    | st.binary(max_size=3)
    | st.complex_numbers()
    | st.sampled_from([Status.OPEN, Level.HIGH, Colour.RED, Text("a"), Whole(1), Number(0.5), Point(), NAType()])
)
HELD = SCALARS | st.builds(
    Array, st.sampled_from("biufSUMmVO"), st.booleans() | st.integers() | st.floats() | st.text()
)
VALUES = st.recursive(
    HELD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.sets(
        st.integers(), max_size=2
    ),
    max_leaves=5,
)  # fmt: skip
FIELDS = [
    (cls, field)
    for cls, names in {
        Ticket: ["source_id", "title", "time_spent", "tags", "domains", "history", "custom", "email"],
        Task: ["start_time", "is_archived", "repeat_days", "checklist", "activity_tags"],
        EndUser: ["email", "other_emails"],
    }.items()
    for field in map(fields_of(cls).__getitem__, names)
]


@singledispatch
def is_sent_as(value: Any, decoded: Any, _: Field | None) -> bool:
    """Whether what was sent is the value, once decoded; written without the conversion's own rules."""
    return type(value) is type(decoded) and bool(value == decoded)


@is_sent_as.register
def _(value: Array, decoded: Any, field: Field | None) -> bool:
    return is_sent_as(value.tolist(), decoded, field)


@is_sent_as.register
def _(value: enum.Enum, decoded: Any, field: Field | None) -> bool:
    return is_sent_as(value.value, decoded, field)


@is_sent_as.register
def _(value: dict, decoded: Any, field: Field | None) -> bool:  # type: ignore[type-arg]
    return decoded.keys() == value.keys() and all(is_sent_as(value[key], decoded[key], field) for key in value)


@is_sent_as.register
def _(value: list, decoded: Any, field: Field | None) -> bool:  # type: ignore[type-arg]
    return len(decoded) == len(value) and all(is_sent_as(*pair, field) for pair in zip(value, decoded, strict=True))


@is_sent_as.register
def _(value: str, decoded: Any, field: Field | None) -> bool:
    own = str.__str__(value)
    if field is not None and field.type is datetime:
        return read_time(decoded) == read_time(own.strip())
    return decoded == own or (field is not None and field.holds_addresses and decoded == own.strip())


@is_sent_as.register
def _(value: int, decoded: Any, field: Field | None) -> bool:
    own = int.__add__(value, 0)
    is_text = isinstance(decoded, str) and field is not None and field.type in (str, list[str])
    return decoded == str(own) if is_text else type(decoded) in {int, float} and decoded == own


@is_sent_as.register
def _(value: bool, decoded: Any, _: Field | None) -> bool:
    return decoded is value


@is_sent_as.register
def _(value: float, decoded: Any, _: Field | None) -> bool:
    return type(decoded) in {int, float} and decoded == float.__add__(value, 0.0)


@is_sent_as.register
def _(value: Decimal, decoded: Any, _: Field | None) -> bool:
    return Decimal(decoded if isinstance(decoded, str) else repr(decoded)) == value


@is_sent_as.register(uuid.UUID)
@is_sent_as.register(date)
def _(value: Any, decoded: Any, _: Field | None) -> bool:
    return bool(decoded == str(value))


@is_sent_as.register
def _(value: datetime, decoded: Any, _: Field | None) -> bool:
    return timedelta() <= value - read_time(decoded) < timedelta(milliseconds=1)


@pytest.mark.slow
@settings(deadline=None, max_examples=500)
@given(st.sampled_from(FIELDS), VALUES)
def test_any_value_is_sent_exactly_or_refused_by_name(place: tuple[Any, Field], value: Any) -> None:
    """Either JSON that decodes to an equal value, or an error that begins with the field's name."""
    cls, field = place
    refused, body = "", b""
    try:
        body = encode_row(cls, to_wire(cls, {field.name: value}))
    except (TypeError, ValueError) as error:
        refused = str(error)
    if refused:
        assert refused.startswith(f"{field.name}: ")
    else:
        assert is_sent_as(value, json.loads(body)[field.wire], field), (body, value)


class TestNumpy:
    """The library itself, where it is installed."""

    @pytest.fixture
    def np(self) -> Any:
        return pytest.importorskip("numpy")

    def test_numbers_are_exact(self, np: Any) -> None:
        """Of any width, also in custom fields."""
        numbers = [np.float64(5.5), np.float32(0.1), np.float16(0.1), np.int8(-3), np.uint64(2**64 - 1), np.array(7)]
        for number in numbers:
            assert sent(time_spent=number, custom={"n": number}) == {
                "timeSpent": number.item(),
                "custom": {"n": number.item()},
            }
            assert number == to_wire(Ticket, {"time_spent": number})["timeSpent"]

    def test_a_wide_number_is_exact_or_refused(self, np: Any) -> None:
        """On machines where it has more bits than a float."""
        assert sent(time_spent=np.longdouble(0.25)) == {"timeSpent": 0.25}
        third = np.longdouble(1) / 3
        if float(third) != third:
            assert reason(Ticket, time_spent=third).endswith(" has more digits than a number keeps: round it")

    def test_texts_and_truth_values_are_those_they_hold(self, np: Any) -> None:
        """Also ids that are numbers."""
        assert sent(source_id=np.int64(35436), title=np.str_("x")) == {"sourceId": "35436", "title": "x"}
        assert to_wire(Task, {"is_archived": np.bool_(True)}) == {"isArchived": True}
        assert reason(Ticket, title=np.float64("nan")) == "title: no text (NaN): leave it out"
        assert reason(Ticket, title=np.bytes_(b"x")) == "title: text or a whole number, not bytes: decode them"

    def test_arrays_are_lists(self, np: Any) -> None:
        """Of one dimension and of more."""
        assert sent(tags=np.array(["a", "b"]), custom={"n": np.array([[1, 2], [3, 4]])}) == {
            "tags": ["a", "b"],
            "custom": {"n": [[1, 2], [3, 4]]},
        }
        assert sent(domains=np.array(["a", "b"], object)) == {"domains": ["a", "b"]}

    def test_times_have_no_zone(self, np: Any) -> None:
        """Whatever their unit; a day is a day."""
        for unit in "s", "ms", "us", "ns":
            time = np.datetime64("2024-05-31T09:30:00", unit)
            assert reason(Task, start_time=time) == "start_time: 2024-05-31 09:30:00 has no time zone"
            assert reason(Task, start_time=np.datetime64("NaT", unit)) == "start_time: no time (NaT): leave it out"
            assert reason(Ticket, time_spent=np.timedelta64(5, unit)) == "time_spent: a number, not timedelta64"
        assert own_value(np.datetime64("2024-05-31")) == DAY

    def test_a_masked_value_is_none(self, np: Any) -> None:
        """What is beneath the mask is not sent."""
        masked = np.ma.masked
        assert reason(Ticket, time_spent=masked) == "time_spent: no number (masked): leave it out"
        assert reason(Ticket, domains=np.ma.array([1, 2], mask=[0, 1])) == ("domains: no text (masked): leave it out")


class TestPandas:
    """The library itself, where it is installed."""

    @pytest.fixture
    def pd(self) -> Any:
        return pytest.importorskip("pandas")

    def test_a_time_is_cut_to_milliseconds(self, pd: Any) -> None:
        """It has nanoseconds, and Planhat has none."""
        time = pd.Timestamp("2024-05-31 09:30:00.123999999", tz="Europe/Paris")
        assert to_wire(Task, {"start_time": time}) == {"startTime": "2024-05-31T07:30:00.123Z"}
        assert sent(custom={"at": time}) == {"custom": {"at": "2024-05-31T07:30:00.123Z"}}

    def test_a_time_without_a_zone_is_refused(self, pd: Any) -> None:
        """As any other one."""
        time = pd.Timestamp("2024-05-31 09:30:00")
        assert reason(Task, start_time=time) == "start_time: 2024-05-31 09:30:00 has no time zone"

    def test_missing_values_are_named(self, pd: Any) -> None:
        """In the words of the library."""
        assert reason(Task, start_time=pd.NaT) == "start_time: no time (NaT): leave it out"
        assert reason(Ticket, title=pd.NA) == "title: no text (NA): leave it out"
        assert reason(Ticket, custom={"a": pd.NaT}) == (
            "custom: not expressible in JSON: NaT, which is not a value: leave it out (at a)"
        )

    def test_the_rows_of_a_table_are_rows(self, pd: Any) -> None:
        """As `to_dict("records")` makes them."""
        table = pd.DataFrame({"source_id": [35436], "time_spent": [5.5], "title": ["x"]})
        (row,) = table.to_dict("records")
        assert sent(**row) == {"sourceId": "35436", "timeSpent": 5.5, "title": "x"}
        series = pd.Series(["a", "b"])
        assert sent(domains=series) == {"domains": ["a", "b"]}
