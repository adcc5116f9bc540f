"""Test mappings in a TOML file: columns, constants, date formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.mapping.mapping_file import MappingFile
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Task

WHOLE = """
time_zone = "Europe/Berlin"

[fields]
sourceId = "Task ID"
start_time = "Begins"
"custom.due" = "Due"

[constants]
company_id = "extid-acme"
activity_tags = ["a", "b"]

[dates]
start_time = "%d.%m.%Y %H:%M"
"custom.due" = "%Y-%m-%dT%H:%M%z"
"""

LOOKUP = '[fields]\ncompany_id = {{ column = "A", lookup = "{}", by = "{}" }}'


def parsed(path: Path, content: str, **more: Any) -> FieldMapping:
    path.write_text(content)
    held = MappingFile.load(path)
    return FieldMapping.parse(
        Task,
        columns=held.columns,
        values=held.constants,
        dates=held.dates,
        field_types=held.types,
        transforms=held.transforms,
        time_zone=held.time_zone,
        list_separator=held.list_separator,
        decimal_comma=held.decimal_comma,
        **more,
    )


def test_columns_constants_and_dates_are_applied(tmp_path: Path) -> None:
    """A time without a zone gets the file's zone, with its daylight saving time; options are added."""
    mapping = parsed(tmp_path / "m.toml", WHOLE, maps=["action=What"], constants=["description=x"])
    cells = {"Task ID": "7", "Begins": "31.05.2024 09:30", "Due": "2024-01-01T10:00+0530", "What": "Call"}
    assert mapping.apply_to_text(cells) == {
        "source_id": "7",
        "start_time": "2024-05-31T07:30:00.000Z",
        "action": "Call",
        "company_id": "extid-acme",
        "activity_tags": ["a", "b"],
        "description": "x",
        "custom": {"due": "2024-01-01T04:30:00.000Z"},
    }
    assert mapping.apply(cells) == mapping.apply_to_text(cells)


def test_a_column_can_name_a_record_by_a_key_of_its_own(tmp_path: Path) -> None:
    """It goes to its field, and is looked up; other columns are as they were."""
    (tmp_path / "m.toml").write_text(LOOKUP.format("companies", "externalId") + '\naction = "B"')
    held = MappingFile.load(tmp_path / "m.toml")
    assert held.columns == {"company_id": "A", "action": "B"}
    assert held.lookups == {"company_id": Lookup("companies", by="externalId")}


RULES = """
time_zone = "Europe/Berlin"
list_separator = ";"
decimal_comma = true

[fields]
source_id = "ID"
"custom.ref" = { column = "ID", lower = true }
"custom.email" = { column = "Requester", regex = '\\((.+@.+)\\)', strip = true, lower = true, default = "none" }
activity_tags = { column = "Tags", split = "|" }
start_time = "Begins"
"custom.ARR" = "ARR"
repeat_days = "Days"

[types]
"custom.ARR" = "number"
repeat_days = "whole number"
"""


def test_values_are_read_as_the_file_says(tmp_path: Path) -> None:
    """A column may go to two fields, with other changes for each."""
    mapping = parsed(tmp_path / "m.toml", RULES)
    cells = {"ID": "A7", "Requester": "Ada (Ada@x.example)", "Tags": "a; b|c", "Begins": "2024-05-31",
             "ARR": "1200,50", "Days": "3,0"}  # fmt: skip
    custom = {"ref": "a7", "email": "ada@x.example", "ARR": 1200.5}
    row: dict[str, Any] = {
        "source_id": "A7",
        "activity_tags": ["a; b", "c"],
        "start_time": "2024-05-30T22:00:00.000Z",
        "repeat_days": 3,
        "custom": custom,
    }
    assert mapping.apply_to_text(cells) == mapping.apply(cells) == row
    assert mapping.apply_to_text({**cells, "Requester": "Ada"}) == {
        **row,
        "custom": {**custom, "email": "none"},
    }


def test_a_time_of_another_form_is_refused(tmp_path: Path) -> None:
    """The message contains the expected form."""
    mapping = parsed(tmp_path / "m.toml", WHOLE)
    with pytest.raises(ValueError, match=r"start_time: 'soon' is not a time of the form %d\.%m\.%Y %H:%M"):
        mapping.apply_to_text({"Task ID": "7", "Begins": "soon", "Due": ""})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[fields", "m.toml is not TOML in UTF-8"),
        ("[field]\n", "m.toml: 'field' is not one of fields, constants, dates, types or time_zone or"),
        (
            '[columns]\nA = "source_id"',
            r"m.toml: \[columns\] is unknown; \[fields\] names the field first",
        ),
        ("fields = 1", r"m.toml: fields is not a table: begin it with \[fields\]"),
        ('[fields]\nsource_id = "A"\nsource_id = "B"', "m.toml is not TOML in UTF-8: Cannot overwrite a value"),
        ('[fields]\nsource_id = "A"\nsourceId = "B"', "source_id is given twice: --map"),
        ("[fields]\naction = 1", r"m.toml: \[fields\] 'action' is not text$"),
        ("[fields]\naction = {}", r"m.toml: \[fields\] 'action' is not text$"),
        ('[fields]\naction = ["A"]', r"m.toml: \[fields\] 'action' is not text$"),
        (
            '[fields]\ncustom.ARR = "A"',
            r"\[fields\] 'custom' is not text; quote a name that holds a dot: \"custom.ARR\"",
        ),
        ("[fields]\naction = {strip = true}", r"m.toml: \[fields\] 'action': column is missing"),
        ('[fields]\naction = {column = "A", regex = "("}', r"\[fields\] 'action': regex is invalid: missing \)"),
        ('[fields]\naction = {column = "A", strip = 1}', r"m.toml: \[fields\] 'action': strip is not true or false"),
        ('[fields]\naction = {column = "A", trim = true}', "'action': 'trim' is not one of column, lookup, by, strip"),
        ('[fields]\ncompany_id = {column = "A", by = "name"}', r"m.toml: \[fields\] 'company_id': lookup is missing"),
        ('[types]\n"custom.ARR" = 1', r"m.toml: \[types\] 'custom.ARR' is not text$"),
        ('[types.custom]\nARR = "number"', r"\[types\] 'custom' is not text; quote .* a dot: \"custom.ARR\""),
        ('[types]\n"custom.ARR" = "money"', "custom.ARR: 'money' is not one of text, number"),
        ("list_separator = 1", "m.toml: list_separator is not text"),
        ('decimal_comma = "yes"', "m.toml: decimal_comma is not true or false"),
        ('[fields]\ncompany_id = {column = "A", lookup = "users"}', r"m.toml: \[fields\] 'company_id': by is missing"),
        ('[fields]\ncompany_id = {lookup = "users", by = "email"}', r"\[fields\] 'company_id': column is missing"),
        ('[fields]\ncompany_id = {column = 1, lookup = "users", by = "email"}', "'company_id': column is not text"),
        ('[fields]\nx = {column = "A", look = "companies"}', "'x': 'look' is not one of column, lookup, by"),
        (LOOKUP.format("company", "external_id"), r"\[fields\] 'company_id': there is no model 'company' to look in"),
        (LOOKUP.format("companies", "externl_id"), "Company has no field 'externl_id'; did you mean external_id?"),
        (LOOKUP.format("companies", "health"), "m.toml: .*: Company.health is not text; a lookup is by one of"),
        (LOOKUP.format("companies", "name") + '\ncompanyId = "B"', "company_id is given twice: --map"),
        ('[fields]\nsorce_id = "A"', "--map: Task has no field 'sorce_id'"),
        ('[constants]\nsorce_id = "1"', "constants: Task has no field 'sorce_id'"),
        ("[constants]\naction = true", "--set: action: True is neither text nor a whole number"),
        ('[fields]\naction = "A"\n[constants]\naction = "1"', "action is given twice: by --map and by --set"),
        ('[dates]\nstart_time = "%Y"', 'the format of start_time names no zone: give one, as time_zone = "UTC"'),
        ('null = "drop"', 'm.toml: null is "keep" or "empty", not \'drop\''),
        ('time_zone = "Mars"', "time_zone: there is no zone 'Mars'"),
    ],
)
def test_an_invalid_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """The message contains the place of the mistake."""
    with pytest.raises(SourceError, match=message):
        parsed(tmp_path / "m.toml", content)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The message names it."""
    with pytest.raises(SourceError, match=r"m\.toml: No such file or directory"):
        MappingFile.load(tmp_path / "m.toml")
