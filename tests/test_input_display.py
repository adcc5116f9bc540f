"""Test what a dry run prints about a file."""

from __future__ import annotations

import json

import pytest
from command_line import HEAD, Desk, good, run


def test_a_dry_run_shows_what_a_file_holds(desk: Desk) -> None:
    """The tables are readable at 80 columns, also if the output is piped; texts are no markup."""
    file = desk.file("t.csv", HEAD + good(1) + good(2).replace("Hello", "[bold]" + "x" * 100))
    ended = run("upsert", "tickets", file, "--dry-run")
    assert ended.code == 0
    assert max(map(len, ended.out.splitlines())) <= 80
    for said in ("Fields of 2 rows", "Values that are converted", "The first rows", "[bold]xxx", "What would be sent"):
        assert said in ended.out


def test_a_dry_run_explains_its_numbers(desk: Desk) -> None:
    """Numbers that say nothing, because they are 0, are left out."""
    file = desk.file("t.jsonl", 3 * '{"source_id": "a", "action": "x"}\n' + '{"companyId": "extid-1", "action": "y"}\n')
    ended = run("upsert", "tasks", file, "--dry-run", "--per-minute", "1")
    table = [
        [cell.strip() for cell in line.split("│")[1:3]]
        for line in ended.out.partition("would be sent")[2].splitlines()[2:-1]
    ]
    assert ended.err == [
        (
            "3 rows (1, 2, 3) can only update, because a new record needs company_id: "
            "Planhat drops them if their records do not exist"
        ),
        "2 rows (2, 3) with the key of an earlier row: the last of them counts",
    ]
    assert dict(table) == {
        "rows": "4",
        "rows to send": "4",
        "with a key of an earlier row": "2",
        "without a key: created each time": "1",
        "that can only update: a new record needs more": "3",
        "bytes": "131",
        "calls": "4",
        "calls for the most frequent key": "3",
        "seconds of waiting for the rate limit": "180.0",
    }


@pytest.mark.slow
def test_a_dry_run_prints_what_a_file_holds_as_json(desk: Desk) -> None:
    """Each field and each of the first rows is an object."""
    file = desk.file("t.csv", "source_id,domains\na,acme.example\n")
    printed = json.loads(run("upsert", "tickets", file, "--set", "email=a@b.example", "--dry-run", "--json").out)
    assert [(one["field"], one["column"], one["n_values"]) for one in printed["fields"]] == [
        ("source_id", "source_id", 1),
        ("domains", "domains", 1),
        ("email", None, 1),
    ]
    assert {"field": "domains", "column": "domains", "cell": "'acme.example'", "sent": '["acme.example"]'} in printed[
        "sample"
    ][0]
