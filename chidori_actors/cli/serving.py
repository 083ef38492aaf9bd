"""``chidori serve``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..policy import Policy, Profile
from .execution import profile_options
from .interruption import run_interruptibly
from .output import write
from .placement import command_settings, placement_options, resources_option
from .tools import tools_option

if TYPE_CHECKING:
    from ..front_door.access_log import LogFormat


@click.command("serve")
@click.argument("file")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for calls to settle when it is stopped.",
)
@click.option("--log-format", type=click.Choice(("text", "json")), default="text", show_default=True)
@tools_option
@placement_options
@resources_option
@profile_options
def serve(
    file: str,
    port: int,
    host: str,
    grace: float,
    log_format: "LogFormat",
    tools: tuple[Path, ...],
    profile: Profile | None,
) -> int:
    """Serve the agent in FILE, and those beside it, over HTTP."""
    from ..front_door.log_lines import LogLines
    from ..front_door.server import Serving  # aiohttp: 0.2 s that other commands save
    from ..front_door.server import serve as run_server

    settings = command_settings()
    policy = Policy.load(settings, profile=profile)
    serving = Serving(Path(file), host, port, grace, log_format, tools)

    def ready(url: str) -> None:
        if log_format == "json":
            LogLines(log_format).write("serving", agent=file, url=url, console=f"{url}/console/")
        else:
            write(f"Serving {file} at {url}", err=True)
            write(f"Console at {url}/console/", err=True)

    run_interruptibly(run_server(settings, policy, serving, ready))
    return 0


COMMANDS: tuple[click.Command, ...] = (serve,)
