"""Commands whose help is a `HelpPage`, and whose errors of usage are one line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, cast

import typer
from typer.core import TyperCommand, TyperGroup

from planhat_async.cli import console
from planhat_async.cli.examples import EXAMPLES
from planhat_async.cli.exit_codes import NOT_ALL_STORED, WRONG_USAGE
from planhat_async.cli.help_page import HelpItem, HelpPage, HelpSection
from planhat_async.cli.usage_error import usage_error_in_words

OPTIONS = "Options"
"""The title of options that belong to no group."""


class Command(TyperCommand):
    """A command."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write("\n".join(help_of(self, ctx)))


class CommandGroup(TyperGroup):
    """A command that has commands."""

    further_sections: Sequence[HelpSection] = ()
    """Shown below the commands and options."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write("\n".join(help_of(self, ctx)))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the program; errors of usage are one line."""
        options = {"complete_var": complete_var, "windows_expand_args": windows_expand_args, **extra}
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **options)
        try:
            code = super().main(args, prog_name, standalone_mode=False, **options)
        except typer.Abort:
            console.complain("not confirmed: --yes goes on without a question")
            sys.exit(NOT_ALL_STORED)
        except Exception as error:
            in_words: Callable[[], str] | None = getattr(error, "format_message", None)
            if in_words is None:  # an error of the parser has it; its class is not public
                raise
            _refuse(error, in_words())
        sys.exit(code or 0)


def _refuse(error: Any, message: str) -> NoReturn:
    """Print what is wrong with the arguments, or the help where they are missing, and exit."""
    ctx = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message)
    else:
        names = () if ctx is None else (*_names_of_commands(ctx.command), *_names_of_options(ctx))
        command = "planhat-async" if ctx is None else ctx.command_path
        console.complain(usage_error_in_words(message, command=command, names=names))
    sys.exit(WRONG_USAGE)


def _names_of_commands(command: Any) -> Sequence[str]:
    return [*getattr(command, "commands", {})]


def _names_of_options(ctx: Any) -> Iterator[str]:
    for param in ctx.command.get_params(ctx):
        yield from (name for name in (*param.opts, *param.secondary_opts) if name.startswith("--"))


def help_of(command: Any, ctx: Any) -> Iterator[str]:
    """The lines of a command's help, in the width and colours of standard output."""
    summary, *details = (command.help or "").split("\n\n")
    path = " ".join(ctx.command_path.split()[1:])
    page = HelpPage(
        summary=summary,
        usage=" ".join([ctx.command_path, *_usage(command, ctx)]),
        examples=EXAMPLES.get(path, ()),
        sections=[*_sections(command, ctx), *getattr(command, "further_sections", ())],
        details=details,
    )
    out = console.out
    has_colour = out.is_terminal and not out.no_color and out.color_system is not None
    return page.lines(shutil.get_terminal_size().columns, has_colour=has_colour)


def _usage(command: Any, ctx: Any) -> Iterator[str]:
    yield "[OPTIONS]"
    for param in command.get_params(ctx):
        if param.param_type_name == "argument":
            name = _argument(param)
            yield name if param.required else f"[{name}]"
    if isinstance(command, CommandGroup):
        yield "COMMAND ..."


def _argument(param: Any) -> str:
    name = param.metavar or param.name.upper()
    return name if param.nargs == 1 else f"{name}..."


def _sections(command: Any, ctx: Any) -> Iterator[HelpSection]:
    """The commands by their groups, the arguments, the options of no group, and the groups of options."""
    commands: dict[str, list[HelpItem]] = {}
    for name in command.list_commands(ctx) if isinstance(command, CommandGroup) else ():
        one: Any = command.get_command(ctx, name)
        item = HelpItem(name, (one.help or "").split("\n\n")[0])
        commands.setdefault(one.rich_help_panel or "Commands", []).append(item)
    arguments: list[HelpItem] = []
    options: dict[str, list[HelpItem]] = {OPTIONS: []}
    # Parameters of typer's, which click's class does not describe.
    for param in cast("list[Any]", command.get_params(ctx)):
        if param.param_type_name == "argument":
            arguments.append(HelpItem(_argument(param), param.help or ""))
        elif not param.hidden:
            title = getattr(param, "rich_help_panel", None) or OPTIONS
            options.setdefault(title, []).append(HelpItem(_names(param), _text(param)))
    for title, items in {**commands, "Arguments": arguments, **options}.items():
        if items:
            yield HelpSection(title, tuple(items))


def _names(param: Any) -> str:
    """The names of an option, the short one first, and what stands for its value."""
    names = ", ".join(sorted(param.opts, key=len))
    if param.secondary_opts:
        names = "/".join([names, *param.secondary_opts])
    return names if param.is_flag else f"{names} {param.metavar or param.name.upper()}"


def _text(param: Any) -> str:
    """What an option means, and its default if that is not nothing."""
    default = getattr(param.default, "value", param.default)
    is_shown = param.show_default is True and not callable(default) and default not in (None, False, "", ())
    shown = f"{default:g}" if isinstance(default, float) else default
    return f"{param.help or ''} [default: {shown}]" if is_shown else param.help or ""


def add_commands(app: typer.Typer, groups: Mapping[str, Mapping[str, Callable[..., None]]]) -> None:
    """Add commands to a program, by the titles of their groups and by their names."""
    for title, commands in groups.items():
        for name, function in commands.items():
            app.command(name, cls=Command, rich_help_panel=title)(function)
