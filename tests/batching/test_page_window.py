"""Test how many pages may be in flight at once."""

from __future__ import annotations

from planhat_async.batching.page_window import PageWindow


def joined(window: PageWindow, n_pages: int) -> list[int]:
    """Return the window after each of so many pages that join."""
    widths = []
    for _ in range(n_pages):
        window.widen()
        widths.append(window.n_pages)
    return widths


def test_the_window_widens_with_every_page_that_joins() -> None:
    """It widens by one page, up to the bound."""
    assert joined(PageWindow(4), 5) == [2, 3, 4, 4, 4]


def test_the_window_opens_later_after_every_page_that_does_not_join() -> None:
    """It opens after 4, 16, 64, 256 and at most 1,024 pages that join in a row."""
    window, waits = PageWindow(4), []
    for _ in range(6):
        window.narrow()
        waits.append(1)
        while joined(window, 1) == [1]:
            waits[-1] += 1
    assert waits == [4, 16, 64, 256, 1024, 1024]


def test_the_window_opens_earlier_again_after_pages_without_failure() -> None:
    """Rare failures prove little about rows that move all the time."""
    window = PageWindow(4)
    window.narrow()
    window.narrow()
    joined(window, 16 + 32)
    window.narrow()
    assert joined(window, 16).index(2) == 15
    joined(window, 2 * 32)
    window.narrow()
    assert joined(window, 4) == [1, 1, 1, 2]


def test_a_failure_restarts_the_count_of_pages_that_join() -> None:
    """Only consecutive pages count."""
    window = PageWindow(4)
    window.narrow()
    joined(window, 3)
    window.narrow()
    assert joined(window, 15) == [1] * 15


def test_a_short_page_does_not_count_as_a_failure() -> None:
    """A short page closes the window, and the next full one opens it."""
    window = PageWindow(3)
    joined(window, 3)
    window.close()
    assert (window.n_pages, joined(window, 1)) == (1, [2])
