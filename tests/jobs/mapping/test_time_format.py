"""Test the forms in which a file writes its times."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import planhat_async
from planhat_async.jobs.mapping.time_format import TimeFormat

AT = datetime(2024, 5, 31, 9, 30)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("form", "text", "time"),
    [
        ("%d.%m.%Y %H:%M", " 31.5.2024 9:30 ", AT),
        ("%m/%d/%y %I:%M %p", "05/31/24 09:30 AM", AT),
        ("%d %b %Y %H:%M", "31 may 2024 09:30", AT),
        ("%Y-%j %H:%M", "2024-152 09:30", AT),
        ("%G-W%V-%u %H:%M", "2024-W22-5 09:30", AT),
        ("%Y-%m-%d %H:%M %z", "2024-05-31 09:30 +0530", AT.replace(tzinfo=timezone(timedelta(hours=5, minutes=30)))),
        ("%Y-%m-%d %H:%M UTC", "2024-05-31 09:30 UTC", AT.replace(tzinfo=UTC)),
        ("%Y-%m-%dT%H:%MZ", "2024-05-31T09:30Z", AT.replace(tzinfo=UTC)),
        ("%Y-%m-%d %H:%M %Z", "2024-05-31 09:30 UTC", AT.replace(tzinfo=UTC)),
        ("%Y-%m-%d %H:%M %Z", "2024-05-31 09:30 gmt", AT.replace(tzinfo=UTC)),
        ("%Y-%m-%d %H:%M%Z", "2024-05-31 09:30Z", AT.replace(tzinfo=UTC)),
        ("%Y-%m-%d %H:%M %%Z", "2024-05-31 09:30 %Z", AT.replace(tzinfo=UTC)),
        ("%Y-%m-%d %H:%M Zulu", "2024-05-31 09:30 zulu", AT),
        ("%d. %m. %Y um %H:%M Uhr", "31. 05. 2024 um 09:30 Uhr", AT),
    ],
)
def test_a_text_is_read_in_its_form(form: str, text: str, time: datetime) -> None:
    """UTC, GMT and Z mean UTC, as text and by `%Z`; other zones are told by `%z`."""
    assert TimeFormat(form).read(text, "x") == time


def test_digits_without_separators_may_be_a_number() -> None:
    """Databases have days such as 20240531 as whole numbers."""
    assert TimeFormat("%Y%m%d").read(20240531, "x") == datetime(2024, 5, 31)  # noqa: DTZ001


@pytest.mark.parametrize("value", [None, AT, 1.5, True, [1]])
def test_other_values_are_left(value: object) -> None:
    """A form is about texts."""
    assert TimeFormat("%Y").read(value, "x") is value


@pytest.mark.parametrize("zone", ["CET", "EST", "CEST", "UTC+2", "Europe/Berlin"])
def test_names_of_zones_are_refused(zone: str) -> None:
    """Python accepts those of the machine's own zone, and forgets them."""
    with pytest.raises(ValueError, match=r"of the form %Y-%m-%d %H:%M %Z, and %Z reads UTC, GMT and Z only$"):
        TimeFormat("%Y-%m-%d %H:%M %Z").read(f"2024-05-31 09:30 {zone}", "x")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("%Y-%m-%d %q", "%q is not read"),
        ("%Y-%m-%d %", "% is not read"),
        ("%c", "%c is not read: write out its parts"),
        ("%x", "%x is not read: write out its parts"),
        ("%s", "%s is not read: seconds since 1970 are the type 'epoch seconds'"),
        ("%Y-%U", "%U is not read: weeks are %G, %V and %u"),
        ("%d.%m.", "it names no year: add %Y"),
        ("%d.%Y", "%d means nothing without %m or %b or %B"),
        ("%Y-%m-%d %I:%M", "%I means nothing without %p"),
        ("%Y-%m-%d %H:%M %p", "%p means nothing without %I"),
        ("%G-%V", "%G means nothing without %u or %w or %a or %A"),
        ("%G-%u", "%G means nothing without %V"),
        ("%Y-%V", "%V means nothing without %G"),
        ("%Y-%m-%d %H:%M %z (%Z)", "it has %z and %Z: %z alone tells the zone"),
        ("%Y-%m-%d %H:%M GMT+2", "it holds an offset as text: write %z in place of it"),
        ("%Y-%m-%d %d", "redefinition of group name 'd' as group 4; was group 3"),
    ],
)
def test_a_form_of_which_a_part_would_be_lost_is_refused(form: str, message: str) -> None:
    """Before any row is read, Python would drop an hour's half of the day, or a zone, without a word."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        TimeFormat(form)


@pytest.mark.parametrize(("form", "names_zone"), [("%Y UTC", True), ("%Y %Z", True), ("%Y %z", True), ("%Y", False),
                                                  ("%Y %%y", False), ("%Y Zimt", False)])  # fmt: skip
def test_a_form_knows_whether_it_names_a_zone(form: str, names_zone: bool) -> None:
    """A percent sign that stands for itself begins nothing."""
    assert TimeFormat(form).names_zone is names_zone


def test_names_of_months_do_not_depend_on_the_machine() -> None:
    """The package does not choose a locale, so Python reads the names of its own."""
    sources = [path for path in Path(planhat_async.__file__).parent.rglob("*.py") if "setlocale" in path.read_text()]
    assert sources == []


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC", "America/New_York"])
def test_the_zone_of_the_machine_decides_nothing(zone: str) -> None:
    """CET is refused in Berlin as well."""
    program = (
        "from planhat_async.jobs.mapping.time_format import TimeFormat\n"
        "form = TimeFormat('%Y-%m-%d %H:%M %Z')\n"
        "print(form.read('2024-05-31 09:30 UTC', 'x'))\n"
        "form.read('2024-05-31 09:30 CET', 'x')\n"
    )
    env = {"TZ": zone, "LC_ALL": "de_DE.UTF-8", "PYTHONPATH": str(Path(planhat_async.__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)
    assert ended.stdout == "2024-05-31 09:30:00+00:00\n"
    assert "x: '2024-05-31 09:30 CET' is not a time of the form" in ended.stderr
