"""Test that names of columns are compared exactly, or else apart from case and outer blanks."""

from __future__ import annotations

import pytest

from planhat_async.jobs.mapping.column_names import ColumnNames
from planhat_async.jobs.mapping.column_spelling import field_spelling, spelling_in
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.key_column import KeyColumn
from planhat_async.jobs.source_error import SourceError
from planhat_async.models import Ticket


@pytest.mark.parametrize(
    ("columns", "name", "expected"),
    [
        (["Title", "title"], "title", "title"),
        (["Title"], "TITLE", "Title"),
        ([" Title "], "title", " Title "),
        (["STRASSE"], "Straße", "STRASSE"),
        (["Title"], "Titel", "Titel"),
        (["Title", "Title"], "title", "Title"),
    ],
)
def test_a_column_is_found_as_the_file_spells_it(columns: list[str], name: str, expected: str) -> None:
    """A name that equals exactly takes precedence; one that the file does not have stays."""
    assert spelling_in(columns, name, "--map") == expected


def test_two_columns_that_differ_in_case_only_are_ambiguous() -> None:
    """The message names both."""
    with pytest.raises(SourceError) as caught:
        FieldMapping.parse(Ticket, maps=["title=TITLE"]).fitted(["Title", "title"])
    assert str(caught.value) == "--map title=TITLE: the file has the columns 'Title' and 'title': say which"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("title", "title"),
        (" Source_ID ", "source_id"),
        ("SOURCEID", "source_id"),
        ("sourceId", "sourceId"),
        ("custom.ARR ", "custom.ARR"),
        ("Custom.ARR", "custom.ARR"),
        ("Titel", "Titel"),
        ("id", "id"),
        ("ID", "ID"),
        ("_ID", "_ID"),
    ],
)
def test_a_field_is_found_as_it_is_spelled(column: str, expected: str) -> None:
    """An `ID` is another system's, and not Planhat's."""
    assert field_spelling(Ticket, column) == expected


def test_without_a_mapping_named_columns_are_fields() -> None:
    """Those without a name are read nevertheless: their cells must be empty."""
    fitted = FieldMapping(record=Ticket).fitted(["Source_ID", " Title", "", "not stored because", " "])
    assert fitted.columns == {"source_id": "Source_ID", "title": " Title"}
    assert fitted.columns_to_read(["Source_ID", " Title", ""]) == ["Source_ID", " Title", ""]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["Title", "title"], "title is given twice: by the column 'title', and by another or --set"),
        (["title", "titel"],
         "column 'titel': Ticket has no field 'titel'; did you mean title? (say --map FIELD='titel')"),
    ],
)  # fmt: skip
def test_columns_that_are_no_fields_or_the_same_are_refused(columns: list[str], message: str) -> None:
    """The message names the column as the file spells it."""
    with pytest.raises(SourceError) as caught:
        FieldMapping(record=Ticket).fitted(columns)
    assert str(caught.value) == message


def test_a_mapping_knows_its_columns_and_without_one_the_fields() -> None:
    """It chooses among separators."""
    mapped = FieldMapping.parse(Ticket, maps=["title=Subject"])
    assert [mapped.knows(name) for name in ("subject ", "title")] == [True, False]
    free = FieldMapping(record=Ticket)
    assert [free.knows(name) for name in ("TITLE", "custom.x", "titel")] == [True, True, False]
    assert [KeyColumn().knows(name) for name in (" _id", "ID")] == [True, False]
    assert [KeyColumn("Key").knows(name) for name in ("KEY ", "_id")] == [True, False]
    assert not ColumnNames().knows("title")


def test_a_key_column_is_found_as_the_file_spells_it() -> None:
    """`_id` and `id` only with blanks around them: `ID` is another system's."""
    assert KeyColumn("key").fitted(["Key", "x"]) == KeyColumn("Key")
    assert KeyColumn().fitted([" _id "]) == KeyColumn(" _id ")
    assert KeyColumn().fitted(["id", "ID"]) == KeyColumn()
    with pytest.raises(SourceError, match="the file has no column _id or id"):
        KeyColumn().fitted(["ID"])


def test_names_are_collected_without_blanks() -> None:
    """Columns without a name cannot be mapped."""
    assert ColumnNames().fitted([" a", "", "b ", "not stored because"]).names == ["a", "b"]
