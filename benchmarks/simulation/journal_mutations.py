"""Mutations of jobs and their journals: the file, what is damaged, the text, and what takes its place."""

from __future__ import annotations

_LEDGER, _JOURNAL, _FILE = "jobs/ledger.py", "jobs/journal.py", "jobs/journal_file.py"
_ENTRIES, _JOB = "jobs/entries.py", "jobs/upsert_job.py"

JOURNAL_MUTATIONS: tuple[tuple[str, str, str, str], ...] = (
    # The journal.
    (
        _LEDGER,
        "a begin that is cancelled is not withdrawn",
        "await (self._journal.remove(entry.number) if before is None else self._journal.save(before))",
        "pass",
    ),
    (
        _LEDGER,
        "a begin is withdrawn on errors only",
        "except (asyncio.CancelledError, JournalError):\n            with",
        "except JournalError:\n            with",
    ),
    (_LEDGER, "a chunk is begun without an entry", "await self._save_or_withdraw(self._stamped(entry))", "pass"),
    (
        _LEDGER,
        "a resumed chunk is not noted as in flight",
        "await self._save_or_withdraw(resumed)",
        "pass",
    ),
    (
        _LEDGER,
        "the end of a chunk is not written",
        "            await self._journal.save(entry, run)\n        except (",
        "            pass\n        except (",
    ),
    (
        _LEDGER,
        "an end is written without its run",
        "            await self._journal.save(entry, run)\n        except (",
        "            await self._journal.save(entry)\n        except (",
    ),
    (_LEDGER, "an end that fails is not written later", "self._unwritten.append(entry)", "pass"),
    (
        _LEDGER,
        "keys of chunks that are sent again are not noted",
        "self._note_keys(chunk, before if resumed is None else resumed)",
        "pass",
    ),
    (
        _LEDGER,
        "a resumed chunk has no rows in flight",
        "pending=ranges_of(again)",
        "pending=()",
    ),
    (
        _ENTRIES,
        "rows that are not sent again count as sent by the last run",
        "if holds(ranges, position):",
        "if False:",
    ),
    (_LEDGER, "chunks of earlier runs are counted twice", "if number not in self._reached]", "]"),
    (_LEDGER, "a settled chunk is not counted", "        self._count(known.settled)\n", ""),
    (_LEDGER, "the rows of unreached chunks are counted twice", "others = without(chunk, again)", "others = chunk"),
    (_JOURNAL, "a new entry is not remembered", "        self.entries[entry.number] = entry\n", ""),
    (
        _JOURNAL,
        "a withdrawn entry stays on the disk",
        'await self.write(("DELETE FROM chunks WHERE number = ?", (number,)))',
        "pass",
    ),
    (
        _JOURNAL,
        "an entry does not count as preceding its send",
        "precedes_send=precedes_send)\n\n        await",
        "precedes_send=False)\n\n        await",
    ),
    (_FILE, "no transaction around an entry and its run", 'self.connection.execute("BEGIN IMMEDIATE")', "pass"),
    (_FILE, "the journal is not synced", '"PRAGMA synchronous = FULL"', '"PRAGMA synchronous = OFF"'),
    (
        _FILE,
        "the journal is synced at checkpoints only",
        '"PRAGMA synchronous = FULL"',
        '"PRAGMA synchronous = NORMAL"',
    ),
    (_FILE, "a lock stays when the file is closed", "            self._lock.release()", "            pass"),
    (_FILE, "the file stays open", "        self.connection.close()\n        if", "        if"),
    (_JOB, "the journal is not closed", "await self._journal.close()", "pass"),
    (
        _JOB,
        "the end of the input is not checked for",
        "self._run.came_to_end and self._run.result.stopped_by is None",
        "self._run.result.stopped_by is None",
    ),
    (_JOB, "chunks that end late are not counted", "self.unseen = run.take_ended()\n        if", "if"),
    # The policy of a rerun.
    (_ENTRIES, "stale chunks are not sent again", "entry.is_keyed and (is_stale or any(", "entry.is_keyed and (any("),
    (_ENTRIES, "keyed rows in doubt are not sent again", "if entry.is_keyed or is_requested:", "if is_requested:"),
    (
        _ENTRIES,
        "unknown rows that are not named are not sent again",
        "(is_stale or any(one.outcome in resent and one.position is None for one in left))",
        "is_stale",
    ),
    (
        _ENTRIES,
        "unknown rows without keys are sent again",
        "resends_unknown and not policy.verifies",
        "resends_unknown or not policy.verifies",
    ),
    (
        _ENTRIES,
        "unknown rows are sent again before they are looked for",
        "resends_unknown and not policy.verifies",
        "verifies",
    ),
    (
        _ENTRIES,
        "unsent rows are not sent again",
        "if outcomes.get(row.position) in resent)",
        "if outcomes.get(row.position) in resent - {Outcome.UNSENT})",
    ),
    (_ENTRIES, "doubtful rows are not looked for", "doubtful = unknown if", "doubtful = () if"),
    (_LEDGER, "only chunks of which every row is stored keep rows", "_keeps_rows(entry):", "not entry.groups:"),
)
