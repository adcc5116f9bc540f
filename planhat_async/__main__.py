"""`planhat-async` and `python -m planhat_async`."""

import sys


def main() -> None:
    """Run the command line, or say how to install it."""
    try:
        from planhat_async.cli import app  # noqa: PLC0415 - typer and rich are an extra
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit("The command line needs two more packages: pip install 'planhat-async[cli]'")
    app(prog_name="planhat-async")


if __name__ == "__main__":
    main()
