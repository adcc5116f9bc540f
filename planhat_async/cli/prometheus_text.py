"""The numbers of a run in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from planhat_async._http.session_stats import SessionStats


@attrs.frozen(kw_only=True)
class Family:
    """A metric: its name, and a value for each set of labels."""

    name: str
    kind: str
    """`counter` or `gauge`."""
    text: str
    """What it counts, for `HELP`."""
    samples: Sequence[tuple[Mapping[str, str], float]]


@attrs.frozen(kw_only=True)
class RunNumbers:
    """The numbers of a run at one instant."""

    command: str
    model: str
    """The model's name; `all` for an export of all models."""
    started: float
    """Seconds since 1970."""
    now: float
    exit_code: int | None = None
    """`None` while it runs."""
    rows: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict)
    """Rows by outcome, by model."""
    stats: SessionStats | None = None
    """`None` before a session is made."""


_COUNTERS = {
    "calls": ("planhat_calls_total", "Calls, each counted once however often it was attempted."),
    "attempts": ("planhat_attempts_total", "Attempts at calls."),
    "retries": ("planhat_retries_total", "Attempts after the first."),
    "refusals": ("planhat_refusals_total", "Attempts answered with 429."),
    "seconds_waited": ("planhat_wait_seconds_total", "Seconds that attempts waited for the rate limit."),
    "bytes_sent": ("planhat_sent_bytes_total", "Bytes of request bodies."),
    "bytes_received": ("planhat_received_bytes_total", "Bytes of answers, after decompression."),
}


def families_of(run: RunNumbers) -> list[Family]:
    """The metrics of a run."""
    labels = {"command": run.command, "model": run.model}

    def gauge(name: str, text: str, value: float) -> Family:
        return Family(name=name, kind="gauge", text=text, samples=[(labels, value)])

    rows = [
        ({"command": run.command, "model": model, "outcome": outcome}, n_rows)
        for model, counts in run.rows.items()
        for outcome, n_rows in counts.items()
    ]
    families = [Family(name="planhat_rows", kind="gauge", text="Rows by outcome, in all runs of a job.", samples=rows)]
    if run.stats is not None:
        families += [
            Family(name=name, kind="counter", text=text, samples=[(labels, getattr(run.stats, attribute))])
            for attribute, (name, text) in _COUNTERS.items()
        ]
    families += [
        gauge("planhat_run_start_timestamp_seconds", "When the run began, in seconds since 1970.", run.started),
        gauge("planhat_run_duration_seconds", "Seconds since the run began.", round(run.now - run.started, 3)),
    ]
    if run.exit_code is not None:
        families += [
            gauge("planhat_run_end_timestamp_seconds", "When the run ended; missing while it runs.", run.now),
            gauge("planhat_run_exit_code", "The exit code; missing while the run lasts.", run.exit_code),
        ]
    return families


def exposition(families: Iterable[Family]) -> str:
    """The metrics as text; those without a value are left out."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines += [f"# HELP {family.name} {family.text}", f"# TYPE {family.name} {family.kind}"]
            lines += [f"{family.name}{{{_labels(labels)}}} {_number(value)}" for labels, value in family.samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    escaped = {
        name: value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for name, value in labels.items()
    }
    return ",".join(f'{name}="{value}"' for name, value in escaped.items())


def _number(value: float) -> str:
    return repr(round(value, 3))
