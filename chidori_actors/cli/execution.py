"""What every command that runs an agent has in common: its options, its reports, its end."""

import functools
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import click

from ..errors import UsageError
from ..journal.lanes import Settled, apply_retries, read_lane
from ..journal.runs import RunMeta, get_run
from ..journal.store import Store
from ..policy import Policy, Profile
from ..runtime import RunResult, Runtime, open_runtime
from ..session.attendance import Attendance
from ..settings import Settings
from .conclusion import conclude, resume_command
from .interruption import run_interruptibly
from .output import write
from .placement import Command
from .progress import on_terminal, quiet_option
from .reports import ConsoleReport, StreamReport
from .screen import LiveScreen, PlainScreen, Screen
from .terminal import TerminalQuestions

Work = Callable[[Runtime, Attendance], Awaitable[RunResult]]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options that every such command takes."""

    stream: bool
    trace: bool
    verbose: bool
    quiet: bool


@dataclass(frozen=True, slots=True)
class Execution:
    """One command's run: ``agent`` is the agent's file as the user gave it, if they did; ``replays`` is the id of the
    run that is replayed to its end."""

    settings: Settings
    policy: Policy
    options: RunOptions
    agent: str | None = None
    create_store: bool = False
    replays: str | None = None


def reporting_options(command: Command) -> Command:
    """Adds ``--stream``, ``--trace``, ``--verbose`` and ``-q``."""
    for option in (
        quiet_option,
        click.option("--verbose", is_flag=True, help="Show what the agent writes to its console."),
        click.option("--trace", is_flag=True, help="Print the trace after the run, to stderr."),
        click.option("--stream", is_flag=True, help="Print every event as a line of JSON instead of the output."),
    ):
        command = option(command)
    return command


def profile_options(command: Command) -> Command:
    """Adds ``--trusted``, ``--supervised`` and ``--untrusted``, which come as ``profile``."""

    @functools.wraps(command)
    def with_profile(*args: Any, **options: Any) -> Any:
        chosen = [profile for profile in get_args(Profile) if options.pop(profile)]
        return command(*args, profile=_profile(chosen), **options)

    command_of_profile: Command = with_profile
    for option in (
        click.option("--untrusted", is_flag=True, help="Deny http, tools, exec and env."),
        click.option("--supervised", is_flag=True, help="Ask before http, tools, exec and env that the rules allow."),
        click.option("--trusted", is_flag=True, help="Allow what no rule speaks of (default)."),
    ):
        command_of_profile = option(command_of_profile)
    return command_of_profile


def _profile(chosen: Sequence[Profile]) -> Profile | None:
    if len(chosen) > 1:
        *others, last = (f"--{profile}" for profile in chosen)
        raise UsageError(f"{', '.join(others)} and {last} exclude each other")
    return chosen[0] if chosen else None


def execute(execution: Execution, work: Work) -> int:
    """Do ``work`` with reports and questions on this terminal, print how it ended; the exit code."""
    options = execution.options
    screen: Screen = LiveScreen() if _is_live(options) else PlainScreen()
    console = ConsoleReport(screen, progress=not (options.quiet or options.stream), verbose=options.verbose)

    def continuation() -> str | None:
        if execution.agent is None or console.run_id is None:
            return None
        return resume_command(execution.agent, console.run_id)

    return run_interruptibly(_execute(execution, screen, console, work), continuation)


def _is_live(options: RunOptions) -> bool:
    return not (options.quiet or options.stream) and on_terminal(sys.stderr)


async def _execute(execution: Execution, screen: Screen, console: ConsoleReport, work: Work) -> int:
    options = execution.options
    stream = StreamReport(console) if options.stream else None
    questions = TerminalQuestions(screen)
    async with open_runtime(execution.settings, policy=execution.policy, create=execution.create_store) as runtime:
        if execution.replays is not None and _is_live(options):
            console.expect(_own_calls(runtime.store, get_run(runtime.store, execution.replays)))
        try:
            result = await work(runtime, Attendance(stream or console, questions))
        finally:
            screen.close()
        console.tell_replayed()
        if stream is not None:
            stream.done(result.meta.id, result.rest)
        if options.trace:
            from .trace_lines import render_trace  # of no use to most runs

            for line in render_trace(runtime.store, result.meta):
                write(line, err=True)
    return conclude(result, print_output=stream is None)


def _own_calls(store: Store, meta: RunMeta) -> int:
    """How many of the run's calls a replay of it is given: what contains others answers from its own record."""
    entries = apply_retries(read_lane(store, meta.lane, blobs=False))
    return sum(isinstance(entry, Settled) and entry.delivered for entry in entries)
