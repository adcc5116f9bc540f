"""Test proposals for mapping files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from each_model import each
from hypothesis import given
from hypothesis import strategies as st

from planhat_async._convert import fields_of
from planhat_async.jobs.mapping.column_sample import ColumnSample
from planhat_async.jobs.mapping.field_mapping import FieldMapping
from planhat_async.jobs.mapping.lookups import Lookup
from planhat_async.jobs.mapping.mapping_file import MappingFile
from planhat_async.jobs.mapping.mapping_proposal import MappingProposal
from planhat_async.models import EndUsers, LineItems, Tasks, Ticket, Tickets
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


@pytest.mark.parametrize("column", ["UID", "Channel", "", "(x)", "---"])
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
        '[fields]  # field = "column"; a custom field is "custom.NAME"\n'
        'source_id = "Source ID"\n'
        'email = "Customer Email"  # guessed\n'
        '# "custom.Channel" = "Channel"\n'
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


def proposal_of(model: Any = Tickets.model, **values: list[Any]) -> MappingProposal:
    """Return the proposal for columns with these values; `_` in names stands for a blank."""
    samples = {name.replace("_", " "): ColumnSample(values) for name, values in values.items()}
    return MappingProposal.of(model, [*samples], samples)


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("Ticket ID", "source_id"),
        ("Requester email", "email"),
        ("Requester", "name"),
        ("Subject", "title"),
        ("Summary", "title"),
        ("Issue key", "source_id"),
        ("Labels", "tags"),
        ("Ticket form", "type"),
        ("Priority", "severity"),
        ("Assignee email", "agent_email"),
    ],
)
def test_a_name_that_help_desks_use_is_a_guess(column: str, field: str) -> None:
    """It is also one for a field that Planhat returns under another name than it is written."""
    assert proposed(column) == {column: (field, "guessed")}


def test_the_id_of_another_system_is_a_guess_by_its_values() -> None:
    """An id of Planhat's is its own field."""
    assert [one.fields for one in (proposal_of(ID=["35436"]), proposal_of(ID=["5f4e3d2c1b0a998877665544"]))] == [
        ["source_id"],
        ["id"],
    ]


def test_a_column_of_addresses_is_a_guess_if_there_is_one() -> None:
    """Of two none is chosen."""
    found = proposal_of(Von=["ada@acme.example"], Rang=["hoch"])
    assert [(one.field, one.remark) for one in found.columns] == [
        ("email", "guessed: its values are e-mail addresses"),
        ("", ""),
    ]
    assert proposal_of(Von=["ada@acme.example"], An=["bob@acme.example"]).fields == []


def test_a_guess_that_the_values_contradict_is_a_comment() -> None:
    """The reason is behind it."""
    (found,) = proposal_of(Requester_email=["Ada", "Bob"]).columns
    assert found.line == '# email = "Requester email"  # its values are not e-mail addresses'


def test_ids_of_companies_that_are_not_planhats_are_their_external_ids() -> None:
    """As a guess; where a model has no such field, a lookup in a comment."""
    foreign, own = ["C-1", "C-2"], ["5f4e3d2c1b0a998877665544", "extid-C-1"]
    assert lines_about("company_id", foreign) == [
        'company_external_id = "company id"  # guessed: its values are not _ids (24 hex digits)'
    ]
    assert proposal_of(company_id=[35436]).fields == ["company_external_id"]
    for values in (own, own[:1], []):
        assert proposal_of(company_id=values).fields == ["company_id"]
    (found,) = proposal_of(Tasks.model, company_id=foreign).columns
    assert found.line == (
        '# company_id = { column = "company id", lookup = "companies", by = "external_id" }'
        "  # its values are not _ids (24 hex digits); if they are external ids"
    )
    both = proposal_of(company_id=foreign, company_external_id=foreign)
    assert both.fields == ["company_external_id"]


def test_the_name_of_a_company_may_be_looked_up(tmp_path: Path) -> None:
    """That is a comment, which becomes a lookup once it is no comment."""
    (found,) = proposal_of(Organization=["Acme Ltd", "Beta Inc"]).columns
    lookup = '{ column = "Organization", lookup = "companies", by = "name" }'
    assert found.line == f"# company_id = {lookup}  # if it names companies"
    (tmp_path / "m.toml").write_text("[fields]\n" + found.line.removeprefix("# "))
    assert MappingFile.load(tmp_path / "m.toml").lookups == {"company_id": Lookup("companies", by="name")}


def test_the_text_says_how_values_are_written() -> None:
    """All of it is a comment, because nothing of it is certain."""
    text = proposal_of(
        Tags=["vip;urgent", "vip"], Due=["31.05.2024 09:30"], Paid=["yes", "no"], ARR=["1200,50"], At=["01/02/2024"]
    ).text()
    assert text.split("\n\n", 1)[1] == (
        "# time_zone = \"Europe/Berlin\"  # times have no zone, so theirs is needed: 'Due'\n"
        "# list_separator = \";\"  # the items of lists seem to be separated by it: 'Tags'\n"
        "# decimal_comma = true  # numbers have a decimal comma: 'ARR'\n"
        "\n"
        '[fields]  # field = "column"; a custom field is "custom.NAME"\n'
        'tags = "Tags"\n'
        '# "custom.Due" = "Due"  # times\n'
        '# "custom.Paid" = "Paid"  # true or false\n'
        '# "custom.ARR" = "ARR"  # numbers\n'
        '# "custom.At" = "At"  # days\n'
        "\n"
        "[dates]  # field = strptime form\n"
        '# "custom.Due" = "%d.%m.%Y %H:%M"  # needs time_zone above; without a form they are sent as text\n'
        '# "custom.At" = "%d/%m/%Y"  # or %m/%d/%Y: which is it?; goes with the type below\n'
        "\n"
        "[types]  # field = type\n"
        '# "custom.Paid" = "boolean"  # they look like true or false; without a type they are sent as text\n'
        '# "custom.ARR" = "number"  # they look like numbers; without a type they are sent as text\n'
        '# "custom.At" = "date"  # they look like days; with a form alone they are sent as times\n'
        "\n"
        "# [constants]  # field = value, the same for every row\n"
        '# email = "ada@example.com"\n'
        '# company_id = "..."\n'
    )


def lines_about(name: str, values: list[Any]) -> list[str]:
    """Return the lines of a proposal that name a column or its custom field."""
    return [line for line in proposal_of(**{name: values}).text().splitlines() if name.replace("_", " ") in line]


def test_a_few_cells_that_are_no_times_do_not_hide_the_others() -> None:
    """The remark counts them; lists, too, are separated by a comma, but not most of them are times."""
    days = [f"{n}.12.2025 14:30" for n in range(1, 31)] * 2
    assert lines_about("Opened", [*days, "31.02.2026 10:00"]) == [
        "# time_zone = \"Europe/Berlin\"  # times have no zone, so theirs is needed: 'Opened'",
        '# "custom.Opened" = "Opened"  # times; 1 value is not a time: \'31.02.2026 10:00\'',
        '# "custom.Opened" = "%d.%m.%Y %H:%M"  # needs time_zone above; without a form they are sent as text',
    ]
    assert lines_about("Opened", [*days, "n/a", "soon", "n/a"])[1].endswith("3 values are not times, the first 'n/a'")
    assert lines_about("Opened", [*days, *["n/a"] * 4]) == ['# "custom.Opened" = "Opened"']
    assert lines_about("Opened", [*days[:19], "n/a"]) == ['# "custom.Opened" = "Opened"']
    iso = [f"2025-12-{n:02}" for n in range(1, 31)]
    assert lines_about("Opened", [*iso, "2026-02-31"]) == [
        '# "custom.Opened" = "Opened"  # days; 1 value is not a day: \'2026-02-31\'',
        '# "custom.Opened" = "date"  # they look like days; without a type they are sent as text',
    ]
    english = [f"Dec {n}, 2025" for n in range(1, 31)]
    assert '"%b %d, %Y"' in lines_about("Opened", [*english, "Feb 31, 2026"])[1]


def test_a_form_is_no_comment_if_it_is_certain() -> None:
    """The column names its field, and the form the zone."""
    zoned = {"custom.Due": ColumnSample(["31.05.2024 09:30 +0200"])}
    text = MappingProposal.of(Tickets.model, [*zoned], zoned).text()
    assert '\n"custom.Due" = "%d.%m.%Y %H:%M %z"\n' in text


def test_a_field_of_times_is_mapped_despite_a_few_other_cells() -> None:
    """A field of texts takes them all, so nothing is said."""
    days = [f"{n}.12.2025" for n in range(1, 31)]
    found = proposal_of(Tasks.model, Start_time=[*days, "?"], Action=[*days, "?"])
    assert [(one.field, one.remark) for one in found.columns] == [
        ("start_time", "1 value is not a day: '?'"),
        ("action", ""),
    ]
    assert '\n# start_time = "%d.%m.%Y"' in found.text()


def test_an_id_that_a_float_column_holds_has_a_type() -> None:
    """Without it every row would be invalid."""
    assert '[types]  # field = type\nsource_id = "whole number"\n' in proposal_of(Source_ID=[35436.0, 1.0]).text()


# No zone omits or repeats an hour of the afternoon; such a time would be refused.
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)).map(lambda one: one.replace(hour=12 + one.hour % 12))  # noqa: DTZ001
CELLS = {
    "time": TIMES.map(lambda one: one.strftime("%d.%m.%Y %H:%M")),
    "day": TIMES.map(lambda one: one.strftime("%d.%m.%Y")),
    "number": st.decimals(-1000, 1000, places=2).map(lambda one: str(one).replace(".", ",")),
    "boolean": st.sampled_from(["yes", "no"]),
    "text": st.sampled_from(["gold", "silver"]),
    "list": st.sampled_from(["a; b", "c"]),
    "epoch": st.integers(1_000_000_000, 1_999_999_999).map(str),
    "iso": TIMES.map(lambda one: one.isoformat(" ", "seconds")),
}


@pytest.mark.slow
@given(st.lists(st.sampled_from([*CELLS]), min_size=1, unique=True).flatmap(
    lambda kinds: st.lists(st.fixed_dictionaries({f"x {kind}": CELLS[kind] for kind in kinds}), min_size=1, max_size=5)
))  # fmt: skip
def test_a_completed_proposal_reads_the_rows_it_was_made_of(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    """The user removes the comment signs, and the time zone is the right one."""
    samples = {name: ColumnSample([row[name] for row in rows]) for name in rows[0]}
    proposal = MappingProposal.of(Tickets.model, [*samples], samples)
    options, _, tables = proposal.text().partition("[fields]")
    lines = [line.removeprefix("# ") for line in options.splitlines() if " = " in line and not line.startswith("# - ")]
    completed = ("[fields]" + tables).replace("\n# ", "\n").partition("[constants]")[0]
    path = tmp_path_factory.getbasetemp() / "completed.toml"
    path.write_text("\n".join([*lines, completed]), encoding="utf-8")
    held = MappingFile.load(path)
    mapping = FieldMapping.parse(
        Ticket, columns=held.columns, dates=held.dates, field_types=held.types, time_zone=held.time_zone,
        list_separator=held.list_separator, decimal_comma=held.decimal_comma,
    )  # fmt: skip
    for row in rows:
        fitted = mapping.apply_to_text(row)
        assert fitted is not None
        assert fitted["custom"].keys() == {*rows[0]}
