"""Examples of each command, shown in its help; the tests run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planhat_async.cli.help_page import Example

EXAMPLES: Mapping[str, Sequence[Example]] = {
    "": (
        Example("Try it without an account", "planhat-async demo --rows 1000"),
        Example("Check a file without sending anything", "planhat-async upsert tickets tickets.csv --dry-run"),
        Example("Copy all tickets to a file", "planhat-async export tickets -o copy.jsonl"),
    ),
    "upsert": (
        Example("Check a file without sending anything", "planhat-async upsert tickets tickets.csv --dry-run"),
        Example(
            "Send it; run the same command again after an interruption",
            "planhat-async upsert tickets tickets.csv --journal job.db --rejects bad.csv",
        ),
        Example(
            "Name the columns, and set a field of every row",
            "planhat-async upsert tickets desk.csv --map source_id=Ticket \\\n"
            "      --map email=Mail --set company_external_id=acme",
        ),
        Example(
            "Use a mapping file, and send only what changed since last night",
            "planhat-async upsert tickets desk.csv --map mapping.toml \\\n      --changed-only sent.state",
        ),
    ),
    "mapping": (
        Example("Propose a mapping file", "planhat-async mapping tickets desk.csv -o proposed.toml"),
        Example("Check what it does", "planhat-async upsert tickets desk.csv --map proposed.toml --dry-run"),
    ),
    "delete": (
        Example("Show what would be deleted", "planhat-async delete tickets ids.txt"),
        Example("Delete it", "planhat-async delete tickets ids.txt --yes --journal deleted.db"),
    ),
    "export": (
        Example("Copy all tickets to a file", "planhat-async export tickets -o copy.jsonl"),
        Example(
            "Choose fields and records",
            "planhat-async export tickets -o open.csv --status open --fields title",
        ),
        Example("Copy every model", "planhat-async export --all backup-{date}"),
        Example(
            "Export what changed since the last run",
            "planhat-async export tasks --since tasks.json -o tasks-{date}-{time}.jsonl",
        ),
    ),
    "metrics": (
        Example("Check a file without sending anything", "planhat-async metrics logins.csv --dry-run"),
        Example("Send it", "planhat-async metrics logins.csv"),
    ),
    "models": (
        Example("List all models", "planhat-async models"),
        Example("The same for a program", "planhat-async models --json"),
    ),
    "fields": (
        Example("List the fields of tickets", "planhat-async fields tickets"),
        Example("The same for a program", "planhat-async fields tickets --json"),
    ),
    "jobs": (
        Example("Show the progress of a job", "planhat-async jobs status job.db"),
        Example("List why rows are not stored", "planhat-async jobs problems job.db"),
    ),
    "jobs status": (Example("Show the progress of a job", "planhat-async jobs status job.db"),),
    "jobs problems": (Example("List why rows are not stored", "planhat-async jobs problems job.db"),),
    "jobs forget": (Example("Delete a journal without asking", "planhat-async jobs forget old.db --yes"),),
    "report": (
        Example("Write report.html", "planhat-async report job.db"),
        Example("Compare two jobs", "planhat-async report monday.db job.db -o compared.html"),
    ),
    "pace": (Example("Show who shares the calls per minute", "planhat-async pace"),),
    "sandbox": (
        Example("Run a sandbox, and stop it with Ctrl-C", "planhat-async sandbox"),
        Example("Begin with a made-up tenant", "planhat-async sandbox --companies 20"),
        Example(
            "Let calls fail, always in the same way",
            "planhat-async sandbox --port 0 --faults reset_after=0.05 --seed 1",
        ),
    ),
    "demo": (
        Example("Write and read 20,000 tickets", "planhat-async demo"),
        Example("Write a whole tenant", "planhat-async demo --tenant --companies 100"),
    ),
}
"""By the names of commands; the program itself has none."""
