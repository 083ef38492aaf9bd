"""The command line. A command's module is loaded when the command is asked for: starting must stay cheap."""

import os
import sys
from importlib import import_module
from typing import Any

import click

from ..errors import ChidoriError
from .interruption import EXIT_INTERRUPTED, Interrupted

_MODULES = {
    "run": ".running",
    "serve": ".serving",
    "console": ".console",
    "check": ".checking",
    "tools": ".tools",
    "resume": ".resuming",
    "branch": ".branching",
    "replay": ".replaying",
    "verify": ".replaying",
    "trace": ".inspect",
    "snapshot": ".inspect",
    "runs": ".inspect",
    "stats": ".inspect",
    "export": ".inspect",
    "import": ".inspect",
    "gc": ".collecting",
    "cluster": ".clusters",
}
"""Command → module; each module lists its commands as ``COMMANDS``."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        commands: tuple[click.Command, ...] = import_module(_MODULES[cmd_name], __package__).COMMANDS
        return next(command for command in commands if command.name == cmd_name)


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # 35 ms

        click.echo(f"chidori {version('chidori-actors')}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
def chidori() -> None:
    """Run durable agents: every call is recorded, so a run can be resumed, replayed and looked at."""


def main() -> None:
    """The console command; exits with the codes of the wire contract (section 6)."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line; the exit code. The one place where errors become ``Error: …`` on stderr."""
    try:
        code: Any = chidori.main(args=arguments, prog_name="chidori", standalone_mode=False)
    except click.ClickException as misuse:
        misuse.show()
        return misuse.exit_code
    except ChidoriError as error:
        _complain(str(error), error.hint)
        return error.exit_code
    except Interrupted as interruption:
        click.echo(str(interruption), err=True)
        return EXIT_INTERRUPTED
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return EXIT_INTERRUPTED
    except Exception as bug:
        return _admit(bug)
    return code if isinstance(code, int) else 0


def _complain(message: str, hint: str | None) -> None:
    click.echo(f"Error: {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)


def _admit(bug: Exception) -> int:
    """``bug``'s notes say how its run goes on (see interruption.py)."""
    if os.environ.get("CHIDORI_DEBUG"):
        import traceback

        traceback.print_exception(bug)
    notes = getattr(bug, "__notes__", [])
    continued = f"; the run can be continued with `{notes[0]}`" if notes else ""
    _complain(
        f"internal error: {type(bug).__name__}: {bug}",
        f"this is a bug in chidori-actors{continued}; set CHIDORI_DEBUG=1 for the traceback",
    )
    return 1
