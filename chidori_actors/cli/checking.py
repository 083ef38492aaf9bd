"""``chidori check``."""

from pathlib import Path

import click

from ..errors import SourceError
from ..languages.loading import load_bundle
from ..session.check import check_agent
from ..settings import load_settings
from .output import write

EXIT_FAULT = 2


@click.command("check")
@click.argument("file")
def check(file: str) -> int:
    """Look for faults in the agent in FILE without running it."""
    settings = load_settings()
    try:
        check_agent(load_bundle(Path(file), settings.runtime_policy), settings)
    except SourceError as fault:
        write(f"Error: {fault}", err=True)
        if fault.hint:
            write(f"  {fault.hint}", err=True)
        return EXIT_FAULT
    write(f"OK: {file}")
    return 0


COMMANDS: tuple[click.Command, ...] = (check,)
