"""Mutations of what sends chunks, requests and pages: the file, what is damaged, the text, and what takes its place."""

from __future__ import annotations

_RUN = "batching/upsert_run.py"
_SENDER, _OUTCOME, _ANSWERS = "batching/chunk_sender.py", "batching/chunk_outcome.py", "batching/answers.py"
_RETRIES, _PACE, _ATTEMPTS = "_http/retries.py", "_http/pace.py", "_http/attempts.py"
_STITCHER, _PART, _VERIFIER = "batching/stitcher.py", "batching/chunk_part.py", "batching/outcome_verifier.py"
_CHUNKER, _WHOLE, _EXPORTS = "batching/chunker.py", "jobs/files/whole_file.py", "jobs/exports.py"
_CHECKPOINT, _FAILURES, _REJECTS = "jobs/export_checkpoint.py", "batching/request_failures.py", "jobs/rejects.py"

REQUEST_MUTATIONS: tuple[tuple[str, str, str, str], ...] = (
    # Chunks in flight.
    (
        _RUN,
        "chunks with one key overtake each other",
        "chunk.shares_key_with(outcome.chunk) for outcome",
        "False for outcome",
    ),
    (
        _RUN,
        "a chunk is not given up at its end",
        "            outcome.give_up()\n            await ledger",
        "            await ledger",
    ),
    (_RUN, "the settled rows of earlier runs are sent again", "            outcome.resume(recorded)\n", ""),
    (
        _RUN,
        "rows that were not sent are lost at the end",
        "outcome.settle(outcome.chunk.rows, Outcome.UNSENT",
        "outcome.settle((), Outcome.UNSENT",
    ),
    (
        _RUN,
        "tasks in flight are not cancelled",
        "cancel_all({*self._in_flight, *filter(None, [self._production])})",
        "cancel_all({*filter(None, [self._production])})",
    ),
    (_RUN, "a refusal of everything stops nothing", "refuses_everything(result.error)", "False"),
    (_RUN, "a failure of the ledger is ignored", "                self._fail(failure)\n", "                pass\n"),
    (
        _SENDER,
        "a part that was interrupted is lost",
        "outcome.pending.append(part)  # `give_up` settles it by whether it was sent",
        "pass",
    ),
    (
        _SENDER,
        "parts to be sent again are lost",
        "outcome.pending += [one for one in reversed(parts) if one.rows]",
        "pass",
    ),
    (_SENDER, "a row whose equal was found is sent again", " if row.position not in unclear", ""),
    (_SENDER, "a send is not noted", "on_sent=part.mark_sent", "on_sent=lambda: None"),
    (
        _SENDER,
        "a send that was not processed is not noted",
        "on_not_processed=part.mark_not_processed",
        "on_not_processed=lambda: None",
    ),
    (_SENDER, "every chunk counts as keyed", "is_keyed=outcome.chunk.is_keyed,", "is_keyed=True,"),
    (_PART, "a send counts as not processed", "        self.was_sent = True\n", "        self.was_sent = False\n"),
    (_OUTCOME, "rows in flight count as unsent", "if part.was_sent or part.may_be_stored:", "if part.may_be_stored:"),
    (_OUTCOME, "rows that were not sent count as unknown", "if part.was_sent or part.may_be_stored:", "if True:"),
    (
        _OUTCOME,
        "rows of an unreadable answer are sent again without keys",
        "isinstance(error, DecodeError) and self.chunk.is_keyed and not",
        "isinstance(error, DecodeError) and not",
    ),
    (_OUTCOME, "found rows are not counted", "self.result.count(Outcome.CREATED, len(ids))", "pass"),
    (
        _OUTCOME,
        "missing rows are not sent again",
        "            self.pending.append(Part(missing, may_be_stored=True))",
        "            pass",
    ),
    (
        _FAILURES,
        "a lost answer counts as a rejection",
        "        return Outcome.UNKNOWN\n",
        "        return Outcome.REJECTED\n",
    ),
    (
        _FAILURES,
        "no connection counts as a rejection",
        "        return Outcome.UNSENT  # nothing",
        "        return Outcome.REJECTED  # nothing",
    ),
    (
        _FAILURES,
        "a failed server stops the job for ever",
        "return isinstance(error, StatusError | NotSentError)",
        "return False",
    ),
    (
        _ANSWERS,
        "a refusal after a lost answer counts as a rejection",
        "if self._follows_unknown or not all(",
        "if not all(",
    ),
    (
        _ANSWERS,
        "rows that an answer leaves out are dropped after a lost answer",
        "and not (self._follows_unknown or self._part.may_be_stored)",
        "",
    ),
    (
        _ANSWERS,
        "rows that a refusal does not blame count as rejected",
        "self._settle_left(known, n_left, Outcome.UNKNOWN, reason)",
        "self._settle_left(known, n_left, Outcome.REJECTED, reason)",
    ),
    (
        _ANSWERS,
        "blamed rows are not settled",
        "            self._settle_blamed(tuple(row for row in rows if row.position in blamed), blamed)",
        "            pass",
    ),
    (
        _VERIFIER,
        "rows are looked for while others are sent",
        "async with self._lock.exclusive():",
        "async with self._lock.shared():",
    ),
    (_VERIFIER, "rows are looked for again at once", "await asyncio.sleep(self.wait)", "await asyncio.sleep(0)"),
    (
        _VERIFIER,
        "rows are looked for once",
        "return await self._scan(first.missing, floor)",
        "return Matches([], first.missing, ())",
    ),
    (
        _CHUNKER,
        "rows with one key share a chunk",
        "if self._near.has_any(keys) or (waiting and not waiting.keys().isdisjoint(keys)):",
        "if False:",
    ),
    (
        _CHUNKER,
        "rows that wait are lost",
        "self._add_keyed(row, n_bytes)  # before any row behind is looked at",
        "pass",
    ),
    (_CHUNKER, "invalid rows are lost", "        self._invalid.append(problem)\n", ""),
    # Requests.
    (
        _RETRIES,
        "keyless upserts are repeated",
        'request.method == "PUT" and request.is_keyed)',
        'request.method == "PUT")',
    ),
    (
        _RETRIES,
        "creations are repeated",
        '_REPEATABLE = _HARMLESS | {"DELETE"}',
        '_REPEATABLE = _HARMLESS | {"DELETE", "POST"}',
    ),
    (
        _RETRIES,
        "an earlier attempt is forgotten",
        "self.may_be_done = self.may_be_done or not isinstance(result, NotSentError)",
        "pass",
    ),
    (_RETRIES, "retries never end", "if counted >= self.policy.attempts or wait > left:", "if False:"),
    (
        _RETRIES,
        "a retry overtakes the attempt before it",
        "return max(wait, self.policy.wait_initial) if isinstance(result, UnknownOutcomeError) else wait",
        "return 0.0",
    ),
    (
        _ATTEMPTS,
        "a refusal does not count as not processed",
        "if response.status == 429 and not history.may_be_done:",
        "if False:",
    ),
    (_ATTEMPTS, "a cancelled connection counts as sent", 'if getattr(cancelled, "nothing_sent", False):', "if False:"),
    (_PACE, "a refusal pauses nothing", "self.pause.begin(start, now, retry_after=retry_after)", "pass"),
    (
        _PACE,
        "the minute has more places",
        "minute = self._minute.free_from(now, places)",
        "minute = self._minute.free_from(now, places + 2)",
    ),
    (
        _PACE,
        "places are free again as soon as they are answered",
        "            bisect.insort(self._taken, arrival + self.seconds)",
        "            pass",
    ),
    (
        _PACE,
        "places are counted from the start of an attempt",
        "window.move(start.arrival, to=now)",
        "window.move(start.arrival, to=start.at)",
    ),
    (_PACE, "an attempt's place in flight is never released", "        self.n_in_flight -= 1\n", ""),
    # Lists and their files.
    (
        _STITCHER,
        "the last row is repeated",
        "return index + (page.ids[index : index + 1] == [self._last])",
        "return index",
    ),
    (
        _STITCHER,
        "pages do not overlap",
        "    _overlap: int = attrs.field(default=1, init=False)",
        "    _overlap: int = attrs.field(default=0, init=False)",
    ),
    (
        _STITCHER,
        "a page that does not join is taken",
        "        if first_new is None:\n            self._step_back(page)\n            return ()\n",
        "        first_new = first_new or 0\n",
    ),
    (
        _STITCHER,
        "a full page ends the list",
        "if page.is_short and n_rows < self.default_limit",
        "if n_rows < self.default_limit",
    ),
    (_WHOLE, "no fsync before an export is renamed", "        os.fsync(out.fileno())\n", ""),
    (
        _WHOLE,
        "an export has its name from the beginning",
        "    part = part_of(path)\n    with",
        "    part = path\n    with",
    ),
    (_WHOLE, "a resumed export begins anew", "        out.seek(keep_bytes)\n", "        out.seek(0)\n"),
    (_WHOLE, "half a line stays in a resumed export", "        out.truncate(keep_bytes)\n", ""),
    (
        _EXPORTS,
        "the records before a checkpoint are read again",
        "rows = repository.iter_json(**{**listed, **listing})",
        'rows = repository.iter_json(**{**listed, **{n: v for n, v in listing.items() if n != "after"}})',
    ),
    (_CHECKPOINT, "half a line counts as a whole one", 'if not line.endswith(b"\\n"):', "if not line:"),
    (
        _CHECKPOINT,
        "the second list of an export is left out",
        "return [here | {option: True}] if self.is_archived else [here | {option: False}, {option: True}]",
        "return [here | {option: True}] if self.is_archived else [here | {option: False}]",
    ),
    (
        _REJECTS,
        "dropped rows are not among the rejects",
        "(Outcome.REJECTED, Outcome.INVALID, Outcome.DROPPED)",
        "(Outcome.REJECTED, Outcome.INVALID)",
    ),
)
