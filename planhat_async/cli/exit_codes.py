"""The exit code and the message for each kind of error."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from planhat_async.cli import console
from planhat_async.errors import MissingExtraError, PlanhatError

NOT_ALL_STORED, WRONG_USAGE, UNUSABLE, INTERRUPTED = 1, 2, 3, 130
OUTPUT_CLOSED = 128 + 13  # what a shell reports of a program that SIGPIPE ended; Windows has no such signal


@contextmanager
def refusals() -> Iterator[None]:
    """Print one line instead of a traceback, and exit with the code that says whose fault it was."""
    try:
        yield
    except PlanhatError as error:
        raise _exit(UNUSABLE, error, error) from None
    except BrokenPipeError:
        # The reader of the output has closed it: Python must not flush to it at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(OUTPUT_CLOSED) from None
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or error
        raise _exit(WRONG_USAGE, error, message) from None
    except (ValueError, MissingExtraError) as error:
        raise _exit(WRONG_USAGE, error, error) from None
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        raise _exit(INTERRUPTED, error, "interrupted") from None


def _exit(code: int, error: BaseException, message: object) -> typer.Exit:
    """Print the message and the error's notes; returns the exit."""
    console.complain(message)
    for note in getattr(error, "__notes__", ()):
        console.warn(note)
    return typer.Exit(code)
