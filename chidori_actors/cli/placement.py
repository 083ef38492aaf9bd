"""Where a command's runs and its store are: in this process, or on a cluster."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from ..errors import UsageError
from ..settings import Settings, load_settings
from ..shell_commands import shell_command

Command = Callable[..., Any]

_META = "chidori_actors.cli.placement."
_RESOURCE = re.compile(r"([A-Za-z][\w.:-]{0,127})=(\d{1,9}(?:\.\d{1,9})?)", re.ASCII)


def _keep(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    # For `command_settings`: no command has anything else to do with it.
    ctx.meta[f"{_META}{option.name}"] = value


def placement_options(command: Command) -> Command:
    """Adds ``--local`` and ``--address``, which ``command_settings`` knows of."""
    for option in (
        click.option(
            "--address",
            metavar="A",
            callback=_keep,
            expose_value=False,
            help="Use the cluster at this address and its store; `auto` finds one on this machine.",
        ),
        click.option(
            "--local",
            is_flag=True,
            callback=_keep,
            expose_value=False,
            help="Use this process and its store, whatever CHIDORI_RAY_ADDRESS says (default).",
        ),
    ):
        command = option(command)
    return command


def _resources(ctx: click.Context, option: click.Parameter, text: str | None) -> None:
    found: dict[str, float] = {}
    for part in () if text is None else text.split(","):
        match = _RESOURCE.fullmatch(part.strip())
        if match is None or match[1] in found:
            raise click.BadParameter(
                f"{part.strip()!r} is not NAME=AMOUNT; write cpus=1,gpus=0.5 or a name of your own"
            )
        found[match[1]] = float(match[2])
    _keep(ctx, option, tuple(found.items()))


def resources_option(command: Command) -> Command:
    """Adds ``--resources``, which ``command_settings`` knows of."""
    return click.option(
        "--resources",
        metavar="R",
        callback=_resources,
        expose_value=False,
        help="What a host of the cluster must have: cpus=1,gpus=1, or a resource of its own by name.",
    )(command)


def again(*arguments: str) -> str:
    """A command for the same place as this one's, ready for a shell."""
    ctx = click.get_current_context(silent=True)
    address = None if ctx is None else ctx.meta.get(f"{_META}address")
    return shell_command(*arguments, address=address)


def command_settings() -> Settings:
    """The settings of the environment, with what the command's own options say of the placement.

    Raises:
        UsageError: a setting cannot be read, or the options contradict each other.
    """
    settings = load_settings()
    ctx = click.get_current_context(silent=True)
    given = {} if ctx is None else ctx.meta
    address, local = given.get(f"{_META}address"), given.get(f"{_META}local")
    if address is not None and local:
        raise UsageError("--local and --address exclude each other")
    if address == "":
        raise UsageError("--address is empty", hint="`--address auto` finds a cluster on this machine")
    ray_address = None if local else address or settings.ray_address
    resources = given.get(f"{_META}resources") or ()
    if resources and ray_address is None:
        raise UsageError("--resources is for a cluster", hint="name one with --address, or leave --resources out")
    return replace(settings, ray_address=ray_address, resources=resources)
