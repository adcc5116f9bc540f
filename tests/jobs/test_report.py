"""Test the report of a job: one self-contained page with the contents of the journal."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs
import pytest

from planhat_async.jobs.entries import ChunkState, Entry, Group, Run
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.report import charts, page
from planhat_async.results import Outcome

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def job(n_chunks: int = 60) -> Journal:
    """Return a journal of two runs: the first was killed after a minute, the second began an hour later."""
    journal = Journal(Path("job.db"))
    journal.job = {"model": "tickets", "bytes": 1234, "columns": {"title": "<b>"}}
    journal.runs = [
        Run(number=1, started=1000.0, seen=1060.0, calls=30, attempts=31, per_minute=200),
        Run(number=2, started=5000.0, seen=5060.0, ended=5060.0, calls=30, attempts=30, per_minute=200),
    ]
    for number in range(n_chunks):
        run, at = (1, 1000.0) if number < n_chunks // 2 else (2, 5000.0)
        ended = at + 2.0 * (number % (n_chunks // 2)) + 1.5
        journal.entries[number] = Entry(
            number=number, n_rows=100, digest="", is_keyed=True, state=ChunkState.ANSWERED,
            counts={"created": 99, "invalid": 1},
            groups=(Group(Outcome.INVALID, "email is <missing>", (range(100 * number, 100 * number + 1),)),),
            run=run, begun=ended - 1.0, sent=ended - 1.0, ended=ended, n_attempts=number % (n_chunks // 2) + 1,
        )  # fmt: skip
    return journal


def test_the_page_is_well_formed_and_self_contained() -> None:
    """It has no scripts or addresses; values of rows are escaped."""
    content = page(job(), name="job.db")
    ET.fromstring(  # noqa: S314 - our own
        content.replace("<!DOCTYPE html>", "").replace('<meta charset="utf-8">', "")
    )
    assert not any(word in content for word in ("<script", "http:", "https:", "src=", "@import", "url("))
    assert "email is &lt;missing&gt;" in content
    assert "6,000 rows in 2 min: 60 rows are not stored." in content
    assert content.count("<svg") == 3 + 1
    assert content.count('<rect class="good"') == content.count('<rect class="wrong"') == 1
    assert "killed, or lost its journal" in content


def test_charts_show_working_time() -> None:
    """The hour between two runs is omitted."""
    rows, pace, latency = charts(job())
    assert rows.points[0] == (0.0, 0.0)
    assert rows.points[-1] == (60.0 + 2 * 29 + 1.5, 6000)
    assert (pace.points, pace.limit) == ([(0.0, 30.0), (60.0, 30.0), (60.0, 30.0), (120.0, 30.0)], 200.0)
    assert {seconds for _, seconds in latency.points} == {1.0}


def test_an_empty_journal_has_a_page_too() -> None:
    """No row was sent yet."""
    journal = Journal(Path("job.db"))
    assert "0 rows in 0 s" in page(journal, name="job.db")
    journal.runs = [Run(number=1, started=1.0, seen=1.0)]
    journal.entries[0] = attrs.evolve(job().entries[0], ended=None)
    assert "100 rows in 0 s: 1 row is not stored." in page(journal, name="job.db")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_the_page_renders(tmp_path: Path) -> None:
    """A browser without a network shows the colours of its lines and bars."""
    assert CHROMIUM is not None
    (tmp_path / "report.html").write_text(page(job(), name="job.db"))
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,1000")
    subprocess.run(
        [CHROMIUM, *options, f"--user-data-dir={tmp_path}/profile", f"--screenshot={tmp_path}/report.png",
         f"file://{tmp_path}/report.html"],
        check=True, capture_output=True, timeout=90,
    )  # fmt: skip
    colours = colours_of((tmp_path / "report.png").read_bytes())
    assert {(0x2F, 0x6F, 0xDE), (0x3A, 0x8F, 0x5C), (0xB3, 0x26, 0x1E)} <= colours


def colours_of(png: bytes) -> set[tuple[int, int, int]]:
    """Return the colours of an image with 8 bits a channel."""
    width, height, _, kind = struct.unpack(">IIBB", png[16:26])
    size = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        packed += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * size
    found, above = set(), bytearray(stride)
    for y in range(height):
        line = bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        undo_filter(raw[y * (stride + 1)], line, above, size)
        found |= {(line[x], line[x + 1], line[x + 2]) for x in range(0, stride, size)}
        above = line
    return found


def undo_filter(kind: int, line: bytearray, above: bytearray, size: int) -> None:
    """Undo the filter of a line of an image, as the PNG standard defines it."""
    for n in range(len(line)):
        a, b, c = (line[n - size], above[n], above[n - size]) if n >= size else (0, above[n], 0)
        paeth = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
        line[n] = (line[n] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
