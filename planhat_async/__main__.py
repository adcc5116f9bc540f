"""The entry point of `planhat-async` and `python -m planhat_async`."""

import io
import sys


def main() -> None:
    """Run the command line, or explain how to install it."""
    try:
        from planhat_async.cli.app import app  # noqa: PLC0415 - typer and rich are an extra
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(
            "The command line needs the extra `cli`: pip install 'planhat-async[cli]', "
            "or uvx --from 'planhat-async[cli]' planhat-async"
        )
    if isinstance(sys.stdout, io.TextIOWrapper):
        # As for standard error: an encoding may lack characters of Planhat's texts, as in a pipe on Windows.
        sys.stdout.reconfigure(errors="backslashreplace")
    app(prog_name="planhat-async")


if __name__ == "__main__":
    main()
