"""Which exit code an error is, and one line that says what went wrong."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from planhat_async.cli import console
from planhat_async.errors import PlanhatError
from planhat_async.jobs.exports import MissingExtraError

NOT_ALL_STORED, WRONG_USAGE, UNUSABLE, INTERRUPTED = 1, 2, 3, 130
OUTPUT_CLOSED = 128 + 13  # what a shell reports of a program that SIGPIPE ended; Windows has no such signal


@contextmanager
def refusals() -> Iterator[None]:
    """One line instead of a traceback, and the exit code that says whose fault it was."""
    try:
        yield
    except PlanhatError as error:
        raise _ended(UNUSABLE, error, error) from None
    except BrokenPipeError:
        # The reader of our output has gone; nothing can be written there, not even at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(OUTPUT_CLOSED) from None
    except OSError as error:
        said = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or error
        raise _ended(WRONG_USAGE, error, said) from None
    except (ValueError, MissingExtraError) as error:
        raise _ended(WRONG_USAGE, error, error) from None
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        raise _ended(INTERRUPTED, error, "interrupted") from None


def _ended(code: int, error: BaseException, said: object) -> typer.Exit:
    """Say what went wrong, and what was noted about it on the way."""
    console.complain(said)
    for note in getattr(error, "__notes__", ()):
        console.tell(note)
    return typer.Exit(code)
