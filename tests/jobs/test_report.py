"""Test the report of a job: one self-contained page with the contents of the journal."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import zlib
from functools import partial
from html import escape
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs
import pytest

from planhat_async.jobs.entries import ChunkState, Entry, Group, Run
from planhat_async.jobs.journal import Journal
from planhat_async.jobs.report import charts, page, page_of_two
from planhat_async.results import Outcome

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

DATA = Path(__file__).parents[1] / "data"


def job(n_chunks: int = 60) -> Journal:
    """Return a journal of two runs: the first was killed after a minute, the second began an hour later."""
    journal = Journal(Path("job.db"))
    journal.job = {"model": "tickets", "bytes": 1234, "columns": {"title": "<b>"}, "n_chunks": 60}
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


def well_formed(content: str) -> ET.Element:
    """Return the page as XML, whose only tags without an end are those of the head."""
    bare = re.sub(r"<(meta|link)[^>]*>", "", content.replace("<!DOCTYPE html>", ""))
    return ET.fromstring(bare)  # noqa: S314 - our own


def test_the_page_is_well_formed_and_self_contained() -> None:
    """It has no scripts or addresses; values of rows are escaped."""
    content = page(job(), name="job.db")
    well_formed(content)
    assert not any(word in content for word in ("<script", "http:", "https:", "src=", "@import", "url("))
    assert "email is &lt;missing&gt;" in content
    assert "60 of 6,000 rows are not stored." in content
    assert content.count("<svg") == 3
    assert content.count('<tr class="good"') == content.count('<tr class="wrong"') == 1
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
    well_formed(page(journal, name="job.db"))
    assert "No row was read. The input was not read to its end." in page(journal, name="job.db")
    journal.runs = [Run(number=1, started=1.0, seen=1.0)]
    journal.entries[0] = attrs.evolve(job().entries[0], ended=None)
    assert "1 of 100 rows is not stored. The input was not read to its end." in page(journal, name="job.db")


def test_two_jobs_are_compared() -> None:
    """The page has the numbers of both beside each other, and then each job."""
    later = job(30)
    later.job["input"] = "<b>.csv"
    content = page_of_two([("monday.db", job()), ("tuesday.db", later)])
    well_formed(content)
    assert content.count("<svg") == 6
    cells = re.findall(r"<tr>(.*?)</tr>", content)
    texts = [re.sub(r"<[^>]*>", "|", row) for row in cells]
    assert any(re.sub(r"\|+", "|", row) == "|rows not stored|60|30|-50 %|" for row in texts)
    assert any(re.sub(r"\|+", "|", row) == "|invalid|email is &lt;missing&gt;|60|30|" for row in texts)
    assert "tickets from &lt;b&gt;.csv" in content


def pictured(content: str, *, width: int, height: int, folder: Path) -> tuple[bytes, str]:
    """Return the picture of a page in a frame of this width, and what the frame measures of it.

    A browser's own window is never narrower than 500 pixels.
    """
    assert CHROMIUM is not None
    (folder / "frame.html").write_text(
        f'<body style="margin:0"><iframe style="width:{width}px;height:{height}px;border:0" '
        f'srcdoc="{escape(content)}" onload="measure(this.contentDocument)"></iframe><script>'
        "function measure(page) { const all = [...page.querySelectorAll('main *')];"
        "document.title = page.documentElement.scrollWidth + ' ' +"
        "Math.ceil(Math.max(...all.map(one => one.getBoundingClientRect().right))); }</script>"
    )
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb")
    frame = (
        f"--user-data-dir={folder}/profile",
        f"--window-size={max(width, 500)},{height}",
        f"file://{folder}/frame.html",
    )
    run = partial(subprocess.run, check=True, capture_output=True, text=True, timeout=90)
    run([CHROMIUM, *options, f"--screenshot={folder}/page.png", *frame])
    measured = run([CHROMIUM, *options, "--dump-dom", *frame]).stdout
    found = re.search(r"<title>(.*?)</title>", measured)
    assert found is not None
    return (folder / "page.png").read_bytes(), found[1]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.parametrize(("width", "height"), [(1000, 700), (320, 1000)])
def test_the_page_looks_as_it_did(width: int, height: int, tmp_path: Path) -> None:
    """Nothing is wider than the window, and few squares of 8 pixels differ from the picture of the repository.

    `UPDATE_PICTURES=1` writes a new picture. Squares are compared because letters depend on the fonts of a machine.
    """
    png, measured = pictured(page(job(), name="job.db"), width=width, height=height, folder=tmp_path)
    scroll_width, right = map(int, measured.split())
    assert (scroll_width <= width, right <= width) == (True, True)
    found = squares_of(png, width)
    kept = DATA / f"report-{width}.png"
    if os.environ.get("UPDATE_PICTURES"):
        kept.write_bytes(grey_png(found))
    expected = [[one[0] for one in row] for row in pixels_of(kept.read_bytes())]
    differing = sum(
        abs(a - b) > 40 for ours, theirs in zip(found, expected, strict=True) for a, b in zip(ours, theirs, strict=True)
    )
    assert differing <= 0.06 * sum(map(len, expected))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_nothing_is_wider_than_a_small_window(tmp_path: Path) -> None:
    """This holds for two jobs, and for names and reasons without a blank."""
    later = job()
    later.job |= {"input": "x" * 80 + ".csv", "base_url": "https://" + "y" * 90}
    later.entries[0] = attrs.evolve(later.entries[0], groups=(Group(Outcome.INVALID, "z" * 200, (range(1),)),))
    content = page_of_two([("monday-" * 6 + ".db", job()), ("tuesday.db", later)])
    _, measured = pictured(content, width=320, height=1000, folder=tmp_path)
    assert max(map(int, measured.split())) <= 320


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_the_page_has_its_colours(tmp_path: Path) -> None:
    """A browser without a network shows the colours of lines and bars."""
    png, _ = pictured(page(job(), name="job.db"), width=1000, height=700, folder=tmp_path)
    assert {(0x2F, 0x6F, 0xDE), (0x3A, 0x8F, 0x5C), (0xB3, 0x26, 0x1E)} <= {
        one for row in pixels_of(png) for one in row
    }


Pixel = tuple[int, ...]


def squares_of(png: bytes, width: int, side: int = 8) -> list[list[int]]:
    """Return the brightness of each square of so many pixels."""
    pixels = [row[:width] for row in pixels_of(png)]
    return [
        [
            sum(sum(one[:3]) for row in pixels[y : y + side] for one in row[x : x + side]) // (3 * side * side)
            for x in range(0, width - side + 1, side)
        ]
        for y in range(0, len(pixels) - side + 1, side)
    ]


def grey_png(rows: list[list[int]]) -> bytes:
    """Return an image of these brightnesses."""

    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", content) + part(b"IEND", b"")


def pixels_of(png: bytes) -> list[list[Pixel]]:
    """Return the pixels of an image with 8 bits a channel."""
    width, height, _, kind = struct.unpack(">IIBB", png[16:26])
    size = {0: 1, 2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        packed += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * size
    rows, above = [], bytearray(stride)
    for y in range(height):
        line = bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        undo_filter(raw[y * (stride + 1)], line, above, size)
        rows.append([tuple(line[x : x + min(size, 3)]) for x in range(0, stride, size)])
        above = line
    return rows


def undo_filter(kind: int, line: bytearray, above: bytearray, size: int) -> None:
    """Undo the filter of a line of an image, as the PNG standard defines it."""
    for n in range(len(line)):
        a, b, c = (line[n - size], above[n], above[n - size]) if n >= size else (0, above[n], 0)
        paeth = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
        line[n] = (line[n] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
