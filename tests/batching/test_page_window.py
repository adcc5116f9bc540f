"""How many pages may be on their way at once."""

from __future__ import annotations

from planhat_async.batching.page_window import PageWindow


def joined(window: PageWindow, n_pages: int) -> list[int]:
    """The window after each of so many pages that join."""
    widths = []
    for _ in range(n_pages):
        window.widen()
        widths.append(window.n_pages)
    return widths


def test_it_widens_with_every_page_that_joins() -> None:
    """By one page, up to the bound."""
    assert joined(PageWindow(4), 5) == [2, 3, 4, 4, 4]


def test_it_opens_later_after_every_page_that_does_not_join() -> None:
    """After 4, 16, 64, 256 and never more than 1,024 pages that join in a row."""
    window, waits = PageWindow(4), []
    for _ in range(6):
        window.narrow()
        waits.append(1)
        while joined(window, 1) == [1]:
            waits[-1] += 1
    assert waits == [4, 16, 64, 256, 1024, 1024]


def test_it_opens_earlier_again_after_a_calm() -> None:
    """Failures far from each other say little of rows that move all the while."""
    window = PageWindow(4)
    window.narrow()
    window.narrow()
    joined(window, 16 + 32)
    window.narrow()
    assert joined(window, 16).index(2) == 15
    joined(window, 2 * 32)
    window.narrow()
    assert joined(window, 4) == [1, 1, 1, 2]


def test_pages_that_join_count_in_a_row_only() -> None:
    """A failure in between starts the count anew."""
    window = PageWindow(4)
    window.narrow()
    joined(window, 3)
    window.narrow()
    assert joined(window, 15) == [1] * 15


def test_a_page_asked_for_alone_is_no_failure() -> None:
    """A short page closes the window, and the next full one opens it."""
    window = PageWindow(3)
    joined(window, 3)
    window.close()
    assert (window.n_pages, joined(window, 1)) == (1, [2])
