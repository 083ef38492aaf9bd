"""``chidori run``."""

from pathlib import Path

import click

from ..agent_source import load_agent
from ..policy import Policy, Profile
from ..runtime import RunResult, Runtime
from ..session.attendance import Attendance
from .execution import (
    Execution,
    RunOptions,
    execute,
    profile_options,
    reporting_options,
)
from .inputs import parse_inputs
from .placement import command_settings, placement_options, resources_option
from .tools import tools_option


@click.command("run")
@click.argument("file")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="INPUT",
    help="key=value, key=@file, @file.json or a JSON object.",
)
@click.option("--model", metavar="M", help="The model of prompts that name none.")
@tools_option
@reporting_options
@placement_options
@resources_option
@profile_options
def run(
    file: str,
    inputs: tuple[str, ...],
    model: str | None,
    tools: tuple[Path, ...],
    profile: Profile | None,
    **reporting: bool,
) -> int:
    """Run the agent in FILE and print its output."""
    settings = command_settings()
    input_json = parse_inputs(inputs)
    policy = Policy.load(settings, profile=profile)
    entry = Path(file)
    bundle = load_agent(entry, settings.runtime_policy, tools)

    async def work(runtime: Runtime, attendance: Attendance) -> RunResult:
        return await runtime.run(
            bundle,
            entry,
            input_json,
            model=model,
            tool_folders=tools,
            policy_profile=profile,
            attendance=attendance,
        )

    execution = Execution(settings, policy, RunOptions(**reporting), agent=file, create_store=True)
    return execute(execution, work)


COMMANDS: tuple[click.Command, ...] = (run,)
