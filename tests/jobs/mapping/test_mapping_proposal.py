"""Test proposals for mapping files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from each_model import each
from hypothesis import given
from hypothesis import strategies as st

from planhat_async._convert import fields_of
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.mapping_file import MappingFile
from planhat_async.jobs.mapping.mapping_proposal import MappingProposal
from planhat_async.models import EndUsers, LineItems, Tasks, Tickets
from planhat_async.repositories import Repository, Upserts


def proposed(*columns: str, model: Any = Tickets.model) -> dict[str, tuple[str, str]]:
    """Return the field and the remark of each column."""
    return {one.column: (one.field, one.remark) for one in MappingProposal.of(model, columns).columns}


def parsed(proposal: MappingProposal, path: Path, text: str | None = None) -> FieldMapping:
    """Return the mapping in the proposal's text."""
    path.write_text(text or proposal.text(), encoding="utf-8")
    held = MappingFile.load(path)
    return FieldMapping.parse(proposal.model.record, columns=held.columns, values=held.constants)


@pytest.mark.parametrize(
    "column", ["timeSpent", "time_spent", "Time Spent", "TIME-SPENT", "Time spent (minutes)", " timespent "]
)
def test_a_column_with_the_name_of_a_field_is_mapped(column: str) -> None:
    """Case, separators and a remark in parentheses make no difference."""
    assert proposed(column) == {column: ("time_spent", "")}


def test_a_custom_field_is_mapped() -> None:
    """Its name is taken as it is."""
    assert proposed("custom.Plan (old)", "custom.") == {
        "custom.Plan (old)": ("custom.Plan (old)", ""),
        "custom.": ("custom", "guessed"),
    }


@pytest.mark.parametrize(
    ("column", "field"),
    [("Company Ext ID", "company_external_id"), ("sorce_id", "source_id"), ("Customer Email", "email")],
)
def test_a_similar_name_is_a_guess(column: str, field: str) -> None:
    """A first word that says whose value it is makes no difference."""
    assert proposed(column) == {column: (field, "guessed")}


@pytest.mark.parametrize("column", ["Ticket ID", "UID", "Ticket Subject", "Channel", "", "(x)", "---"])
def test_other_columns_are_left_to_the_user(column: str) -> None:
    """An `_id`, and a field that Planhat fills in, are not guessed."""
    assert proposed(column) == {column: ("", "")}


def test_a_field_that_planhat_fills_in_has_no_column() -> None:
    """The remark says why, and no other field is guessed."""
    assert proposed("Company Name") == {"Company Name": ("", "Planhat fills in company_name")}


def test_no_field_has_two_columns() -> None:
    """A column named like the field takes precedence over a guess; equally good columns are left to the user."""
    assert proposed("Email", "Customer Email") == {"Email": ("email", ""), "Customer Email": ("", "")}
    assert proposed("Customer Email", "Billing Email") == {"Customer Email": ("", ""), "Billing Email": ("", "")}
    remark = "another column names source_id too"
    assert proposed("sourceId", "Source ID") == {"sourceId": ("", remark), "Source ID": ("", remark)}


def test_a_column_that_occurs_twice_is_left_to_the_user() -> None:
    """An upsert would refuse it; it is listed once."""
    assert proposed("email", "email") == {"email": ("", "the file has this column twice")}


def test_the_text_says_what_a_new_record_needs() -> None:
    """It marks what has no column, and has an example of a constant for it."""
    assert MappingProposal.of(Tickets.model, ["Source ID", "Customer Email", "Channel"]).text() == (
        "# The columns of a file as fields of tickets; all fields: planhat-async fields tickets\n"
        "# To check it: planhat-async upsert tickets FILE --map mapping.toml --dry-run\n"
        "#\n"
        "# A row updates the record with the same id, or else the same source_id.\n"
        "# A new record needs:\n"
        "# - one of source_id or id\n"
        "# - email\n"
        "# - one of company_id, company_external_id or domains: no column\n"
        "\n"
        '[columns]  # "column" = "field"; a custom field is "custom.NAME"\n'
        '"Source ID" = "source_id"\n'
        '"Customer Email" = "email"  # guessed\n'
        '# "Channel" = ""\n'
        "\n"
        "# [constants]  # field = value, the same for every row\n"
        '# company_id = "..."\n'
    )


def test_the_text_names_needs_that_depend_on_a_value() -> None:
    """They are listed after the others."""
    assert '# - repeat_days, where repeat is "custom"\n' in MappingProposal.of(Tasks.model, ["a"]).text()


def test_the_text_says_that_nothing_is_needed() -> None:
    """The model has no documented requirement; the example of a constant is any text."""
    text = MappingProposal.of(LineItems.model, ["a"]).text()
    assert "# A new record needs no field, as far as Planhat documents.\n" in text
    assert text.endswith(' = "..."\n')


def test_the_text_says_that_no_column_is_mapped() -> None:
    """An upsert would take such a file for none."""
    assert "# No column names a field." in MappingProposal.of(EndUsers.model, ["Channel"]).text()


@each(Upserts)
def test_the_fields_of_each_model_are_found(repository: type[Repository[Any]], tmp_path: Path) -> None:
    """In both spellings; the text holds a mapping of all fields that can be written."""
    model = repository.model
    fields = {one.name: one for one in fields_of(model.record).values()}
    writable = {name for name, one in fields.items() if one.is_writable}
    for columns in ([*fields], [one.wire for one in fields.values()], [name.replace("_", " ") for name in fields]):
        proposal = MappingProposal.of(model, columns)
        assert ({*proposal.fields}, proposal.n_guessed) == (writable, 0)
        assert parsed(proposal, tmp_path / "m.toml").columns.keys() == writable


@each(Upserts)
def test_the_examples_of_constants_are_accepted(repository: type[Repository[Any]], tmp_path: Path) -> None:
    """They are constants of their fields once they are no comments."""
    proposal = MappingProposal.of(repository.model, ["no such column"])
    columns, example, constants = proposal.text().partition("# [constants]")
    uncommented = (example + constants).replace("\n# ", "\n").removeprefix("# ")
    mapping = parsed(proposal, tmp_path / "m.toml", columns + uncommented)
    assert mapping.constants.keys()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(["email", "E mail", "Status"])))
def test_any_names_make_a_mapping_file(tmp_path_factory: pytest.TempPathFactory, columns: list[str]) -> None:
    """It maps columns of the file, each once."""
    proposal = MappingProposal.of(Tickets.model, columns)
    mapping = parsed(proposal, tmp_path_factory.getbasetemp() / "any.toml")
    mapped = {one.field: one.column for one in proposal.columns if one.field}
    assert (mapping.columns, [one.column for one in proposal.columns]) == (mapped, [*dict.fromkeys(columns)])
    if mapped:
        mapping.check_columns(columns)
