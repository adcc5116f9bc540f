"""Test the simulator of nights, and with it the promises of jobs, exports and sessions."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

pytest.importorskip("apsw", reason="nights need SQLite with a file system of their own")

from benchmarks.__main__ import main
from benchmarks.simulation import mutations, small_worlds
from benchmarks.simulation.disk import Disk
from benchmarks.simulation.evidence import Applied, Arrival, Attempt, Evidence, Pause, Run
from benchmarks.simulation.night import evidence_of
from benchmarks.simulation.oracles import violations
from benchmarks.simulation.plan import DiskFault, Interruption, Plan, PlannedFault, PlannedRow, plan_of
from benchmarks.simulation.search import tally_of
from benchmarks.simulation.shrinking import shrunk

KEYLESS, KEYED, TWIN = PlannedRow("plain"), PlannedRow("plain", 1), PlannedRow("plain", twin=0)
DIGEST = "103e5cd719b111d6"
"""Of the traces of these nights, on every machine and version of Python; a change of what is sent or written when
changes it, too."""
NIGHTS = range(100, 104)


def digest_of(seeds: range) -> str:
    """Return a digest of the traces of nights, without the times: they differ by microseconds for each step."""
    traces = ["\n".join(line.split(maxsplit=1)[1] for line in evidence_of(plan_of(seed)).trace) for seed in seeds]
    return hashlib.sha256("\n\n".join(traces).encode()).hexdigest()[:16]


def test_a_few_nights_keep_all_promises() -> None:
    """The long search is a command: see docs/simulation.md."""
    assert tally_of(range(4)).failures == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(10_000, 10_150, 50))
def test_many_nights_keep_all_promises(first: int) -> None:
    """Fifty in each case, with fixed seeds."""
    assert tally_of(range(first, first + 50)).failures == []


@pytest.mark.parametrize("seed", mutations.FAILED_ONCE)
def test_nights_that_failed_once_keep_all_promises(seed: int) -> None:
    """What each has found is in docs/simulation.md."""
    assert tally_of(range(seed, seed + 1)).failures == []


@pytest.mark.slow
def test_a_seed_gives_the_same_night_everywhere() -> None:
    """The order of a set of texts, or of tasks, has no part in it."""
    program = "from test_simulation import digest_of, NIGHTS; print(digest_of(NIGHTS))"
    environment = {"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)}
    other = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert (digest_of(NIGHTS), other.stdout.strip()) == (DIGEST, DIGEST)


def test_a_kill_between_the_answer_and_the_journal_leaves_an_unknown_row() -> None:
    """The next run does not send a row without a key again."""
    plan = Plan(seed=1, model="notes", rows=(KEYLESS,), interruptions=(Interruption("kill", 14),))
    night = evidence_of(plan)
    assert [line.split(maxsplit=1)[1] for line in night.trace if "**" in line or "PUT" in line] == [
        "upsert1 sends PUT /conversations r0",
        "upsert1 gets 200 of PUT /conversations",
        "upsert1 ** kill **",
    ]
    assert (night.runs[1].not_stored, len(night.applied), violations(night)) == ({"unknown": [0]}, 1, [])


def test_a_power_failure_leaves_a_lock_that_can_be_acquired() -> None:
    """Found by night 1413: the file of the lock was not synced, half of it stayed, and every run was refused."""
    failure = Interruption("power", 1, wait=0.0)
    assert violations(evidence_of(Plan(seed=1413, model="tasks", exports=True, export_interruptions=(failure,)))) == []


def test_an_outcome_that_is_written_late_is_written_with_its_run() -> None:
    """Found by night 20719: the power failed between the two, and a report lacked attempts that had been made."""
    failure, cancellation = Interruption("power", 1), Interruption("cancel", 10, steps=1)
    plan = Plan(seed=1, model="tasks", rows=(PlannedRow("invalid", 0),), interruptions=(cancellation,), exports=True)
    assert violations(evidence_of(attrs.evolve(plan, export_interruptions=(failure,)))) == []


def test_a_full_disk_makes_no_outcome_unknown() -> None:
    """The room for it is reserved before a chunk is sent."""
    plan = Plan(seed=1, model="notes", rows=(KEYLESS,) * 3, chunk_size=1)
    for change in range(1, 100, 9):
        night = evidence_of(attrs.evolve(plan, disk_faults=(DiskFault(change, "filled"),)))
        assert (violations(night), night.runs[-1].counts["created"]) == ([], 3), change


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 3, 5])
def test_small_worlds_are_complete(number: int) -> None:
    """Every state in which a job of one keyless row can be interrupted, under each of three faults."""
    found = small_worlds.explore([*small_worlds.worlds(small_worlds.INPUTS[:1])][number])
    assert found.failures == []
    assert found.n_nights > 8  # one for each combination of delays, and one for each interruption


def test_each_mutation_fits_the_package() -> None:
    """Each text that one damages occurs once."""
    assert len(mutations.MUTATIONS) >= 60
    assert mutations.unfit() == []


def found(**changes: Any) -> list[str]:
    """Return the names of the oracles that find fault with a good night after these changes."""
    run = Run("upsert1", "done", counts=dict.fromkeys(_OUTCOMES, 0) | {"created": 2})
    stored = {"a": "r0", "b": "r1"}
    applied = [Applied(1.0, marker, id_, is_created=True) for id_, marker in stored.items()]
    plan = Plan(seed=0, model="tasks", rows=(KEYLESS, KEYED))
    night = Evidence(plan, runs=[run], applied=applied, stored=stored, key_of={"b": "k1"}, sent={"r0": 1, "r1": 1})
    assert violations(night) == []
    return sorted({one.partition(":")[0] for one in violations(attrs.evolve(night, **changes))})


_OUTCOMES = ("created", "updated", "unchanged", "unreported", "rejected", "invalid", "dropped", "unknown", "unsent")


def run_with(end: str = "done", **counts: int) -> list[Run]:
    """Return one run that names its rows from the first one on."""
    named, place = {}, 0
    for name, n_rows in counts.items():
        if name in _OUTCOMES[4:]:
            named[name] = [*range(place, place + n_rows)]
            place += n_rows
    return [Run("upsert1", end, counts=dict.fromkeys(_OUTCOMES, 0) | counts, not_stored=named)]


@pytest.mark.parametrize(
    ("changes", "oracles"),
    [
        ({"leaks": ["upsert1 leaves the task t"]}, ["ends"]),
        ({"runs": run_with("TypeError: no")}, ["ends"]),
        ({"runs": run_with(created=1)}, ["accounts", "conservation"]),
        ({"applied": [Applied(1.0, "r1", "b", is_created=True)]}, ["accounts"]),
        ({"runs": run_with(rejected=1, created=1)}, ["accounts", "deserved"]),
        ({"applied": [Applied(1.0, one, one, is_created=True) for one in ("r0", "r0", "r1")]}, ["keyless"]),
        ({"runs": run_with(unknown=1, created=1), "sent": {}}, ["doubts"]),
        ({"stored": {"a": "r0", "b": "r0"}}, ["order"]),
        ({"arrivals": [Arrival(0.1 * n, "upsert1", "GET") for n in range(201)]}, ["pace"]),
        ({"arrivals": [Arrival(0.001 * n, "upsert1", "GET") for n in range(151)]}, ["pace"]),
        ({"attempts": [Attempt("upsert1", 1, 1.0 * n, is_counted=True) for n in range(6)]}, ["retries"]),
        (
            {
                "pauses": [Pause("upsert1", begun=0.0, at=1.0, until=9.0)],
                "attempts": [Attempt("upsert1", 1, 2.0, is_counted=True)],
            },
            ["pauses"],
        ),
        ({"runs": [attrs.evolve(run_with(created=2)[0], told={0}, earlier={0})]}, ["earlier"]),
        (
            {
                "plan": Plan(seed=0, model="tasks", rows=(TWIN, TWIN)),
                "applied": [Applied(1.0, "r0", "a", is_created=True)],
            },
            ["twins"],
        ),
        ({"journal_faults": ["chunk 1 ended, but not in its run"]}, ["journal"]),
        ({"singles": [("create", "single0", "ok")]}, ["singles"]),
        ({"rejects": [([1], [1, 2])]}, ["rejects"]),
    ],
)
def test_each_oracle_finds_what_it_is_for(changes: dict[str, Any], oracles: list[str]) -> None:
    """Only those speak that the change concerns."""
    assert found(**changes) == oracles


def test_a_night_that_fails_is_made_smaller() -> None:
    """What does not matter is taken away, and the interruption comes earlier."""
    plan = plan_of(7)
    needed = PlannedFault("stall", 3)
    plan = attrs.evolve(plan, faults=(*plan.faults, needed), rows=(KEYLESS, KEYED, KEYLESS))
    small = shrunk(plan, fails=lambda one, _: needed in one.faults and KEYED in one.rows)
    assert (small.faults, small.rows, small.interruptions, small.exports) == ((needed,), (KEYED,), (), False)


def test_a_power_failure_leaves_what_was_synced(tmp_path: Path) -> None:
    """And perhaps some of the writes after that."""
    path = tmp_path / "a.db"
    kept = set()
    for seed in range(40):
        disk = Disk(tmp_path, lambda *_: None)
        path.write_bytes(b"synced later")
        disk.write(str(path), 0, b"synced")
        disk.sync(str(path))
        disk.write(str(path), 6, b" later")
        disk.fail_power(random.Random(seed), kept=frozenset())
        kept.add(path.read_bytes())
    assert all(one.startswith(b"synced") for one in kept)
    assert {b"synced", b"synced later"} <= kept


def test_the_command_counts_nights(capsys: pytest.CaptureFixture[str]) -> None:
    """And says nothing else of those that keep all promises."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["benchmarks", "simulate", "--seeds", "3-3", "--processes", "1"])
        main()
    assert capsys.readouterr().out.startswith("1 nights in ")
