"""``chidori check``."""

from pathlib import Path

import click

from ..errors import SourceError, UsageError
from ..languages.loading import load_bundle
from ..session.check import check_agent
from ..settings import load_settings
from .output import write


@click.command("check")
@click.argument("file")
def check(file: str) -> None:
    """Look for faults in the agent in FILE without running it."""
    settings = load_settings()
    try:
        check_agent(load_bundle(Path(file), settings.runtime_policy), settings)
    except SourceError as fault:
        raise UsageError(str(fault), hint=fault.hint) from fault  # for its exit code
    write(f"OK: {file}")


COMMANDS: tuple[click.Command, ...] = (check,)
