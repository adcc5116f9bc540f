"""Every model on the command line, which derives everything from the list of models; companies in particular."""

from __future__ import annotations

import json

from command_line import (
    Desk,
    run,
)

CSV = "id,externalId,sourceId,name,phase,domains\n"


def test_companies_are_written_changed_and_exported(desk: Desk) -> None:
    """Created by their keys, changed by any of them, exported with the same columns; a row that cannot be is named."""
    file = desk.file("c.csv", CSV + ",@a,@7,@Acme,,\n,@b,@8,@Bolt,,\n,,,@No key,,\n,,,,Live,\n")
    planned = run("upsert", "companies", file, "--dry-run", "--json")
    assert (planned.code, json.loads(planned.out)["invalid"]) == (1, 1)
    made = run("upsert", "companies", file, "--json", "--rejects", str(desk.folder / "r.csv"))
    result = json.loads(made.out)
    assert (made.code, result["created"], result["invalid"]) == (1, 3, 1)
    assert result["problems"][0]["reason"] == "name is required"
    by_external_id = desk.file("e.csv", "externalId,phase\n@a,Live\n")
    by_source_id = desk.file("s.csv", "sourceId,phase\n@8,Lost\n")
    for changes in (by_external_id, by_source_id):
        assert json.loads(run("upsert", "companies", changes, "--json").out)["updated"] == 1
    exported = run("export", "companies", "--format", "jsonl")
    held = [json.loads(line) for line in exported.out.splitlines()]
    ours = {one["name"].removeprefix(desk.prefix): one.get("phase") for one in held if desk.prefix in one["name"]}
    assert ours == {"Acme": "Live", "Bolt": "Lost", "No key": None}
    again = desk.file("again.jsonl", exported.out)
    assert json.loads(run("upsert", "companies", again, "--json").out)["created"] == 0


def test_the_fields_of_companies_are_listed(desk: Desk) -> None:
    """With their documentation."""
    listed = run("fields", "companies")
    assert listed.code == 0
    assert "externalId" in listed.out
    assert "csm_score" in listed.out
    assert "company_external_id" not in listed.out
    assert not any(desk.folder.iterdir())
